//! The stored words for statuses and reasons. The meaning of a stored word never changes.

use crate::domain::payments::{DeclineReason, RefusalReason};
use crate::domain::{PurchaseStatus, TopUpStatus};

pub(super) fn decline_reason_word(reason: DeclineReason) -> &'static str {
    match reason {
        DeclineReason::InsufficientFunds => "insufficient_funds",
        DeclineReason::ExpiredCard => "expired_card",
        DeclineReason::IncorrectCardData => "incorrect_card_data",
        DeclineReason::CardNotSupported => "card_not_supported",
        DeclineReason::LimitExceeded => "limit_exceeded",
        DeclineReason::ProcessingError => "processing_error",
        DeclineReason::NoCard => "no_card",
        DeclineReason::Generic => "generic",
    }
}

pub(super) fn decline_reason(word: &str) -> Option<DeclineReason> {
    let reason = match word {
        "insufficient_funds" => DeclineReason::InsufficientFunds,
        "expired_card" => DeclineReason::ExpiredCard,
        "incorrect_card_data" => DeclineReason::IncorrectCardData,
        "card_not_supported" => DeclineReason::CardNotSupported,
        "limit_exceeded" => DeclineReason::LimitExceeded,
        "processing_error" => DeclineReason::ProcessingError,
        "no_card" => DeclineReason::NoCard,
        "generic" => DeclineReason::Generic,
        _ => return None,
    };
    Some(reason)
}

pub(super) fn refusal_reason_word(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::CustomerDeleted => "customer_deleted",
        RefusalReason::OtherCurrency => "other_currency",
        RefusalReason::NoTaxLocation => "no_tax_location",
        RefusalReason::OtherPrice => "other_price",
    }
}

pub(super) fn refusal_reason(word: &str) -> Option<RefusalReason> {
    let reason = match word {
        "customer_deleted" => RefusalReason::CustomerDeleted,
        "other_currency" => RefusalReason::OtherCurrency,
        "no_tax_location" => RefusalReason::NoTaxLocation,
        "other_price" => RefusalReason::OtherPrice,
        _ => return None,
    };
    Some(reason)
}

pub(super) fn purchase_status_word(status: PurchaseStatus) -> &'static str {
    match status {
        PurchaseStatus::Open => "open",
        PurchaseStatus::Paid => "paid",
        PurchaseStatus::Expired => "expired",
    }
}

pub(super) fn purchase_status(word: &str) -> Option<PurchaseStatus> {
    let status = match word {
        "open" => PurchaseStatus::Open,
        "paid" => PurchaseStatus::Paid,
        "expired" => PurchaseStatus::Expired,
        _ => return None,
    };
    Some(status)
}

/// Without the decline reason, which is a separate attribute.
pub(super) fn top_up_status_word(status: TopUpStatus) -> &'static str {
    match status {
        TopUpStatus::Open => "open",
        TopUpStatus::Processing => "processing",
        TopUpStatus::Paid => "paid",
        TopUpStatus::PartlyPaid => "partly_paid",
        TopUpStatus::Declined(_) => "declined",
        TopUpStatus::ActionRequired => "action_required",
        TopUpStatus::Refused(_) => "refused",
        TopUpStatus::Abandoned => "abandoned",
    }
}
