//! The stand-in's rules, driven as a client drives Stripe: requests in, answers and events out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod api;
mod cards;
mod checkout;
mod faults;
mod idempotency;
mod invoices;
mod pages;
mod support;
mod webhooks;
