//! The record of an imported balance.

use crate::domain::{AccountId, Credits, SourceId};
use jiff::Timestamp;

/// The record that a balance was imported. There is one for each source, whichever account it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    pub source: SourceId,
    pub account: AccountId,
    pub credits: Credits,
    pub at: Timestamp,
}
