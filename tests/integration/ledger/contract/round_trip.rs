//! Values are read back as they were written.

use crate::ledger::samples::*;
use shared::domain::charging::PendingCharge;
use shared::domain::payments::{AskedCard, AutoTopUp, ClaimLog, Consent, SweepLog};
use shared::domain::payments::{DeclineReason, PaymentIssueKind};
use shared::domain::portal::PortalSession;
use shared::domain::spending::Spending;
use shared::domain::*;
use shared::ports::*;

pub async fn nothing<L: Ledger>(ledger: &L) {
    let account = account_id();
    assert_eq!(ledger.account_get(&account).await.unwrap(), None);
    assert_eq!(ledger.entry_get(&account, &Origin::Charge(key("job"))).await.unwrap(), None);
    assert_eq!(ledger.pending_charge_get(&account, &key("job")).await.unwrap(), None);
    assert_eq!(ledger.purchase_get(&account, &PurchaseId::mint(1)).await.unwrap(), None);
    assert_eq!(ledger.purchase_id_get(&account, &key("buy")).await.unwrap(), None);
    assert_eq!(ledger.top_up_get(&account, &TopUpId::mint(1)).await.unwrap(), None);
    assert_eq!(ledger.consent_get(&account, &ConsentId::mint(1)).await.unwrap(), None);
    assert_eq!(ledger.notice_get(&account, &NoticeId::mint(1)).await.unwrap(), None);
    assert_eq!(ledger.customer_account_get(&customer_id("cus_1")).await.unwrap(), None);
    assert!(!ledger.event_is_applied(&EventId::parse("evt_1").unwrap()).await.unwrap());
    assert_eq!(ledger.spending_change_get(&account, at(1)).await.unwrap(), None);
    assert_eq!(ledger.spender_limits_get(&account, &spender("key-1")).await.unwrap(), None);
    assert_eq!(ledger.history_page(&account, None, 100).await.unwrap(), []);
}

pub async fn accounts<L: Ledger>(ledger: &L) {
    let bare = opening().account;
    let issues = DECLINE_REASONS.map(PaymentIssueKind::Declined).into_iter().chain([PaymentIssueKind::ActionRequired]);
    let issues = issues.chain(REFUSAL_REASONS.map(PaymentIssueKind::Refused));
    let mut states: Vec<Account> =
        issues.map(|kind| Account { payment_issue: Some(payment_issue(kind)), ..complete_account() }).collect();
    let off = AutoTopUp { is_enabled: false, ..settings() };
    states.extend([
        bare.clone(),
        complete_account(),
        Account { auto_top_up: Some(settings()), ..bare.clone() },
        Account { auto_top_up: Some(off), ..bare.clone() },
        Account { auto_top_up: Some(settings_in_yen()), ..bare.clone() },
        Account { payment_method: PaymentMethodId::parse("pm_2").ok(), ..bare.clone() },
        Account { last_top_up_at: Some(at(-1)), ..bare.clone() },
        Account { open_top_up: Some(TopUpId::mint(9)), ..bare.clone() },
        Account { restriction: complete_account().restriction, ..bare.clone() },
        Account { pending: credits(1), ..bare.clone() },
        Account { pending: Credits::MAX, ..bare.clone() },
        Account { spending: complete_account().spending, ..bare.clone() },
        Account { spending: Some(Spending { is_stopped: false, changed_at: at(7) }), ..bare.clone() },
        Account {
            limits: Limits { day: limits().day, ..Limits::default() },
            limits_date: complete_account().limits_date,
            ..bare.clone()
        },
        Account {
            limits: Limits { month: limits().month, ..Limits::default() },
            limits_date: complete_account().limits_date,
            ..bare.clone()
        },
        Account { limited_spenders: u32::MAX, ..bare.clone() },
        Account { seq: u64::MAX, balance: Credits::MAX, ..bare.clone() },
        Account { balance: Credits::MAX.negated(), ..bare },
    ]);
    for (version, state) in (1..).zip(states) {
        let account = Account { version, ..state };
        let change =
            Change { account: account.clone(), entries: vec![], records: vec![], notices: vec![], events: vec![] };
        ledger.commit(&change).await.unwrap();
        assert_eq!(ledger.account_get(&account.id).await.unwrap(), Some(account));
    }
}

pub async fn entries<L: Ledger>(ledger: &L) {
    let mut account = opened(ledger).await;
    for cause in causes() {
        let change = posted(&account, 17, cause.clone());
        ledger.commit(&change).await.unwrap();
        assert_eq!(ledger.entry_get(&account.id, &cause.origin()).await.unwrap(), change.entries.first().cloned());
        account = change.account;
    }
}

pub async fn pending_charges<L: Ledger>(ledger: &L) {
    let mut account = opened(ledger).await;
    for pending in endings().map(|ended| PendingCharge { end: None, ..ended }).into_iter().chain(endings()) {
        let change = Change { records: vec![Record::PendingCharge(pending.clone())], ..changed(&account) };
        ledger.commit(&change).await.unwrap();
        assert_eq!(ledger.pending_charge_get(&account.id, &pending.charge).await.unwrap(), Some(pending));
        account = change.account;
    }
}

pub async fn purchases<L: Ledger>(ledger: &L) {
    use PurchaseStatus::{Expired, Open, Paid};
    let mut account = opened(ledger).await;
    let in_dinars = Purchase { price: amount("KWD", 5_120), ..purchase(Open) };
    for purchase in [Open, Paid, Expired].map(purchase).into_iter().chain([complete_purchase(), in_dinars]) {
        let change = Change { records: vec![Record::Purchase(purchase.clone())], ..changed(&account) };
        ledger.commit(&change).await.unwrap();
        assert_eq!(ledger.purchase_get(&account.id, &purchase.id).await.unwrap(), Some(purchase));
        account = change.account;
    }
}

pub async fn top_ups<L: Ledger>(ledger: &L) {
    use TopUpStatus::{Abandoned, ActionRequired, Declined, Open, Paid, PartlyPaid, Processing, Refused};
    let mut account = opened(ledger).await;
    let statuses = [Open, Processing, Paid, PartlyPaid, ActionRequired, Abandoned]
        .into_iter()
        .chain(DECLINE_REASONS.map(Declined));
    let statuses = statuses.chain(REFUSAL_REASONS.map(Refused));
    let in_crowns = TopUp { price: amount("ISK", 50_000), ..top_up(Open) };
    for top_up in statuses.map(top_up).chain([complete_top_up(), in_crowns]) {
        let change = Change { records: vec![Record::TopUp(top_up.clone())], ..changed(&account) };
        ledger.commit(&change).await.unwrap();
        assert_eq!(ledger.top_up_get(&account.id, &top_up.id).await.unwrap(), Some(top_up));
        account = change.account;
    }
}

pub async fn notices<L: Ledger>(ledger: &L) {
    let mut account = opened(ledger).await;
    let (credits, price) = (credits(10), Amount::new(Currency::USD, 11).unwrap());
    let declined = |reason: DeclineReason| NoticeKind::TopUpDeclined {
        top_up: TopUpId::mint(6),
        credits,
        price,
        reason,
        card: Default::default(),
    };
    let in_yen = notice_kinds().map(|kind| with_price(kind, amount("JPY", 50)));
    for (number, kind) in (1..).zip(notice_kinds().into_iter().chain(DECLINE_REASONS.map(declined)).chain(in_yen)) {
        for sent_at in [None, Some(at(77))] {
            let notice = Notice {
                id: NoticeId::mint(number),
                is_addressed: sent_at.is_some(),
                tried: sent_at.iter().map(|_| address("tried@example.com")).collect(),
                sent_at,
                sent_to: sent_at.map(|_| address("reader@example.com")),
                returned_at: sent_at.map(|_| at(78)),
                ..notice(kind.clone())
            };
            let change = Change { notices: vec![notice.clone()], ..changed(&account) };
            ledger.commit(&change).await.unwrap();
            assert_eq!(ledger.notice_get(&account.id, &notice.id).await.unwrap(), Some(notice));
            account = change.account;
        }
    }
}

pub async fn links<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    let retry = top_up_retry(TopUpStatus::ActionRequired);
    let by_default = TopUpRetry {
        key: key("again:2"),
        named: None,
        ..top_up_retry(TopUpStatus::Declined(DeclineReason::ExpiredCard))
    };
    let purchase_key = Record::PurchaseKey { key: key("buy:1"), purchase: PurchaseId::mint(5) };
    let mut in_yen = consent_record();
    in_yen.max_per_month = Some(amount("JPY", 20_000));
    in_yen.consent = Consent { id: ConsentId::mint(2), ..settings_in_yen().consent };
    let records = vec![
        Record::Consent(consent_record()),
        Record::Consent(in_yen.clone()),
        purchase_key,
        Record::TopUpRetry(retry.clone()),
        Record::TopUpRetry(by_default.clone()),
        Record::SpendingChange(spending_change()),
        Record::SpenderLimits(spender_limits("key-1", limits())),
        Record::Contacts(Box::new(contacts())),
    ];
    assert_eq!(ledger.contacts_get(&account.id).await.unwrap(), None);
    ledger.commit(&Change { records, ..changed(&account) }).await.unwrap();
    assert_eq!(ledger.consent_get(&account.id, &ConsentId::mint(1)).await.unwrap(), Some(consent_record()));
    assert_eq!(ledger.consent_get(&account.id, &ConsentId::mint(2)).await.unwrap(), Some(in_yen));
    assert_eq!(ledger.purchase_id_get(&account.id, &key("buy:1")).await.unwrap(), Some(PurchaseId::mint(5)));
    assert_eq!(ledger.top_up_retry_get(&account.id, &key("again:1")).await.unwrap(), Some(retry));
    assert_eq!(ledger.top_up_retry_get(&account.id, &key("again:2")).await.unwrap(), Some(by_default));
    assert_eq!(ledger.top_up_retry_get(&account.id, &key("again:3")).await.unwrap(), None);
    assert_eq!(ledger.spending_change_get(&account.id, at(6)).await.unwrap(), Some(spending_change()));
    assert_eq!(ledger.contacts_get(&account.id).await.unwrap(), Some(contacts()));
    let limited = ledger.spender_limits_get(&account.id, &spender("key-1")).await.unwrap();
    assert_eq!(limited, Some(spender_limits("key-1", limits())));
    assert_eq!(ledger.customer_account_get(&account.customer).await.unwrap(), Some(account.id));
}

pub async fn alerts<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    assert_eq!(ledger.alerts_get(&account.id).await.unwrap(), None);
    let records = vec![Record::Alerts(alerts_in_every_state()), Record::AlertsDue { at: at(9) }];
    let change = Change { records, ..changed(&account) };
    ledger.commit(&change).await.unwrap();
    assert_eq!(ledger.alerts_get(&account.id).await.unwrap(), Some(alerts_in_every_state()));
    assert_eq!(ledger.alerts_due_get(&account.id).await.unwrap(), Some(at(9)));
    let mut due = vec![];
    for now in [at(8), at(9)] {
        for shard in Shard::all() {
            due.extend(ledger.due_alerts(shard, now, None).await.unwrap().accounts.into_iter().map(|id| (now, id)));
        }
    }
    assert_eq!(due, [(at(9), account.id.clone())], "from its time on");
    let change = Change { records: vec![Record::AlertsEvaluated], ..changed(&change.account) };
    ledger.commit(&change).await.unwrap();
    assert_eq!(ledger.alerts_due_get(&account.id).await.unwrap(), None);
    assert_eq!(ledger.alerts_get(&account.id).await.unwrap(), Some(alerts_in_every_state()), "the levels stay");
}

/// An e-mail about the card is due only while top-ups ask it, and everything else of it stays.
pub async fn asked_cards<L: Ledger>(ledger: &L) {
    let mut account = opened(ledger).await;
    assert_eq!(ledger.asked_card_get(&account.id).await.unwrap(), AskedCard::default());
    let due_at = "2026-01-25T00:00:00Z".parse().unwrap();
    let due = async |now: jiff::Timestamp| {
        let mut due = vec![];
        for shard in Shard::all() {
            due.extend(ledger.due_cards(shard, now, None).await.unwrap().accounts);
        }
        due
    };
    for (is_enabled, is_due) in [(true, true), (false, false), (true, true)] {
        let mut change = changed(&account);
        change.account.payment_method = asked_card().card.map(|card| card.id);
        change.account.auto_top_up = Some(AutoTopUp { is_enabled, ..settings() });
        change.records = vec![Record::AskedCard(asked_card())];
        ledger.commit(&change).await.unwrap();
        account = change.account;
        assert_eq!(ledger.asked_card_get(&account.id).await.unwrap(), asked_card());
        assert_eq!(due(due_at).await, if is_due { vec![account.id.clone()] } else { vec![] });
        assert_eq!(due(due_at - jiff::SignedDuration::from_millis(1)).await, []);
    }
    let change = Change { records: vec![Record::AskedCardForgotten], ..changed(&account) };
    ledger.commit(&change).await.unwrap();
    assert_eq!(ledger.asked_card_get(&account.id).await.unwrap(), AskedCard::default());
    assert_eq!(due(due_at).await, []);
}

pub async fn claims<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    assert_eq!(ledger.claim_log_get(&account.id).await.unwrap(), ClaimLog::default());
    for (log, is_put) in [(2, false), (1, true), (1, false), (3, false), (2, true)] {
        assert_eq!(ledger.claim_log_put(&account.id, &claim_log(log)).await.unwrap(), is_put, "{log}");
    }
    assert_eq!(ledger.claim_log_get(&account.id).await.unwrap(), claim_log(2));
}

/// A link is exchanged once, and an ended session stays so.
pub async fn portal_passes<L: PortalPasses>(ledger: &L) {
    let (link, session) = (portal_link(), portal_session());
    let account = &link.account;
    assert_eq!(ledger.portal_link_get(account, &link.hash).await.unwrap(), None);
    assert!(!ledger.portal_link_exchange(&link, &session).await.unwrap(), "there is no link");
    assert_eq!(ledger.portal_session_get(account, &session.hash).await.unwrap(), None);
    ledger.portal_link_put(&link).await.unwrap();
    assert_eq!(ledger.portal_link_get(account, &link.hash).await.unwrap().as_ref(), Some(&link));
    assert_eq!(ledger.portal_session_get(account, &link.hash).await.unwrap(), None, "a link is no session");
    assert!(ledger.portal_link_exchange(&link, &session).await.unwrap());
    assert!(!ledger.portal_link_exchange(&link, &session).await.unwrap(), "it was exchanged");
    assert_eq!(ledger.portal_link_get(account, &link.hash).await.unwrap(), None);
    let seen = PortalSession { seen_at: at(60_000), ..session.clone() };
    assert!(ledger.portal_session_seen(&seen).await.unwrap());
    assert_eq!(ledger.portal_session_get(account, &session.hash).await.unwrap().as_ref(), Some(&seen));
    ledger.portal_session_end(account, &session.hash).await.unwrap();
    assert!(!ledger.portal_session_seen(&seen).await.unwrap(), "an ended session does not begin again");
    assert_eq!(ledger.portal_session_get(account, &session.hash).await.unwrap(), None);
    for _ in 0..2 {
        ledger.portal_link_put(&link).await.unwrap();
        assert!(ledger.portal_link_exchange(&link, &session).await.unwrap());
        ledger.portal_link_put(&link).await.unwrap();
        assert_eq!(ledger.portal_passes_end(account).await.unwrap(), 2);
    }
    assert_eq!(ledger.portal_passes_end(account).await.unwrap(), 0);
    assert!(!ledger.portal_link_exchange(&link, &session).await.unwrap(), "an ended link leads nowhere");
}

pub async fn decisions<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await;
    assert_eq!(ledger.sweep_log_get(&account.id).await.unwrap(), SweepLog::default());
    for (log, is_put) in [(2, false), (1, true), (1, false), (3, false), (2, true)] {
        assert_eq!(ledger.sweep_log_put(&account.id, &sweep_log(log)).await.unwrap(), is_put, "{log}");
    }
    assert_eq!(ledger.sweep_log_get(&account.id).await.unwrap(), sweep_log(2));
}
