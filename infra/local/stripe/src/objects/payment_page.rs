//! The request that the Checkout page sends when its button is pressed, for clients that send it themselves, as
//! Stripe's own command line does.

use serde::Deserialize;
use serde_json::{Value, json};

use super::checkout_session::{self, Entered, Status, Submission};
use super::{Address, payment_method};
use crate::error::ApiError;
use crate::parameters::{NoParameters, parse, required};
use crate::state::{Resource, State};

pub(crate) fn retrieve(state: &State, session: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.checkout_sessions.get(session)?.render(state))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Confirmation {
    payment_method: Option<String>,
    expected_amount: Option<i64>,
}

/// # Errors
/// 400 for a session that is not open or whose amount differs from the one on the page, 402 if the bank declines.
pub(crate) fn confirm(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let confirmation: Confirmation = parse(encoded)?;
    let given = required(confirmation.payment_method, "payment_method")?;
    let session = state.checkout_sessions.get(id)?;
    if session.status != Status::Open {
        return Err(ApiError::invalid_state(None, format!("This session is {}.", session.status.as_str())));
    }
    if confirmation.expected_amount.is_some_and(|expected| expected != session.total(state)) {
        return Err(ApiError::invalid_state(None, "The amount has changed since the page was opened."));
    }
    let customer = session.customer.clone();
    let payment_method = payment_method::usable(state, &given, customer.as_deref())?;
    let method = state.payment_methods.get(&payment_method)?;
    let (kind, email) = (method.instrument.kind, method.email().map(str::to_owned));
    if !state.checkout_sessions.get(id)?.takes(kind) {
        let message = format!("A {} cannot be used here.", kind.as_str());
        return Err(ApiError::invalid_parameter("payment_method_invalid_parameter", "payment_method", message));
    }
    let entered = Entered { address: Address::in_country("US"), ..Entered::default() };
    match checkout_session::submit_method(state, id, &payment_method, email, entered)? {
        Submission::Refused(reason) => Err(ApiError::card("card_declined", None, &reason)),
        Submission::Completed | Submission::NeedsAuthentication(_) => {
            let mut page = state.render(id);
            page["object"] = json!("payment_page");
            Ok(page)
        }
    }
}
