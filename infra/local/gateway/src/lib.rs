//! A serverless runtime on loopback whose only configuration is the SAM template that is deployed.
//!
//! Routes, authorizers, schedules, stream sources and each function's environment come from the template, so the local
//! cloud runs what AWS runs: a route that is not in the template gets API Gateway's own 404.
//! This crate must not know any product: it only knows functions, events and tables.
//!
//! [`template`] is the entry point. [`Functions`] invokes what the template declares, either in this process
//! ([`in_process`]) or as compiled bootstraps ([`runtime_api`]). Four event sources use it: [`Gateway`] for HTTP,
//! [`Schedules`] for timers, [`StreamConsumer`] for table changes, [`EventBus`] for events of other services.
//! Every source takes its time from one movable [`Clock`].

pub mod authorizer;
mod cors;
mod error;
mod event;
pub mod event_bus;
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
pub use event_bus::EventBus;
pub use function::{Function, FunctionError, Functions, Invocation};
pub use gateway::Gateway;
pub use issuer::{Issuer, KeyPair};
pub use schedules::{OneTimeSource, Schedules};
pub use streams::StreamConsumer;
pub use template::{Deployment, Template, TemplateError};

/// The only clock of the local cloud. A test moves it; everything else only reads it.
pub type Clock = std::sync::Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;
