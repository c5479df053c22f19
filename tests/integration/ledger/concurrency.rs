//! Sixty-four concurrent charges on one account, with transaction conflicts as in AWS.

use super::clients::{Direct, Sdk, Way};
use super::cost::charge_command;
use super::samples::*;
use super::stores::{Embedded, embedded_over};
use futures::future::join_all;
use jiff::Timestamp;
use shared::domain::PriceBook;
use shared::domain::charging::{ChargeCommand, ChargeRefusal};
use shared::domain::spending::{Bounds, decide_account_limits, decide_spender_limits};
use shared::pauses::RandomPauses;
use shared::ports::*;
use shared::use_cases::charging::{ChargeError, charge as charge_account};
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

const TASKS: usize = 64;
const PRICE: i64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Charged,
    Replayed,
    Refused,
}

/// A charging function over a ledger; its time stands still.
pub struct Charging<L>(PhantomData<L>);

impl<L: Ledger + 'static> Capabilities for Charging<L> {
    type Ledger = L;
    type Payments = Absent;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = fn() -> Timestamp;
    type Pauses = RandomPauses;
    type Ids = RandomIds;
    type PriceBook = PriceBook;
}

pub fn charging<L: Ledger + 'static>(ledger: L) -> Context<Charging<L>> {
    Context {
        ledger,
        payments: Absent,
        mailer: Absent,
        timers: Absent,
        clock: || at(1),
        pauses: RandomPauses,
        memory: Memory::none(),
        ids: RandomIds,
        price_book: PriceBook::reference(),
    }
}

/// Charges until there is an answer, like a caller who retries.
async fn charge_once<L: Ledger + 'static>(context: &Context<Charging<L>>, command: &ChargeCommand) -> Outcome {
    loop {
        match charge_account(context, &account_id(), command).await {
            Ok(charged) if charged.posted.is_replay => return Outcome::Replayed,
            Ok(_) => return Outcome::Charged,
            Err(ChargeError::Refused(ChargeRefusal::InsufficientCredits { .. } | ChargeRefusal::LimitReached(_))) => {
                return Outcome::Refused;
            }
            Err(ChargeError::Store(error)) => assert!(error.is_retryable(), "{error:?}"),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Runs one task per key, checks the books, and returns how often each outcome occurred.
async fn run<W: Way>(balance: i64, keys: impl Iterator<Item = String>) -> BTreeMap<Outcome, usize> {
    let store = embedded_over::<W>().await;
    opened_with(&store.ledger, balance).await;
    store.database.faults().set_conflict_window(Some(Duration::from_millis(4)));
    let recording = store.database.record();
    let tasks = keys.map(|text| {
        let (context, command) = (charging(store.ledger.clone()), charge_command(&text, 60_000));
        tokio::spawn(async move { charge_once(&context, &command).await })
    });
    let mut outcomes = BTreeMap::new();
    for outcome in join_all(tasks.collect::<Vec<_>>()).await {
        *outcomes.entry(outcome.unwrap()).or_default() += 1;
    }
    let cancelled = recording.operations().iter().filter(|recorded| recorded.error.is_some()).count();
    assert!(cancelled > 0, "nothing collided");
    store.database.faults().clear();
    check_books(&store, balance, outcomes.get(&Outcome::Charged).copied().unwrap_or(0)).await;
    outcomes
}

/// The balance is the sum of the entries, and every charge that succeeded has exactly one entry.
async fn check_books<L: Ledger>(store: &Embedded<L>, bought: i64, charged: usize) {
    let account = store.ledger.account_get(&account_id()).await.unwrap().unwrap();
    let entries = store.ledger.history_page(&account.id, None, 100).await.unwrap();
    let sum: i64 = entries.iter().map(|entry| entry.credits.get()).sum();
    assert_eq!((account.balance.get(), sum), (bought - PRICE * charged as i64, account.balance.get()));
    assert!(!account.balance.is_negative());
    let seqs: Vec<_> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=charged as u64 + 1).rev().collect::<Vec<_>>());
    assert_eq!((account.seq, account.version), (charged as u64 + 1, charged as u64 + 2));
    let mut running = 0;
    for entry in entries.iter().rev() {
        running += entry.credits.get();
        assert_eq!(entry.balance_after.get(), running);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_charges_at_once_sell_exactly_what_is_there() {
    let expected = BTreeMap::from([(Outcome::Charged, 20), (Outcome::Refused, 44)]);
    assert_eq!(run::<Sdk>(205, (0..TASKS).map(|number| format!("job-{number}"))).await, expected);
    assert_eq!(run::<Direct>(205, (0..TASKS).map(|number| format!("job-{number}"))).await, expected);
}

/// Two spenders with 32 tasks each: one may spend 70 credits in all, and the account 200 on this day.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_charges_at_once_spend_exactly_what_the_limits_leave() {
    spend_within_limits::<Sdk>().await;
    spend_within_limits::<Direct>().await;
}

async fn spend_within_limits<W: Way>() {
    let store = embedded_over::<W>().await;
    let account = opened_with(&store.ledger, 1_000).await;
    let change = decide_account_limits(&account, Some(credits(205)), None, at(1)).unwrap();
    store.ledger.commit(&change).await.unwrap();
    let account = change.account;
    let bounds = Bounds { total: Some(credits(70)), ..Bounds::default() };
    let limited = spender("key-1");
    let change = decide_spender_limits(&account, (&limited, None), bounds, at(1)).unwrap();
    store.ledger.commit(&change).await.unwrap();
    store.database.faults().set_conflict_window(Some(Duration::from_millis(4)));
    let recording = store.database.record();
    let tasks = (0..TASKS).map(|number| {
        let (context, mut command) = (charging(store.ledger.clone()), charge_command(&format!("job-{number}"), 60_000));
        command.request.spender = Some(spender(["key-1", "key-2"][number % 2]));
        tokio::spawn(async move { (number % 2, charge_once(&context, &command).await) })
    });
    let mut charged = [0, 0];
    for outcome in join_all(tasks.collect::<Vec<_>>()).await {
        let (who, outcome) = outcome.unwrap();
        charged[who] += usize::from(outcome == Outcome::Charged);
    }
    assert!(recording.operations().iter().any(|recorded| recorded.error.is_some()), "nothing collided");
    store.database.faults().clear();
    assert!(charged[0] <= 7 && charged[0] + charged[1] == 20, "{charged:?}");
    let stored = store.ledger.spender_limits_get(&account.id, &limited).await.unwrap().unwrap();
    assert_eq!(stored.limits.total.unwrap().used, credits(PRICE * charged[0] as i64));
    let account = store.ledger.account_get(&account.id).await.unwrap().unwrap();
    assert_eq!((account.limits.day.unwrap().used, account.balance), (credits(200), credits(800)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_charges_at_once_are_all_taken_where_there_is_enough() {
    let expected = BTreeMap::from([(Outcome::Charged, 64)]);
    assert_eq!(run::<Sdk>(640, (0..TASKS).map(|number| format!("job-{number}"))).await, expected);
    assert_eq!(run::<Direct>(640, (0..TASKS).map(|number| format!("job-{number}"))).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_used_sixty_four_times_at_once_takes_its_credits_once() {
    let expected = BTreeMap::from([(Outcome::Charged, 1), (Outcome::Replayed, 63)]);
    assert_eq!(run::<Sdk>(1_000, (0..TASKS).map(|_| "job".to_owned())).await, expected);
    assert_eq!(run::<Direct>(1_000, (0..TASKS).map(|_| "job".to_owned())).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_keys_used_eight_times_each_at_once_take_their_credits_once_each() {
    let expected = BTreeMap::from([(Outcome::Charged, 8), (Outcome::Replayed, 56)]);
    assert_eq!(run::<Sdk>(1_000, (0..TASKS).map(|number| format!("job-{}", number % 8))).await, expected);
    assert_eq!(run::<Direct>(1_000, (0..TASKS).map(|number| format!("job-{}", number % 8))).await, expected);
}
