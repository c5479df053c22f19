//! An e-mail owed to a customer, written with the change that caused it and sent afterwards.

use super::payments::{DeclineReason, RefusalReason};
use super::{Account, AccountId, Amount, Credits, EmailAddress, NoticeId, PackageId, PurchaseId, TopUpId};
use jiff::Timestamp;

/// One e-mail, with everything that it has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub id: NoticeId,
    pub account: AccountId,
    /// The account's address at that time.
    pub to: EmailAddress,
    pub kind: NoticeKind,
    pub created_at: Timestamp,
    /// `None` while it has not been sent.
    pub sent_at: Option<Timestamp>,
}

/// What the customer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// A purchase was paid.
    PurchasePaid { purchase: PurchaseId, package: PackageId, credits: Credits, price: Amount, balance: Credits },
    /// A purchase's bank debit failed, days after its page was completed.
    PurchaseFailed { purchase: PurchaseId, package: PackageId, credits: Credits, price: Amount },
    /// An automatic top-up was paid.
    TopUpPaid { top_up: TopUpId, credits: Credits, price: Amount, balance: Credits },
    /// The card was declined; automatic top-ups are paused.
    TopUpDeclined { top_up: TopUpId, credits: Credits, price: Amount, reason: DeclineReason },
    /// The bank wants the customer to confirm (3D Secure); automatic top-ups are paused.
    TopUpActionRequired { top_up: TopUpId, credits: Credits, price: Amount },
    /// The payment provider will never accept this payment from the customer; automatic top-ups are paused.
    TopUpRefused { top_up: TopUpId, credits: Credits, price: Amount, reason: RefusalReason },
}

impl Account {
    /// The e-mail that this account is owed. `None` if there is no address any more.
    pub(super) fn owed(&self, id: NoticeId, kind: NoticeKind, now: Timestamp) -> Option<Notice> {
        let to = self.email.clone()?;
        Some(Notice { id, account: self.id.clone(), to, kind, created_at: now, sent_at: None })
    }
}

impl NoticeKind {
    /// Its name in table and API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PurchasePaid { .. } => "purchase_paid",
            Self::PurchaseFailed { .. } => "purchase_failed",
            Self::TopUpPaid { .. } => "top_up_paid",
            Self::TopUpDeclined { .. } => "top_up_declined",
            Self::TopUpActionRequired { .. } => "top_up_action_required",
            Self::TopUpRefused { .. } => "top_up_refused",
        }
    }
}
