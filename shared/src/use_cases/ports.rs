//! The narrow traits through which use cases see the outside, and the errors an adapter must answer with.

use super::sweep::SweepPart;
use crate::domain::auto_top_up::ConsentRecord;
use crate::domain::purchase::{Checkout, CheckoutOutcome};
use crate::domain::top_up::TopUpOutcome;
use crate::domain::{
    Account, AccountId, Change, CheckoutSessionId, ConsentId, CustomerId, EmailAddress, Entry, EventId, IdempotencyKey,
    InvoiceId, Notice, NoticeId, Origin, PaymentMethodId, Purchase, PurchaseId, TopUp, TopUpId,
};
use jiff::Timestamp;
use std::error::Error;
use std::fmt;
use std::future::Future;

/// The store of accounts, their entries and records.
///
/// Reads by key are strongly consistent: they see every change committed before they began.
/// Only [`Ledger::history_page`] and [`Ledger::due_accounts`] read indexes and may lag by moments.
pub trait Ledger: Send + Sync {
    fn account_get(&self, account: &AccountId) -> impl Future<Output = Result<Option<Account>, LedgerError>> + Send;

    fn entry_get(
        &self,
        account: &AccountId,
        origin: &Origin,
    ) -> impl Future<Output = Result<Option<Entry>, LedgerError>> + Send;

    fn purchase_get(
        &self,
        account: &AccountId,
        purchase: &PurchaseId,
    ) -> impl Future<Output = Result<Option<Purchase>, LedgerError>> + Send;

    /// The purchase that this key opened, if it opened one.
    fn purchase_id_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> impl Future<Output = Result<Option<PurchaseId>, LedgerError>> + Send;

    fn top_up_get(
        &self,
        account: &AccountId,
        top_up: &TopUpId,
    ) -> impl Future<Output = Result<Option<TopUp>, LedgerError>> + Send;

    fn consent_get(
        &self,
        account: &AccountId,
        consent: &ConsentId,
    ) -> impl Future<Output = Result<Option<ConsentRecord>, LedgerError>> + Send;

    fn notice_get(
        &self,
        account: &AccountId,
        notice: &NoticeId,
    ) -> impl Future<Output = Result<Option<Notice>, LedgerError>> + Send;

    /// The account that a Stripe customer pays for.
    fn customer_account_get(
        &self,
        customer: &CustomerId,
    ) -> impl Future<Output = Result<Option<AccountId>, LedgerError>> + Send;

    /// Whether a Stripe event was applied before.
    fn event_is_applied(&self, event: &EventId) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Writes all of the change in one transaction, or nothing.
    ///
    /// # Errors
    /// [`CommitError::Duplicate`] when an entry of the same origin exists, in preference to
    /// [`CommitError::Stale`] when the stored account is not at `change.account.version - 1`.
    /// [`CommitError::Failed`] when nothing is known of the outcome, after bounded retries: the change may have
    /// been written, and whoever repeats the request finds out.
    fn commit(&self, change: &Change) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// Remembers that an event was applied, for 35 days, which is longer than Stripe sends it again.
    fn event_mark_applied(
        &self,
        event: &EventId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Remembers that a notice was sent. Marking it twice keeps the first instant.
    fn notice_mark_sent(
        &self,
        account: &AccountId,
        notice: &NoticeId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// The entries below `before_seq` (from the newest, if `None`), newest first, at most `limit` (1–100) of them.
    fn history_page(
        &self,
        account: &AccountId,
        before_seq: Option<u64>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Entry>, LedgerError>> + Send;

    /// One page of the accounts of a shard that are due at `now`, longest due first.
    fn due_accounts(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> impl Future<Output = Result<DuePage, LedgerError>> + Send;
}

/// One of the sixteen partitions of the index of due accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard(u8);

impl Shard {
    pub const COUNT: u8 = 16;

    /// The shard of a number, whatever its size.
    pub fn of(number: u32) -> Self {
        Self((number % u32::from(Self::COUNT)) as u8)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    pub fn get(self) -> u8 {
        self.0
    }
}

/// Where a page of due accounts ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueCursor {
    pub account: AccountId,
    pub due_at: Timestamp,
}

/// A page of due accounts; `next` is `None` on the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuePage {
    pub accounts: Vec<AccountId>,
    pub next: Option<DueCursor>,
}

/// The store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It may answer later: throttling, conflicts beyond the bound of retries, the network, a failure on AWS's side.
    #[error("the ledger is not available now: {operation}")]
    Unavailable {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It never will: an item that cannot be read, a table that is not there, a permission that is missing.
    #[error("the ledger failed: {operation}")]
    Broken {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl LedgerError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Broken { .. } => false,
        }
    }
}

/// Why a change was not written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else changed the account first. It stands as given here; decide again. `None` if it does not exist.
    #[error("the account was changed in between")]
    Stale { current: Option<Box<Account>> },
    /// The same cause made this entry before.
    #[error("the entry exists")]
    Duplicate { entry: Box<Entry> },
    #[error(transparent)]
    Failed(#[from] LedgerError),
}

/// The payment provider.
///
/// Every call that creates or moves something sends an idempotency key made of our own ids, so that asking again
/// after a lost answer is the same request.
pub trait Payments: Send + Sync {
    /// A customer to pay for the account.
    fn customer_create(
        &self,
        account: &AccountId,
        email: &EmailAddress,
    ) -> impl Future<Output = Result<CustomerId, PaymentsError>> + Send;

    /// The card that the customer's invoices are paid with by default.
    fn default_payment_method_get(
        &self,
        customer: &CustomerId,
    ) -> impl Future<Output = Result<Option<PaymentMethodId>, PaymentsError>> + Send;

    /// Makes a saved card the customer's default.
    fn default_payment_method_set(
        &self,
        customer: &CustomerId,
        payment_method: &PaymentMethodId,
    ) -> impl Future<Output = Result<(), PaymentsError>> + Send;

    /// A hosted page on which the purchase is paid and the card saved.
    fn checkout_open(
        &self,
        customer: &CustomerId,
        purchase: &Purchase,
    ) -> impl Future<Output = Result<Checkout, PaymentsError>> + Send;

    /// What became of a purchase's page.
    fn checkout_get(
        &self,
        session: &CheckoutSessionId,
    ) -> impl Future<Output = Result<CheckoutReport, PaymentsError>> + Send;

    /// Takes the money of an open attempt, by invoice on the saved card; called again, it is the same payment.
    ///
    /// Never fails: what is not definite is [`TopUpOutcome::Unknown`], and an outage concludes nothing.
    fn top_up_pay(&self, top_up: &TopUp) -> impl Future<Output = TopUpOutcome> + Send;

    /// Looks up what became of an attempt and closes it if it is unpaid: abandoned once, nobody can pay it any more,
    /// not even a [`Payments::top_up_pay`] that is under way.
    ///
    /// Never fails, as [`Payments::top_up_pay`].
    fn top_up_close(&self, top_up: &TopUp) -> impl Future<Output = TopUpOutcome> + Send;

    /// An invoice as it stands now.
    fn invoice_get(&self, invoice: &InvoiceId) -> impl Future<Output = Result<InvoiceReport, PaymentsError>> + Send;
}

/// What Stripe says of a Checkout session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutReport {
    /// The account and purchase that its metadata names, if it is one of ours.
    pub purchase: Option<(AccountId, PurchaseId)>,
    pub outcome: CheckoutOutcome,
}

/// What Stripe says of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceReport {
    /// The account and attempt that its metadata names, if it is one of ours.
    pub top_up: Option<(AccountId, TopUpId)>,
    pub outcome: TopUpOutcome,
    /// Stripe's page on which it can be paid, while it can be paid. Expires, so it is never stored.
    pub hosted_url: Option<String>,
}

/// The payment provider gave no answer to build on.
#[derive(Debug, thiserror::Error)]
pub enum PaymentsError {
    /// It may answer later: a timeout, the network, 409, 429, 5xx, an answer that cannot be read.
    #[error("the payment provider is not available now: {operation}")]
    Unavailable {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// No such object.
    #[error("the payment provider knows no such object: {operation}")]
    NotFound { operation: &'static str },
    /// It refuses the request as we make it: a wrong key, a parameter it does not take.
    #[error("the payment provider refused the request: {operation}")]
    Rejected {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl PaymentsError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::NotFound { .. } | Self::Rejected { .. } => false,
        }
    }
}

/// Sends e-mail.
pub trait Mailer: Send + Sync {
    /// # Errors
    /// [`MailerError`]; a mail that was accepted before the answer was lost may be sent twice, since SES takes no
    /// idempotency key.
    fn send(&self, mail: &Mail) -> impl Future<Output = Result<(), MailerError>> + Send;
}

/// A rendered e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: EmailAddress,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// The mail was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    #[error("e-mail cannot be sent now")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the e-mail was refused")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
}

/// One-time timers: at an instant a function is woken and told what to do.
///
/// A timer goes off at least once, up to a minute late, and is then forgotten, so that its name may be set again.
/// Whoever is woken has to bear being woken twice.
pub trait Timers: Send + Sync {
    /// Sets a timer. Where one of that name is set already, that one stays as it is, which is success too.
    ///
    /// # Errors
    /// [`TimersError::Unavailable`] when it may be set later, or is set without our knowing;
    /// [`TimersError::Rejected`] when asking again would not help.
    fn timer_set(&self, timer: &Timer) -> impl Future<Output = Result<(), TimersError>> + Send;
}

/// Who is woken when, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    pub name: TimerName,
    /// Kept to the second, rounded up. One that has passed is refused.
    pub at: Timestamp,
    /// The function that is woken, as the platform that runs it names it.
    pub function: String,
    pub wake: Wake,
}

/// What a timer is known by, made of what it is for: 1 to 64 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerName(String);

impl TimerName {
    /// The same for every invocation that sets the timer of this part.
    pub fn of_sweep(part: &SweepPart) -> Self {
        Self(format!("sweep-{}-{}", part.started_at.as_second(), part.number))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TimerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A sweep ran out of its process's time.
    ContinueSweep(SweepPart),
}

/// The timer is not known to be set.
#[derive(Debug, thiserror::Error)]
pub enum TimersError {
    #[error("timers cannot be set now")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the timer was refused")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
}

/// Bits that nobody else has, the earlier ones smaller, to make ids of.
pub trait Unique: Send + Sync {
    fn unique(&self, now: Timestamp) -> u128;
}

/// Version 7 UUIDs: the millisecond first, then randomness. RFC 9562, section 5.7.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomUnique;

impl Unique for RandomUnique {
    fn unique(&self, now: Timestamp) -> u128 {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let timestamp =
            uuid::Timestamp::from_unix(uuid::NoContext, millis / 1_000, (millis % 1_000) as u32 * 1_000_000);
        uuid::Uuid::new_v7(timestamp).as_u128()
    }
}
