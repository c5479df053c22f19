//! One customer of the company: the value every decision starts from and ends with.

use super::auto_top_up::AutoTopUp;
use super::payment_issue::PaymentIssue;
use super::usage::UsageDay;
use super::{
    AccountId, Change, Credits, CustomerId, IdempotencyKey, InvalidId, PaymentMethodId, PriceBook, Record,
    RestrictionReason, TopUpId,
};
use jiff::Timestamp;
use std::fmt;

/// An account as it stands between two changes.
///
/// Only the `decide_…` functions of this crate make the next one; the ledger stores and returns it unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// Where notices go.
    pub email: EmailAddress,
    /// The Stripe customer that pays for this account.
    pub customer: CustomerId,
    pub created_at: Timestamp,
    /// Counts every change; the ledger's compare-and-swap. An entry-less change (a setting) moves it too.
    pub version: u64,
    /// The number of entries; the `seq` of the newest one. Has no gaps.
    pub seq: u64,
    /// The sum of all entries.
    pub balance: Credits,
    /// What was consumed on the day of the last change.
    pub usage: UsageDay,
    /// `None` until the customer first chooses.
    pub auto_top_up: Option<AutoTopUp>,
    /// The saved card that top-ups are paid with.
    pub payment_method: Option<PaymentMethodId>,
    /// When the last attempt was opened, whatever became of it.
    pub last_top_up_at: Option<Timestamp>,
    /// The attempt whose outcome is not known yet.
    pub open_top_up: Option<TopUpId>,
    /// Why automatic top-ups are paused, if they are.
    pub payment_issue: Option<PaymentIssue>,
    /// Why charges are refused for a time, if they are.
    pub restriction: Option<Restriction>,
}

impl Account {
    /// A change from an account's absence: no entries, nothing chosen.
    pub fn open(id: AccountId, email: EmailAddress, customer: CustomerId, now: Timestamp) -> Change {
        let account = Self {
            id,
            email,
            customer,
            created_at: now,
            version: 1,
            seq: 0,
            balance: Credits::ZERO,
            usage: UsageDay::starting(now),
            auto_top_up: None,
            payment_method: None,
            last_top_up_at: None,
            open_top_up: None,
            payment_issue: None,
            restriction: None,
        };
        let link = Record::Customer { customer: account.customer.clone(), account: account.id.clone() };
        Change { account, entry: None, records: vec![link], notices: vec![] }
    }

    /// From when on a sweep has something to do here: an open attempt to carry to its end, or a new one to open.
    /// `None` while there is neither.
    ///
    /// An account that never had an attempt is due from its creation on, which is to say at once.
    pub fn top_up_due_at(&self) -> Option<Timestamp> {
        if self.open_top_up.is_some() {
            return Some(self.last_top_up_at.unwrap_or(self.created_at));
        }
        let settings = self.auto_top_up.as_ref().filter(|settings| settings.is_enabled)?;
        let is_due = self.balance < settings.threshold && self.payment_issue.is_none();
        is_due.then(|| self.next_top_up_at().unwrap_or(self.created_at))
    }

    /// The earliest instant of the next attempt, or `None` if there never was one.
    pub fn next_top_up_at(&self) -> Option<Timestamp> {
        self.last_top_up_at.map(|last| last.saturating_add(PriceBook::TOP_UP_INTERVAL).unwrap_or(Timestamp::MAX))
    }

    /// The restriction in force, if any.
    pub fn restriction_at(&self, now: Timestamp) -> Option<&Restriction> {
        self.restriction.as_ref().filter(|restriction| now < restriction.until)
    }
}

/// Remembers the saved card for top-ups, or that there is none any more. A change even where it is the same card:
/// it tells whoever decided on the account before that something was looked at since.
pub fn decide_payment_method(account: &Account, payment_method: Option<PaymentMethodId>, now: Timestamp) -> Change {
    let mut change = Change::on(account, now);
    change.account.payment_method = payment_method;
    change
}

/// A temporary block of charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// Shown to the customer.
    pub reason: RestrictionReason,
    /// The first instant at which charges work again.
    pub until: Timestamp,
}

/// Blocks charges until an instant, for a reason the customer is shown.
pub fn decide_restrict(account: &Account, restriction: Option<Restriction>, now: Timestamp) -> Change {
    let mut change = Change::on(account, now);
    change.account.restriction = restriction;
    change
}

/// Where an account's e-mails go: at most 254 characters around one `@`.
///
/// Whether mail arrives there is for SES to say; this only keeps out what cannot be an address or would
/// change the meaning of a mail header. Before the `@` stands a dot-atom, without quotes and comments:
/// <https://www.rfc-editor.org/rfc/rfc5322#section-3.2.3>; after it the name of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// # Errors
    /// [`InvalidId`] for what cannot be an address.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
        let text = text.into();
        let is_atom = |part: &str| {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
            !part.is_empty() && part.chars().all(is_allowed)
        };
        let is_label = |part: &str| {
            let is_allowed = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            is_allowed && (1..=63).contains(&part.len()) && !part.starts_with('-') && !part.ends_with('-')
        };
        let is_valid = text.len() <= 254
            && text.split_once('@').is_some_and(|(local, domain)| {
                local.len() <= 64
                    && local.split('.').all(is_atom)
                    && domain.contains('.')
                    && domain.split('.').all(is_label)
            });
        if is_valid {
            Ok(Self(text))
        } else {
            Err(InvalidId { what: "email", expected: "an e-mail address of at most 254 ASCII characters" })
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The same idempotency key was used before, for something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the idempotency key {key} was used before for another request")]
pub struct KeyReused {
    pub key: IdempotencyKey,
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;

    fn due_account() -> Account {
        Account { auto_top_up: Some(settings(500, 1_500)), balance: Credits::constant(499), ..account() }
    }

    #[test]
    fn an_account_is_due_only_while_a_sweep_has_something_to_do() {
        assert_eq!(account().top_up_due_at(), None, "never chosen");
        assert_eq!(due_account().top_up_due_at(), Some(account().created_at));
        assert_eq!(
            Account { balance: Credits::constant(500), ..due_account() }.top_up_due_at(),
            None,
            "not strictly below"
        );
        let off =
            Account { auto_top_up: Some(AutoTopUp { is_enabled: false, ..settings(500, 1_500) }), ..due_account() };
        assert_eq!(off.top_up_due_at(), None, "off");
        let recent = Account { last_top_up_at: Some(at(60)), ..due_account() };
        assert_eq!(recent.top_up_due_at(), Some(at(60 + 6 * 3_600)), "six hours after the last attempt");
        let open =
            Account { open_top_up: Some(TopUpId::mint(1)), ..Account { balance: Credits::constant(9_000), ..recent } };
        assert_eq!(open.top_up_due_at(), Some(at(60)), "an open attempt is carried on whatever the balance");
    }

    #[test]
    fn addresses_that_could_bend_a_mail_header_are_refused() {
        for valid in ["ada@example.com", "o'neil+credits=1&x@mail.acme-corp.example", "1@2.de"] {
            assert!(EmailAddress::parse(valid).is_ok(), "{valid}");
        }
        for invalid in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a@b@c.d",
            "a b@c.de",
            "a@c.de\r\nBcc: x@y.z",
            "<a@b.c>",
            "a@.b",
            "a..b@c.de",
            "group:a@c.de",
            "a(b)@c.de",
            "a@c_d.de",
            "a@-c.de",
            "a@[c].de",
        ] {
            assert!(EmailAddress::parse(invalid).is_err(), "{invalid:?}");
        }
    }
}
