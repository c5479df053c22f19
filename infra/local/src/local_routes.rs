//! What only the local cloud has, all under `/_local`: a page to start from, tokens, the clock, a sweep at once.

use crate::cloud::{AdvanceError, LocalCloud};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use local_gateway::schedules::Run;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::clock::Clock;
use std::sync::{Arc, Weak};

/// The routes. They hold the cloud weakly, since the cloud holds the server they are part of.
pub fn router(cloud: &Arc<LocalCloud>) -> Router {
    Router::new()
        .route("/_local", get(home))
        .route("/_local/", get(home))
        .route("/_local/returned", get(returned))
        .route("/_local/clock", get(read_clock).post(move_clock))
        .route("/_local/sweep", post(sweep))
        .route("/_local/tokens", post(make_token))
        .with_state(Arc::downgrade(cloud))
        .nest("/_local/issuer", cloud.issuer.router())
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    api: &'a str,
    stripe: &'a str,
    aws: &'a str,
    now: String,
    routes: Vec<String>,
}

#[derive(Template)]
#[template(path = "returned.html")]
struct Returned {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
enum Move {
    /// How far, as `6h`, `30m` or ISO 8601.
    #[serde(rename = "advance")]
    Advance(SignedDuration),
    /// Until when.
    #[serde(rename = "to")]
    To(Timestamp),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    subject: String,
    scopes: Vec<String>,
}

type Cloud = State<Weak<LocalCloud>>;

async fn home(State(cloud): Cloud) -> Response {
    let Some(cloud) = cloud.upgrade() else { return stopping() };
    let urls = &cloud.urls;
    let page = Home {
        api: &urls.api,
        stripe: &urls.stripe,
        aws: &urls.aws,
        now: shared::http::time(cloud.clock.now()),
        routes: cloud.template.routes.iter().map(|route| route.key()).collect(),
    };
    render(&page)
}

async fn returned() -> Response {
    render(&Returned {})
}

async fn read_clock(State(cloud): Cloud) -> Response {
    let Some(cloud) = cloud.upgrade() else { return stopping() };
    Json(json!({ "now": shared::http::time(cloud.clock.now()) })).into_response()
}

async fn move_clock(State(cloud): Cloud, Json(asked): Json<Move>) -> Response {
    let Some(cloud) = cloud.upgrade() else { return stopping() };
    if cloud.has_own_processes {
        return refused(
            StatusCode::CONFLICT,
            "compiled functions keep the machine's time, so the clock cannot be moved",
        );
    }
    let by = match asked {
        Move::Advance(by) => by,
        Move::To(instant) => instant.duration_since(cloud.clock.now()),
    };
    match cloud.advance(by).await {
        Ok(runs) => {
            let runs: Vec<Value> = runs.iter().map(run).collect();
            Json(json!({ "now": shared::http::time(cloud.clock.now()), "runs": runs })).into_response()
        }
        Err(error @ AdvanceError::NotForward(_)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
        Err(error @ AdvanceError::Stream(_)) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn sweep(State(cloud): Cloud) -> Response {
    let Some(cloud) = cloud.upgrade() else { return stopping() };
    match cloud.sweep().await {
        Ok(summary) => Json(summary).into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn make_token(State(cloud): Cloud, Json(asked): Json<TokenRequest>) -> Response {
    let Some(cloud) = cloud.upgrade() else { return stopping() };
    let scopes: Vec<&str> = asked.scopes.iter().map(String::as_str).collect();
    Json(json!({ "token": cloud.token(&asked.subject, &scopes) })).into_response()
}

fn run(run: &Run) -> Value {
    let (answer, error) = match &run.result {
        Ok(answer) => (Some(answer), None),
        Err(error) => (None, Some(error.to_string())),
    };
    json!({ "schedule": run.schedule, "due": shared::http::time(run.due), "answer": answer, "error": error })
}

fn render(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn stopping() -> Response {
    refused(StatusCode::SERVICE_UNAVAILABLE, "the local cloud is stopping")
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
