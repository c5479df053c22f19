//! The company's side: it asks for a link to redirect its customer to, and can end all sessions.

use crate::{App, Outside};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::Actor;
use shared::domain::portal::{PortalFlow, Visit};
use shared::http::{Problem, ReachedAccount, Reply, api_address, boolean, parse_optional_body, text, time};
use shared::use_cases::Context;
use shared::use_cases::portal::{OpenLinkError, end_sessions, open_link};

/// Opens a link that works once, for five minutes.
pub async fn post<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let flows = PortalFlow::ALL.map(PortalFlow::name).join(", ");
    let visit = parse_optional_body(request, |fields| {
        let flow = |name: String| PortalFlow::of_name(&name).ok_or(());
        let flow = fields.optional_or("flow", &format!("one of {flows}"), (text(flow), PortalFlow::Overview));
        let return_url = fields.optional(
            "return_url",
            "the stack's ReturnUrl, or a URL on one of its PortalReturnOrigins",
            text(|url: String| app.return_urls.allowed(&url).ok_or(())),
        );
        let is_read_only = fields.optional_or("read_only", "true or false", (boolean, false));
        let visitor = fields.optional("visitor", "a text of 1 to 100 bytes: who visits", text(Actor::parse));
        Some(Visit { flow: flow?, return_url, is_read_only: is_read_only?, visitor })
    })?;
    let opened = open_link(&app.context, account.id(), visit).await?;
    let public_url = app.public_url.clone().or_else(|| api_address(request)).unwrap_or_default();
    let url = format!("{}/portal/enter/{}", public_url.trim_end_matches('/'), opened.token.reveal());
    Reply::ok(&LinkBody { url, expires_at: time(opened.expires_at) })
}

/// Ends every session and every link.
pub async fn delete<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    let ended = end_sessions::<_, OpenLinkError>(context, account.id()).await?;
    Reply::ok(&EndedBody { ended })
}

#[derive(Serialize)]
struct LinkBody {
    url: String,
    expires_at: String,
}

#[derive(Serialize)]
struct EndedBody {
    /// Sessions, and links that were not used yet.
    ended: u32,
}
