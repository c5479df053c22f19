//! Payment methods, cards and bank accounts: <https://docs.stripe.com/api/payment_methods>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Address, customer};
use crate::error::ApiError;
use crate::instruments::{Authentication, Instrument, Kind, Verdict};
use crate::parameters::{
    Metadata, MetadataChange, NoParameters, Page, merge_metadata, parse, parse_filters, required, set,
};
use crate::state::{Resource, State};

#[derive(Debug)]
pub(crate) struct PaymentMethod {
    id: String,
    created: i64,
    pub(crate) customer: Option<String>,
    /// A detached payment method can never be used again.
    pub(crate) is_detached: bool,
    pub(crate) instrument: &'static Instrument,
    exp_month: u8,
    exp_year: i16,
    /// Authenticated for payments while its customer is not present.
    pub(crate) is_set_up: bool,
    billing_details: BillingDetails,
    metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BillingDetails {
    address: Address,
    email: Option<String>,
    name: Option<String>,
    phone: Option<String>,
}

impl PaymentMethod {
    /// Whether the bank requires authentication before this payment.
    pub(crate) fn needs_authentication(&self, is_off_session: bool) -> bool {
        match self.instrument.authentication {
            Authentication::Never => false,
            Authentication::UnlessSetUp => !(is_off_session && self.is_set_up),
            Authentication::Always => true,
            Authentication::OnSessionOnly => !is_off_session,
        }
    }

    pub(crate) fn email(&self) -> Option<&str> {
        self.billing_details.email.as_deref()
    }

    pub(crate) fn label(&self) -> String {
        format!("{} •••• {}", self.instrument.brand, self.instrument.last4())
    }

    /// The details under the name of the kind, here and in a charge.
    pub(crate) fn render_details(&self) -> Value {
        match self.instrument.kind {
            Kind::Card => self.render_card(),
            Kind::UsBankAccount => json!({
                "account_holder_type": "individual",
                "account_type": "checking",
                "bank_name": self.instrument.brand,
                "fingerprint": format!("fp{}", self.instrument.number),
                "last4": self.instrument.last4(),
                "routing_number": "110000000",
            }),
            Kind::SepaDebit => json!({
                "bank_code": &self.instrument.number[4..9],
                "branch_code": null,
                "country": &self.instrument.number[..2],
                "fingerprint": format!("fp{}", self.instrument.number),
                "last4": self.instrument.last4(),
            }),
        }
    }

    fn render_card(&self) -> Value {
        json!({
            "brand": self.instrument.brand,
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US",
            "display_brand": self.instrument.brand,
            "exp_month": self.exp_month,
            "exp_year": self.exp_year,
            "fingerprint": format!("fp{}", self.instrument.number),
            "funding": "credit",
            "generated_from": null,
            "last4": self.instrument.last4(),
            "networks": { "available": [self.instrument.brand], "preferred": null },
            "three_d_secure_usage": { "supported": true },
            "wallet": null,
        })
    }
}

impl Resource for PaymentMethod {
    const NAME: &'static str = "PaymentMethod";

    fn render(&self, _: &State) -> Value {
        let kind = self.instrument.kind.as_str();
        let mut rendered = json!({
            "id": self.id,
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": {
                "address": self.billing_details.address.render(),
                "email": self.billing_details.email,
                "name": self.billing_details.name,
                "phone": self.billing_details.phone,
                "tax_id": null,
            },
            "created": self.created,
            "customer": self.customer,
            "livemode": false,
            "metadata": self.metadata,
            "type": kind,
        });
        rendered[kind] = self.render_details();
        rendered
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CardFields {
    token: Option<String>,
    number: Option<String>,
    exp_month: Option<u8>,
    exp_year: Option<i16>,
    #[serde(rename = "cvc")]
    _cvc: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BankAccountFields {
    account_number: Option<String>,
    #[serde(rename = "account_holder_type")]
    _account_holder_type: Option<String>,
    #[serde(rename = "account_type")]
    _account_type: Option<String>,
    #[serde(rename = "routing_number")]
    _routing_number: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SepaFields {
    iban: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    #[serde(rename = "type")]
    kind: Option<String>,
    card: CardFields,
    us_bank_account: BankAccountFields,
    sepa_debit: SepaFields,
    billing_details: BillingDetails,
    metadata: Option<MetadataChange>,
}

impl Creation {
    /// The instrument of the given number or token.
    fn instrument(&self) -> Result<&'static Instrument, ApiError> {
        let name = required(self.kind.as_deref(), "type")?;
        let kind = Kind::by_name(name).ok_or_else(|| {
            let message = "Only card, us_bank_account and sepa_debit are simulated.";
            ApiError::invalid_parameter("parameter_invalid", "type", message)
        })?;
        let (number, param, is_unknown): (_, _, fn() -> ApiError) = match kind {
            Kind::Card => match &self.card.token {
                Some(token) => {
                    let card = Instrument::by_alias(token);
                    return card.ok_or_else(|| ApiError::no_such("token", token, Some("card[token]")));
                }
                None => (&self.card.number, "card", unknown_number),
            },
            Kind::UsBankAccount => {
                (&self.us_bank_account.account_number, "us_bank_account[account_number]", unknown_account)
            }
            Kind::SepaDebit => (&self.sepa_debit.iban, "sepa_debit[iban]", unknown_account),
        };
        let number = number.as_deref().ok_or_else(|| ApiError::missing_parameter(param))?;
        Instrument::by_number(number).filter(|found| found.kind == kind).ok_or_else(is_unknown)
    }
}

pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let instrument = creation.instrument()?;
    let metadata = merge_metadata(&Metadata::new(), creation.metadata)?;
    let id = insert(state, instrument);
    let payment_method = state.payment_methods.get_mut(&id)?;
    payment_method.metadata = metadata;
    payment_method.billing_details = creation.billing_details;
    payment_method.exp_month = creation.card.exp_month.unwrap_or(payment_method.exp_month);
    if let Some(year) = creation.card.exp_year {
        payment_method.exp_year = if year < 100 { 2000 + year } else { year };
    }
    Ok(state.render(&id))
}

/// The number does not belong to a test card.
pub(crate) fn unknown_number() -> ApiError {
    ApiError::card("incorrect_number", None, "The card number is wrong: use one of the test cards.")
}

fn unknown_account() -> ApiError {
    let message = "The account is unknown: use one of the test accounts.";
    ApiError::invalid_parameter("account_number_invalid", "account_number", message)
}

/// A new payment method for `instrument`, attached to no customer. A card is valid for two more years.
pub(crate) fn insert(state: &mut State, instrument: &'static Instrument) -> String {
    let id = state.ids.next("pm_");
    let date = state.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let payment_method = PaymentMethod {
        id: id.clone(),
        created: state.now_seconds(),
        customer: None,
        is_detached: false,
        instrument,
        exp_month: 12,
        exp_year: date.year() + 2,
        is_set_up: false,
        billing_details: BillingDetails::default(),
        metadata: Metadata::new(),
    };
    state.payment_methods.insert(&id, payment_method);
    id
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CardUpdate {
    exp_month: Option<u8>,
    exp_year: Option<i16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    metadata: Option<MetadataChange>,
    card: CardUpdate,
    billing_details: BillingDetails,
}

pub(crate) fn update(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let update: Update = parse(encoded)?;
    let before = state.payment_methods.get(id)?.render(state);
    let payment_method = state.payment_methods.get_mut(id)?;
    payment_method.metadata = merge_metadata(&payment_method.metadata, update.metadata)?;
    payment_method.exp_month = update.card.exp_month.unwrap_or(payment_method.exp_month);
    payment_method.exp_year = update.card.exp_year.unwrap_or(payment_method.exp_year);
    set(&mut payment_method.billing_details.email, update.billing_details.email);
    set(&mut payment_method.billing_details.name, update.billing_details.name);
    state.emit_update("payment_method.updated", id, &before);
    Ok(state.render(id))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.payment_methods.get(id)?.render(state))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attachment {
    customer: Option<String>,
}

pub(crate) fn attach(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let attachment: Attachment = parse(encoded)?;
    let customer = required(attachment.customer, "customer")?;
    customer::existing(state, &customer, Some("customer"))?;
    let id = attach_to(state, id, &customer)?;
    Ok(state.render(&id))
}

/// Attaches a payment method. A test alias such as `pm_card_visa` becomes a new payment method each time.
///
/// # Errors
/// 402 for a card that cannot be saved, 400 for a payment method that is detached or belongs to another customer.
pub(crate) fn attach_to(state: &mut State, id: &str, customer: &str) -> Result<String, ApiError> {
    let instrument = match Instrument::by_alias(id) {
        Some(instrument) => instrument,
        None => {
            let payment_method = state.payment_methods.get(id)?;
            if payment_method.is_detached {
                let message = "This PaymentMethod was detached from its customer and cannot be used again.";
                return Err(ApiError::invalid_state(Some("payment_method_unexpected_state"), message));
            }
            match payment_method.customer.as_deref() {
                Some(owner) if owner == customer => return Ok(id.to_owned()),
                Some(_) => {
                    let message = "This PaymentMethod is already attached to another customer.";
                    return Err(ApiError::invalid_state(Some("payment_method_unexpected_state"), message));
                }
                None => payment_method.instrument,
            }
        }
    };
    if let Verdict::Decline(decline) = instrument.on_attach {
        return Err(decline.error());
    }
    let id = if Instrument::by_alias(id).is_some() { insert(state, instrument) } else { id.to_owned() };
    state.payment_methods.get_mut(&id)?.customer = Some(customer.to_owned());
    state.emit("payment_method.attached", &id);
    Ok(id)
}

pub(crate) fn detach(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    if state.payment_methods.get(id)?.customer.is_none() {
        let message = "This PaymentMethod is not attached to a customer, so detaching it is impossible.";
        return Err(ApiError::invalid_state(Some("payment_method_unexpected_state"), message));
    }
    detach_from_customer(state, id)?;
    Ok(state.render(id))
}

/// Also if it is the customer's default.
pub(crate) fn detach_from_customer(state: &mut State, id: &str) -> Result<(), ApiError> {
    let before = state.payment_methods.get(id)?.render(state);
    let payment_method = state.payment_methods.get_mut(id)?;
    payment_method.is_detached = true;
    let owner = payment_method.customer.take();
    if let Some(owner) = owner {
        let customer_before = state.render(&owner);
        let customer = state.customers.get_mut(&owner)?;
        if customer.default_payment_method.as_deref() == Some(id) {
            customer.default_payment_method = None;
            state.emit_update("customer.updated", &owner, &customer_before);
        }
    }
    state.emit_update("payment_method.detached", id, &before);
    Ok(())
}

/// The network of a saved card reports that its bank issued it again, with the same id:
/// <https://docs.stripe.com/payments/cards/overview#automatic-card-updates>.
///
/// # Errors
/// For anything else than a card that a customer has saved.
pub(crate) fn reissue(state: &mut State, id: &str, exp_month: u8, exp_year: i16) -> Result<(), ApiError> {
    let before = state.payment_methods.get(id)?.render(state);
    let card = state.payment_methods.get_mut(id)?;
    if card.instrument.kind != Kind::Card || card.customer.is_none() {
        return Err(ApiError::invalid_state(None, "Only a saved card is updated automatically."));
    }
    (card.exp_month, card.exp_year) = (exp_month, exp_year);
    state.emit_update("payment_method.automatically_updated", id, &before);
    Ok(())
}

/// # Errors
/// `resource_missing` unless the payment method is attached to this customer.
pub(crate) fn require_attached(state: &State, id: &str, customer: &str, param: &str) -> Result<(), ApiError> {
    match state.payment_methods.find(id) {
        Some(payment_method) if payment_method.customer.as_deref() == Some(customer) => Ok(()),
        _ => Err(ApiError::no_such("PaymentMethod", id, Some(param))),
    }
}

/// The customer's own payment method, one that was never attached, or a new one for a test alias.
///
/// # Errors
/// `resource_missing` for any other.
pub(crate) fn usable(state: &mut State, given: &str, customer: Option<&str>) -> Result<String, ApiError> {
    if let Some(instrument) = Instrument::by_alias(given) {
        return Ok(insert(state, instrument));
    }
    let payment_method = state.payment_methods.get_for(given, "payment_method")?;
    let is_free = payment_method.customer.is_none() && !payment_method.is_detached;
    let is_own = payment_method.customer.is_some() && payment_method.customer.as_deref() == customer;
    if is_own || is_free {
        Ok(given.to_owned())
    } else {
        Err(ApiError::no_such("PaymentMethod", given, Some("payment_method")))
    }
}

pub(crate) fn of_customer<'state>(
    state: &'state State,
    customer: &'state str,
) -> impl Iterator<Item = (&'state str, &'state PaymentMethod)> {
    state.payment_methods.iter().filter(move |(_, method)| method.customer.as_deref() == Some(customer))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    customer: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    allow_redisplay: Option<String>,
}

/// `GET /v1/payment_methods?customer=…`
pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    let customer = required(filters.customer.clone(), "customer")?;
    list_filtered(state, &customer, &filters, "/v1/payment_methods", encoded)
}

/// `GET /v1/customers/{customer}/payment_methods`
pub(crate) fn list_of_customer(state: &State, customer: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    if filters.customer.is_some() {
        let message = "Received unknown parameter: customer";
        return Err(ApiError::invalid_parameter("parameter_unknown", "customer", message));
    }
    customer::existing(state, customer, None)?;
    list_filtered(state, customer, &filters, &format!("/v1/customers/{customer}/payment_methods"), encoded)
}

fn list_filtered(
    state: &State,
    customer: &str,
    filters: &Filters,
    url: &str,
    encoded: &[u8],
) -> Result<Value, ApiError> {
    customer::existing(state, customer, Some("customer"))?;
    let is_wanted =
        |method: &PaymentMethod| filters.kind.as_deref().is_none_or(|kind| method.instrument.kind.as_str() == kind);
    let is_simulated = filters.allow_redisplay.as_deref().is_none_or(|redisplay| redisplay == "unspecified");
    state.list(&state.payment_methods, &Page::parse(encoded)?, url, |method| {
        is_simulated && is_wanted(method) && method.customer.as_deref() == Some(customer)
    })
}

/// `GET /v1/customers/{customer}/payment_methods/{id}`
pub(crate) fn retrieve_of_customer(state: &State, customer: &str, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    customer::existing(state, customer, None)?;
    let owned = state.payment_methods.find(id).filter(|method| method.customer.as_deref() == Some(customer));
    owned.map(|method| method.render(state)).ok_or_else(|| ApiError::no_such("PaymentMethod", id, None))
}
