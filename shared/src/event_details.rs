//! The JSON of each event that other systems are told, in the shape that `infra/events/` describes.
//!
//! It is made when the event is stored, so that an event that is published twice is the same event.

use crate::domain::alerts::AlertLevel;
use crate::domain::payments::{PaidFor, PaymentIssueKind};
use crate::domain::{Amount, OutboundEvent, OutboundEventKind, ReachedLimit};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The version of the shapes. A new optional property does not change it.
pub const EVENT_VERSION: u8 = 1;

/// The `detail` of an event on the bus.
pub fn event_detail(event: &OutboundEvent) -> Value {
    json!({
        "id": event.id.as_str(),
        "type": event.kind.name(),
        "version": EVENT_VERSION,
        "account": event.account.as_str(),
        "created_at": time(event.created_at),
        "data": data(&event.kind),
    })
}

fn data(kind: &OutboundEventKind) -> Value {
    match kind {
        OutboundEventKind::CreditsLow { balance, levels } => {
            let level = |level: &AlertLevel| json!({ "kind": level.name(), "number": level.number() });
            json!({ "balance": balance.get(), "levels": levels.iter().map(level).collect::<Vec<_>>() })
        }
        OutboundEventKind::CreditsExhausted { balance, required } => {
            json!({ "balance": balance.get(), "required": required.get() })
        }
        OutboundEventKind::PurchasePaid { purchase, package, credits, price, balance } => json!({
            "purchase": purchase.as_str(),
            "package": package.as_str(),
            "credits": credits.get(),
            "price": amount(*price),
            "balance": balance.get(),
        }),
        OutboundEventKind::TopUpPaid { top_up, credits, price, balance } => json!({
            "top_up": top_up.as_str(),
            "credits": credits.get(),
            "price": amount(*price),
            "balance": balance.get(),
        }),
        OutboundEventKind::CreditsReversed { paid_for, because, credits, balance, is_paused } => {
            let (purchase, top_up) = match paid_for {
                PaidFor::Purchase(purchase) => (Some(purchase.as_str()), None),
                PaidFor::TopUp(top_up) => (None, Some(top_up.as_str())),
            };
            json!({
                "purchase": purchase,
                "top_up": top_up,
                "because": because.name(),
                "credits": credits.get(),
                "balance": balance.get(),
                "top_ups_paused": is_paused,
            })
        }
        OutboundEventKind::TopUpPaused { top_up, issue } => {
            json!({ "top_up": top_up.as_str(), "issue": issue.name(), "reason": reason(*issue) })
        }
        OutboundEventKind::TopUpResumed { top_up } => json!({ "top_up": top_up.as_str() }),
        OutboundEventKind::PaymentActionRequired { top_up, credits, price } => {
            json!({ "top_up": top_up.as_str(), "credits": credits.get(), "price": amount(*price) })
        }
        OutboundEventKind::LimitReached(ReachedLimit { limit, spender, max, starts_again_at }) => json!({
            "limit": limit.name(),
            "spender": spender.as_ref().map(|spender| spender.as_str()),
            "max": max.get(),
            "starts_again_at": starts_again_at.map(time),
        }),
        OutboundEventKind::AccountRestricted { reason, until } => {
            json!({ "reason": reason.as_str(), "until": time(*until) })
        }
        OutboundEventKind::UsageUnusual { date, credits, credits_usual } => {
            json!({ "date": date.to_string(), "credits": credits.get(), "credits_usual": credits_usual.get() })
        }
    }
}

/// The code of a decline or a refusal.
fn reason(issue: PaymentIssueKind) -> Option<&'static str> {
    match issue {
        PaymentIssueKind::Declined(reason) => Some(reason.name()),
        PaymentIssueKind::ActionRequired => None,
        PaymentIssueKind::Refused(reason) => Some(reason.name()),
    }
}

/// In the minor unit of the currency, as Stripe counts it.
fn amount(amount: Amount) -> Value {
    json!({ "minor": amount.minor(), "currency": amount.currency().code() })
}

/// RFC 3339 in UTC, to the millisecond, as the API's responses show it.
fn time(instant: Timestamp) -> String {
    format!("{instant:.3}")
}
