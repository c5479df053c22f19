//! The liability: closing each day that has passed, and reading the days that are closed.
//!
//! Closing changes no account and writes nothing for one: an account at rest costs one read of its newest entry.

mod account_day;
mod close;
mod limits;
mod read;

pub use close::{CloseSummary, close_days};
pub use limits::{CloseError, CloseLimits};
pub use read::{DayLiability, LiabilityError, MonthLiability, read_day, read_months};
