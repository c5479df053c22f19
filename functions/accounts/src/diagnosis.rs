//! Why a top-up did or did not happen, and what comes next.

use crate::{App, Outside, existing};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::domain::payments::{PaymentIssue, SweepSkip, gates, top_up_outlook};
use shared::domain::{Credits, TopUp};
use shared::http::bodies::{GateBody, RemedyBody, TopUpBody};
use shared::http::{Problem, ReachedAccount, Reply, time};
use shared::ports::{SweepLogs, TopUpList};
use shared::words::diagnosis;

/// How many of the last attempts and decisions are shown.
const SHOWN: u8 = 20;
/// How long the link to an invoice's page works.
const LINK_VALID: SignedDuration = SignedDuration::from_hours(24);

/// The same gates that the sweep checks, in its order, the last attempts, and what sweeps decided.
pub async fn get<O: Outside>(app: &App<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    let context = &app.context;
    let account = existing(context, account).await?;
    let log = context.ledger.sweep_log_get(&account.id).await?;
    let attempts = context.ledger.top_ups_page(&account.id, None, SHOWN).await?;
    let (price_book, now) = (&context.price_book, context.now());
    // Whatever one more charge costs, the outlook for the account is the same.
    let outlook = top_up_outlook(&account, price_book, Credits::ZERO, now);
    let words = diagnosis(&outlook, &account, price_book);
    let expires_at = now.saturating_add(LINK_VALID).unwrap_or(Timestamp::MAX);
    let pay_token = |issue: &PaymentIssue| app.links.sign(&account.id, &issue.top_up, expires_at);
    Reply::ok(&DiagnosisBody {
        account: account.id.as_str(),
        state: outlook.state(),
        verdict: words.verdict,
        remedy: words.remedy,
        remedy_link: outlook.cure().and_then(|cure| RemedyBody::of(cure, &account, pay_token)),
        balance: account.balance.get(),
        next_check_at: outlook.next_check_at().map(time),
        next_eligible_at: outlook.next_eligible_at().map(time),
        gates: gates(&account, price_book, now).iter().map(GateBody::of).collect(),
        attempts: attempts.records.iter().map(TopUpBody::of).collect(),
        decisions: decisions(&log.skips, &attempts.records),
        as_of: time(now),
    })
}

#[derive(Serialize)]
struct DiagnosisBody<'a> {
    account: &'a str,
    /// `in_progress`, `off`, `paused`, `waiting` or `due`, as in a 402.
    state: &'static str,
    verdict: String,
    remedy: Option<&'static str>,
    /// Where that is done.
    remedy_link: Option<RemedyBody>,
    balance: i64,
    next_check_at: Option<String>,
    next_eligible_at: Option<String>,
    /// The first closed one decides.
    gates: Vec<GateBody>,
    attempts: Vec<TopUpBody<'a>>,
    /// What sweeps and checks decided, newest first. A decision that is repeated is shown once, with its first time.
    decisions: Vec<DecisionBody<'a>>,
    as_of: String,
}

#[derive(Serialize)]
struct DecisionBody<'a> {
    at: String,
    /// `opened` or `skipped`.
    decision: &'static str,
    /// The first closed gate, if it was skipped.
    gate: Option<&'static str>,
    /// The balance that was found, if it was skipped.
    balance: Option<i64>,
    /// The attempt, if one was opened.
    top_up: Option<&'a str>,
}

/// Both kinds together. The attempts are a record of the sweeps' decisions themselves.
fn decisions<'a>(skips: &[SweepSkip], attempts: &'a [TopUp]) -> Vec<DecisionBody<'a>> {
    let skipped = |skip: &SweepSkip| {
        let (gate, balance) = (Some(skip.gate.name()), Some(skip.balance.get()));
        (skip.at, DecisionBody { at: time(skip.at), decision: "skipped", gate, balance, top_up: None })
    };
    let opened = |attempt: &'a TopUp| {
        let (at, top_up) = (time(attempt.opened_at), Some(attempt.id.as_str()));
        (attempt.opened_at, DecisionBody { at, decision: "opened", gate: None, balance: None, top_up })
    };
    let mut all: Vec<_> = skips.iter().map(skipped).chain(attempts.iter().map(opened)).collect();
    all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    all.into_iter().take(SHOWN.into()).map(|(_, decision)| decision).collect()
}
