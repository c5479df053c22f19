//! What the company's support does to an account, and the record of each act.
//!
//! An act is written in the transaction that carries it out, so none goes unrecorded and none is recorded in vain.

mod act;
mod acting;
mod adjust;
mod erase;
mod erasure;
mod evidence;
mod import;
mod imported;
mod refund;
mod resend;
mod restrict;

pub use act::{Act, ActKind};
pub use acting::{Acting, decide_record};
pub use adjust::{AdjustRefusal, AdjustedCredits, Adjustment, check_adjustment_replay, decide_adjust};
pub use erase::{
    EraseRefusal, ErasurePage, PAYMENT_OPEN_MAX, PersonalItem, decide_close, decide_erase, is_open_purchase,
};
pub use erasure::{Erasure, ItemKey};
pub use evidence::{Evidence, LeftOut, Use, Uses};
pub use import::{Import, ImportRefusal, ImportState, ImportedCredits, decide_import};
pub use imported::Imported;
pub use refund::{REFUNDS_MAX, RefundDecision, RefundRefusal, decide_refund, decide_refund_ended};
pub use resend::{NoticeState, RESENDS_PER_DAY_MAX, ResendRefusal, decide_resend};
pub use restrict::{RESTRICTION_MAX, UntilOutOfRange, decide_lift, decide_restrict};
