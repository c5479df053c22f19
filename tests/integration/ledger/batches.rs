//! Sixty-four concurrent batches and single charges of the same keys, with transaction conflicts as in AWS.

use super::clients::{Direct, Sdk, Way};
use super::concurrency::{Charging, charging};
use super::cost::charge_command;
use super::samples::*;
use super::stores::embedded_over;
use futures::future::join_all;
use shared::domain::charging::ChargeRefusal;
use shared::domain::{AccountId, Cause, Entry, PurchaseId};
use shared::ports::*;
use shared::use_cases::Context;
use shared::use_cases::charging::{BatchCharge, BatchLimits, ChargeError, Charged, charge, charge_batch};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const TASKS: usize = 64;
const PRICE: i64 = 10;
/// How many keys each account is charged under.
const KEYS: usize = 24;
const ACCOUNTS: [&str; 2] = ["acme", "globex"];
/// So small that a batch needs several transactions.
const LIMITS: BatchLimits = BatchLimits { together_max: 5, accounts_at_once: 2 };

fn charge_of(account: &str, key: usize) -> BatchCharge {
    let account = AccountId::parse(account).unwrap();
    BatchCharge { account, command: charge_command(&format!("job-{}", key % KEYS), 60_000) }
}

/// A single charge, or a batch of six neighboring keys of one account and two of the other one.
fn charges_of(task: usize) -> Vec<BatchCharge> {
    let (account, other) = (ACCOUNTS[task % 2], ACCOUNTS[(task + 1) % 2]);
    if task % 4 == 3 {
        return vec![charge_of(account, task)];
    }
    let own = (0..6).map(|offset| charge_of(account, task * 5 + offset));
    own.chain((0..2).map(|offset| charge_of(other, task * 7 + offset))).collect()
}

/// Each charge with its entry, or `None` if it is refused.
type Answers = Vec<(BatchCharge, Option<(Entry, bool)>)>;

/// Sends the charges until each of them is answered.
async fn ask<L: Ledger + 'static>(context: &Context<Charging<L>>, mut open: Vec<BatchCharge>) -> Answers {
    let mut answers = vec![];
    while !open.is_empty() {
        let mut results = vec![];
        if let [single] = &open[..] {
            match charge(context, &single.account, &single.command).await {
                Err(ChargeError::Store(error)) => assert!(error.is_retryable(), "{error:?}"),
                answer => results.push((0, answer)),
            }
        } else {
            charge_batch(context, &open, LIMITS, |part| {
                assert!(part.unanswered.is_none_or(|left| left.error.is_retryable()));
                results.extend(part.answers);
            })
            .await;
        }
        let mut left = open.clone();
        for (position, answer) in results {
            let asked = &open[position];
            left.retain(|charge| charge != asked);
            answers.push((asked.clone(), entry_of(answer)));
        }
        open = left;
    }
    answers
}

fn entry_of(answer: Result<Charged, ChargeError>) -> Option<(Entry, bool)> {
    match answer {
        Ok(charged) => Some((charged.posted.entry, charged.posted.is_replay)),
        Err(ChargeError::Refused(ChargeRefusal::InsufficientCredits { balance, required, .. })) => {
            assert!(balance < required);
            None
        }
        Err(other) => panic!("{other}"),
    }
}

/// Returns how many keys of each account were charged.
async fn run<W: Way>(balances: [i64; 2]) -> [usize; 2] {
    let store = embedded_over::<W>().await;
    for (account, balance) in ACCOUNTS.iter().zip(balances) {
        open(&store.ledger, account, balance).await;
    }
    store.database.faults().set_conflict_window(Some(Duration::from_millis(1)));
    let context = Arc::new(charging(store.ledger.clone()));
    let tasks = (0..TASKS).map(|task| {
        let context = Arc::clone(&context);
        tokio::spawn(async move { ask(&context, charges_of(task)).await })
    });
    let answered = join_all(tasks.collect::<Vec<_>>()).await;
    store.database.faults().clear();
    let answers: Answers = answered.into_iter().flat_map(Result::unwrap).collect();
    let mut charged = [0; 2];
    for (place, account) in ACCOUNTS.iter().enumerate() {
        charged[place] = check_books(&store.ledger, account, balances[place], &answers).await;
    }
    charged
}

async fn open<L: Ledger>(ledger: &L, account: &str, balance: i64) {
    let opening = opening_of(account, &format!("cus_{account}"));
    ledger.commit(&opening).await.unwrap();
    let bought = Cause::Purchase { purchase: PurchaseId::mint(1), package: package_id() };
    ledger.commit(&posted(&opening.account, balance, bought)).await.unwrap();
}

/// Each key was charged at most once, exactly one request was told that it did so, all others got that same entry, and
/// the balance is the sum of the entries. Returns how many keys were charged.
async fn check_books<L: Ledger>(ledger: &L, account: &str, bought: i64, answers: &Answers) -> usize {
    let id = AccountId::parse(account).unwrap();
    let stored = ledger.account_get(&id).await.unwrap().unwrap();
    let entries = ledger.history_page(&id, None, 100).await.unwrap();
    let sum: i64 = entries.iter().map(|entry| entry.credits.get()).sum();
    let charged = entries.len() - 1;
    assert_eq!((stored.balance.get(), sum), (bought - PRICE * charged as i64, stored.balance.get()));
    assert!(!stored.balance.is_negative());
    assert_eq!(stored.seq, charged as u64 + 1);
    let mut by_key: BTreeMap<String, Vec<(Entry, bool)>> = BTreeMap::new();
    for (asked, answer) in answers.iter().filter(|(asked, _)| asked.account == id) {
        by_key.entry(asked.command.request.key.to_string()).or_default().extend(answer.clone());
    }
    by_key.retain(|_, answers| !answers.is_empty());
    assert_eq!(by_key.len(), charged, "whoever was answered was charged, and the other way round");
    for (key, answers) in by_key {
        // An answer of 503 may hide that a request posted the charge. Its repetition is then told that it is a replay.
        assert!(answers.iter().filter(|(_, is_replay)| !is_replay).count() <= 1, "{key} is posted twice");
        assert!(answers.iter().all(|(entry, _)| entries.contains(entry) && *entry == answers[0].0), "{key}");
    }
    charged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_overlapping_batches_and_charges_take_each_charge_once() {
    assert_eq!(run::<Direct>([1_000, 1_000]).await, [KEYS, KEYS]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_overlapping_batches_and_charges_sell_exactly_what_is_there() {
    assert_eq!(run::<Sdk>([105, 70]).await, [10, 7]);
}
