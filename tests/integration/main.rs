//! The product's parts against each other and against stand-ins of the outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod agreement;
mod architecture;
mod charging;
mod command_line;
mod events;
mod ledger;
mod mails;
mod main_job;
mod pay_links;
mod payments;
mod purchases;
mod support;
mod sweeps;
mod tokens;
mod top_ups;
mod webhooks;
