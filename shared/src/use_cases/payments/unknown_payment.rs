//! A payment with our metadata of which no row knows: a flag for support, once, and an alarm. One that names another
//! deployment is left to that one.

use crate::domain::payments::{CheckoutOutcome, PaidFor, Payment, TopUpOutcome, UnknownPayment};
use crate::domain::{AccountId, InvoiceId, PaymentIntentId};
use crate::ports::{LedgerError, UnknownPayments};
use crate::use_cases::{Capabilities, Context};

/// What the metadata of a payment names.
pub(super) struct Named<'a> {
    pub(super) account: &'a AccountId,
    pub(super) paid_for: PaidFor,
    pub(super) is_of_other_deployment: bool,
}

/// What was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    pub payment_intent: Option<PaymentIntentId>,
    pub invoice: Option<InvoiceId>,
    /// In the minor unit of `currency`.
    pub amount: i64,
    pub currency: String,
}

impl Paid {
    /// `None` if nothing was paid.
    pub(super) fn of_purchase(outcome: &CheckoutOutcome) -> Option<Self> {
        match outcome {
            CheckoutOutcome::Paid(payment) | CheckoutOutcome::PaidInPart(payment) => {
                Some(Self::of(payment, payment.amount))
            }
            CheckoutOutcome::Waiting { .. }
            | CheckoutOutcome::Open
            | CheckoutOutcome::Processing
            | CheckoutOutcome::Failed
            | CheckoutOutcome::Expired
            | CheckoutOutcome::Voided => None,
        }
    }

    /// `None` if nothing was paid.
    pub(super) fn of_top_up(outcome: &TopUpOutcome) -> Option<Self> {
        match outcome {
            TopUpOutcome::Paid(payment) => Some(Self::of(payment, payment.amount)),
            TopUpOutcome::PartlyPaid { payment, received } => Some(Self::of(payment, *received)),
            TopUpOutcome::Declined { .. }
            | TopUpOutcome::ActionRequired { .. }
            | TopUpOutcome::Processing { .. }
            | TopUpOutcome::Refused { .. }
            | TopUpOutcome::Abandoned
            | TopUpOutcome::Unknown => None,
        }
    }

    fn of(payment: &Payment, amount: i64) -> Self {
        Self {
            payment_intent: payment.payment_intent.clone(),
            invoice: payment.invoice.clone(),
            amount,
            currency: payment.currency.clone(),
        }
    }
}

/// Raises a flag, unless there is one for this purchase or top-up. Returns whether it is new.
pub(super) async fn flag_unknown<C: Capabilities<Ledger: UnknownPayments>>(
    context: &Context<C>,
    named: &Named<'_>,
    paid: &Paid,
) -> Result<bool, LedgerError> {
    let Named { account, paid_for, is_of_other_deployment } = named;
    if *is_of_other_deployment {
        tracing::info!(account.id = %account, paid_for = %paid_for, "a payment of another deployment is left to it");
        return Ok(false);
    }
    let Paid { payment_intent, invoice, amount, currency } = paid.clone();
    let (account, paid_for, found_at) = ((*account).clone(), paid_for.clone(), context.now());
    let unknown = UnknownPayment { account, paid_for, payment_intent, invoice, amount, currency, found_at };
    if !context.ledger.unknown_payment_flag(&unknown).await? {
        return Ok(false);
    }
    tracing::error!(
        account.id = %unknown.account,
        paid_for = %unknown.paid_for,
        payment.amount_minor = unknown.amount,
        payment.currency = unknown.currency,
        payment.intent = unknown.payment_intent.as_ref().map(PaymentIntentId::as_str),
        "a payment was made for a purchase or a top-up of which no row knows; nothing is granted until a person has investigated"
    );
    Ok(true)
}
