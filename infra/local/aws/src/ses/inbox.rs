//! The inbox, for people with a browser.
//!
//! A message's HTML is untrusted: it is shown in a frame that runs no scripts, and its links open in a new tab.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::{LocalSes, Message};
use crate::page::page;

/// Sandboxes the document even if it is opened outside the frame. E-mails may have remote images.
const MESSAGE_POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src * data:; style-src 'unsafe-inline'";

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    messages: Vec<Message>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    message: Message,
}

pub(super) fn pages(ses: LocalSes) -> Router {
    Router::new()
        .route("/inbox", get(list))
        .route("/inbox.json", get(list_json))
        .route("/inbox/events.json", get(list_events))
        .route("/inbox/{id}", get(show))
        .route("/inbox/{id}/html", get(show_html))
        .with_state(ses)
}

async fn list(State(ses): State<LocalSes>) -> Response {
    page(&InboxPage { messages: newest_first(&ses) })
}

async fn list_json(State(ses): State<LocalSes>) -> Json<Vec<Message>> {
    Json(newest_first(&ses))
}

async fn list_events(State(ses): State<LocalSes>) -> Json<Vec<serde_json::Value>> {
    Json(ses.events())
}

async fn show(State(ses): State<LocalSes>, Path(id): Path<String>) -> Response {
    match ses.message(&id) {
        Some(message) => page(&MessagePage { message }),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn show_html(State(ses): State<LocalSes>, Path(id): Path<String>) -> Response {
    match ses.message(&id).and_then(|message| message.html) {
        Some(html) => {
            ([(CONTENT_SECURITY_POLICY, MESSAGE_POLICY)], Html(with_links_in_new_tabs(&html))).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn newest_first(ses: &LocalSes) -> Vec<Message> {
    ses.messages().into_iter().rev().collect()
}

/// A link that is followed inside the frame would keep the sandbox and break the target page.
fn with_links_in_new_tabs(html: &str) -> String {
    const BASE: &str = r#"<base target="_blank">"#;
    match html.find("<head>") {
        Some(start) => {
            let (before, after) = html.split_at(start + "<head>".len());
            format!("{before}{BASE}{after}")
        }
        None => format!("{BASE}{html}"),
    }
}
