//! What a customer is told who asked for a payment whose credits are missing.

use crate::domain::payments::FoundResult;

/// What became of the payment, and what helps.
pub fn found(result: &FoundResult) -> &'static str {
    match result {
        FoundResult::Granted(_) => "We found your payment and have just added its credits.",
        FoundResult::AlreadyGranted(_) => {
            "The credits of this payment are on your balance already; the entry says since when."
        }
        FoundResult::Disputed(_) => {
            "This payment is disputed with the bank, so we took its credits back. If the dispute is decided for us, they come back."
        }
        FoundResult::Refunded(_) => "Money of this payment was given back, and the credits for it were taken back.",
        FoundResult::PaidTwice => {
            "Another payment for the same purchase was credited before. This one brought no credits; we refund it, or write to our support."
        }
        FoundResult::InReview => {
            "We received a payment that differs from the price, and we are looking into it. There is nothing for you to do."
        }
        FoundResult::Processing => {
            "Your bank is processing the payment, which can take several days. We add the credits as soon as the payment arrives."
        }
        FoundResult::NotPaid => "This was not paid, so there are no credits for it.",
        FoundResult::UnknownPayment => {
            "We received this payment, but do not know what it was made for. Our support has been told and looks into it."
        }
        FoundResult::OfAnotherAccount => "This payment was made for another account. Ask with that account.",
        FoundResult::NotOurs => "This payment was not made for credits here.",
        FoundResult::NotFound => {
            "No such payment reached us. Look whether the number is complete; an amount that your bank only reserved may be released again."
        }
    }
}
