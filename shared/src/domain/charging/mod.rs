//! Credits taken for operations, and given back.

mod charge;
mod restore;

pub use charge::{ChargeCommand, ChargeRefusal, ChargeRequest, check_charge_replay, decide_charge};
pub use restore::{RestoreRefusal, decide_restore};
