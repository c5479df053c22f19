//! The texts that customers read, shared by e-mails, API and pages: reasons, remedies, the consent, counts and dates.
//!
//! Pure functions of domain values.

mod diagnosis;
mod evidence;
mod explanation;
mod found;

pub use diagnosis::{Diagnosis, KnownOfTopUps, diagnosis, off_because};
pub use evidence::{EVIDENCE_CHARACTERS_MAX, EvidenceTexts, evidence_texts};
pub use explanation::explanation;
pub use found::found;

use crate::domain::payments::{
    CardFace, CustomerInvoice, DeclineReason, Expiry, MonthlyCap, PaymentIssueKind, Receipt, RefusalReason,
    ReturnReason, SavedCard, SavedCards,
};
use crate::domain::{Amount, Credits, PriceBook, PurchaseStatus};
use jiff::Timestamp;

/// What happened and what helps, for readers who do not know billing jargon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub reason: &'static str,
    pub remedy: &'static str,
}

/// Why automatic top-ups are paused, and what ends the pause.
pub fn payment_issue(kind: PaymentIssueKind) -> Explanation {
    match kind {
        PaymentIssueKind::Declined(reason) => decline(reason),
        PaymentIssueKind::ActionRequired => Explanation {
            reason: "Your bank asks you to confirm the payment (3D Secure).",
            remedy: "Open the link in our e-mail to confirm the payment or to pay with another card.",
        },
        PaymentIssueKind::Refused(reason) => refusal(reason),
    }
}

/// Why automatic top-ups are paused although no payment failed, and what ends the pause.
pub fn reversal_pause(because: ReturnReason, balance: Credits) -> Explanation {
    let reason = match because {
        ReturnReason::Refund => "A payment was refunded, and its credits had been used, so the balance is below zero.",
        ReturnReason::Dispute => "A payment is disputed with the bank, so we took its credits back.",
    };
    let remedy = if balance.is_negative() {
        "Buy enough credits to bring the balance to zero or above, or resume automatic top-ups."
    } else {
        "Buy a package, or resume automatic top-ups."
    };
    Explanation { reason, remedy }
}

/// Why the customer's automatic payments are refused, and who can change that.
pub fn refusal(reason: RefusalReason) -> Explanation {
    match reason {
        RefusalReason::NoTaxLocation => Explanation {
            reason: "We cannot work out the tax, because your billing address is missing or incomplete.",
            remedy: "Enter your full address in your billing details, then turn automatic top-ups on again.",
        },
        RefusalReason::AboveConsent => Explanation {
            reason: "With tax, it would cost more than you agreed to.",
            remedy: "We have been notified and will contact you. Once it is solved, turn automatic top-ups on again.",
        },
        RefusalReason::CustomerDeleted | RefusalReason::OtherCurrency | RefusalReason::OtherPrice => Explanation {
            reason: "Our payment provider does not accept automatic payments for your account. \
                     This is our mistake, not yours or your bank's.",
            remedy: "We have been notified and will contact you. Once it is solved, turn automatic top-ups on again.",
        },
    }
}

/// Why a card was declined. <https://docs.stripe.com/declines/codes>
pub fn decline(reason: DeclineReason) -> Explanation {
    let (reason, remedy) = match reason {
        DeclineReason::InsufficientFunds => (
            "Your bank says that there are not enough funds for it.",
            "Make sure that the card has enough funds, or pay with another card.",
        ),
        DeclineReason::ExpiredCard => ("The saved card has expired.", "Pay with a card that is still valid."),
        DeclineReason::IncorrectCardData => (
            "Your bank says that the card's number, expiry date or security code is wrong.",
            "Enter the card's details again, or pay with another card.",
        ),
        DeclineReason::CardNotSupported => (
            "The saved card does not support this kind of payment.",
            "Pay with another card, or ask your bank to allow this kind of payment.",
        ),
        DeclineReason::LimitExceeded => (
            "The amount is above the limit of the saved card.",
            "Ask your bank to raise the limit, or pay with another card.",
        ),
        DeclineReason::ProcessingError => (
            "Something went wrong while your bank processed it. This may be temporary.",
            "Try again, or pay with another card.",
        ),
        DeclineReason::NoCard => ("Your account has no saved card.", "Pay with a card of your choice."),
        DeclineReason::Generic => {
            ("Your bank declined it without giving a reason.", "Ask your bank, or pay with another card.")
        }
    };
    Explanation { reason, remedy }
}

/// A note for the customer, if the purchase's state alone leaves a question open.
pub fn purchase_note(status: PurchaseStatus) -> Option<&'static str> {
    match status {
        PurchaseStatus::Processing => Some(
            "Your bank is processing the payment, which can take several days. \
             We add the credits as soon as the payment arrives.",
        ),
        PurchaseStatus::Failed => Some("Your bank did not make the payment. To get the credits, buy them again."),
        PurchaseStatus::InReview => Some(
            "We received a payment that differs from the price, and we are looking into it. There is nothing for you to do.",
        ),
        PurchaseStatus::Voided => {
            Some("The invoice was voided, so there is nothing to pay. To get the credits, buy them again.")
        }
        PurchaseStatus::Open | PurchaseStatus::Paid | PurchaseStatus::Expired => None,
    }
}

/// Why an invoice has no tax, if its customer may wonder: as Stripe says it. <https://docs.stripe.com/tax/zero-tax>
pub fn tax_note(invoice: &CustomerInvoice) -> Option<&'static str> {
    let has_reason = |word: &str| invoice.taxes.iter().any(|line| line.reason.as_deref() == Some(word));
    let is_exempt = |word: &str| invoice.tax_exempt.as_deref() == Some(word);
    if invoice.tax() != 0 {
        None
    } else if has_reason("reverse_charge") || is_exempt("reverse") {
        Some("Reverse charge: the customer accounts for the tax.")
    } else if has_reason("customer_exempt") || is_exempt("exempt") {
        Some("The customer is exempt from tax.")
    } else {
        None
    }
}

/// A card as its owner knows it: `Visa •••• 4242`.
pub fn card_name(card: &SavedCard) -> String {
    named_card(card.brand.as_deref(), card.last4.as_deref())
}

/// The same of a card of which no more is known.
pub fn card_face(card: &CardFace) -> String {
    named_card(card.brand.as_deref(), card.last4.as_deref())
}

/// `December 2026`.
pub fn month_and_year(expiry: Expiry) -> String {
    expiry.first_day().strftime("%B %Y").to_string()
}

/// The card of a receipt, if it is known.
pub fn card_of_receipt(receipt: &Receipt) -> Option<String> {
    receipt.last4.as_deref().map(|last4| named_card(receipt.brand.as_deref(), Some(last4)))
}

fn named_card(brand: Option<&str>, last4: Option<&str>) -> String {
    let brand = brand.unwrap_or("card");
    let mut letters = brand.chars();
    let capital = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let brand = format!("{capital}{}", letters.as_str().replace('_', " "));
    match last4 {
        Some(last4) => format!("{brand} •••• {last4}"),
        None => brand,
    }
}

/// What a change of the saved cards means for automatic top-ups. `None` if they were never set up.
pub fn cards_note(is_enabled: Option<bool>, cards: &SavedCards) -> Option<String> {
    let is_enabled = is_enabled?;
    if cards.saved.is_empty() {
        return (!is_enabled).then(|| {
            "There is no saved card left, so automatic top-ups are off. \
             To use them again, save a card and turn them on."
                .to_owned()
        });
    }
    let default = cards.saved.iter().find(|card| cards.is_default(card));
    is_enabled.then(|| match default {
        Some(card) => format!("Automatic top-ups are charged to {}.", card_name(card)),
        None => "No card is chosen for automatic top-ups. Choose one, or the next top-up will fail.".to_owned(),
    })
}

/// The version of [`consent_text`]. It must be raised with every change to the text.
pub const CONSENT_TEXT_VERSION: u32 = 3;

/// The worst case that a customer is shown and accepts before automatic top-ups are turned on.
/// `None` for a target that no price book allows.
pub fn consent_text(
    price_book: &PriceBook,
    (threshold, target): (i64, i64),
    cap: Option<&MonthlyCap>,
) -> Option<String> {
    let (below, up_to) = (Credits::new(threshold)?.grouped(), Credits::new(target)?.grouped());
    let once = price_book.top_up_price(Credits::new(target)?)?;
    let in_all = PriceBook::with_tax_max(once)?;
    let per_day = price_book.worst_case_per_day(target)?;
    let capped = cap.map_or(Some(String::new()), capped)?;
    Some(format!(
        "When my balance falls below {below} credits, my saved card is charged to bring it back to {up_to} credits: \
         at most {once} at a time plus tax, and never more than {in_all} in all. \
         This happens at most {times} times a day, so at most {per_day} a day. \
         {capped}\
         I can turn this off at any time.",
        once = once.with_code(),
        in_all = in_all.with_code(),
        per_day = per_day.with_code(),
        times = PriceBook::TOP_UPS_PER_DAY,
    ))
}

/// The sentences about a monthly cap, with the space that follows them.
fn capped(cap: &MonthlyCap) -> Option<String> {
    let smallest = Amount::new(cap.max.currency(), cap.smallest)?;
    Some(format!(
        "All top-ups that start in a calendar month (UTC) together cost at most {max} a month plus tax, and never more \
         than {in_all} a month in all: a top-up buys less if the month leaves less, and none starts if it leaves less \
         than {smallest}. ",
        max = cap.max.with_code(),
        in_all = PriceBook::with_tax_max(cap.max)?.with_code(),
        smallest = smallest.with_code(),
    ))
}

/// `1 credit`, `1,250 credits`.
pub fn credits(credits: Credits) -> String {
    format!("{} {}", credits.grouped(), if credits.get().abs() == 1 { "credit" } else { "credits" })
}

/// `29 November 2026`, in UTC.
pub fn date(instant: Timestamp) -> String {
    instant.strftime("%-d %B %Y").to_string()
}

/// `29 November 2026, 14:05 UTC`.
pub fn date_and_time(instant: Timestamp) -> String {
    instant.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_grouped_by_thousands_and_counted() {
        for (number, text) in [
            (0, "0 credits"),
            (1, "1 credit"),
            (999, "999 credits"),
            (1_000, "1,000 credits"),
            (125_000, "125,000 credits"),
            (-1_234_567, "-1,234,567 credits"),
        ] {
            assert_eq!(credits(Credits::constant(number)), text);
        }
    }

    #[test]
    fn a_date_names_its_zone() {
        assert_eq!(date_and_time("2026-11-29T14:05:59Z".parse().unwrap()), "29 November 2026, 14:05 UTC");
    }
}
