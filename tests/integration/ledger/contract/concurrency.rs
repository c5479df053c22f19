//! Concurrent charges on one account: each credit is sold only once, and every confirmed charge is written. R33
//!
//! Some engines pass all other tests and lose charges to each other here.

use crate::ledger::samples::*;
use futures::future::join_all;
use shared::domain::spending::Limit;
use shared::domain::*;
use shared::ports::*;

const TASKS: usize = 64;
const PRICE: i64 = 10;

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Charged,
    Replayed,
    Refused,
}

/// Decides on the account as a lost race returned it, until there is an answer.
async fn charge_once<L: Ledger>(ledger: &L, text: &str, mut account: Account) -> Outcome {
    while account.balance.get() >= PRICE {
        match ledger.commit(&posted(&account, -PRICE, charge(text))).await {
            Ok(()) => return Outcome::Charged,
            Err(CommitError::Duplicate { entries }) => {
                assert_eq!(entries[0].cause, charge(text));
                return Outcome::Replayed;
            }
            Err(CommitError::Stale { current }) => account = *current.unwrap(),
            Err(CommitError::Contended(error) | CommitError::Failed(error)) => {
                assert!(error.is_retryable(), "{error:?}");
                account = ledger.account_get(&account_id()).await.unwrap().unwrap();
            }
        }
    }
    Outcome::Refused
}

/// Runs one task per key concurrently, and returns the outcome of each.
async fn run<L: Ledger>(ledger: &L, balance: i64, keys: &[String]) -> Vec<Outcome> {
    opened_with(ledger, balance).await;
    // All read before one charges: an engine that answers on the calling thread would let each task charge from
    // beginning to end before the next one reads, and nothing would ever collide.
    let id = account_id();
    let read = join_all(keys.iter().map(|_| ledger.account_get(&id))).await;
    let accounts = read.into_iter().map(|account| account.unwrap().unwrap());
    let outcomes = join_all(keys.iter().zip(accounts).map(|(text, account)| charge_once(ledger, text, account))).await;
    let charged = outcomes.iter().filter(|outcome| **outcome == Outcome::Charged).count();
    let account = ledger.account_get(&account_id()).await.unwrap().unwrap();
    let entries = ledger.history_page(&account.id, None, 100).await.unwrap();
    assert_eq!(entries.len(), charged + 1, "one entry per confirmed charge, and the purchase");
    let sum: i64 = entries.iter().map(|entry| entry.credits.get()).sum();
    assert_eq!((account.balance.get(), sum), (balance - PRICE * charged as i64, account.balance.get()));
    assert_eq!(account.seq, charged as u64 + 1);
    outcomes
}

pub async fn oversell<L: Ledger>(ledger: &L) {
    let keys: Vec<String> = (0..TASKS).map(|number| format!("job-{number}")).collect();
    let outcomes = run(ledger, 205, &keys).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Charged).count(), 20);
    for (text, outcome) in keys.iter().zip(outcomes) {
        let entry = ledger.entry_get(&account_id(), &Origin::Charge(key(text))).await.unwrap();
        assert_eq!(entry.is_some(), outcome == Outcome::Charged, "{text}");
    }
}

/// Counts against a limit in the charge's own change, as read with the account.
async fn spend_once<L: Ledger>(ledger: &L, text: &str, mut account: Account) -> Outcome {
    let named = spender("key-1");
    loop {
        let mut limits = ledger.spender_limits_get(&account.id, &named).await.unwrap().unwrap();
        let limit = limits.limits.total.as_mut().unwrap();
        if limit.left() < credits(PRICE) {
            return Outcome::Refused;
        }
        limit.used = limit.used.plus(credits(PRICE)).unwrap();
        let change = posted(&account, -PRICE, charge(text));
        match ledger.commit(&Change { records: vec![Record::SpenderLimits(limits)], ..change }).await {
            Ok(()) => return Outcome::Charged,
            Err(CommitError::Stale { current }) => account = *current.unwrap(),
            Err(CommitError::Contended(error) | CommitError::Failed(error)) => {
                assert!(error.is_retryable(), "{error:?}");
                account = ledger.account_get(&account_id()).await.unwrap().unwrap();
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// R33: what is read after the account is at least as new, and the commit fails if it is newer.
pub async fn limit<L: Ledger>(ledger: &L) {
    let account = opened_with(ledger, 1_000).await;
    let limited = spender_limits("key-1", Limits { day: None, month: None, ..limits() });
    let limited = SpenderLimits {
        limits: Limits {
            total: limited.limits.total.map(|limit| Limit { max: credits(2_105), ..limit }),
            ..limited.limits
        },
        ..limited
    };
    let set = Change { records: vec![Record::SpenderLimits(limited)], ..changed(&account) };
    ledger.commit(&set).await.unwrap();
    let keys: Vec<String> = (0..TASKS).map(|number| format!("job-{number}")).collect();
    let tasks = keys.iter().map(|text| spend_once(ledger, text, set.account.clone()));
    let outcomes = join_all(tasks).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Charged).count(), 10);
    let limits = ledger.spender_limits_get(&account_id(), &spender("key-1")).await.unwrap().unwrap();
    assert_eq!(limits.limits.total.unwrap().used, credits(2_100));
    assert_eq!(ledger.account_get(&account_id()).await.unwrap().unwrap().balance, credits(900));
}

pub async fn one_key<L: Ledger>(ledger: &L) {
    let outcomes = run(ledger, 1_000, &vec!["job".to_owned(); TASKS]).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Charged).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Replayed).count(), TASKS - 1);
}
