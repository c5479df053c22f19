//! Verifying the ledger: hashes, sums and the balance, a part at a time.

use super::layout::{Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use shared::http::{Problem, Reply};
use shared::use_cases::accounts::{LedgerPosition, LedgerVerification, verify_ledger};
use shared::words;

/// So many parts of so many entries are verified for one page, which takes a few seconds at most.
const PARTS_MAX: u32 = 20;
const ENTRIES_PER_PART: u32 = 500;

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage<'a> {
    layout: Layout<'a>,
    heading: &'static str,
    text: String,
    is_right: bool,
    entries: String,
    head: Option<String>,
}

pub async fn get<O: Outside>(app: &App<O>, visitor: &Visitor) -> Result<Reply, Problem> {
    let account = &visitor.account.id;
    let begun = LedgerPosition::BEGINNING;
    let mut verification = verify_ledger(&app.context, account, begun, ENTRIES_PER_PART).await?;
    for _ in 1..PARTS_MAX {
        let LedgerVerification::Unfinished(next) = verification else { break };
        verification = verify_ledger(&app.context, account, next, ENTRIES_PER_PART).await?;
    }
    let (heading, text, is_right, verified) = match &verification {
        LedgerVerification::Verified(verified) => (
            "Your ledger is right",
            format!(
                "Every entry follows from the one before it, and together they make the balance of {}.",
                words::credits(verified.balance)
            ),
            true,
            verified,
        ),
        LedgerVerification::Unfinished(position) => (
            "Right so far",
            "This ledger is too long to verify on one page. The API verifies it to the end.".to_owned(),
            true,
            position.verified(),
        ),
        LedgerVerification::Behind(position) => (
            "Right so far",
            "The newest entries are not listed yet. Look again in a moment.".to_owned(),
            true,
            position.verified(),
        ),
        LedgerVerification::Failed(verified, failure) => (
            "Something does not fit",
            format!("At entry {}: {}. Please write to us.", failure.seq, failure.problem),
            false,
            verified,
        ),
    };
    let page = VerifyPage {
        layout: Layout::of(app, visitor, (Section::History, "Verify the ledger")),
        heading,
        text,
        is_right,
        entries: verified.seq.to_string(),
        head: verified.hash.map(|hash| hash.to_string()),
    };
    show(200, &page)
}
