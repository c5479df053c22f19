//! The limits of spenders: read, listed by name, and removed.

use crate::ledger::samples::*;
use shared::domain::*;
use shared::ports::*;

pub async fn pages<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    let names = ["A", "a", "b.1", "key:1", "user@acme"];
    let records = names.iter().map(|name| Record::SpenderLimits(spender_limits(name, limits())));
    ledger.commit(&Change { records: records.collect(), ..changed(&account) }).await.unwrap();
    let neighbor = opening_of("acme2", "cus_2");
    ledger.commit(&neighbor).await.unwrap();
    for (after, limit, expected, has_more) in [
        (None, 100, &names[..], false),
        (None, 5, &names[..], false),
        (None, 4, &names[..4], true),
        (Some("a"), 2, &names[2..4], true),
        (Some("aa"), 2, &names[2..4], true),
        (Some("key:1"), 2, &names[4..], false),
        (Some("zzz"), 2, &[], false),
    ] {
        let after = after.map(spender);
        let page = ledger.spenders_page(&account.id, after.as_ref(), limit).await.unwrap();
        let listed: Vec<&str> = page.spenders.iter().map(|limits| limits.spender.as_str()).collect();
        assert_eq!((&listed[..], page.has_more), (expected, has_more), "after {after:?}, limit {limit}");
    }
    let page = ledger.spenders_page(&neighbor.account.id, None, 100).await.unwrap();
    assert_eq!(page, SpendersPage { spenders: vec![], has_more: false });
}

pub async fn removed<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    let record = Record::SpenderLimits(spender_limits("key-1", limits()));
    let set = Change { records: vec![record], ..changed(&account) };
    ledger.commit(&set).await.unwrap();
    let unlimited = || vec![Record::SpenderUnlimited(spender("key-1")), Record::SpenderUnlimited(spender("none"))];
    let stale = Change { records: unlimited(), ..changed(&account) };
    assert!(matches!(ledger.commit(&stale).await, Err(CommitError::Stale { .. })));
    let known = ledger.spender_limits_get(&account.id, &spender("key-1")).await.unwrap();
    assert_eq!(known, Some(spender_limits("key-1", limits())), "a refused change removes nothing");
    ledger.commit(&Change { records: unlimited(), ..changed(&set.account) }).await.unwrap();
    assert_eq!(ledger.spender_limits_get(&account.id, &spender("key-1")).await.unwrap(), None);
    let page = ledger.spenders_page(&account.id, None, 100).await.unwrap();
    assert_eq!(page.spenders, []);
}
