//! Telling customers and their company when the balance runs low, and when the card that is asked expires.

mod due_accounts;
mod evaluate;
mod expiring_cards;
mod set_alerts;

pub use due_accounts::{AlertsError, AlertsSummary};
pub use evaluate::{AlertsLedger, evaluate_alerts};
pub use expiring_cards::{CardsLedger, warn_of_expiring_cards};
pub use set_alerts::{SetAlertsError, set_alerts};
