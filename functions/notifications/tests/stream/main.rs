//! Notices in the stream become e-mails: the real ledger on an embedded DynamoDB, the real adapter on an embedded SES,
//! and the events as Lambda delivers them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic too")]

mod events;
mod failures;
mod sending;
mod world;
