//! Checkout sessions: their fields, and how one is completed. <https://docs.stripe.com/api/checkout/sessions>
//!
//! The requests are in [`super::checkout_operations`], the page in `pages::checkout`.

use serde_json::{Value, json};

use super::customer::{self, Customer, TaxExempt};
use super::payment_intent::{self, Draft, Outcome, Purpose};
use super::tax_id::{self, Given};
use super::{Address, invoice, invoice_item, invoice_operations, payment_method, render_automatic_tax, setup_intent};
use crate::error::ApiError;
use crate::instruments::Instrument;
use crate::instruments::Kind;
use crate::parameters::Metadata;
use crate::state::{Resource, State, list_of};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Payment,
    Setup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Open,
    Complete,
    Expired,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Expired => "expired",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct LineItem {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) price: Option<String>,
    /// In minor units of the session's currency.
    pub(crate) unit_amount: i64,
    pub(crate) quantity: u32,
}

impl LineItem {
    pub(crate) fn amount(&self) -> i64 {
        self.unit_amount * i64::from(self.quantity)
    }
}

/// The content of the invoice that a payment creates.
#[derive(Debug, Clone, Default)]
pub(crate) struct InvoiceData {
    pub(crate) description: Option<String>,
    pub(crate) footer: Option<String>,
    pub(crate) metadata: Metadata,
}

/// The content of the payment intent or setup intent.
#[derive(Debug, Clone, Default)]
pub(crate) struct IntentData {
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) setup_future_usage: Option<String>,
}

#[derive(Debug)]
pub(crate) struct CheckoutSession {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) mode: Mode,
    pub(crate) status: Status,
    pub(crate) currency: Option<String>,
    pub(crate) customer: Option<String>,
    pub(crate) customer_email: Option<String>,
    pub(crate) creates_customer: bool,
    pub(crate) client_reference_id: Option<String>,
    pub(crate) success_url: String,
    pub(crate) cancel_url: Option<String>,
    pub(crate) expires_at: i64,
    pub(crate) line_items: Vec<LineItem>,
    /// The page accepts only these.
    pub(crate) payment_method_kinds: Vec<Kind>,
    pub(crate) metadata: Metadata,
    pub(crate) has_automatic_tax: bool,
    /// The page asks for the whole address.
    pub(crate) collects_address: bool,
    /// The page asks for the company's name and tax id, unless the customer has a tax id.
    pub(crate) collects_tax_id: bool,
    /// The address from the page is stored for the customer.
    pub(crate) updates_address: bool,
    /// And the company's name.
    pub(crate) updates_name: bool,
    /// What was entered last on the page.
    pub(crate) entered: Entered,
    /// Present if a paid session creates an invoice.
    pub(crate) invoice_data: Option<InvoiceData>,
    pub(crate) intent_data: IntentData,
    pub(crate) payment_intent: Option<String>,
    pub(crate) setup_intent: Option<String>,
    pub(crate) invoice: Option<String>,
}

impl CheckoutSession {
    /// Whether the page offers this kind, and the kind accepts its currency.
    pub(crate) fn takes(&self, kind: Kind) -> bool {
        self.payment_method_kinds.contains(&kind) && self.currency.as_deref().is_none_or(|own| kind.takes(own))
    }

    pub(crate) fn asks_tax_id(&self, state: &State) -> bool {
        let has_one = |customer: &str| tax_id::of_customer(state, customer).next().is_some();
        self.collects_tax_id && !self.customer.as_deref().is_some_and(has_one)
    }

    /// Why the page does not accept what was entered.
    fn refusal_of(&self, entered: &Entered, state: &State) -> Option<String> {
        if self.collects_address && (entered.address.line1.is_none() || entered.address.country.is_none()) {
            return Some("Enter the billing address.".to_owned());
        }
        let tax_id = entered.tax_id.as_ref().filter(|_| self.asks_tax_id(state))?;
        if entered.business_name.is_none() {
            return Some("Enter the name of the business.".to_owned());
        }
        tax_id.check().err().map(|refusal| refusal.message)
    }

    pub(crate) fn subtotal(&self) -> i64 {
        self.line_items.iter().map(LineItem::amount).sum()
    }

    pub(crate) fn tax(&self, state: &State) -> i64 {
        let owner = self.customer.as_deref().and_then(|customer| state.customers.find(customer));
        let is_exempt = owner.is_some_and(|owner| owner.tax_exempt() != TaxExempt::None);
        if !self.has_automatic_tax || is_exempt {
            return 0;
        }
        state.tax_on(self.subtotal(), self.currency.as_deref().unwrap_or("usd"))
    }

    pub(crate) fn total(&self, state: &State) -> i64 {
        self.subtotal() + self.tax(state)
    }

    /// A completed session is not paid while its bank debit is in progress, or after the debit was returned.
    fn is_paid(&self, state: &State) -> bool {
        let intent = self.payment_intent.as_deref().and_then(|intent| state.payment_intents.find(intent));
        intent.is_some_and(|intent| intent.status == payment_intent::Status::Succeeded)
    }

    /// Where the customer's browser goes afterwards.
    pub(crate) fn return_url(&self) -> String {
        self.success_url.replace("{CHECKOUT_SESSION_ID}", &self.id)
    }

    pub(crate) fn render_line_items(&self) -> Value {
        let items = self.line_items.iter().map(|item| {
            json!({
                "id": item.id,
                "object": "item",
                "amount_discount": 0,
                "amount_subtotal": item.amount(),
                "amount_tax": 0,
                "amount_total": item.amount(),
                "currency": self.currency,
                "description": item.name,
                "price": item.price,
                "quantity": item.quantity,
            })
        });
        list_of(items.collect(), false, &format!("/v1/checkout/sessions/{}/line_items", self.id))
    }
}

impl Resource for CheckoutSession {
    const NAME: &'static str = "checkout.session";

    fn render(&self, state: &State) -> Value {
        let is_payment = self.mode == Mode::Payment;
        let owner = self.customer.as_deref().and_then(|customer| state.customers.find(customer));
        let email = owner.and_then(|owner| owner.email.as_ref()).or(self.customer_email.as_ref());
        let payment_status = match (self.mode, self.status) {
            (Mode::Setup, _) => "no_payment_required",
            (Mode::Payment, Status::Complete) if self.is_paid(state) => "paid",
            (Mode::Payment, _) => "unpaid",
        };
        json!({
            "id": self.id,
            "object": "checkout.session",
            "allow_promotion_codes": null,
            "amount_subtotal": is_payment.then(|| self.subtotal()),
            "amount_total": is_payment.then(|| self.total(state)),
            "automatic_tax": render_automatic_tax(self.has_automatic_tax, owner.is_some_and(Customer::is_located)),
            "billing_address_collection": if self.collects_address { "required" } else { "auto" },
            "cancel_url": self.cancel_url,
            "client_reference_id": self.client_reference_id,
            "client_secret": null,
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "customer_creation": is_payment.then_some(if self.creates_customer { "always" } else { "if_required" }),
            "customer_details": email.map(|email| json!({
                "address": self.entered.address.clone().given().filter(|_| self.collects_address).map(|address| address.render()),
                "business_name": self.entered.business_name,
                "email": email,
                "name": owner.and_then(|owner| owner.name.as_deref()),
                "phone": null,
                "tax_exempt": owner.map_or("none", |owner| owner.tax_exempt().as_str()),
                "tax_ids": self.collects_tax_id.then(|| self.entered.tax_id.iter().map(Given::render).collect::<Vec<_>>()),
            })),
            "customer_email": self.customer_email,
            "expires_at": self.expires_at,
            "invoice": self.invoice,
            "invoice_creation": is_payment.then(|| json!({
                "enabled": self.invoice_data.is_some(),
                "invoice_data": {
                    "account_tax_ids": null,
                    "custom_fields": null,
                    "description": self.invoice_data.as_ref().and_then(|data| data.description.as_deref()),
                    "footer": self.invoice_data.as_ref().and_then(|data| data.footer.as_deref()),
                    "issuer": null,
                    "metadata": self.invoice_data.as_ref().map(|data| &data.metadata),
                    "rendering_options": null,
                },
            })),
            "livemode": false,
            "locale": null,
            "metadata": self.metadata,
            "mode": if is_payment { "payment" } else { "setup" },
            "payment_intent": self.payment_intent,
            "payment_method_types": self.payment_method_kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
            "payment_status": payment_status,
            "recovered_from": null,
            "setup_intent": self.setup_intent,
            "status": self.status.as_str(),
            "submit_type": null,
            "subscription": null,
            "success_url": self.success_url,
            "tax_id_collection": self.collects_tax_id.then(|| json!({ "enabled": true, "required": "never" })),
            "total_details": is_payment.then(|| json!({
                "amount_discount": 0,
                "amount_shipping": 0,
                "amount_tax": self.tax(state),
            })),
            "ui_mode": "hosted",
            "url": (self.status == Status::Open).then(|| state.url(&format!("/c/pay/{}", self.id))),
        })
    }
}

/// The result of submitting a card on the page.
#[derive(Debug)]
pub(crate) enum Submission {
    Completed,
    /// The customer is sent to the bank for this intent.
    NeedsAuthentication(String),
    Refused(String),
}

/// The customer's input.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) card_number: String,
    pub(crate) email: Option<String>,
    pub(crate) entered: Entered,
}

/// The customer's input that is not about the payment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entered {
    pub(crate) address: Address,
    pub(crate) business_name: Option<String>,
    pub(crate) tax_id: Option<Given>,
}

/// The customer pressed the button.
pub(crate) fn submit(state: &mut State, id: &str, typed: Typed) -> Result<Submission, ApiError> {
    let session = state.checkout_sessions.get(id)?;
    if session.status != Status::Open {
        return Err(ApiError::invalid_state(None, format!("This session is {}.", session.status.as_str())));
    }
    let Some(instrument) = Instrument::by_number(&typed.card_number) else {
        return Ok(Submission::Refused(payment_method::unknown_number().message));
    };
    if !session.takes(instrument.kind) {
        let message = format!("A {} cannot be used here.", instrument.kind.as_str());
        return Ok(Submission::Refused(message));
    }
    if let Some(message) = session.refusal_of(&typed.entered, state) {
        return Ok(Submission::Refused(message));
    }
    let payment_method = payment_method::insert(state, instrument);
    submit_method(state, id, &payment_method, typed.email, typed.entered)
}

/// The request that Stripe's own page sends when the button is pressed.
pub(crate) fn submit_method(
    state: &mut State,
    id: &str,
    payment_method: &str,
    email: Option<String>,
    entered: Entered,
) -> Result<Submission, ApiError> {
    let mode = state.checkout_sessions.get(id)?.mode;
    make_customer_if_wanted(state, id, email)?;
    locate_customer_if_wanted(state, id, &entered.address)?;
    state.checkout_sessions.get_mut(id)?.entered = entered;
    match mode {
        Mode::Payment => pay(state, id, payment_method),
        Mode::Setup => set_up(state, id, payment_method),
    }
}

fn make_customer_if_wanted(state: &mut State, id: &str, email: Option<String>) -> Result<(), ApiError> {
    let session = state.checkout_sessions.get_mut(id)?;
    if session.customer_email.is_none() {
        session.customer_email = email.filter(|email| !email.is_empty());
    }
    let is_wanted =
        session.creates_customer || session.invoice_data.is_some() || session.intent_data.setup_future_usage.is_some();
    if session.mode == Mode::Payment && session.customer.is_none() && is_wanted {
        let email = session.customer_email.clone();
        let customer = customer::insert(state, email);
        state.checkout_sessions.get_mut(id)?.customer = Some(customer.clone());
        state.emit("customer.created", &customer);
    }
    Ok(())
}

/// Also stores an address if the customer has none; otherwise the invoice's tax could not be calculated.
fn locate_customer_if_wanted(state: &mut State, id: &str, address: &Address) -> Result<(), ApiError> {
    let session = state.checkout_sessions.get(id)?;
    let Some(customer) = session.customer.clone().filter(|_| session.has_automatic_tax) else {
        return Ok(());
    };
    if session.updates_address || !state.customers.get(&customer)?.is_located() {
        let known = state.customers.get(&customer)?.address.clone().unwrap_or_default();
        let located = Address { country: address.country.clone(), ..known };
        customer::save(state, &customer, located.given(), None)?;
    }
    Ok(())
}

/// Stores what the page collected, once the customer has paid: <https://docs.stripe.com/tax/checkout/tax-ids>.
fn save_what_was_entered(state: &mut State, id: &str) -> Result<(), ApiError> {
    let session = state.checkout_sessions.get(id)?;
    let Some(customer) = session.customer.clone() else { return Ok(()) };
    let Entered { address, business_name, tax_id } = session.entered.clone();
    let address = address.given().filter(|_| session.collects_address && session.updates_address);
    let asks_tax_id = session.asks_tax_id(state);
    let name = business_name.filter(|_| asks_tax_id && session.updates_name);
    customer::save(state, &customer, address, name)?;
    if let Some(tax_id) = tax_id.filter(|_| asks_tax_id) {
        tax_id::insert(state, &customer, tax_id);
    }
    Ok(())
}

fn pay(state: &mut State, id: &str, payment_method: &str) -> Result<Submission, ApiError> {
    let session = state.checkout_sessions.get(id)?;
    let intent = match session.payment_intent.clone() {
        Some(intent) => intent,
        None => {
            let draft = Draft {
                amount: session.total(state),
                currency: session.currency.clone().unwrap_or_else(|| "usd".to_owned()),
                customer: session.customer.clone(),
                description: session.intent_data.description.clone(),
                metadata: session.intent_data.metadata.clone(),
                setup_future_usage: session.intent_data.setup_future_usage.clone(),
                purpose: Purpose::CheckoutSession(id.to_owned()),
            };
            let intent = payment_intent::insert(state, draft);
            state.checkout_sessions.get_mut(id)?.payment_intent = Some(intent.clone());
            intent
        }
    };
    Ok(match payment_intent::attempt(state, &intent, payment_method, false)? {
        Outcome::Succeeded | Outcome::Processing => Submission::Completed,
        Outcome::ActionRequired => Submission::NeedsAuthentication(intent),
        Outcome::Declined(refusal) => Submission::Refused(refusal.message),
    })
}

fn set_up(state: &mut State, id: &str, payment_method: &str) -> Result<Submission, ApiError> {
    let intent = state.checkout_sessions.get(id)?.setup_intent.clone().ok_or_else(ApiError::internal)?;
    setup_intent::attempt(state, &intent, payment_method)?;
    let intent_now = state.setup_intents.get(&intent)?;
    Ok(match intent_now.status {
        setup_intent::Status::Succeeded => Submission::Completed,
        setup_intent::Status::RequiresAction => Submission::NeedsAuthentication(intent),
        setup_intent::Status::RequiresPaymentMethod | setup_intent::Status::Canceled => {
            Submission::Refused(intent_now.last_error_message().unwrap_or_default().to_owned())
        }
    })
}

/// Called by the payment intent with the outcome of an attempt. Only a successful one completes the session.
pub(crate) fn follow_payment(state: &mut State, id: &str, outcome: &Outcome) -> Result<(), ApiError> {
    match outcome {
        Outcome::Succeeded => {
            state.checkout_sessions.get_mut(id)?.status = Status::Complete;
            save_what_was_entered(state, id)?;
            make_invoice_if_wanted(state, id)?;
        }
        Outcome::Processing => {
            state.checkout_sessions.get_mut(id)?.status = Status::Complete;
            save_what_was_entered(state, id)?;
        }
        Outcome::ActionRequired | Outcome::Declined(_) => return Ok(()),
    }
    state.emit("checkout.session.completed", id);
    Ok(())
}

/// Called days later with the bank's answer:
/// <https://docs.stripe.com/payments/checkout/fulfillment#delayed-notification>.
pub(crate) fn follow_settlement(state: &mut State, id: &str, outcome: &Outcome) -> Result<(), ApiError> {
    match outcome {
        Outcome::Succeeded => {
            make_invoice_if_wanted(state, id)?;
            state.emit("checkout.session.async_payment_succeeded", id);
        }
        Outcome::Declined(_) => state.emit("checkout.session.async_payment_failed", id),
        Outcome::Processing | Outcome::ActionRequired => {}
    }
    Ok(())
}

/// Makes the page charge something else than the session was created for, as a currency conversion or a mistake in the
/// dashboard may do.
///
/// # Errors
/// Unless the session is open and has the mode payment.
pub(crate) fn reprice(state: &mut State, id: &str, currency: String, amount: i64) -> Result<(), ApiError> {
    let session = state.checkout_sessions.get_mut(id)?;
    if session.status != Status::Open || session.mode != Mode::Payment || session.payment_intent.is_some() {
        return Err(ApiError::invalid_state(None, "Only an open payment session without a payment can be repriced."));
    }
    session.currency = Some(currency);
    session.line_items.truncate(1);
    for item in &mut session.line_items {
        item.unit_amount = amount;
        item.quantity = 1;
    }
    Ok(())
}

fn make_invoice_if_wanted(state: &mut State, id: &str) -> Result<(), ApiError> {
    let session = state.checkout_sessions.get(id)?;
    let (Some(data), Some(customer), Some(intent)) =
        (session.invoice_data.clone(), session.customer.clone(), session.payment_intent.clone())
    else {
        return Ok(());
    };
    let currency = session.currency.clone().unwrap_or_else(|| "usd".to_owned());
    let (has_automatic_tax, line_items) = (session.has_automatic_tax, session.line_items.clone());
    let invoice = invoice_operations::insert(state, &customer, &currency, has_automatic_tax, data.metadata);
    for item in line_items {
        let draft = invoice_item::Draft {
            customer: customer.clone(),
            invoice: Some(invoice.clone()),
            amount: item.amount(),
            currency: currency.clone(),
            description: Some(item.name),
        };
        invoice_item::insert(state, draft, u64::from(item.quantity), Metadata::new());
    }
    let created = state.invoices.get_mut(&invoice)?;
    created.description = data.description;
    created.footer = data.footer;
    state.emit("invoice.created", &invoice);
    state.checkout_sessions.get_mut(id)?.invoice = Some(invoice.clone());
    invoice::finalize_as_paid_by(state, &invoice, &intent)
}

/// Called by the setup intent when the card is saved.
pub(crate) fn complete_setup(state: &mut State, id: &str) -> Result<(), ApiError> {
    state.checkout_sessions.get_mut(id)?.status = Status::Complete;
    state.emit("checkout.session.completed", id);
    Ok(())
}

/// Ends an open session and cancels a payment that was started in it.
pub(crate) fn expire(state: &mut State, id: &str) -> Result<(), ApiError> {
    let session = state.checkout_sessions.get_mut(id)?;
    session.status = Status::Expired;
    let (payment_intent, setup_intent) = (session.payment_intent.clone(), session.setup_intent.clone());
    if let Some(intent) = payment_intent {
        payment_intent::cancel(state, &intent, "automatic")?;
    }
    if let Some(intent) = setup_intent {
        setup_intent::cancel(state, &intent)?;
    }
    state.emit("checkout.session.expired", id);
    Ok(())
}

pub(crate) fn expire_due(state: &mut State) {
    let now = state.now_seconds();
    let due: Vec<String> = state
        .checkout_sessions
        .iter()
        .filter(|(_, session)| session.status == Status::Open && session.expires_at <= now)
        .map(|(id, _)| id.to_owned())
        .collect();
    for id in due {
        if let Err(refusal) = expire(state, &id) {
            tracing::warn!(session.id = id, message = refusal.message, "a session could not be expired");
        }
    }
}
