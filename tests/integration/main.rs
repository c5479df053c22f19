//! The product's parts together, with stand-ins for everything outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod accounts;
mod agreement;
mod alerts;
mod architecture;
mod billing_details;
mod cards_of_top_ups;
mod charging;
mod command_line;
mod contacts;
mod currencies;
mod erasure;
mod events;
mod expiring_cards;
mod house;
mod imports;
mod invoices;
mod kills;
mod ledger;
mod liability;
mod logs;
mod mails;
mod main_job;
mod operators;
mod other_origins;
mod outbound_events;
mod pauses;
mod pay_links;
mod payment_methods;
mod payments;
mod permissions;
mod purchases;
mod purchases_by_invoice;
mod rates;
mod receipts;
mod reconciliation;
mod refunds;
mod returns;
mod soak;
mod support;
mod sweeps;
mod top_ups;
mod usage;
mod webhooks;
