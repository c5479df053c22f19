//! The attempts, the acts and the notices of an account, page by page.

use crate::ledger::samples::*;
use shared::domain::usage::{Flag, FlagKind, FlagPlace};
use shared::domain::*;
use shared::ports::*;

pub async fn acts<L: Ledger>(ledger: &L) {
    let account = filled(ledger).await;
    let expected: Vec<Act> = acts_newest_first();
    for (after, limit, from, to, has_more) in [
        (None, 100, 0, 8, false),
        (None, 8, 0, 8, false),
        (None, 4, 0, 4, true),
        (Some(3), 2, 6, 8, false),
        (Some(3), 1, 6, 7, true),
        (Some(1), 9, 8, 8, false),
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

pub async fn consents<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    let consent = |number| {
        let mut record = consent_record();
        record.consent.id = ConsentId::mint(number);
        record
    };
    let records = [1, 2, 3].map(|number| Record::Consent(consent(number))).into();
    ledger.commit(&Change { records, ..changed(&account) }).await.unwrap();
    let newest = ledger.consents_page(&account.id, None, 2).await.unwrap();
    assert_eq!(newest, NewestFirst { records: vec![consent(3), consent(2)], has_more: true });
    let oldest = ledger.consents_page(&account.id, Some(&ConsentId::mint(2)), 2).await.unwrap();
    assert_eq!(oldest, NewestFirst { records: vec![consent(1)], has_more: false });
    let nobody = AccountId::parse("acm").unwrap();
    assert_eq!(ledger.consents_page(&nobody, None, 9).await.unwrap().records, []);
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

/// Flags of two accounts in two months.
pub async fn flags<L: Ledger>(ledger: &L) {
    const DAY: i64 = 86_400_000;
    let (hour, credits) = (FlagKind::ChargesPerHour, FlagKind::CreditsPerDay);
    let accounts = ["acme", "bolt"].map(|name| opening_of(name, &format!("cus_{name}")));
    for change in &accounts {
        ledger.commit(change).await.unwrap();
    }
    let [acme, bolt] = accounts.map(|change| change.account.id);
    let of_acme = [flag("acme", hour, 5), flag("acme", credits, 5), flag("acme", hour, 40 * DAY)];
    let of_bolt = [flag("bolt", hour, 5), flag("bolt", credits, 6)];
    for (account, flags) in [(&acme, of_acme.to_vec()), (&bolt, of_bolt.to_vec())] {
        ledger.usage_fold(account, &UsageFold { flags: flags.clone(), ..usage_fold(0, 11) }).await.unwrap();
        let stale = UsageFold { flags: vec![flag(account.as_str(), hour, 7)], ..usage_fold(0, 11) };
        assert!(matches!(ledger.usage_fold(account, &stale).await, Err(FoldError::Stale)), "no flag without its fold");
    }
    let [first, second, third] = of_acme;
    let [fourth, fifth] = of_bolt;
    let month = |text: &str| text.parse().unwrap();
    let page =
        |records: &[&Flag], has_more| NewestFirst { records: records.iter().copied().cloned().collect(), has_more };
    let listed = |account: &'static str, after: Option<FlagPlace>, limit| async move {
        let account = AccountId::parse(account).unwrap();
        ledger.flags_page(&account, after.as_ref(), limit).await.unwrap()
    };
    assert_eq!(listed("acme", None, 9).await, page(&[&third, &second, &first], false));
    assert_eq!(listed("acme", None, 1).await, page(&[&third], true));
    assert_eq!(listed("acme", Some(third.place()), 1).await, page(&[&second], true));
    assert_eq!(listed("acme", Some(second.place()), 9).await, page(&[&first], false));
    assert_eq!(listed("nobody", None, 9).await, page(&[], false));
    let of_month = |text: &'static str, after: Option<FlagPlace>, limit| async move {
        ledger.flags_of_month_page(month(text), after.as_ref(), limit).await.unwrap()
    };
    assert_eq!(of_month("2026-01-01", None, 9).await, page(&[&fifth, &fourth, &second, &first], false));
    assert_eq!(of_month("2026-01-01", None, 2).await, page(&[&fifth, &fourth], true));
    assert_eq!(of_month("2026-01-01", Some(fourth.place()), 9).await, page(&[&second, &first], false));
    assert_eq!(of_month("2026-01-01", Some(third.place()), 1).await, page(&[&fifth], true), "behind a later month");
    assert_eq!(of_month("2026-02-01", None, 9).await, page(&[&third], false));
    assert_eq!(of_month("2026-03-01", None, 9).await, page(&[], false));
}
