//! Cards that expire: their owners are told thirty and seven days before, once each, and only while top-ups ask the card.

use crate::ledger::{Committed, Partition};
use crate::names;
use crate::outside::Outside;
use crate::request::{Ended, Request, store};
use crate::run::Run;
use crate::stripe::{Stripe, number_of};
use fastrand::Rng;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use shared::clock::Clock;
use shared::domain::payments::{CardFace, Expiry};
use shared::domain::support::ActKind;
use shared::domain::{Account, AccountId, CustomerId, NoticeKind, PaymentMethodId};
use shared::use_cases::alerts::warn_of_expiring_cards;
use std::collections::BTreeMap;

const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a card shows of itself: its number, in the last four digits.
pub fn face(card: &PaymentMethodId) -> CardFace {
    CardFace { brand: Some("visa".to_owned()), last4: Some(format!("{:04}", number_of(card))) }
}

pub async fn run_warn(outside: &Outside) -> Ended {
    let begin_before = outside.now() + outside.0.desk().sweep_time;
    match warn_of_expiring_cards(&outside.context(), begin_before).await {
        Ok(summary) => outside.answered(format_args!("{summary:?}")),
        Err(error) => store(outside, &error),
    }
}

fn is_armed(account: &Account) -> bool {
    account.closed_at.is_none() && account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled)
}

/// Only the owner of a card that top-ups ask is told, and only before it expires.
///
/// # Errors
/// The broken rule.
pub fn check_commit(committed: &Committed) -> Result<(), String> {
    let account = &committed.change.account;
    let is_resent = committed.change.records.iter().any(|record| matches!(record, shared::domain::Record::Act(_)));
    let owed = committed.change.notices.iter().filter(|notice| notice.tried.is_empty() && notice.returned_at.is_none());
    for notice in owed.filter(|_| !is_resent) {
        let NoticeKind::CardExpiring { card, expiry } = &notice.kind else { continue };
        let (id, now) = (&account.id, notice.created_at);
        let asked = account.payment_method.as_ref().map(face);
        if asked.as_ref() != Some(card) {
            return Err(format!("{id} is told about {card:?}, and asked is {asked:?}"));
        }
        if !is_armed(account) {
            return Err(format!("{id} is told about {card:?} although nothing will be charged to it"));
        }
        if now >= expiry.ends_at() || now < expiry.ends_at() - MONTH {
            return Err(format!("{id} is told at {now} that {card:?} expires with {expiry}"));
        }
    }
    Ok(())
}

/// When each card was told to expire.
fn told(partition: &Partition) -> BTreeMap<(String, String), Vec<Timestamp>> {
    let is_resent = |id| {
        let mut acts = partition.acts.values();
        acts.any(|act| matches!(&act.kind, ActKind::NoticeResent { resent_as, .. } if resent_as == id))
    };
    let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for notice in partition.notices.values().filter(|notice| notice.tried.is_empty() && !is_resent(&notice.id)) {
        if let NoticeKind::CardExpiring { card, expiry } = &notice.kind {
            told.entry((format!("{card:?}"), expiry.to_string())).or_default().push(notice.created_at);
        }
    }
    told
}

/// Each card is told at most once a month and once a week before it expires, and what is known of the asked card goes with
/// it.
///
/// # Errors
/// The broken rule.
pub fn check_partition(partition: &Partition) -> Result<(), String> {
    let Some(account) = &partition.account else { return Ok(()) };
    let id = &account.id;
    for ((card, expiry), mut at) in told(partition) {
        let week = Expiry::parse(&expiry).map_or(Timestamp::MAX, |expiry| expiry.ends_at() - WEEK);
        at.sort_unstable();
        let is_once_each = match at[..] {
            [_] => true,
            [first, second] => first < week && second >= week,
            _ => false,
        };
        if !is_once_each {
            return Err(format!("{id} is told at {at:?} that {card} expires with {expiry}"));
        }
    }
    let known = partition.asked.as_ref().and_then(|asked| asked.card.as_ref()).map(|card| &card.id);
    if known.is_some() && account.payment_method.is_none() {
        return Err(format!("{id} asks no card, and {known:?} is still known"));
    }
    let due_at = partition.asked.as_ref().and_then(|asked| asked.due_at(account));
    if partition.asked_due != due_at {
        return Err(format!("the card of {id} is listed for {:?}, and due at {due_at:?}", partition.asked_due));
    }
    Ok(())
}

/// At rest, the asked card is known as Stripe shows it, and whoever had to be told was told.
///
/// # Errors
/// The broken rule.
pub fn check_at_rest(
    partition: &Partition,
    listed: Option<&Timestamp>,
    stripe: &Stripe,
    now: Timestamp,
) -> Result<(), String> {
    let Some(account) = &partition.account else { return Ok(()) };
    let id = &account.id;
    let due_at = partition.asked.as_ref().and_then(|asked| asked.due_at(account));
    if listed != due_at.as_ref() {
        return Err(format!("the card of {id} is due at {due_at:?}, not {listed:?}"));
    }
    if due_at.is_some_and(|due_at| due_at <= now) {
        return Err(format!("the card of {id} was due at {due_at:?}, and no run came"));
    }
    let default = stripe.default_cards.get(&account.customer);
    let is_followed = account.closed_at.is_none() && !stripe.is_deleted(&account.customer);
    let Some(card) = default.filter(|card| is_followed && account.payment_method.as_ref() == Some(*card)) else {
        return Ok(());
    };
    let known = partition.asked.as_ref().and_then(|asked| asked.card.as_ref());
    let expiry = stripe.expiry_of(&account.customer, card);
    if known.map(|known| (&known.id, known.expiry)) != Some((card, expiry)) {
        return Err(format!("{id} asks {card}, which expires with {expiry:?}, and knows {known:?}"));
    }
    let Some(expiry) = expiry.filter(|expiry| is_armed(account) && now < expiry.ends_at()) else { return Ok(()) };
    let told = told(partition).remove(&(format!("{:?}", face(card)), expiry.to_string())).unwrap_or_default();
    for ahead in [MONTH, WEEK] {
        let since = expiry.ends_at() - ahead;
        if now >= since && !told.iter().any(|at| *at >= since) {
            return Err(format!("{id} was not told that {card} expires with {expiry}, only at {told:?}"));
        }
    }
    Ok(())
}

/// The month that is so many months ahead.
fn month(now: Timestamp, ahead: i32) -> Option<Expiry> {
    let date: Date = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let date = date.checked_add(ahead.months()).ok()?;
    Expiry::new(date.year(), date.month())
}

fn asked(run: &Run, account: &AccountId) -> Option<(CustomerId, PaymentMethodId)> {
    let customer = {
        let tables = run.world().ledger.tables();
        tables.partitions.get(account)?.account.as_ref()?.customer.clone()
    };
    let card = run.world().stripe().default_cards.get(&customer).cloned()?;
    Some((customer, card))
}

fn set_expiry(run: &Run, account: &AccountId, months: i32) -> bool {
    let Some(((customer, card), expiry)) = asked(run, account).zip(month(run.world().time(), months)) else {
        return false;
    };
    run.world().stripe().set_expiry(&customer, &card, expiry);
    true
}

/// A card turns out to expire soon or late, days pass, or the run comes.
pub fn use_expiring_cards(run: &mut Run, rng: &mut Rng, name: &str) -> bool {
    let account = names::account(name);
    match rng.u32(0..6) {
        0..2 => return set_expiry(run, &account, rng.i32(0..2)),
        2 => return set_expiry(run, &account, 24),
        3 => run.pass(SignedDuration::from_hours(24 * rng.i64(1..12))),
        _ => {}
    }
    if rng.bool() {
        run.run_now(Request::WarnOfCards);
    } else {
        run.start(Request::WarnOfCards);
    }
    true
}

// ── For workflows ────────────────────────────────────────────────────────────────────────────────────────────────────

pub fn warn(_: &Run) -> Request {
    Request::WarnOfCards
}

/// The first card expires with this month, which ends in less than thirty days.
pub fn expire_soon(run: &mut Run) {
    run.pass(SignedDuration::from_hours(25));
    set_expiry(run, &names::account("acme"), 0);
}

/// The same card, entered once more, has the same expiry.
pub fn expire_the_same(run: &mut Run) {
    let Some((customer, _)) = asked(run, &names::account("acme")) else { return };
    let Some(expiry) = month(run.world().time(), 0) else { return };
    run.world().stripe().set_expiry(&customer, &names::card(11), expiry);
}

/// The network prolongs the card.
pub fn prolong(run: &mut Run) {
    set_expiry(run, &names::account("acme"), 24);
}

/// To the last week of this month.
pub fn pass_to_the_last_week(run: &mut Run) {
    let now = run.world().time();
    let wait = month(now, 0).map(|expiry| (expiry.ends_at() - WEEK).duration_since(now));
    run.pass(wait.filter(SignedDuration::is_positive).unwrap_or_default());
}

/// To the first days of the next month.
pub fn pass_to_the_next_month(run: &mut Run) {
    let now = run.world().time();
    let wait = month(now, 0).map(|expiry| expiry.ends_at().duration_since(now));
    run.pass(wait.unwrap_or_default());
}
