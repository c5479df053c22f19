//! What support did to an account, newest first.

use crate::{Outside, existing};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::support::ActKind;
use shared::domain::{Act, ActId};
use shared::http::{Page, Problem, ReachedAccount, Reply, parse_query, time};
use shared::ports::Acts;
use shared::use_cases::Context;

/// One page. The cursor is the last act of the page.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (limit, after) = parse_query(request, |query| {
        let after = query.cursor(|text| ActId::parse(text).ok());
        (query.limit(), after)
    })?;
    let account = existing(context, account).await?;
    let page = context.ledger.acts_page(&account.id, after.as_ref(), limit).await?;
    let next_cursor = page.records.last().filter(|_| page.has_more).map(|oldest| oldest.id.to_string());
    Reply::ok(&Page::new(page.records.iter().map(ActBody::of).collect(), next_cursor))
}

#[derive(Serialize)]
pub struct ActBody<'a> {
    act: &'a str,
    kind: &'static str,
    operator: &'a str,
    reason: &'a str,
    at: String,
    #[serde(flatten)]
    what: WhatBody<'a>,
}

#[derive(Default, Serialize)]
struct WhatBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    adjustment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resent_as: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_for: Option<&'a str>,
    /// The key of the request for a refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    /// In the minor unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<i64>,
}

impl<'a> ActBody<'a> {
    pub fn of(act: &'a Act) -> Self {
        let what = match &act.kind {
            ActKind::Adjusted { key, credits } => {
                WhatBody { adjustment: Some(key.as_str()), credits: Some(credits.get()), ..WhatBody::default() }
            }
            ActKind::Imported { source, credits } => {
                WhatBody { source_id: Some(source.as_str()), credits: Some(credits.get()), ..WhatBody::default() }
            }
            ActKind::Restricted { until } => WhatBody { until: Some(time(*until)), ..WhatBody::default() },
            ActKind::NoticeResent { notice, resent_as } => {
                WhatBody { notice: Some(notice.as_str()), resent_as: Some(resent_as.as_str()), ..WhatBody::default() }
            }
            ActKind::Refunded { paid_for, key, amount } => WhatBody {
                paid_for: Some(paid_for.as_str()),
                request: Some(key.as_str()),
                amount: Some(*amount),
                ..WhatBody::default()
            },
            ActKind::RestrictionLifted | ActKind::Erased | ActKind::TopUpChecked => WhatBody::default(),
        };
        Self {
            act: act.id.as_str(),
            kind: act.kind.name(),
            operator: act.operator.as_str(),
            reason: act.reason.as_str(),
            at: time(act.at),
            what,
        }
    }
}
