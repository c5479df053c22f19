//! Prepaid's shared crate: a pure domain, the use cases that apply it, and the adapters to the outside.
//!
//! Dependencies point one way: functions → `use_cases` → `domain`, and adapters → `domain`.
//! Adapters do not depend on each other.

#[cfg(feature = "aws")]
pub mod aws;
pub mod clock;
pub mod config;
pub mod domain;
#[cfg(feature = "email")]
pub mod email;
pub mod error;
#[cfg(feature = "events")]
pub mod event_bus;
pub mod event_details;
#[cfg(feature = "web")]
pub mod http;
#[cfg(feature = "ledger")]
pub mod ledger;
#[cfg(feature = "links")]
pub mod links;
#[cfg(feature = "ledger")]
pub mod pauses;
pub mod ports;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "statements")]
pub mod statements;
#[cfg(feature = "stripe")]
pub mod stripe;
#[cfg(feature = "aws")]
pub mod surroundings;
pub mod telemetry;
#[cfg(feature = "timers")]
pub mod timers;
pub mod use_cases;
pub mod words;
