//! Items in the table: strict reading, size limits and expiry.

use super::samples::*;
use super::stores::{Embedded, TABLE, embedded};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use shared::domain::account::decide_open_account;
use shared::domain::alerts::Watch;
use shared::domain::charging::RefusalPlace;
use shared::domain::payments::{AutoTopUp, DeclineReason, MonthlyCap, PaymentIssueKind};
use shared::domain::spending::{Limit, Spending};
use shared::domain::support::{Erasure, ItemKey};
use shared::domain::usage::FlagKind;
use shared::domain::*;
use shared::ledger::stored_event_of;
use shared::ports::*;
use std::collections::HashMap;

type Item = HashMap<String, AttributeValue>;

struct Stored {
    name: &'static str,
    partition: String,
    sort: String,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Account,
    /// The entry whose cause has this index in [`causes`].
    Entry(usize),
    /// The pending charge with this key.
    Pending(&'static str),
    Purchase,
    PurchaseKey,
    TopUp,
    TopUpRetry,
    Consent,
    SpendingChange,
    SpenderLimits,
    UsageRow(Granularity),
    UsageCursor,
    /// The rows of refused requests.
    Refusals,
    Notice(u128),
    Erasure,
    SweepLog,
    ClaimLog,
    PortalLink,
    PortalSession,
    Flag,
    Contacts,
    /// The act with this number.
    Act(u128),
    Customer,
    /// An event that other systems are told.
    OutboundEvent,
    Imported,
    Listed,
    LiabilityRow,
    ClosedDays,
    Alerts,
    AlertsDue,
    AskedCard,
}

/// Reads the item and returns whether it was there.
async fn read(store: &Embedded, kind: Kind) -> Result<bool, LedgerError> {
    let (account, ledger) = (account_id(), &store.ledger);
    let is_there = match kind {
        Kind::Account => ledger.account_get(&account).await?.is_some(),
        Kind::Entry(place) => ledger.entry_get(&account, &causes()[place].origin()).await?.is_some(),
        Kind::Pending(text) => ledger.pending_charge_get(&account, &key(text)).await?.is_some(),
        Kind::Purchase => ledger.purchase_get(&account, &PurchaseId::mint(5)).await?.is_some(),
        Kind::PurchaseKey => ledger.purchase_id_get(&account, &key("buy:1")).await?.is_some(),
        Kind::TopUp => ledger.top_up_get(&account, &TopUpId::mint(6)).await?.is_some(),
        Kind::TopUpRetry => ledger.top_up_retry_get(&account, &key("again:1")).await?.is_some(),
        Kind::Consent => ledger.consent_get(&account, &ConsentId::mint(1)).await?.is_some(),
        Kind::SpendingChange => ledger.spending_change_get(&account, at(6)).await?.is_some(),
        Kind::SpenderLimits => ledger.spender_limits_get(&account, &spender("key-1")).await?.is_some(),
        Kind::UsageRow(granularity) => {
            let rows = ledger.usage_rows(&account, periods(granularity, "2026-01-01", "2026-01-31")).await?;
            !rows.is_empty()
        }
        Kind::UsageCursor => ledger.usage_cursor_get(&account).await?.through_seq > 0,
        Kind::Refusals => {
            let oldest = RefusalPlace::new(0, 0).unwrap();
            !ledger.refusals_page(&account, oldest, None, 100).await?.rows.is_empty()
        }
        Kind::Notice(number) => ledger.notice_get(&account, &NoticeId::mint(number)).await?.is_some(),
        Kind::Contacts => ledger.contacts_get(&account).await?.is_some(),
        Kind::Act(number) => {
            let page = ledger.acts_page(&account, Some(&ActId::mint(number + 1)), 1).await?;
            page.records.first().is_some_and(|act| act.id == ActId::mint(number))
        }
        Kind::Flag => !ledger.flags_page(&account, None, 1).await?.records.is_empty(),
        Kind::SweepLog => ledger.sweep_log_get(&account).await?.revision > 0,
        Kind::ClaimLog => ledger.claim_log_get(&account).await?.revision > 0,
        Kind::PortalLink => ledger.portal_link_get(&account, &portal_link().hash).await?.is_some(),
        Kind::PortalSession => ledger.portal_session_get(&account, &portal_session().hash).await?.is_some(),
        Kind::Erasure => ledger.erasure_get(&account).await?.is_some(),
        Kind::Alerts => ledger.alerts_get(&account).await?.is_some(),
        Kind::AlertsDue => ledger.alerts_due_get(&account).await?.is_some(),
        Kind::AskedCard => ledger.asked_card_get(&account).await?.card.is_some(),
        Kind::OutboundEvent => {
            let item = raw(store, "ACCOUNT#acme", &format!("OUTBOX#{}", OutboundEventId::mint(1))).await;
            stored_event_of(&item)?.account == account
        }
        Kind::Customer => ledger.customer_account_get(&customer_id("cus_1")).await?.is_some(),
        Kind::Imported => ledger.imported_get(&source_id()).await?.is_some(),
        Kind::Listed => ledger.listed_get(&account).await?.is_some(),
        Kind::LiabilityRow => ledger.liability_row_get(liability_row().day, liability_shard()).await?.is_some(),
        Kind::ClosedDays => ledger.closed_days_get().await?.is_some(),
    };
    Ok(is_there)
}

/// Attributes that are optional. An item without a currency is in US dollars.
const MAY_BE_ABSENT: [&str; 119] = [
    "accepted_by",
    "added",
    "addressed",
    "after",
    "asks",
    "auto_top_up",
    "auto_top_up.cap",
    "auto_top_up.cap.used",
    "auto_top_up.consent.accepted_by",
    "brand",
    "by_invoice",
    "by_invoice.issued",
    "by_invoice.issued.number",
    "by_invoice.issued.overpaid",
    "by_invoice.paid_out_of_band",
    "by_invoice.po_number",
    "by_invoice.reminders",
    "card",
    "card.brand",
    "card.expires",
    "card.fingerprint",
    "card.last4",
    "changed",
    "checkout",
    "checkout_opened_at",
    "completed_at",
    "confirmed",
    "credits_per_day",
    "credits_reversed",
    "currency",
    "day",
    "default_card",
    "ended_at",
    "flagged",
    "hash",
    "head",
    "hour",
    "hours",
    "invoice",
    "invoice.number",
    "invoice.overpaid",
    "kept",
    "kept.asked_at",
    "kept.confirmed_at",
    "kept.opted_out",
    "kept.problem",
    "last4",
    "last_top_up_at",
    "level_1",
    "level_1.told_at",
    "level_2",
    "level_3",
    "level_3.told_at",
    "level_4",
    "level_5",
    "level_5.told_at",
    "limit",
    "limit_starts_again_at",
    "limited_spenders",
    "limits",
    "limits.day",
    "limits.month",
    "limits_date",
    "max_per_month",
    "month",
    "named",
    "open_top_up",
    "paused",
    "payment_intent",
    "payment_issue",
    "payment_method",
    "pending",
    "price_book",
    "read_only",
    "reasons",
    "reasons.account_restricted",
    "reasons.idempotency_key_reused",
    "reasons.insufficient_credits",
    "reasons.limit_reached",
    "reasons.spending_stopped",
    "reasons.too_many_requests",
    "receipt",
    "receipt.brand",
    "receipt.last4",
    "receipt.number",
    "reference",
    "refund_pause",
    "refunds",
    "refunds.refund",
    "refunds.refused",
    "refunds.unused_credits",
    "reminders",
    "removed",
    "request_id",
    "restriction",
    "retries",
    "return_url",
    "returned_at",
    "reversed",
    "reversed.refunds",
    "reversed.refunds_failed",
    "reversed.reinstated",
    "reversed.withdrawn",
    "salt",
    "sent_at",
    "sent_to",
    "spender",
    "spending_stopped_at",
    "total",
    "tried",
    "turned_off",
    "turned_off.by",
    "unpaid",
    "visitor",
    "waiting_since",
    "warnings",
    "watch",
    "watch.from",
    "watch.to",
];

/// A row of usage or of the liability has neither numbers that are zero nor groups in which all are.
fn is_left_out_where_zero(path: &str) -> bool {
    path.contains('.') || path.ends_with("_others") || path.ends_with("_unnamed")
}

/// Attributes that only DynamoDB reads: keys of indexes and the expiry. And what only the release before reads.
const UNREAD: [&str; 8] = [
    "due_at",
    "due_shard",
    "expires_at",
    "usage",
    "usage.charges",
    "usage.credits_charged",
    "usage.credits_restored",
    "usage.date",
];

/// Attributes that may hold any text.
const FREE_TEXT: [&str; 17] = [
    "after",
    "brand",
    "by_invoice.issued.number",
    "card.brand",
    "card.fingerprint",
    "card.last4",
    "checkout.url",
    "detail",
    "invoice.number",
    "last4",
    "receipt.brand",
    "receipt.last4",
    "receipt.number",
    "restriction.reason",
    "return_url",
    "text",
    "type",
];

#[tokio::test]
async fn a_missing_attribute_is_named() {
    let store = filled().await;
    for stored in stored_items() {
        let item = get(&store, &stored).await;
        for path in paths(&item).iter().filter(|path| !MAY_BE_ABSENT.contains(&path.as_str())) {
            // Only a charge that was made pending has an expiry, and a reminder of a confirmation has no decline.
            let is_optional_here = path == "expires_in_seconds" && stored.sort.starts_with("ENTRY#")
                || path == "decline_reason" && stored.name == "payment reminder"
                || matches!(stored.kind, Kind::UsageRow(_) | Kind::LiabilityRow) && is_left_out_where_zero(path);
            if UNREAD.contains(&path.as_str()) || is_optional_here {
                continue;
            }
            let outcome = read_altered(&store, &stored, &item, path, None).await;
            if Measure::of_name(path).is_some() {
                // Without an amount it is not known in which measure it should be.
                assert_named(outcome, &stored, "operation", "has an invalid value");
                continue;
            }
            assert_named(outcome, &stored, path, "is missing");
        }
    }
}

#[tokio::test]
async fn an_attribute_of_the_wrong_type_is_named() {
    let store = filled().await;
    for stored in stored_items() {
        let item = get(&store, &stored).await;
        for path in paths(&item).iter().filter(|path| !UNREAD.contains(&path.as_str())) {
            if path == "seq" || path == "account" {
                continue; // The keys of an index: DynamoDB itself refuses another type.
            }
            for other in [AttributeValue::Null(true), AttributeValue::Ss(vec!["x".into()])] {
                let outcome = read_altered(&store, &stored, &item, path, Some(other)).await;
                assert_named(outcome, &stored, path, "is not of type");
            }
        }
    }
}

#[tokio::test]
async fn an_attribute_with_an_invalid_value_is_named() {
    let store = filled().await;
    for stored in stored_items() {
        let item = get(&store, &stored).await;
        for path in paths(&item).iter().filter(|path| !UNREAD.contains(&path.as_str())) {
            let invalid = match at_path(&item, path) {
                AttributeValue::N(_) => AttributeValue::N("1.5".into()),
                AttributeValue::B(_) => AttributeValue::B(Blob::new([7; 5])),
                AttributeValue::S(_) if !FREE_TEXT.contains(&path.as_str()) => AttributeValue::S("\u{7}".into()),
                _ => continue,
            };
            let outcome = read_altered(&store, &stored, &item, path, Some(invalid)).await;
            assert_named(outcome, &stored, path, "has an invalid value");
        }
    }
}

#[tokio::test]
async fn numbers_outside_their_range_are_named() {
    let store = filled().await;
    let too_much = "1000000000000001";
    for (name, path, number) in [
        ("account", "balance", too_much),
        ("account", "limits.day.max", too_much),
        ("account", "limited_spenders", "-1"),
        ("account", "unpaid", "256"),
        ("spender's limits", "total.used", too_much),
        ("spender's limits", "month.after_seq", "-1"),
        ("account", "version", "-1"),
        ("account", "created_at", "9999999999999999"),
        ("dubbing", "duration_ms", "0"),
        ("speech", "quantity", "-1"),
        ("training", "max_minutes", "0"),
        ("pending charge", "expires_in_seconds", "59"),
        ("entry of a pending charge", "expires_in_seconds", "604801"),
        ("captured charge", "quantity", "0"),
        ("adjusted", "credits", too_much),
        ("restricted", "until", "9999999999999999"),
        ("account", "watch.to", too_much),
        ("alerts", "level_1.level.number", "0"),
        ("alerts", "level_3.level.number", "366"),
        ("low balance", "level.number", "366"),
        ("purchase", "price", "-1"),
        ("top-up", "price", "1000000000000"),
        ("consent", "price_max_cents", "1000000000000"),
    ] {
        let stored = stored_items().into_iter().find(|stored| stored.name == name).unwrap();
        let item = get(&store, &stored).await;
        let outcome = read_altered(&store, &stored, &item, path, Some(AttributeValue::N(number.into()))).await;
        assert_named(outcome, &stored, path, "has an invalid value");
    }
}

/// The release before wrote no currency: everything was in US dollars.
#[tokio::test]
async fn items_without_a_currency_are_in_us_dollars() {
    let store = filled().await;
    let account = account_id();
    for stored in stored_items() {
        let item = get(&store, &stored).await;
        if item.contains_key("price") {
            put(&store, altered(&item, "currency", None)).await;
        }
    }
    let purchase = store.ledger.purchase_get(&account, &PurchaseId::mint(5)).await.unwrap().unwrap();
    assert_eq!(purchase.price, amount("USD", 500));
    let top_up = store.ledger.top_up_get(&account, &TopUpId::mint(6)).await.unwrap().unwrap();
    assert_eq!(top_up.price, amount("USD", 4_501));
    for (number, kind) in (20..).zip(notice_kinds()) {
        let notice = store.ledger.notice_get(&account, &NoticeId::mint(number)).await.unwrap().unwrap();
        assert_eq!(notice.kind, with_price(kind, amount("USD", 11)));
    }
}

/// A function of the release before may still run while this one is deployed, and it reads the account for each charge.
#[tokio::test]
async fn a_consent_in_us_dollars_is_written_as_the_release_before_wrote_it() {
    let store = filled().await;
    let item = raw(&store, "ACCOUNT#acme", "STATE").await;
    let consent = at_path(&item, "auto_top_up.consent").as_m().unwrap();
    let mut names: Vec<_> = consent.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accepted_at", "accepted_by", "id", "price_max_cents", "text_version"]);
    assert_eq!(consent["price_max_cents"], AttributeValue::N("123456".into()));
}

/// The release before keeps the usage of the day in the account, and counts limits on its day.
#[tokio::test]
async fn the_day_of_limits_is_where_the_release_before_wrote_it_and_is_written_where_it_reads_it() {
    let store = filled().await;
    let stored = stored_items().into_iter().find(|stored| stored.name == "account").unwrap();
    let item = get(&store, &stored).await;
    let mut usage: Vec<_> = at_path(&item, "usage").as_m().unwrap().keys().map(String::as_str).collect();
    usage.sort_unstable();
    assert_eq!(usage, ["charges", "credits_charged", "credits_restored", "date"]);
    assert_eq!(at_path(&item, "usage.date"), at_path(&item, "limits_date"));
    let old = altered(&item, "limits_date", None);
    let old = altered(&old, "usage.date", Some(AttributeValue::S("2025-12-30".into())));
    put(&store, old.clone()).await;
    let account = store.ledger.account_get(&account_id()).await.unwrap().unwrap();
    assert_eq!(account.limits_date, Some("2025-12-30".parse().unwrap()));
    put(&store, altered(&old, "usage", None)).await;
    assert_named(read(&store, stored.kind).await, &stored, "limits_date", "is missing");
    put(&store, altered(&altered(&old, "usage", None), "limits", None)).await;
    assert!(read(&store, stored.kind).await.unwrap(), "without limits no day is needed");
}

/// A closed account has no address, and every other account has one.
#[tokio::test]
async fn only_a_closed_account_may_lack_its_address() {
    let store = filled().await;
    let stored = stored_items().into_iter().find(|stored| stored.name == "account").unwrap();
    let item = get(&store, &stored).await;
    let closed = altered(&item, "closed_at", Some(AttributeValue::N("1767225600000".into())));
    put(&store, closed.clone()).await;
    assert_named(read(&store, stored.kind).await, &stored, "email", "has an invalid value");
    put(&store, altered(&closed, "email", None)).await;
    let account = store.ledger.account_get(&account_id()).await.unwrap().unwrap();
    assert_eq!((account.email, account.closed_at), (None, Some(at(0))));
}

/// In another currency, the consent names it: the default is for items of the release before alone.
#[tokio::test]
async fn a_consent_in_another_currency_has_to_name_it() {
    let store = filled().await;
    let stored = stored_items().into_iter().find(|stored| stored.name == "consent").unwrap();
    let item = get(&store, &stored).await;
    let yen = altered(&item, "price_max_cents", None);
    let yen = altered(&yen, "price_max", Some(AttributeValue::N("5000".into())));
    put(&store, yen.clone()).await;
    assert_named(read(&store, stored.kind).await, &stored, "currency", "has an invalid value");
    put(&store, altered(&yen, "currency", Some(AttributeValue::S("JPY".into())))).await;
    assert!(read(&store, stored.kind).await.unwrap());
}

#[tokio::test]
async fn an_amount_that_its_currency_does_not_have_is_named() {
    let store = filled().await;
    let stored = stored_items().into_iter().find(|stored| stored.name == "purchase").unwrap();
    let item = get(&store, &stored).await;
    let text = |text: &str| Some(AttributeValue::S(text.into()));
    for (currency, price, named) in
        [("KWD", "5124", "price"), ("ISK", "550", "price"), ("usd", "500", "currency"), ("IRR", "500", "currency")]
    {
        let priced = altered(&item, "price", Some(AttributeValue::N(price.into())));
        put(&store, altered(&priced, "currency", text(currency))).await;
        assert_named(read(&store, stored.kind).await, &stored, named, "has an invalid value");
    }
    put(&store, altered(&item, "currency", text("HRK"))).await;
    assert!(read(&store, stored.kind).await.unwrap(), "Stripe no longer charges in it, but it is still read");
}

#[tokio::test]
async fn an_unreadable_account_is_not_a_race_and_an_unreadable_entry_is_not_a_replay() {
    let store = filled().await;
    let account = store.ledger.account_get(&account_id()).await.unwrap().unwrap();
    for (name, path) in [("account", "balance"), ("dubbing", "credits")] {
        let stored = stored_items().into_iter().find(|stored| stored.name == name).unwrap();
        let item = get(&store, &stored).await;
        put(&store, altered(&item, path, None)).await;
        let stale = Account { version: account.version - 1, ..account.clone() };
        let cause = if name == "account" { charge("new") } else { charge("job:1") };
        match store.ledger.commit(&posted(&stale, -1, cause)).await {
            Err(CommitError::Failed(error)) => assert_named(Err(error), &stored, path, "is missing"),
            other => panic!("{other:?}"),
        }
        put(&store, item).await;
    }
}

/// Account and consenter have their maximum length, the e-mail address has 214 characters, Stripe's ids their usual
/// length (`cus_` and 14, `pm_` and 24 characters), and a restriction's reason takes the rest. Above 1 KB nothing breaks,
/// but each charge of that account costs two more write units. An open top-up and a pause exclude each other.
#[tokio::test]
async fn a_complete_account_fits_in_one_write_unit() {
    let longest = |length: usize| "x".repeat(length);
    let most = Credits::MAX.negated();
    let end: jiff::Timestamp = "9999-12-30T22:00:00.999Z".parse().unwrap();
    let mut auto_top_up = settings();
    auto_top_up.threshold = credits(100_000_000);
    auto_top_up.target = credits(100_000_000);
    auto_top_up.consent.accepted_by = Consenter::parse(longest(100)).ok();
    auto_top_up.cap = None;
    let email =
        EmailAddress::parse(format!("{}@{}.{}.{}.com", longest(64), longest(63), longest(63), longest(17))).unwrap();
    let opened =
        decide_open_account(AccountId::parse(longest(64)).unwrap(), email, customer_id(&longest(18)), Salt::of(7), end)
            .account;
    let bare = Account {
        seq: 1_000_000_000,
        balance: most,
        pending: Credits::MAX,
        auto_top_up: Some(auto_top_up),
        payment_method: PaymentMethodId::parse(longest(27)).ok(),
        last_top_up_at: Some(end),
        unpaid_invoices: 3,
        watch: Some(Watch { from: Some(credits(1_000_000_000_000)), to: Some(credits(1_100_000_000_000)) }),
        chain: opened.chain.map(|chain| Chain { head: Some(EntryHash::new([7; 32])), ..chain }),
        ..opened
    };
    let issue = payment_issue(PaymentIssueKind::Declined(DeclineReason::InsufficientFunds));
    let store = embedded().await;
    // Who also sets limits has an address of 61 characters: the rest of it is what limits and a stop need.
    let limit = Some(Limit { max: credits(1_000_000_000), used: credits(1_000_000_000), after_seq: 1_000_000_000 });
    let limited = |account: Account| Account {
        email: EmailAddress::parse(format!("{}@{}.com", longest(55), longest(1))).ok(),
        spending: Some(Spending { is_stopped: false, changed_at: end }),
        limits: Limits { day: limit, month: limit, total: None },
        limits_date: Some("2026-01-01".parse().unwrap()),
        limited_spenders: 1_000,
        ..account
    };
    // A cap takes the same from a longer address.
    let max = Amount::new(Currency::USD, MonthlyCap::MAX_MINOR).unwrap();
    let cap = Some(MonthlyCap { max, smallest: 1_000_000_000, used: 123_456_789_012 });
    let capped = |account: Account, address: String| {
        let auto_top_up = account.auto_top_up.clone().map(|settings| AutoTopUp { cap, ..settings });
        Account { auto_top_up, email: EmailAddress::parse(address).ok(), ..account }
    };
    let (long, short) =
        (format!("{}@{}.{}.com", longest(64), longest(63), longest(37)), format!("{}@{}.com", longest(5), longest(10)));
    let (open, paused) = (
        Account { open_top_up: Some(TopUpId::mint(u128::MAX)), ..bare.clone() },
        Account { payment_issue: Some(issue), ..bare },
    );
    let all = [
        capped(open.clone(), long.clone()),
        capped(paused.clone(), long),
        capped(limited(open.clone()), short.clone()),
        capped(limited(paused.clone()), short),
        open.clone(),
        paused.clone(),
        limited(open),
        limited(paused),
    ];
    for (version, account) in (1..).zip(all) {
        let restriction = Restriction { reason: RestrictionReason::parse(longest(10)).unwrap(), until: end };
        let account = Account { version, restriction: Some(restriction), ..account };
        let change =
            Change { account: account.clone(), entries: vec![], records: vec![], notices: vec![], events: vec![] };
        store.ledger.commit(&change).await.unwrap();
        let key = format!("ACCOUNT#{}", account.id);
        let mut item = raw(&store, &key, "STATE").await;
        assert!(size(&item) <= 1_080, "{} bytes", size(&item));
        // The next release does not write it any more.
        item.remove("usage");
        assert!(size(&item) <= 1_024, "{} bytes", size(&item));
    }
}

/// What a person is given of an account is everything that is stored in it.
#[tokio::test]
async fn every_attribute_of_every_item_is_exported() {
    let store = filled().await;
    let (mut exported, mut after) = (vec![], None);
    loop {
        let page = store.ledger.stored_items(&account_id(), after.as_ref(), 7).await.unwrap();
        assert!(page.items.len() <= 7);
        exported.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let others = stored_items().into_iter().filter(|stored| stored.partition == "ACCOUNT#acme");
    let mut expected = 0;
    for stored in others {
        let item = get(&store, &stored).await;
        let mut names: Vec<_> = item.keys().filter(|name| *name != "PK" && *name != "SK").cloned().collect();
        names.sort_unstable();
        let is_it = |exported: &&StoredItem| {
            let names_of: Vec<_> = exported.attributes.keys().cloned().collect();
            stored.sort.ends_with(&exported.id) && names_of == names
        };
        assert!(exported.iter().any(|exported| is_it(&exported)), "{}", stored.name);
        expected += 1;
    }
    // Beside those, the table has notices of three more kinds.
    assert_eq!(exported.len(), expected + 3);
}

#[tokio::test]
async fn only_entries_have_the_keys_of_the_history_index() {
    let store = filled().await;
    for stored in stored_items() {
        let is_entry = stored.sort.starts_with("ENTRY#");
        assert_eq!(get(&store, &stored).await.contains_key("account"), is_entry, "{}", stored.name);
    }
}

#[tokio::test]
async fn notices_are_kept_for_30_days_and_events_for_35() {
    let store = filled().await;
    let event = EventId::parse("evt_1").unwrap();
    store.ledger.event_mark_applied(&event, at(500)).await.unwrap();
    let (notice, day) = (NoticeId::mint(20), 86_400_000);
    let is_there = async || {
        let is_event_there = store.ledger.event_is_applied(&event).await.unwrap();
        (store.ledger.notice_get(&account_id(), &notice).await.unwrap().is_some(), is_event_there)
    };
    for (now, expected) in [
        (at(30 * day - 1_000), (true, true)),
        (at(30 * day + 1_000), (false, true)),
        (at(35 * day - 1_000), (false, true)),
        (at(35 * day + 1_000), (false, false)),
    ] {
        store.database.sweep_ttl(now).unwrap();
        assert_eq!(is_there().await, expected, "{now}");
    }
    assert!(store.ledger.account_get(&account_id()).await.unwrap().is_some(), "an account never expires");
}

/// A notice with everything that it may have.
fn sent_notice(kind: NoticeKind) -> Notice {
    Notice {
        is_addressed: true,
        tried: vec![address("tried@example.com")],
        sent_at: Some(at(7)),
        sent_to: Some(address("reader@example.com")),
        returned_at: Some(at(8)),
        ..notice(kind)
    }
}

/// A table with an item of every kind.
async fn filled() -> Embedded {
    let store = embedded().await;
    store.ledger.commit(&Change { account: complete_account(), ..opening() }).await.unwrap();
    let mut account = complete_account();
    for cause in causes() {
        let change = posted(&account, 1, cause);
        store.ledger.commit(&change).await.unwrap();
        account = change.account;
    }
    let mut records = vec![
        Record::PendingCharge(pending("job:8")),
        Record::Purchase(complete_purchase()),
        Record::PurchaseKey { key: key("buy:1"), purchase: PurchaseId::mint(5) },
        Record::TopUp(complete_top_up()),
        Record::TopUpRetry(top_up_retry(TopUpStatus::Declined(DeclineReason::Generic))),
        Record::Consent(consent_record()),
        Record::SpendingChange(spending_change()),
        Record::SpenderLimits(spender_limits("key-1", limits())),
        Record::Erasure(Erasure {
            started_at: at(1),
            after: Some(ItemKey::new("ENTRY#charge:job:1")),
            items: 3,
            completed_at: Some(at(2)),
        }),
        Record::Imported(imported()),
        Record::Contacts(Box::new(contacts())),
        Record::Alerts(alerts_in_every_state()),
        Record::AlertsDue { at: at(9) },
        Record::AskedCard(asked_card()),
    ];
    records.extend(endings().map(Record::PendingCharge));
    records.extend(acts().into_iter().map(Record::Act));
    let numbered = (20..).zip(notice_kinds());
    let notices = numbered.map(|(number, kind)| Notice { id: NoticeId::mint(number), ..sent_notice(kind) }).collect();
    let events = outbound_events().into_iter().take(1).collect();
    store.ledger.commit(&Change { records, notices, events, ..changed(&account) }).await.unwrap();
    store.ledger.liability_row_put(liability_shard(), &liability_row(), None).await.unwrap();
    store.ledger.closed_days_put(&closed_days(), None).await.unwrap();
    let flags = vec![flag("acme", FlagKind::ChargesPerHour, 5)];
    store.ledger.usage_fold(&account.id, &UsageFold { flags, ..usage_fold(0, 11) }).await.unwrap();
    assert!(store.ledger.sweep_log_put(&account.id, &sweep_log(1)).await.unwrap());
    assert!(store.ledger.claim_log_put(&account.id, &claim_log(1)).await.unwrap());
    store.ledger.portal_link_put(&portal_link()).await.unwrap();
    assert!(store.ledger.portal_link_exchange(&portal_link(), &portal_session()).await.unwrap());
    store.ledger.portal_link_put(&portal_link()).await.unwrap();
    for (slot, refused) in (0..).zip([refused_one(), refused_more()]) {
        store.ledger.refusal_row_put(&refusal_row(RefusalPlace::new(1, slot).unwrap(), refused)).await.unwrap();
    }
    store
}

fn stored_items() -> Vec<Stored> {
    let entry = |place: usize| format!("ENTRY#{}", causes()[place].origin());
    let notice = |number| format!("NOTICE#{}", NoticeId::mint(number));
    let act = |number| format!("ACT#{}", ActId::mint(number));
    let mut items: Vec<Stored> = [
        ("account", "STATE".into(), Kind::Account),
        ("dubbing", entry(0), Kind::Entry(0)),
        ("dubbing with a reference", entry(1), Kind::Entry(1)),
        ("training", entry(2), Kind::Entry(2)),
        ("speech", entry(3), Kind::Entry(3)),
        ("entry of a pending charge", entry(4), Kind::Entry(4)),
        ("capture", entry(5), Kind::Entry(5)),
        ("void", entry(6), Kind::Entry(6)),
        ("expiry", entry(7), Kind::Entry(7)),
        ("restore", entry(8), Kind::Entry(8)),
        ("entry of a purchase", entry(9), Kind::Entry(9)),
        ("entry of a top-up", entry(10), Kind::Entry(10)),
        ("entry of a refund", entry(11), Kind::Entry(11)),
        ("entry of a dispute", entry(12), Kind::Entry(12)),
        ("entry of an adjustment", entry(13), Kind::Entry(13)),
        ("entry of an import", entry(14), Kind::Entry(14)),
        ("adjusted", act(1), Kind::Act(1)),
        ("restricted", act(2), Kind::Act(2)),
        ("restriction lifted", act(3), Kind::Act(3)),
        ("notice resent", act(4), Kind::Act(4)),
        ("top-up checked", act(5), Kind::Act(5)),
        ("erased", act(6), Kind::Act(6)),
        ("refunded", act(8), Kind::Act(8)),
        ("imported", act(7), Kind::Act(7)),
        ("sweep log", "SWEEP_LOG".into(), Kind::SweepLog),
        ("claim log", "CLAIM_LOG".into(), Kind::ClaimLog),
        ("portal link", format!("PORTAL#LINK#{}", portal_link().hash), Kind::PortalLink),
        ("portal session", format!("PORTAL#SESSION#{}", portal_session().hash), Kind::PortalSession),
        ("erasure", "ERASURE".into(), Kind::Erasure),
        ("flag", format!("FLAG#{}#2026-01-15#charges_per_hour", at(5).as_millisecond()), Kind::Flag),
        ("pending charge", "PENDING#job:8".into(), Kind::Pending("job:8")),
        ("captured charge", "PENDING#job:5".into(), Kind::Pending("job:5")),
        ("voided charge", "PENDING#job:6".into(), Kind::Pending("job:6")),
        ("expired charge", "PENDING#job:7".into(), Kind::Pending("job:7")),
        ("purchase", format!("PURCHASE#{}", PurchaseId::mint(5)), Kind::Purchase),
        ("purchase key", "PURCHASE_KEY#buy:1".into(), Kind::PurchaseKey),
        ("top-up", format!("TOP_UP#{}", TopUpId::mint(6)), Kind::TopUp),
        ("retry of a top-up", "TOP_UP_RETRY#again:1".into(), Kind::TopUpRetry),
        ("spending change", format!("SPENDING#{}", at(6).as_millisecond()), Kind::SpendingChange),
        ("spender's limits", "LIMIT#key-1".into(), Kind::SpenderLimits),
        ("day of usage", "USAGE#DAY#2026-01-15".into(), Kind::UsageRow(Granularity::Day)),
        ("month of usage", "USAGE#MONTH#2026-01".into(), Kind::UsageRow(Granularity::Month)),
        ("end of the usage", "USAGE#CURSOR".into(), Kind::UsageCursor),
        ("consent", format!("CONSENT#{}", ConsentId::mint(1)), Kind::Consent),
        ("refused request", "REQUEST#0000000001#00".into(), Kind::Refusals),
        ("refused requests", "REQUEST#0000000001#01".into(), Kind::Refusals),
        ("alerts", "ALERTS#LEVELS".into(), Kind::Alerts),
        ("alerts due", "ALERTS#DUE".into(), Kind::AlertsDue),
        ("asked card", "ASKED_CARD".into(), Kind::AskedCard),
        ("card that expires", notice(32), Kind::Notice(32)),
        ("low balance", notice(29), Kind::Notice(29)),
        ("payment reminder", notice(30), Kind::Notice(30)),
        ("top-up abandoned", notice(31), Kind::Notice(31)),
        ("invoice issued", notice(33), Kind::Notice(33)),
        ("invoice reminder", notice(34), Kind::Notice(34)),
        ("invoice voided", notice(35), Kind::Notice(35)),
        ("credits taken back", notice(36), Kind::Notice(36)),
        ("credits given back", notice(37), Kind::Notice(37)),
        ("event", format!("OUTBOX#{}", OutboundEventId::mint(1)), Kind::OutboundEvent),
        ("purchase paid", notice(20), Kind::Notice(20)),
        ("top-up paid", notice(21), Kind::Notice(21)),
        ("top-up declined", notice(22), Kind::Notice(22)),
        ("action required", notice(23), Kind::Notice(23)),
        ("contact to be confirmed", notice(26), Kind::Notice(26)),
        ("contacts changed", notice(27), Kind::Notice(27)),
        ("contacts", "CONTACTS".into(), Kind::Contacts),
    ]
    .into_iter()
    .map(|(name, sort, kind)| Stored { name, partition: "ACCOUNT#acme".into(), sort, kind })
    .collect();
    let (partition, sort) = ("STRIPE#cus_1".into(), "ACCOUNT".into());
    items.push(Stored { name: "customer", partition, sort, kind: Kind::Customer });
    for (name, partition, sort, kind) in [
        ("import", "IMPORT#row#7", "IMPORT", Kind::Imported),
        ("account in the directory", "ACCOUNTS#14", "acme", Kind::Listed),
        ("liability of a day", "LIABILITY#2026-01", "31#07", Kind::LiabilityRow),
        ("closed days", "LIABILITY", "CLOSED", Kind::ClosedDays),
    ] {
        items.push(Stored { name, partition: partition.into(), sort: sort.into(), kind });
    }
    items
}

/// Reads the item with one attribute altered, and then restores it.
async fn read_altered(
    store: &Embedded,
    stored: &Stored,
    item: &Item,
    path: &str,
    value: Option<AttributeValue>,
) -> Result<bool, LedgerError> {
    put(store, altered(item, path, value)).await;
    let outcome = read(store, stored.kind).await;
    put(store, item.clone()).await;
    assert!(read(store, stored.kind).await.unwrap(), "{} reads before and after", stored.name);
    outcome
}

fn assert_named(outcome: Result<bool, LedgerError>, stored: &Stored, path: &str, problem: &str) {
    let Err(LedgerError::Broken { source, .. }) = &outcome else {
        panic!("{}, {path}: {outcome:?}", stored.name);
    };
    assert!(source.source().is_none());
    // The name of a spender may be personal data.
    let sort = if stored.sort.starts_with("LIMIT#") { "LIMIT#" } else { &stored.sort };
    let path = match path.split('.').collect::<Vec<_>>()[..] {
        [groups @ ("operations" | "spenders"), _] => format!("{groups}.*"),
        [groups @ ("operations" | "spenders"), _, number] => format!("{groups}.*.{number}"),
        _ => path.to_owned(),
    };
    let expected = format!("attribute {path} of item {} {sort} {problem}", stored.partition);
    assert!(source.to_string().starts_with(&expected), "{source} instead of {expected}");
}

/// Every attribute except the key, including those within maps.
fn paths(item: &Item) -> Vec<String> {
    let within = |(name, value): (&String, &AttributeValue)| match value {
        AttributeValue::M(map) => {
            let mut inner: Vec<_> = paths(map).iter().map(|path| format!("{name}.{path}")).collect();
            inner.push(name.clone());
            inner
        }
        _ => vec![name.clone()],
    };
    item.iter().filter(|(name, _)| *name != "PK" && *name != "SK").flat_map(within).collect()
}

fn at_path<'a>(item: &'a Item, path: &str) -> &'a AttributeValue {
    match path.split_once('.') {
        Some((map, rest)) => at_path(item[map].as_m().unwrap(), rest),
        None => &item[path],
    }
}

fn altered(item: &Item, path: &str, value: Option<AttributeValue>) -> Item {
    let mut item = item.clone();
    match (path.split_once('.'), value) {
        (Some((map, rest)), value) => {
            let inner = altered(item[map].as_m().unwrap(), rest, value);
            item.insert(map.to_owned(), AttributeValue::M(inner));
        }
        (None, Some(value)) => {
            item.insert(path.to_owned(), value);
        }
        (None, None) => {
            item.remove(path).unwrap();
        }
    }
    item
}

async fn get(store: &Embedded, stored: &Stored) -> Item {
    raw(store, &stored.partition, &stored.sort).await
}

async fn raw(store: &Embedded, partition: &str, sort: &str) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let get = store.database.client().get_item().table_name(TABLE).key("PK", text(partition)).key("SK", text(sort));
    get.send().await.unwrap().item.unwrap()
}

async fn put(store: &Embedded, item: Item) {
    store.database.client().put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
}

/// The size as DynamoDB counts it: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>.
fn size(item: &Item) -> usize {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => {
            number.trim_start_matches('-').len().div_ceil(2) + 1 + usize::from(number.starts_with('-'))
        }
        AttributeValue::Bool(_) => 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::M(map) => 3 + map.len() + size(map),
        other => panic!("{other:?} is not written"),
    };
    item.iter().map(|(name, attribute)| name.len() + value(attribute)).sum()
}
