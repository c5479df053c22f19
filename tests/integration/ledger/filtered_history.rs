//! Filtered pages of a long history: what they read, and that they miss nothing while clocks differ.

use super::samples::*;
use super::stores::{Embedded, embedded};
use jiff::{SignedDuration, Timestamp};
use shared::domain::account::HistoryFilter;
use shared::domain::*;
use shared::ledger::DynamoLedger;
use shared::ports::*;
use shared::use_cases::accounts::{HistoryPage, list_history};
use shared::use_cases::{Absent, Capabilities, Context, Memory};

/// What is read does not depend on it, but for one more try of the search where it is five times as long.
const ENTRIES: u64 = 20_000;
/// The account has been charged every 26 seconds for six days.
const PERIOD: SignedDuration = SignedDuration::from_secs(26);

struct Listing;

impl Capabilities for Listing {
    type Ledger = DynamoLedger;
    type Payments = Absent;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = fn() -> Timestamp;
    type Pauses = NoPauses;
    type Ids = RandomIds;
    type PriceBook = Absent;
}

fn context(ledger: DynamoLedger) -> Context<Listing> {
    Context {
        ledger,
        payments: Absent,
        mailer: Absent,
        timers: Absent,
        clock: || at(0) + PERIOD * i32::try_from(ENTRIES).unwrap() + SignedDuration::from_hours(1),
        pauses: NoPauses,
        memory: Memory::none(),
        ids: RandomIds,
        price_book: Absent,
    }
}

/// A number that looks random, and is the same in every run.
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ 0x5851_f42d_4c95_7f2d).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

/// Every thousandth entry is a top-up, every other one a charge for one of four spenders.
fn cause(seq: u64) -> Cause {
    if seq.is_multiple_of(1_000) {
        return Cause::TopUp { top_up: TopUpId::mint(seq.into()) };
    }
    let Cause::Charge { key, operation, price, reference, expires_in, request_id, .. } = charge(&format!("job:{seq}"))
    else {
        panic!("the cause is a charge")
    };
    let spender = Some(spender(&format!("key-{}", mixed(seq) % 4)));
    Cause::Charge { key, operation, price, reference, expires_in, request_id, spender }
}

/// An account with this many entries, the times of which the function says.
async fn with_entries(count: u64, time: impl Fn(u64) -> Timestamp) -> (Embedded, Account, Vec<Entry>) {
    let store = embedded().await;
    let mut account = opened(&store.ledger).await;
    let (mut all, mut seq) = (vec![], 0);
    while seq < count {
        let mut change = changed(&account);
        while seq < count && change.entries.len() < 99 {
            seq += 1;
            let (credits, balance_after) = (credits(-1), credits(-i64::try_from(seq).unwrap()));
            change.entries.push(Entry {
                seq,
                credits,
                balance_after,
                created_at: time(seq),
                cause: cause(seq),
                link: None,
            });
        }
        change.account.seq = seq;
        store.ledger.commit(&change).await.unwrap();
        account = change.account;
        all.extend(change.entries);
    }
    (store, account, all)
}

fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> HistoryFilter {
    HistoryFilter { from, to, ..HistoryFilter::default() }
}

/// Entries come evenly, but for chance: each up to two periods late.
#[tokio::test]
async fn a_page_of_50_of_20_000_entries_reads_at_most_60_where_the_index_serves_the_filter() {
    let time = |seq: u64| {
        let late = i64::try_from(mixed(seq) % 26_000).unwrap();
        at(0) + PERIOD * i32::try_from(seq).unwrap() + SignedDuration::from_millis(late)
    };
    let (Embedded { database, ledger }, account, all) = with_entries(ENTRIES, time).await;
    let context = context(ledger);
    let recording = database.record();
    let none = HistoryFilter::default;
    let middle = |share: u64| Some(time(ENTRIES * share / 100));
    let spender = |name: &str| HistoryFilter { spender: Some(spender(name)), ..none() };
    let mut served = vec![
        ("no filter", none(), None),
        ("no filter, further on", none(), Some(7_000)),
        ("a seq", HistoryFilter { seq: Some(3_141), ..none() }, None),
        ("from recently", between(middle(99), None), None),
        ("from recently, to its end", between(middle(99), None), Some(19_810)),
    ];
    for share in [0, 1, 3, 10, 25, 50, 77, 90, 99, 100] {
        served.push(("to an instant", between(None, middle(share)), None));
        served.push(("a range", between(middle(share.saturating_sub(1)), middle(share)), None));
    }
    let mut worst = 0;
    for (name, filter, before) in served {
        recording.clear();
        let page = list_history(&context, &account, &filter, (before, 50)).await.unwrap();
        let read: usize = recording.operations().iter().map(|recorded| recorded.item_count).sum();
        let fitting = all.iter().rev().filter(|entry| before.is_none_or(|before| entry.seq < before));
        let expected: Vec<_> = fitting.filter(|entry| filter.matches(entry)).take(50).cloned().collect();
        let missing = expected.len() - page.entries.len();
        assert_eq!(page.entries[..], expected[..page.entries.len()], "{name}");
        assert!(missing == 0 || (missing <= 10 && page.next_before.is_some()), "{name}: {missing} missing");
        assert!(read <= 60, "{name}: {read} items are read");
        worst = worst.max(read);
    }
    assert!(worst > 50, "{worst}");
    for (name, filter, read_max) in [
        ("a spender of four", spender("key-1"), 300),
        ("a spender who spends nothing", spender("key-9"), 1_000),
        ("every thousandth", HistoryFilter { kind: Some("top_up"), ..none() }, 1_000),
    ] {
        recording.clear();
        let page = list_history(&context, &account, &filter, (None, 50)).await.unwrap();
        let operations = recording.operations();
        let read: usize = operations.iter().map(|recorded| recorded.item_count).sum();
        assert!(read <= read_max && operations.len() <= 5, "{name}: {read} items in {} requests", operations.len());
        assert!(page.next_before.is_some(), "{name}: more may follow");
        assert!(page.entries.iter().all(|entry| filter.matches(entry)), "{name}");
    }
}

/// All pages, one after the other.
async fn pages(context: &Context<Listing>, account: &Account, filter: &HistoryFilter, limit: usize) -> Vec<Entry> {
    let (mut entries, mut before) = (vec![], None);
    loop {
        let HistoryPage { entries: page, next_before } =
            list_history(context, account, filter, (before, limit)).await.unwrap();
        assert!(page.len() <= limit);
        entries.extend(page);
        match next_before {
            Some(next) => before = Some(next),
            None => return entries,
        }
    }
}

/// Three functions with clocks of their own take turns; charges come in bursts, several in a second.
#[tokio::test]
async fn no_entry_is_missed_while_clocks_differ_by_up_to_five_seconds() {
    const COUNT: u64 = 1_500;
    let true_time = |seq: u64| at(0) + SignedDuration::from_secs(i64::try_from(seq / 7 + (seq / 500) * 3_600).unwrap());
    let clock = |seq: u64| SignedDuration::from_millis([0, 2_500, -2_500][usize::try_from(mixed(seq) % 3).unwrap()]);
    let (Embedded { ledger, .. }, account, all) = with_entries(COUNT, |seq| true_time(seq) + clock(seq)).await;
    let context = context(ledger);
    for number in 0..40 {
        let instant = |salt: u64| {
            let near = true_time(mixed(number * 2 + salt) % COUNT);
            near + SignedDuration::from_millis(i64::try_from(mixed(number + salt * 1_000) % 9_000).unwrap() - 4_500)
        };
        let (one, other) = (instant(0), instant(1));
        let filter = match number % 4 {
            0 => between(Some(one), None),
            1 => between(None, Some(one)),
            2 => between(Some(one.min(other)), Some(one.max(other))),
            _ => {
                HistoryFilter { spender: Some(spender("key-2")), ..between(Some(one.min(other)), Some(one.max(other))) }
            }
        };
        let expected: Vec<_> = all.iter().rev().filter(|entry| filter.matches(entry)).cloned().collect();
        let limit = [1_000, 17, 100][usize::try_from(number % 3).unwrap()];
        assert!(pages(&context, &account, &filter, limit).await == expected, "{filter:?}");
    }
}
