//! The customer's own stop: no charges and no automatic top-ups until it is lifted.

use crate::{Outside, existing};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::{Account, Actor, SpendingChange};
use shared::http::{Caller, Fields, Problem, ReachedAccount, Reply, boolean, parse_body, text, time};
use shared::ports::SpendingChanges;
use shared::use_cases::accounts::set_spending;
use shared::use_cases::{Context, StoreError};

/// Whether spending is stopped, and who said so last.
pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    answer(context, &existing(context, account).await?).await
}

/// Stops spending, or allows it again.
pub async fn put<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
    caller: Option<&Caller>,
) -> Result<Reply, Problem> {
    // A customer's own token says who asks.
    let own = caller.filter(|caller| caller.subject == account.id().as_str());
    let known = own.and_then(|caller| Actor::parse(caller.subject.clone()).ok());
    let (is_stopped, changed_by) = parse_body(request, |fields| choice(fields, known))?;
    let account = set_spending(context, account.id(), is_stopped, &changed_by).await?;
    answer(context, &account).await
}

fn choice(fields: &mut Fields<'_>, known: Option<Actor>) -> Option<(bool, Actor)> {
    const EXPECTED: &str = "a text of 1 to 100 bytes: who asks for this";
    let is_stopped = fields.required("stopped", "true or false", boolean);
    let changed_by = match known {
        Some(known) => fields.optional_or("changed_by", EXPECTED, (text(Actor::parse), known)),
        None => fields.required("changed_by", EXPECTED, text(Actor::parse)),
    };
    is_stopped.zip(changed_by)
}

async fn answer<O: Outside>(context: &Context<O>, account: &Account) -> Result<Reply, Problem> {
    let Some(spending) = account.spending else {
        return Reply::ok(&SpendingBody { stopped: false, changed_by: None, changed_at: None });
    };
    let change = context.ledger.spending_change_get(&account.id, spending.changed_at).await?;
    let change = change.ok_or_else(|| StoreError::Missing("the last change of spending".to_owned()))?;
    Reply::ok(&SpendingBody::of(&change))
}

#[derive(Serialize)]
struct SpendingBody<'a> {
    stopped: bool,
    changed_by: Option<&'a str>,
    changed_at: Option<String>,
}

impl<'a> SpendingBody<'a> {
    fn of(change: &'a SpendingChange) -> Self {
        Self {
            stopped: change.is_stopped,
            changed_by: Some(change.changed_by.as_str()),
            changed_at: Some(time(change.changed_at)),
        }
    }
}
