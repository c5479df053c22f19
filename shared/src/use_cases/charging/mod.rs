//! Credits taken for operations, and given back.

mod capture;
mod charge;
mod ending;
mod expire_charges;
mod find_charge;
mod restore;
mod void;

pub use capture::capture;
pub use charge::{ChargeError, Charged, charge, charge_again};
pub use ending::{ChargeState, EndError, Ended};
pub use expire_charges::{ExpiryError, ExpirySummary, expire_charges};
pub use find_charge::{FindChargeError, find_charge};
pub use restore::{RestoreError, restore};
pub use void::void;
