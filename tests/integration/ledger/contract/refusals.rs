//! Rows of refused requests: replaced in their place, and listed newest first.

use crate::ledger::samples::*;
use shared::domain::charging::*;
use shared::ports::*;

fn place(minute: i64, slot: u8) -> RefusalPlace {
    RefusalPlace::new(minute, slot).unwrap()
}

pub async fn pages<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await.id;
    let neighbor = opening_of("acme2", "cus_2");
    ledger.commit(&neighbor).await.unwrap();
    let places = [(1, 0), (1, 15), (2, 3), (1_000, 0), (29_573_312, 7)];
    for (minute, slot) in places {
        for row in [refusal_row(place(minute, slot), refused_more()), refusal_row(place(minute, slot), refused_one())] {
            ledger.refusal_row_put(&row).await.unwrap();
        }
    }
    let newest_first: Vec<_> = places.iter().rev().map(|(minute, slot)| place(*minute, *slot)).collect();
    for (oldest, before, limit, expected, has_more) in [
        ((0, 0), None, 100, 0..5, false),
        ((0, 0), None, 5, 0..5, false),
        ((0, 0), None, 4, 0..4, true),
        ((0, 0), Some((2, 3)), 1, 3..4, true),
        ((0, 0), Some((2, 4)), 2, 2..4, true),
        ((0, 0), Some((1, 0)), 2, 5..5, false),
        ((2, 0), None, 100, 0..3, false),
        ((2, 4), None, 2, 0..2, false),
        ((2, 3), Some((1_000, 0)), 5, 2..3, false),
        ((2, 3), Some((2, 3)), 5, 5..5, false),
        ((2, 3), Some((1, 0)), 5, 5..5, false),
    ] {
        let before = before.map(|(minute, slot)| place(minute, slot));
        let page = ledger.refusals_page(&account, place(oldest.0, oldest.1), before, limit).await.unwrap();
        let listed: Vec<_> = page.rows.iter().map(|row| row.place).collect();
        assert_eq!((&listed[..], page.has_more), (&newest_first[expected], has_more), "{oldest:?} {before:?} {limit}");
        assert!(page.rows.iter().all(|row| row.refused == refused_one()), "the later row replaces the earlier one");
    }
    let page = ledger.refusals_page(&neighbor.account.id, place(0, 0), None, 100).await.unwrap();
    assert_eq!(page, RefusalsPage { rows: vec![], has_more: false });
}

pub async fn round_trip<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await.id;
    let Refused::One(one) = refused_one() else { panic!("one request") };
    let bare = RefusedRequest { request_id: None, reference: None, spender: None, limit: None, ..one };
    for (slot, refused) in (0..).zip([refused_one(), refused_more(), Refused::One(bare)]) {
        let row = refusal_row(place(1, slot), refused);
        ledger.refusal_row_put(&row).await.unwrap();
        let page = ledger.refusals_page(&account, place(1, slot), None, 1).await.unwrap();
        assert_eq!(page.rows, [row]);
    }
}
