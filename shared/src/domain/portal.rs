//! The way of a customer's browser into the Billing Dashboard: a link that works once, and the session that follows it.
//!
//! Both are passes. A pass is stored under the hash of its secret, so that nobody who reads the table can use it.

use super::{AccountId, Actor, InvalidId};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt;

/// What a browser holds: the account, and a secret that nobody can guess.
#[derive(Clone, PartialEq, Eq)]
pub struct PassToken {
    account: AccountId,
    secret: String,
}

impl PassToken {
    pub fn new(account: AccountId, unpredictable: u128) -> Self {
        Self { account, secret: format!("{unpredictable:032x}") }
    }

    /// # Errors
    /// [`InvalidId`] if it is no token that [`PassToken::reveal`] made.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        const INVALID: InvalidId = InvalidId { what: "pass", expected: "an account, a dot and 32 hexadecimal digits" };
        let (account, secret) = text.split_once('.').ok_or(INVALID)?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_secret = secret.len() == 32 && secret.bytes().all(is_digit);
        let account = AccountId::parse(account).ok().filter(|_| is_secret).ok_or(INVALID)?;
        Ok(Self { account, secret: secret.to_owned() })
    }

    /// The token as a browser sends it, in a path or in a cookie.
    pub fn reveal(&self) -> String {
        format!("{}.{}", self.account, self.secret)
    }

    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// What it is stored under.
    pub fn hash(&self) -> PassHash {
        PassHash(self.digest("prepaid/pass"))
    }

    /// What every form of this session carries. Another site cannot know it, and the cookie alone does not make it.
    pub fn form_token(&self) -> String {
        self.digest("prepaid/form")
    }

    fn digest(&self, purpose: &str) -> String {
        hex::encode(Sha256::new().chain_update(purpose).chain_update([0]).chain_update(self.reveal()).finalize())
    }
}

/// Without the secret.
impl fmt::Debug for PassToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PassToken({})", self.account)
    }
}

/// The hash of a pass's secret: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PassHash(String);

impl PassHash {
    /// # Errors
    /// [`InvalidId`] for anything but 64 hexadecimal digits.
    pub fn parse(text: String) -> Result<Self, InvalidId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 64 && text.bytes().all(is_digit) {
            Ok(Self(text))
        } else {
            Err(InvalidId { what: "pass hash", expected: "64 hexadecimal digits" })
        }
    }
}

impl fmt::Display for PassHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The page that a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortalFlow {
    Overview,
    Buy,
    Cards,
    AutoTopUp,
    Pay,
    History,
    Invoices,
    Usage,
}

impl PortalFlow {
    pub const ALL: [Self; 8] = [
        Self::Overview,
        Self::Buy,
        Self::Cards,
        Self::AutoTopUp,
        Self::Pay,
        Self::History,
        Self::Invoices,
        Self::Usage,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Buy => "buy",
            Self::Cards => "cards",
            Self::AutoTopUp => "auto_top_up",
            Self::Pay => "pay",
            Self::History => "history",
            Self::Invoices => "invoices",
            Self::Usage => "usage",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.name() == name)
    }
}

/// What the company lets its customer do, and where the customer came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub flow: PortalFlow,
    /// The company's page to go back to, if it is another than usual. Checked before it is stored.
    pub return_url: Option<String>,
    pub is_read_only: bool,
    /// Who visits, as the company names them: kept with what they agree to and change.
    pub visitor: Option<Actor>,
}

/// A link that was not used yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalLink {
    pub account: AccountId,
    pub hash: PassHash,
    pub visit: Visit,
    pub expires_at: Timestamp,
}

impl PortalLink {
    pub const VALID_FOR: SignedDuration = SignedDuration::from_mins(5);

    pub fn new(token: &PassToken, visit: Visit, now: Timestamp) -> Self {
        let expires_at = now.saturating_add(Self::VALID_FOR).unwrap_or(Timestamp::MAX);
        Self { account: token.account.clone(), hash: token.hash(), visit, expires_at }
    }

    /// The session that takes its place. `None` once it has expired.
    pub fn exchanged_for(&self, token: &PassToken, now: Timestamp) -> Option<PortalSession> {
        if now >= self.expires_at || token.account != self.account {
            return None;
        }
        Some(PortalSession {
            account: self.account.clone(),
            hash: token.hash(),
            visit: self.visit.clone(),
            started_at: now,
            seen_at: now,
        })
    }
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalSession {
    pub account: AccountId,
    pub hash: PassHash,
    pub visit: Visit,
    pub started_at: Timestamp,
    /// At most [`PortalSession::SEEN_WITHIN`] before the last request.
    pub seen_at: Timestamp,
}

impl PortalSession {
    /// A session that nobody uses ends after this time.
    pub const IDLE_MAX: SignedDuration = SignedDuration::from_mins(30);
    /// Every session ends after this time.
    pub const LASTS_MAX: SignedDuration = SignedDuration::from_hours(12);
    /// So often is its use written down, at most.
    pub const SEEN_WITHIN: SignedDuration = SignedDuration::from_mins(1);

    pub fn ends_at(&self) -> Timestamp {
        let idle = self.seen_at.saturating_add(Self::IDLE_MAX).unwrap_or(Timestamp::MAX);
        idle.min(self.started_at.saturating_add(Self::LASTS_MAX).unwrap_or(Timestamp::MAX))
    }

    pub fn is_over_at(&self, now: Timestamp) -> bool {
        now >= self.ends_at()
    }

    /// The session as it is to be stored after this request. `None` if its use was written down a moment ago.
    pub fn seen(&self, now: Timestamp) -> Option<Self> {
        let is_stale = now.duration_since(self.seen_at) >= Self::SEEN_WITHIN;
        is_stale.then(|| Self { seen_at: now, ..self.clone() })
    }
}

#[cfg(test)]
mod tests;
