//! The settings of automatic top-ups: the customer's choice, the consent to it, and why top-ups are paused.

use crate::{App, Outside, existing};
use jiff::Timestamp;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::payments::{
    AutoTopUpCommand, ConsentRecord, TopUpOutlook, decide_auto_top_up, top_up_credits, top_up_outlook,
};
use shared::domain::price_book::AutoTopUpLimits;
use shared::domain::{Account, Amount, ConsentId, Consenter, Credits, PriceBook};
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
    match preview {
        Some(pair) => {
            let as_if_saved = as_if_saved(&account, &app.context.price_book, pair)?;
            answer(app, &account, &as_if_saved).await
        }
        None => answer(app, &account, &account).await,
    }
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
    answer(app, &account, &account).await
}

/// Turning off needs only `enabled`, because the form may be half filled in.
fn command(fields: &mut Fields<'_>, limits: &AutoTopUpLimits) -> Option<AutoTopUpCommand> {
    let is_enabled = fields.required("enabled", "true or false", boolean);
    if is_enabled == Some(false) {
        fields.ignore_others();
        return Some(AutoTopUpCommand::Off);
    }
    let chosen = threshold_and_target(fields, limits);
    let consent = fields.object("consent", consent);
    is_enabled?;
    let (threshold, target) = chosen?;
    Some(AutoTopUpCommand::On { threshold, target, consent })
}

/// Both within their own limits. Whether they are far enough apart is decided later.
pub fn threshold_and_target(fields: &mut Fields<'_>, limits: &AutoTopUpLimits) -> Option<(i64, i64)> {
    let (thresholds, targets) = (limits.threshold_min..=limits.threshold_max, limits.target_min..=limits.target_max);
    let threshold = fields.required("threshold", an_integer(&thresholds), integer(&thresholds));
    let target = fields.required("target", an_integer(&targets), integer(&targets));
    threshold.zip(target)
}

fn consent(fields: &mut Fields<'_>) -> Option<(i64, Consenter)> {
    let versions = i64::MIN..=i64::MAX;
    let version =
        fields.required("text_version", "an integer: the version of the text that was shown", integer(&versions));
    let accepted_by = fields.required("accepted_by", "a text of 1 to 100 bytes", text(Consenter::parse));
    version.zip(accepted_by)
}

/// The account with these settings turned on. Settings that could not be saved have no text to agree to.
pub fn as_if_saved(
    account: &Account,
    price_book: &PriceBook,
    (threshold, target): (i64, i64),
) -> Result<Account, Problem> {
    let accepted_by = Consenter::parse(account.id.as_str()).map_err(Problem::internal)?;
    let consent = Some((CONSENT_TEXT_VERSION.into(), accepted_by));
    let command = AutoTopUpCommand::On { threshold, target, consent };
    match decide_auto_top_up(account, price_book, &command, ConsentId::mint(0), account.created_at) {
        Ok(change) => Ok(change.map_or_else(|| account.clone(), |change| change.account)),
        Err(refusal) => Err(SetAutoTopUpError::Refused(refusal).into()),
    }
}

/// The settings as they are stored, with the text and the outlook of those that are asked for.
async fn answer<O: Outside>(app: &App<O>, account: &Account, as_if_saved: &Account) -> Result<Reply, Problem> {
    let consent = match &account.auto_top_up {
        Some(settings) => app.context.ledger.consent_get(&account.id, &settings.consent.id).await?,
        None => None,
    };
    let (price_book, now) = (&app.context.price_book, app.context.now());
    let next_top_up = NextTopUpBody::of(as_if_saved, price_book, now);
    Reply::ok(&AutoTopUpBody::of((account, consent.as_ref()), as_if_saved, price_book, next_top_up))
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
    next_top_up: NextTopUpBody,
    limits: LimitsBody,
}

/// What the next sweep would do.
#[derive(Serialize)]
struct NextTopUpBody {
    would_charge_now: bool,
    state: &'static str,
    reason: Option<&'static str>,
    credits: Option<i64>,
    /// Before tax, in the minor unit.
    price: Option<i64>,
    currency: &'static str,
    next_check_at: Option<String>,
    next_eligible_at: Option<String>,
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

impl NextTopUpBody {
    fn of(account: &Account, price_book: &PriceBook, now: Timestamp) -> Self {
        let outlook = top_up_outlook(account, price_book, Credits::ZERO, now);
        let is_coming = matches!(outlook, TopUpOutlook::Due { .. } | TopUpOutlook::Waiting { .. });
        let settings = account.auto_top_up.as_ref().filter(|_| is_coming);
        let credits = settings.map(|settings| top_up_credits(account, settings));
        Self {
            would_charge_now: matches!(outlook, TopUpOutlook::Due { .. }),
            state: outlook.state(),
            reason: outlook.reason(),
            credits: credits.map(Credits::get),
            price: credits.and_then(|credits| price_book.top_up_price(credits)).map(Amount::minor),
            currency: price_book.currency.code(),
            next_check_at: outlook.next_check_at().map(time),
            next_eligible_at: outlook.next_eligible_at().map(time),
        }
    }
}

impl<'a> AutoTopUpBody<'a> {
    fn of(
        (account, consent): (&'a Account, Option<&'a ConsentRecord>),
        as_if_saved: &Account,
        price_book: &PriceBook,
        next_top_up: NextTopUpBody,
    ) -> Self {
        let settings = account.auto_top_up.as_ref();
        let wanted = as_if_saved.auto_top_up.as_ref();
        let limits = price_book.auto_top_up;
        Self {
            enabled: settings.is_some_and(|settings| settings.is_enabled),
            threshold: settings.map(|settings| settings.threshold.get()),
            target: settings.map(|settings| settings.target.get()),
            consent: consent.map(ConsentBody::of),
            text_version: CONSENT_TEXT_VERSION,
            worst_case_text: wanted
                .and_then(|wanted| consent_text(price_book, wanted.threshold.get(), wanted.target.get())),
            payment_issue: account.payment_issue.as_ref().map(PaymentIssueBody::of),
            last_top_up_at: account.last_top_up_at.map(time),
            next_top_up,
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
