//! Incoming money: purchases, automatic top-ups, and what prevents a top-up.

mod asked_card;
mod auto_top_up;
mod beside_outcome;
mod billing_details;
mod bought;
mod by_invoice;
mod claim;
mod counted;
mod default_card;
mod dispute;
mod expiry;
mod expiry_warning;
mod gates;
mod invoice;
mod look;
mod monthly_cap;
mod outlook;
mod payment;
mod payment_issue;
mod proof;
mod purchase;
mod purchase_invoice;
mod received;
mod records;
mod reminder;
mod resume;
mod retry;
mod returned;
mod reversal;
mod saved_cards;
mod sweep_log;
mod top_up;
mod turn_off;
mod unknown_payment;
mod unpaid;
mod what_if;

pub use asked_card::{Ahead, AskedCard, CardFace, KnownCard, Warning};
pub use auto_top_up::{AutoTopUpCommand, AutoTopUpRefusal, decide_auto_top_up};
pub use beside_outcome::{BesideOutcome, card_to_remember, may_turn_off, names_card};
pub use billing_details::{
    AddressLine, BillingAddress, BillingDetails, Company, Country, KnownAddress, KnownBillingDetails, KnownTaxId,
    PoNumber, PostalCode, RefusedDetail, TaxId, TaxIdType, TaxIdValue, Text,
};
pub use bought::Bought;
pub use by_invoice::{ByInvoice, DefaultBefore, InvoiceReminder, InvoiceTerms, IssuedInvoice, NewInvoice};
pub use claim::{AppliedClaim, CardStatement, Claim, ClaimLog, FoundResult, Progress, TooManyClaims, conclude};
pub use default_card::{BoughtWith, DefaultCard, OfferedCard};
pub use dispute::{Dispute, DisputeStatus, ShownDispute};
pub use expiry::Expiry;
pub use expiry_warning::decide_expiry_warning;
pub use gates::{GATE_COUNT, Gate, GateName, GateState, NotDue, gates, top_up_credits};
pub use invoice::{CustomerInvoice, Invoiced, Receipt, TaxLine};
pub use look::{is_look_at_invoices_due, is_look_due};
pub use monthly_cap::MonthlyCap;
pub use outlook::{Cure, NoTopUp, SWEEP_MINUTES, TopUpOutlook, top_up_outlook};
pub use payment::{CheckoutOutcome, GrantRefusal, PaidByInvoice, Payment, TopUpOutcome};
pub use payment_issue::{DeclineReason, PaymentIssue, PaymentIssueKind, RefusalReason};
pub use proof::{Amounts, Evidence, Fact, LinkName, LinkStatus, Proof, ProofLink, is_receipt_of, prove};
pub use purchase::{
    OpenedCheckout, PayBy, TooManyUnpaidInvoices, card_to_offer, check_purchase_replay, decide_checkout_opened,
    decide_open_purchase, decide_purchase_outcome,
};
pub use purchase_invoice::{decide_invoice_issued, decide_invoice_refused, decide_invoice_reminder};
pub use received::{PaidInvoice, Received};
pub use records::{
    AutoTopUp, Checkout, Consent, ConsentRecord, OffReason, Purchase, PurchaseStatus, TopUp, TopUpRetry, TopUpStatus,
    TurnedOff, turned_off,
};
pub use reminder::{Asked, decide_follow_up};
pub use resume::{ResumeRefusal, check_resume, check_voided, decide_resume_refused, needs_card};
pub use retry::{
    RetryCommand, RetryRefusal, RetryStep, check_retry, check_retry_replay, decide_retry, decide_retry_outcome,
    next_retry_step,
};
pub use returned::{
    PaidFor, Refund, RefundStatus, ReturnReason, ReturnedPayment, Returns, ReversalPause, Reversed, WantedRefund,
};
pub(in crate::domain) use reversal::end_pause;
pub use reversal::{ReturnOutcome, decide_resume_reversal, decide_returned};
pub use saved_cards::{Removal, SavedCard, SavedCards, SeenCards, SetUpCard, decide_saved_cards};
pub use sweep_log::{SweepLog, SweepSkip};
pub use top_up::{Demand, NextStep, check_demand, decide_open_top_up, decide_top_up_outcome, next_step};
pub use unknown_payment::UnknownPayment;
pub use what_if::{Past, PastDay, Replay, TopUps, Tried, recommended, replay};
