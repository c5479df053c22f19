//! A stand-in for Stripe on one's own machine: the rules of API version 2026-09-30.endive as far as one-off
//! invoices and Checkout need them, the unpleasant ones included.
//!
//! It knows nothing of the product that calls it, moves no money and contacts nobody but the webhook endpoints that
//! are registered with it. Where Stripe's documentation leaves something open, the harsher reading is simulated.
//!
//! One value, [`LocalStripe`], answers requests in this process ([`LocalStripe::handle`]) or over HTTP
//! ([`LocalStripe::serve`]): the API under `/v1`, the hosted pages a customer's browser sees, and `/_control`, by
//! which a test in another process asks for faults.

// An invoice has more fields than the `json!` macro unfolds by default.
#![recursion_limit = "256"]

mod api;
mod cards;
mod control;
mod error;
mod expansion;
mod faults;
mod idempotency;
mod ids;
mod objects;
mod pages;
mod parameters;
mod request_log;
mod router;
mod server;
mod state;
mod webhooks;

pub use error::Refusal;
pub use faults::{Fault, FaultAction, path_matches};
pub use request_log::RequestRecord;
pub use server::{Clock, ConnectionLost, LocalStripe, Settings};
pub use webhooks::{WebhookCallback, WebhookConduct, WebhookTarget, webhook_signature};
