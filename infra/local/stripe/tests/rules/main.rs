//! The stand-in's rules, tested as a client uses Stripe: with requests, answers and events.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic too")]

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
mod searches;
mod support;
mod tax_ids;
mod webhooks;
