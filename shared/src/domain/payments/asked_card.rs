//! The card that automatic top-ups ask, as Stripe showed it last, and when an e-mail is due before it expires.
//!
//! Only values; the decisions are elsewhere.

use super::expiry::Expiry;
use crate::domain::{Account, PaymentMethodId};
use jiff::{SignedDuration, Timestamp};

/// How many e-mails are remembered: enough for a customer who goes back and forth between a few cards.
const WARNINGS_MAX: usize = 10;

/// What is known of the card that is asked, and what was told about the expiry of cards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedCard {
    /// `None` if none is asked, or if no details are known yet. It may be the card of before, while another one is asked of
    /// which no details are known.
    pub card: Option<KnownCard>,
    /// The newest last.
    pub warnings: Vec<Warning>,
}

/// A card, as Stripe showed it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCard {
    pub id: PaymentMethodId,
    pub face: CardFace,
    /// `None` for what does not expire.
    pub expiry: Option<Expiry>,
    /// The same for every time that the same number was saved.
    pub fingerprint: Option<String>,
}

/// By what its owner knows a card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardFace {
    pub brand: Option<String>,
    pub last4: Option<String>,
}

/// The e-mail about a card that expires became owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The card's fingerprint, or its id if it has none: a card that is saved again is the same card.
    pub card: String,
    pub expiry: Expiry,
    pub ahead: Ahead,
}

/// How long before a card expires its customer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ahead {
    Month,
    Week,
}

impl Ahead {
    pub const ALL: [Self; 2] = [Self::Month, Self::Week];

    pub fn days(self) -> i32 {
        match self {
            Self::Month => 30,
            Self::Week => 7,
        }
    }

    pub fn of_days(days: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|ahead| ahead.days() == days)
    }

    pub(super) fn before(self, expiry: Expiry) -> Timestamp {
        let ahead = SignedDuration::from_hours(i64::from(self.days()).saturating_mul(24));
        expiry.ends_at().saturating_sub(ahead).unwrap_or(Timestamp::MIN)
    }
}

impl KnownCard {
    pub(super) fn number(&self) -> &str {
        self.fingerprint.as_deref().unwrap_or(self.id.as_str())
    }
}

impl AskedCard {
    /// When the next e-mail is due. `None` if nothing is to be told: while top-ups are off or ask another card, and once
    /// all was told.
    pub fn due_at(&self, account: &Account) -> Option<Timestamp> {
        let is_enabled = account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled);
        let (card, expiry) = self.expiring()?;
        if !is_enabled || account.closed_at.is_some() || account.payment_method.as_ref() != Some(&card.id) {
            return None;
        }
        match self.last_told(card, expiry) {
            None => Some(Ahead::Month.before(expiry)),
            Some(Ahead::Month) => Some(Ahead::Week.before(expiry)),
            Some(Ahead::Week) => None,
        }
    }

    /// How its owner knows this card, if it is the one of which details are known.
    pub fn face_of(&self, card: Option<&PaymentMethodId>) -> Option<&CardFace> {
        self.card.as_ref().filter(|known| Some(&known.id) == card).map(|known| &known.face)
    }

    pub(super) fn expiring(&self) -> Option<(&KnownCard, Expiry)> {
        let card = self.card.as_ref()?;
        Some((card, card.expiry?))
    }

    /// The last e-mail about this expiry of this card.
    fn last_told(&self, card: &KnownCard, expiry: Expiry) -> Option<Ahead> {
        let is_same = |warning: &&Warning| warning.card == card.number() && warning.expiry == expiry;
        self.warnings.iter().filter(is_same).map(|warning| warning.ahead).max()
    }

    pub(super) fn warned(mut self, warning: Warning) -> Self {
        self.warnings.push(warning);
        let surplus = self.warnings.len().saturating_sub(WARNINGS_MAX);
        self.warnings.drain(..surplus);
        self
    }
}
