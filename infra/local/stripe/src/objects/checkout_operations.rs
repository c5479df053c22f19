//! The requests on Checkout sessions: <https://docs.stripe.com/api/checkout/sessions/create>.

use serde::Deserialize;
use serde_json::Value;

use super::checkout_session::{self, CheckoutSession, Entered, IntentData, InvoiceData, LineItem, Mode, Status};
use super::payment_intent_operations::Shipping;
use super::{AutomaticTax, customer, invoice, setup_intent};
use crate::currencies::{require_minimum, require_step};
use crate::error::ApiError;
use crate::instruments::Kind;
use crate::parameters::{
    CreatedRange, Metadata, MetadataChange, NoParameters, Page, currency, merge_metadata, parse, parse_filters,
    required,
};
use crate::state::{Resource, State};

const LIFE_MIN_SECONDS: i64 = 30 * 60;
const LIFE_MAX_SECONDS: i64 = 24 * 60 * 60;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProductData {
    name: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(rename = "tax_code")]
    _tax_code: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PriceData {
    currency: Option<String>,
    unit_amount: Option<i64>,
    product_data: ProductData,
    #[serde(rename = "tax_behavior")]
    _tax_behavior: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LineItemFields {
    price: Option<String>,
    price_data: Option<PriceData>,
    quantity: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InvoiceDataFields {
    description: Option<String>,
    footer: Option<String>,
    metadata: Option<MetadataChange>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InvoiceCreation {
    enabled: bool,
    invoice_data: InvoiceDataFields,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PaymentIntentData {
    description: Option<String>,
    metadata: Option<MetadataChange>,
    setup_future_usage: Option<String>,
    #[serde(rename = "shipping")]
    _shipping: Shipping,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SetupIntentData {
    description: Option<String>,
    metadata: Option<MetadataChange>,
}

/// The parts of the session that are copied to its customer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CustomerUpdate {
    address: Option<String>,
    name: Option<String>,
}

/// `tax_id_collection[required]` is not simulated.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TaxIdCollection {
    enabled: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    mode: Option<String>,
    currency: Option<String>,
    customer: Option<String>,
    customer_creation: Option<String>,
    customer_email: Option<String>,
    client_reference_id: Option<String>,
    success_url: Option<String>,
    cancel_url: Option<String>,
    expires_at: Option<i64>,
    line_items: Vec<LineItemFields>,
    metadata: Option<MetadataChange>,
    automatic_tax: AutomaticTax,
    invoice_creation: InvoiceCreation,
    payment_intent_data: Option<PaymentIntentData>,
    setup_intent_data: Option<SetupIntentData>,
    payment_method_types: Vec<String>,
    ui_mode: Option<String>,
    customer_update: Option<CustomerUpdate>,
    billing_address_collection: Option<String>,
    tax_id_collection: TaxIdCollection,
    #[serde(rename = "locale")]
    _locale: Option<String>,
    #[serde(rename = "submit_type")]
    _submit_type: Option<String>,
}

pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let mode = match required(creation.mode.as_deref(), "mode")? {
        "payment" => Mode::Payment,
        "setup" => Mode::Setup,
        _ => return Err(invalid("mode", "Only payment and setup are simulated.")),
    };
    if creation.ui_mode.as_deref().is_some_and(|ui_mode| !ui_mode.starts_with("hosted")) {
        return Err(invalid("ui_mode", "Only the hosted page is simulated."));
    }
    check_mode(&creation, mode)?;
    let success_url = required(creation.success_url.clone(), "success_url")?;
    let expires_at = expiry(state, creation.expires_at)?;
    let (updates_address, updates_name) = updates(&creation)?;
    let collects_address = match creation.billing_address_collection.as_deref() {
        None | Some("auto") => false,
        Some("required") => true,
        Some(_) => return Err(invalid("billing_address_collection", "It must be auto or required.")),
    };
    if let Some(customer) = &creation.customer {
        let is_located = customer::existing(state, customer, Some("customer"))?.is_located();
        if creation.automatic_tax.enabled && !is_located && !updates_address {
            return Err(invoice::no_tax_location());
        }
    }
    let payment_method_kinds = kinds(&creation.payment_method_types)?;
    let (line_items, currency) = price(state, &creation)?;
    let (intent_data, invoice_data) =
        data(creation.payment_intent_data, creation.setup_intent_data, creation.invoice_creation)?;
    let session = CheckoutSession {
        id: state.ids.next("cs_test_"),
        created: state.now_seconds(),
        mode,
        status: Status::Open,
        currency,
        customer: creation.customer,
        customer_email: creation.customer_email,
        creates_customer: creation.customer_creation.as_deref() == Some("always"),
        client_reference_id: creation.client_reference_id,
        success_url,
        cancel_url: creation.cancel_url,
        expires_at,
        line_items,
        payment_method_kinds,
        metadata: merge_metadata(&Metadata::new(), creation.metadata)?,
        has_automatic_tax: creation.automatic_tax.enabled,
        collects_address,
        collects_tax_id: creation.tax_id_collection.enabled,
        updates_address,
        updates_name,
        entered: Entered::default(),
        invoice_data,
        intent_data,
        payment_intent: None,
        setup_intent: None,
        invoice: None,
    };
    if let (Mode::Payment, Some(currency)) = (mode, &session.currency) {
        require_minimum(session.total(state), currency)?;
    }
    let id = session.id.clone();
    let intent = (session.customer.clone(), session.intent_data.clone());
    state.checkout_sessions.insert(&id, session);
    if mode == Mode::Setup {
        let (customer, data) = intent;
        let intent = setup_intent::insert(state, customer, data.description, data.metadata, Some(&id));
        state.checkout_sessions.get_mut(&id)?.setup_intent = Some(intent);
    }
    Ok(state.render(&id))
}

fn invalid(param: &str, message: &str) -> ApiError {
    ApiError::invalid_parameter("parameter_invalid", param, message)
}

/// Whether the page stores the address, and the company's name, for the customer. It does for one that it creates.
///
/// # Errors
/// If a tax id is collected of a customer whose name must stay: the name of the company belongs to it.
/// <https://docs.stripe.com/tax/checkout/tax-ids#existing-customers>
fn updates(creation: &Creation) -> Result<(bool, bool), ApiError> {
    if creation.customer.is_none() {
        return Ok((true, true));
    }
    let update = |part: &str, word: Option<&str>| match word {
        None | Some("never") => Ok(false),
        Some("auto") => Ok(true),
        Some(_) => Err(invalid(&format!("customer_update[{part}]"), "It must be auto or never.")),
    };
    let given = creation.customer_update.as_ref();
    let updates_address = update("address", given.and_then(|given| given.address.as_deref()))?;
    let updates_name = update("name", given.and_then(|given| given.name.as_deref()))?;
    if creation.tax_id_collection.enabled && !updates_name {
        let message = "Tax ID collection requires updating business name on the customer. To enable tax ID collection for \
                       an existing customer, please set `customer_update[name]` to `auto`.";
        return Err(ApiError::invalid_state(None, message));
    }
    Ok((updates_address, updates_name))
}

fn check_mode(creation: &Creation, mode: Mode) -> Result<(), ApiError> {
    if creation.customer.is_some() && creation.customer_email.is_some() {
        return Err(invalid("customer_email", "Give either customer or customer_email."));
    }
    if creation.customer.is_none() && creation.customer_update.is_some() {
        return Err(invalid("customer_update", "Only with customer."));
    }
    if creation.customer.is_some() && creation.customer_creation.is_some() {
        return Err(invalid("customer_creation", "Give either customer or customer_creation."));
    }
    match mode {
        Mode::Payment if creation.line_items.is_empty() => Err(ApiError::missing_parameter("line_items")),
        Mode::Payment if creation.setup_intent_data.is_some() => {
            Err(invalid("setup_intent_data", "Only with mode setup."))
        }
        Mode::Setup if !creation.line_items.is_empty() => Err(invalid("line_items", "Not with mode setup.")),
        Mode::Setup if creation.payment_intent_data.is_some() => {
            Err(invalid("payment_intent_data", "Only with mode payment."))
        }
        Mode::Setup if creation.tax_id_collection.enabled => {
            Err(invalid("tax_id_collection", "Only with mode payment."))
        }
        Mode::Setup if creation.invoice_creation.enabled => Err(invalid("invoice_creation", "Only with mode payment.")),
        Mode::Setup if creation.currency.is_none() && creation.payment_method_types.is_empty() => {
            Err(ApiError::missing_parameter("currency"))
        }
        Mode::Payment | Mode::Setup => Ok(()),
    }
}

/// 30 minutes to 24 hours from now. The default is 24 hours.
fn expiry(state: &State, expires_at: Option<i64>) -> Result<i64, ApiError> {
    let now = state.now_seconds();
    match expires_at {
        None => Ok(now + LIFE_MAX_SECONDS),
        Some(at) if (now + LIFE_MIN_SECONDS..=now + LIFE_MAX_SECONDS).contains(&at) => Ok(at),
        Some(_) => Err(invalid("expires_at", "expires_at must be 30 minutes to 24 hours from now.")),
    }
}

/// The named kinds, or all simulated kinds if none is named.
fn kinds(names: &[String]) -> Result<Vec<Kind>, ApiError> {
    if names.is_empty() {
        return Ok(Kind::ALL.to_vec());
    }
    let kind = |name: &String| {
        Kind::by_name(name)
            .ok_or_else(|| invalid("payment_method_types", "Only card, us_bank_account and sepa_debit are simulated."))
    };
    names.iter().map(kind).collect()
}

fn price(state: &mut State, creation: &Creation) -> Result<(Vec<LineItem>, Option<String>), ApiError> {
    let mut session_currency = creation.currency.as_deref().map(currency).transpose()?;
    let mut line_items = Vec::new();
    for (index, fields) in creation.line_items.iter().enumerate() {
        let name = |field: &str| format!("line_items[{index}]{field}");
        let (item_currency, item) = match &fields.price {
            Some(price) => priced(state, price, fields, name)?,
            None => priced_ad_hoc(state, fields, name)?,
        };
        if session_currency.get_or_insert_with(|| item_currency.clone()) != &item_currency {
            return Err(invalid(&name("[price_data][currency]"), "All items must have the same currency."));
        }
        line_items.push(item);
    }
    Ok((line_items, session_currency))
}

fn priced(
    state: &mut State,
    price: &str,
    fields: &LineItemFields,
    name: impl Fn(&str) -> String,
) -> Result<(String, LineItem), ApiError> {
    let found = state.prices.get_for(price, &name("[price]"))?;
    let product = state.products.get(&found.product)?;
    let (currency, label, unit_amount) = (found.currency.clone(), product.name.clone(), found.unit_amount);
    let quantity = required(fields.quantity, &name("[quantity]"))?;
    let price = Some(price.to_owned());
    Ok((currency, LineItem { id: state.ids.next("li_"), name: label, price, unit_amount, quantity }))
}

fn priced_ad_hoc(
    state: &mut State,
    fields: &LineItemFields,
    name: impl Fn(&str) -> String,
) -> Result<(String, LineItem), ApiError> {
    let data = fields.price_data.as_ref().ok_or_else(|| ApiError::missing_parameter(&name("[price_data]")))?;
    let currency = currency(required(data.currency.as_deref(), &name("[price_data][currency]"))?)?;
    let unit_amount = required(data.unit_amount, &name("[price_data][unit_amount]"))?;
    if unit_amount < 0 {
        return Err(invalid(&name("[price_data][unit_amount]"), "unit_amount must not be negative."));
    }
    require_step(unit_amount, &currency, &name("[price_data][unit_amount]"))?;
    let item = LineItem {
        id: state.ids.next("li_"),
        name: required(data.product_data.name.clone(), &name("[price_data][product_data][name]"))?,
        price: None,
        unit_amount,
        quantity: required(fields.quantity, &name("[quantity]"))?,
    };
    Ok((currency, item))
}

fn data(
    payment_intent: Option<PaymentIntentData>,
    setup_intent: Option<SetupIntentData>,
    invoice: InvoiceCreation,
) -> Result<(IntentData, Option<InvoiceData>), ApiError> {
    let PaymentIntentData { description, metadata, setup_future_usage, .. } = match setup_intent {
        Some(SetupIntentData { description, metadata }) => {
            PaymentIntentData { description, metadata, ..PaymentIntentData::default() }
        }
        None => payment_intent.unwrap_or_default(),
    };
    if let Some(usage) = &setup_future_usage
        && !["off_session", "on_session"].contains(&usage.as_str())
    {
        let param = "payment_intent_data[setup_future_usage]";
        return Err(invalid(param, "setup_future_usage must be off_session or on_session."));
    }
    let metadata = merge_metadata(&Metadata::new(), metadata)?;
    let fields = invoice.invoice_data;
    let invoice_data = InvoiceData {
        description: fields.description,
        footer: fields.footer,
        metadata: merge_metadata(&Metadata::new(), fields.metadata)?,
    };
    Ok((IntentData { description, metadata, setup_future_usage }, invoice.enabled.then_some(invoice_data)))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.checkout_sessions.get(id)?.render(state))
}

pub(crate) fn list_line_items(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse_filters::<NoParameters>(encoded)?;
    Ok(state.checkout_sessions.get(id)?.render_line_items())
}

pub(crate) fn expire(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    let status = state.checkout_sessions.get(id)?.status;
    if status != Status::Open {
        let message = format!("Only an open session can be expired; this one is {}.", status.as_str());
        return Err(ApiError::invalid_state(None, message));
    }
    checkout_session::expire(state, id)?;
    Ok(state.render(id))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    customer: Option<String>,
    payment_intent: Option<String>,
    status: Option<String>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.checkout_sessions, &Page::parse(encoded)?, "/v1/checkout/sessions", |session| {
        filters.customer.as_ref().is_none_or(|customer| session.customer.as_ref() == Some(customer))
            && filters.payment_intent.as_ref().is_none_or(|intent| session.payment_intent.as_ref() == Some(intent))
            && filters.status.as_ref().is_none_or(|status| session.status.as_str() == status)
            && filters.created.is_none_or(|range| range.contains(session.created))
    })
}
