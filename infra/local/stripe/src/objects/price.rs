//! Prices of products, for one-time payments: <https://docs.stripe.com/api/prices>.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::currencies::require_step;
use crate::error::ApiError;
use crate::parameters::{
    Metadata, MetadataChange, NoParameters, Page, currency, merge_metadata, parse, parse_filters, required,
};
use crate::state::{Resource, State};

#[derive(Debug)]
pub(crate) struct Price {
    id: String,
    created: i64,
    pub(crate) product: String,
    pub(crate) currency: String,
    pub(crate) unit_amount: i64,
    metadata: Metadata,
}

impl Resource for Price {
    const NAME: &'static str = "price";

    fn render(&self, _: &State) -> Value {
        json!({
            "id": self.id,
            "object": "price",
            "active": true,
            "billing_scheme": "per_unit",
            "created": self.created,
            "currency": self.currency,
            "custom_unit_amount": null,
            "livemode": false,
            "lookup_key": null,
            "metadata": self.metadata,
            "nickname": null,
            "product": self.product,
            "recurring": null,
            "tax_behavior": "unspecified",
            "tiers_mode": null,
            "transform_quantity": null,
            "type": "one_time",
            "unit_amount": self.unit_amount,
            "unit_amount_decimal": self.unit_amount.to_string(),
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    product: Option<String>,
    currency: Option<String>,
    unit_amount: Option<i64>,
    metadata: Option<MetadataChange>,
}

pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let currency = currency(&required(creation.currency, "currency")?)?;
    let unit_amount = required(creation.unit_amount, "unit_amount")?;
    if unit_amount < 0 {
        let message = "unit_amount must not be negative.";
        return Err(ApiError::invalid_parameter("parameter_invalid_integer", "unit_amount", message));
    }
    require_step(unit_amount, &currency, "unit_amount")?;
    let product = required(creation.product, "product")?;
    state.products.get_for(&product, "product")?;
    let price = Price {
        metadata: merge_metadata(&Metadata::new(), creation.metadata)?,
        product,
        currency,
        unit_amount,
        created: state.now_seconds(),
        id: state.ids.next("price_"),
    };
    let id = price.id.clone();
    state.prices.insert(&id, price);
    state.emit("price.created", &id);
    Ok(state.render(&id))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.prices.get(id)?.render(state))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    product: Option<String>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.prices, &Page::parse(encoded)?, "/v1/prices", |price| {
        filters.product.as_ref().is_none_or(|product| price.product == *product)
    })
}
