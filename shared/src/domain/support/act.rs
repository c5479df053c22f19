//! The record of an act: who did what to an account, when and why.

use crate::domain::payments::PaidFor;
use crate::domain::{ActId, ActReason, Credits, IdempotencyKey, NoticeId, Operator, SourceId};
use jiff::Timestamp;

/// One act of support. It is kept permanently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    pub id: ActId,
    pub kind: ActKind,
    pub operator: Operator,
    pub reason: ActReason,
    pub at: Timestamp,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActKind {
    /// Credits were given or taken by the entry `adjustment:<key>`.
    Adjusted { key: IdempotencyKey, credits: Credits },
    /// A balance of another system was imported by the entry `import:<source>`. No entry, if there were no credits.
    Imported { source: SourceId, credits: Credits },
    /// Charges were blocked. The reason is the one that the customer is shown.
    Restricted { until: Timestamp },
    /// The block was lifted before its end.
    RestrictionLifted,
    /// An e-mail was stored again, as another notice.
    NoticeResent { notice: NoticeId, resent_as: NoticeId },
    /// The account was closed, and from then on what is personal in it was erased.
    Erased,
    /// A top-up check was run. What came of it is in the account's attempts.
    TopUpChecked,
    /// Money was to be given back, in the minor unit. What came of it is in the purchase or the attempt.
    Refunded { paid_for: PaidFor, key: IdempotencyKey, amount: i64 },
}

impl ActKind {
    /// Its name in table and API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adjusted { .. } => "adjusted",
            Self::Imported { .. } => "imported",
            Self::Restricted { .. } => "restricted",
            Self::RestrictionLifted => "restriction_lifted",
            Self::NoticeResent { .. } => "notice_resent",
            Self::Erased => "erased",
            Self::TopUpChecked => "top_up_checked",
            Self::Refunded { .. } => "refunded",
        }
    }
}
