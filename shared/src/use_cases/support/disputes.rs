//! The open disputes, and what is known of one of them, to answer it. Nothing is changed.

use crate::domain::payments::{Bought, ConsentRecord, Dispute, PaidFor};
use crate::domain::support::{Evidence, Uses};
use crate::domain::{Account, AccountId, DisputeId, Notice};
use crate::ports::{
    Accounts, ConsentList, DisputePlace, Disputes, Entries, EntryList, LedgerError, NoticeList, OpenDisputes,
    PaymentReturns, PaymentsError, Purchases, TopUps,
};
use crate::use_cases::payments::{BoughtError, stored_bought};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError};
use jiff::Timestamp;

/// The entries, consents and e-mails of one page.
const PAGE: u8 = 100;
/// More pages of consents or e-mails are not read.
const PAGES_MAX: usize = 10;

/// A page of open disputes, what is due first coming first, and where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDisputes {
    pub disputes: Vec<Dispute>,
    pub next: Option<DisputePlace>,
}

/// The open disputes behind `after` (from the first, if `None`), at most `limit` of them.
///
/// # Errors
/// [`LedgerError`].
pub async fn list_disputes<C: Capabilities<Ledger: Disputes + OpenDisputes>>(
    context: &Context<C>,
    after: Option<&DisputePlace>,
    limit: u8,
) -> Result<ListedDisputes, LedgerError> {
    let page = context.ledger.open_disputes(Timestamp::MAX, after).await?;
    let (limit, has_next) = (usize::from(limit), page.next.is_some());
    let has_more = has_next || page.places.len() > limit;
    let shown = page.places.into_iter().take(limit);
    let (mut disputes, mut last) = (vec![], None);
    for place in shown {
        // The index may lag behind: the row says whether it is open.
        let dispute = context.ledger.dispute_get(&place.dispute).await?;
        disputes.extend(dispute.filter(|dispute| dispute.shown.status.is_open()));
        last = Some(place);
    }
    Ok(ListedDisputes { disputes, next: last.filter(|_| has_more) })
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// There is no such dispute, or it is about a payment that is not known here.
    #[error("there is no such dispute")]
    Unknown,
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// What a bank has to know of a disputed payment, as far as it is stored here.
///
/// # Errors
/// [`EvidenceError`].
pub async fn dispute_evidence<C>(context: &Context<C>, id: &DisputeId) -> Result<Evidence, EvidenceError>
where
    C: Capabilities<
            Ledger: Accounts + ConsentList + Entries + EntryList + NoticeList + Purchases + TopUps,
            Payments: PaymentReturns,
        >,
{
    let report = context.payments.dispute_show(id).await?;
    let payment = report.payment.ok_or(EvidenceError::Unknown)?;
    let returned = context.payments.returned_payment_get(&payment).await?;
    let (account, paid_for) = returned.paid_for.ok_or(EvidenceError::Unknown)?;
    let account = context.account::<EvidenceError>(&account).await?;
    let bought = stored_bought(context, &account.id, &paid_for).await?;
    let consent = match &bought {
        Bought::Purchase(_) => None,
        Bought::TopUp(top_up, _) => consent_at(context, &account.id, top_up.opened_at).await?,
    };
    let is_granted = bought.granted().is_some() && bought.is_paid_by(&returned.returned);
    let uses = if is_granted { uses(context, &account, &paid_for).await? } else { None };
    let notices = notices(context, &account.id, &paid_for).await?;
    Ok(Evidence {
        dispute: id.clone(),
        shown: report.shown,
        account,
        bought,
        card: report.card,
        returns: returned.returned.returns,
        consent,
        notices,
        uses,
    })
}

/// What the customer had agreed to at that time.
async fn consent_at<C: Capabilities<Ledger: ConsentList>>(
    context: &Context<C>,
    account: &AccountId,
    opened_at: Timestamp,
) -> Result<Option<ConsentRecord>, LedgerError> {
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let page = context.ledger.consents_page(account, after.as_ref(), PAGE).await?;
        after = page.records.last().map(|record| record.consent.id.clone());
        let is_before = |record: &ConsentRecord| record.consent.accepted_at <= opened_at;
        if let Some(record) = page.records.into_iter().find(is_before) {
            return Ok(Some(record));
        }
        if !page.has_more {
            break;
        }
    }
    Ok(None)
}

/// The e-mails about a payment that are still stored, oldest first.
async fn notices<C: Capabilities<Ledger: NoticeList>>(
    context: &Context<C>,
    account: &AccountId,
    paid_for: &PaidFor,
) -> Result<Vec<Notice>, LedgerError> {
    let (mut found, mut after) = (vec![], None);
    for _ in 0..PAGES_MAX {
        let page = context.ledger.notices_page(account, after.as_ref(), PAGE).await?;
        after = page.records.last().map(|notice| notice.id.clone());
        found.extend(page.records.into_iter().filter(|notice| notice.kind.paid_for().as_ref() == Some(paid_for)));
        if !page.has_more {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

/// What used the credits. `None` if the entry that granted them is not there.
async fn uses<C: Capabilities<Ledger: Entries + EntryList>>(
    context: &Context<C>,
    account: &Account,
    paid_for: &PaidFor,
) -> Result<Option<Uses>, LedgerError> {
    let Some(grant) = context.ledger.entry_get(&account.id, &paid_for.origin()).await? else { return Ok(None) };
    let (mut later, mut after) = (vec![], grant.seq);
    while later.len() < Uses::ENTRIES_MAX && after < account.seq {
        let page = context.ledger.entries_after(&account.id, after, u32::from(PAGE)).await?;
        let Some(last) = page.last().map(|entry| entry.seq) else { break };
        after = last;
        later.extend(page);
    }
    Ok(Some(Uses::of(grant, &later, after < account.seq)))
}

impl From<NotFound> for EvidenceError {
    fn from(_: NotFound) -> Self {
        Self::Unknown
    }
}

impl From<BoughtError> for EvidenceError {
    fn from(error: BoughtError) -> Self {
        match error {
            BoughtError::NotFound(_) => Self::Unknown,
            BoughtError::Store(error) => error.into(),
        }
    }
}

impl From<LedgerError> for EvidenceError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for EvidenceError {
    fn from(error: PaymentsError) -> Self {
        match error {
            PaymentsError::NotFound { .. } => Self::Unknown,
            error => Self::Outside(error.into()),
        }
    }
}
