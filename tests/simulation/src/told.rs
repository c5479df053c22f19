//! The conclusions that Stripe's answers have allowed so far, counting only answers that arrived.

use jiff::Timestamp;
use shared::domain::payments::Returns;
use shared::domain::{CustomerId, PaymentIntentId, PurchaseId, TopUpId};
use std::collections::{BTreeMap, BTreeSet};

/// A definite outcome of a top-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Conclusion {
    Paid,
    PartlyPaid,
    Processing,
    Declined,
    ActionRequired,
    Refused,
    Abandoned,
}

/// A definite outcome of a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PurchaseConclusion {
    Paid,
    Processing,
    Failed,
    Expired,
    Voided,
}

#[derive(Debug, Default)]
pub struct Told {
    pub top_ups: BTreeSet<(TopUpId, Conclusion)>,
    /// When Stripe last said that an attempt's invoice is open and waits for the customer.
    pub waiting_at: BTreeMap<TopUpId, Timestamp>,
    pub purchases: BTreeSet<(PurchaseId, PurchaseConclusion)>,
    /// When Stripe last said that a purchase's invoice is open.
    pub bills_waiting_at: BTreeMap<PurchaseId, Timestamp>,
    /// The purchases that were refused because their customer was deleted.
    pub refused_purchases: BTreeSet<PurchaseId>,
    /// How often Stripe showed a customer's default card, and it was valid.
    pub valid_cards: BTreeMap<CustomerId, u32>,
    /// What Stripe said about the refunds and disputes of payments.
    pub returns: Vec<(PaymentIntentId, Returns)>,
}
