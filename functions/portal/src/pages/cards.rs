//! The saved cards. Numbers are entered on the payment provider's pages alone.

use super::buy::leave_for;
use super::layout::{Done, Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use jiff::Timestamp;
use lambda_http::Request;
use shared::domain::PaymentMethodId;
use shared::domain::payments::{SavedCard, SavedCards};
use shared::http::{Problem, Reply, parse_query};
use shared::use_cases::payments::{choose_card, open_card_page, read_saved_cards, remove_card};
use shared::words;

#[derive(Template)]
#[template(path = "cards.html")]
struct CardsPage<'a> {
    layout: Layout<'a>,
    cards: Vec<CardRow>,
}

struct CardRow {
    id: String,
    name: String,
    expiry: Option<String>,
    is_default: bool,
    is_expiring: bool,
    has_expired: bool,
}

impl CardRow {
    fn of(card: &SavedCard, cards: &SavedCards, now: Timestamp) -> Self {
        let has_expired = card.expiry.is_some_and(|expiry| expiry.is_over_at(now));
        Self {
            id: card.id.to_string(),
            name: words::card_name(card),
            expiry: card.expiry.map(words::month_and_year),
            is_default: cards.is_default(card),
            is_expiring: !has_expired && card.expiry.is_some_and(|expiry| expiry.is_near_at(now)),
            has_expired,
        }
    }
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let done = parse_query(request, Done::read)?;
    let cards = read_saved_cards(&app.context, &visitor.account.id).await?;
    let now = app.context.now();
    let page = CardsPage {
        layout: Layout::of(app, visitor, (Section::Cards, "Cards")).with_done(done),
        cards: cards.distinct().into_iter().map(|card| CardRow::of(card, &cards, now)).collect(),
    };
    show(200, &page)
}

/// Leads to the page on which a card is saved.
pub async fn add<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    visitor.form(request, |_| ())?;
    leave_for(app, visitor, &open_card_page(&app.context, &visitor.account.id).await?)
}

pub async fn choose<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let card = named_card(request, visitor)?;
    choose_card(&app.context, &visitor.account.id, &card).await?;
    Done::CardChosen.then("/portal/cards")
}

fn named_card(request: &Request, visitor: &Visitor) -> Result<PaymentMethodId, Problem> {
    let card = visitor
        .form(request, |fields| fields.optional("card", "a saved card", |id| PaymentMethodId::parse(id).ok()))?;
    card.ok_or_else(Problem::foreign_form)
}

#[derive(Template)]
#[template(path = "remove_card.html")]
struct RemoveCardPage<'a> {
    layout: Layout<'a>,
    card: CardRow,
    consequence: &'static str,
}

/// Says what removing this card means, before it is removed.
pub async fn ask_to_remove<O: Outside>(app: &App<O>, visitor: &Visitor, card: &str) -> Result<Reply, Problem> {
    let account = &visitor.account;
    let cards = read_saved_cards(&app.context, &account.id).await?;
    let distinct = cards.distinct();
    let found = distinct.iter().find(|saved| saved.id.as_str() == card).ok_or_else(|| Problem::not_found("card"))?;
    let is_on = account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled);
    let page = RemoveCardPage {
        layout: Layout::of(app, visitor, (Section::Cards, "Remove a card")),
        card: CardRow::of(found, &cards, app.context.now()),
        consequence: match (is_on, distinct.len(), cards.is_default(found)) {
            (true, ..=1, _) => "It is your last card, so automatic top-ups are turned off.",
            (true, _, true) => "Automatic top-ups are on. From now on, another saved card is charged.",
            _ => "You can add it again at any time.",
        },
    };
    show(200, &page)
}

pub async fn remove<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let card = named_card(request, visitor)?;
    remove_card(&app.context, &visitor.account.id, &card).await?;
    Done::CardRemoved.then("/portal/cards")
}
