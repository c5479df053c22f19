//! Automatic top-ups: what they are set to, what other settings would mean, and turning them on and off.

use super::layout::{Done, Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use shared::domain::payments::{
    AutoTopUp, AutoTopUpCommand, TopUpOutlook, TopUpStatus, top_up_credits, top_up_outlook,
};
use shared::domain::price_book::AutoTopUpLimits;
use shared::domain::{Account, Credits, PriceBook, TopUp};
use shared::http::{Parameters, Problem, Reply, parse_query};
use shared::ports::{AskedCards, TopUpList};
use shared::use_cases::payments::{preview_auto_top_up, set_auto_top_up};
use shared::words::{self, CONSENT_TEXT_VERSION, KnownOfTopUps, consent_text, diagnosis};

#[derive(Template)]
#[template(path = "top_ups.html")]
struct TopUpsPage<'a> {
    layout: Layout<'a>,
    is_on: bool,
    verdict: String,
    current: Option<Current>,
    typed: Typed,
    limits: AutoTopUpLimits,
    currency: &'static str,
    /// What the typed settings mean, once they are valid.
    meaning: Option<Meaning>,
    problems: Vec<String>,
    is_stale: bool,
    shown: String,
    card: Option<String>,
    last: Option<LastAttempt>,
}

/// The settings as they are stored.
struct Current {
    threshold: String,
    target: String,
    cap: Option<String>,
    accepted_by: Option<String>,
    accepted_at: String,
}

/// What is in the fields of the form.
#[derive(Clone, Debug, Default)]
struct Typed {
    threshold: String,
    target: String,
    /// In the currency's main unit, as people write it.
    max_per_month: String,
}

/// What a visitor agrees to.
struct Meaning {
    text: String,
    text_version: u32,
    /// What is charged within half an hour of saving, if that is so.
    now: Option<String>,
}

struct LastAttempt {
    at: String,
    price: String,
    outcome: &'static str,
}

/// The settings, and with `?threshold=…&target=…` what those would mean.
pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let (typed, done) = parse_query(request, |query| (Typed::read(query), Done::read(query)))?;
    page(app, (visitor, &visitor.account), (typed, false, done)).await
}

async fn page<O: Outside>(
    app: &App<O>,
    (visitor, account): (&Visitor, &Account),
    (typed, is_stale, done): (Option<Typed>, bool, Option<Done>),
) -> Result<Reply, Problem> {
    let (context, now) = (&app.context, app.context.now());
    let price_book = &context.price_book;
    let settings = account.auto_top_up.as_ref();
    let asked = context.ledger.asked_card_get(&account.id).await?;
    let attempts = context.ledger.top_ups_page(&account.id, None, 1).await?.records;
    let card = asked.face_of(account.payment_method.as_ref()).cloned();
    let card_name = card.as_ref().map(words::card_face);
    let outlook = top_up_outlook(account, price_book, Credits::ZERO, now);
    let known = KnownOfTopUps { turned_off: None, card };
    let is_asked = typed.is_some();
    let typed = typed.unwrap_or_else(|| Typed::of(settings, price_book));
    let (meaning, problems) = match typed.chosen(price_book).filter(|_| is_asked) {
        Some(Ok(chosen)) => match preview_auto_top_up(context, account, chosen).await {
            Ok(saved) => (Meaning::of(&saved, price_book, (card_name.as_deref(), now)), vec![]),
            Err(error) => (None, said(&Problem::from(error))),
        },
        Some(Err(problems)) => (None, problems),
        None => (None, vec![]),
    };
    let page = TopUpsPage {
        layout: Layout::of(app, visitor, (Section::TopUps, "Automatic top-ups")).with_done(done),
        is_on: settings.is_some_and(|settings| settings.is_enabled),
        verdict: diagnosis(&outlook, account, price_book, &known).verdict,
        current: settings.map(Current::of),
        typed,
        limits: price_book.auto_top_up,
        currency: price_book.currency.code(),
        meaning,
        problems,
        is_stale,
        shown: version(account),
        card: card_name,
        last: attempts.first().map(LastAttempt::of),
    };
    show(if is_asked && !page.problems.is_empty() { 422 } else { 200 }, &page)
}

/// Stores what the visitor agreed to. If the settings have changed since the page was made, it shows them instead, and keeps
/// what was typed.
pub async fn turn_on<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let (typed, shown, version_of_text) = visitor.form(request, |fields| {
        let shown = fields.optional("shown", "sent with the form", Some);
        let version = fields.integer("agreed", 1..=i64::from(u32::MAX));
        (Typed::read(fields), shown, version)
    })?;
    let (account, typed) = (&visitor.account, typed.unwrap_or_default());
    if shown.as_deref() != Some(version(account).as_str()) {
        return page(app, (visitor, account), (Some(typed), true, None)).await;
    }
    let (Some(Ok((threshold, target, max_per_month))), Some(agreed)) =
        (typed.chosen(&app.context.price_book), version_of_text)
    else {
        return page(app, (visitor, account), (Some(typed), false, None)).await;
    };
    let consent = Some((agreed, visitor.consenter()?));
    let command = AutoTopUpCommand::On { threshold, target, max_per_month, consent };
    set_auto_top_up(&app.context, &account.id, &command).await?;
    Done::TurnedOn.then("/portal/auto_top_up")
}

pub async fn turn_off<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    visitor.form(request, |_| ())?;
    let command = AutoTopUpCommand::Off { changed_by: Some(visitor.actor()?) };
    set_auto_top_up(&app.context, &visitor.account.id, &command).await?;
    Done::TurnedOff.then("/portal/auto_top_up")
}

/// Which settings a page showed.
fn version(account: &Account) -> String {
    account.auto_top_up.as_ref().map_or("none".to_owned(), |settings| {
        format!("{}-{}", settings.consent.id, if settings.is_enabled { "on" } else { "off" })
    })
}

impl Typed {
    /// `None` if the form was not sent.
    fn read(fields: &mut Parameters) -> Option<Self> {
        let mut field = |name| fields.optional(name, "a number", Some);
        let (threshold, target, max_per_month) = (field("threshold"), field("target"), field("max_per_month"));
        if threshold.is_none() && target.is_none() {
            return None;
        }
        let text = |field: Option<String>| field.unwrap_or_default().trim().chars().take(20).collect();
        Some(Self { threshold: text(threshold), target: text(target), max_per_month: text(max_per_month) })
    }

    fn of(settings: Option<&AutoTopUp>, price_book: &PriceBook) -> Self {
        let limits = &price_book.auto_top_up;
        match settings {
            Some(settings) => Self {
                threshold: settings.threshold.get().to_string(),
                target: settings.target.get().to_string(),
                max_per_month: settings.cap.map_or(String::new(), |cap| price_book.currency.plain(cap.max.minor())),
            },
            // Something to begin with: a tenth of the way, and the smallest useful distance.
            None => {
                let threshold = limits.threshold_min.max(limits.gap_min);
                let target = threshold.saturating_add(limits.gap_min.saturating_mul(4)).max(limits.target_min);
                Self { threshold: threshold.to_string(), target: target.to_string(), max_per_month: String::new() }
            }
        }
    }

    /// `None` if there is nothing to read.
    #[expect(clippy::type_complexity, reason = "the three settings, or what is wrong with them")]
    fn chosen(&self, price_book: &PriceBook) -> Option<Result<(i64, i64, Option<i64>), Vec<String>>> {
        let mut problems = vec![];
        let mut credits = |name: &str, text: &str| {
            let number = text.replace([',', '.', ' '], "").parse::<i64>().ok();
            if number.is_none() {
                problems.push(format!("{name} must be a whole number of credits."));
            }
            number
        };
        let (threshold, target) = (credits("The threshold", &self.threshold), credits("The target", &self.target));
        let cap = if self.max_per_month.is_empty() {
            Some(None)
        } else {
            let cap = price_book.currency.read_plain(&self.max_per_month);
            if cap.is_none() {
                problems.push(format!("The monthly limit must be an amount in {}.", price_book.currency.code()));
            }
            cap.map(Some)
        };
        match (threshold, target, cap) {
            (Some(threshold), Some(target), Some(cap)) => Some(Ok((threshold, target, cap))),
            _ => Some(Err(problems)),
        }
    }
}

impl Current {
    fn of(settings: &AutoTopUp) -> Self {
        Self {
            threshold: words::credits(settings.threshold),
            target: words::credits(settings.target),
            cap: settings.cap.map(|cap| cap.max.to_string()),
            accepted_by: settings.consent.accepted_by.as_ref().map(|name| name.as_str().to_owned()),
            accepted_at: words::date_and_time(settings.consent.accepted_at),
        }
    }
}

impl Meaning {
    fn of(saved: &Account, price_book: &PriceBook, (card, now): (Option<&str>, jiff::Timestamp)) -> Option<Self> {
        let settings = saved.auto_top_up.as_ref()?;
        let text = consent_text(price_book, settings.credits(), settings.cap.as_ref())?;
        let is_due = matches!(top_up_outlook(saved, price_book, Credits::ZERO, now), TopUpOutlook::Due { .. });
        let price = price_book.top_up_price(top_up_credits(saved, settings, price_book, now)).filter(|_| is_due);
        let card = card.unwrap_or("saved card");
        let now = price.map(|price| format!("Saving this charges your {card} {price} plus tax within 30 minutes."));
        Some(Self { text, text_version: CONSENT_TEXT_VERSION, now })
    }
}

impl LastAttempt {
    fn of(attempt: &TopUp) -> Self {
        let outcome = match attempt.status {
            TopUpStatus::Open => "its outcome is being asked for",
            TopUpStatus::Processing => "your bank is processing it",
            TopUpStatus::Paid => "paid",
            TopUpStatus::PartlyPaid => "partly paid",
            TopUpStatus::Declined(_) => "declined",
            TopUpStatus::ActionRequired => "waits for your confirmation",
            TopUpStatus::Refused(_) => "refused",
            TopUpStatus::Abandoned => "closed without a payment",
        };
        Self { at: words::date_and_time(attempt.opened_at), price: attempt.price.to_string(), outcome }
    }
}

fn said(problem: &Problem) -> Vec<String> {
    let fields = problem.field_messages();
    if fields.is_empty() {
        return vec![problem.detail().to_owned()];
    }
    fields.into_iter().map(|(field, message)| format!("{} {message}.", crate::text::capitalized(field))).collect()
}
