//! Erasing what is personal: the items of an account page by page, and what takes their place.

use crate::ledger::samples::*;
use shared::domain::account::decide_open_account;
use shared::domain::charging::RefusalPlace;
use shared::domain::payments::AskedCard;
use shared::domain::support::{Erasure, ItemKey, PersonalItem};
use shared::domain::*;
use shared::ports::*;

fn erasure(after: Option<&ItemKey>) -> Erasure {
    Erasure { started_at: at(7), after: after.cloned(), items: 3, completed_at: after.map(|_| at(8)) }
}

fn place(slot: u8) -> RefusalPlace {
    RefusalPlace::new(1, slot).unwrap()
}

/// An account with an item of each kind that may be personal.
async fn filled<L: Ledger>(ledger: &L) -> Account {
    let mut account = opened(ledger).await;
    let cause = causes().into_iter().find(|cause| matches!(cause, Cause::Charge { reference: Some(_), .. })).unwrap();
    let mut change = posted(&account, 500, cause);
    change.records = vec![
        Record::PendingCharge(pending("job:9")),
        Record::Purchase(complete_purchase()),
        Record::Consent(consent_record()),
        Record::SpendingChange(spending_change()),
        Record::SpenderLimits(spender_limits("key-1", limits())),
        Record::Contacts(Box::new(contacts())),
        Record::AskedCard(asked_card()),
        Record::Erasure(erasure(None)),
    ];
    change.notices = notice_kinds().map(notice)[..1].to_vec();
    ledger.commit(&change).await.unwrap();
    account = change.account;
    ledger.usage_fold(&account.id, &usage_fold(0, 11)).await.unwrap();
    for slot in 0..2 {
        ledger.refusal_row_put(&refusal_row(place(slot), refused_one())).await.unwrap();
    }
    // Of another account, whose name begins like this one's.
    let email = EmailAddress::parse("other@example.com").unwrap();
    let other = AccountId::parse("acme2").unwrap();
    ledger.commit(&decide_open_account(other, email, customer_id("cus_2"), Salt::of(8), at(0))).await.unwrap();
    account
}

async fn all<L: Ledger>(ledger: &L, account: &AccountId, limit: u8) -> Vec<PersonalItem> {
    let (mut items, mut after) = (vec![], None);
    loop {
        let page = ledger.erasable_items(account, after.as_ref(), limit).await.unwrap();
        assert!(page.items.len() <= limit.into());
        items.extend(page.items);
        assert!(page.next.is_none() || page.next > after, "the place does not move on");
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

pub async fn pages<L: Ledger>(ledger: &L) {
    let account = filled(ledger).await.id;
    let whole = all(ledger, &account, 90).await;
    let count = |is_such: &dyn Fn(&PersonalItem) -> bool| whole.iter().filter(|item| is_such(item)).count();
    assert_eq!(count(&|item| matches!(item, PersonalItem::Entry(entry) if entry.seq == 1)), 1);
    assert_eq!(count(&|item| *item == PersonalItem::PendingCharge(pending("job:9"))), 1);
    assert_eq!(count(&|item| *item == PersonalItem::Purchase(complete_purchase())), 1);
    assert_eq!(count(&|item| *item == PersonalItem::Consent(consent_record())), 1);
    assert_eq!(count(&|item| *item == PersonalItem::SpendingChange(at(6))), 1);
    assert_eq!(count(&|item| *item == PersonalItem::SpenderLimits(spender("key-1"))), 1);
    assert_eq!(count(&|item| *item == PersonalItem::Notice(NoticeId::mint(8))), 1);
    assert_eq!(count(&|item| *item == PersonalItem::Contacts), 1);
    assert_eq!(count(&|item| *item == PersonalItem::AskedCard), 1);
    assert_eq!(count(&|item| matches!(item, PersonalItem::UsageRow(_))), 2);
    assert_eq!(count(&|item| [0, 1].map(|slot| PersonalItem::Refusal(place(slot))).contains(item)), 2);
    assert_eq!(whole.len(), 13, "and nothing else");
    for limit in [1, 4] {
        assert_eq!(all(ledger, &account, limit).await, whole, "{limit} a page");
    }
    assert_eq!(all(ledger, &AccountId::parse("acme2").unwrap(), 90).await, []);
    assert_eq!(all(ledger, &AccountId::parse("nobody").unwrap(), 90).await, []);
}

pub async fn writes<L: Ledger>(ledger: &L) {
    let account = filled(ledger).await;
    let id = account.id.clone();
    let page = ledger.erasable_items(&id, None, 90).await.unwrap();
    let entry = page.items.iter().find_map(|item| match item {
        PersonalItem::Entry(entry) => Some(entry.clone()),
        _ => None,
    });
    let (entry, salt) = (entry.unwrap(), account.chain.unwrap().salt);
    let mut change = changed(&account);
    (change.account.email, change.account.closed_at) = (None, Some(at(7)));
    let done = erasure(Some(&ItemKey::new("a")));
    change.records = vec![
        Record::ErasedEntry(entry.erased(&salt)),
        Record::SpendingForgotten(at(6)),
        Record::RefusalForgotten(place(0)),
        Record::NoticeForgotten(NoticeId::mint(8)),
        Record::ContactsForgotten,
        Record::AskedCardForgotten,
        Record::Erasure(done.clone()),
    ];
    assert_eq!(ledger.erasure_get(&id).await.unwrap(), Some(erasure(None)));
    ledger.commit(&change).await.unwrap();
    assert_eq!(ledger.account_get(&id).await.unwrap(), Some(change.account.clone()));
    assert_eq!(ledger.entry_get(&id, &entry.origin()).await.unwrap(), Some(entry.erased(&salt)));
    assert_eq!(ledger.history_page(&id, None, 10).await.unwrap(), [entry.erased(&salt)], "the index follows");
    assert_eq!(ledger.spending_change_get(&id, at(6)).await.unwrap(), None);
    assert_eq!(ledger.notice_get(&id, &NoticeId::mint(8)).await.unwrap(), None);
    assert_eq!(ledger.contacts_get(&id).await.unwrap(), None);
    assert_eq!(ledger.asked_card_get(&id).await.unwrap(), AskedCard::default());
    assert_eq!(ledger.erasure_get(&id).await.unwrap(), Some(done));
    let left = ledger.refusals_page(&id, RefusalPlace::new(0, 0).unwrap(), None, 100).await.unwrap().rows;
    assert_eq!(left.iter().map(|row| row.place).collect::<Vec<_>>(), [place(1)]);
    let stale = ledger.commit(&change).await;
    assert!(matches!(stale, Err(CommitError::Stale { .. })), "{stale:?}");
}
