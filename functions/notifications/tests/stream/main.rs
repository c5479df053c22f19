//! What the stream tells of becomes mail: the real ledger over an embedded DynamoDB, the real adapter over an
//! embedded SES, and the events as Lambda delivers them.

#![expect(clippy::unwrap_used, reason = "everything here is a test, its helpers too")]

mod failures;
mod sending;
mod world;
