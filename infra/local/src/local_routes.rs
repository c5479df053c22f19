//! The routes that only the local cloud has, all under `/_local`: a start page, tokens, the clock, an immediate sweep.

use crate::cloud::{AdvanceError, LocalCloud};
use crate::demo::Api;
use crate::local_guard::guard;
use crate::local_problem::LocalProblem;
use crate::ready_made;
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use local_gateway::schedules::Run;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::domain::AccountId;
use std::sync::{Arc, Weak};

/// The routes. They hold a weak reference to the cloud, since the cloud holds their server.
pub fn router(cloud: &Arc<LocalCloud>) -> Router {
    Router::new()
        .route("/_local", get(home))
        .route("/_local/", get(home))
        .route("/_local/returned", get(returned))
        .route("/_local/clock", get(read_clock).post(move_clock))
        .route("/_local/sweep", post(sweep))
        .route("/_local/tokens", post(make_token))
        .route("/_local/dashboard/{account}", get(dashboard))
        .with_state(Arc::downgrade(cloud))
        .layer(middleware::from_fn(guard))
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
    dashboards: &'a [(&'static str, &'static str)],
}

#[derive(Template)]
#[template(path = "returned.html")]
struct Returned {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
enum Move {
    /// How far, as `6h`, `1d`, `1w`, `1y` or ISO 8601. Days and longer units follow the UTC calendar.
    #[serde(rename = "advance")]
    Advance(Span),
    /// The time to move to.
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
type Answer = Result<Response, LocalProblem>;

async fn home(State(cloud): Cloud) -> Answer {
    let cloud = cloud.upgrade().ok_or_else(LocalProblem::stopping)?;
    let urls = &cloud.urls;
    let page = Home {
        api: &urls.api,
        stripe: &urls.stripe,
        aws: &urls.aws,
        now: shared::http::time(cloud.clock.now()),
        dashboards: if cloud.has_ready_made_accounts() { &ready_made::ACCOUNTS } else { &[] },
        routes: cloud.template.routes.iter().map(|route| route.key()).collect(),
    };
    render(&page)
}

async fn returned() -> Answer {
    render(&Returned {})
}

/// Does what the company's backend does: asks for a link and redirects its customer.
async fn dashboard(State(cloud): Cloud, Path(account): Path<String>) -> Answer {
    let cloud = cloud.upgrade().ok_or_else(LocalProblem::stopping)?;
    let account = AccountId::parse(account).map_err(|_| no_account())?;
    let link = Api::new(&cloud).dashboard_link(account.as_str()).await.map_err(|_| no_account())?;
    Ok(Redirect::to(&link).into_response())
}

fn no_account() -> LocalProblem {
    LocalProblem::new(StatusCode::NOT_FOUND, "There is no such account. Open it first, with POST /v1/accounts.")
}

async fn read_clock(State(cloud): Cloud) -> Answer {
    let cloud = cloud.upgrade().ok_or_else(LocalProblem::stopping)?;
    Ok(Json(json!({ "now": shared::http::time(cloud.clock.now()) })).into_response())
}

async fn move_clock(State(cloud): Cloud, body: Bytes) -> Answer {
    const EXPECTED: &str = r#"{"advance":"1d"} (or 30m, 6h, 1w, 1y) or {"to":"2027-01-01T00:00:00Z"}"#;
    let cloud = cloud.upgrade().ok_or_else(LocalProblem::stopping)?;
    if cloud.has_own_processes {
        let detail = "The compiled functions keep the machine's time, so the clock cannot be moved.";
        return Err(LocalProblem::new(StatusCode::CONFLICT, detail));
    }
    let now = cloud.clock.now();
    let by = match read(&body, EXPECTED)? {
        Move::Advance(span) => distance(now, span)?,
        Move::To(instant) => instant.duration_since(now),
    };
    match cloud.advance(by).await {
        Ok(runs) => {
            let runs: Vec<Value> = runs.iter().map(run).collect();
            Ok(Json(json!({ "now": shared::http::time(cloud.clock.now()), "runs": runs })).into_response())
        }
        Err(AdvanceError::NotForward(_)) => Err(not_forward()),
        Err(error @ AdvanceError::Stream(_)) => Err(LocalProblem::internal(error)),
    }
}

fn distance(now: Timestamp, span: Span) -> Result<SignedDuration, LocalProblem> {
    let reached = now.to_zoned(TimeZone::UTC).checked_add(span).map_err(|_| not_forward())?;
    Ok(reached.timestamp().duration_since(now))
}

fn not_forward() -> LocalProblem {
    let detail = "The clock moves forward only, and not beyond the year 9999.";
    LocalProblem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

async fn sweep(State(cloud): Cloud) -> Answer {
    let cloud = cloud.upgrade().ok_or_else(LocalProblem::stopping)?;
    let summary = cloud.sweep().await.map_err(LocalProblem::internal)?;
    Ok(Json(summary).into_response())
}

async fn make_token(State(cloud): Cloud, body: Bytes) -> Answer {
    const EXPECTED: &str = r#"{"subject":"beta","scopes":["credits/customer"]}"#;
    let cloud = cloud.upgrade().ok_or_else(LocalProblem::stopping)?;
    let asked: TokenRequest = read(&body, EXPECTED)?;
    let scopes: Vec<&str> = asked.scopes.iter().map(String::as_str).collect();
    Ok(Json(json!({ "token": cloud.token(&asked.subject, &scopes) })).into_response())
}

/// The body as JSON, whatever its content type, so that a forgotten header does not fail the request.
fn read<T: DeserializeOwned>(body: &[u8], expected: &str) -> Result<T, LocalProblem> {
    serde_json::from_slice(body).map_err(|_| {
        LocalProblem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("The body must be JSON such as {expected}."))
    })
}

fn run(run: &Run) -> Value {
    let (answer, error) = match &run.result {
        Ok(answer) => (Some(answer), None),
        Err(error) => (None, Some(error.to_string())),
    };
    json!({ "schedule": run.schedule, "due": shared::http::time(run.due), "answer": answer, "error": error })
}

fn render(page: &impl Template) -> Answer {
    page.render().map(|html| Html(html).into_response()).map_err(LocalProblem::internal)
}
