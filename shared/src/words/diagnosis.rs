//! What becomes of the next automatic top-up, in a sentence, and what the customer can do about it.

use super::{card_face, credits, date_and_time, payment_issue, reversal_pause};
use crate::domain::payments::{CardFace, NoTopUp, OffReason, TopUpOutlook, top_up_credits};
use crate::domain::{Account, PriceBook};
use jiff::Timestamp;

/// A verdict and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    pub verdict: String,
    /// `None` if there is nothing to do.
    pub remedy: Option<&'static str>,
}

/// What is known of automatic top-ups beside the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownOfTopUps {
    /// Why they were turned off.
    pub turned_off: Option<OffReason>,
    /// The card that is asked.
    pub card: Option<CardFace>,
}

/// The same verdict that the sweep would come to, because both take the first gate that is closed.
pub fn diagnosis(
    outlook: &TopUpOutlook,
    account: &Account,
    price_book: &PriceBook,
    known: &KnownOfTopUps,
) -> Diagnosis {
    let verdict = |verdict: String| Diagnosis { verdict, remedy: None };
    match *outlook {
        TopUpOutlook::InProgress { next_check_at, is_wanted: true, .. } => verdict(format!(
            "A top-up is being paid for. Its outcome is asked for again at {}.",
            date_and_time(next_check_at)
        )),
        TopUpOutlook::InProgress { next_check_at, is_wanted: false, .. } => verdict(format!(
            "Automatic top-ups are off. A payment that was under way before ends at {}, unless your bank has accepted it.",
            date_and_time(next_check_at)
        )),
        TopUpOutlook::Off(reason) => off(reason, account, known.turned_off),
        TopUpOutlook::Paused(kind) => {
            let words = payment_issue(kind);
            Diagnosis { verdict: format!("Automatic top-ups are paused. {}", words.reason), remedy: Some(words.remedy) }
        }
        TopUpOutlook::PausedByReversal(because) => {
            let words = reversal_pause(because, account.balance);
            Diagnosis { verdict: format!("Automatic top-ups are paused. {}", words.reason), remedy: Some(words.remedy) }
        }
        TopUpOutlook::Waiting { next_check_at, next_eligible_at, is_capped: true, .. } => {
            capped(account, (next_check_at, next_eligible_at))
        }
        TopUpOutlook::Waiting { next_check_at, next_eligible_at, is_capped: false, .. } => verdict(format!(
            "The last attempt was less than six hours ago. The next one is possible from {}, and starts at {} if the \
             balance is still below the threshold.",
            date_and_time(next_eligible_at),
            date_and_time(next_check_at)
        )),
        TopUpOutlook::Due { next_check_at, .. } => {
            verdict(due(account, price_book, next_check_at, known.card.as_ref()))
        }
    }
}

fn capped(account: &Account, (next_check_at, next_eligible_at): (Timestamp, Timestamp)) -> Diagnosis {
    let cap = account.auto_top_up.as_ref().and_then(|settings| settings.cap);
    let max = cap.map(|cap| format!(" of {}", cap.max.with_code())).unwrap_or_default();
    let verdict = format!(
        "The top-ups of this month have used up the monthly cap{max}. The next one is possible from {}, and starts at {} \
         if the balance is still below the threshold.",
        date_and_time(next_eligible_at),
        date_and_time(next_check_at)
    );
    Diagnosis { verdict, remedy: Some("Choose a higher monthly cap, buy a package, or wait for the next month.") }
}

fn due(account: &Account, price_book: &PriceBook, at: Timestamp, card: Option<&CardFace>) -> String {
    let bought = account.auto_top_up.as_ref().map(|settings| top_up_credits(account, settings, price_book, at));
    let at = date_and_time(at);
    match bought.and_then(|bought| Some((bought, price_book.top_up_price(bought)?))) {
        Some((bought, price)) => format!(
            "The balance is below the threshold. At {at}, {} is charged {} plus tax for {}.",
            card.filter(|card| card.last4.is_some())
                .map_or("your card".to_owned(), |card| format!("your {}", card_face(card))),
            price.with_code(),
            credits(bought)
        ),
        None => format!("The balance is below the threshold. The next attempt starts at {at}."),
    }
}

/// Why automatic top-ups were turned off, in a sentence.
pub fn off_because(reason: OffReason) -> &'static str {
    match reason {
        OffReason::Requested => "They were turned off on request.",
        OffReason::LastCardRemoved => "The last saved card was removed.",
        OffReason::UnpaidFor30Days => "An automatic top-up was still unpaid after 30 days.",
    }
}

fn off(reason: NoTopUp, account: &Account, turned_off: Option<OffReason>) -> Diagnosis {
    let (verdict, remedy) = match reason {
        NoTopUp::NotTurnedOn => {
            let because = turned_off.map(|reason| format!(" {}", off_because(reason))).unwrap_or_default();
            (format!("Automatic top-ups are off.{because}"), Some("Turn automatic top-ups on."))
        }
        NoTopUp::SpendingStopped => {
            ("Spending is stopped, and automatic top-ups with it.".to_owned(), Some("Allow spending again."))
        }
        NoTopUp::NoCard => (
            "There is no saved card that could be charged.".to_owned(),
            Some("Buy a package: the card that you pay with is saved."),
        ),
        NoTopUp::BalanceNotBelowThreshold => (not_below(account), None),
        NoTopUp::PriceOutOfRange => {
            ("The credits up to the target cannot be bought in one payment.".to_owned(), Some("Choose another target."))
        }
        NoTopUp::BeyondConsent => (
            "The price has changed, and a top-up would now cost more than you agreed to.".to_owned(),
            Some("Choose the settings again, and agree to the new price."),
        ),
    };
    Diagnosis { verdict, remedy }
}

fn not_below(account: &Account) -> String {
    let threshold = account.auto_top_up.as_ref().map(|settings| credits(settings.threshold));
    match threshold {
        Some(threshold) => {
            format!("The balance of {} is not below the threshold of {threshold}.", credits(account.balance))
        }
        None => format!("The balance is {}.", credits(account.balance)),
    }
}
