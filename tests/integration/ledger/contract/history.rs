//! The history, page by page.

use crate::ledger::samples::*;
use shared::domain::*;
use shared::ports::*;

pub async fn pages<L: Ledger>(ledger: &L) {
    let account = twelve_entries(ledger).await;
    for (before, limit, expected) in [
        (None, 100, (1..=12).rev().collect::<Vec<u64>>()),
        (None, 5, vec![12, 11, 10, 9, 8]),
        (Some(8), 5, vec![7, 6, 5, 4, 3]),
        (Some(3), 5, vec![2, 1]),
        (Some(1), 5, vec![]),
        (Some(12), 1, vec![11]),
        (Some(u64::MAX), 1, vec![12]),
        (None, 0, vec![12]),
    ] {
        let page = ledger.history_page(&account, before, limit).await.unwrap();
        let seqs: Vec<_> = page.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, expected, "before {before:?}, limit {limit}");
    }
}

pub async fn stored<L: Ledger>(ledger: &L) {
    let account = twelve_entries(ledger).await;
    for (from, limit, expected) in [
        (0, 1_000, (1..=12).collect::<Vec<u64>>()),
        (1, 5, vec![1, 2, 3, 4, 5]),
        (9, 5, vec![9, 10, 11, 12]),
        (12, 1, vec![12]),
        (13, 5, vec![]),
        (u64::MAX, 5, vec![]),
    ] {
        let page = ledger.stored_entries(&account, from, limit).await.unwrap();
        let seqs: Vec<_> = page.entries.iter().map(|entry| entry.as_ref().unwrap().seq).collect();
        assert_eq!(seqs, expected, "from {from}, limit {limit}");
        // After a full page, more may follow.
        let is_full = seqs.len() == limit as usize;
        assert!(page.has_more == is_full || is_full, "from {from}, limit {limit}");
    }
}

pub async fn only_entries<L: Ledger>(ledger: &L) {
    let account = twelve_entries(ledger).await;
    let other = opening_of("acme2", "cus_2");
    ledger.commit(&other).await.unwrap();
    let change = posted(&other.account, 5, charge("1"));
    ledger.commit(&change).await.unwrap();
    let stored = ledger.account_get(&account).await.unwrap().unwrap();
    let records = vec![
        Record::Purchase(complete_purchase()),
        Record::PendingCharge(pending("job:5")),
        Record::TopUp(complete_top_up()),
        Record::Consent(consent_record()),
    ];
    let notices = vec![notice(notice_kinds()[0].clone())];
    ledger.commit(&Change { records, notices, ..changed(&stored) }).await.unwrap();

    let page = ledger.history_page(&account, None, 100).await.unwrap();
    assert_eq!(page.len(), 12);
    for entry in page {
        assert_eq!(ledger.entry_get(&account, &entry.origin()).await.unwrap(), Some(entry));
    }
    assert_eq!(ledger.history_page(&change.account.id, None, 100).await.unwrap(), change.entries);
}

/// More than nine entries, so that sorting them as text would be noticed.
async fn twelve_entries<L: Ledger>(ledger: &L) -> AccountId {
    let mut account = opened(ledger).await;
    for number in 1..=12 {
        let change = posted(&account, 1, charge(&format!("{number}")));
        ledger.commit(&change).await.unwrap();
        account = change.account;
    }
    account.id
}
