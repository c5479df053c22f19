//! Who is signed in, and the forms that only they can send.

use crate::{App, Outside};
use lambda_http::Request;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::COOKIE;
use shared::domain::portal::{PassToken, PortalSession};
use shared::domain::{Account, Actor, Consenter};
use shared::http::{Parameters, Problem, parse_form};
use shared::use_cases::portal::{VisitError, Visited, visit};

/// Only this host, only over TLS, and for no path in particular: what the prefix demands.
/// <https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes>
const COOKIE_NAME: &str = "__Host-portal";

/// A browser with a session, and the account as it is now.
pub struct Visitor {
    token: PassToken,
    pub session: PortalSession,
    pub account: Account,
}

impl Visitor {
    /// `None` if the browser is not signed in.
    ///
    /// # Errors
    /// A 429 if the account sends too many requests, a 503 if the session cannot be read.
    pub async fn of<O: Outside>(app: &App<O>, request: &Request) -> Result<Option<Self>, Problem> {
        let Some(token) = token(request) else { return Ok(None) };
        match visit(&app.context, &token).await {
            Ok(Visited { session, account }) => {
                app.limiter.admit(&account.id, app.context.now())?;
                Ok(Some(Self { token, session, account }))
            }
            Err(VisitError::NoSession) => Ok(None),
            Err(VisitError::Ledger(error)) => Err(error.into()),
        }
    }

    /// What the forms of this session carry.
    pub fn form_token(&self) -> String {
        self.token.form_token()
    }

    pub fn is_read_only(&self) -> bool {
        self.session.visit.is_read_only
    }

    /// Who is named in what they change: as the company named them, or else the account.
    pub fn actor(&self) -> Result<Actor, Problem> {
        let named = self.session.visit.visitor.clone();
        named.map_or_else(|| Actor::parse(self.account.id.as_str()).map_err(Problem::internal), Ok)
    }

    pub fn consenter(&self) -> Result<Consenter, Problem> {
        let named = self.session.visit.visitor.as_ref().map_or(self.account.id.as_str(), Actor::as_str);
        Consenter::parse(named).map_err(Problem::internal)
    }

    /// Reads a form that this session's own page sent.
    ///
    /// # Errors
    /// A 403 for the form of another site or session, or in a session that may only look; a 422 that names the fields.
    pub fn form<T>(&self, request: &Request, read: impl FnOnce(&mut Parameters) -> T) -> Result<T, Problem> {
        if self.is_read_only() {
            return Err(Problem::read_only_session());
        }
        self.own_form(request, read)
    }

    /// The same for a form that changes nothing of the account.
    ///
    /// # Errors
    /// As [`Visitor::form`].
    pub fn own_form<T>(&self, request: &Request, read: impl FnOnce(&mut Parameters) -> T) -> Result<T, Problem> {
        same_origin(request)?;
        let mut is_own = false;
        let read = parse_form(request, |fields| {
            let sent = fields.optional("form_token", "sent with the form", Some);
            is_own = sent.is_some_and(|sent| sent == self.form_token());
            read(fields)
        });
        if is_own { read } else { Err(Problem::foreign_form()) }
    }
}

/// Refuses a form that another site sent, as far as the browser tells.
/// <https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site>
///
/// # Errors
/// A 403.
pub fn same_origin(request: &Request) -> Result<(), Problem> {
    match request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin") => Ok(()),
        Some(_) => Err(Problem::foreign_form()),
    }
}

fn token(request: &Request) -> Option<PassToken> {
    let mut cookies = request.headers().get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let value = cookies.find_map(|header| {
        header.split(';').find_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
    })?;
    PassToken::parse(value).ok()
}

/// Signs the browser in. Scripts cannot read the cookie, and other sites' forms do not send it.
///
/// # Errors
/// Never in practice: a token has no character that a header cannot have.
pub fn cookie(token: &PassToken) -> Result<HeaderValue, Problem> {
    let cookie = format!("{COOKIE_NAME}={}; Path=/; Secure; HttpOnly; SameSite=Lax", token.reveal());
    HeaderValue::from_str(&cookie).map_err(Problem::internal)
}

/// Signs the browser out.
pub fn no_cookie() -> HeaderValue {
    HeaderValue::from_static("__Host-portal=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}
