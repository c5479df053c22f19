//! Marks for applied events and sent notices.

use crate::ledger::samples::*;
use shared::domain::*;
use shared::ports::*;

pub async fn events<L: Ledger>(ledger: &L) {
    let [event, other] = ["evt_1", "evt_2"].map(|text| EventId::parse(text).unwrap());
    for now in [at(1), at(2)] {
        ledger.event_mark_applied(&event, now).await.unwrap();
        assert!(ledger.event_is_applied(&event).await.unwrap());
    }
    assert!(!ledger.event_is_applied(&other).await.unwrap());
}

pub async fn notices<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    let owed = notice(notice_kinds()[0].clone());
    ledger.commit(&Change { notices: vec![owed.clone()], ..changed(&account) }).await.unwrap();
    let reader = address("reader@example.com");
    for sent in [(&reader, at(70)), (&owed.to, at(80))] {
        ledger.notice_mark_sent(&account.id, &owed.id, sent).await.unwrap();
        let sent = Notice { sent_at: Some(at(70)), sent_to: Some(reader.clone()), ..owed.clone() };
        assert_eq!(ledger.notice_get(&account.id, &owed.id).await.unwrap(), Some(sent));
    }
}

pub async fn absent_notice<L: Ledger>(ledger: &L) {
    ledger.notice_mark_sent(&account_id(), &NoticeId::mint(1), (&address("reader@example.com"), at(70))).await.unwrap();
    assert_eq!(ledger.notice_get(&account_id(), &NoticeId::mint(1)).await.unwrap(), None);
}
