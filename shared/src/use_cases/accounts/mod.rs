//! Accounts, and the e-mails they are owed.

mod open_account;
mod send_notice;

pub use open_account::{OpenAccountError, OpenedAccount, open_account};
pub use send_notice::{SendNoticeError, Sent, send_notice};
