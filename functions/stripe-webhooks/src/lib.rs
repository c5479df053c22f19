//! Receives Stripe's events: verifies the signature of the raw body, fetches the object, records its state. What is
//! recorded as paid already is not fetched.
//!
//! Answers 200 if the event is applied, was already applied or does not concern us, and 5xx if Stripe should send it
//! again.

pub mod wiring;

use lambda_http::http::Method;
use lambda_http::{Body, Request, Response};
use serde_json::Value;
use shared::http::{Access, Problem, Reply, Route, find_route, respond};
use shared::stripe::SecretString;
use shared::stripe::webhook::verify;
use shared::telemetry::embedded_metrics;
use shared::use_cases::Context;
use shared::use_cases::payments::{Applied, ApplyEventError, ApplyingEvents, apply_event};

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside: ApplyingEvents
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    /// More than one while the signing secret is being rolled.
    pub secrets: Vec<SecretString>,
    /// Receives the count of events that no endpoint should send us, of those that are refused and of unknown payments,
    /// each as one line of embedded metrics.
    pub emit: fn(&Value),
}

/// Every route of this function, as in `template.yaml`.
pub const ROUTES: &[Route<()>] =
    &[Route { method: Method::POST, path: "/v1/webhooks/stripe", access: Access::Public, operation: () }];

/// Answers one event.
pub async fn handle<O: Outside>(app: &App<O>, request: Request) -> Response<Body> {
    let outcome = post_event(app, &request).await;
    respond(&request, outcome)
}

async fn post_event<O: Outside>(app: &App<O>, request: &Request) -> Result<Reply, Problem> {
    find_route(ROUTES, request, |_| Ok(()))?;
    let signature = request.headers().get("stripe-signature").and_then(|value| value.to_str().ok());
    let event = verify(signature, request.body(), &app.secrets, app.context.now()).map_err(|rejection| {
        count(app, "refused_events");
        Problem::invalid_signature(format!("The event is refused: {rejection}."))
    })?;
    if event.is_thin {
        // The object it names is fetched when the ordinary event about it arrives.
        tracing::warn!(event.id = %event.id, event.kind = event.kind, "a thin event: unsubscribe the endpoint from it");
        count(app, "thin_events");
        return Ok(Reply::empty());
    }
    let applied = apply_event(&app.context, &event.id, &event.subject()).await;
    match applied {
        Ok(applied) => {
            tracing::info!(event.id = %event.id, event.kind = event.kind, ?applied, "event");
            if applied == Applied::Flagged {
                count(app, "unknown_payments");
            }
            Ok(Reply::empty())
        }
        Err(error @ (ApplyEventError::Mismatch(_) | ApplyEventError::BalanceOutOfRange(_))) => {
            Err(Problem::internal(error))
        }
        Err(ApplyEventError::Outside(error)) => Err(error.into()),
    }
}

fn count<O: Outside>(app: &App<O>, what: &'static str) {
    (app.emit)(&embedded_metrics("stripe-webhooks", &[(what, 1)], app.context.now()));
}
