//! An attempt of an automatic top-up as JSON.

use super::card::CardBody;
use crate::domain::payments::AskedCard;
use crate::domain::{TopUp, TopUpStatus};
use crate::http::time;
use serde::Serialize;

#[derive(Serialize)]
pub struct TopUpBody<'a> {
    top_up: &'a str,
    credits: i64,
    /// In the minor unit of the currency, as Stripe counts it.
    price: i64,
    currency: &'static str,
    /// The card that it asked, if it is still the one that is asked and details of it are known.
    card: Option<CardBody<'a>>,
    status: &'static str,
    /// Why it was declined or refused, in the words of the log.
    reason: Option<&'static str>,
    invoice: Option<&'a str>,
    payment: Option<&'a str>,
    created_at: String,
    ended_at: Option<String>,
}

impl<'a> TopUpBody<'a> {
    pub fn of(top_up: &'a TopUp, asked: &'a AskedCard) -> Self {
        let reason = match top_up.status {
            TopUpStatus::Declined(reason) => Some(reason.name()),
            TopUpStatus::Refused(reason) => Some(reason.name()),
            _ => None,
        };
        Self {
            top_up: top_up.id.as_str(),
            credits: top_up.credits.get(),
            price: top_up.price.minor(),
            currency: top_up.price.currency().code(),
            card: CardBody::of_asked(asked, top_up.payment_method.as_ref()),
            status: top_up.status.name(),
            reason,
            invoice: top_up.invoice.as_ref().map(|invoice| invoice.as_str()),
            payment: top_up.payment_intent.as_ref().map(|intent| intent.as_str()),
            created_at: time(top_up.opened_at),
            ended_at: top_up.ended_at.map(time),
        }
    }
}
