//! The customer's own control of what is spent: a stop of all charges, and limits.

mod limits;
mod records;
mod stop;

pub(in crate::domain) use limits::{Counters, give_back};
pub use limits::{LimitReached, Payer, decide_account_limits, decide_spender_limits};
pub use records::{Bounds, Limit, LimitName, Limits, SpenderLimits, Spending, SpendingChange};
pub use stop::decide_spending;
