//! The events about paid invoices, delivered to the deployed webhook function behind the gateway as Stripe delivers them.

use crate::Error;
use crate::stripe::Paid;
use jiff::Timestamp;
use local_gateway::{Clock, Discovery, Functions, Gateway, Template};
use local_stripe::webhook_signature;
use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;

pub const SECRET: &str = "local";
/// How long after a payment its event arrives. An event that comes before the sweep has recorded the payment is followed
/// like any other, by two calls.
const DELAY: Duration = Duration::from_secs(1);

/// The number of events that were accepted, by answer.
#[derive(Clone, Default)]
pub struct Delivered {
    accepted: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Delivered {
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Delivers an event for each paid invoice.
pub async fn deliver(
    template: &Template,
    functions: Functions,
    clock: Clock,
    mut paid: UnboundedReceiver<Paid>,
) -> Result<Delivered, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}/v1/webhooks/stripe", listener.local_addr()?);
    tokio::spawn(Gateway::new(template, functions, Arc::new(Discovery::default()), clock).serve(listener));
    let (client, delivered) = (reqwest::Client::new(), Delivered::default());
    let counts = delivered.clone();
    tokio::spawn(async move {
        while let Some(paid) = paid.recv().await {
            let (client, url, counts) = (client.clone(), url.clone(), counts.clone());
            tokio::spawn(async move {
                tokio::time::sleep(DELAY).await;
                let body = event(&paid, SystemClock.now());
                let signature = webhook_signature(SECRET, SystemClock.now().as_second(), body.as_bytes());
                let sent = client.post(url).header("stripe-signature", signature).body(body).send().await;
                let is_accepted = sent.is_ok_and(|answer| answer.status().is_success());
                if is_accepted { &counts.accepted } else { &counts.refused }.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    Ok(delivered)
}

fn event(paid: &Paid, now: Timestamp) -> String {
    let metadata = HashMap::from([("account", &paid.account), ("top_up", &paid.top_up)]);
    let invoice = json!({"id": paid.invoice, "object": "invoice", "status": "paid", "metadata": metadata});
    let event = json!({
        "id": format!("evt_{}", paid.invoice), "object": "event", "type": "invoice.paid", "created": now.as_second(),
        "data": {"object": invoice},
    });
    event.to_string()
}
