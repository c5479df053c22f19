//! A change is written atomically, and a refused change has a reason.

use crate::ledger::samples::*;
use shared::domain::charging::CHARGES_TOGETHER_MAX;
use shared::domain::*;
use shared::ports::*;

pub async fn creation<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    match ledger.commit(&opening()).await {
        Err(CommitError::Stale { current: Some(current) }) => assert_eq!(*current, account),
        other => panic!("{other:?}"),
    }
    let later = changed(&account);
    ledger.commit(&later).await.unwrap();
    match ledger.commit(&opening()).await {
        Err(CommitError::Stale { current: Some(current) }) => assert_eq!(*current, later.account),
        other => panic!("{other:?}"),
    }
}

pub async fn taken_customer<L: Ledger>(ledger: &L) {
    let first = opened(ledger).await;
    let second = opening_of("other", "cus_1");
    match ledger.commit(&second).await {
        Err(CommitError::Failed(error)) => assert!(!error.is_retryable(), "{error:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(ledger.account_get(&second.account.id).await.unwrap(), None);
    assert_eq!(ledger.customer_account_get(&first.customer).await.unwrap(), Some(first.id));
}

pub async fn stale<L: Ledger>(ledger: &L) {
    let account = opened_with(ledger, 100).await;
    let winner = posted(&account, -10, charge("first"));
    ledger.commit(&winner).await.unwrap();
    let ahead = Account { version: account.version + 5, ..account.clone() };
    for loser in [posted(&account, -20, charge("second")), changed(&account), changed(&ahead)] {
        match ledger.commit(&loser).await {
            Err(CommitError::Stale { current: Some(current) }) => assert_eq!(*current, winner.account),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ledger.entry_get(&account.id, &Origin::Charge(key("second"))).await.unwrap(), None);
}

pub async fn stale_absent<L: Ledger>(ledger: &L) {
    match ledger.commit(&posted(&opening().account, -10, charge("first"))).await {
        Err(CommitError::Stale { current: None }) => {}
        other => panic!("{other:?}"),
    }
}

/// With the account as it was read and with a newer account: the replay takes precedence.
pub async fn duplicate<L: Ledger>(ledger: &L) {
    let account = opened_with(ledger, 100).await;
    let first = posted(&account, -10, charge("job"));
    ledger.commit(&first).await.unwrap();
    for decided_on in [&first.account, &account] {
        match ledger.commit(&posted(decided_on, -20, charge("job"))).await {
            Err(CommitError::Duplicate { entries }) => assert_eq!(entries, first.entries),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ledger.account_get(&account.id).await.unwrap(), Some(first.account));
}

/// All entries that exist already are told, in the order of the change, and none of the others is written: with the
/// account as it was read and with a newer account.
pub async fn some_duplicates<L: Ledger>(ledger: &L) {
    let account = opened_with(ledger, 100).await;
    let first = posted_all(&account, &["b", "d"]);
    ledger.commit(&first).await.unwrap();
    for decided_on in [&first.account, &account] {
        match ledger.commit(&posted_all(decided_on, &["a", "d", "c", "b"])).await {
            Err(CommitError::Duplicate { entries }) => {
                assert_eq!(entries, [first.entries[1].clone(), first.entries[0].clone()]);
            }
            other => panic!("{other:?}"),
        }
    }
    for text in ["a", "c"] {
        assert_eq!(ledger.entry_get(&account.id, &Origin::Charge(key(text))).await.unwrap(), None);
    }
    assert_eq!(ledger.account_get(&account.id).await.unwrap(), Some(first.account));
}

/// As many entries as a batch writes at most.
pub async fn many_entries<L: Ledger>(ledger: &L) {
    let account = opened_with(ledger, 100).await;
    let keys: Vec<String> = (0..CHARGES_TOGETHER_MAX).map(|number| format!("job-{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let change = posted_all(&account, &keys);
    ledger.commit(&change).await.unwrap();
    let mut history = ledger.history_page(&account.id, None, 49).await.unwrap();
    history.reverse();
    assert_eq!(history, change.entries);
    match ledger.commit(&posted_all(&change.account, &keys)).await {
        Err(CommitError::Duplicate { entries }) => assert_eq!(entries, change.entries),
        other => panic!("{other:?}"),
    }
    assert_eq!(ledger.account_get(&account.id).await.unwrap(), Some(change.account));
}

/// The next version of the account with a charge of one credit for each key.
fn posted_all(account: &Account, keys: &[&str]) -> Change {
    keys.iter().fold(changed(account), |change, text| {
        let mut next = posted(&change.account, -1, charge(text));
        next.account.version = change.account.version;
        Change { entries: [change.entries, next.entries].concat(), ..next }
    })
}

pub async fn all_or_nothing<L: Ledger>(ledger: &L) {
    let account = opened_with(ledger, 100).await;
    let first = posted(&account, -10, charge("job"));
    ledger.commit(&first).await.unwrap();
    let everything = |change: Change| Change {
        records: vec![
            Record::PendingCharge(pending("job:5")),
            Record::Purchase(complete_purchase()),
            Record::PurchaseKey { key: key("buy:1"), purchase: PurchaseId::mint(5) },
            Record::TopUp(complete_top_up()),
            Record::Consent(consent_record()),
        ],
        notices: vec![notice(notice_kinds()[0].clone())],
        events: outbound_events(),
        ..change
    };
    let refused = [posted(&first.account, -20, charge("job")), posted(&account, -20, charge("other"))];
    for change in refused.map(everything) {
        ledger.commit(&change).await.unwrap_err();
        assert_eq!(ledger.account_get(&account.id).await.unwrap(), Some(first.account.clone()));
        assert_eq!(
            ledger.entry_get(&account.id, &Origin::Charge(key("job"))).await.unwrap(),
            first.entries.first().cloned()
        );
        assert_eq!(ledger.entry_get(&account.id, &Origin::Charge(key("other"))).await.unwrap(), None);
        assert_eq!(ledger.pending_charge_get(&account.id, &key("job:5")).await.unwrap(), None);
        assert_eq!(ledger.purchase_get(&account.id, &PurchaseId::mint(5)).await.unwrap(), None);
        assert_eq!(ledger.purchase_id_get(&account.id, &key("buy:1")).await.unwrap(), None);
        assert_eq!(ledger.top_up_get(&account.id, &TopUpId::mint(6)).await.unwrap(), None);
        assert_eq!(ledger.consent_get(&account.id, &ConsentId::mint(1)).await.unwrap(), None);
        assert_eq!(ledger.notice_get(&account.id, &NoticeId::mint(8)).await.unwrap(), None);
    }
    let accepted = everything(posted(&first.account, -20, charge("other")));
    ledger.commit(&accepted).await.unwrap();
    assert_eq!(ledger.account_get(&account.id).await.unwrap(), Some(accepted.account));
    assert_eq!(
        ledger.entry_get(&account.id, &Origin::Charge(key("other"))).await.unwrap(),
        accepted.entries.first().cloned()
    );
    assert_eq!(ledger.purchase_get(&account.id, &PurchaseId::mint(5)).await.unwrap(), Some(complete_purchase()));
    assert_eq!(ledger.top_up_get(&account.id, &TopUpId::mint(6)).await.unwrap(), Some(complete_top_up()));
    assert_eq!(ledger.notice_get(&account.id, &NoticeId::mint(8)).await.unwrap(), accepted.notices.into_iter().next());
}

/// Takes a ledger on which the first answer to every commit gets lost. R33
pub async fn lost_answer<L: Ledger>(ledger: &L) {
    let account = opened_with(ledger, 100).await;
    let first = posted(&account, -10, charge("job"));
    ledger.commit(&first).await.unwrap();
    assert_eq!(ledger.account_get(&account.id).await.unwrap(), Some(first.account.clone()));
    assert_eq!(
        ledger.entry_get(&account.id, &Origin::Charge(key("job"))).await.unwrap(),
        first.entries.first().cloned()
    );
    assert_eq!(ledger.history_page(&account.id, None, 100).await.unwrap().len(), 2);
}

pub async fn replaced_records<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    let full = Change { records: vec![Record::Purchase(complete_purchase())], ..changed(&account) };
    ledger.commit(&full).await.unwrap();
    let bare = purchase(PurchaseStatus::Expired);
    let change = Change { records: vec![Record::Purchase(bare.clone())], ..changed(&full.account) };
    ledger.commit(&change).await.unwrap();
    assert_eq!(
        ledger.purchase_get(&account.id, &bare.id).await.unwrap(),
        Some(bare),
        "no attribute of the old one is left"
    );
}
