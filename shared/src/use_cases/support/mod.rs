//! What the company's support does: disputes, adjustments, imports, restrictions, e-mails again, a top-up check, and finding accounts.

mod adjust;
mod check_top_up;
mod disputes;
mod erase;
mod find_accounts;
mod import;
mod list_flags;
mod refund;
mod resend_notice;
mod restrict;

pub use adjust::{AdjustError, adjust};
pub use check_top_up::{CheckedTopUp, check_top_up};
pub use disputes::{EvidenceError, ListedDisputes, dispute_evidence, list_disputes};
pub use erase::{EraseError, Erased, ErasingLedger, ErasureLimits, erase};
pub use find_accounts::{Criterion, find_accounts};
pub use import::{ImportError, ImportOutcome, import, preview_imports};
pub use list_flags::list_flags;
pub use refund::{MakeRefundError, Refunded, refund};
pub use resend_notice::{ResendError, resend_notice};
pub use restrict::{RestrictError, lift_restriction, restrict};

use super::{Capabilities, Context};
use crate::domain::support::Acting;
use crate::domain::{ActId, ActReason, Operator};
use crate::ports::IdGenerator;
use jiff::Timestamp;

/// Who asks for an act, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub operator: Operator,
    pub reason: ActReason,
}

impl Asked {
    fn acting<C: Capabilities<Ids: IdGenerator>>(&self, context: &Context<C>, now: Timestamp) -> Acting {
        let act = context.mint(ActId::mint, now);
        Acting { act, operator: self.operator.clone(), reason: self.reason.clone() }
    }
}
