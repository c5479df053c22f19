//! The rules of the product, as pure functions over values.
//!
//! Every decision has the form `(&Account, command, now) → Result<Change, Refusal>`.
//! Nothing here knows AWS, Stripe, tokio, serde, a clock, randomness or the environment:
//! instants and ids are arguments, and the caller commits the [`Change`] or drops it.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic))]

pub mod account;
pub mod alerts;
mod bounds;
mod calendar;
mod change;
pub mod charging;
pub mod contacts;
mod currency;
mod email_address;
mod ids;
pub mod liability;
mod money;
mod notice;
mod operation;
mod outbound_event;
pub mod payments;
pub mod portal;
pub mod price_book;
pub mod spending;
pub mod support;
pub mod usage;
mod verification;

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod samples;

pub use account::{Account, AccountClosed, Cause, Chain, Entry, EntryHash, Link, Origin, Restriction, Salt};
pub use bounds::{OutOfRange, within};
pub use calendar::{date_of, month_of, start_of, start_of_next_day, start_of_next_month};
pub use change::{BalanceOutOfRange, Change, Record};
pub use contacts::{Contact, Contacts};
pub use currency::{Currency, InvalidCurrency};
pub use email_address::EmailAddress;
pub use ids::*;
pub use money::{Amount, Credits};
pub use notice::{ContactsChange, Notice, NoticeKind, ToldReversal};
pub use operation::{Measure, Operation, PriceLine, PricedOperation};
pub use outbound_event::{OutboundEvent, OutboundEventKind, ReachedLimit};
pub use payments::{Purchase, PurchaseStatus, TopUp, TopUpRetry, TopUpStatus};
pub use price_book::{OperationPrice, Package, PriceBook};
pub use spending::{LimitReached, Limits, SpenderLimits, SpendingChange};
pub use support::Act;
pub use usage::{Granularity, Period, Periods, UsageCounts, UsageCursor, UsageEntry, UsageFold, UsageRow};
pub use verification::{Misfit, Verified};
