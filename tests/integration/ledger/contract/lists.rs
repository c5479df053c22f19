//! The attempts, the acts and the notices of an account, page by page.

use crate::ledger::samples::*;
use shared::domain::*;
use shared::ports::*;

pub async fn acts<L: Ledger>(ledger: &L) {
    let account = filled(ledger).await;
    let expected: Vec<Act> = acts_newest_first();
    for (after, limit, from, to, has_more) in [
        (None, 100, 0, 7, false),
        (None, 7, 0, 7, false),
        (None, 4, 0, 4, true),
        (Some(3), 2, 5, 7, false),
        (Some(3), 1, 5, 6, true),
        (Some(1), 9, 7, 7, false),
        (None, 0, 0, 1, true),
    ] {
        let after = after.map(ActId::mint);
        let page = ledger.acts_page(&account.id, after.as_ref(), limit).await.unwrap();
        let records = expected[from..to].to_vec();
        assert_eq!(page, NewestFirst { records, has_more }, "after {after:?}, limit {limit}");
    }
}

pub async fn attempts<L: Ledger>(ledger: &L) {
    let account = filled(ledger).await;
    let page = ledger.top_ups_page(&account.id, None, 2).await.unwrap();
    assert_eq!(numbers(&page.records), [TopUpId::mint(12), TopUpId::mint(11)]);
    assert!(page.has_more);
    let page = ledger.top_ups_page(&account.id, Some(&TopUpId::mint(11)), 2).await.unwrap();
    assert_eq!((numbers(&page.records), page.has_more), (vec![TopUpId::mint(10)], false));
}

pub async fn notices<L: Ledger>(ledger: &L) {
    let account = filled(ledger).await;
    let ids = |page: &NewestFirst<Notice>| page.records.iter().map(|notice| notice.id.clone()).collect::<Vec<_>>();
    let page = ledger.notices_page(&account.id, None, 1).await.unwrap();
    assert_eq!((ids(&page), page.has_more), (vec![NoticeId::mint(21)], true));
    let page = ledger.notices_page(&account.id, Some(&NoticeId::mint(21)), 9).await.unwrap();
    assert_eq!((ids(&page), page.has_more), (vec![NoticeId::mint(20)], false));
    let nobody = AccountId::parse("acm").unwrap();
    assert_eq!(ledger.notices_page(&nobody, None, 9).await.unwrap().records, []);
}

fn numbers(top_ups: &[TopUp]) -> Vec<TopUpId> {
    top_ups.iter().map(|top_up| top_up.id.clone()).collect()
}

fn acts_newest_first() -> Vec<Act> {
    crate::ledger::samples::acts().into_iter().rev().collect()
}

/// Three attempts, all acts and two notices, among records of other kinds.
async fn filled<L: Ledger>(ledger: &L) -> Account {
    let account = opened(ledger).await;
    let attempts = (10..13).map(|number| TopUp { id: TopUpId::mint(number), ..complete_top_up() });
    let mut records: Vec<Record> = attempts.map(Record::TopUp).collect();
    records.extend(crate::ledger::samples::acts().into_iter().map(Record::Act));
    records.extend([Record::Purchase(complete_purchase()), Record::Consent(consent_record())]);
    let [paid, ..] = notice_kinds();
    let notices = [20, 21].map(|number| Notice { id: NoticeId::mint(number), ..notice(paid.clone()) }).into();
    let change = Change { records, notices, ..changed(&account) };
    ledger.commit(&change).await.unwrap();
    change.account
}
