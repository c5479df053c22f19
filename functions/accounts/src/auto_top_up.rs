//! The settings of automatic top-ups: what is chosen, to which text it was agreed, and why they are paused.

use crate::{App, Outside, existing};
use lambda_http::Request;
use serde::{Deserialize, Serialize};
use shared::domain::payments::PaymentIssue;
use shared::domain::payments::{AutoTopUpCommand, ConsentRecord};
use shared::domain::{Account, Consenter, PriceBook};
use shared::http::{Body, FieldError, Object, Problem, ReachedAccount, Reply, parse_body, query_integer, time};
use shared::ports::Consents;
use shared::use_cases::payments::set_auto_top_up;
use shared::words::{CONSENT_TEXT_VERSION, consent_text, payment_issue};

/// The settings as they stand. With `?threshold=…&target=…` the text to be shown is the one for those.
pub async fn get<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let limits = app.context.price_book.auto_top_up;
    let threshold = query_integer(request, "threshold", limits.threshold_min, limits.threshold_max)?;
    let target = query_integer(request, "target", limits.target_min, limits.target_max)?;
    let account = existing(&app.context, account).await?;
    answer(app, &account, threshold.zip(target)).await
}

/// Stores what the customer chose.
pub async fn put<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let command = parse_body::<AutoTopUpRequest>(request)?.parse()?;
    let account = set_auto_top_up(&app.context, account.id(), &command).await?;
    answer(app, &account, None).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AutoTopUpRequest {
    enabled: bool,
    threshold: Option<i64>,
    target: Option<i64>,
    consent: Option<Object<ConsentRequest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentRequest {
    text_version: i64,
    accepted_by: String,
}

impl Body for AutoTopUpRequest {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("enabled", "true or false"),
        ("threshold", "an integer, in credits"),
        ("target", "an integer, in credits"),
        ("consent", "an object of text_version and accepted_by"),
        ("text_version", "an integer: the version of the text that was shown"),
        ("accepted_by", "a text of 1 to 100 characters"),
    ];
}

impl AutoTopUpRequest {
    fn parse(self) -> Result<AutoTopUpCommand, Problem> {
        if !self.enabled {
            return Ok(AutoTopUpCommand::Off);
        }
        let missing = |field| FieldError::new(field, "is required to switch automatic top-ups on");
        let consent = self.consent.map(|Object(consent)| {
            let accepted_by = Consenter::parse(consent.accepted_by);
            accepted_by.map(|accepted_by| (consent.text_version, accepted_by))
        });
        match (self.threshold, self.target, consent.transpose()) {
            (Some(threshold), Some(target), Ok(consent)) => Ok(AutoTopUpCommand::On { threshold, target, consent }),
            (threshold, target, consent) => {
                let absent =
                    [("threshold", threshold), ("target", target)].into_iter().filter(|(_, value)| value.is_none());
                let unreadable = consent.err().map(FieldError::from);
                Err(Problem::invalid(absent.map(|(field, _)| missing(field)).chain(unreadable).collect()))
            }
        }
    }
}

async fn answer<O: Outside>(app: &App<O>, account: &Account, preview: Option<(i64, i64)>) -> Result<Reply, Problem> {
    let consent = match &account.auto_top_up {
        Some(settings) => app.context.ledger.consent_get(&account.id, &settings.consent.id).await?,
        None => None,
    };
    Reply::ok(&AutoTopUpBody::of(&app.context.price_book, account, consent.as_ref(), preview))
}

#[derive(Serialize)]
struct AutoTopUpBody<'a> {
    enabled: bool,
    threshold: Option<i64>,
    target: Option<i64>,
    consent: Option<ConsentBody<'a>>,
    text_version: u32,
    worst_case_text: Option<String>,
    payment_issue: Option<PaymentIssueBody<'a>>,
    last_top_up_at: Option<String>,
    limits: LimitsBody,
}

#[derive(Serialize)]
struct ConsentBody<'a> {
    text_version: u32,
    text: &'a str,
    accepted_by: &'a str,
    accepted_at: String,
}

#[derive(Serialize)]
struct PaymentIssueBody<'a> {
    kind: &'static str,
    reason: &'static str,
    remedy: &'static str,
    since: String,
    top_up: &'a str,
}

#[derive(Serialize)]
struct LimitsBody {
    threshold_min: i64,
    threshold_max: i64,
    target_min: i64,
    target_max: i64,
    gap_min: i64,
}

impl<'a> AutoTopUpBody<'a> {
    fn of(
        price_book: &PriceBook,
        account: &'a Account,
        consent: Option<&'a ConsentRecord>,
        preview: Option<(i64, i64)>,
    ) -> Self {
        let settings = account.auto_top_up.as_ref();
        let chosen = settings.map(|settings| (settings.threshold.get(), settings.target.get()));
        let limits = price_book.auto_top_up;
        Self {
            enabled: settings.is_some_and(|settings| settings.is_enabled),
            threshold: chosen.map(|(threshold, _)| threshold),
            target: chosen.map(|(_, target)| target),
            consent: consent.map(ConsentBody::of),
            text_version: CONSENT_TEXT_VERSION,
            worst_case_text: preview
                .or(chosen)
                .and_then(|(threshold, target)| consent_text(price_book, threshold, target)),
            payment_issue: account.payment_issue.as_ref().map(PaymentIssueBody::of),
            last_top_up_at: account.last_top_up_at.map(time),
            limits: LimitsBody {
                threshold_min: limits.threshold_min,
                threshold_max: limits.threshold_max,
                target_min: limits.target_min,
                target_max: limits.target_max,
                gap_min: limits.gap_min,
            },
        }
    }
}

impl<'a> ConsentBody<'a> {
    fn of(record: &'a ConsentRecord) -> Self {
        Self {
            text_version: record.consent.text_version,
            text: &record.text,
            accepted_by: record.consent.accepted_by.as_str(),
            accepted_at: time(record.consent.accepted_at),
        }
    }
}

impl<'a> PaymentIssueBody<'a> {
    fn of(issue: &'a PaymentIssue) -> Self {
        let words = payment_issue(issue.kind);
        Self {
            kind: issue.kind.name(),
            reason: words.reason,
            remedy: words.remedy,
            since: time(issue.since),
            top_up: issue.top_up.as_str(),
        }
    }
}
