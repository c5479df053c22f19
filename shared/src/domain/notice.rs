//! An e-mail owed to a customer, written with the change that caused it and sent afterwards.

use super::alerts::AlertLevel;
use super::contacts::{OptionalNotice, Role};
use super::payments::{CardFace, DeclineReason, Expiry, InvoiceReminder, IssuedInvoice, Receipt, RefusalReason};
use super::{Account, AccountId, Amount, ContactId, Credits, EmailAddress, NoticeId, PackageId, PurchaseId, TopUpId};
use jiff::Timestamp;

/// One e-mail, with everything that it has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub id: NoticeId,
    pub account: AccountId,
    /// The account's address at that time, or the address of the notice's own.
    pub to: EmailAddress,
    /// Whether it goes to that address, whatever the account's contacts are when it is sent.
    pub is_addressed: bool,
    /// The addresses that it was sent to in vain before it was owed again as this notice.
    pub tried: Vec<EmailAddress>,
    pub kind: NoticeKind,
    pub created_at: Timestamp,
    /// `None` while it has not been sent.
    pub sent_at: Option<Timestamp>,
    /// Where it was sent. An earlier release did not record it.
    pub sent_to: Option<EmailAddress>,
    /// When it came back, or was reported as spam.
    pub returned_at: Option<Timestamp>,
}

impl Notice {
    /// A notice for one address.
    pub fn addressed(
        id: NoticeId,
        account: &Account,
        (to, kind): (EmailAddress, NoticeKind),
        now: Timestamp,
    ) -> Option<Self> {
        Some(Self { to, is_addressed: true, ..account.owed(id, kind, now)? })
    }
}

/// What the customer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// A purchase was paid.
    PurchasePaid {
        purchase: PurchaseId,
        package: PackageId,
        credits: Credits,
        price: Amount,
        balance: Credits,
        /// `None` if it is not known, as in a notice of an earlier release.
        receipt: Option<Box<Receipt>>,
    },
    /// A purchase's bank debit failed, days after its page was completed.
    PurchaseFailed { purchase: PurchaseId, package: PackageId, credits: Credits, price: Amount },
    /// A purchase is to be paid by this invoice.
    InvoiceIssued { purchase: PurchaseId, credits: Credits, price: Amount, invoice: Box<IssuedInvoice> },
    /// The invoice of a purchase is not paid yet.
    InvoiceReminder {
        purchase: PurchaseId,
        credits: Credits,
        price: Amount,
        invoice: Box<IssuedInvoice>,
        reminder: InvoiceReminder,
    },
    /// The invoice of a purchase was voided, and the purchase has ended.
    InvoiceVoided { purchase: PurchaseId, credits: Credits, price: Amount, invoice: Box<IssuedInvoice> },
    /// An automatic top-up was paid.
    TopUpPaid { top_up: TopUpId, credits: Credits, price: Amount, balance: Credits, receipt: Option<Box<Receipt>> },
    /// The card was declined; automatic top-ups are paused. This kind and the next ones name the card that was asked, as far
    /// as it is known.
    TopUpDeclined { top_up: TopUpId, credits: Credits, price: Amount, reason: DeclineReason, card: CardFace },
    /// The bank wants the customer to confirm (3D Secure); automatic top-ups are paused.
    TopUpActionRequired { top_up: TopUpId, credits: Credits, price: Amount, card: CardFace },
    /// The payment provider will never accept this payment from the customer; automatic top-ups are paused.
    TopUpRefused { top_up: TopUpId, credits: Credits, price: Amount, reason: RefusalReason, card: CardFace },
    /// The payment of an automatic top-up is still open. The reason is that of the last decline; `None` if the bank wants the
    /// customer to confirm.
    PaymentReminder {
        top_up: TopUpId,
        credits: Credits,
        price: Amount,
        reason: Option<DeclineReason>,
        since: Timestamp,
        card: CardFace,
    },
    /// The invoice of an automatic top-up was voided after 30 days, and automatic top-ups are turned off.
    TopUpAbandoned { top_up: TopUpId, credits: Credits, price: Amount, card: CardFace },
    /// The card that automatic top-ups ask expires at the end of this month.
    CardExpiring { card: CardFace, expiry: Expiry },
    /// An address is asked to confirm that it wants the account's e-mails.
    ContactConfirmation { contact: ContactId },
    /// The account's contacts were changed.
    ContactsChanged(ContactsChange),
    /// The balance fell below a level that the customer chose, the lowest of several.
    LowBalance { level: AlertLevel, balance: Credits, per_day: Option<i64> },
}

/// How an account's contacts were changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactsChange {
    pub added: Vec<EmailAddress>,
    pub removed: Vec<EmailAddress>,
    /// Those with other roles or other choices of e-mails, or in another order.
    pub changed: Vec<EmailAddress>,
    pub confirmed: Vec<EmailAddress>,
}

impl Account {
    /// The e-mail that this account is owed, for the contact of its role that is deliverable when it is sent. `None` if
    /// there is no address any more.
    pub fn owed(&self, id: NoticeId, kind: NoticeKind, now: Timestamp) -> Option<Notice> {
        Some(Notice {
            id,
            account: self.id.clone(),
            to: self.email.clone()?,
            is_addressed: false,
            tried: vec![],
            kind,
            created_at: now,
            sent_at: None,
            sent_to: None,
            returned_at: None,
        })
    }
}

impl NoticeKind {
    /// Names the card that was asked, unless none was.
    pub(super) fn name_card(&mut self, face: &CardFace) {
        match self {
            Self::TopUpDeclined { reason: DeclineReason::NoCard, .. }
            | Self::PaymentReminder { reason: Some(DeclineReason::NoCard), .. } => {}
            Self::TopUpDeclined { card, .. }
            | Self::TopUpActionRequired { card, .. }
            | Self::TopUpRefused { card, .. }
            | Self::PaymentReminder { card, .. }
            | Self::TopUpAbandoned { card, .. } => *card = face.clone(),
            Self::PurchasePaid { .. }
            | Self::PurchaseFailed { .. }
            | Self::InvoiceIssued { .. }
            | Self::InvoiceReminder { .. }
            | Self::InvoiceVoided { .. }
            | Self::TopUpPaid { .. }
            | Self::CardExpiring { .. }
            | Self::ContactConfirmation { .. }
            | Self::ContactsChanged(_)
            | Self::LowBalance { .. } => {}
        }
    }

    /// Its name in table and API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PurchasePaid { .. } => "purchase_paid",
            Self::PurchaseFailed { .. } => "purchase_failed",
            Self::InvoiceIssued { .. } => "invoice_issued",
            Self::InvoiceReminder { .. } => "invoice_reminder",
            Self::InvoiceVoided { .. } => "invoice_voided",
            Self::TopUpPaid { .. } => "top_up_paid",
            Self::TopUpDeclined { .. } => "top_up_declined",
            Self::TopUpActionRequired { .. } => "top_up_action_required",
            Self::TopUpRefused { .. } => "top_up_refused",
            Self::PaymentReminder { .. } => "payment_reminder",
            Self::TopUpAbandoned { .. } => "top_up_abandoned",
            Self::CardExpiring { .. } => "card_expiring",
            Self::ContactConfirmation { .. } => "contact_confirmation",
            Self::ContactsChanged(_) => "contacts_changed",
            Self::LowBalance { .. } => "low_balance",
        }
    }

    /// The role of the contacts that it is for.
    pub fn role(&self) -> Role {
        match self {
            Self::PurchasePaid { .. }
            | Self::PurchaseFailed { .. }
            | Self::InvoiceIssued { .. }
            | Self::InvoiceReminder { .. }
            | Self::InvoiceVoided { .. }
            | Self::TopUpPaid { .. }
            | Self::TopUpDeclined { .. }
            | Self::TopUpActionRequired { .. }
            | Self::TopUpRefused { .. }
            | Self::PaymentReminder { .. }
            | Self::TopUpAbandoned { .. }
            | Self::CardExpiring { .. }
            | Self::ContactConfirmation { .. }
            | Self::ContactsChanged(_) => Role::Billing,
            Self::LowBalance { .. } => Role::Alerts,
        }
    }

    /// By which kind a contact can turn it off. `None` for what every customer has to know: receipts, payment issues, cards
    /// that expire and changes of the contacts.
    pub fn optional(&self) -> Option<OptionalNotice> {
        match self {
            Self::PurchasePaid { .. }
            | Self::PurchaseFailed { .. }
            | Self::InvoiceIssued { .. }
            | Self::InvoiceReminder { .. }
            | Self::InvoiceVoided { .. }
            | Self::TopUpPaid { .. }
            | Self::TopUpDeclined { .. }
            | Self::TopUpActionRequired { .. }
            | Self::TopUpRefused { .. }
            | Self::PaymentReminder { .. }
            | Self::TopUpAbandoned { .. }
            | Self::CardExpiring { .. }
            | Self::ContactConfirmation { .. }
            | Self::ContactsChanged(_) => None,
            Self::LowBalance { .. } => Some(OptionalNotice::LowBalance),
        }
    }
}
