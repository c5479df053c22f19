//! Does what stored rows owe, as they arrive through the table's stream: sends the e-mails of notices, and publishes
//! events. Also records what the mail service reports about e-mails.
//!
//! It decides nothing about money: a notice or an event was stored with the change that caused it, and a report only changes
//! where the next e-mails go. Only a refused charge changes nothing, so the event of the limit that refused it is stored here.

mod content;
mod invoices;
mod parts;
mod rendering;
mod reports;
mod reversals;
mod reversed;
mod stream;
pub mod wiring;

pub use rendering::{Links, RenderError, render};

use lambda_runtime::{Error, LambdaEvent};
use serde_json::Value;
use shared::links::LinkKey;
use shared::ports::{Accounts, ContactRecords, EventBus, Mailer, Notices, OutboundEvents};
use shared::use_cases::{Capabilities, Context};

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside: Capabilities<Ledger: Accounts + ContactRecords + Notices + OutboundEvents, Mailer: Mailer>
}

/// The ports and settings that the function works with.
pub struct App<O: Outside, B: EventBus> {
    pub context: Context<O>,
    pub bus: B,
    pub links: LinkKey,
    /// The public URL of the API, `https://…`.
    pub public_url: String,
    /// Receives the counts of reversals, as one line of embedded metrics.
    pub emit: fn(&Value),
}

/// Handles a batch of the table's stream, or a report of the mail service. Only a batch has `Records`.
///
/// # Errors
/// If the event is neither, or if it has to be delivered again as a whole.
pub async fn handle<O: Outside, B: EventBus>(app: &App<O, B>, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let payload = event.payload;
    if payload.get("Records").is_some() {
        let response = stream::handle(app, serde_json::from_value(payload)?).await?;
        return Ok(serde_json::to_value(response)?);
    }
    reports::handle(&app.context, serde_json::from_value(payload)?).await?;
    Ok(Value::Null)
}
