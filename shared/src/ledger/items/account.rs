//! The account. Every charge reads and writes it, so it must fit in the 1 KB of one write unit.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>

use super::{consent, spending};
use crate::domain::alerts::Watch;
use crate::domain::payments::{
    AutoTopUp, DeclineReason, MonthlyCap, PaymentIssue, PaymentIssueKind, RefusalReason, ReturnReason, ReversalPause,
};
use crate::domain::spending::Spending;
use crate::domain::{
    Account, Amount, Chain, Credits, Currency, CustomerId, EmailAddress, PaymentMethodId, Restriction,
    RestrictionReason, TopUpId, date_of,
};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, bytes, credits, flag, instant, number, text};
use crate::ledger::keys::{self, Due, Key};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::civil::Date;

pub(in crate::ledger) fn account_to_item(account: &Account) -> Attributes {
    let due_at = account.top_up_due_at();
    let changed_at = |is_stopped: bool| {
        account
            .spending
            .filter(|spending| spending.is_stopped == is_stopped)
            .map(|spending| instant(spending.changed_at))
    };
    Writer::item(keys::account(&account.id))
        .with_optional("email", account.email.as_ref().map(text))
        .with("customer", text(&account.customer))
        .with("created_at", instant(account.created_at))
        .with("version", number(account.version))
        .with("seq", number(account.seq))
        .with("balance", credits(account.balance))
        .with_optional("pending", Some(account.pending).filter(|pending| *pending != Credits::ZERO).map(credits))
        .with("usage", usage_of_the_release_before(account))
        .with_optional("auto_top_up", account.auto_top_up.as_ref().map(write_auto_top_up))
        .with_optional("payment_method", account.payment_method.as_ref().map(text))
        .with_optional("last_top_up_at", account.last_top_up_at.map(instant))
        .with_optional("open_top_up", account.open_top_up.as_ref().map(text))
        .with_optional("payment_issue", account.payment_issue.as_ref().map(write_payment_issue))
        .with_optional("refund_pause", reversal_pause(account, ReturnReason::Refund))
        .with_optional("dispute_pause", reversal_pause(account, ReturnReason::Dispute))
        .with_optional("closed_at", account.closed_at.map(instant))
        .with_optional("restriction", account.restriction.as_ref().map(write_restriction))
        .with_optional("spending_stopped_at", changed_at(true))
        .with_optional("spending_allowed_at", changed_at(false))
        .with_optional("limits", spending::write_within(account.limits))
        .with_optional("limits_date", account.limits_date.map(text))
        .with_optional("limited_spenders", (account.limited_spenders > 0).then(|| number(account.limited_spenders)))
        .with_optional("unpaid", (account.unpaid_invoices > 0).then(|| number(account.unpaid_invoices)))
        .with_optional("watch", account.watch.map(write_watch))
        .with_optional("salt", account.chain.map(|chain| bytes(chain.salt.as_bytes())))
        .with_optional("head", account.chain.and_then(|chain| chain.head).map(|head| bytes(head.as_bytes())))
        // Both attributes or neither: an account that is not due must not be in the index.
        .with_optional("due_shard", due_at.map(|_| text(Due::TopUp.shard_of(&account.id))))
        .with_optional("due_at", due_at.map(instant))
        .into_attributes()
}

pub(in crate::ledger) fn account_from_item(item: &Attributes) -> Result<Account, Unreadable> {
    let item = Reader::item(item)?;
    Ok(Account {
        id: item.id_in_key("PK", Key::account_id)?,
        email: read_email(&item)?,
        customer: item.id("customer", CustomerId::parse)?,
        created_at: item.instant("created_at")?,
        version: item.number("version")?,
        seq: item.number("seq")?,
        balance: item.credits("balance")?,
        pending: item.optional("pending", Reader::credits)?.unwrap_or(Credits::ZERO),
        auto_top_up: item.optional("auto_top_up", read_auto_top_up)?,
        payment_method: item.optional("payment_method", |item, name| item.id(name, PaymentMethodId::parse))?,
        last_top_up_at: item.optional("last_top_up_at", Reader::instant)?,
        open_top_up: item.optional("open_top_up", |item, name| item.id(name, TopUpId::parse))?,
        payment_issue: item.optional("payment_issue", read_payment_issue)?,
        reversal_pause: read_reversal_pause(&item)?,
        closed_at: item.optional("closed_at", Reader::instant)?,
        restriction: item.optional("restriction", read_restriction)?,
        spending: read_spending(&item)?,
        limits: item.optional("limits", spending::read_within)?.unwrap_or_default(),
        limits_date: item.optional("limits", |item, _| read_limits_date(item))?,
        limited_spenders: item.optional("limited_spenders", Reader::number)?.unwrap_or(0),
        unpaid_invoices: item.optional("unpaid", Reader::number)?.unwrap_or(0),
        watch: item.optional("watch", read_watch)?,
        chain: item.optional("salt", read_chain)?,
    })
}

/// Only a closed account has no address, and a closed account has none.
fn read_email(item: &Reader<'_>) -> Result<Option<EmailAddress>, Unreadable> {
    match item.has("closed_at") {
        true if item.has("email") => Err(item.invalid("email")),
        true => Ok(None),
        false => item.id("email", EmailAddress::parse).map(Some),
    }
}

fn write_auto_top_up(settings: &AutoTopUp) -> AttributeValue {
    Writer::map()
        .with("is_enabled", flag(settings.is_enabled))
        .with("threshold", credits(settings.threshold))
        .with("target", credits(settings.target))
        .with_optional("cap", settings.cap.as_ref().map(write_cap))
        .with("consent", consent::write_with_id(&settings.consent).into_value())
        .into_value()
}

fn read_auto_top_up(item: &Reader<'_>, name: &str) -> Result<AutoTopUp, Unreadable> {
    let settings = item.map(name)?;
    let consent = consent::read_with_id(&settings.map("consent")?)?;
    Ok(AutoTopUp {
        is_enabled: settings.flag("is_enabled")?,
        threshold: settings.credits("threshold")?,
        target: settings.credits("target")?,
        cap: settings.optional("cap", |settings, name| read_cap(&settings.map(name)?, consent.price_max.currency()))?,
        consent,
    })
}

/// In the currency of the consent.
fn write_cap(cap: &MonthlyCap) -> AttributeValue {
    Writer::map()
        .with("max", number(cap.max.minor()))
        .with("min", number(cap.smallest))
        .with_optional("used", (cap.used > 0).then(|| number(cap.used)))
        .into_value()
}

fn read_cap(cap: &Reader<'_>, currency: Currency) -> Result<MonthlyCap, Unreadable> {
    Ok(MonthlyCap {
        max: Amount::new(currency, cap.number("max")?).ok_or_else(|| cap.invalid("max"))?,
        smallest: read_minor(cap, "min")?,
        used: cap.optional("used", read_minor)?.unwrap_or(0),
    })
}

fn read_minor(cap: &Reader<'_>, name: &str) -> Result<i64, Unreadable> {
    let minor = cap.number(name)?;
    if minor >= 0 { Ok(minor) } else { Err(cap.invalid(name)) }
}

fn write_payment_issue(issue: &PaymentIssue) -> AttributeValue {
    let (decline_reason, refusal_reason) = match issue.kind {
        PaymentIssueKind::Declined(reason) => (Some(reason.name()), None),
        PaymentIssueKind::ActionRequired => (None, None),
        PaymentIssueKind::Refused(reason) => (None, Some(reason.name())),
    };
    Writer::map()
        .with("kind", text(issue.kind.name()))
        .with_optional("decline_reason", decline_reason.map(text))
        .with_optional("refusal_reason", refusal_reason.map(text))
        .with("top_up", text(&issue.top_up))
        .with("since", instant(issue.since))
        .into_value()
}

fn read_payment_issue(item: &Reader<'_>, name: &str) -> Result<PaymentIssue, Unreadable> {
    let issue = item.map(name)?;
    let kind = match issue.text("kind")? {
        "declined" => PaymentIssueKind::Declined(issue.word("decline_reason", DeclineReason::of_name)?),
        "action_required" => PaymentIssueKind::ActionRequired,
        "refused" => PaymentIssueKind::Refused(issue.word("refusal_reason", RefusalReason::of_name)?),
        _ => return Err(issue.invalid("kind")),
    };
    Ok(PaymentIssue { kind, top_up: issue.id("top_up", TopUpId::parse)?, since: issue.instant("since")? })
}

/// One attribute at most, because an account has little room: its name says why, and its value since when.
fn reversal_pause(account: &Account, because: ReturnReason) -> Option<AttributeValue> {
    account.reversal_pause.filter(|pause| pause.because == because).map(|pause| instant(pause.since))
}

fn read_reversal_pause(item: &Reader<'_>) -> Result<Option<ReversalPause>, Unreadable> {
    let of = |because, since: Option<_>| since.map(|since| ReversalPause { because, since });
    let refund = of(ReturnReason::Refund, item.optional("refund_pause", Reader::instant)?);
    let dispute = of(ReturnReason::Dispute, item.optional("dispute_pause", Reader::instant)?);
    if refund.is_some() && dispute.is_some() {
        return Err(item.invalid("refund_pause"));
    }
    Ok(dispute.or(refund))
}

/// The release before kept the usage of the day within the account, and its functions require that while this release is
/// deployed. The next release can leave it out.
fn usage_of_the_release_before(account: &Account) -> AttributeValue {
    let date = account.limits_date.unwrap_or_else(|| date_of(account.created_at));
    Writer::map()
        .with("date", text(date))
        .with("charges", number(0))
        .with("credits_charged", number(0))
        .with("credits_restored", number(0))
        .into_value()
}

/// The release before counted limits on the day of its usage.
fn read_limits_date(item: &Reader<'_>) -> Result<Date, Unreadable> {
    let date = |item: &Reader<'_>, name: &str| item.word(name, |date| date.parse().ok());
    if item.has("limits_date") || !item.has("usage") {
        return date(item, "limits_date");
    }
    date(&item.map("usage")?, "date")
}

/// One attribute at most: the customer stopped spending last, or allowed it again.
fn read_spending(item: &Reader<'_>) -> Result<Option<Spending>, Unreadable> {
    let stopped_at = item.optional("spending_stopped_at", Reader::instant)?;
    let allowed_at = item.optional("spending_allowed_at", Reader::instant)?;
    let stopped = stopped_at.map(|changed_at| Spending { is_stopped: true, changed_at });
    Ok(stopped.or(allowed_at.map(|changed_at| Spending { is_stopped: false, changed_at })))
}

fn write_watch(watch: Watch) -> AttributeValue {
    Writer::map().with_optional("from", watch.from.map(credits)).with_optional("to", watch.to.map(credits)).into_value()
}

fn read_watch(item: &Reader<'_>, name: &str) -> Result<Watch, Unreadable> {
    let watch = item.map(name)?;
    Ok(Watch { from: watch.optional("from", Reader::credits)?, to: watch.optional("to", Reader::credits)? })
}

fn read_chain(item: &Reader<'_>, name: &str) -> Result<Chain, Unreadable> {
    Ok(Chain { salt: item.bytes(name)?, head: item.optional("head", Reader::bytes)? })
}

fn write_restriction(restriction: &Restriction) -> AttributeValue {
    Writer::map()
        .with("reason", text(restriction.reason.as_str()))
        .with("until", instant(restriction.until))
        .into_value()
}

fn read_restriction(item: &Reader<'_>, name: &str) -> Result<Restriction, Unreadable> {
    let restriction = item.map(name)?;
    Ok(Restriction {
        reason: restriction.id("reason", RestrictionReason::parse)?,
        until: restriction.instant("until")?,
    })
}
