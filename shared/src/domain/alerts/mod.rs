//! Telling customers and their company when the balance runs low: levels that the customer chose, and exhaustion.
//!
//! A charge decides nothing about alerts. It compares the new balance with two bounds that are part of the account, and
//! only a balance that leaves them makes the account due for an evaluation, which happens within a minute.

mod choose;
mod evaluate;
mod levels;
mod watch;

pub use choose::{ChosenLevels, InvalidLevels, decide_set_alerts};
pub use evaluate::{AlertsDue, decide_alerts};
pub use levels::{AlertLevel, AlertState, Alerts, LevelAlert, LevelChoice};
pub use watch::Watch;
