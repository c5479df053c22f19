//! A stand-in for Stripe on a local machine: the rules of API version 2026-09-30.endive for one-off invoices and
//! Checkout, including the unpleasant ones.
//!
//! It does not know the product that calls it, moves no money and contacts only the webhook endpoints that are
//! registered with it. If Stripe's documentation leaves something open, it simulates the harsher interpretation.
//!
//! One value, [`LocalStripe`], answers requests in this process ([`LocalStripe::handle`]) or over HTTP
//! ([`LocalStripe::serve`]): the API under `/v1`, the hosted pages for a customer's browser, and `/_control`, where a
//! test in another process can request faults.
//!
//! What the documentation leaves open, and how it is interpreted here:
//! - A refusal because of an object's state ("already paid", a detached card) reaches an endpoint, so its idempotency
//!   key remembers it, like a 402 and a 500. A 429 and a 503 come from in front of the endpoints and are not
//!   remembered, and neither are invalid parameters.
//! - A payment that needs authentication causes both `invoice.payment_failed` and `invoice.payment_action_required`.
//! - Paying without a usable card is refused before a draft is finalized.
//! - A request that was started is finished even if its caller disconnects.
//! - A payment intent that is processing cannot be canceled, so its invoice cannot be voided, credited or paid again.
//! - A debit that the bank returns is not a card error: its type is `invalid_request_error`.
//! - For the rule against combining currencies, an item is waiting until its invoice is finalized.
//! - An invoice in another currency than the customer's balance does not change the balance.
//!
//! Deliberately absent: subscriptions, coupons (a test gives discounts), partial payments by several intents, payment
//! methods other than cards and two kinds of bank debit, settlement into another currency, `lock_timeout`, TLS.

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
mod search;
mod server;
mod state;
mod webhooks;

pub use error::Refusal;
pub use faults::{DefiniteRefusal, Fault, FaultAction, RandomFaults, path_matches};
pub use objects::discount::CustomerDiscount;
pub use request_log::RequestRecord;
pub use server::{Clock, ConnectionLost, LocalStripe, Settings};
pub use webhooks::{WebhookCallback, WebhookConduct, WebhookTarget, webhook_signature};
