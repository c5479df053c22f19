//! A serverless runtime on loopback whose only configuration is the SAM template that is deployed.
//!
//! Routes, authorizers, schedules, stream sources and each function's environment are read from the template, so
//! what runs locally is what runs in AWS: a route that the template does not name answers API Gateway's own 404.
//! This crate knows nothing of any product and must not: it speaks of functions, events and tables alone.
//!
//! [`template`] is the way in. [`Functions`] invokes what the template names, either in this process
//! ([`in_process`]) or as compiled bootstraps ([`runtime_api`]). Three event sources sit on top of it:
//! [`Gateway`] for HTTP, [`Schedules`] for timers, [`StreamConsumer`] for table changes.
//! Every source takes its time from one movable [`Clock`].

pub mod authorizer;
mod cors;
mod error;
mod event;
mod filter;
pub mod function;
mod gateway;
pub mod in_process;
mod issuer;
mod response;
mod routes;
pub mod runtime_api;
pub mod schedules;
pub mod streams;
pub mod template;

pub use authorizer::{Discovery, KeySource};
pub use function::{Function, FunctionError, Functions, Invocation};
pub use gateway::Gateway;
pub use issuer::{Issuer, KeyPair};
pub use schedules::{OneTimeSource, Schedules};
pub use streams::StreamConsumer;
pub use template::{Deployment, Template, TemplateError};

/// The one clock of the local cloud; a test moves it, everything else only asks it.
pub type Clock = std::sync::Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;
