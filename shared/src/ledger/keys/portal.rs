//! The keys of the links into the Billing Dashboard and of its sessions.

use super::{Key, PORTAL_LINK, PORTAL_SESSION, id, of_account};
use crate::domain::AccountId;
use crate::domain::portal::PassHash;

/// What both kinds begin with.
const BOTH: &str = "PORTAL#";

pub fn portal_link(account: &AccountId, hash: &PassHash) -> Key {
    of_account(account, format!("{PORTAL_LINK}{hash}"))
}

pub fn portal_session(account: &AccountId, hash: &PassHash) -> Key {
    of_account(account, format!("{PORTAL_SESSION}{hash}"))
}

/// The common prefix of the keys of an account's links and sessions.
pub fn portal_passes(account: &AccountId) -> Key {
    of_account(account, BOTH.to_owned())
}

impl Key {
    pub fn portal_link(&self) -> Option<PassHash> {
        id(&self.sort, PORTAL_LINK, PassHash::parse)
    }

    pub fn portal_session(&self) -> Option<PassHash> {
        id(&self.sort, PORTAL_SESSION, PassHash::parse)
    }
}
