//! Credits taken for operations, and given back.

mod charge;
mod restore;

pub use charge::{ChargeError, Charged, charge};
pub use restore::{RestoreError, restore};
