//! Customers: <https://docs.stripe.com/api/customers>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::customer_balance::{self, Reason};
use super::discount::Discount;
use super::{Address, CustomField, CustomFields, invoice, invoice_item, payment_method, tax_id};
use crate::error::ApiError;
use crate::parameters::{
    CreatedRange, Metadata, MetadataChange, NoParameters, Page, merge_metadata, parse, parse_filters, set,
};
use crate::search;
use crate::state::{Resource, State};

/// In characters.
const NAME_MAX: usize = 256;

#[derive(Debug)]
pub(crate) struct Customer {
    id: String,
    created: i64,
    is_deleted: bool,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    phone: Option<String>,
    description: Option<String>,
    pub(crate) address: Option<Address>,
    preferred_locales: Vec<String>,
    tax_exempt: TaxExempt,
    /// Copied to every new invoice.
    pub(crate) custom_fields: Vec<CustomField>,
    metadata: Metadata,
    /// A credit if negative, a debt if positive, in the units of [`Self::currency`].
    pub(crate) balance: i64,
    /// The currency of the first thing billed.
    pub(crate) currency: Option<String>,
    pub(crate) discount: Option<Discount>,
    pub(crate) default_payment_method: Option<String>,
    invoice_prefix: String,
    next_invoice_sequence: u32,
}

/// Whether a customer is taxed: <https://docs.stripe.com/tax/zero-tax#exempt-customers>.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaxExempt {
    #[default]
    None,
    Exempt,
    Reverse,
}

impl TaxExempt {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Exempt => "exempt",
            Self::Reverse => "reverse",
        }
    }

    /// Why the tax is as it is.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::None => "standard_rated",
            Self::Exempt => "customer_exempt",
            Self::Reverse => "reverse_charge",
        }
    }
}

impl Customer {
    pub(crate) fn tax_exempt(&self) -> TaxExempt {
        self.tax_exempt
    }

    /// Whether the customer's tax location is known.
    pub(crate) fn is_located(&self) -> bool {
        self.address.as_ref().is_some_and(|address| address.country.is_some())
    }
}

impl Resource for Customer {
    const NAME: &'static str = "customer";

    fn render(&self, _: &State) -> Value {
        if self.is_deleted {
            return json!({ "id": self.id, "object": "customer", "deleted": true });
        }
        json!({
            "id": self.id,
            "object": "customer",
            "address": self.address.as_ref().map(Address::render),
            "balance": self.balance,
            "created": self.created,
            "currency": self.currency,
            "default_source": null,
            "delinquent": false,
            "description": self.description,
            "discount": self.discount.as_ref().map(Discount::render),
            "email": self.email,
            "invoice_prefix": self.invoice_prefix,
            "invoice_settings": {
                "custom_fields": CustomField::render(&self.custom_fields),
                "default_payment_method": self.default_payment_method,
                "footer": null,
                "rendering_options": null,
            },
            "livemode": false,
            "metadata": self.metadata,
            "name": self.name,
            "next_invoice_sequence": self.next_invoice_sequence,
            "phone": self.phone,
            "preferred_locales": self.preferred_locales,
            "shipping": null,
            "tax_exempt": self.tax_exempt.as_str(),
            "test_clock": null,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InvoiceSettings {
    custom_fields: Option<CustomFields>,
    default_payment_method: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tax {
    validate_location: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    balance: Option<i64>,
    email: Option<String>,
    name: Option<String>,
    phone: Option<String>,
    description: Option<String>,
    address: Option<Address>,
    preferred_locales: Option<Vec<String>>,
    tax: Tax,
    tax_exempt: Option<TaxExempt>,
    metadata: Option<MetadataChange>,
    invoice_settings: InvoiceSettings,
    /// Attached on creation.
    payment_method: Option<String>,
    /// A test token, attached on creation as older clients do.
    source: Option<String>,
}

pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let mut fields: Fields = parse(encoded)?;
    let to_attach = fields.payment_method.take().or(fields.source.take());
    let id = insert(state, fields.email.take());
    if let Err(refusal) = fill(state, &id, fields, to_attach) {
        state.customers.remove(&id);
        return Err(refusal);
    }
    state.emit("customer.created", &id);
    Ok(state.render(&id))
}

fn fill(state: &mut State, id: &str, mut fields: Fields, to_attach: Option<String>) -> Result<(), ApiError> {
    if let Some(given) = to_attach {
        let attached = payment_method::attach_to(state, &given, id)?;
        let default = &mut fields.invoice_settings.default_payment_method;
        if default.as_ref() == Some(&given) {
            *default = Some(attached);
        }
    }
    apply(state, id, fields)
}

/// A customer with only an e-mail address, as Checkout creates for a guest.
pub(crate) fn insert(state: &mut State, email: Option<String>) -> String {
    let id = state.ids.next("cus_");
    let customer = Customer {
        id: id.clone(),
        created: state.now_seconds(),
        is_deleted: false,
        email,
        name: None,
        phone: None,
        description: None,
        address: None,
        preferred_locales: Vec::new(),
        tax_exempt: TaxExempt::None,
        custom_fields: Vec::new(),
        metadata: Metadata::new(),
        balance: 0,
        currency: None,
        discount: None,
        default_payment_method: None,
        invoice_prefix: state.ids.token(8).to_ascii_uppercase(),
        next_invoice_sequence: 1,
    };
    state.customers.insert(&id, customer);
    id
}

pub(crate) fn update(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let fields: Fields = parse(encoded)?;
    for (given, name) in [(&fields.payment_method, "payment_method"), (&fields.source, "source")] {
        if given.is_some() {
            let message = format!("Received unknown parameter: {name}");
            return Err(ApiError::invalid_parameter("parameter_unknown", name, message));
        }
    }
    let before = existing(state, id, None)?.render(state);
    apply(state, id, fields)?;
    if state.render(id) != before {
        state.emit_update("customer.updated", id, &before);
    }
    Ok(state.render(id))
}

fn apply(state: &mut State, id: &str, fields: Fields) -> Result<(), ApiError> {
    let metadata = merge_metadata(&state.customers.get(id)?.metadata, fields.metadata)?;
    let default = fields.invoice_settings.default_payment_method;
    if let Some(payment_method) = default.as_deref().filter(|payment_method| !payment_method.is_empty()) {
        payment_method::require_attached(state, payment_method, id, "invoice_settings[default_payment_method]")?;
    }
    let custom_fields = fields.invoice_settings.custom_fields;
    let custom_fields = custom_fields.map(|fields| fields.checked("invoice_settings[custom_fields]")).transpose()?;
    if fields.name.as_ref().is_some_and(|name| name.chars().count() > NAME_MAX) {
        let message = format!("A name has up to {NAME_MAX} characters.");
        return Err(ApiError::invalid_parameter("parameter_invalid", "name", message));
    }
    let is_address_given = fields.address.is_some();
    let address = fields.address.and_then(Address::given);
    check_location(state.customers.get(id)?, &fields.tax, if is_address_given { Some(&address) } else { None })?;
    let customer = state.customers.get_mut(id)?;
    set(&mut customer.email, fields.email);
    set(&mut customer.name, fields.name);
    set(&mut customer.phone, fields.phone);
    set(&mut customer.description, fields.description);
    set(&mut customer.default_payment_method, default);
    if is_address_given {
        customer.address = address;
    }
    if let Some(custom_fields) = custom_fields {
        customer.custom_fields = custom_fields;
    }
    if let Some(locales) = fields.preferred_locales {
        customer.preferred_locales = locales;
    }
    customer.tax_exempt = fields.tax_exempt.unwrap_or(customer.tax_exempt);
    customer.metadata = metadata;
    match fields.balance {
        Some(balance) => set_balance(state, id, balance),
        None => Ok(()),
    }
}

/// <https://docs.stripe.com/api/customers/update#update_customer-tax-validate_location>
fn check_location(customer: &Customer, tax: &Tax, change: Option<&Option<Address>>) -> Result<(), ApiError> {
    match tax.validate_location.as_deref() {
        None | Some("" | "auto" | "deferred") => Ok(()),
        Some("immediately") => {
            let address = change.unwrap_or(&customer.address).as_ref();
            if address.is_some_and(Address::is_tax_location) { Ok(()) } else { Err(invoice::no_tax_location()) }
        }
        Some(_) => {
            let message = "Invalid tax[validate_location]: must be auto, deferred or immediately.";
            Err(ApiError::invalid_parameter("parameter_invalid", "tax[validate_location]", message))
        }
    }
}

/// A customer without a currency gets the account's.
fn set_balance(state: &mut State, id: &str, balance: i64) -> Result<(), ApiError> {
    let customer = state.customers.get(id)?;
    let currency = customer.currency.clone().unwrap_or_else(|| "usd".to_owned());
    customer_balance::record(state, id, balance - customer.balance, &currency, Reason::Adjustment).map(drop)
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.customers.get(id)?.render(state))
}

/// Deletes the customer and its payment methods. What was billed remains.
pub(crate) fn delete(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    let before = existing(state, id, None)?.render(state);
    let attached: Vec<String> = payment_method::of_customer(state, id).map(|(id, _)| id.to_owned()).collect();
    for payment_method in attached {
        payment_method::detach_from_customer(state, &payment_method)?;
    }
    tax_id::forget(state, id);
    state.customers.get_mut(id)?.is_deleted = true;
    state.emit_object("customer.deleted", before, None);
    Ok(state.render(id))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    email: Option<String>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.customers, &Page::parse(encoded)?, "/v1/customers", |customer| {
        !customer.is_deleted
            && filters.email.as_ref().is_none_or(|email| customer.email.as_ref() == Some(email))
            && filters.created.is_none_or(|range| range.contains(customer.created))
    })
}

/// A deleted customer is not found: <https://docs.stripe.com/search#query-fields-for-customers>.
pub(crate) fn search(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    search::search(state, &state.customers, ("/v1/customers/search", encoded), |customer| {
        (!customer.is_deleted).then_some(search::Indexed {
            created: customer.created,
            number: None,
            email: customer.email.as_deref(),
            metadata: &customer.metadata,
        })
    })
}

/// A customer that is not deleted, named by the path or by `param`.
pub(crate) fn existing<'state>(
    state: &'state State,
    id: &str,
    param: Option<&str>,
) -> Result<&'state Customer, ApiError> {
    state
        .customers
        .find(id)
        .filter(|customer| !customer.is_deleted)
        .ok_or_else(|| ApiError::no_such("customer", id, param))
}

/// The currency that the customer is billed in, stored with the first bill.
///
/// # Errors
/// If an item or a discount in another currency is waiting for its invoice.
pub(crate) fn require_currency(state: &mut State, id: &str, currency: &str) -> Result<(), ApiError> {
    let of_discount = state.customers.get(id)?.discount.as_ref().and_then(Discount::currency);
    let waiting = invoice_item::waiting_currencies(state, id);
    if let Some(other) = of_discount.into_iter().chain(waiting).find(|other| *other != currency) {
        return Err(ApiError::currencies_combined(other));
    }
    state.customers.get_mut(id)?.currency.get_or_insert_with(|| currency.to_owned());
    Ok(())
}

/// Stores what Checkout asked for: the address, and the company's name.
pub(crate) fn save(
    state: &mut State,
    id: &str,
    address: Option<Address>,
    name: Option<String>,
) -> Result<(), ApiError> {
    let before = state.render(id);
    let customer = state.customers.get_mut(id)?;
    customer.address = address.or(customer.address.take());
    customer.name = name.or(customer.name.take());
    if state.render(id) != before {
        state.emit_update("customer.updated", id, &before);
    }
    Ok(())
}

/// The customer's next invoice number. Each is used once: <https://docs.stripe.com/invoicing/customize#numbering>.
pub(crate) fn take_invoice_number(state: &mut State, id: &str) -> Result<String, ApiError> {
    let customer = state.customers.get_mut(id)?;
    let number = format!("{}-{:04}", customer.invoice_prefix, customer.next_invoice_sequence);
    customer.next_invoice_sequence += 1;
    Ok(number)
}
