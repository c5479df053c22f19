//! The rules of the product, as pure functions over values.
//!
//! Every decision has the form `(&Account, command, now) → Result<Change, Refusal>`.
//! Nothing here knows AWS, Stripe, tokio, serde, a clock, randomness or the environment:
//! instants and ids are arguments, and whoever calls commits the [`Change`] or lets it go.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic))]

pub mod account;
pub mod auto_top_up;
pub mod change;
pub mod charge;
pub mod credits;
pub mod entry;
pub mod ids;
pub mod notice;
pub mod payment_issue;
pub mod price_book;
pub mod purchase;
pub mod restore;
pub mod top_up;
pub mod usage;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;

pub use account::{Account, EmailAddress, Restriction};
pub use change::{Change, Record};
pub use credits::{Cents, Credits};
pub use entry::{Cause, Entry, Origin};
pub use ids::*;
pub use notice::{Notice, NoticeKind};
pub use price_book::{Operation, Package, PriceBook};
pub use purchase::{Purchase, PurchaseStatus};
pub use top_up::{TopUp, TopUpStatus};
pub use usage::UsageDay;
