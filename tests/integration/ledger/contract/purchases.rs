//! An account's purchases, page by page. R30

use crate::ledger::samples::*;
use shared::domain::*;
use shared::ports::*;

pub async fn pages<L: Ledger>(ledger: &L) {
    let account = with_purchases(ledger, 1..=12).await;
    for (after, limit, expected, has_more) in [
        (None, 100, (1..=12).rev().collect::<Vec<u128>>(), false),
        (None, 12, (1..=12).rev().collect(), false),
        (None, 11, (2..=12).rev().collect(), true),
        (None, 5, vec![12, 11, 10, 9, 8], true),
        (Some(8), 5, vec![7, 6, 5, 4, 3], true),
        (Some(3), 5, vec![2, 1], false),
        (Some(3), 2, vec![2, 1], false),
        (Some(1), 5, vec![], false),
        (Some(0), 5, vec![], false),
        (Some(100), 1, vec![12], true),
        (Some(u128::MAX), 1, vec![12], true),
        (None, 0, vec![12], true),
    ] {
        let after = after.map(PurchaseId::mint);
        let page = ledger.purchases_page(&account.id, after.as_ref(), limit).await.unwrap();
        let expected = expected.into_iter().map(purchase_number).collect();
        assert_eq!(page, PurchasesPage { purchases: expected, has_more }, "after {after:?}, limit {limit}");
    }
}

/// Ids sort by time, so a purchase that is made later is above the following pages, even if it is only a little later.
pub async fn opened_meanwhile<L: Ledger>(ledger: &L) {
    let mut account = with_purchases(ledger, 1..=12).await;
    let (mut shown, mut after): (Vec<Purchase>, _) = (vec![], None);
    for number in 13..20 {
        let page = ledger.purchases_page(&account.id, after.as_ref(), 5).await.unwrap();
        after = page.purchases.last().map(|purchase| purchase.id.clone());
        shown.extend(page.purchases);
        if !page.has_more {
            break;
        }
        let change = buying(&account, number);
        ledger.commit(&change).await.unwrap();
        account = change.account;
    }
    assert_eq!(shown, (1..=12).rev().map(purchase_number).collect::<Vec<_>>());
    let page = ledger.purchases_page(&account.id, None, 2).await.unwrap();
    assert_eq!(page.purchases, [14, 13].map(purchase_number), "a list from the start has them immediately");
}

/// With items of every other kind, and with an account whose id has the same beginning.
pub async fn only_own<L: Ledger>(ledger: &L) {
    let account = with_purchases(ledger, 1..=2).await;
    let records = vec![
        Record::PurchaseKey { key: key("pur_1"), purchase: PurchaseId::mint(9) },
        Record::PendingCharge(pending("job:5")),
        Record::TopUp(complete_top_up()),
        Record::Consent(consent_record()),
    ];
    let notices = vec![notice(notice_kinds()[0].clone())];
    let bought = Cause::Purchase { purchase: PurchaseId::mint(9), package: package_id() };
    ledger.commit(&Change { records, notices, ..posted(&account, 500, bought) }).await.unwrap();
    let neighbor = opening_of("acme2", "cus_2");
    ledger.commit(&neighbor).await.unwrap();
    let theirs = Purchase { account: neighbor.account.id.clone(), ..purchase_number(3) };
    let change = Change { records: vec![Record::Purchase(theirs.clone())], ..changed(&neighbor.account) };
    ledger.commit(&change).await.unwrap();

    let page = ledger.purchases_page(&account.id, None, 100).await.unwrap();
    assert_eq!(page, PurchasesPage { purchases: [2, 1].map(purchase_number).into(), has_more: false });
    let after = PurchaseId::mint(2);
    let page = ledger.purchases_page(&neighbor.account.id, Some(&after), 100).await.unwrap();
    assert_eq!(page.purchases, [], "another account's purchase is only a position in the list");
    let page = ledger.purchases_page(&neighbor.account.id, None, 100).await.unwrap();
    assert_eq!(page.purchases, [theirs]);
    let nobody = AccountId::parse("nobody").unwrap();
    let page = ledger.purchases_page(&nobody, None, 100).await.unwrap();
    assert_eq!(page, PurchasesPage { purchases: vec![], has_more: false });
}

fn purchase_number(number: u128) -> Purchase {
    let id = PurchaseId::mint(number);
    Purchase { id, key: key(&format!("buy:{number}")), ..purchase(PurchaseStatus::Open) }
}

fn buying(account: &Account, number: u128) -> Change {
    Change { records: vec![Record::Purchase(purchase_number(number))], ..changed(account) }
}

async fn with_purchases<L: Ledger>(ledger: &L, numbers: impl IntoIterator<Item = u128>) -> Account {
    let mut account = opened(ledger).await;
    for number in numbers {
        let change = buying(&account, number);
        ledger.commit(&change).await.unwrap();
        account = change.account;
    }
    account
}
