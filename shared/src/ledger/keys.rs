//! Every key of the table: one function per kind of item, and the parsers for ids that only the key holds.
//!
//! No other module may build a key. Only an idempotency key may contain a `#`, and it comes last in its key, so items of
//! different kinds never share one.

mod due;
mod portal;

pub(super) use due::Due;
pub(super) use portal::{portal_link, portal_passes, portal_session};

use crate::domain::charging::RefusalPlace;
use crate::domain::payments::{Invoiced, PaidFor};
use crate::domain::support::ItemKey;
use crate::domain::usage::FlagPlace;
use crate::domain::{
    AccountId, ActId, ConsentId, CustomerId, DisputeId, EventId, Granularity, IdempotencyKey, InvalidId, NoticeId,
    Origin, OutboundEventId, Period, PurchaseId, SourceId, Spender, TopUpId, date_of,
};
use crate::ports::Shard;
use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt;

/// The index of entries: `account` and `seq`, which only entries carry both.
pub(super) const HISTORY_INDEX: &str = "history";
/// The index of accounts that are due for a sweep: `due_shard` and `due_at`, keys only.
pub(super) const DUE_INDEX: &str = "due";

/// The key of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub partition: String,
    pub sort: String,
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name of a spender may be personal data, and a key that is shown gets into the log.
        let sort = if self.sort.starts_with(LIMIT) { LIMIT } else { &self.sort };
        write!(formatter, "{} {sort}", self.partition)
    }
}

pub(super) fn account(account: &AccountId) -> Key {
    of_account(account, STATE.to_owned())
}

pub(super) fn entry(account: &AccountId, origin: &Origin) -> Key {
    of_account(account, format!("{ENTRY}{origin}"))
}

pub(super) fn pending_charge(account: &AccountId, charge: &IdempotencyKey) -> Key {
    of_account(account, format!("{PENDING}{charge}"))
}

/// The common prefix of the keys of an account's charges that were made pending.
pub(super) fn pending_charges(account: &AccountId) -> Key {
    of_account(account, PENDING.to_owned())
}

/// The row of a day or a month.
pub(super) fn usage_row(account: &AccountId, period: Period) -> Key {
    let date = period.first();
    of_account(
        account,
        match period.granularity() {
            Granularity::Day => format!("{USAGE_DAY}{date}"),
            Granularity::Month => format!("{USAGE_MONTH}{}", date.strftime("%Y-%m")),
        },
    )
}

/// How far an account's entries are folded into rows.
pub(super) fn usage_cursor(account: &AccountId) -> Key {
    of_account(account, USAGE_CURSOR.to_owned())
}

pub(super) fn purchase(account: &AccountId, purchase: &PurchaseId) -> Key {
    of_account(account, format!("{PURCHASE}{purchase}"))
}

/// The common prefix of the keys of an account's purchases.
pub(super) fn purchases(account: &AccountId) -> Key {
    of_account(account, PURCHASE.to_owned())
}

pub(super) fn top_up_retry(account: &AccountId, key: &IdempotencyKey) -> Key {
    of_account(account, format!("{TOP_UP_RETRY}{key}"))
}

pub(super) fn purchase_key(account: &AccountId, key: &IdempotencyKey) -> Key {
    of_account(account, format!("{PURCHASE_KEY}{key}"))
}

pub(super) fn top_up(account: &AccountId, top_up: &TopUpId) -> Key {
    of_account(account, format!("{TOP_UP}{top_up}"))
}

/// The common prefix of the keys of an account's attempts.
pub(super) fn top_ups(account: &AccountId) -> Key {
    of_account(account, TOP_UP.to_owned())
}

/// What sweeps decided about an account.
pub(super) fn sweep_log(account: &AccountId) -> Key {
    of_account(account, SWEEP_LOG.to_owned())
}

/// How often an account asked for its payments.
pub(super) fn claim_log(account: &AccountId) -> Key {
    of_account(account, CLAIM_LOG.to_owned())
}

pub(super) fn act(account: &AccountId, act: &ActId) -> Key {
    of_account(account, format!("{ACT}{act}"))
}

/// The common prefix of the keys of what support did to an account.
pub(super) fn acts(account: &AccountId) -> Key {
    of_account(account, ACT.to_owned())
}

/// A flag beside its account.
pub(super) fn flag(place: &FlagPlace) -> Key {
    let FlagPlace { raised_at, account, date, kind } = place;
    of_account(account, format!("{FLAG}{}#{date}#{}", milliseconds(*raised_at), kind.name()))
}

/// The common prefix of the keys of an account's flags.
pub(super) fn flags(account: &AccountId) -> Key {
    of_account(account, FLAG.to_owned())
}

/// The same flag among those of all accounts.
pub(super) fn flag_of_month(place: &FlagPlace) -> Key {
    let FlagPlace { raised_at, account, date, kind } = place;
    let Key { partition, sort } = flags_of_month(date_of(*raised_at));
    Key { partition, sort: format!("{sort}{}#{account}#{date}#{}", milliseconds(*raised_at), kind.name()) }
}

/// The common prefix of the keys of the flags that were raised in a day's month.
pub(super) fn flags_of_month(day: Date) -> Key {
    Key { partition: format!("{FLAGS}{}", day.strftime("%Y-%m")), sort: FLAG.to_owned() }
}

/// In thirteen digits, so that keys sort by time until the year 2286.
fn milliseconds(instant: Timestamp) -> String {
    format!("{:013}", instant.as_millisecond())
}

/// How far an account is erased.
pub(super) fn erasure(account: &AccountId) -> Key {
    of_account(account, ERASURE.to_owned())
}

/// An item of an account, by the part of its key that is stored as a place in the order of its items.
pub(super) fn item(account: &AccountId, item: &ItemKey) -> Key {
    of_account(account, item.as_str().to_owned())
}

/// The common prefix of the keys of an account's consents.
pub(super) fn consents(account: &AccountId) -> Key {
    of_account(account, CONSENT.to_owned())
}

pub(super) fn consent(account: &AccountId, consent: &ConsentId) -> Key {
    of_account(account, format!("{CONSENT}{consent}"))
}

/// The instant is the one that the account names.
pub(super) fn spending_change(account: &AccountId, changed_at: Timestamp) -> Key {
    of_account(account, format!("{SPENDING}{}", changed_at.as_millisecond()))
}

pub(super) fn spender_limits(account: &AccountId, spender: &Spender) -> Key {
    of_account(account, format!("{LIMIT}{spender}"))
}

/// The common prefix of the keys of an account's spenders with limits.
pub(super) fn limited_spenders(account: &AccountId) -> Key {
    of_account(account, LIMIT.to_owned())
}

pub(super) fn contacts(account: &AccountId) -> Key {
    of_account(account, CONTACTS.to_owned())
}

pub(super) fn refusal(account: &AccountId, place: RefusalPlace) -> Key {
    of_account(account, format!("{REQUEST}{:010}#{:02}", place.minute(), place.slot()))
}

/// A key behind those of all requests that were refused.
pub(super) fn newest_refusal(account: &AccountId) -> Key {
    of_account(account, format!("{REQUEST}~"))
}

pub(super) fn notice(account: &AccountId, notice: &NoticeId) -> Key {
    of_account(account, format!("{NOTICE}{notice}"))
}

/// The common prefix of the keys of an account's notices.
pub(super) fn notices(account: &AccountId) -> Key {
    of_account(account, NOTICE.to_owned())
}

/// The levels of an account, and what was told of them.
pub(super) fn alerts(account: &AccountId) -> Key {
    of_account(account, ALERTS.to_owned())
}

/// When an account's alerts are evaluated.
pub(super) fn alerts_due(account: &AccountId) -> Key {
    of_account(account, ALERTS_DUE.to_owned())
}

/// What is known of the card that is asked.
pub(super) fn asked_card(account: &AccountId) -> Key {
    of_account(account, ASKED_CARD.to_owned())
}

pub(super) fn outbound_event(account: &AccountId, event: &OutboundEventId) -> Key {
    of_account(account, format!("{OUTBOX}{event}"))
}

pub(super) fn customer(customer: &CustomerId) -> Key {
    Key { partition: format!("STRIPE#{customer}"), sort: "ACCOUNT".into() }
}

pub(super) fn event(event: &EventId) -> Key {
    Key { partition: format!("{EVENT}{event}"), sort: "EVENT".into() }
}

/// The record that an opening balance was imported.
pub(super) fn import(source: &SourceId) -> Key {
    Key { partition: format!("{IMPORT}{source}"), sort: "IMPORT".into() }
}

/// An account in the directory of all accounts.
pub(super) fn listed(account: &AccountId) -> Key {
    Key { partition: directory(shard_of(account)), sort: account.to_string() }
}

/// The partition with a sixteenth of all accounts.
pub(super) fn directory(shard: Shard) -> String {
    format!("{ACCOUNTS}{:02}", shard.get())
}

/// A sixteenth of all accounts on one day.
pub(super) fn liability_row(day: Date, shard: Shard) -> Key {
    let Key { partition, sort } = liability_rows(day);
    Key { partition, sort: format!("{sort}{:02}", shard.get()) }
}

/// The common prefix of the keys of one day.
pub(super) fn liability_rows(day: Date) -> Key {
    Key { partition: format!("{LIABILITY}{}", day.strftime("%Y-%m")), sort: format!("{:02}#", day.day()) }
}

/// Which days are closed.
pub(super) fn closed_days() -> Key {
    Key { partition: "LIABILITY".into(), sort: "CLOSED".into() }
}

/// How far the reconciliation got.
pub(super) fn reconciled() -> Key {
    Key { partition: "RECONCILIATION".into(), sort: "STATE".into() }
}

/// An event that could not be applied.
pub(super) fn failed_event(event: &EventId) -> Key {
    Key { sort: "FAILED".into(), ..self::event(event) }
}

/// That an unknown payment was flagged.
pub(super) fn unknown_payment(paid_for: &PaidFor) -> Key {
    Key { partition: format!("UNKNOWN_PAYMENT#{paid_for}"), sort: "FLAGGED".into() }
}

/// What is known of a dispute.
pub(super) fn dispute(dispute: &DisputeId) -> Key {
    Key { partition: format!("{DISPUTE}{dispute}"), sort: "DISPUTE".into() }
}

/// The partition of [`DUE_INDEX`] with all disputes that are open: there are few.
pub(super) fn open_disputes() -> String {
    Due::Dispute.shard(Shard::of(0))
}

/// The shard of everything that an account has in common partitions.
fn shard_of(account: &AccountId) -> Shard {
    Shard::of(crc32fast::hash(account.as_str().as_bytes()))
}

/// A key that no item ever has.
pub(super) fn nothing() -> Key {
    Key { partition: "NOTHING".into(), sort: "NOTHING".into() }
}

/// The account of an entry whose key comes from the table's stream, or `None` for another kind of item.
pub fn account_of_entry(partition: &str, sort: &str) -> Option<AccountId> {
    let key = Key { partition: partition.to_owned(), sort: sort.to_owned() };
    key.origin().and(key.account_id())
}

/// The notice that a key from the table's stream belongs to, or `None` for another kind of item.
pub fn notice_of(partition: &str, sort: &str) -> Option<(AccountId, NoticeId)> {
    let key = Key { partition: partition.to_owned(), sort: sort.to_owned() };
    Some((key.account_id()?, key.notice_id()?))
}

/// Whether a sort key from the table's stream is that of an event that other systems are told.
pub fn is_outbound_event(sort: &str) -> bool {
    sort.starts_with(OUTBOX)
}

/// Whether a sort key from the table's stream is that of refused requests.
pub fn is_refusal(sort: &str) -> bool {
    sort.starts_with(REQUEST)
}

/// The ids that items do not repeat among their attributes; `None` if the key belongs to another kind of item.
impl Key {
    pub(super) fn account_id(&self) -> Option<AccountId> {
        id(&self.partition, ACCOUNT, AccountId::parse)
    }

    pub(super) fn origin(&self) -> Option<Origin> {
        let (kind, cause) = self.sort.strip_prefix(ENTRY)?.split_once(':')?;
        let origin = match kind {
            "charge" => Origin::Charge(IdempotencyKey::parse(cause).ok()?),
            "capture" => Origin::Capture(IdempotencyKey::parse(cause).ok()?),
            "void" => Origin::Void(IdempotencyKey::parse(cause).ok()?),
            "expiry" => Origin::Expiry(IdempotencyKey::parse(cause).ok()?),
            "restore" => Origin::Restore(IdempotencyKey::parse(cause).ok()?),
            "purchase" => Origin::Purchase(PurchaseId::parse(cause).ok()?),
            "top_up" => Origin::TopUp(TopUpId::parse(cause).ok()?),
            "reversal" => {
                let (paid_for, number) = cause.split_once(':')?;
                Origin::Reversal(PaidFor::parse(paid_for).ok()?, number.parse().ok()?)
            }
            "adjustment" => Origin::Adjustment(IdempotencyKey::parse(cause).ok()?),
            "import" => Origin::Import(SourceId::parse(cause).ok()?),
            _ => return None,
        };
        Some(origin)
    }

    pub(super) fn pending_charge(&self) -> Option<IdempotencyKey> {
        id(&self.sort, PENDING, IdempotencyKey::parse)
    }

    pub(super) fn usage_period(&self) -> Option<Period> {
        if let Some(month) = self.sort.strip_prefix(USAGE_MONTH) {
            return Some(Period::of_date(Granularity::Month, format!("{month}-01").parse().ok()?));
        }
        Some(Period::of_date(Granularity::Day, self.sort.strip_prefix(USAGE_DAY)?.parse().ok()?))
    }

    pub(super) fn purchase_id(&self) -> Option<PurchaseId> {
        id(&self.sort, PURCHASE, PurchaseId::parse)
    }

    pub(super) fn top_up_id(&self) -> Option<TopUpId> {
        id(&self.sort, TOP_UP, TopUpId::parse)
    }

    pub(super) fn invoiced(&self) -> Option<Invoiced> {
        self.top_up_id().map(Invoiced::TopUp).or_else(|| self.purchase_id().map(Invoiced::Purchase))
    }

    pub(super) fn top_up_retry(&self) -> Option<IdempotencyKey> {
        id(&self.sort, TOP_UP_RETRY, IdempotencyKey::parse)
    }

    pub(super) fn act_id(&self) -> Option<ActId> {
        id(&self.sort, ACT, ActId::parse)
    }

    pub(super) fn liability_day(&self) -> Option<Date> {
        let (month, (day, _)) = (self.partition.strip_prefix(LIABILITY)?, self.sort.split_once('#')?);
        format!("{month}-{day}").parse().ok()
    }

    pub(super) fn source_id(&self) -> Option<SourceId> {
        id(&self.partition, IMPORT, SourceId::parse)
    }

    pub(super) fn listed_account_id(&self) -> Option<AccountId> {
        self.partition.strip_prefix(ACCOUNTS).and_then(|_| AccountId::parse(self.sort.clone()).ok())
    }

    pub(super) fn consent_id(&self) -> Option<ConsentId> {
        id(&self.sort, CONSENT, ConsentId::parse)
    }

    pub(super) fn spender(&self) -> Option<Spender> {
        id(&self.sort, LIMIT, Spender::parse)
    }

    pub(super) fn spending_changed_at(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.sort.strip_prefix(SPENDING)?.parse().ok()?).ok()
    }

    pub(super) fn refusal_place(&self) -> Option<RefusalPlace> {
        let (minute, slot) = self.sort.strip_prefix(REQUEST)?.split_once('#')?;
        RefusalPlace::new(minute.parse().ok()?, slot.parse().ok()?)
    }

    pub(super) fn flag_raised_at(&self) -> Option<Timestamp> {
        let (raised_at, _) = self.sort.strip_prefix(FLAG)?.split_once('#')?;
        Timestamp::from_millisecond(raised_at.parse().ok()?).ok()
    }

    pub(super) fn notice_id(&self) -> Option<NoticeId> {
        id(&self.sort, NOTICE, NoticeId::parse)
    }

    pub(super) fn dispute_id(&self) -> Option<DisputeId> {
        id(&self.partition, DISPUTE, DisputeId::parse)
    }

    pub(super) fn event_id(&self) -> Option<EventId> {
        id(&self.partition, EVENT, EventId::parse)
    }

    pub(super) fn outbound_event_id(&self) -> Option<OutboundEventId> {
        id(&self.sort, OUTBOX, OutboundEventId::parse)
    }
}

/// The kinds of items that an account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Account,
    Entry,
    PendingCharge,
    UsageDay,
    UsageMonth,
    UsageCursor,
    Purchase,
    PurchaseKey,
    TopUp,
    SweepLog,
    ClaimLog,
    TopUpRetry,
    Act,
    Consent,
    Notice,
    OutboundEvent,
    Refusal,
    SpendingChange,
    SpenderLimits,
    Flag,
    Contacts,
    Erasure,
    Alerts,
    AlertsDue,
    AskedCard,
    PortalLink,
    PortalSession,
}

impl Kind {
    pub(super) const ALL: [Self; 27] = [
        Self::Account,
        Self::Entry,
        Self::PendingCharge,
        Self::UsageDay,
        Self::UsageMonth,
        Self::UsageCursor,
        Self::Purchase,
        Self::PurchaseKey,
        Self::TopUp,
        Self::SweepLog,
        Self::ClaimLog,
        Self::TopUpRetry,
        Self::Act,
        Self::Consent,
        Self::Notice,
        Self::OutboundEvent,
        Self::Refusal,
        Self::SpendingChange,
        Self::SpenderLimits,
        Self::Flag,
        Self::Contacts,
        Self::Erasure,
        Self::Alerts,
        Self::AlertsDue,
        Self::AskedCard,
        Self::PortalLink,
        Self::PortalSession,
    ];

    /// Its name in the API, and what its sort keys begin with. None begins another one.
    pub(super) fn name_and_prefix(self) -> (&'static str, &'static str) {
        match self {
            Self::Account => ("account", STATE),
            Self::Entry => ("entry", ENTRY),
            Self::PendingCharge => ("pending_charge", PENDING),
            Self::UsageDay => ("usage_day", USAGE_DAY),
            Self::UsageMonth => ("usage_month", USAGE_MONTH),
            Self::UsageCursor => ("usage_cursor", USAGE_CURSOR),
            Self::Purchase => ("purchase", PURCHASE),
            Self::PurchaseKey => ("purchase_key", PURCHASE_KEY),
            Self::TopUp => ("top_up", TOP_UP),
            Self::SweepLog => ("sweep_log", SWEEP_LOG),
            Self::ClaimLog => ("claim_log", CLAIM_LOG),
            Self::TopUpRetry => ("top_up_retry", TOP_UP_RETRY),
            Self::Act => ("act", ACT),
            Self::Consent => ("consent", CONSENT),
            Self::Notice => ("notice", NOTICE),
            Self::OutboundEvent => ("outbound_event", OUTBOX),
            Self::Refusal => ("refused_requests", REQUEST),
            Self::SpendingChange => ("spending_change", SPENDING),
            Self::SpenderLimits => ("spender_limits", LIMIT),
            Self::Flag => ("flag", FLAG),
            Self::Contacts => ("contacts", CONTACTS),
            Self::Erasure => ("erasure", ERASURE),
            Self::Alerts => ("alerts", ALERTS),
            Self::AlertsDue => ("alerts_due", ALERTS_DUE),
            Self::AskedCard => ("asked_card", ASKED_CARD),
            Self::PortalLink => ("portal_link", PORTAL_LINK),
            Self::PortalSession => ("portal_session", PORTAL_SESSION),
        }
    }

    /// The kind of an item, and what tells it from the others of its kind. `None` for a kind that this release does not
    /// know.
    pub(super) fn of(sort: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|kind| Some((kind, sort.strip_prefix(kind.name_and_prefix().1)?)))
    }
}

const ACCOUNT: &str = "ACCOUNT#";
const STATE: &str = "STATE";
const ENTRY: &str = "ENTRY#";
const PENDING: &str = "PENDING#";
const USAGE_CURSOR: &str = "USAGE#CURSOR";
const ALERTS: &str = "ALERTS#LEVELS";
const ALERTS_DUE: &str = "ALERTS#DUE";
const ASKED_CARD: &str = "ASKED_CARD";

// Only in the index: no key begins with these.
const CHARGE: &str = "CHARGE#";
const UNPAID: &str = "UNPAID#";
const ALERT: &str = "ALERT#";
const CARD: &str = "CARD#";
const LOOK: &str = "LOOK#";
const FAILED: &str = "FAILED#";

const EVENT: &str = "EVENT#";
const DISPUTE: &str = "DISPUTE#";
const USAGE_DAY: &str = "USAGE#DAY#";
const USAGE_MONTH: &str = "USAGE#MONTH#";
const PURCHASE: &str = "PURCHASE#";
const PURCHASE_KEY: &str = "PURCHASE_KEY#";
const TOP_UP: &str = "TOP_UP#";
const SWEEP_LOG: &str = "SWEEP_LOG";
const CLAIM_LOG: &str = "CLAIM_LOG";
const TOP_UP_RETRY: &str = "TOP_UP_RETRY#";
const PORTAL_LINK: &str = "PORTAL#LINK#";
const PORTAL_SESSION: &str = "PORTAL#SESSION#";
const ACT: &str = "ACT#";
const CONSENT: &str = "CONSENT#";
const NOTICE: &str = "NOTICE#";
const OUTBOX: &str = "OUTBOX#";
const REQUEST: &str = "REQUEST#";
const SPENDING: &str = "SPENDING#";
const LIMIT: &str = "LIMIT#";
const CONTACTS: &str = "CONTACTS";
const ERASURE: &str = "ERASURE";
const IMPORT: &str = "IMPORT#";
const ACCOUNTS: &str = "ACCOUNTS#";
const LIABILITY: &str = "LIABILITY#";
const FLAG: &str = "FLAG#";
const FLAGS: &str = "FLAGS#";

fn of_account(account: &AccountId, sort: String) -> Key {
    Key { partition: format!("{ACCOUNT}{account}"), sort }
}

fn id<T>(text: &str, prefix: &str, parse: fn(String) -> Result<T, InvalidId>) -> Option<T> {
    parse(text.strip_prefix(prefix)?.to_owned()).ok()
}

#[cfg(test)]
mod tests;
