//! What the company owes its customers: the credits of all accounts together, at the end of each day (UTC).
//!
//! A day is closed once, from the entries that were made on it, and never changes afterwards. What moved and what is left
//! come from different places, the sums of entries and the balances, so that each day checks the one before.

mod account_day;
mod day;
mod flow;

pub use account_day::AccountDay;
pub use day::{CLOSE_MARGIN, ClosedDays, LiabilityRow, closable_from};
pub use flow::Flow;
