//! A dispute, as an operator has to know it to answer it. Nothing is changed.

use super::client::Client;
use super::error::StripeError;
use super::responses::time;
use crate::domain::payments::{CardFace, DisputeStatus, ShownDispute};
use crate::domain::{DisputeId, PaymentIntentId};
use crate::ports::DisputeReport;
use miniserde::Deserialize;
use stripe_client_core::StripeRequest;
use stripe_core::dispute::RetrieveDispute;

/// <https://docs.stripe.com/api/disputes/object>, with the charge expanded.
#[derive(Deserialize)]
struct Dispute {
    payment_intent: Option<String>,
    charge: Option<Charge>,
    amount: i64,
    currency: String,
    reason: String,
    status: String,
    created: i64,
    evidence_details: EvidenceDetails,
}

#[derive(Deserialize)]
struct EvidenceDetails {
    due_by: Option<i64>,
    submission_count: i64,
    past_due: bool,
}

#[derive(Deserialize)]
struct Charge {
    payment_method_details: Option<PaymentMethodDetails>,
}

#[derive(Deserialize)]
struct PaymentMethodDetails {
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    brand: Option<String>,
    last4: Option<String>,
}

pub(super) async fn show(client: &Client, id: &DisputeId) -> Result<DisputeReport, StripeError> {
    let request = RetrieveDispute::new(id.as_str()).expand(["charge".to_owned()]);
    let dispute: Dispute = request.build().customize().send(client).await?;
    report(dispute)
}

fn report(dispute: Dispute) -> Result<DisputeReport, StripeError> {
    let details = &dispute.evidence_details;
    let card = dispute.charge.and_then(|charge| charge.payment_method_details?.card);
    let card = card.map_or(CardFace::default(), |card| CardFace { brand: card.brand, last4: card.last4 });
    let shown = ShownDispute {
        amount: dispute.amount,
        currency: dispute.currency,
        reason: dispute.reason,
        status: DisputeStatus::of_name(&dispute.status).unwrap_or(DisputeStatus::Other),
        opened_at: time(dispute.created)?,
        // Stripe writes 0 if the bank takes no answer.
        due_by: details.due_by.filter(|due_by| *due_by != 0).map(time).transpose()?,
        submissions: u32::try_from(details.submission_count).unwrap_or_default(),
        is_past_due: details.past_due,
    };
    let payment = dispute.payment_intent.and_then(|id| PaymentIntentId::parse(id).ok());
    Ok(DisputeReport { payment, card, shown })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn read(status: &str, due_by: &str) -> ShownDispute {
        let json = format!(
            r#"{{"payment_intent":"pi_1","charge":{{"payment_method_details":{{"card":{{"brand":"visa","last4":"4242"}}}}}},
            "amount":500,"currency":"usd","reason":"fraudulent","status":"{status}","created":5,
            "evidence_details":{{"due_by":{due_by},"submission_count":2,"past_due":true}}}}"#
        );
        let report = report(miniserde::json::from_str(&json).unwrap()).unwrap();
        assert_eq!(report.payment, PaymentIntentId::parse("pi_1").ok());
        assert_eq!((report.card.brand.as_deref(), report.card.last4.as_deref()), (Some("visa"), Some("4242")));
        report.shown
    }

    #[test]
    fn a_dispute_says_until_when_it_is_answered_if_an_answer_is_taken() {
        let shown = read("needs_response", "604800");
        assert_eq!(shown.due_by, Timestamp::from_second(604_800).ok());
        assert_eq!((shown.submissions, shown.is_past_due, shown.status), (2, true, DisputeStatus::NeedsResponse));
        assert_eq!(read("under_review", "0").due_by, None);
        assert_eq!(read("a_status_of_tomorrow", "null").status, DisputeStatus::Other);
    }
}
