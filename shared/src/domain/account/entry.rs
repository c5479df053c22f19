//! One immutable line of an account's ledger.

use super::hash::Link;
use crate::domain::charging::ExpiresIn;
use crate::domain::payments::{PaidFor, ReturnReason};
use crate::domain::{
    ActReason, Credits, IdempotencyKey, Operation, Operator, PackageId, PriceLine, PurchaseId, Reference, RequestId,
    SourceId, Spender, TopUpId,
};
use jiff::Timestamp;
use std::fmt;

/// A movement of credits. It never changes; another entry corrects a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 1 for an account's first entry, and one more for each that follows.
    pub seq: u64,
    /// Positive where credits were given, negative where they were taken.
    pub credits: Credits,
    pub balance_after: Credits,
    pub created_at: Timestamp,
    pub cause: Cause,
    /// Its part of the account's chain. Entries of earlier releases have none.
    pub link: Option<Link>,
}

impl Entry {
    /// The identity that makes this entry unique.
    pub fn origin(&self) -> Origin {
        self.cause.origin()
    }
}

/// Why credits moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    Charge {
        key: IdempotencyKey,
        operation: Operation,
        /// How the price was computed. Charges of early releases do not have it.
        price: Option<PriceLine>,
        reference: Option<Reference>,
        /// How long the charge could stay pending, if it was made pending.
        expires_in: Option<ExpiresIn>,
        /// For whom the account spends.
        spender: Option<Spender>,
        /// The HTTP request that made the charge. Charges of early releases do not have it.
        request_id: Option<RequestId>,
    },
    /// A pending charge was captured for less than it took; the difference was given back.
    Capture {
        charge: IdempotencyKey,
        /// What the operation really was.
        operation: Operation,
        /// The price line of the charge.
        price: PriceLine,
    },
    /// A pending charge was voided; its credits were given back.
    Void {
        charge: IdempotencyKey,
    },
    /// A pending charge expired; its credits were given back.
    Expiry {
        charge: IdempotencyKey,
    },
    /// The charge's credits were given back.
    Restore {
        charge: IdempotencyKey,
    },
    Purchase {
        purchase: PurchaseId,
        package: PackageId,
    },
    TopUp {
        top_up: TopUpId,
    },
    /// Credits were taken back because their payment went back, or were given back again because it came back.
    Reversal {
        paid_for: PaidFor,
        /// 1 for the first reversal of this payment, and one more for each that follows.
        number: u32,
        because: ReturnReason,
    },
    /// Support gave or took credits.
    Adjustment {
        key: IdempotencyKey,
        /// Shown to the customer. `None` if it was erased.
        reason: Option<ActReason>,
        /// `None` if it was erased.
        operator: Option<Operator>,
    },
    /// An opening balance that was brought over from another system.
    Import {
        source: SourceId,
        reference: Option<Reference>,
    },
}

impl Cause {
    pub fn origin(&self) -> Origin {
        match self {
            Self::Charge { key, .. } => Origin::Charge(key.clone()),
            Self::Capture { charge, .. } => Origin::Capture(charge.clone()),
            Self::Void { charge } => Origin::Void(charge.clone()),
            Self::Expiry { charge } => Origin::Expiry(charge.clone()),
            Self::Restore { charge } => Origin::Restore(charge.clone()),
            Self::Purchase { purchase, .. } => Origin::Purchase(purchase.clone()),
            Self::TopUp { top_up } => Origin::TopUp(top_up.clone()),
            Self::Reversal { paid_for, number, .. } => Origin::Reversal(paid_for.clone(), *number),
            Self::Adjustment { key, .. } => Origin::Adjustment(key.clone()),
            Self::Import { source, .. } => Origin::Import(source.clone()),
        }
    }
}

/// The identity of an entry's cause, and therefore the entry's key: however often and in whichever order the same cause
/// is reported, it makes one entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    Charge(IdempotencyKey),
    Capture(IdempotencyKey),
    Void(IdempotencyKey),
    Expiry(IdempotencyKey),
    Restore(IdempotencyKey),
    Purchase(PurchaseId),
    TopUp(TopUpId),
    /// The number keeps apart the reversals of one payment, of which there may be several. It is counted in the record that
    /// is written with the entry, so it names the state of refunds and disputes that the entry was made for.
    Reversal(PaidFor, u32),
    Adjustment(IdempotencyKey),
    Import(SourceId),
}

impl Origin {
    /// Every [`Origin::kind`].
    pub const KINDS: [&str; 10] =
        ["charge", "capture", "void", "expiry", "restore", "purchase", "top_up", "reversal", "adjustment", "import"];

    /// The name of this kind of entry in table, API and page.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Charge(_) => "charge",
            Self::Capture(_) => "capture",
            Self::Void(_) => "void",
            Self::Expiry(_) => "expiry",
            Self::Restore(_) => "restore",
            Self::Purchase(_) => "purchase",
            Self::TopUp(_) => "top_up",
            Self::Reversal(..) => "reversal",
            Self::Adjustment(_) => "adjustment",
            Self::Import(_) => "import",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::Charge(key)
            | Self::Capture(key)
            | Self::Void(key)
            | Self::Expiry(key)
            | Self::Restore(key)
            | Self::Adjustment(key) => write!(formatter, "{kind}:{key}"),
            Self::Purchase(purchase) => write!(formatter, "{kind}:{purchase}"),
            Self::TopUp(top_up) => write!(formatter, "{kind}:{top_up}"),
            Self::Reversal(paid_for, number) => write!(formatter, "{kind}:{paid_for}:{number}"),
            Self::Import(source) => write!(formatter, "{kind}:{source}"),
        }
    }
}
