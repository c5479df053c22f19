//! The parts of responses that more than one function answers with.

mod alerts;
mod card;
mod contacts;
mod entry;
mod gate;
mod history_csv;
mod payment_issue;
mod proof;
mod remedy;
mod reversal_pause;
mod top_up;
mod top_up_check;

pub use alerts::AlertsBody;
pub use card::CardBody;
pub use contacts::ContactsBody;
pub use entry::{CauseBody, EntryBody, OperationBody, PriceBody};
pub use gate::GateBody;
pub use history_csv::history_csv;
pub use payment_issue::PaymentIssueBody;
pub use proof::{ProofBody, proof_path};
pub use remedy::RemedyBody;
pub use reversal_pause::ReversalPauseBody;
pub use top_up::TopUpBody;
pub use top_up_check::TopUpCheckBody;
