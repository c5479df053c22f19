//! The customer's saved cards, and the hosted pages about them.

use crate::Outside;
use jiff::Timestamp;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::PaymentMethodId;
use shared::domain::payments::{SavedCard, SavedCards};
use shared::http::{Problem, ReachedAccount, Reply, parse_body, text, time};
use shared::use_cases::Context;
use shared::use_cases::payments::{
    CardsOfAccount, choose_card, open_billing_portal, open_card_page, read_saved_cards, remove_card,
};
use shared::words::cards_note;

pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    let cards = read_saved_cards(context, account.id()).await?;
    Reply::ok(&CardsBody { data: CardBody::list(&cards, context.now()) })
}

/// Opens a page on which a card is saved.
pub async fn set_up<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    Reply::ok(&PageBody { url: open_card_page(context, account.id()).await? })
}

/// Opens Stripe's own page about cards and invoices.
pub async fn portal<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    Reply::ok(&PageBody { url: open_billing_portal(context, account.id()).await? })
}

/// Chooses the card that is asked.
pub async fn put_default<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let card = parse_body(request, |fields| {
        fields.required("payment_method", "the id of a saved card", text(PaymentMethodId::parse))
    })?;
    answer(&choose_card(context, account.id(), &card).await?, context.now())
}

pub async fn delete<O: Outside>(context: &Context<O>, account: &ReachedAccount, card: &str) -> Result<Reply, Problem> {
    let card = PaymentMethodId::parse(card).map_err(|_| Problem::not_found("payment method"))?;
    answer(&remove_card(context, account.id(), &card).await?, context.now())
}

fn answer(left: &CardsOfAccount, now: Timestamp) -> Result<Reply, Problem> {
    let settings = left.account.auto_top_up.as_ref();
    Reply::ok(&ChangedBody {
        data: CardBody::list(&left.cards, now),
        auto_top_up_enabled: settings.is_some_and(|settings| settings.is_enabled),
        note: cards_note(settings.map(|settings| settings.is_enabled), &left.cards),
    })
}

#[derive(Serialize)]
struct PageBody {
    url: String,
}

#[derive(Serialize)]
struct CardsBody<'a> {
    data: Vec<CardBody<'a>>,
}

#[derive(Serialize)]
struct ChangedBody<'a> {
    data: Vec<CardBody<'a>>,
    auto_top_up_enabled: bool,
    note: Option<String>,
}

#[derive(Serialize)]
struct CardBody<'a> {
    payment_method: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    brand: Option<&'a str>,
    last4: Option<&'a str>,
    exp_month: Option<i8>,
    exp_year: Option<i16>,
    wallet: Option<&'a str>,
    /// The one that automatic top-ups ask.
    default: bool,
    /// Within the next 30 days.
    expiring: bool,
    expired: bool,
    saved_at: String,
}

impl<'a> CardBody<'a> {
    fn list(cards: &'a SavedCards, now: Timestamp) -> Vec<Self> {
        cards.distinct().into_iter().map(|card| Self::of(card, cards.is_default(card), now)).collect()
    }

    fn of(card: &'a SavedCard, is_default: bool, now: Timestamp) -> Self {
        let has_expired = card.expiry.is_some_and(|expiry| expiry.is_over_at(now));
        Self {
            payment_method: card.id.as_str(),
            kind: &card.kind,
            brand: card.brand.as_deref(),
            last4: card.last4.as_deref(),
            exp_month: card.expiry.map(|expiry| expiry.month()),
            exp_year: card.expiry.map(|expiry| expiry.year()),
            wallet: card.wallet.as_deref(),
            default: is_default,
            expiring: !has_expired && card.expiry.is_some_and(|expiry| expiry.is_near_at(now)),
            expired: has_expired,
            saved_at: time(card.saved_at),
        }
    }
}
