//! Why a top-up did or did not happen, and what comes next.

use crate::{Outside, existing};
use serde::Serialize;
use shared::domain::Credits;
use shared::domain::payments::{gates, top_up_outlook};
use shared::http::bodies::{GateBody, TopUpBody};
use shared::http::{Problem, ReachedAccount, Reply, time};
use shared::ports::TopUpList;
use shared::use_cases::Context;
use shared::words::diagnosis;

/// How many of the last attempts are shown.
const SHOWN: u8 = 20;

/// The same gates that the sweep checks, in its order, and the last attempts.
pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    let account = existing(context, account).await?;
    let attempts = context.ledger.top_ups_page(&account.id, None, SHOWN).await?;
    let (price_book, now) = (&context.price_book, context.now());
    // Whatever one more charge costs, the outlook for the account is the same.
    let outlook = top_up_outlook(&account, price_book, Credits::ZERO, now);
    let words = diagnosis(&outlook, &account, price_book);
    Reply::ok(&DiagnosisBody {
        account: account.id.as_str(),
        state: outlook.state(),
        verdict: words.verdict,
        remedy: words.remedy,
        balance: account.balance.get(),
        next_check_at: outlook.next_check_at().map(time),
        next_eligible_at: outlook.next_eligible_at().map(time),
        gates: gates(&account, price_book, now).iter().map(GateBody::of).collect(),
        attempts: attempts.records.iter().map(TopUpBody::of).collect(),
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
    balance: i64,
    next_check_at: Option<String>,
    next_eligible_at: Option<String>,
    /// The first closed one decides.
    gates: Vec<GateBody>,
    attempts: Vec<TopUpBody<'a>>,
    as_of: String,
}
