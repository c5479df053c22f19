//! Invoices: their fields, and what each state allows. <https://docs.stripe.com/invoicing/overview#lifecycle>
//!
//! The operations are in [`super::invoice_operations`]; the card is charged by [`payment_intent`].
//! Since API 2025-03-31 an invoice does not name its payment intent, which can only be found in its list of payments.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::bank_transfer;
use super::customer::{self, Customer, TaxExempt};
use super::customer_balance::{self, Reason};
use super::discount::Discount;
use super::payment_intent::{self, Draft, Outcome, Purpose};
use super::tax_id::{self, Given};
use super::{Address, CustomField, invoice_item, invoice_payment, render_automatic_tax};
use crate::currencies;
use crate::error::ApiError;
use crate::parameters::Metadata;
use crate::state::{Resource, State, list_of};

/// How long a hosted page's link works. Every retrieval returns a new link:
/// <https://docs.stripe.com/invoicing/hosted-invoice-page>.
const HOSTED_URL_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a draft with automatic advancement can be edited:
/// <https://docs.stripe.com/invoicing/integration/automatic-advancement-collection>.
const AUTO_ADVANCE_AFTER: SignedDuration = SignedDuration::from_hours(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Draft,
    Open,
    Paid,
    Void,
    Uncollectible,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
            Self::Uncollectible => "uncollectible",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Transitions {
    finalized_at: Option<i64>,
    pub(crate) marked_uncollectible_at: Option<i64>,
    paid_at: Option<i64>,
    voided_at: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) customer: String,
    pub(crate) currency: String,
    pub(crate) status: Status,
    pub(crate) auto_advance: bool,
    pub(crate) has_automatic_tax: bool,
    pub(crate) collection_method: String,
    pub(crate) default_payment_method: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) footer: Option<String>,
    pub(crate) due_date: Option<i64>,
    /// Those of the customer when the draft was created.
    pub(crate) custom_fields: Vec<CustomField>,
    /// The customer at finalization; `None` for a draft.
    pub(crate) billed_to: Option<BilledTo>,
    pub(crate) metadata: Metadata,
    pub(crate) number: Option<String>,
    pub(crate) attempt_count: u32,
    pub(crate) last_finalization_error: Option<Value>,
    pub(crate) transitions: Transitions,
    /// The customer's discount when the draft was created.
    pub(crate) discount: Option<Discount>,
    /// The amounts that finalization computed; `None` for a draft.
    pub(crate) demand: Option<Demand>,
    pub(crate) amount_paid: i64,
    pub(crate) amount_overpaid: i64,
    pub(crate) amount_paid_off_stripe: i64,
    /// By credit notes from before and after the payment.
    pub(crate) pre_payment_credited: i64,
    pub(crate) post_payment_credited: i64,
}

/// What a finalized invoice says of its customer, whatever is changed later:
/// <https://docs.stripe.com/api/invoices/object#invoice_object-customer_tax_ids>.
#[derive(Debug, Clone, Default)]
pub(crate) struct BilledTo {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) address: Option<Address>,
    pub(crate) tax_exempt: TaxExempt,
    pub(crate) tax_ids: Vec<Given>,
}

impl BilledTo {
    fn now(state: &State, customer: &str) -> Self {
        let Some(owner) = state.customers.find(customer) else { return Self::default() };
        Self {
            name: owner.name.clone(),
            email: owner.email.clone(),
            address: owner.address.clone(),
            tax_exempt: owner.tax_exempt(),
            tax_ids: tax_id::given_by(state, customer),
        }
    }
}

/// In minor units of the currency.
pub(crate) struct Amounts {
    pub(crate) subtotal: i64,
    pub(crate) discount: i64,
    pub(crate) tax: i64,
}

impl Amounts {
    pub(crate) fn net(&self) -> i64 {
        self.subtotal - self.discount
    }

    pub(crate) fn total(&self) -> i64 {
        self.net() + self.tax
    }
}

/// The amount due after the customer's balance was applied: <https://docs.stripe.com/billing/customer/balance>.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    pub(crate) amount: i64,
    starting_balance: i64,
    ending_balance: i64,
}

impl Demand {
    /// An amount below the minimum charge becomes a debt, and nothing is due.
    fn of(total: i64, balance: i64, currency: &str) -> Self {
        let due = total + balance;
        if due < currencies::minimum_charge(currency).max(1) {
            Self { amount: 0, starting_balance: balance, ending_balance: due }
        } else {
            Self { amount: due, starting_balance: balance, ending_balance: 0 }
        }
    }

    /// How finalization changed the balance.
    fn balance_change(self) -> i64 {
        self.ending_balance - self.starting_balance
    }
}

impl Invoice {
    pub(crate) fn amounts(&self, state: &State) -> Amounts {
        let subtotal = invoice_item::of_invoice(state, &self.id).map(|item| item.amount).sum();
        let discount = self.discount.as_ref().map_or(0, |discount| discount.amount(subtotal, &self.currency));
        let is_taxed = self.has_automatic_tax && self.is_located(state) && self.tax_exempt(state) == TaxExempt::None;
        let tax = if is_taxed { state.tax_on(subtotal - discount, &self.currency) } else { 0 };
        Amounts { subtotal, discount, tax }
    }

    /// For a draft, the amounts that it would have if it were finalized now.
    fn demand(&self, state: &State) -> Demand {
        self.demand.unwrap_or_else(|| {
            let balance = customer_balance::of(state, &self.customer, &self.currency);
            Demand::of(self.amounts(state).total(), balance, &self.currency)
        })
    }

    /// After the credit notes from before the payment.
    pub(crate) fn amount_due(&self, state: &State) -> i64 {
        self.demand(state).amount - self.pre_payment_credited
    }

    pub(crate) fn amount_remaining(&self, state: &State) -> i64 {
        (self.amount_due(state) - self.amount_paid).max(0)
    }

    /// The most that credit notes may still take back.
    pub(crate) fn creditable(&self, state: &State) -> i64 {
        self.amounts(state).total() - self.pre_payment_credited - self.post_payment_credited
    }

    pub(crate) fn billed_to(&self, state: &State) -> BilledTo {
        self.billed_to.clone().unwrap_or_else(|| BilledTo::now(state, &self.customer))
    }

    fn tax_exempt(&self, state: &State) -> TaxExempt {
        match &self.billed_to {
            Some(billed_to) => billed_to.tax_exempt,
            None => state.customers.find(&self.customer).map(Customer::tax_exempt).unwrap_or_default(),
        }
    }

    fn is_located(&self, state: &State) -> bool {
        if let Some(billed_to) = &self.billed_to {
            return billed_to.address.as_ref().is_some_and(|address| address.country.is_some());
        }
        state.customers.find(&self.customer).is_some_and(Customer::is_located)
    }

    /// Empty for a draft. Otherwise a link that works for [`HOSTED_URL_LIFE`] from now.
    fn hosted_url(&self, state: &State, page: &str) -> Option<String> {
        let expires = state.seconds_after(HOSTED_URL_LIFE);
        (self.status != Status::Draft).then(|| state.url(&format!("/i/{}{page}?expires={expires}", self.id)))
    }
}

impl Resource for Invoice {
    const NAME: &'static str = "invoice";

    fn render(&self, state: &State) -> Value {
        let amounts = self.amounts(state);
        let total = amounts.total();
        let demand = self.demand(state);
        let billed_to = self.billed_to(state);
        let lines = invoice_item::of_invoice(state, &self.id).map(|item| item.render_line()).collect();
        json!({
            "id": self.id,
            "object": "invoice",
            "account_country": "US",
            "account_name": "Local test account",
            "amount_due": self.amount_due(state),
            "amount_overpaid": self.amount_overpaid,
            "amount_paid": self.amount_paid,
            "amount_remaining": self.amount_remaining(state),
            "amount_shipping": 0,
            "attempt_count": self.attempt_count,
            "attempted": self.attempt_count > 0,
            "auto_advance": self.auto_advance,
            "automatic_tax": render_automatic_tax(self.has_automatic_tax, self.is_located(state)),
            "automatically_finalizes_at": (self.auto_advance && self.status == Status::Draft)
                .then(|| self.created + AUTO_ADVANCE_AFTER.as_secs()),
            "billing_reason": "manual",
            "collection_method": self.collection_method,
            "created": self.created,
            "currency": self.currency,
            "custom_fields": CustomField::render(&self.custom_fields),
            "customer": self.customer,
            "customer_address": billed_to.address.as_ref().map(Address::render),
            "customer_email": billed_to.email,
            "customer_tax_exempt": billed_to.tax_exempt.as_str(),
            "customer_tax_ids": billed_to.tax_ids.iter().map(Given::render).collect::<Vec<_>>(),
            "customer_name": billed_to.name,
            "default_payment_method": self.default_payment_method,
            "default_source": null,
            "description": self.description,
            "discounts": self.discount.iter().map(Discount::id).collect::<Vec<_>>(),
            "due_date": self.due_date,
            "effective_at": self.transitions.finalized_at,
            "ending_balance": self.demand.map(|demand| demand.ending_balance),
            "footer": self.footer,
            "hosted_invoice_url": self.hosted_url(state, ""),
            "invoice_pdf": self.hosted_url(state, "/pdf"),
            "last_finalization_error": self.last_finalization_error,
            "lines": list_of(lines, false, &format!("/v1/invoices/{}/lines", self.id)),
            "livemode": false,
            "metadata": self.metadata,
            "next_payment_attempt": null,
            "number": self.number,
            "parent": null,
            "period_end": self.created,
            "period_start": self.created,
            "post_payment_credit_notes_amount": self.post_payment_credited,
            "pre_payment_credit_notes_amount": self.pre_payment_credited,
            "receipt_number": null,
            "starting_balance": demand.starting_balance,
            "statement_descriptor": null,
            "status": self.status.as_str(),
            "status_transitions": {
                "finalized_at": self.transitions.finalized_at,
                "marked_uncollectible_at": self.transitions.marked_uncollectible_at,
                "paid_at": self.transitions.paid_at,
                "voided_at": self.transitions.voided_at,
            },
            "subtotal": amounts.subtotal,
            "subtotal_excluding_tax": amounts.subtotal,
            "total": total,
            "total_discount_amounts": self.discount.iter()
                .map(|discount| json!({ "amount": amounts.discount, "discount": discount.id() }))
                .collect::<Vec<_>>(),
            "total_excluding_tax": amounts.net(),
            "total_taxes": if self.has_automatic_tax {
                json!([{
                    "amount": amounts.tax,
                    "tax_behavior": "exclusive",
                    "tax_rate_details": null,
                    "taxability_reason": self.tax_exempt(state).reason(),
                    "taxable_amount": amounts.net(),
                    "type": "tax_rate_details",
                }])
            } else {
                json!([])
            },
            "webhooks_delivered_at": null,
        })
    }
}

/// Opens a draft, with a number and a payment intent. It is paid at once if nothing is due.
///
/// # Errors
/// For a deleted customer, and with automatic tax for a customer without an address. The invoice then remains a draft
/// and an event reports it: <https://docs.stripe.com/tax/customer-locations>.
pub(crate) fn finalize(state: &mut State, id: &str) -> Result<(), ApiError> {
    let draft = state.invoices.get(id)?;
    customer::existing(state, &draft.customer, Some("customer"))?;
    if draft.has_automatic_tax && !draft.is_located(state) {
        let refusal = no_tax_location();
        state.invoices.get_mut(id)?.last_finalization_error = Some(refusal.object());
        state.emit("invoice.finalization_failed", id);
        return Err(refusal);
    }
    let demand = draft.demand(state);
    let (customer, currency) = (draft.customer.clone(), draft.currency.clone());
    let number = open(state, id, demand)?;
    if demand.balance_change() != 0 {
        let reason = Reason::AppliedToInvoice(id.to_owned());
        customer_balance::change(state, &customer, demand.balance_change(), &currency, reason)?;
    }
    if demand.amount > 0 {
        let draft = Draft {
            amount: demand.amount,
            currency,
            customer: Some(customer),
            description: Some(format!("Payment for Invoice {number}")),
            metadata: Metadata::new(),
            setup_future_usage: None,
            purpose: Purpose::Invoice(id.to_owned()),
        };
        let intent = payment_intent::insert(state, draft);
        invoice_payment::insert(state, id, &intent, demand.amount);
    }
    state.emit("invoice.finalized", id);
    if demand.amount == 0 {
        return mark_paid(state, id);
    }
    let customer = state.invoices.get(id)?.customer.clone();
    bank_transfer::reconcile(state, &customer)
}

/// Gives the draft its number and its amount due.
fn open(state: &mut State, id: &str, demand: Demand) -> Result<String, ApiError> {
    let customer = state.invoices.get(id)?.customer.clone();
    let number = customer::take_invoice_number(state, &customer)?;
    let now = state.now_seconds();
    let billed_to = BilledTo::now(state, &customer);
    let invoice = state.invoices.get_mut(id)?;
    invoice.billed_to = Some(billed_to);
    invoice.status = Status::Open;
    invoice.last_finalization_error = None;
    invoice.number = Some(number.clone());
    invoice.transitions.finalized_at = Some(now);
    invoice.demand = Some(demand);
    Ok(number)
}

/// Called by the payment intent with the outcome of an attempt.
pub(crate) fn follow_payment(state: &mut State, id: &str, outcome: &Outcome) -> Result<(), ApiError> {
    let before = state.render(id);
    state.invoices.get_mut(id)?.attempt_count += 1;
    follow(state, id, outcome, &before)
}

/// Called by the payment intent with the outcome of an attempt that was already counted when it began.
pub(crate) fn follow_settlement(state: &mut State, id: &str, outcome: &Outcome) -> Result<(), ApiError> {
    let before = state.render(id);
    follow(state, id, outcome, &before)
}

fn follow(state: &mut State, id: &str, outcome: &Outcome, before: &Value) -> Result<(), ApiError> {
    let kinds: &[&str] = match outcome {
        Outcome::Succeeded => {
            let amount = state.invoices.get(id)?.amount_remaining(state);
            state.invoices.get_mut(id)?.amount_paid += amount;
            invoice_payment::settle(state, id);
            return mark_paid(state, id);
        }
        Outcome::Processing => &[],
        Outcome::ActionRequired => &["invoice.payment_action_required", "invoice.payment_failed"],
        Outcome::Declined(_) => &["invoice.payment_failed"],
    };
    state.emit_update("invoice.updated", id, before);
    for kind in kinds {
        state.emit(kind, id);
    }
    Ok(())
}

/// Nothing is due any more, for whatever reason.
pub(crate) fn mark_paid(state: &mut State, id: &str) -> Result<(), ApiError> {
    let before = state.render(id);
    let now = state.now_seconds();
    let invoice = state.invoices.get_mut(id)?;
    invoice.status = Status::Paid;
    invoice.transitions.paid_at = Some(now);
    state.emit_update("invoice.updated", id, &before);
    state.emit("invoice.paid", id);
    state.emit("invoice.payment_succeeded", id);
    Ok(())
}

/// A part was paid, or more than was due, by a payment of its own. What is beyond is kept as the customer's credit:
/// <https://docs.stripe.com/invoicing/partial-payments>.
pub(crate) fn pay_part(
    state: &mut State,
    id: &str,
    payment_intent: Option<String>,
    amount: i64,
) -> Result<(), ApiError> {
    let before = state.render(id);
    let is_off_stripe = payment_intent.is_none();
    let due = state.invoices.get(id)?.amount_remaining(state);
    invoice_payment::insert_paid(state, id, payment_intent, amount);
    let overpaid = (amount - due).max(0);
    let invoice = state.invoices.get_mut(id)?;
    invoice.amount_paid += amount;
    invoice.amount_overpaid = overpaid;
    if is_off_stripe {
        invoice.amount_paid_off_stripe += amount;
    }
    let (customer, currency) = (invoice.customer.clone(), invoice.currency.clone());
    if amount < due {
        invoice_payment::request(state, id, due - amount)?;
        state.emit_update("invoice.updated", id, &before);
        return Ok(());
    }
    if let Some(intent) = invoice_payment::intent_of_invoice(state, id) {
        payment_intent::cancel(state, &intent, "automatic")?;
    }
    invoice_payment::cancel(state, id);
    if overpaid > 0 {
        customer_balance::change(state, &customer, -overpaid, &currency, Reason::Adjustment)?;
    }
    mark_paid(state, id)?;
    if overpaid > 0 {
        state.emit("invoice.overpaid", id);
    }
    Ok(())
}

/// Voids an open invoice, cancels its payment intent and restores the customer's balance.
///
/// # Errors
/// If a payment is processing, because it cannot be canceled, or if a part is paid, which only a credit note takes back.
pub(crate) fn void(state: &mut State, id: &str) -> Result<(), ApiError> {
    if state.invoices.get(id)?.amount_paid > 0 {
        return Err(ApiError::invalid_state(None, "An invoice of which a part is paid cannot be voided."));
    }
    let before = state.render(id);
    if let Some(intent) = invoice_payment::intent_of_invoice(state, id) {
        payment_intent::cancel(state, &intent, "void_invoice")?;
    }
    invoice_payment::cancel(state, id);
    let now = state.now_seconds();
    let invoice = state.invoices.get_mut(id)?;
    invoice.status = Status::Void;
    invoice.transitions.voided_at = Some(now);
    give_balance_back(state, id)?;
    state.emit_update("invoice.updated", id, &before);
    state.emit("invoice.voided", id);
    Ok(())
}

fn give_balance_back(state: &mut State, id: &str) -> Result<(), ApiError> {
    let invoice = state.invoices.get(id)?;
    let change = invoice.demand.map_or(0, Demand::balance_change);
    if change == 0 {
        return Ok(());
    }
    let (customer, currency) = (invoice.customer.clone(), invoice.currency.clone());
    let reason = Reason::UnappliedFromInvoice(id.to_owned());
    customer_balance::change(state, &customer, -change, &currency, reason).map(drop)
}

/// The invoice of a Checkout payment, created when the money has arrived:
/// <https://docs.stripe.com/payments/checkout/receipts#paid-invoices>.
pub(crate) fn finalize_as_paid_by(state: &mut State, id: &str, intent: &str) -> Result<(), ApiError> {
    let amount = state.invoices.get(id)?.amounts(state).total();
    open(state, id, Demand { amount, starting_balance: 0, ending_balance: 0 })?;
    let invoice = state.invoices.get_mut(id)?;
    invoice.attempt_count = 1;
    invoice.amount_paid = amount;
    invoice_payment::insert(state, id, intent, amount);
    state.emit("invoice.finalized", id);
    invoice_payment::settle(state, id);
    mark_paid(state, id)
}

/// Finalizes and collects the invoices with automatic advancement that are due.
pub(crate) fn advance_due(state: &mut State) {
    let now = state.now_seconds();
    let advancing: Vec<String> = state
        .invoices
        .iter()
        .filter(|(_, invoice)| invoice.auto_advance && invoice.attempt_count == 0)
        .filter(|(_, invoice)| match invoice.status {
            Status::Draft => invoice.created + AUTO_ADVANCE_AFTER.as_secs() <= now,
            Status::Open => invoice.collection_method == "charge_automatically",
            Status::Paid | Status::Void | Status::Uncollectible => false,
        })
        .map(|(id, _)| id.to_owned())
        .collect();
    for id in advancing {
        if let Err(refusal) = advance(state, &id) {
            tracing::warn!(
                invoice.id = id,
                message = refusal.message,
                "an invoice could not be advanced automatically"
            );
        }
    }
}

fn advance(state: &mut State, id: &str) -> Result<(), ApiError> {
    if state.invoices.get(id)?.status == Status::Draft {
        finalize(state, id)?;
    }
    let invoice = state.invoices.get(id)?;
    if invoice.status != Status::Open || invoice.collection_method != "charge_automatically" {
        return Ok(());
    }
    match (default_payment_method(state, invoice), invoice_payment::intent_of_invoice(state, id)) {
        (Some(payment_method), Some(intent)) => {
            payment_intent::attempt(state, &intent, &payment_method, true).map(drop)
        }
        _ => follow_payment(state, id, &Outcome::Declined(no_payment_method())),
    }
}

/// The default of the invoice, or else of its customer.
pub(crate) fn default_payment_method(state: &State, invoice: &Invoice) -> Option<String> {
    let of_customer = || state.customers.find(&invoice.customer).and_then(|owner| owner.default_payment_method.clone());
    invoice
        .default_payment_method
        .clone()
        .filter(|method| state.payment_methods.find(method).is_some_and(|method| !method.is_detached))
        .or_else(of_customer)
}

pub(crate) fn no_tax_location() -> ApiError {
    let message = "Automatic tax needs to know where the customer is: the customer has no address with a country.";
    ApiError::invalid_state(Some("customer_tax_location_invalid"), message)
}

pub(crate) fn no_payment_method() -> ApiError {
    let message = "Neither the invoice nor its customer has a default payment method, and none was given.";
    ApiError::invalid_state(Some("resource_missing"), message)
}
