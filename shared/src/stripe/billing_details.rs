//! What a customer's invoices say about its company. Stripe keeps it with the customer, and nothing of it is logged.

use super::Charging;
use super::client::Client;
use super::customers::DefaultError;
use super::error::StripeError;
use super::responses::{Billed, Created, CustomField, Deleted, List, ListedTaxId};
use crate::domain::CustomerId;
use crate::domain::payments::{
    BillingAddress, BillingDetails, KnownAddress, KnownBillingDetails, KnownTaxId, PoNumber, RefusedDetail, TaxId, Text,
};
use crate::error::chain;
use crate::ports::ReplaceDetailsError;
use serde::Serialize;
use stripe_billing::tax_id::{CreateCustomerTaxId, CreateCustomerTaxIdType, DeleteCustomerTaxId, ListCustomerTaxId};
use stripe_client_core::{RequestBuilder, RequestStrategy, StripeMethod, StripeRequest};
use stripe_core::customer::{CustomFieldParams, RetrieveCustomer};

/// The name of the field with the number of the customer's order.
const PO_NUMBER: &str = "PO number";
/// <https://docs.stripe.com/api/customers/update#update_customer-invoice_settings-custom_fields>
const CUSTOM_FIELDS_MAX: usize = 4;
/// A customer has one tax id, and a second one for a moment.
const TAX_IDS_MAX: i64 = 100;

/// <https://docs.stripe.com/api/customers/retrieve>
pub(super) async fn read(client: &Client, customer: &CustomerId) -> Result<KnownBillingDetails, DefaultError> {
    let billed = retrieve(client, customer).await?;
    let newest = tax_ids(client, customer).await?.into_iter().next();
    let written = |text: Option<String>| text.filter(|text| !text.is_empty());
    let address = billed.address.map(|address| KnownAddress {
        country: written(address.country),
        line1: written(address.line1),
        line2: written(address.line2),
        postal_code: written(address.postal_code),
        city: written(address.city),
        state: written(address.state),
    });
    let fields = billed.invoice_settings.and_then(|settings| settings.custom_fields).unwrap_or_default();
    Ok(KnownBillingDetails {
        company: written(billed.name),
        address: address.filter(|address| *address != KnownAddress::default()),
        tax_id: newest.map(|tax_id| KnownTaxId {
            kind: tax_id.kind,
            value: tax_id.value,
            verification: tax_id.verification.and_then(|verification| verification.status),
        }),
        po_number: fields.into_iter().find(|field| field.name == PO_NUMBER).map(|field| field.value),
        tax_exempt: billed.tax_exempt.filter(|word| word != "none"),
    })
}

/// The new tax id is created before the others are deleted, because only that tells whether Stripe accepts it. A call that
/// ended in between is completed by the next one: it keeps the newest tax id if that is the wanted one, and deletes all
/// that are older. So of two calls at the same time one wins, and neither deletes the other's newer tax id.
pub(super) async fn replace(
    client: &Client,
    charging: &Charging,
    customer: &CustomerId,
    chosen: &BillingDetails,
) -> Result<KnownBillingDetails, ReplaceError> {
    let billed = retrieve(client, customer).await?;
    let known_fields = billed.invoice_settings.and_then(|settings| settings.custom_fields).unwrap_or_default();
    let custom_fields = with_po_number(known_fields, chosen)?;
    if charging.automatic_tax && chosen.address.is_none() {
        return Err(RefusedDetail::NoAddress.into());
    }
    let before = tax_ids(client, customer).await?;
    let wanted = match &chosen.tax_id {
        None => None,
        Some(wanted) => match before.first().filter(|newest| wanted.is(&newest.kind, &newest.value)) {
            Some(newest) => Some(newest.id.clone()),
            None => Some(create_tax_id(client, customer, wanted).await?),
        },
    };
    if let Err(error) = update(client, charging, customer, (chosen, custom_fields)).await {
        let is_new = |id: &&String| before.iter().all(|known| known.id != **id);
        if let (ReplaceError::Refused(_), Some(created)) = (&error, wanted.as_ref().filter(is_new)) {
            delete_tax_id(client, customer, created).await?;
        }
        return Err(error);
    }
    for superseded in superseded(client, customer, wanted.as_deref(), before).await? {
        delete_tax_id(client, customer, &superseded).await?;
    }
    Ok(read(client, customer).await?)
}

/// The tax ids that are older than the wanted one, or all of `before`, if none is wanted.
async fn superseded(
    client: &Client,
    customer: &CustomerId,
    wanted: Option<&str>,
    before: Vec<ListedTaxId>,
) -> Result<Vec<String>, StripeError> {
    let ids = |list: Vec<ListedTaxId>| list.into_iter().map(|tax_id| tax_id.id);
    let Some(wanted) = wanted else { return Ok(ids(before).collect()) };
    // Newest first.
    Ok(ids(tax_ids(client, customer).await?).skip_while(|id| id != wanted).skip(1).collect())
}

async fn retrieve(client: &Client, customer: &CustomerId) -> Result<Billed, DefaultError> {
    let billed: Billed = RetrieveCustomer::new(customer.as_str()).build().customize().send(client).await?;
    if billed.deleted == Some(true) { Err(DefaultError::Deleted) } else { Ok(billed) }
}

/// Newest first. <https://docs.stripe.com/api/tax_ids/customer_list>
async fn tax_ids(client: &Client, customer: &CustomerId) -> Result<Vec<ListedTaxId>, StripeError> {
    let request = ListCustomerTaxId::new(customer.as_str()).limit(TAX_IDS_MAX).build();
    let listed: List<ListedTaxId> = request.customize().send(client).await?;
    Ok(listed.data)
}

/// Without an idempotency key: with one, Stripe would answer a return to an earlier tax id with the stored answer. If the
/// answer is lost, the next call finds the tax id in the list.
/// <https://docs.stripe.com/api/tax_ids/customer_create>
async fn create_tax_id(client: &Client, customer: &CustomerId, tax_id: &TaxId) -> Result<String, ReplaceError> {
    let Ok(kind) = tax_id.kind.name().parse::<CreateCustomerTaxIdType>();
    let request = CreateCustomerTaxId::new(customer.as_str(), kind, tax_id.value.as_str()).build();
    let created = request.customize::<Created>().request_strategy(RequestStrategy::Once).send(client).await;
    created.map(|created| created.id).map_err(|error| match error.refused_parameter() {
        Some("type") => RefusedDetail::TaxIdType.into(),
        Some("value") => RefusedDetail::TaxIdValue.into(),
        _ if error.has_code("tax_id_invalid") => RefusedDetail::TaxIdValue.into(),
        _ => error.into(),
    })
}

/// <https://docs.stripe.com/api/tax_ids/customer_delete>. One that is deleted already stays so.
async fn delete_tax_id(client: &Client, customer: &CustomerId, id: &str) -> Result<(), StripeError> {
    let request = DeleteCustomerTaxId::new(customer.as_str(), id).build();
    match request.customize::<Deleted>().send(client).await {
        Err(error) if error.is_not_found() => Ok(()),
        answer => answer.map(drop),
    }
}

/// The customer's fields with the number of one order in the place of its own. If there is no room, the last ones give way.
///
/// # Errors
/// Those of Stripe.
pub(super) async fn fields_with_po_number(
    client: &Client,
    customer: &CustomerId,
    number: &PoNumber,
) -> Result<Vec<CustomField>, StripeError> {
    let billed: Billed = RetrieveCustomer::new(customer.as_str()).build().customize().send(client).await?;
    let known = billed.invoice_settings.and_then(|settings| settings.custom_fields).unwrap_or_default();
    let others = known.into_iter().filter(|field| field.name != PO_NUMBER).take(CUSTOM_FIELDS_MAX - 1);
    let own = CustomField { name: PO_NUMBER.to_owned(), value: number.as_str().to_owned() };
    Ok(others.chain([own]).collect())
}

/// The customer's fields with the number of its order. The company's own ones stay.
fn with_po_number(known: Vec<CustomField>, chosen: &BillingDetails) -> Result<CustomFields, ReplaceError> {
    let others = known.into_iter().filter(|field| field.name != PO_NUMBER);
    let mut fields: Vec<_> = others.map(|field| CustomFieldParams::new(field.name, field.value)).collect();
    if let Some(number) = &chosen.po_number {
        if fields.len() >= CUSTOM_FIELDS_MAX {
            return Err(RefusedDetail::NoRoomForPoNumber.into());
        }
        fields.push(CustomFieldParams::new(PO_NUMBER, number.as_str()));
    }
    Ok(if fields.is_empty() { CustomFields::None("") } else { CustomFields::Some(fields) })
}

/// <https://docs.stripe.com/api/customers/update>
#[derive(Serialize)]
struct Form<'a> {
    name: &'a str,
    address: AddressForm<'a>,
    invoice_settings: InvoiceSettingsForm,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<TaxForm>,
}

/// An empty text unsets a field.
#[derive(Default, Serialize)]
struct AddressForm<'a> {
    country: &'a str,
    line1: &'a str,
    line2: &'a str,
    postal_code: &'a str,
    city: &'a str,
    state: &'a str,
}

#[derive(Serialize)]
struct InvoiceSettingsForm {
    custom_fields: CustomFields,
}

/// async-stripe's builder cannot send the empty text that removes all fields: it leaves an empty list out.
#[derive(Serialize)]
#[serde(untagged)]
enum CustomFields {
    None(&'static str),
    Some(Vec<CustomFieldParams>),
}

#[derive(Serialize)]
struct TaxForm {
    validate_location: &'static str,
}

/// Without an idempotency key, as [`create_tax_id`]. Where tax is calculated, an address that does not determine it would
/// stop automatic top-ups, so Stripe checks it at once:
/// <https://docs.stripe.com/tax/customer-locations#validate-customer-location>.
async fn update(
    client: &Client,
    charging: &Charging,
    customer: &CustomerId,
    (chosen, custom_fields): (&BillingDetails, CustomFields),
) -> Result<(), ReplaceError> {
    let form = Form {
        name: written(chosen.company.as_ref()),
        address: chosen.address.as_ref().map(address_form).unwrap_or_default(),
        invoice_settings: InvoiceSettingsForm { custom_fields },
        tax: charging.automatic_tax.then_some(TaxForm { validate_location: "immediately" }),
    };
    let request = RequestBuilder::new(StripeMethod::Post, format!("/customers/{customer}")).form(&form);
    let updated = request.customize::<Created>().request_strategy(RequestStrategy::Once).send(client).await;
    match updated {
        Err(error) if error.has_code("customer_tax_location_invalid") => {
            tracing::info!(error = chain(&error), "an address does not determine the tax");
            Err(RefusedDetail::Address.into())
        }
        updated => Ok(updated.map(drop)?),
    }
}

fn address_form(address: &BillingAddress) -> AddressForm<'_> {
    AddressForm {
        country: address.country.code(),
        line1: written(address.line1.as_ref()),
        line2: written(address.line2.as_ref()),
        postal_code: written(address.postal_code.as_ref()),
        city: written(address.city.as_ref()),
        state: written(address.state.as_ref()),
    }
}

fn written<const MAX: usize>(text: Option<&Text<MAX>>) -> &str {
    text.map_or("", Text::as_str)
}

/// Why details were not replaced.
pub(super) enum ReplaceError {
    Refused(RefusedDetail),
    Stripe(DefaultError),
}

impl ReplaceError {
    /// The port's error for it.
    pub(super) fn during(self, operation: &'static str) -> ReplaceDetailsError {
        match self {
            Self::Refused(detail) => ReplaceDetailsError::Refused(detail),
            Self::Stripe(error) => error.during(operation).into(),
        }
    }
}

impl From<RefusedDetail> for ReplaceError {
    fn from(detail: RefusedDetail) -> Self {
        Self::Refused(detail)
    }
}

impl From<StripeError> for ReplaceError {
    fn from(error: StripeError) -> Self {
        Self::Stripe(error.into())
    }
}

impl From<DefaultError> for ReplaceError {
    fn from(error: DefaultError) -> Self {
        Self::Stripe(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::TaxIdType;

    #[test]
    fn every_type_of_tax_id_is_one_of_the_clients() {
        for kind in TaxIdType::all() {
            let Ok(known) = kind.name().parse::<CreateCustomerTaxIdType>();
            assert!(!matches!(known, CreateCustomerTaxIdType::Unknown(_)), "{}", kind.name());
        }
    }
}
