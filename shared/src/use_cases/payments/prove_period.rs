//! The proof of all payments of a period, in both directions: every payment that the payment provider has received has its
//! entry, and every entry for money has its payment.

use super::apply_returned::bought_top_up;
use super::prove_payment::{ProvePaymentError, Proving, prove_payment};
use crate::domain::payments::{Bought, Claim, PaidFor};
use crate::domain::{AccountId, InvoiceId, PurchaseId, TopUpId};
use crate::ports::{Directory, Entries, PaidInvoices, PurchaseList, Shard, TopUpList};
use crate::use_cases::{Capabilities, Context, OutsideError};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// An invoice is paid at most so long after it was made: a purchase by invoice is due after 60 days and voided two weeks
/// later, and a bank debit takes a few days.
const PAID_WITHIN: SignedDuration = SignedDuration::from_hours(85 * 24);
const PAGE: u8 = 100;
const ACCOUNTS_PAGE: u16 = 100;

/// A payment that was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenLine {
    pub account: AccountId,
    pub paid_for: PaidFor,
    /// The payment, or the invoice, by which it was looked up.
    pub named: String,
    /// The first link that does not hold, and how. `None` if all hold.
    pub gap: Option<String>,
    pub owes_nothing: bool,
}

/// What was proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeriodProof {
    /// Payments that the payment provider received.
    pub payments: u64,
    /// Of these, those that granted nothing and owe nothing.
    pub owing_nothing: u64,
    /// Purchases and attempts that granted credits.
    pub grants: u64,
    /// The line with the gap at which it ended.
    pub gap: Option<ProvenLine>,
}

/// Proves every payment that was received from the first instant on and before the second one, and every grant of that
/// time. Each is told; the first gap ends it.
///
/// # Errors
/// [`OutsideError`].
pub async fn prove_period<C>(
    context: &Context<C>,
    period: (Timestamp, Timestamp),
    mut tell: impl FnMut(&ProvenLine),
) -> Result<PeriodProof, OutsideError>
where
    C: Proving + Capabilities<Ledger: Directory + PurchaseList + TopUpList, Payments: PaidInvoices>,
{
    let mut sum = PeriodProof::default();
    let mut proven = BTreeSet::new();
    for (invoice, account, paid_for) in received(context, period).await? {
        let line = line(context, &Claim::Invoice(invoice.clone()), (&account, &paid_for), invoice.as_str()).await?;
        tell(&line);
        sum.payments = sum.payments.saturating_add(1);
        sum.owing_nothing = sum.owing_nothing.saturating_add(line.owes_nothing.into());
        if line.gap.is_some() {
            sum.gap = Some(line);
            return Ok(sum);
        }
        if !line.owes_nothing {
            proven.insert(paid_for);
        }
    }
    for shard in Shard::all() {
        let mut after = None;
        loop {
            let page = context.ledger.accounts_page(shard, after.as_ref(), ACCOUNTS_PAGE).await?;
            for listed in &page.accounts {
                for bought in granted(context, &listed.account, period).await? {
                    sum.grants = sum.grants.saturating_add(1);
                    if proven.contains(&bought.paid_for()) {
                        continue;
                    }
                    let line = line_of_grant(context, &listed.account, &bought).await?;
                    tell(&line);
                    if line.gap.is_some() {
                        sum.gap = Some(line);
                        return Ok(sum);
                    }
                }
            }
            after = page.accounts.last().map(|listed| listed.account.clone());
            if !page.has_more || after.is_none() {
                break;
            }
        }
    }
    Ok(sum)
}

/// What the payment provider has received in the period.
async fn received<C: Capabilities<Payments: PaidInvoices>>(
    context: &Context<C>,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<(InvoiceId, AccountId, PaidFor)>, OutsideError> {
    let created = (from.saturating_sub(PAID_WITHIN).unwrap_or(Timestamp::MIN), until);
    let (mut received, mut after) = (vec![], None);
    loop {
        let page = context.payments.paid_invoices_page(created, after.as_ref()).await?;
        let in_period = page.invoices.into_iter().filter(|paid| from <= paid.paid_at && paid.paid_at < until);
        received.extend(in_period.map(|paid| (paid.id, paid.account, paid.paid_for)));
        after = page.next;
        if after.is_none() {
            return Ok(received);
        }
    }
}

/// The purchases and attempts of an account that granted credits in the period.
async fn granted<C: Capabilities<Ledger: Entries + PurchaseList + TopUpList>>(
    context: &Context<C>,
    account: &AccountId,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<Bought>, OutsideError> {
    let opened_from = from.saturating_sub(PAID_WITHIN).unwrap_or(Timestamp::MIN);
    let is_in_period = |ended_at: Option<Timestamp>| ended_at.is_some_and(|at| from <= at && at < until);
    let mut found = vec![];
    let mut after = None::<PurchaseId>;
    loop {
        let page = context.ledger.purchases_page(account, after.as_ref(), PAGE).await?;
        let oldest = page.purchases.last().map(|purchase| (purchase.id.clone(), purchase.opened_at));
        let ended = page.purchases.into_iter().filter(|purchase| is_in_period(purchase.ended_at));
        found.extend(ended.map(Bought::Purchase));
        match oldest {
            Some((id, opened_at)) if page.has_more && opened_at >= opened_from => after = Some(id),
            _ => break,
        }
    }
    let mut after = None::<TopUpId>;
    loop {
        let page = context.ledger.top_ups_page(account, after.as_ref(), PAGE).await?;
        let oldest = page.records.last().map(|top_up| (top_up.id.clone(), top_up.opened_at));
        for top_up in page.records.into_iter().filter(|top_up| is_in_period(top_up.ended_at)) {
            found.push(bought_top_up(context, top_up).await?);
        }
        match oldest {
            Some((id, opened_at)) if page.has_more && opened_at >= opened_from => after = Some(id),
            _ => break,
        }
    }
    found.retain(|bought| bought.granted().is_some());
    Ok(found)
}

async fn line_of_grant<C: Proving>(
    context: &Context<C>,
    account: &AccountId,
    bought: &Bought,
) -> Result<ProvenLine, OutsideError> {
    let paid_for = bought.paid_for();
    let (claim, named) = match (bought.payment_intent(), bought.invoice()) {
        (Some(payment), _) => (Claim::Payment(payment.clone()), payment.to_string()),
        (None, Some(invoice)) => (Claim::Invoice(invoice.clone()), invoice.to_string()),
        (None, None) => {
            let gap = Some("its row names no payment".to_owned());
            let (account, named) = (account.clone(), paid_for.to_string());
            return Ok(ProvenLine { account, paid_for, named, gap, owes_nothing: false });
        }
    };
    let line = line(context, &claim, (account, &paid_for), &named).await?;
    Ok(match line {
        // Credits were granted, and nothing was paid for them.
        ProvenLine { owes_nothing: true, gap: None, .. } => {
            ProvenLine { gap: Some("payment missing".to_owned()), owes_nothing: false, ..line }
        }
        line => line,
    })
}

async fn line<C: Proving>(
    context: &Context<C>,
    claim: &Claim,
    (account, paid_for): (&AccountId, &PaidFor),
    named: &str,
) -> Result<ProvenLine, OutsideError> {
    let (gap, owes_nothing) = match prove_payment(context, Some(account), claim).await {
        Ok(proven) if proven.paid_for != *paid_for => (Some(format!("it names {}", proven.paid_for)), false),
        Ok(proven) if proven.proof.owes_nothing => (None, true),
        Ok(proven) => {
            let gap = proven.proof.first_gap().map(|gap| {
                let differences = gap.differences.join(", ");
                format!("{} {} {differences}", gap.name.name(), gap.status.name()).trim_end().to_owned()
            });
            (gap, false)
        }
        Err(ProvePaymentError::NotFound) => (Some("payment missing".to_owned()), false),
        Err(ProvePaymentError::Outside(error)) => return Err(error),
    };
    let (account, paid_for, named) = (account.clone(), paid_for.clone(), named.to_owned());
    Ok(ProvenLine { account, paid_for, named, gap, owes_nothing })
}
