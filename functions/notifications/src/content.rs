//! The content of each e-mail, shared by its two forms and written for customers who know no billing jargon.
//!
//! The company that runs this is not named here; e-mails say "your credit balance".
//! A price is before tax, which the invoice adds.

use crate::parts::{Action, Content, Fact, Link, Sale, account, date, fact};
use crate::{invoices, reversals};
use jiff::Timestamp;
use shared::domain::alerts::AlertLevel;
use shared::domain::payments::{
    CardFace, DeclineReason, Expiry, Invoiced, OffReason, PaymentIssueKind, Receipt, RefusalReason,
};
use shared::domain::{
    ContactId, ContactsChange, Credits, EmailAddress, Notice, NoticeKind, PriceBook, PurchaseId, TopUpId,
};
use shared::words::{
    Explanation, card_face, card_of_receipt, credits as count, date_and_time, decline, month_and_year, off_because,
    payment_issue, refusal,
};

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// The attempt can be paid or confirmed at the bank.
    Pay(&'a TopUpId),
    /// The invoice of a purchase can be paid.
    PayPurchase(&'a PurchaseId),
    /// The address can be confirmed.
    Confirm(&'a ContactId),
    /// The invoice of what was paid can be seen.
    Receipt(&'a Invoiced),
}

/// Writes the content. `link_to` creates the links in it.
pub fn write_content<E>(notice: &Notice, link_to: impl Fn(Purpose<'_>) -> Result<Link, E>) -> Result<Content, E> {
    Ok(match &notice.kind {
        NoticeKind::PurchasePaid { purchase, package: _, credits, price, balance, receipt: document } => {
            let sale = Sale { credits: *credits, price: *price };
            let facts = receipt(notice, (sale, document.as_deref()), *balance, fact("Purchase", purchase.to_string()));
            let link = link_to(Purpose::Receipt(&Invoiced::Purchase(purchase.clone())))?;
            purchase_paid(facts, &link, sale)
        }
        NoticeKind::PurchaseFailed { purchase, package: _, credits, price } => {
            let sale = Sale { credits: *credits, price: *price };
            purchase_failed(failed(notice, sale, vec![fact("Purchase", purchase.to_string())]), sale)
        }
        NoticeKind::InvoiceIssued { purchase, credits, price, invoice } => {
            let sale = Sale { credits: *credits, price: *price };
            invoices::issued(notice, &to_invoice(&link_to, purchase)?, sale, (purchase, invoice))
        }
        NoticeKind::InvoiceReminder { purchase, credits, price, invoice, reminder } => {
            let sale = Sale { credits: *credits, price: *price };
            invoices::reminder(notice, &to_invoice(&link_to, purchase)?, (sale, *reminder), (purchase, invoice))
        }
        NoticeKind::InvoiceVoided { purchase, credits, price, invoice } => {
            invoices::voided(notice, Sale { credits: *credits, price: *price }, (purchase, invoice))
        }
        NoticeKind::TopUpPaid { top_up, credits, price, balance, receipt: document } => {
            let sale = Sale { credits: *credits, price: *price };
            let facts = receipt(notice, (sale, document.as_deref()), *balance, fact("Top-up", top_up.to_string()));
            top_up_paid(facts, &link_to(Purpose::Receipt(&Invoiced::TopUp(top_up.clone())))?, sale)
        }
        NoticeKind::TopUpDeclined { top_up, credits, price, reason, card } => {
            let sale = Sale { credits: *credits, price: *price };
            declined(unpaid(notice, sale, asked(top_up, card)), &link_to(Purpose::Pay(top_up))?, sale, *reason)
        }
        NoticeKind::TopUpActionRequired { top_up, credits, price, card } => {
            let sale = Sale { credits: *credits, price: *price };
            action_required(unpaid(notice, sale, asked(top_up, card)), &link_to(Purpose::Pay(top_up))?, sale)
        }
        NoticeKind::TopUpRefused { top_up, credits, price, reason, card } => {
            let sale = Sale { credits: *credits, price: *price };
            refused(failed(notice, sale, asked(top_up, card)), sale, *reason)
        }
        NoticeKind::PaymentReminder { top_up, credits, price, reason, since, card } => {
            let sale = Sale { credits: *credits, price: *price };
            reminder(
                unpaid(notice, sale, asked(top_up, card)),
                &link_to(Purpose::Pay(top_up))?,
                sale,
                (*reason, *since),
            )
        }
        NoticeKind::TopUpAbandoned { top_up, credits, price, card } => {
            let sale = Sale { credits: *credits, price: *price };
            abandoned(failed(notice, sale, asked(top_up, card)), sale)
        }
        NoticeKind::CardExpiring { card, expiry } => card_expiring(notice, card, *expiry),
        NoticeKind::ContactConfirmation { contact } => {
            confirmation(vec![account(notice), date(notice)], &link_to(Purpose::Confirm(contact))?)
        }
        NoticeKind::ContactsChanged(change) => contacts_changed(notice, change),
        NoticeKind::LowBalance { level, balance, per_day } => low_balance(notice, *level, *balance, *per_day),
        NoticeKind::CreditsTakenBack(told) => reversals::taken_back(notice, told),
        NoticeKind::CreditsGivenBack(told) => reversals::given_back(notice, told),
    })
}

/// The page on which an invoice is paid, and its document.
fn to_invoice<E>(link_to: impl Fn(Purpose<'_>) -> Result<Link, E>, purchase: &PurchaseId) -> Result<(Link, String), E> {
    let document = link_to(Purpose::Receipt(&Invoiced::Purchase(purchase.clone())))?;
    Ok((link_to(Purpose::PayPurchase(purchase))?, format!("{}/pdf", document.url)))
}

fn card_expiring(notice: &Notice, card: &CardFace, expiry: Expiry) -> Content {
    let (card, month) = (card_face(card), month_and_year(expiry));
    Content {
        subject: format!("Your card expires soon: {card}"),
        heading: "Your card expires soon".into(),
        paragraphs: vec![
            format!("Your automatic top-ups are charged to {card}, which expires at the end of {month}."),
            "To keep them going, save a new card or choose another one on your billing page. \
             If your bank sends you a new card with the same account, it may be updated without you; \
             your billing page shows the date that we know."
                .into(),
        ],
        action: None,
        facts: vec![account(notice), fact("Card", card), fact("Expires", format!("end of {month}")), date(notice)],
        closing: "If the card has expired when a top-up is due, the payment fails and automatic top-ups are paused."
            .into(),
    }
}

fn confirmation(facts: Vec<Fact>, link: &Link) -> Content {
    let until = date_and_time(link.expires_at);
    Content {
        subject: "Confirm this e-mail address".into(),
        heading: "Please confirm this e-mail address".into(),
        paragraphs: vec![
            "This address was added as a contact of the account named below, to get e-mails about its credits.".into(),
        ],
        action: Some(Action {
            label: "Confirm the address",
            url: link.url.clone(),
            pdf_url: None,
            note: format!("This opens a page with a button that confirms it. The link works until {until}."),
        }),
        facts,
        closing: "If you do not know this account, do nothing: without a confirmation, we send you no more e-mails."
            .into(),
    }
}

fn contacts_changed(notice: &Notice, change: &ContactsChange) -> Content {
    let ContactsChange { added, removed, changed, confirmed } = change;
    let row = |name, addresses: &[EmailAddress]| {
        let addresses: Vec<_> = addresses.iter().map(EmailAddress::as_str).collect();
        (!addresses.is_empty()).then(|| fact(name, addresses.join(", ")))
    };
    let rows = [row("Added", added), row("Removed", removed), row("Changed", changed), row("Confirmed", confirmed)];
    let pending = (!added.is_empty())
        .then(|| "An added address gets no e-mails about the account until its reader has confirmed it.".to_owned());
    let told =
        "The contacts that get e-mails about your credit balance were changed. The table below shows how.".to_owned();
    Content {
        subject: "The contacts of your account were changed".into(),
        heading: "The contacts of your account were changed".into(),
        paragraphs: [Some(told), pending].into_iter().flatten().collect(),
        action: None,
        facts: [account(notice)].into_iter().chain(rows.into_iter().flatten()).chain([date(notice)]).collect(),
        closing: "If nobody at your company did this, check the contacts on your billing page and write to us.".into(),
    }
}

fn purchase_paid(facts: Vec<Fact>, link: &Link, Sale { credits, price }: Sale) -> Content {
    let credits = count(credits);
    Content {
        subject: format!("Receipt for your purchase: {credits} for {price}"),
        heading: "Thank you for your purchase".into(),
        paragraphs: vec![format!("We received your payment and added {credits} to your credit balance.")],
        action: Some(see_invoice(link)),
        facts,
        closing: "Credits never expire.".into(),
    }
}

fn purchase_failed(facts: Vec<Fact>, Sale { credits, price }: Sale) -> Content {
    let credits = count(credits);
    Content {
        subject: format!("Your payment of {price} for {credits} failed"),
        heading: "Your payment failed".into(),
        paragraphs: vec![
            format!("Your bank did not make the payment of {price} for your purchase of {credits}. {NOTHING_CHARGED}"),
            "To get the credits, buy them again on your billing page, with the same bank account or another way to pay."
                .into(),
        ],
        action: None,
        facts,
        closing: "If you no longer want the credits, there is nothing to do.".into(),
    }
}

fn top_up_paid(facts: Vec<Fact>, link: &Link, Sale { credits, price }: Sale) -> Content {
    let credits = count(credits);
    Content {
        subject: format!("Receipt for your automatic top-up: {credits} for {price}"),
        heading: "We topped up your credit balance".into(),
        paragraphs: vec![format!(
            "We received the payment for your automatic top-up and added {credits} to your credit balance."
        )],
        action: Some(see_invoice(link)),
        facts,
        // A pause may have been waiting for this payment.
        closing: "If automatic top-ups were paused because of this payment, they are active again. \
                  You can change them or turn them off at any time."
            .into(),
    }
}

fn declined(facts: Vec<Fact>, link: &Link, Sale { credits, price }: Sale, reason: DeclineReason) -> Content {
    let (problem, heading) = match reason {
        DeclineReason::NoCard => ("no card for", "There is no card to charge"),
        DeclineReason::InsufficientFunds
        | DeclineReason::ExpiredCard
        | DeclineReason::IncorrectCardData
        | DeclineReason::CardNotSupported
        | DeclineReason::LimitExceeded
        | DeclineReason::ProcessingError
        | DeclineReason::Generic => ("your card was declined for", "Your card was declined"),
    };
    let Explanation { reason: why, remedy } = decline(reason);
    Content {
        subject: format!("Action needed: {problem} your automatic top-up of {price}"),
        heading: heading.into(),
        paragraphs: vec![
            format!(
                "The payment of {price} for your automatic top-up of {} failed. {why} {NOTHING_CHARGED}",
                count(credits)
            ),
            remedy.into(),
        ],
        action: Some(pay("Pay now", link)),
        facts,
        closing: "Automatic top-ups are paused, and we will not try your card again on our own. \
                  As soon as this payment is made, we add the credits and automatic top-ups continue."
            .into(),
    }
}

fn action_required(facts: Vec<Fact>, link: &Link, Sale { credits, price }: Sale) -> Content {
    Content {
        subject: format!("Action needed: confirm your automatic top-up of {price}"),
        heading: "Your bank asks you to confirm a payment".into(),
        paragraphs: vec![
            format!(
                "Your bank wants to make sure that it is you before it pays {price} for your automatic top-up of {}. \
                 Most banks ask for a code or a tap in their app (3D Secure).",
                count(credits)
            ),
            format!("{NOTHING_CHARGED} Use the button below to confirm the payment or to pay with another card."),
        ],
        action: Some(pay("Confirm the payment", link)),
        facts,
        closing: "Automatic top-ups are paused, and we will not charge your card on our own. \
                  As soon as you confirm this payment, we add the credits and automatic top-ups continue."
            .into(),
    }
}

fn refused(facts: Vec<Fact>, Sale { credits, price }: Sale, reason: RefusalReason) -> Content {
    let Explanation { reason: why, remedy } = refusal(reason);
    Content {
        subject: format!("Automatic top-ups are paused: {price} could not be charged"),
        heading: "We could not top up your credit balance".into(),
        paragraphs: vec![
            format!(
                "Your automatic top-up of {} for {price} could not be charged. {why} {NOTHING_CHARGED}",
                count(credits)
            ),
            remedy.into(),
        ],
        action: None,
        facts,
        closing: "Automatic top-ups are paused, and we will not charge your card on our own.".into(),
    }
}

fn low_balance(notice: &Notice, level: AlertLevel, balance: Credits, per_day: Option<i64>) -> Content {
    let (below, chosen) = match level {
        AlertLevel::Credits(credits) => (format!("below {}", count(credits)), count(credits)),
        AlertLevel::DaysLeft(days) => {
            let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
            (format!("enough for less than {days}"), format!("{days} at your average use"))
        }
    };
    let mut facts = vec![account(notice), fact("Balance", count(balance)), fact("Your alert", chosen)];
    if let Some(per_day) = per_day.and_then(Credits::new) {
        facts.push(fact("Average use per day", count(per_day)));
    }
    facts.push(fact("Date", date_and_time(notice.created_at)));
    Content {
        subject: format!("Your credit balance is {below}"),
        heading: "Your credit balance is low".into(),
        paragraphs: vec![
            format!("Your credit balance is {}, which is {below}.", count(balance)),
            "Requests that cost more than your balance are refused. \
             To go on, buy credits on your billing page, or turn on automatic top-ups there."
                .into(),
        ],
        action: None,
        facts,
        closing: "You chose to be told at this level. You can change your alerts on your billing page at any time."
            .into(),
    }
}

fn reminder(
    facts: Vec<Fact>,
    link: &Link,
    Sale { credits, price }: Sale,
    (reason, since): (Option<DeclineReason>, Timestamp),
) -> Content {
    let kind = reason.map_or(PaymentIssueKind::ActionRequired, PaymentIssueKind::Declined);
    let Explanation { reason: why, remedy } = payment_issue(kind);
    let label = if reason.is_some() { "Pay now" } else { "Confirm the payment" };
    let voided_at = since.saturating_add(PriceBook::UNPAID_MAX).unwrap_or(Timestamp::MAX);
    Content {
        subject: format!("Reminder: your automatic top-up of {price} is still unpaid"),
        heading: "Automatic top-ups are still paused".into(),
        paragraphs: vec![
            format!(
                "The payment of {price} for your automatic top-up of {} has been open since {}. {why} {NOTHING_CHARGED}",
                count(credits),
                date_and_time(since)
            ),
            remedy.into(),
        ],
        action: Some(pay(label, link)),
        facts,
        closing: format!(
            "As soon as this payment is made, we add the credits and the pause ends. \
             If it is still open on {}, we void the invoice, and automatic top-ups are off from then on.",
            date_and_time(voided_at)
        ),
    }
}

fn abandoned(facts: Vec<Fact>, Sale { credits, price }: Sale) -> Content {
    Content {
        subject: format!("We closed your unpaid automatic top-up of {price}"),
        heading: "We closed an unpaid top-up".into(),
        paragraphs: vec![
            format!(
                "The payment of {price} for your automatic top-up of {} was still open after 30 days, so we voided its \
                 invoice. You owe nothing for it. {NOTHING_CHARGED}",
                count(credits)
            ),
            format!(
                "Automatic top-ups are off now. {} To use them again, save a card that works on your billing page, and turn \
                 them on there.",
                off_because(OffReason::UnpaidFor30Days)
            ),
        ],
        action: None,
        facts,
        closing: "You can buy credits at any time.".into(),
    }
}

const NOTHING_CHARGED: &str = "Nothing was charged, and no credits were added.";

fn pay(label: &'static str, link: &Link) -> Action {
    let until = date_and_time(link.expires_at);
    let note = format!("This opens our payment provider's secure page. The link works until {until}.");
    Action { label, url: link.url.clone(), pdf_url: None, note }
}

fn see_invoice(link: &Link) -> Action {
    let (url, until) = (&link.url, date_and_time(link.expires_at));
    let note = format!("Both links work until {until}.");
    Action { label: "See the invoice", url: url.clone(), pdf_url: Some(format!("{url}/pdf")), note }
}

fn receipt(
    notice: &Notice,
    (Sale { credits, price }, document): (Sale, Option<&Receipt>),
    balance: Credits,
    paid_for: Fact,
) -> Vec<Fact> {
    let currency = price.currency();
    let amount = |name, minor| fact(name, currency.format_with_code(minor));
    let number = document.and_then(|document| document.number.clone()).map(|number| fact("Invoice", number));
    let taxed = document.map(|document| [amount("Tax", document.tax), amount("Total", document.total)]);
    let paid_with = document.and_then(card_of_receipt).map(|card| fact("Paid with", card));
    [account(notice), fact("Credits added", credits.grouped()), fact("Paid, before tax", price.with_code())]
        .into_iter()
        .chain(taxed.into_iter().flatten())
        .chain(paid_with)
        .chain(number)
        .chain([fact("New balance", count(balance)), date(notice), paid_for])
        .collect()
}

/// The attempt, and the card that it asked.
fn asked(top_up: &TopUpId, card: &CardFace) -> Vec<Fact> {
    let known = card.last4.is_some().then(|| fact("Card", card_face(card)));
    known.into_iter().chain([fact("Top-up", top_up.to_string())]).collect()
}

fn unpaid(notice: &Notice, sale: Sale, to_be_paid: Vec<Fact>) -> Vec<Fact> {
    priced(notice, "To pay, before tax", sale, to_be_paid)
}

/// For what failed for good: nothing is left to pay.
fn failed(notice: &Notice, sale: Sale, what: Vec<Fact>) -> Vec<Fact> {
    priced(notice, "Price, before tax", sale, what)
}

fn priced(notice: &Notice, name: &'static str, Sale { credits, price }: Sale, what: Vec<Fact>) -> Vec<Fact> {
    [account(notice), fact("Credits", credits.grouped()), fact(name, price.with_code()), date(notice)]
        .into_iter()
        .chain(what)
        .collect()
}
