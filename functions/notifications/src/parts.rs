//! The parts of an e-mail's content, and what every table in one begins and ends with.

use jiff::Timestamp;
use shared::domain::{Amount, Credits, Notice};
use shared::words::date_and_time;

/// An e-mail's content, from top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub subject: String,
    pub heading: String,
    pub paragraphs: Vec<String>,
    pub action: Option<Action>,
    pub facts: Vec<Fact>,
    pub closing: String,
}

/// The customer's next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub label: &'static str,
    pub url: String,
    /// The document that the page shows, as a file.
    pub pdf_url: Option<String>,
    pub note: String,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub name: &'static str,
    pub value: String,
}

/// Where a link of ours leads, and how long it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub url: String,
    pub expires_at: Timestamp,
}

/// What was bought, and its price.
#[derive(Clone, Copy)]
pub struct Sale {
    pub credits: Credits,
    pub price: Amount,
}

pub fn account(notice: &Notice) -> Fact {
    fact("Account", notice.account.to_string())
}

pub fn date(notice: &Notice) -> Fact {
    fact("Date", date_and_time(notice.created_at))
}

pub fn fact(name: &'static str, value: String) -> Fact {
    Fact { name, value }
}
