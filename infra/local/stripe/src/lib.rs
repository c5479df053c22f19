//! A stand-in for Stripe on one's own machine: the rules of API version 2026-09-30.endive as far as one-off
//! invoices and Checkout need them, the unpleasant ones included.
//!
//! It knows nothing of the product that calls it, moves no money and contacts nobody but the webhook endpoints that
//! are registered with it. Where Stripe's documentation leaves something open, the harsher reading is simulated.
//!
//! One value, [`LocalStripe`], answers requests in this process ([`LocalStripe::handle`]) or over HTTP
//! ([`LocalStripe::serve`]): the API under `/v1`, the hosted pages a customer's browser sees, and `/_control`, by
//! which a test in another process asks for faults.
//!
//! What the documentation leaves open, and how it is read here:
//! - A refusal by an object's state ("already paid", a detached card) reached an endpoint, so its idempotency key
//!   remembers it, as it remembers a 402 and a 500; a 429 and a 503 come from in front of the endpoints and are
//!   forgotten, as are parameters that fail validation.
//! - A payment that needs authentication brings `invoice.payment_failed` beside `invoice.payment_action_required`.
//! - Paying without a usable card is refused before a draft is finalized.
//! - What a request began is finished even when its caller has gone.
//! - A payment intent that is processing cannot be canceled, so its invoice cannot be voided, credited or paid again.
//! - A debit that the bank sends back is no error of a card: its type is `invalid_request_error`.
//! - An item waits, as far as combined currencies are concerned, until its invoice is finalized.
//! - A bill in another currency than the customer's balance leaves the balance alone.
//!
//! Deliberately absent: subscriptions, coupons (a discount is given by a test), partial payments by several intents,
//! other payment methods than cards and two kinds of bank debit, the settlement into another currency,
//! `lock_timeout`, TLS.

// An invoice has more fields than the `json!` macro unfolds by default.
#![recursion_limit = "256"]

mod api;

mod control;
mod currencies;
mod debits;
mod error;
mod expansion;
mod faults;
mod idempotency;
mod ids;
mod instruments;
mod objects;
mod pages;
mod parameters;
mod request_log;
mod router;
mod server;
mod state;
mod webhooks;

pub use error::Refusal;
pub use faults::{DefiniteRefusal, Fault, FaultAction, path_matches};
pub use objects::discount::CustomerDiscount;
pub use request_log::RequestRecord;
pub use server::{Clock, ConnectionLost, LocalStripe, Settings};
pub use webhooks::{WebhookCallback, WebhookConduct, WebhookTarget, webhook_signature};
