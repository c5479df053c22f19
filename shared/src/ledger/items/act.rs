//! An act of support. It is kept permanently.

use crate::domain::payments::PaidFor;
use crate::domain::support::ActKind;
use crate::domain::{AccountId, Act, ActReason, IdempotencyKey, NoticeId, Operator, SourceId};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, instant, number, text};
use crate::ledger::keys::{self, Key};

pub(in crate::ledger) fn act_to_item(account: &AccountId, act: &Act) -> Attributes {
    let item = Writer::item(keys::act(account, &act.id))
        .with("kind", text(act.kind.name()))
        .with("operator", text(&act.operator))
        .with("reason", text(&act.reason))
        .with("acted_at", instant(act.at));
    let item = match &act.kind {
        ActKind::Adjusted { key, credits: moved } => item.with("key", text(key)).with("credits", credits(*moved)),
        ActKind::Imported { source, credits: moved } => {
            item.with("source", text(source)).with("credits", credits(*moved))
        }
        ActKind::Restricted { until } => item.with("until", instant(*until)),
        ActKind::NoticeResent { notice, resent_as } => {
            item.with("notice", text(notice)).with("resent_as", text(resent_as))
        }
        ActKind::Refunded { paid_for, key, amount } => {
            item.with("paid_for", text(paid_for.as_str())).with("key", text(key)).with("amount", number(*amount))
        }
        ActKind::RestrictionLifted | ActKind::Erased | ActKind::TopUpChecked => item,
    };
    item.into_attributes()
}

pub(in crate::ledger) fn act_from_item(item: &Attributes) -> Result<Act, Unreadable> {
    let item = Reader::item(item)?;
    Ok(Act {
        id: item.id_in_key("SK", Key::act_id)?,
        kind: read_kind(&item)?,
        operator: item.id("operator", Operator::parse)?,
        reason: item.id("reason", ActReason::parse)?,
        at: item.instant("acted_at")?,
    })
}

fn read_kind(item: &Reader<'_>) -> Result<ActKind, Unreadable> {
    let kind = match item.text("kind")? {
        "adjusted" => {
            ActKind::Adjusted { key: item.id("key", IdempotencyKey::parse)?, credits: item.credits("credits")? }
        }
        "imported" => {
            ActKind::Imported { source: item.id("source", SourceId::parse)?, credits: item.credits("credits")? }
        }
        "restricted" => ActKind::Restricted { until: item.instant("until")? },
        "restriction_lifted" => ActKind::RestrictionLifted,
        "notice_resent" => ActKind::NoticeResent {
            notice: item.id("notice", NoticeId::parse)?,
            resent_as: item.id("resent_as", NoticeId::parse)?,
        },
        "erased" => ActKind::Erased,
        "top_up_checked" => ActKind::TopUpChecked,
        "refunded" => ActKind::Refunded {
            paid_for: item.id("paid_for", PaidFor::parse)?,
            key: item.id("key", IdempotencyKey::parse)?,
            amount: item.number("amount")?,
        },
        _ => return Err(item.invalid("kind")),
    };
    Ok(kind)
}
