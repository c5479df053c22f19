//! The settings of automatic top-ups: the customer's choice, the consent to it, and why top-ups are paused.

use crate::{App, Outside, existing};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::payments::{AutoTopUpCommand, AutoTopUpRefusal, ConsentRecord, decide_auto_top_up};
use shared::domain::price_book::AutoTopUpLimits;
use shared::domain::{Account, ConsentId, Consenter, PriceBook};
use shared::http::bodies::PaymentIssueBody;
use shared::http::{
    Fields, Parameters, Problem, ReachedAccount, Reply, an_integer, boolean, integer, parse_body, parse_query, text,
    time,
};
use shared::ports::Consents;
use shared::use_cases::payments::{SetAutoTopUpError, set_auto_top_up};
use shared::words::{CONSENT_TEXT_VERSION, consent_text};

/// The current settings. With `?threshold=…&target=…`, the text is the one for those values.
pub async fn get<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let limits = app.context.price_book.auto_top_up;
    let preview = parse_query(request, |query| preview(query, &limits))?;
    let account = existing(&app.context, account).await?;
    if let Some(pair) = preview {
        checked(&account, &app.context.price_book, pair)?;
    }
    answer(app, &account, preview).await
}

/// Threshold and target. Only both together have a worst case.
fn preview(query: &mut Parameters, limits: &AutoTopUpLimits) -> Option<(i64, i64)> {
    let threshold = query.integer("threshold", limits.threshold_min..=limits.threshold_max);
    let target = query.integer("target", limits.target_min..=limits.target_max);
    threshold.zip(target)
}

/// Stores what the customer chose.
pub async fn put<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let command = parse_body(request, |fields| command(fields, &app.context.price_book.auto_top_up))?;
    let account = set_auto_top_up(&app.context, account.id(), &command).await?;
    answer(app, &account, None).await
}

/// Turning off needs only `enabled`, because the form may be half filled in.
fn command(fields: &mut Fields<'_>, limits: &AutoTopUpLimits) -> Option<AutoTopUpCommand> {
    let is_enabled = fields.required("enabled", "true or false", boolean);
    if is_enabled == Some(false) {
        fields.ignore_others();
        return Some(AutoTopUpCommand::Off);
    }
    let (thresholds, targets) = (limits.threshold_min..=limits.threshold_max, limits.target_min..=limits.target_max);
    let threshold = fields.required("threshold", an_integer(&thresholds), integer(&thresholds));
    let target = fields.required("target", an_integer(&targets), integer(&targets));
    let consent = fields.object("consent", consent);
    is_enabled?;
    Some(AutoTopUpCommand::On { threshold: threshold?, target: target?, consent })
}

fn consent(fields: &mut Fields<'_>) -> Option<(i64, Consenter)> {
    let versions = i64::MIN..=i64::MAX;
    let version =
        fields.required("text_version", "an integer: the version of the text that was shown", integer(&versions));
    let accepted_by = fields.required("accepted_by", "a text of 1 to 100 bytes", text(Consenter::parse));
    version.zip(accepted_by)
}

/// Values that could not be saved have no text to agree to.
pub fn checked(account: &Account, price_book: &PriceBook, (threshold, target): (i64, i64)) -> Result<(), Problem> {
    let command = AutoTopUpCommand::On { threshold, target, consent: None };
    let (consent, now) = (ConsentId::mint(0), account.created_at);
    match decide_auto_top_up(account, price_book, &command, consent, now) {
        Ok(_) | Err(AutoTopUpRefusal::ConsentRequired) => Ok(()),
        Err(refusal) => Err(SetAutoTopUpError::Refused(refusal).into()),
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
    accepted_by: Option<&'a str>,
    accepted_at: String,
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
            accepted_by: record.consent.accepted_by.as_ref().map(|consenter| consenter.as_str()),
            accepted_at: time(record.consent.accepted_at),
        }
    }
}
