//! Every consent that was given, newest first, word for word.

use crate::auto_top_up::ConsentBody;
use crate::{Outside, existing};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::payments::{ConsentRecord, TurnedOff};
use shared::domain::{Amount, ConsentId};
use shared::http::{Page, Problem, ReachedAccount, Reply, parse_query, time};
use shared::ports::ConsentList;
use shared::use_cases::Context;

/// One page. The cursor is the last consent of the page.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (limit, after) = parse_query(request, |query| {
        let after = query.cursor(|text| ConsentId::parse(text).ok());
        (query.limit(), after)
    })?;
    let account = existing(context, account).await?;
    let page = context.ledger.consents_page(&account.id, after.as_ref(), limit).await?;
    let next_cursor = page.records.last().filter(|_| page.has_more).map(|oldest| oldest.consent.id.to_string());
    let current = account.auto_top_up.as_ref().map(|settings| &settings.consent.id);
    let data = page.records.iter().map(|record| GivenConsentBody::of(record, current == Some(&record.consent.id)));
    Reply::ok(&Page::new(data.collect(), next_cursor))
}

#[derive(Serialize)]
struct GivenConsentBody<'a> {
    consent: &'a str,
    threshold: i64,
    target: i64,
    /// The most in a calendar month before tax, in the minor unit, if that was agreed to.
    max_per_month: Option<i64>,
    /// The most that one top-up costs before tax, in the minor unit.
    price_max: i64,
    currency: &'static str,
    /// Whether the settings of today rest on it.
    current: bool,
    #[serde(flatten)]
    given: ConsentBody<'a>,
    /// How the top-ups that were agreed to were turned off.
    turned_off: Option<TurnedOffBody<'a>>,
}

#[derive(Serialize)]
struct TurnedOffBody<'a> {
    at: String,
    reason: &'static str,
    changed_by: Option<&'a str>,
}

impl<'a> TurnedOffBody<'a> {
    fn of(turned_off: &'a TurnedOff) -> Self {
        Self {
            at: time(turned_off.at),
            reason: turned_off.because.name(),
            changed_by: turned_off.by.as_ref().map(|actor| actor.as_str()),
        }
    }
}

impl<'a> GivenConsentBody<'a> {
    fn of(record: &'a ConsentRecord, is_current: bool) -> Self {
        Self {
            consent: record.consent.id.as_str(),
            threshold: record.threshold.get(),
            target: record.target.get(),
            max_per_month: record.max_per_month.map(Amount::minor),
            price_max: record.consent.price_max.minor(),
            currency: record.consent.price_max.currency().code(),
            current: is_current,
            given: ConsentBody::of(record),
            turned_off: record.turned_off.as_ref().map(TurnedOffBody::of),
        }
    }
}
