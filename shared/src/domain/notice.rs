//! An e-mail owed to a customer, written with the change that caused it and sent afterwards.

use super::alerts::AlertLevel;
use super::contacts::{OptionalNotice, Role};
use super::payments::{
    CardFace, DeclineReason, Expiry, InvoiceReminder, IssuedInvoice, PaidFor, Receipt, RefusalReason, ReturnReason,
};
use super::{Account, AccountId, Amount, ContactId, Credits, EmailAddress, NoticeId, PackageId, PurchaseId, TopUpId};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

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
    /// How long it is stored.
    pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

    /// The id of a notice in this place of a change, made of the account's version: a version is committed once. Like all
    /// such ids, it sorts by time.
    pub(super) fn id_in_change(account: &AccountId, (version, place): (u64, usize), now: Timestamp) -> NoticeId {
        let hash: [u8; 32] = Sha256::digest(format!("prepaid notice 1\n{account}\n{version}\n{place}")).into();
        let hashed = hash.first_chunk().map_or(0, |bits| u128::from_be_bytes(*bits));
        let milliseconds = u128::try_from(now.as_millisecond()).unwrap_or_default();
        // A UUID of version 7: <https://www.rfc-editor.org/rfc/rfc9562#section-5.7>.
        let (version, variant) = (0x7_u128 << 76, 0b10_u128 << 62);
        let random = (0xfff_u128 << 64) | ((1 << 62) - 1);
        NoticeId::mint((milliseconds << 80) | version | variant | (hashed & random))
    }

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
    /// Credits were taken back, because money of a payment went back.
    CreditsTakenBack(Box<ToldReversal>),
    /// They were given back again, because the money came back.
    CreditsGivenBack(Box<ToldReversal>),
}

/// What a customer is told of a reversal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldReversal {
    pub paid_for: PaidFor,
    pub because: ReturnReason,
    /// What went back or came back this time, with tax.
    pub amount: Amount,
    /// Always positive.
    pub credits: Credits,
    /// The balance afterwards.
    pub balance: Credits,
    /// Whether automatic top-ups are on, and paused because of it.
    pub is_paused: bool,
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
            | Self::LowBalance { .. }
            | Self::CreditsTakenBack(_)
            | Self::CreditsGivenBack(_) => {}
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
            Self::CreditsTakenBack(_) => "credits_taken_back",
            Self::CreditsGivenBack(_) => "credits_given_back",
        }
    }

    /// The purchase or the attempt that it is about.
    pub fn paid_for(&self) -> Option<PaidFor> {
        match self {
            Self::PurchasePaid { purchase, .. }
            | Self::PurchaseFailed { purchase, .. }
            | Self::InvoiceIssued { purchase, .. }
            | Self::InvoiceReminder { purchase, .. }
            | Self::InvoiceVoided { purchase, .. } => Some(PaidFor::Purchase(purchase.clone())),
            Self::TopUpPaid { top_up, .. }
            | Self::TopUpDeclined { top_up, .. }
            | Self::TopUpActionRequired { top_up, .. }
            | Self::TopUpRefused { top_up, .. }
            | Self::PaymentReminder { top_up, .. }
            | Self::TopUpAbandoned { top_up, .. } => Some(PaidFor::TopUp(top_up.clone())),
            Self::CreditsTakenBack(told) | Self::CreditsGivenBack(told) => Some(told.paid_for.clone()),
            Self::CardExpiring { .. }
            | Self::ContactConfirmation { .. }
            | Self::ContactsChanged(_)
            | Self::LowBalance { .. } => None,
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
            | Self::ContactsChanged(_)
            | Self::CreditsTakenBack(_)
            | Self::CreditsGivenBack(_) => Role::Billing,
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
            | Self::ContactsChanged(_)
            | Self::CreditsTakenBack(_)
            | Self::CreditsGivenBack(_) => None,
            Self::LowBalance { .. } => Some(OptionalNotice::LowBalance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::at;
    use std::collections::BTreeSet;

    #[test]
    fn the_id_of_a_notice_in_a_change_is_of_no_other_and_sorts_by_time() {
        let [acme, other] = ["acme", "other"].map(|id| AccountId::parse(id).unwrap());
        let id = |account, place, now| Notice::id_in_change(account, place, at(now));
        assert_eq!(id(&acme, (1, 0), 5), id(&acme, (1, 0), 5));
        let ids: BTreeSet<_> =
            [id(&acme, (1, 0), 5), id(&acme, (1, 1), 5), id(&acme, (2, 0), 5), id(&other, (1, 0), 5)].into();
        assert_eq!(ids.len(), 4);
        assert!(ids.iter().all(|earlier| *earlier < id(&acme, (1, 0), 6)));
        assert_eq!(&id(&acme, (1, 0), 5).as_str()[16..17], "7", "the version of a UUID");
    }
}
