//! Incoming money: purchases, automatic top-ups, and what Stripe reports about both.

mod apply_event;
mod apply_returned;
mod billing_details;
mod check_purchase;
mod disputes;
mod find_payments;
mod follow_up;
mod issue_invoice;
mod open_purchase;
mod pay_page;
mod preview_auto_top_up;
mod prove_payment;
mod prove_period;
mod read_invoices;
mod reconcile;
mod record_outcome;
mod resume_top_ups;
mod retry_top_up;
mod saved_cards;
mod set_auto_top_up;
mod sweep;
mod top_up;
mod unknown_payment;

pub use crate::ports::Subject;
pub use apply_event::{Applied, ApplyEventError, ApplyingEvents, apply_event};
pub use apply_returned::{AppliedReturn, ApplyReturnedError, apply_returned, apply_returned_object};
pub(in crate::use_cases) use apply_returned::{BoughtError, stored_bought};
pub use billing_details::{BillingDetailsError, read_billing_details, replace_billing_details};
pub use check_purchase::check_purchase;
pub use disputes::warn_of_due_disputes;
pub use find_payments::{FindPaymentsError, FoundPayment, OwnPayment, find_payments};
pub use follow_up::{FollowUpSummary, follow_up};
pub use open_purchase::{OpenPurchaseError, OpenedPurchase, PurchaseCommand, open_purchase};
pub use pay_page::{PayPage, PayPageError, pay_page};
pub use preview_auto_top_up::preview_auto_top_up;
pub use prove_payment::{ProvePaymentError, ProvenPayment, Proving, prove_payment};
pub use prove_period::{PeriodProof, ProvenLine, prove_period};
pub use read_invoices::{
    CreditedInvoice, CreditedInvoices, ReadInvoicesError, read_invoice, read_invoices, receipt_address,
};
pub use reconcile::{ReconcileSummary, Reconciling, reconcile};
pub use record_outcome::{RecordOutcomeError, record_purchase_outcome, record_top_up_outcome};
pub use resume_top_ups::{PauseEnding, ResumeError, Resumed, resume_top_ups};
pub use retry_top_up::{RetriedTopUp, RetryError, retry_top_up};
pub use saved_cards::{
    CardsOfAccount, SavedCardsError, choose_card, open_billing_portal, open_card_page, read_saved_cards, remove_card,
};
pub use set_auto_top_up::{SetAutoTopUpError, set_auto_top_up};
pub use sweep::{SweepLimits, SweepSummary, Swept, sweep, sweep_continue};
pub use top_up::{ToppedUp, continue_top_up, top_up};
pub use unknown_payment::Paid;

use super::OutsideError;
use crate::ports::PaymentsError;

/// The error of a request about a customer's record at the payment provider: `deleted` if the provider has deleted it.
fn unless_deleted<E: From<OutsideError>>(error: PaymentsError, deleted: E) -> E {
    match error {
        PaymentsError::CustomerDeleted { .. } => deleted,
        error => OutsideError::from(error).into(),
    }
}
