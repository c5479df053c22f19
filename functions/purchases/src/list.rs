//! The stored purchases of an account, newest first, without asking Stripe.

use crate::pay_link::PayLinks;
use crate::purchase::PurchaseBody;
use crate::{App, Outside};
use lambda_http::Request;
use shared::domain::PurchaseId;
use shared::http::{Page, Problem, ReachedAccount, Reply, parse_query};
use shared::ports::{Accounts, PurchaseList};

/// One page. The cursor is the last purchase on the page, whose position never changes when more are bought.
pub async fn get<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let (limit, cursor) = parse_query(request, |query| {
        let cursor = query.cursor(|text| PurchaseId::parse(text).ok());
        (query.limit(), cursor)
    })?;
    let (ledger, links) = (&app.context.ledger, PayLinks::of(app, request));
    let account = ledger.account_get(account.id()).await?.ok_or_else(|| Problem::not_found("account"))?;
    let page = ledger.purchases_page(&account.id, cursor.as_ref(), limit).await?;
    let next_cursor = page.purchases.last().filter(|_| page.has_more).map(|oldest| oldest.id.to_string());
    let bodies = page.purchases.iter().map(|purchase| PurchaseBody::of(purchase, &links)).collect();
    Reply::ok(&Page::new(bodies, next_cursor))
}
