//! Stripe's adapter against the stand-in for Stripe, over HTTP on loopback.
//!
//! The tests also assert what must not happen: a second invoice, a second charge, a conclusion drawn from an outage.

#![expect(clippy::unwrap_used, reason = "clippy allows it in tests but does not know their helpers for tests")]

mod bench;
mod checkout;
mod closing;
mod customer_invoices;
mod customers;
mod faults;
mod invoices;
mod top_ups;
mod transport;
