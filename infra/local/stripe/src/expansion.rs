//! Replaces ids in an answer by their objects: <https://docs.stripe.com/api/expanding_objects>.

use serde_json::Value;

use crate::error::ApiError;
use crate::objects::{invoice_payment, tax_id};
use crate::state::State;

const DEPTH_MAX: usize = 4;

/// # Errors
/// For a path that cannot be expanded or is too deep.
pub(crate) fn expand(state: &State, answer: &mut Value, paths: &[String]) -> Result<(), ApiError> {
    for path in paths {
        let segments: Vec<&str> = path.split('.').collect();
        let depth = segments.iter().filter(|segment| **segment != "data").count();
        if depth > DEPTH_MAX {
            return Err(cannot_expand(path));
        }
        expand_at(state, answer, &segments).map_err(|NotExpandable| cannot_expand(path))?;
    }
    Ok(())
}

fn cannot_expand(path: &str) -> ApiError {
    ApiError::invalid_state(None, format!("This property cannot be expanded ({path})."))
}

struct NotExpandable;

fn expand_at(state: &State, value: &mut Value, segments: &[&str]) -> Result<(), NotExpandable> {
    let Some((segment, rest)) = segments.split_first() else {
        return Ok(());
    };
    if value.get(segment).is_none() {
        let included = includable(state, value, segment).ok_or(NotExpandable)?;
        let is_plain = included.is_number();
        value[*segment] = included;
        // A number that is left out unless it is requested has nothing in it to expand.
        if is_plain && rest.is_empty() {
            return Ok(());
        }
    }
    match &mut value[*segment] {
        Value::Null => Ok(()),
        Value::Array(items) => items.iter_mut().try_for_each(|item| expand_at(state, item, rest)),
        field @ Value::String(_) => {
            let id = field.as_str().unwrap_or_default();
            *field = state.object(id).ok_or(NotExpandable)?;
            expand_at(state, field, rest)
        }
        field @ Value::Object(_) => expand_at(state, field, rest),
        Value::Bool(_) | Value::Number(_) => Err(NotExpandable),
    }
}

/// Fields that are left out unless they are requested.
fn includable(state: &State, value: &Value, field: &str) -> Option<Value> {
    let id = value.get("id")?.as_str()?;
    match (value.get("object")?.as_str()?, field) {
        ("invoice", "amount_paid_off_stripe") => {
            state.invoices.find(id).map(|invoice| Value::from(invoice.amount_paid_off_stripe))
        }
        ("invoice", "payments") => Some(invoice_payment::list_of_invoice(state, id)),
        ("customer", "tax_ids") => Some(tax_id::included(state, id)),
        ("checkout.session", "line_items") => {
            state.checkout_sessions.find(id).map(|session| session.render_line_items())
        }
        _ => None,
    }
}
