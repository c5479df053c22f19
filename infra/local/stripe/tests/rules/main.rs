//! The stand-in's rules, driven as a client drives Stripe: requests in, answers and events out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod api;
mod balances;
mod cards;
mod checkout;
mod credit_notes;
mod debits;
mod faults;
mod idempotency;
mod invoices;
mod pages;
mod products;
mod refusals;
mod support;
mod webhooks;
