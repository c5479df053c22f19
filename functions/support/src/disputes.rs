//! The open disputes, and the evidence to answer one of them.

use crate::{Operation, Outside};
use askama::Template;
use jiff::{SignedDuration, Timestamp};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::payments::{CardFace, Dispute, PaidFor, ShownDispute};
use shared::domain::support::{Evidence, Use};
use shared::domain::{AccountId, Amount, Cause, DisputeId, Entry, Notice, PaymentIntentId};
use shared::http::bodies::CardBody;
use shared::http::{Found, Page, Problem, Reply, parse_query, time, wants_html};
use shared::ports::DisputePlace;
use shared::use_cases::Context;
use shared::use_cases::support::{dispute_evidence, list_disputes};
use shared::words::{EvidenceTexts, card_face, date_and_time, evidence_texts};

/// One page, what is due first coming first. The cursor is the place of its last dispute.
pub async fn list<O: Outside>(context: &Context<O>, request: &Request) -> Result<Reply, Problem> {
    let (limit, after) = parse_query(request, |query| {
        let after = query.cursor(|text| place(&text));
        (query.limit(), after)
    })?;
    let now = context.now();
    let page = list_disputes(context, after.as_ref(), limit).await?;
    let disputes = page.disputes.iter().map(|dispute| DisputeBody::of(dispute, now)).collect();
    Reply::ok(&Page::new(disputes, page.next.as_ref().map(written)))
}

/// `1767225600000.du_1`.
fn written(place: &DisputePlace) -> String {
    format!("{}.{}", place.due_at.as_millisecond(), place.dispute)
}

/// The place that is written like this, and in no other way.
fn place(text: &str) -> Option<DisputePlace> {
    let (due_at, dispute) = text.split_once('.')?;
    let due_at = Timestamp::from_millisecond(due_at.parse().ok()?).ok()?;
    let place = DisputePlace { due_at, dispute: DisputeId::parse(dispute).ok()? };
    (written(&place) == text).then_some(place)
}

/// What is known of the disputed payment, as JSON or as a page to print.
pub async fn evidence<O: Outside>(
    context: &Context<O>,
    request: &Request,
    found: &Found<Operation>,
) -> Result<Reply, Problem> {
    let dispute = DisputeId::parse(found.parameter("dispute")).map_err(|_| Problem::not_found("dispute"))?;
    let (evidence, now) = (dispute_evidence(context, &dispute).await?, context.now());
    let texts = evidence_texts(&evidence);
    if wants_html(request) {
        let page = EvidencePage::of(&evidence, &texts, now);
        return page.render().map(|page| Reply::html(200, page)).map_err(Problem::internal);
    }
    Reply::ok(&EvidenceBody::of(&evidence, &texts, now))
}

#[derive(Serialize)]
struct DisputeBody<'a> {
    dispute: &'a str,
    account: &'a str,
    paid_for: String,
    payment_intent: Option<&'a str>,
    /// In the minor unit, with tax.
    amount: i64,
    currency: String,
    reason: &'a str,
    status: &'static str,
    opened_at: String,
    due_by: Option<String>,
    /// Whole days until then. 0 on the last one, and later.
    days_left: Option<i64>,
    submission_count: u32,
    past_due: bool,
}

impl<'a> DisputeBody<'a> {
    fn of(dispute: &'a Dispute, now: Timestamp) -> Self {
        let Dispute { id, account, paid_for, payment, shown, .. } = dispute;
        Self::shown((id, account), (paid_for, Some(payment)), shown, now)
    }

    fn shown(
        (dispute, account): (&'a DisputeId, &'a AccountId),
        (paid_for, payment): (&PaidFor, Option<&'a PaymentIntentId>),
        shown: &'a ShownDispute,
        now: Timestamp,
    ) -> Self {
        let due_by = shown.due_by.filter(|_| shown.status.needs_response());
        Self {
            dispute: dispute.as_str(),
            account: account.as_str(),
            paid_for: paid_for.to_string(),
            payment_intent: payment.map(PaymentIntentId::as_str),
            amount: shown.amount,
            currency: shown.currency.to_uppercase(),
            reason: &shown.reason,
            status: shown.status.name(),
            opened_at: time(shown.opened_at),
            due_by: due_by.map(time),
            days_left: due_by.map(|due_by| days(due_by.duration_since(now))),
            submission_count: shown.submissions,
            past_due: shown.is_past_due,
        }
    }
}

fn days(left: SignedDuration) -> i64 {
    left.as_hours().max(0) / 24
}

#[derive(Serialize)]
struct EvidenceBody<'a> {
    #[serde(flatten)]
    dispute: DisputeBody<'a>,
    evidence: TextsBody<'a>,
    /// The characters of all its texts, of which Stripe takes 150,000.
    characters: usize,
    left_out: &'a [String],
    bought: BoughtBody,
    card: CardBody<'a>,
    consent: Option<ConsentBody<'a>>,
    mails: Vec<MailBody<'a>>,
    charges: Vec<ChargeBody<'a>>,
    restores: Vec<RestoreBody<'a>>,
    /// What was refunded of the payment, in the minor unit with tax.
    refunded: i64,
}

/// Under Stripe's names: <https://docs.stripe.com/api/disputes/evidence_object>.
#[derive(Serialize)]
struct TextsBody<'a> {
    product_description: &'a str,
    customer_email_address: Option<&'a str>,
    service_date: Option<&'a str>,
    access_activity_log: Option<&'a str>,
    uncategorized_text: &'a str,
}

/// The purchase or the attempt.
#[derive(Serialize)]
struct BoughtBody {
    status: &'static str,
    credits: i64,
    /// Before tax, in the minor unit.
    price: i64,
    invoice: Option<String>,
    opened_at: String,
    granted_at: Option<String>,
    /// How many of the credits were used, by the charges that are listed.
    used: i64,
}

#[derive(Serialize)]
struct ConsentBody<'a> {
    consent: &'a str,
    text: &'a str,
    text_version: u32,
    accepted_by: Option<&'a str>,
    accepted_at: String,
}

#[derive(Serialize)]
struct MailBody<'a> {
    notice: &'a str,
    kind: &'static str,
    to: &'a str,
    sent_at: Option<String>,
    returned_at: Option<String>,
}

#[derive(Serialize)]
struct ChargeBody<'a> {
    charge: &'a str,
    operation: &'a str,
    credits: i64,
    /// Those of them that this payment bought and that were not given back.
    credits_of_payment: i64,
    reference: Option<&'a str>,
    spender: Option<&'a str>,
    request_id: Option<&'a str>,
    created_at: String,
}

#[derive(Serialize)]
struct RestoreBody<'a> {
    charge: &'a str,
    credits: i64,
    created_at: String,
}

impl<'a> EvidenceBody<'a> {
    fn of(evidence: &'a Evidence, texts: &'a EvidenceTexts, now: Timestamp) -> Self {
        let uses = evidence.uses.as_ref();
        let payment = evidence.bought.payment_intent();
        let paid_for = evidence.bought.paid_for();
        Self {
            dispute: DisputeBody::shown(
                (&evidence.dispute, &evidence.account.id),
                (&paid_for, payment),
                &evidence.shown,
                now,
            ),
            evidence: TextsBody {
                product_description: &texts.product_description,
                customer_email_address: texts.customer_email_address.as_deref(),
                service_date: texts.service_date.as_deref(),
                access_activity_log: texts.access_activity_log.as_deref(),
                uncategorized_text: &texts.uncategorized_text,
            },
            characters: texts.characters(),
            left_out: &texts.left_out,
            bought: BoughtBody::of(evidence),
            card: CardBody::of(&evidence.card),
            consent: evidence.consent.as_ref().map(|record| ConsentBody {
                consent: record.consent.id.as_str(),
                text: &record.text,
                text_version: record.consent.text_version,
                accepted_by: record.consent.accepted_by.as_ref().map(|by| by.as_str()),
                accepted_at: time(record.consent.accepted_at),
            }),
            mails: evidence.notices.iter().map(MailBody::of).collect(),
            charges: uses.into_iter().flat_map(|uses| &uses.charges).filter_map(ChargeBody::of).collect(),
            restores: uses.into_iter().flat_map(|uses| &uses.restores).filter_map(RestoreBody::of).collect(),
            refunded: evidence.returns.refunded(),
        }
    }
}

impl BoughtBody {
    fn of(evidence: &Evidence) -> Self {
        let (uses, bought) = (evidence.uses.as_ref(), &evidence.bought);
        Self {
            status: bought.status_name(),
            credits: uses.map_or(bought.credits(), |uses| uses.grant.credits).get(),
            price: bought.price().minor(),
            invoice: bought.invoice().map(ToString::to_string),
            opened_at: time(bought.opened_at()),
            granted_at: uses.map(|uses| time(uses.grant.created_at)),
            used: uses.map_or(0, |uses| uses.credits()),
        }
    }
}

impl<'a> MailBody<'a> {
    fn of(notice: &'a Notice) -> Self {
        Self {
            notice: notice.id.as_str(),
            kind: notice.kind.name(),
            to: notice.sent_to.as_ref().unwrap_or(&notice.to).as_str(),
            sent_at: notice.sent_at.map(time),
            returned_at: notice.returned_at.map(time),
        }
    }
}

impl<'a> ChargeBody<'a> {
    fn of(used: &'a Use) -> Option<Self> {
        let Cause::Charge { key, operation, reference, spender, request_id, .. } = &used.charge.cause else {
            return None;
        };
        Some(Self {
            charge: key.as_str(),
            operation: operation.name.as_str(),
            credits: used.charge.credits.negated().get(),
            credits_of_payment: used.credits,
            reference: reference.as_ref().map(|reference| reference.as_str()),
            spender: spender.as_ref().map(|spender| spender.as_str()),
            request_id: request_id.as_ref().map(|request| request.as_str()),
            created_at: time(used.charge.created_at),
        })
    }
}

impl<'a> RestoreBody<'a> {
    fn of(entry: &'a Entry) -> Option<Self> {
        let Cause::Restore { charge } = &entry.cause else { return None };
        Some(Self { charge: charge.as_str(), credits: entry.credits.get(), created_at: time(entry.created_at) })
    }
}

/// The page to print.
#[derive(Template)]
#[template(path = "evidence.html")]
struct EvidencePage<'a> {
    dispute: &'a str,
    facts: Vec<(&'static str, String)>,
    texts: Vec<(&'static str, &'a str)>,
    left_out: &'a [String],
}

impl<'a> EvidencePage<'a> {
    fn of(evidence: &'a Evidence, texts: &'a EvidenceTexts, now: Timestamp) -> Self {
        let shown = &evidence.shown;
        let due_by = shown.due_by.map_or("no answer is taken".to_owned(), date_and_time);
        let optional = |name, text: &'a Option<String>| text.as_deref().map(|text| (name, text));
        let paid = [
            Some(("product_description", texts.product_description.as_str())),
            optional("customer_email_address", &texts.customer_email_address),
            optional("service_date", &texts.service_date),
            optional("access_activity_log", &texts.access_activity_log),
            Some(("uncategorized_text", texts.uncategorized_text.as_str())),
        ];
        Self {
            dispute: evidence.dispute.as_str(),
            facts: vec![
                ("Account", evidence.account.id.to_string()),
                ("Paid for", evidence.bought.paid_for().to_string()),
                ("Amount", amount(evidence)),
                ("Card", card(&evidence.card)),
                ("Reason", shown.reason.replace('_', " ")),
                ("Status", shown.status.name().replace('_', " ")),
                ("Opened", date_and_time(shown.opened_at)),
                ("Answer due by", due_by),
                ("Answers sent", shown.submissions.to_string()),
                ("As of", date_and_time(now)),
            ],
            texts: paid.into_iter().flatten().collect(),
            left_out: &texts.left_out,
        }
    }
}

/// With its currency's decimals, if it is that of the price.
fn amount(evidence: &Evidence) -> String {
    let (shown, currency) = (&evidence.shown, evidence.bought.currency());
    let amount = Amount::new(currency, shown.amount).filter(|_| currency.is_named(&shown.currency));
    amount.map_or_else(|| format!("{} {}", shown.amount, shown.currency.to_uppercase()), |amount| amount.with_code())
}

fn card(face: &CardFace) -> String {
    if *face == CardFace::default() { "unknown".to_owned() } else { card_face(face) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let at = Timestamp::from_millisecond(1_767_225_600_000).unwrap();
        let place_of = DisputePlace { due_at: at, dispute: DisputeId::parse("du_1").unwrap() };
        assert_eq!(place(&written(&place_of)), Some(place_of));
        for text in ["", "1", "1.", ".du_1", "01.du_1", "1.du-1", "1767225600000.du_1.x"] {
            assert_eq!(place(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_day_is_day_zero() {
        for (hours, expected) in [(73, 3), (72, 3), (71, 2), (23, 0), (-1, 0), (-50, 0)] {
            assert_eq!(days(SignedDuration::from_hours(hours)), expected, "{hours}");
        }
    }
}
