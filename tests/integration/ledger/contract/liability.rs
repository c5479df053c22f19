//! The directory of all accounts, imports, and the days of the liability.

use crate::ledger::samples::*;
use shared::domain::liability::{ClosedDays, LiabilityRow};
use shared::domain::support::Imported;
use shared::domain::*;
use shared::ports::*;
use std::collections::BTreeSet;

pub async fn directory<L: Ledger>(ledger: &L) {
    assert_eq!(ledger.listed_get(&account_id()).await.unwrap(), None);
    let names: BTreeSet<String> = (0..40).map(|number| format!("customer_{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        ledger.commit(&opening_of(name, &format!("cus_{number}"))).await.unwrap();
    }
    let (mut found, mut shards) = (vec![], 0);
    for shard in Shard::all() {
        let (mut after, mut of_shard) = (None, vec![]);
        loop {
            let page = ledger.accounts_page(shard, after.as_ref(), 2).await.unwrap();
            assert!(page.accounts.len() == 2 || !page.has_more, "{page:?}");
            of_shard.extend(page.accounts.iter().map(|listed| listed.account.to_string()));
            assert!(page.accounts.iter().all(|listed| listed.listed_at == at(0)));
            after = page.accounts.last().map(|listed| listed.account.clone()).or(after);
            if !page.has_more {
                break;
            }
        }
        assert!(of_shard.is_sorted(), "{of_shard:?}");
        shards += usize::from(!of_shard.is_empty());
        found.extend(of_shard);
    }
    found.sort();
    assert_eq!(found, names.into_iter().collect::<Vec<_>>());
    assert!(shards > 8, "spread over {shards} shards");
    let first = AccountId::parse("customer_0").unwrap();
    let listed = ledger.listed_get(&first).await.unwrap();
    assert_eq!(listed, Some(ListedAccount { account: first, listed_at: at(0) }));
}

pub async fn imports<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    assert_eq!(ledger.imported_get(&source_id()).await.unwrap(), None);
    let first = Change { records: vec![Record::Imported(imported())], ..changed(&account) };
    ledger.commit(&first).await.unwrap();
    assert_eq!(ledger.imported_get(&source_id()).await.unwrap(), Some(imported()));
    let other = opening_of("globex", "cus_2");
    ledger.commit(&other).await.unwrap();
    let again = Imported { account: other.account.id.clone(), credits: credits(5), ..imported() };
    let again = Change { records: vec![Record::Imported(again)], ..changed(&other.account) };
    assert!(matches!(ledger.commit(&again).await, Err(CommitError::Failed(LedgerError::Broken { .. }))));
    assert_eq!(ledger.imported_get(&source_id()).await.unwrap(), Some(imported()));
    assert_eq!(ledger.account_get(&other.account.id).await.unwrap(), Some(other.account), "all or nothing");
}

fn is_stale(answer: Result<(), ReplaceError>) -> bool {
    matches!(answer, Err(ReplaceError::Stale))
}

pub async fn rows<L: Ledger>(ledger: &L) {
    let (shard, first) = (liability_shard(), liability_row());
    let stored = async || ledger.liability_row_get(first.day, shard).await.unwrap();
    assert_eq!(stored().await, None);
    assert!(is_stale(ledger.liability_row_put(shard, &first, Some(&first)).await), "nothing to replace");
    ledger.liability_row_put(shard, &first, None).await.unwrap();
    assert_eq!(stored().await, Some(first.clone()));
    assert!(is_stale(ledger.liability_row_put(shard, &first, None).await), "it has begun");
    let next = LiabilityRow { after: AccountId::parse("b").ok(), accounts: 5, ..first.clone() };
    ledger.liability_row_put(shard, &next, Some(&first)).await.unwrap();
    assert!(is_stale(ledger.liability_row_put(shard, &next, Some(&first)).await), "the same page again");
    let last = LiabilityRow { is_complete: true, ..next.clone() };
    ledger.liability_row_put(shard, &last, Some(&next)).await.unwrap();
    assert!(is_stale(ledger.liability_row_put(shard, &last, Some(&next)).await), "it is complete");
    assert_eq!(stored().await, Some(last.clone()));
    let empty = LiabilityRow { after: None, ..last.clone() };
    ledger.liability_row_put(Shard::of(8), &empty, None).await.unwrap();
    let other = LiabilityRow { day: first.day.yesterday().unwrap(), ..empty.clone() };
    ledger.liability_row_put(Shard::of(8), &other, None).await.unwrap();
    assert_eq!(ledger.liability_rows(first.day).await.unwrap(), [last, empty]);
}

pub async fn closed<L: Ledger>(ledger: &L) {
    let first = closed_days();
    assert_eq!(ledger.closed_days_get().await.unwrap(), None);
    assert!(is_stale(ledger.closed_days_put(&first, Some(&first)).await));
    ledger.closed_days_put(&first, None).await.unwrap();
    assert!(is_stale(ledger.closed_days_put(&first, None).await));
    let next = ClosedDays { through: first.next().unwrap(), ..first };
    ledger.closed_days_put(&next, Some(&first)).await.unwrap();
    assert!(is_stale(ledger.closed_days_put(&next, Some(&first)).await));
    assert_eq!(ledger.closed_days_get().await.unwrap(), Some(next));
}
