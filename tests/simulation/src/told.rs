//! What Stripe's answers, those that arrived, have said so far: nothing else may be concluded.

use shared::domain::{PurchaseId, TopUpId};
use std::collections::BTreeSet;

/// A definite word about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Conclusion {
    Paid,
    PartlyPaid,
    Processing,
    Declined,
    ActionRequired,
    Abandoned,
}

/// A definite word about a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PurchaseConclusion {
    Paid,
    Expired,
}

#[derive(Debug, Default)]
pub struct Told {
    pub top_ups: BTreeSet<(TopUpId, Conclusion)>,
    pub purchases: BTreeSet<(PurchaseId, PurchaseConclusion)>,
}
