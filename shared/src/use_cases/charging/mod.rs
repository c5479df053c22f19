//! Credits taken for operations, and given back.

mod charge;
mod restore;

pub use charge::{ChargeError, Charged, charge, charge_again};
pub use restore::{RestoreError, restore};
