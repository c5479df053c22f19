//! The words of every e-mail, once for both of its forms: what a customer without billing jargon needs to know.
//!
//! The company that runs this is not named here: mails speak of "your credit balance".
//! A price is before tax, which the invoice adds.

use jiff::Timestamp;
use shared::domain::payments::{DeclineReason, PlainWords};
use shared::domain::{Cents, Credits, Notice, NoticeKind, TopUpId};

/// An e-mail's content, from top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    pub heading: String,
    pub paragraphs: Vec<String>,
    pub action: Option<Action>,
    pub facts: Vec<Fact>,
    pub closing: String,
}

/// The one thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub label: &'static str,
    pub url: String,
    pub note: String,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub name: &'static str,
    pub value: String,
}

/// Where an attempt can be paid or confirmed, and until when the link works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayLink {
    pub url: String,
    pub expires_at: Timestamp,
}

/// Writes the letter; `pay_link` makes the link to an attempt's payment page.
pub fn write_letter<E>(notice: &Notice, pay_link: impl FnOnce(&TopUpId) -> Result<PayLink, E>) -> Result<Letter, E> {
    Ok(match &notice.kind {
        NoticeKind::PurchasePaid { purchase, package: _, credits, price, balance } => {
            purchase_paid(receipt(notice, *credits, *price, *balance, "Purchase", purchase.as_str()), *credits, *price)
        }
        NoticeKind::TopUpPaid { top_up, credits, price, balance } => {
            top_up_paid(receipt(notice, *credits, *price, *balance, "Top-up", top_up.as_str()), *credits, *price)
        }
        NoticeKind::TopUpDeclined { top_up, credits, price, reason } => {
            declined(unpaid(notice, *credits, *price, top_up), &pay_link(top_up)?, *credits, *price, *reason)
        }
        NoticeKind::TopUpActionRequired { top_up, credits, price } => {
            action_required(unpaid(notice, *credits, *price, top_up), &pay_link(top_up)?, *credits, *price)
        }
    })
}

fn purchase_paid(facts: Vec<Fact>, credits: Credits, price: Cents) -> Letter {
    let credits = counted(credits);
    Letter {
        subject: format!("Receipt for your purchase: {credits} for {price}"),
        heading: "Thank you for your purchase".into(),
        paragraphs: vec![format!("Your payment was received, and {credits} were added to your credit balance.")],
        action: None,
        facts,
        closing: "Credits do not expire.".into(),
    }
}

fn top_up_paid(facts: Vec<Fact>, credits: Credits, price: Cents) -> Letter {
    let credits = counted(credits);
    Letter {
        subject: format!("Receipt for your automatic top-up: {credits} for {price}"),
        heading: "Your credit balance was topped up".into(),
        paragraphs: vec![format!(
            "The payment for your automatic top-up was received, and {credits} were added to your credit balance."
        )],
        action: None,
        facts,
        // The payment may be the one that a pause waited for.
        closing: "If automatic top-ups were paused because of this payment, the pause has ended. \
                  You can change automatic top-ups or turn them off at any time."
            .into(),
    }
}

fn declined(facts: Vec<Fact>, link: &PayLink, credits: Credits, price: Cents, reason: DeclineReason) -> Letter {
    let (subject, heading) = match reason {
        DeclineReason::NoCard => ("there was no card for", "There is no card to pay with"),
        DeclineReason::InsufficientFunds
        | DeclineReason::ExpiredCard
        | DeclineReason::IncorrectCardData
        | DeclineReason::CardNotSupported
        | DeclineReason::LimitExceeded
        | DeclineReason::ProcessingError
        | DeclineReason::Generic => ("the card was declined for", "Your card was declined"),
    };
    let PlainWords { reason: why, remedy } = reason.in_plain_words();
    Letter {
        subject: format!("Action needed: {subject} your automatic top-up of {price}"),
        heading: heading.into(),
        paragraphs: vec![
            format!("Your automatic top-up of {} for {price} was not paid. {why} {NOTHING_CHARGED}", counted(credits)),
            remedy.into(),
        ],
        action: Some(Action { label: "Pay now", url: link.url.clone(), note: link_note(link) }),
        facts,
        closing: "Automatic top-ups are paused. We do not try a card again by ourselves. \
                  The pause ends as soon as this payment is made, and the credits are added then."
            .into(),
    }
}

fn action_required(facts: Vec<Fact>, link: &PayLink, credits: Credits, price: Cents) -> Letter {
    Letter {
        subject: format!("Action needed: confirm your automatic top-up of {price}"),
        heading: "Your bank asks you to confirm a payment".into(),
        paragraphs: vec![
            format!(
                "Before it pays for your automatic top-up of {} for {price}, your bank wants to be sure that it is \
                 you. Most banks ask for a code or a tap in their app (3D Secure).",
                counted(credits)
            ),
            format!("{NOTHING_CHARGED} Confirm the payment on the page below; you can also pay with another card."),
        ],
        action: Some(Action { label: "Confirm the payment", url: link.url.clone(), note: link_note(link) }),
        facts,
        closing: "Automatic top-ups are paused. The pause ends as soon as this payment is confirmed, \
                  and the credits are added then. Until then we do not charge your card by ourselves."
            .into(),
    }
}

const NOTHING_CHARGED: &str = "Nothing was charged, and no credits were added.";

fn link_note(link: &PayLink) -> String {
    format!("The link leads to our payment provider's secure page and works until {}.", dated(link.expires_at))
}

fn receipt(
    notice: &Notice,
    credits: Credits,
    price: Cents,
    balance: Credits,
    kind: &'static str,
    id: &str,
) -> Vec<Fact> {
    vec![
        account(notice),
        fact("Credits added", credits.grouped()),
        fact("Paid, before tax", price.to_string()),
        fact("New balance", counted(balance)),
        fact("Date", dated(notice.created_at)),
        fact(kind, id.to_owned()),
    ]
}

fn unpaid(notice: &Notice, credits: Credits, price: Cents, top_up: &TopUpId) -> Vec<Fact> {
    vec![
        account(notice),
        fact("Credits", credits.grouped()),
        fact("To pay, before tax", price.to_string()),
        fact("Date", dated(notice.created_at)),
        fact("Top-up", top_up.to_string()),
    ]
}

fn account(notice: &Notice) -> Fact {
    fact("Account", notice.account.to_string())
}

fn fact(name: &'static str, value: String) -> Fact {
    Fact { name, value }
}

fn dated(instant: Timestamp) -> String {
    instant.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

fn counted(credits: Credits) -> String {
    format!("{} {}", credits.grouped(), if credits.get().abs() == 1 { "credit" } else { "credits" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_grouped_by_thousands_and_counted() {
        for (credits, text) in [
            (0, "0 credits"),
            (1, "1 credit"),
            (999, "999 credits"),
            (1_000, "1,000 credits"),
            (125_000, "125,000 credits"),
            (-1_234_567, "-1,234,567 credits"),
        ] {
            assert_eq!(counted(Credits::constant(credits)), text);
        }
    }
}
