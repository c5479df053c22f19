//! Credits taken for operations, and given back.

mod batch;
mod charge;
mod pending;
mod pending_charge;
mod refusal_place;
mod refused_request;
mod restore;

pub use batch::{CHARGES_TOGETHER_MAX, DecidedCharges, count_together, decide_charges};
pub use charge::{ChargeCommand, ChargeRefusal, ChargeRequest, check_charge, check_charge_replay, decide_charge};
pub use pending::{EndRefusal, decide_capture, decide_expiry, decide_void};
pub use pending_charge::{ChargeEnd, ChargeStatus, Ending, ExpiresIn, PendingCharge};
pub use refusal_place::RefusalPlace;
pub use refused_request::{RefusalRow, Refused, RefusedBecause, RefusedRequest, RefusedRequests};
pub use restore::{RestoreRefusal, decide_restore};
