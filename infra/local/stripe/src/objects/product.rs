//! Products, only as far as a price needs one: <https://docs.stripe.com/api/products>.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::parameters::{Metadata, MetadataChange, NoParameters, Page, merge_metadata, parse, parse_filters, required};
use crate::state::{Resource, State};

#[derive(Debug)]
pub(crate) struct Product {
    id: String,
    created: i64,
    pub(crate) name: String,
    description: Option<String>,
    metadata: Metadata,
}

impl Resource for Product {
    const NAME: &'static str = "product";

    fn render(&self, _: &State) -> Value {
        json!({
            "id": self.id,
            "object": "product",
            "active": true,
            "created": self.created,
            "default_price": null,
            "description": self.description,
            "images": [],
            "livemode": false,
            "marketing_features": [],
            "metadata": self.metadata,
            "name": self.name,
            "package_dimensions": null,
            "shippable": null,
            "statement_descriptor": null,
            "tax_code": null,
            "type": "service",
            "unit_label": null,
            "updated": self.created,
            "url": null,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    name: Option<String>,
    description: Option<String>,
    metadata: Option<MetadataChange>,
}

pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let product = Product {
        name: required(creation.name, "name")?,
        metadata: merge_metadata(&Metadata::new(), creation.metadata)?,
        description: creation.description,
        created: state.now_seconds(),
        id: state.ids.next("prod_"),
    };
    let id = product.id.clone();
    state.products.insert(&id, product);
    state.emit("product.created", &id);
    Ok(state.render(&id))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.products.get(id)?.render(state))
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    parse_filters::<NoParameters>(encoded)?;
    state.list(&state.products, &Page::parse(encoded)?, "/v1/products", |_| true)
}
