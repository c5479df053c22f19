//! The parts of responses that more than one function answers with.

mod entry;
mod payment_issue;

pub use entry::{CauseBody, EntryBody, OperationBody, PriceBody};
pub use payment_issue::PaymentIssueBody;
