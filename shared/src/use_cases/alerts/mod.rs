//! Telling customers and their company when the balance runs low.

mod evaluate;
mod set_alerts;

pub use evaluate::{AlertsError, AlertsLedger, AlertsSummary, evaluate_alerts};
pub use set_alerts::{SetAlertsError, set_alerts};
