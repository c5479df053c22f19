//! The first page: what happens next, in one sentence, and the button that helps.

use super::layout::{Done, Layout, Section, show};
use crate::pages::history::Line;
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use jiff::Timestamp;
use jiff::civil::Date;
use lambda_http::Request;
use shared::domain::account::HistoryFilter;
use shared::domain::payments::{CardFace, Cure, NoTopUp, PaymentIssueKind, TopUpOutlook, top_up_outlook, turned_off};
use shared::domain::usage::{DAYS_NEEDED, RunsOut, forecast};
use shared::domain::{Account, Credits, Periods, PriceBook, date_of};
use shared::http::{Problem, Reply, parse_query};
use shared::ports::{AskedCards, Consents};
use shared::use_cases::accounts::list_history;
use shared::use_cases::usage::{FoldLimits, read_usage};
use shared::words::{self, KnownOfTopUps, diagnosis};

const ENTRIES_SHOWN: usize = 6;

/// What helps if the bank asks.
pub const CONFIRM: &str =
    "Confirm the payment on the secure page of our payment provider, or pay with another card there.";

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage<'a> {
    layout: Layout<'a>,
    tone: Tone,
    verdict: String,
    remedy: Option<&'static str>,
    button: Option<(&'static str, &'static str)>,
    balance: String,
    is_negative: bool,
    pending: Option<String>,
    as_of: String,
    restriction: Option<(String, String)>,
    is_stopped: bool,
    runs_out: Option<String>,
    per_day: Option<String>,
    entries: Vec<Line>,
}

/// How urgent the first sentence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Calm,
    Waiting,
    Urgent,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Waiting => "waiting",
            Self::Urgent => "urgent",
        }
    }
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let done = parse_query(request, Done::read)?;
    let (context, account, now) = (&app.context, &visitor.account, app.context.now());
    let price_book = &context.price_book;
    let entries = list_history(context, account, &HistoryFilter::default(), (None, ENTRIES_SHOWN)).await?.entries;
    let days = Periods::days_through(now, DAYS_NEEDED).ok_or_else(|| Problem::not_found("account"))?;
    let usage = read_usage(context, &account.id, days, FoldLimits::READER).await?;
    let forecast = forecast(&usage.account, &usage.rows, now);
    let asked = context.ledger.asked_card_get(&account.id).await?;
    let consent = match &account.auto_top_up {
        Some(settings) if !settings.is_enabled => context.ledger.consent_get(&account.id, &settings.consent.id).await?,
        _ => None,
    };
    let card = asked.face_of(account.payment_method.as_ref()).cloned();
    let known = KnownOfTopUps { turned_off: turned_off(account.auto_top_up.as_ref(), consent.as_ref()), card };
    let outlook = top_up_outlook(account, price_book, Credits::ZERO, now);
    let words = diagnosis(&outlook, account, price_book, &known);
    let runs_out = forecast.runs_out.map(|runs_out| lasts(runs_out, now));
    let verdict =
        first_sentence((&outlook, words.verdict), account, (price_book, known.card.as_ref()), runs_out.as_deref());
    let busiest = forecast.averages.iter().map(|average| average.credits_per_day()).max().filter(|most| *most > 0);
    let restriction = account.restriction_at(now);
    let page = OverviewPage {
        layout: Layout::of(app, visitor, (Section::Overview, "Overview")).with_done(done),
        tone: tone(&outlook, account),
        verdict,
        remedy: remedy(&outlook, words.remedy),
        button: button(&outlook, account),
        balance: account.balance.grouped(),
        is_negative: account.balance.is_negative(),
        pending: (account.pending > Credits::ZERO).then(|| words::credits(account.pending)),
        as_of: words::date_and_time(now),
        restriction: restriction
            .map(|restriction| (restriction.reason.as_str().to_owned(), words::date_and_time(restriction.until))),
        is_stopped: account.spending_stopped_at().is_some(),
        runs_out,
        per_day: busiest.and_then(Credits::new).map(words::credits),
        entries: entries.iter().map(Line::of).collect(),
    };
    show(200, &page)
}

fn tone(outlook: &TopUpOutlook, account: &Account) -> Tone {
    match outlook {
        TopUpOutlook::Paused(_) | TopUpOutlook::PausedByReversal(_) => Tone::Urgent,
        _ if account.balance.is_negative() => Tone::Urgent,
        TopUpOutlook::InProgress { .. } | TopUpOutlook::Waiting { .. } | TopUpOutlook::Due { .. } => Tone::Waiting,
        TopUpOutlook::Off(_) => Tone::Calm,
    }
}

/// The verdict of the diagnosis. If all is well, how long the balance lasts and what happens then is what matters.
fn first_sentence(
    (outlook, verdict): (&TopUpOutlook, String),
    account: &Account,
    (price_book, card): (&PriceBook, Option<&CardFace>),
    runs_out: Option<&str>,
) -> String {
    let settings = account.auto_top_up.as_ref().filter(|settings| settings.is_enabled);
    match (outlook, settings) {
        (TopUpOutlook::Off(NoTopUp::BalanceNotBelowThreshold), Some(settings)) => {
            let least = settings.target.minus(settings.threshold).and_then(|credits| price_book.top_up_price(credits));
            let card = card.map_or("your saved card".to_owned(), |card| format!("your {}", words::card_face(card)));
            let lasts = runs_out.map_or(String::new(), |runs_out| format!("Your balance lasts {runs_out}. "));
            let price = least.map_or(String::new(), |price| format!(" {price} or more, plus tax,"));
            format!(
                "{lasts}When it falls below {}, {card} is charged{price} to bring it back to {}.",
                words::credits(settings.threshold),
                words::credits(settings.target)
            )
        }
        (TopUpOutlook::Off(NoTopUp::NotTurnedOn), _) => match runs_out {
            Some(runs_out) => format!("Your balance lasts {runs_out}. {verdict}"),
            None => verdict,
        },
        _ => verdict,
    }
}

/// `about 12 days`, `between 9 and 14 days`, `more than a year`.
fn lasts(RunsOut { earliest, latest }: RunsOut, now: Timestamp) -> String {
    let days = |date: Date| date_of(now).until(date).map_or(0, |span| span.get_days());
    match (earliest.map(days), latest.map(days)) {
        (Some(earliest), Some(latest)) if latest <= earliest.saturating_add(1) => match latest {
            ..=0 => "until today".to_owned(),
            1 => "about a day".to_owned(),
            days => format!("about {days} days"),
        },
        (Some(earliest), Some(latest)) => format!("between {} and {latest} days", earliest.max(0)),
        (Some(earliest), None) => format!("{earliest} days or more"),
        (None, _) => "more than a year".to_owned(),
    }
}

/// What helps. A question of the bank is answered here and needs no e-mail.
fn remedy(outlook: &TopUpOutlook, usual: Option<&'static str>) -> Option<&'static str> {
    match outlook {
        TopUpOutlook::Paused(PaymentIssueKind::ActionRequired) => Some(CONFIRM),
        _ => usual,
    }
}

/// Where what helps is done.
fn button(outlook: &TopUpOutlook, account: &Account) -> Option<(&'static str, &'static str)> {
    match outlook.cure() {
        Some(Cure::PayInvoice) => Some(("/portal/pay", "Pay and continue")),
        Some(Cure::ChooseSettings) if account.payment_issue.is_some() => Some(("/portal/pay", "See what is wrong")),
        Some(Cure::ChooseSettings) => Some(("/portal/auto_top_up", "Set up automatic top-ups")),
        Some(Cure::BuyPackage) => Some(("/portal/buy", "Buy credits")),
        // Its button is beside the note about the stop.
        Some(Cure::AllowSpending) => None,
        None if account.balance.is_negative() => Some(("/portal/buy", "Buy credits")),
        None => None,
    }
}
