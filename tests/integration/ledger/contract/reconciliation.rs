//! What the reconciliation keeps: how far it got, failed events, flags for unknown payments, disputes, and the index of
//! looks.

use super::DUE_PAGE_SIZE;
use crate::ledger::samples::*;
use jiff::Timestamp;
use shared::domain::payments::{Checkout, Dispute, DisputeStatus, Invoiced, PaidFor, ShownDispute, UnknownPayment};
use shared::domain::*;
use shared::ports::*;

pub async fn progress<L: Ledger>(ledger: &L) {
    assert_eq!(ledger.reconciled_get().await.unwrap(), Reconciled::default());
    let place = EventsPlace { part: 1, after: Some(EventId::parse("evt_7").unwrap()) };
    let open = |what| Unpaid { account: account_id(), what, due_at: at(4) };
    let rest = |what| Some(LooksRest { until: at(9), part: 17, after: Some(open(what)) });
    let first = Reconciled {
        revision: 1,
        events_through: Some(at(1)),
        events_rest: Some(EventsPass { from: at(2), until: at(3), place }),
        looks_through: Some(at(5)),
        looks_rest: rest(Invoiced::TopUp(TopUpId::mint(6))),
    };
    assert!(ledger.reconciled_put(&first).await.unwrap());
    assert!(!ledger.reconciled_put(&first).await.unwrap(), "another run was first");
    assert_eq!(ledger.reconciled_get().await.unwrap(), first);
    let purchase = rest(Invoiced::Purchase(PurchaseId::mint(5)));
    for next in [
        Reconciled { revision: 2, events_rest: None, looks_rest: purchase, ..first },
        Reconciled { revision: 3, ..Reconciled::default() },
    ] {
        assert!(ledger.reconciled_put(&next).await.unwrap());
        assert_eq!(ledger.reconciled_get().await.unwrap(), next);
    }
}

pub async fn failed_events<L: Ledger>(ledger: &L) {
    let id = |text: &str| text.to_owned();
    let returned = |named| Subject::Returned(named);
    let subjects = [
        Subject::Invoice { id: InvoiceId::parse("in_1").unwrap(), top_up: None },
        Subject::Invoice { id: InvoiceId::parse("in_1").unwrap(), top_up: Some((account_id(), TopUpId::mint(6))) },
        Subject::Checkout(CheckoutSessionId::parse("cs_1").unwrap()),
        Subject::Customer(customer_id("cus_1")),
        Subject::Card(PaymentMethodId::parse("pm_1").unwrap()),
        returned(ReturnedObject::CardPayment(CardPaymentId::parse(id("ch_1")).unwrap())),
        returned(ReturnedObject::Refund(RefundId::parse(id("re_1")).unwrap())),
        returned(ReturnedObject::Dispute(DisputeId::parse(id("du_1")).unwrap())),
    ];
    for (number, subject) in (0..).zip(subjects) {
        let event = EventId::parse(format!("evt_{number}")).unwrap();
        assert_eq!(ledger.failed_event_get(&event).await.unwrap(), None);
        let event_of = ListedEvent { id: event.clone(), subject, created_at: at(0) };
        let failed = FailedEvent { event: event_of, tries: 1, due_at: at(60) };
        assert!(ledger.failed_event_put_new(&failed).await.unwrap());
        assert!(!ledger.failed_event_put_new(&FailedEvent { tries: 7, ..failed.clone() }).await.unwrap());
        assert_eq!(ledger.failed_event_get(&event).await.unwrap().as_ref(), Some(&failed));
        assert!(!ledger.event_is_applied(&event).await.unwrap(), "it is kept, and not applied");
        assert_eq!(ledger.due_failed_events(at(59)).await.unwrap(), []);
        assert_eq!(ledger.due_failed_events(at(60)).await.unwrap(), std::slice::from_ref(&event));
        let again = FailedEvent { tries: 2, due_at: at(120), ..failed };
        ledger.failed_event_put(&again).await.unwrap();
        assert_eq!(ledger.failed_event_get(&event).await.unwrap(), Some(again));
        assert_eq!(ledger.due_failed_events(at(60)).await.unwrap(), []);
        for _ in 0..2 {
            ledger.failed_event_delete(&event).await.unwrap();
        }
        assert_eq!(ledger.due_failed_events(at(120)).await.unwrap(), []);
    }
}

pub async fn looks<L: Ledger>(ledger: &L) {
    let opening = opening_of("acme", "cus_1");
    let records = |status, top_up_status| {
        let session = CheckoutSessionId::parse("cs_1").unwrap();
        let checkout = Some(Checkout { session, url: "https://checkout.example.com/1".into() });
        let bought = Purchase { status, checkout, by_invoice: None, ..purchase(PurchaseStatus::Open) };
        [Record::Purchase(bought), Record::TopUp(top_up(top_up_status))]
    };
    let listed = async || {
        let mut all = vec![];
        for shard in Shard::all() {
            all.extend(ledger.due_looks(shard, at(1_000_000_000), None).await.unwrap().unpaid);
        }
        all.len()
    };
    let open = opening.records.iter().cloned().chain(records(PurchaseStatus::Open, TopUpStatus::Open)).collect();
    ledger.commit(&Change { records: open, ..opening.clone() }).await.unwrap();
    assert_eq!(listed().await, 2);
    let account = Account { version: opening.account.version + 1, ..opening.account };
    let ended = records(PurchaseStatus::Paid, TopUpStatus::Abandoned).to_vec();
    let change = Change { account, records: ended, entries: vec![], notices: vec![], events: vec![] };
    ledger.commit(&change).await.unwrap();
    assert_eq!(listed().await, 0, "what has ended is not looked at");
}

pub async fn unknown_payments<L: Ledger>(ledger: &L) {
    let payment = UnknownPayment {
        account: account_id(),
        paid_for: PaidFor::TopUp(TopUpId::mint(6)),
        payment_intent: PaymentIntentId::parse("pi_1").ok(),
        invoice: InvoiceId::parse("in_1").ok(),
        amount: 700,
        currency: "usd".into(),
        found_at: at(3),
    };
    assert!(ledger.unknown_payment_flag(&payment).await.unwrap());
    let again = UnknownPayment { found_at: at(4), payment_intent: None, ..payment.clone() };
    assert!(!ledger.unknown_payment_flag(&again).await.unwrap(), "once for each top-up");
    let flags = ledger.flags_page(&account_id(), None, 10).await.unwrap().records;
    assert_eq!(flags, [payment.flag()]);
    let of_month = ledger.flags_of_month_page(date_of(at(3)), None, 10).await.unwrap().records;
    assert_eq!(of_month, flags);
    let other = UnknownPayment { paid_for: PaidFor::Purchase(PurchaseId::mint(5)), invoice: None, ..again };
    assert!(ledger.unknown_payment_flag(&other).await.unwrap());
    assert_eq!(ledger.flags_page(&account_id(), None, 10).await.unwrap().records, [other.flag(), payment.flag()]);
}

/// In milliseconds.
const DAY: i64 = 24 * 3_600_000;

/// A dispute that has to be answered within so many days.
fn dispute(number: i64, status: DisputeStatus, days: Option<i64>) -> Dispute {
    Dispute {
        id: DisputeId::parse(format!("du_{number}")).unwrap(),
        account: account_id(),
        paid_for: PaidFor::TopUp(TopUpId::mint(6)),
        payment: PaymentIntentId::parse("pi_1").unwrap(),
        shown: ShownDispute {
            amount: 700,
            currency: "usd".into(),
            reason: "fraudulent".into(),
            status,
            opened_at: at(0),
            due_by: days.map(|days| at(days * DAY)),
            submissions: 1,
            is_past_due: number == 1,
        },
        warned_of: (number == 2).then(|| at(5)),
        revision: 1,
    }
}

pub async fn disputes<L: Ledger>(ledger: &L) {
    let listed = async |until| {
        let (mut all, mut after, mut pages) = (vec![], None, 0);
        loop {
            let page = ledger.open_disputes(until, after.as_ref()).await.unwrap();
            all.extend(page.places.into_iter().map(|place| place.dispute.to_string()));
            pages += 1;
            after = page.next;
            if after.is_none() {
                return (all, pages);
            }
        }
    };
    let open = DisputeStatus::NeedsResponse;
    let stored = [
        dispute(1, open, Some(9)),
        dispute(2, open, Some(7)),
        dispute(3, open, None),
        dispute(4, DisputeStatus::Other, Some(8)),
        dispute(5, DisputeStatus::Lost, Some(1)),
    ];
    assert_eq!(ledger.dispute_get(&stored[0].id).await.unwrap(), None);
    for dispute in &stored {
        assert!(ledger.dispute_put(dispute).await.unwrap());
        assert!(!ledger.dispute_put(dispute).await.unwrap(), "somebody else was first");
        assert_eq!(ledger.dispute_get(&dispute.id).await.unwrap().as_ref(), Some(dispute));
    }
    let all = ["du_2", "du_4", "du_1", "du_3"];
    let (places, pages) = listed(Timestamp::MAX).await;
    assert_eq!(places, all, "what is due first comes first, and what is closed does not come");
    assert!(pages > 1 || all.len() <= usize::from(DUE_PAGE_SIZE));
    assert_eq!(listed(at(5 * DAY)).await.0, ["du_2", "du_4"], "three days before");
    let won = Dispute { revision: 2, ..dispute(2, DisputeStatus::Won, Some(7)) };
    let late = Dispute { revision: 3, ..dispute(2, open, Some(7)) };
    assert!(!ledger.dispute_put(&late).await.unwrap(), "it was not written from the newest revision");
    assert!(ledger.dispute_put(&won).await.unwrap());
    assert_eq!(listed(Timestamp::MAX).await.0, ["du_4", "du_1", "du_3"]);
}
