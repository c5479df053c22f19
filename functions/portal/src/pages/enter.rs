//! The way in and the way out.

use super::layout::{Layout, Section, show};
use crate::visitor::{Visitor, cookie, no_cookie, same_origin};
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use shared::domain::portal::{PassToken, PortalFlow};
use shared::http::{Problem, Reply, parse_form};
use shared::use_cases::portal::{EnterError, Entered, end_session, enter};

#[derive(Template)]
#[template(path = "enter.html")]
struct EnterPage<'a> {
    layout: Layout<'a>,
    token: &'a str,
}

/// Opening a link changes nothing, because mail programs and scanners open links too. The page's button uses it up.
pub fn get<O: Outside>(app: &App<O>, token: &str) -> Result<Reply, Problem> {
    match PassToken::parse(token) {
        Ok(_) => show(200, &EnterPage { layout: Layout::for_nobody(app, "Your billing page"), token }),
        Err(_) => link_over(app),
    }
}

/// Exchanges the link for a session.
pub async fn post<O: Outside>(app: &App<O>, request: &Request) -> Result<Reply, Problem> {
    same_origin(request)?;
    let link =
        parse_form(request, |fields| fields.optional("token", "of a link", |token| PassToken::parse(&token).ok()))?;
    let Some(link) = link else { return link_over(app) };
    match enter(&app.context, &link).await {
        Ok(Entered { token, session }) => {
            Ok(Reply::see_other(&path_of(session.visit.flow))?.with_cookie(cookie(&token)?))
        }
        Err(EnterError::Unusable) => link_over(app),
        Err(EnterError::Ledger(error)) => Err(error.into()),
    }
}

fn path_of(flow: PortalFlow) -> String {
    format!("/portal/{}", flow.name())
}

/// Ends the session and shows the way back.
pub async fn leave<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    visitor.own_form(request, |_| ())?;
    end_session(&app.context, &visitor.session).await?;
    let mut layout = Layout::of(app, visitor, (Section::Elsewhere, "You are signed out"));
    layout.signed_in = None;
    let page = OverPage { layout, heading: "You are signed out", text: "This browser has no access any more." };
    Ok(show(200, &page)?.with_cookie(no_cookie()))
}

#[derive(Template)]
#[template(path = "over.html")]
struct OverPage<'a> {
    layout: Layout<'a>,
    heading: &'a str,
    text: &'a str,
}

pub fn session_over<O: Outside>(app: &App<O>) -> Result<Reply, Problem> {
    let (heading, text) = ("Your session is over", "For your safety, a session ends after half an hour without use.");
    show(401, &OverPage { layout: Layout::for_nobody(app, heading), heading, text })
}

fn link_over<O: Outside>(app: &App<O>) -> Result<Reply, Problem> {
    let heading = "This link does not work any more";
    let text = "For your safety, it works once and for five minutes. Go back to get a new one.";
    show(410, &OverPage { layout: Layout::for_nobody(app, heading), heading, text })
}
