//! What every page has around it: the company's name, the way to the other pages, and the way out.

use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::{CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY};
use shared::http::{Parameters, Problem, Reply};

/// Only our own stylesheet, script and forms; no frames around the page, and none in it. The one picture is the empty icon,
/// without which browsers ask for another.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";
/// A year. Browsers ignore it over plain HTTP. <https://www.rfc-editor.org/rfc/rfc6797#section-8.1>
const TLS_ONLY: &str = "max-age=31536000";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Overview,
    Buy,
    TopUps,
    Cards,
    Usage,
    History,
    Invoices,
    Limits,
    Contacts,
    /// None of those in the menu.
    Elsewhere,
}

impl Section {
    const MENU: [(Self, &'static str, &'static str); 9] = [
        (Self::Overview, "/portal/overview", "Overview"),
        (Self::Buy, "/portal/buy", "Buy credits"),
        (Self::TopUps, "/portal/auto_top_up", "Automatic top-ups"),
        (Self::Cards, "/portal/cards", "Cards"),
        (Self::Usage, "/portal/usage", "Usage"),
        (Self::History, "/portal/history", "History"),
        (Self::Invoices, "/portal/invoices", "Invoices"),
        (Self::Limits, "/portal/limits", "Limits"),
        (Self::Contacts, "/portal/contacts", "Contacts"),
    ];
}

/// The frame of a page.
pub struct Layout<'a> {
    pub title: &'a str,
    pub company: &'a str,
    pub return_url: &'a str,
    section: Section,
    /// `None` if nobody is signed in.
    pub signed_in: Option<SignedIn>,
    /// What the visitor has just done.
    pub done: Option<&'static str>,
}

/// What only a browser with a session sees.
pub struct SignedIn {
    pub form_token: String,
    pub is_read_only: bool,
}

pub struct MenuItem {
    pub href: &'static str,
    pub name: &'static str,
    pub is_current: bool,
}

impl<'a> Layout<'a> {
    pub fn of<O: Outside>(app: &'a App<O>, visitor: &'a Visitor, (section, title): (Section, &'a str)) -> Self {
        let signed_in = SignedIn { form_token: visitor.form_token(), is_read_only: visitor.is_read_only() };
        Self {
            title,
            company: &app.branding.company,
            return_url: visitor.session.visit.return_url.as_deref().unwrap_or(app.return_urls.usual()),
            section,
            signed_in: Some(signed_in),
            done: None,
        }
    }

    pub fn for_nobody<O: Outside>(app: &'a App<O>, title: &'a str) -> Self {
        Self {
            title,
            company: &app.branding.company,
            return_url: app.return_urls.usual(),
            section: Section::Elsewhere,
            signed_in: None,
            done: None,
        }
    }

    #[must_use]
    pub fn with_done(mut self, done: Option<Done>) -> Self {
        self.done = done.map(Done::text);
        self
    }

    pub fn menu(&self) -> impl Iterator<Item = MenuItem> + use<> {
        let current = self.section;
        Section::MENU.into_iter().map(move |(section, href, name)| MenuItem {
            href,
            name,
            is_current: section == current,
        })
    }

    pub fn form_token(&self) -> &str {
        self.signed_in.as_ref().map_or("", |signed_in| signed_in.form_token.as_str())
    }

    /// Whether the page may have forms that change something.
    pub fn can_change(&self) -> bool {
        self.signed_in.as_ref().is_some_and(|signed_in| !signed_in.is_read_only)
    }
}

/// What a form did. The page that follows it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    TurnedOn,
    TurnedOff,
    Resumed,
    Paid,
    CardSaved,
    CardChosen,
    CardRemoved,
    SpendingStopped,
    SpendingAllowed,
    LimitsSet,
    ContactsSaved,
    LevelsSaved,
    DetailsSaved,
}

impl Done {
    const ALL: [Self; 13] = [
        Self::TurnedOn,
        Self::TurnedOff,
        Self::Resumed,
        Self::Paid,
        Self::CardSaved,
        Self::CardChosen,
        Self::CardRemoved,
        Self::SpendingStopped,
        Self::SpendingAllowed,
        Self::LimitsSet,
        Self::ContactsSaved,
        Self::LevelsSaved,
        Self::DetailsSaved,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::TurnedOn => "turned_on",
            Self::TurnedOff => "turned_off",
            Self::Resumed => "resumed",
            Self::Paid => "paid",
            Self::CardSaved => "card_saved",
            Self::CardChosen => "card_chosen",
            Self::CardRemoved => "card_removed",
            Self::SpendingStopped => "spending_stopped",
            Self::SpendingAllowed => "spending_allowed",
            Self::LimitsSet => "limits_set",
            Self::ContactsSaved => "contacts_saved",
            Self::LevelsSaved => "levels_saved",
            Self::DetailsSaved => "details_saved",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::TurnedOn => "Saved. Automatic top-ups are on.",
            Self::TurnedOff => "Automatic top-ups are off.",
            Self::Resumed => "Automatic top-ups work again. The open invoice was voided.",
            Self::Paid => "The payment was received, and its credits are on your balance.",
            Self::CardSaved => "The card was saved. It may take a moment until it is listed.",
            Self::CardChosen => "This card is charged from now on.",
            Self::CardRemoved => "The card was removed.",
            Self::SpendingStopped => "Spending is stopped. Charges are refused until you allow it again.",
            Self::SpendingAllowed => "Spending is allowed again.",
            Self::LimitsSet => "The limits hold from now on.",
            Self::DetailsSaved => "Saved. The next invoice shows these details.",
            Self::LevelsSaved => "Saved. The contacts for alerts are told at these levels.",
            Self::ContactsSaved => "Saved. New addresses get a link to confirm.",
        }
    }

    pub fn read(query: &mut Parameters) -> Option<Self> {
        query.optional("done", "what was done", |name| Self::ALL.into_iter().find(|done| done.name() == name))
    }

    /// The page, saying what was done.
    ///
    /// # Errors
    /// Never in practice: a path of ours is valid in a header.
    pub fn then(self, path: &str) -> Result<Reply, Problem> {
        Reply::see_other(&format!("{path}?done={}", self.name()))
    }
}

pub fn show(status: u16, page: &impl Template) -> Result<Reply, Problem> {
    let html = page.render().map_err(Problem::internal)?;
    Ok(Reply::html(status, html)
        .with_header(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))
        .with_header(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TLS_ONLY)))
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    layout: Layout<'a>,
    heading: &'a str,
    text: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

/// A page that says what is wrong, and that nothing was changed by it.
pub fn failed<O: Outside>(app: &App<O>, visitor: Option<&Visitor>, problem: &Problem) -> Result<Reply, Problem> {
    let (heading, text) = match problem.status() {
        404 => ("There is no such page", "The address may have been copied in part."),
        500 => (
            "Something went wrong",
            "Something is wrong on our side, and we have been notified. Please try again later.",
        ),
        503 => ("Please try again in a moment", "Something that this page needs cannot be reached right now."),
        _ => (problem.title(), problem.detail()),
    };
    let layout = match visitor {
        Some(visitor) => Layout::of(app, visitor, (Section::Elsewhere, heading)),
        None => Layout::for_nobody(app, heading),
    };
    show(problem.status(), &ProblemPage { layout, heading, text, fields: problem.field_messages() })
}
