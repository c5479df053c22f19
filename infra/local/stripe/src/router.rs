//! The API's routes: the operation for each method and path.

use http::Method;
use serde_json::Value;

use crate::error::ApiError;
use crate::expansion::expand;
use crate::objects::{
    billing_portal, charge, checkout_operations, credit_note_operations, customer, customer_balance, discount, dispute,
    event, invoice_item, invoice_operations, invoice_payment, payment_intent_operations, payment_method, payment_page,
    price, product, refund, setup_intent, tax_id, webhook_endpoint,
};
use crate::parameters::Expansion;
use crate::state::State;

/// Performs a request under `/v1`. `encoded` holds its parameters from the body or the query.
pub(crate) fn answer(state: &mut State, method: &Method, path: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let Expansion { expand: paths } = Expansion::parse(encoded)?;
    let segments: Vec<&str> = path.trim_start_matches("/v1/").trim_end_matches('/').split('/').collect();
    let found = match method.as_str() {
        "GET" => get(state, &segments, encoded),
        "POST" => post(state, &segments, encoded),
        "DELETE" => delete(state, &segments, encoded),
        _ => None,
    };
    let mut answer = found.unwrap_or_else(|| Err(ApiError::unrecognized_url(method.as_str(), path)))?;
    expand(state, &mut answer, &paths)?;
    Ok(answer)
}

type Answer = Option<Result<Value, ApiError>>;

fn get(state: &State, segments: &[&str], encoded: &[u8]) -> Answer {
    Some(match *segments {
        ["charges"] => charge::list(state, encoded),
        ["charges", id] => charge::retrieve(state, id, encoded),
        ["checkout", "sessions"] => checkout_operations::list(state, encoded),
        ["checkout", "sessions", id] => checkout_operations::retrieve(state, id, encoded),
        ["checkout", "sessions", id, "line_items"] => checkout_operations::list_line_items(state, id, encoded),
        ["credit_notes"] => credit_note_operations::list(state, encoded),
        ["credit_notes", id] => credit_note_operations::retrieve(state, id, encoded),
        ["credit_notes", id, "lines"] => credit_note_operations::list_lines(state, id, encoded),
        ["customers"] => customer::list(state, encoded),
        ["customers", "search"] => customer::search(state, encoded),
        ["customers", id, "balance_transactions"] => customer_balance::list(state, id, encoded),
        ["customers", id, "balance_transactions", transaction] => {
            customer_balance::retrieve(state, id, transaction, encoded)
        }
        ["customers", id] => customer::retrieve(state, id, encoded),
        ["customers", id, "payment_methods"] => payment_method::list_of_customer(state, id, encoded),
        ["customers", id, "payment_methods", payment_method] => {
            payment_method::retrieve_of_customer(state, id, payment_method, encoded)
        }
        ["customers", id, "tax_ids"] => tax_id::list(state, id, encoded),
        ["customers", id, "tax_ids", tax_id] => tax_id::retrieve(state, id, tax_id, encoded),
        ["disputes"] => dispute::list(state, encoded),
        ["disputes", id] => dispute::retrieve(state, id, encoded),
        ["events"] => event::list(state, encoded),
        ["events", id] => event::retrieve(state, id, encoded),
        ["invoice_payments"] => invoice_payment::list(state, encoded),
        ["invoice_payments", id] => invoice_payment::retrieve(state, id, encoded),
        ["invoiceitems"] => invoice_item::list(state, encoded),
        ["invoiceitems", id] => invoice_item::retrieve(state, id, encoded),
        ["invoices"] => invoice_operations::list(state, encoded),
        ["invoices", "search"] => invoice_operations::search(state, encoded),
        ["invoices", id] => invoice_operations::retrieve(state, id, encoded),
        ["invoices", id, "lines"] => invoice_operations::list_lines(state, id, encoded),
        ["payment_intents"] => payment_intent_operations::list(state, encoded),
        ["payment_intents", "search"] => payment_intent_operations::search(state, encoded),
        ["payment_intents", id] => payment_intent_operations::retrieve(state, id, encoded),
        ["payment_pages", id] => payment_page::retrieve(state, id, encoded),
        ["payment_methods"] => payment_method::list(state, encoded),
        ["payment_methods", id] => payment_method::retrieve(state, id, encoded),
        ["prices"] => price::list(state, encoded),
        ["prices", id] => price::retrieve(state, id, encoded),
        ["products"] => product::list(state, encoded),
        ["products", id] => product::retrieve(state, id, encoded),
        ["refunds"] => refund::list(state, encoded),
        ["refunds", id] => refund::retrieve(state, id, encoded),
        ["setup_intents"] => setup_intent::list(state, encoded),
        ["setup_intents", id] => setup_intent::retrieve(state, id, encoded),
        ["webhook_endpoints"] => webhook_endpoint::list(state, encoded),
        ["webhook_endpoints", id] => webhook_endpoint::retrieve(state, id, encoded),
        _ => return None,
    })
}

fn post(state: &mut State, segments: &[&str], encoded: &[u8]) -> Answer {
    Some(match *segments {
        ["billing_portal", "sessions"] => billing_portal::create(state, encoded),
        ["checkout", "sessions"] => checkout_operations::create(state, encoded),
        ["checkout", "sessions", id, "expire"] => checkout_operations::expire(state, id, encoded),
        ["credit_notes"] => credit_note_operations::create(state, encoded),
        ["credit_notes", id] => credit_note_operations::update(state, id, encoded),
        ["credit_notes", id, "void"] => credit_note_operations::void(state, id, encoded),
        ["customers"] => customer::create(state, encoded),
        ["customers", id, "balance_transactions"] => customer_balance::create(state, id, encoded),
        ["customers", id] => customer::update(state, id, encoded),
        ["customers", id, "tax_ids"] => tax_id::create(state, id, encoded),
        ["disputes", id] => dispute::update(state, id, encoded),
        ["disputes", id, "close"] => dispute::close(state, id, encoded),
        ["invoiceitems"] => invoice_item::create(state, encoded),
        ["invoiceitems", id] => invoice_item::update(state, id, encoded),
        ["invoices"] => invoice_operations::create(state, encoded),
        ["invoices", id] => invoice_operations::update(state, id, encoded),
        ["invoices", id, "attach_payment"] => invoice_operations::attach_payment(state, id, encoded),
        ["invoices", id, "finalize"] => invoice_operations::finalize(state, id, encoded),
        ["invoices", id, "mark_uncollectible"] => invoice_operations::mark_uncollectible(state, id, encoded),
        ["invoices", id, "pay"] => invoice_operations::pay(state, id, encoded),
        ["invoices", id, "void"] => invoice_operations::void(state, id, encoded),
        ["payment_intents"] => payment_intent_operations::create(state, encoded),
        ["payment_intents", id, "cancel"] => payment_intent_operations::cancel_by_request(state, id, encoded),
        ["payment_intents", id, "confirm"] => payment_intent_operations::confirm(state, id, encoded),
        ["payment_pages", id, "confirm"] => payment_page::confirm(state, id, encoded),
        ["payment_methods"] => payment_method::create(state, encoded),
        ["payment_methods", id] => payment_method::update(state, id, encoded),
        ["payment_methods", id, "attach"] => payment_method::attach(state, id, encoded),
        ["payment_methods", id, "detach"] => payment_method::detach(state, id, encoded),
        ["prices"] => price::create(state, encoded),
        ["products"] => product::create(state, encoded),
        ["refunds"] => refund::create(state, encoded),
        ["refunds", id] => refund::update(state, id, encoded),
        ["setup_intents"] => setup_intent::create(state, encoded),
        ["setup_intents", id, "confirm"] => setup_intent::confirm(state, id, encoded),
        ["webhook_endpoints"] => webhook_endpoint::create(state, encoded),
        ["webhook_endpoints", id] => webhook_endpoint::update(state, id, encoded),
        _ => return None,
    })
}

fn delete(state: &mut State, segments: &[&str], encoded: &[u8]) -> Answer {
    Some(match *segments {
        ["customers", id] => customer::delete(state, id, encoded),
        ["customers", id, "discount"] => discount::delete(state, id, encoded),
        ["customers", id, "tax_ids", tax_id] => tax_id::delete(state, id, tax_id, encoded),
        ["invoiceitems", id] => invoice_item::delete(state, id, encoded),
        ["invoices", id] => invoice_operations::delete(state, id, encoded),
        ["webhook_endpoints", id] => webhook_endpoint::delete(state, id, encoded),
        _ => return None,
    })
}
