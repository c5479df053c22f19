//! The partitions of the index `due`.

use super::{ALERT, CARD, CHARGE, DISPUTE, FAILED, LOOK, TOP_UP, UNPAID, shard_of};
use crate::domain::AccountId;
use crate::ports::Shard;

/// What is due, each kind in partitions of its own of [`super::DUE_INDEX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Due {
    /// An account's next top-up.
    TopUp,
    /// The expiry of a pending charge.
    Charge,
    /// A reminder of an unpaid attempt or purchase by invoice, or its end.
    Unpaid,
    /// The evaluation of an account's alerts.
    Alerts,
    /// An e-mail about a card that expires.
    Card,
    /// A purchase with a page or an attempt that is under way, by when it was opened.
    Look,
    /// The next try of an event that could not be applied. All are in one partition.
    FailedEvent,
    /// The warning before an open dispute has to be answered. All are in one partition.
    Dispute,
}

impl Due {
    /// The partition of [`super::DUE_INDEX`] that holds everything of this kind and this account while it is due.
    pub(in crate::ledger) fn shard_of(self, account: &AccountId) -> String {
        self.shard(shard_of(account))
    }

    pub(in crate::ledger) fn shard(self, shard: Shard) -> String {
        let kind = match self {
            Self::TopUp => TOP_UP,
            Self::Charge => CHARGE,
            Self::Unpaid => UNPAID,
            Self::Alerts => ALERT,
            Self::Card => CARD,
            Self::Look => LOOK,
            Self::FailedEvent => FAILED,
            Self::Dispute => DISPUTE,
        };
        format!("{kind}{}", shard.get())
    }
}
