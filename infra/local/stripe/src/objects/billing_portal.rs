//! Links to the page where a customer manages the saved cards: <https://docs.stripe.com/api/customer_portal/sessions>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::customer;
use crate::error::ApiError;
use crate::parameters::{parse, required};
use crate::state::{Resource, State};

#[derive(Debug)]
pub(crate) struct PortalSession {
    id: String,
    created: i64,
    pub(crate) customer: String,
    pub(crate) return_url: Option<String>,
    flow: Option<String>,
}

impl Resource for PortalSession {
    const NAME: &'static str = "billing_portal.session";

    fn render(&self, state: &State) -> Value {
        json!({
            "id": self.id,
            "object": "billing_portal.session",
            "configuration": "bpc_local",
            "created": self.created,
            "customer": self.customer,
            "flow": self.flow.as_ref().map(|kind| json!({ "type": kind })),
            "livemode": false,
            "locale": null,
            "return_url": self.return_url,
            "url": state.url(&format!("/p/session/{}", self.id)),
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FlowData {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    customer: Option<String>,
    return_url: Option<String>,
    flow_data: FlowData,
}

pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let customer = required(creation.customer, "customer")?;
    customer::existing(state, &customer, Some("customer"))?;
    if creation.flow_data.kind.as_deref().is_some_and(|kind| kind != "payment_method_update") {
        let message = "Only the flow payment_method_update is simulated.";
        return Err(ApiError::invalid_parameter("parameter_invalid", "flow_data[type]", message));
    }
    let session = PortalSession {
        id: state.ids.next("bps_"),
        created: state.now_seconds(),
        customer,
        return_url: creation.return_url,
        flow: creation.flow_data.kind,
    };
    let id = session.id.clone();
    state.portal_sessions.insert(&id, session);
    Ok(state.render(&id))
}
