//! Why a top-up did or did not happen, and what comes next.

use crate::auto_top_up::off_reason;
use crate::{App, Outside, existing};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::domain::payments::{PaymentIssue, SweepSkip, gates, top_up_outlook, turned_off};
use shared::domain::{Credits, TopUp};
use shared::http::bodies::{CardBody, GateBody, RemedyBody, TopUpBody};
use shared::http::{Problem, ReachedAccount, Reply, time};
use shared::ports::{AskedCards, Consents, SweepLogs, TopUpList};
use shared::words::{KnownOfTopUps, diagnosis};

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
    let asked = context.ledger.asked_card_get(&account.id).await?;
    let consent = match &account.auto_top_up {
        Some(settings) => context.ledger.consent_get(&account.id, &settings.consent.id).await?,
        None => None,
    };
    let card = asked.face_of(account.payment_method.as_ref()).cloned();
    let known = KnownOfTopUps { turned_off: turned_off(account.auto_top_up.as_ref(), consent.as_ref()), card };
    let words = diagnosis(&outlook, &account, price_book, &known);
    let expires_at = now.saturating_add(LINK_VALID).unwrap_or(Timestamp::MAX);
    let pay_token = |issue: &PaymentIssue| app.links.sign(&account.id, &issue.top_up, expires_at);
    Reply::ok(&DiagnosisBody {
        account: account.id.as_str(),
        state: outlook.state(),
        off_reason: off_reason(&account, consent.as_ref()),
        card: CardBody::of_asked(&asked, account.payment_method.as_ref()),
        verdict: words.verdict,
        remedy: words.remedy,
        remedy_link: outlook.cure().and_then(|cure| RemedyBody::of(cure, &account, pay_token)),
        balance: account.balance.get(),
        next_check_at: outlook.next_check_at().map(time),
        next_eligible_at: outlook.next_eligible_at().map(time),
        gates: gates(&account, price_book, now).iter().map(GateBody::of).collect(),
        attempts: attempts.records.iter().map(|attempt| TopUpBody::of(attempt, &asked)).collect(),
        decisions: decisions(&log.skips, &attempts.records),
        as_of: time(now),
    })
}

#[derive(Serialize)]
struct DiagnosisBody<'a> {
    account: &'a str,
    /// `in_progress`, `off`, `paused`, `waiting` or `due`, as in a 402.
    state: &'static str,
    /// Why automatic top-ups are off, as in the settings.
    off_reason: Option<&'static str>,
    /// The card that is asked.
    card: Option<CardBody<'a>>,
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
