//! The settings of automatic top-ups: the customer's choice, the consent to it, and why top-ups are paused.

use crate::{App, Outside, existing};
use jiff::Timestamp;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::payments::{
    AskedCard, AutoTopUp, AutoTopUpCommand, Consent, ConsentRecord, MonthlyCap, OffReason, TopUpOutlook,
    top_up_credits, top_up_outlook, turned_off,
};
use shared::domain::price_book::AutoTopUpLimits;
use shared::domain::{Account, Actor, Amount, Consenter, Credits, PriceBook, date_of, start_of_next_month};
use shared::http::bodies::{CardBody, PaymentIssueBody, ReversalPauseBody, TopUpBody, TopUpCheckBody};
use shared::http::{
    Caller, Fields, Parameters, Problem, ReachedAccount, Reply, an_integer, boolean, integer, parse_body, parse_query,
    text, time,
};
use shared::ports::{Accounts, AskedCards, Consents, TopUpList};
use shared::use_cases::Context;
use shared::use_cases::payments::{preview_auto_top_up, set_auto_top_up, top_up};
use shared::words::{CONSENT_TEXT_VERSION, consent_text};
use std::ops::RangeInclusive;

/// The price book's own minimum, and the steps of its currency, are checked with the other settings.
const CAPS: RangeInclusive<i64> = 0..=MonthlyCap::MAX_MINOR;

/// The current settings. With `?threshold=…&target=…`, the text is the one for those values.
pub async fn get<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let limits = app.context.price_book.auto_top_up;
    let preview = parse_query(request, |query| preview(query, &limits))?;
    let account = existing(&app.context, account).await?;
    match preview {
        Some(chosen) => {
            let as_if_saved = as_if_saved(&app.context, &account, chosen).await?;
            answer(app, (&account, &as_if_saved), None).await
        }
        None => answer(app, (&account, &account), None).await,
    }
}

/// What could be saved. Only a threshold and a target together have a worst case.
fn preview(query: &mut Parameters, limits: &AutoTopUpLimits) -> Option<Chosen> {
    let threshold = query.integer("threshold", limits.threshold_min..=limits.threshold_max);
    let target = query.integer("target", limits.target_min..=limits.target_max);
    let max_per_month = query.integer("max_per_month", CAPS);
    let (threshold, target) = threshold.zip(target)?;
    Some(Chosen { threshold, target, max_per_month })
}

/// Stores what the customer chose. With `?check=now`, it then does what the next sweep would do, through the same gates;
/// if that fails, the settings are saved all the same, and the next sweep goes on.
pub async fn put<O: Outside>(
    app: &App<O>,
    request: &Request,
    account: &ReachedAccount,
    caller: Option<&Caller>,
) -> Result<Reply, Problem> {
    let check = parse_query(request, |query| query.optional("check", "now", |text| (text == "now").then_some(())))?;
    let command = parse_body(request, |fields| command(fields, caller, &app.context.price_book.auto_top_up))?;
    let account = set_auto_top_up(&app.context, account.id(), &command).await?;
    if check.is_none() || matches!(command, AutoTopUpCommand::Off { .. }) {
        return answer(app, (&account, &account), None).await;
    }
    let checked = top_up(&app.context, &account.id).await?;
    let account = app.context.ledger.account_get(&account.id).await?.ok_or_else(|| Problem::not_found("account"))?;
    answer(app, (&account, &account), Some(TopUpCheckBody::of(&checked))).await
}

/// Turning off needs only `enabled`, because the form may be half filled in. Without a `changed_by` that can be kept, it
/// was the caller.
fn command(fields: &mut Fields<'_>, caller: Option<&Caller>, limits: &AutoTopUpLimits) -> Option<AutoTopUpCommand> {
    let is_enabled = fields.required("enabled", "true or false", boolean);
    if is_enabled == Some(false) {
        let named = fields.told("changed_by", |json| Ok(text(Actor::parse)(json))).flatten();
        fields.ignore_others();
        let changed_by = named.or_else(|| Actor::parse(caller?.subject.clone()).ok());
        return Some(AutoTopUpCommand::Off { changed_by });
    }
    let chosen = Chosen::of(fields, limits);
    let consent = fields.object("consent", consent);
    is_enabled?;
    Some(chosen?.with(consent))
}

/// Settings that a customer may agree to.
#[derive(Clone, Copy, Debug)]
pub struct Chosen {
    pub threshold: i64,
    pub target: i64,
    /// In the minor unit. `None` without a cap.
    pub max_per_month: Option<i64>,
}

impl Chosen {
    /// Each within its own limits. Whether threshold and target are far enough apart is decided later, and so is whether
    /// the currency has the amount of the cap.
    pub fn of(fields: &mut Fields<'_>, limits: &AutoTopUpLimits) -> Option<Self> {
        let thresholds = limits.threshold_min..=limits.threshold_max;
        let targets = limits.target_min..=limits.target_max;
        let threshold = fields.required("threshold", an_integer(&thresholds), integer(&thresholds));
        let target = fields.required("target", an_integer(&targets), integer(&targets));
        let max_per_month = fields.optional("max_per_month", an_integer(&CAPS), integer(&CAPS));
        let (threshold, target) = threshold.zip(target)?;
        Some(Self { threshold, target, max_per_month })
    }

    fn with(self, consent: Option<(i64, Consenter)>) -> AutoTopUpCommand {
        let Self { threshold, target, max_per_month } = self;
        AutoTopUpCommand::On { threshold, target, max_per_month, consent }
    }
}

fn consent(fields: &mut Fields<'_>) -> Option<(i64, Consenter)> {
    let versions = i64::MIN..=i64::MAX;
    let version =
        fields.required("text_version", "an integer: the version of the text that was shown", integer(&versions));
    let accepted_by = fields.required("accepted_by", "a text of 1 to 100 bytes", text(Consenter::parse));
    version.zip(accepted_by)
}

/// The account with these settings turned on. Settings that could not be saved have no text to agree to.
pub async fn as_if_saved<O: Outside>(
    context: &Context<O>,
    account: &Account,
    Chosen { threshold, target, max_per_month }: Chosen,
) -> Result<Account, Problem> {
    Ok(preview_auto_top_up(context, account, (threshold, target, max_per_month)).await?)
}

/// The settings as they are stored, with the text and the outlook of those that are asked for.
async fn answer<O: Outside>(
    app: &App<O>,
    (account, as_if_saved): (&Account, &Account),
    check: Option<TopUpCheckBody>,
) -> Result<Reply, Problem> {
    let consent = match &account.auto_top_up {
        Some(settings) => app.context.ledger.consent_get(&account.id, &settings.consent.id).await?,
        None => None,
    };
    let (price_book, now) = (&app.context.price_book, app.context.now());
    let attempts = app.context.ledger.top_ups_page(&account.id, None, 1).await?;
    let asked = app.context.ledger.asked_card_get(&account.id).await?;
    let last_top_up = attempts.records.first().map(|attempt| TopUpBody::of(attempt, &asked));
    let next_top_up = NextTopUpBody::of((as_if_saved, &asked), price_book, now);
    let settings = AutoTopUpBody::of((account, consent.as_ref()), (as_if_saved, next_top_up), price_book, now);
    Reply::ok(&AnswerBody { settings, last_top_up, check })
}

#[derive(Serialize)]
struct AnswerBody<'a> {
    #[serde(flatten)]
    settings: AutoTopUpBody<'a>,
    /// The last attempt, with what became of it.
    last_top_up: Option<TopUpBody<'a>>,
    /// What the check did that was asked for.
    check: Option<TopUpCheckBody>,
}

#[derive(Serialize)]
struct AutoTopUpBody<'a> {
    enabled: bool,
    threshold: Option<i64>,
    target: Option<i64>,
    monthly_cap: Option<MonthlyCapBody>,
    consent: Option<ConsentBody<'a>>,
    text_version: u32,
    worst_case_text: Option<String>,
    /// Who turned them on or off last, if that is known.
    changed_by: Option<&'a str>,
    changed_at: Option<String>,
    /// Why they are off, if they were on before.
    off_reason: Option<&'static str>,
    payment_issue: Option<PaymentIssueBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reversal_pause: Option<ReversalPauseBody>,
    last_top_up_at: Option<String>,
    next_top_up: NextTopUpBody<'a>,
    limits: LimitsBody,
}

/// What the next sweep would do.
#[derive(Serialize)]
struct NextTopUpBody<'a> {
    would_charge_now: bool,
    state: &'static str,
    reason: Option<&'static str>,
    credits: Option<i64>,
    /// Before tax, in the minor unit.
    price: Option<i64>,
    currency: &'static str,
    /// The saved card, by its id at Stripe, and as its owner knows it, as far as that is known.
    payment_method: Option<&'a str>,
    card: Option<CardBody<'a>>,
    next_check_at: Option<String>,
    next_eligible_at: Option<String>,
}

#[derive(Serialize)]
pub struct ConsentBody<'a> {
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
    max_per_month_min: i64,
    max_per_month_max: i64,
}

/// What a month may cost, before tax, in the minor unit.
#[derive(Serialize)]
struct MonthlyCapBody {
    max: i64,
    used: i64,
    left: i64,
    /// If less is left, none opens before the next month.
    top_up_min: i64,
    currency: &'static str,
    starts_again_at: Option<String>,
}

impl MonthlyCapBody {
    fn of(account: &Account, cap: &MonthlyCap, now: Timestamp) -> Self {
        let left = cap.left(account.last_top_up_at, now);
        Self {
            max: cap.max.minor(),
            used: cap.used_at(account.last_top_up_at, now),
            left,
            top_up_min: cap.smallest,
            currency: cap.max.currency().code(),
            starts_again_at: start_of_next_month(date_of(now)).map(time),
        }
    }
}

impl<'a> NextTopUpBody<'a> {
    fn of((account, asked): (&'a Account, &'a AskedCard), price_book: &PriceBook, now: Timestamp) -> Self {
        let outlook = top_up_outlook(account, price_book, Credits::ZERO, now);
        let is_coming = matches!(outlook, TopUpOutlook::Due { .. } | TopUpOutlook::Waiting { .. });
        let settings = account.auto_top_up.as_ref().filter(|_| is_coming);
        let at = outlook.next_check_at().unwrap_or(now);
        let credits = settings.map(|settings| top_up_credits(account, settings, price_book, at));
        Self {
            would_charge_now: matches!(outlook, TopUpOutlook::Due { .. }),
            state: outlook.state(),
            reason: outlook.reason(),
            credits: credits.map(Credits::get),
            price: credits.and_then(|credits| price_book.top_up_price(credits)).map(Amount::minor),
            currency: price_book.currency.code(),
            payment_method: account.payment_method.as_ref().map(|card| card.as_str()),
            card: CardBody::of_asked(asked, account.payment_method.as_ref()),
            next_check_at: outlook.next_check_at().map(time),
            next_eligible_at: outlook.next_eligible_at().map(time),
        }
    }
}

impl<'a> AutoTopUpBody<'a> {
    fn of(
        (account, consent): (&'a Account, Option<&'a ConsentRecord>),
        (as_if_saved, next_top_up): (&'a Account, NextTopUpBody<'a>),
        price_book: &PriceBook,
        now: Timestamp,
    ) -> Self {
        let settings = account.auto_top_up.as_ref();
        let wanted = as_if_saved.auto_top_up.as_ref();
        let limits = price_book.auto_top_up;
        let changed = LastChange::of(settings, consent);
        Self {
            enabled: settings.is_some_and(|settings| settings.is_enabled),
            threshold: settings.map(|settings| settings.threshold.get()),
            target: settings.map(|settings| settings.target.get()),
            monthly_cap: settings
                .and_then(|settings| settings.cap.as_ref())
                .map(|cap| MonthlyCapBody::of(account, cap, now)),
            consent: consent.map(ConsentBody::of),
            text_version: CONSENT_TEXT_VERSION,
            worst_case_text: wanted.and_then(|wanted| consent_text(price_book, wanted.credits(), wanted.cap.as_ref())),
            changed_by: changed.by,
            changed_at: changed.at.map(time),
            off_reason: off_reason(account, consent),
            payment_issue: account.payment_issue.as_ref().map(PaymentIssueBody::of),
            reversal_pause: ReversalPauseBody::of(account),
            last_top_up_at: account.last_top_up_at.map(time),
            next_top_up,
            limits: LimitsBody {
                threshold_min: limits.threshold_min,
                threshold_max: limits.threshold_max,
                target_min: limits.target_min,
                target_max: limits.target_max,
                gap_min: limits.gap_min,
                max_per_month_min: price_book.smallest_top_up_price().minor(),
                max_per_month_max: MonthlyCap::MAX_MINOR,
            },
        }
    }
}

/// Who turned automatic top-ups on or off last.
#[derive(Clone, Copy, Default)]
struct LastChange<'a> {
    by: Option<&'a str>,
    at: Option<Timestamp>,
}

/// Why none happens that the customer wants or wanted: they were turned off, or spending is stopped, and they with it.
pub fn off_reason(account: &Account, consent: Option<&ConsentRecord>) -> Option<&'static str> {
    let settings = account.auto_top_up.as_ref()?;
    if settings.is_enabled {
        return account.spending_stopped_at().map(|_| "spending_stopped");
    }
    turned_off(account.auto_top_up.as_ref(), consent).map(OffReason::name)
}

impl<'a> LastChange<'a> {
    /// An earlier release did not keep how they were turned off.
    fn of(settings: Option<&'a AutoTopUp>, consent: Option<&'a ConsentRecord>) -> Self {
        let Some(settings) = settings else { return Self::default() };
        if settings.is_enabled {
            let Consent { accepted_by, accepted_at, .. } = &settings.consent;
            let by = accepted_by.as_ref().map(|consenter| consenter.as_str());
            return Self { by, at: Some(*accepted_at) };
        }
        let turned_off = consent.and_then(|record| record.turned_off.as_ref());
        Self {
            by: turned_off.and_then(|off| off.by.as_ref()).map(|actor| actor.as_str()),
            at: turned_off.map(|off| off.at),
        }
    }
}

impl<'a> ConsentBody<'a> {
    pub fn of(record: &'a ConsentRecord) -> Self {
        Self {
            text_version: record.consent.text_version,
            text: &record.text,
            accepted_by: record.consent.accepted_by.as_ref().map(|consenter| consenter.as_str()),
            accepted_at: time(record.consent.accepted_at),
        }
    }
}
