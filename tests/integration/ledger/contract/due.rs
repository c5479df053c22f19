//! The index of what is due: accounts for a sweep, pending charges that have expired, and unpaid attempts.

use super::DUE_PAGE_SIZE;
use crate::ledger::samples::*;
use jiff::{SignedDuration, Timestamp};
use shared::domain::charging::PendingCharge;
use shared::domain::payments::{AutoTopUp, Invoiced};
use shared::domain::payments::{DeclineReason, PaymentIssueKind, RefusalReason};
use shared::domain::*;
use shared::ports::*;

const NOW: i64 = 1_000_000_000;

pub async fn membership<L: Ledger>(ledger: &L) {
    let bare = opening().account;
    let due = Account { auto_top_up: Some(settings()), balance: credits(499), ..bare.clone() };
    let off = AutoTopUp { is_enabled: false, ..settings() };
    let issue = Some(payment_issue(PaymentIssueKind::ActionRequired));
    let states = [
        ("nothing chosen", bare, false),
        ("due", due.clone(), true),
        ("at the threshold", Account { balance: credits(500), ..due.clone() }, false),
        ("due again", due.clone(), true),
        ("off", Account { auto_top_up: Some(off), ..due.clone() }, false),
        ("clawed back", Account { balance: credits(-1), ..due.clone() }, true),
        ("paused", Account { payment_issue: issue.clone(), ..due.clone() }, false),
        ("open top-up", Account { open_top_up: Some(TopUpId::mint(1)), balance: credits(9_000), ..due.clone() }, true),
        (
            "top-up less than six hours ago",
            Account { last_top_up_at: Some(at(NOW - 21_599_999)), ..due.clone() },
            false,
        ),
        ("top-up six hours ago", Account { last_top_up_at: Some(at(NOW - 21_600_000)), ..due }, true),
    ];
    for (version, (name, state, is_listed)) in (1..).zip(states) {
        let account = Account { version, ..state };
        let change =
            Change { account: account.clone(), entries: vec![], records: vec![], notices: vec![], events: vec![] };
        ledger.commit(&change).await.unwrap();
        let listed = all_due(ledger, at(NOW)).await;
        assert_eq!(listed.concat(), Vec::from_iter(is_listed.then_some(account.id)), "{name}");
    }
}

pub async fn order_and_pages<L: Ledger>(ledger: &L) {
    let interval = PriceBook::TOP_UP_INTERVAL;
    for number in 0..100 {
        // Two accounts at each time, not in the order of their ids.
        let last = at(NOW) - interval - SignedDuration::from_secs((number * 37 % 100) / 2);
        let opening = opening_of(&format!("customer_{number}"), &format!("cus_{number}"));
        let account = Account { auto_top_up: Some(settings()), last_top_up_at: Some(last), ..opening.account };
        ledger.commit(&Change { account, ..opening }).await.unwrap();
    }
    let listed = all_due(ledger, at(NOW)).await;
    let mut shards_of_many_pages = 0;
    for shard in &listed {
        let mut due_at = vec![];
        for account in shard {
            due_at.push(ledger.account_get(account).await.unwrap().unwrap().top_up_due_at().unwrap());
        }
        assert!(due_at.is_sorted(), "{shard:?}");
        shards_of_many_pages += usize::from(shard.len() > usize::from(2 * DUE_PAGE_SIZE));
    }
    assert!(shards_of_many_pages > 0, "the cursor was used more than once");
    let mut all = listed.concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 100, "each account once");

    let earlier = all_due(ledger, at(NOW - 25_000)).await.concat();
    assert_eq!(earlier.len(), 50, "those due later are missing");
}

/// The due accounts of every shard, in the order of its pages.
async fn all_due<L: Ledger>(ledger: &L, now: Timestamp) -> Vec<Vec<AccountId>> {
    let mut shards = vec![];
    for shard in Shard::all() {
        let (mut listed, mut after) = (vec![], None);
        loop {
            let DuePage { accounts, next } = ledger.due_accounts(shard, now, after).await.unwrap();
            assert!(accounts.len() <= usize::from(DUE_PAGE_SIZE));
            listed.extend(accounts);
            if next.is_none() {
                break;
            }
            after = next;
        }
        shards.push(listed);
    }
    shards
}

/// A charge that expires at this moment.
fn pending_of(account: &AccountId, text: &str, due_at: Timestamp) -> PendingCharge {
    let created_at = due_at - SignedDuration::from_secs(3_600);
    PendingCharge { account: account.clone(), created_at, ..pending(text) }
}

async fn write<L: Ledger>(ledger: &L, account: &Account, charges: impl IntoIterator<Item = PendingCharge>) -> Account {
    let records = charges.into_iter().map(Record::PendingCharge).collect();
    let change = Change { records, ..changed(account) };
    ledger.commit(&change).await.unwrap();
    change.account
}

pub async fn charges<L: Ledger>(ledger: &L) {
    let mut account = opened(ledger).await;
    for ended in endings() {
        let waiting = pending_of(&account.id, ended.charge.as_str(), at(NOW));
        account = write(ledger, &account, [waiting.clone()]).await;
        assert_eq!(all_due_charges(ledger, at(NOW - 1)).await.concat(), [], "its time is not up");
        let listed = all_due_charges(ledger, at(NOW)).await.concat();
        let expected = DueCharge { account: account.id.clone(), charge: ended.charge.clone(), due_at: at(NOW) };
        assert_eq!(listed, [expected]);
        account = write(ledger, &account, [PendingCharge { end: ended.end, ..waiting }]).await;
        assert_eq!(all_due_charges(ledger, at(i64::from(u32::MAX))).await.concat(), [], "it has ended");
    }
}

pub async fn charge_pages<L: Ledger>(ledger: &L) {
    for number in 0..25 {
        let opening = opening_of(&format!("customer_{number}"), &format!("cus_{number}"));
        ledger.commit(&opening).await.unwrap();
        // Two charges at each time, not in the order of their keys.
        let charges = (0..4).map(|charge| {
            let due_at = at(NOW) - SignedDuration::from_secs((number * 4 + charge) * 37 % 100 / 2);
            pending_of(&opening.account.id, &format!("job-{charge}"), due_at)
        });
        write(ledger, &opening.account, charges).await;
    }
    let listed = all_due_charges(ledger, at(NOW)).await;
    let mut homes = std::collections::BTreeMap::new();
    for (shard, charges) in listed.iter().enumerate() {
        assert!(charges.iter().map(|charge| charge.due_at).is_sorted(), "{charges:?}");
        for charge in charges {
            assert_eq!(*homes.entry(charge.account.clone()).or_insert(shard), shard, "one shard per account");
        }
    }
    assert!(listed.iter().any(|shard| shard.len() > usize::from(2 * DUE_PAGE_SIZE)), "the cursor was used twice");
    let keys = |charge: &DueCharge| (charge.account.clone(), charge.charge.clone());
    let all: std::collections::BTreeSet<_> = listed.iter().flatten().map(keys).collect();
    assert_eq!((all.len(), listed.concat().len()), (100, 100), "each charge once");
    assert_eq!(all_due_charges(ledger, at(NOW - 25_000)).await.concat().len(), 50, "those due later are missing");
}

/// An account that is due for a top-up and has a pending charge is in both lists, each for its own reason.
pub async fn apart<L: Ledger>(ledger: &L) {
    let bare = opening();
    let account = Account { auto_top_up: Some(settings()), balance: credits(499), ..bare.account.clone() };
    ledger.commit(&Change { account: account.clone(), ..bare }).await.unwrap();
    assert_eq!(all_due_charges(ledger, at(NOW)).await.concat(), []);
    let account = Account { balance: credits(500), ..account };
    let account = write(ledger, &account, [pending_of(&account.id, "job", at(NOW))]).await;
    assert_eq!(all_due(ledger, at(NOW)).await.concat(), [], "only its charge is due");
    assert_eq!(all_due_charges(ledger, at(NOW)).await.concat().len(), 1, "{}", account.id);
}

/// The expired charges of every shard, in the order of its pages.
async fn all_due_charges<L: Ledger>(ledger: &L, now: Timestamp) -> Vec<Vec<DueCharge>> {
    let mut shards = vec![];
    for shard in Shard::all() {
        let (mut listed, mut after) = (vec![], None);
        loop {
            let DueChargesPage { charges, next } = ledger.due_charges(shard, now, after).await.unwrap();
            assert!(charges.len() <= usize::from(DUE_PAGE_SIZE));
            listed.extend(charges);
            if next.is_none() {
                break;
            }
            after = next;
        }
        shards.push(listed);
    }
    shards
}

/// An attempt is listed while its invoice is unpaid: from its next reminder on, and from its end on.
pub async fn unpaid<L: Ledger>(ledger: &L) {
    const DAY: i64 = 86_400_000;
    let mut account = opened(ledger).await;
    let unpaid = |status, reminders| TopUp { ended_at: Some(at(NOW)), reminders, ..top_up(status) };
    let declined = TopUpStatus::Declined(DeclineReason::Generic);
    for (attempt, due_after_days) in [
        (unpaid(declined, 0), Some(1)),
        (unpaid(TopUpStatus::ActionRequired, 1), Some(3)),
        (unpaid(TopUpStatus::Paid, 1), None),
        (unpaid(declined, 2), Some(7)),
        (unpaid(declined, 3), Some(30)),
        (unpaid(TopUpStatus::Refused(RefusalReason::OtherPrice), 0), None),
        (unpaid(declined, 0), Some(1)),
        (unpaid(TopUpStatus::Abandoned, 0), None),
    ] {
        let change = Change { records: vec![Record::TopUp(attempt.clone())], ..changed(&account) };
        ledger.commit(&change).await.unwrap();
        account = change.account;
        let due_at = due_after_days.map(|days| at(NOW + days * DAY));
        let before = due_at.map_or(at(i64::from(u32::MAX)), |due_at| due_at - SignedDuration::from_millis(1));
        assert_eq!(all_unpaid(ledger, before).await, [], "{:?}", attempt.status);
        let Some(due_at) = due_at else { continue };
        let what = Invoiced::TopUp(attempt.id.clone());
        let expected = Unpaid { account: account.id.clone(), what, due_at };
        assert_eq!(all_unpaid(ledger, due_at).await, [expected], "{:?}", attempt.status);
    }
}

pub async fn unpaid_pages<L: Ledger>(ledger: &L) {
    for number in 0..60_u32 {
        let opening = opening_of(&format!("customer_{number}"), &format!("cus_{number}"));
        let ended_at = at(NOW) - SignedDuration::from_hours((30 + number * 37 % 60).into());
        let attempt = TopUp {
            account: opening.account.id.clone(),
            ended_at: Some(ended_at),
            ..top_up(TopUpStatus::ActionRequired)
        };
        let records = opening.records.iter().cloned().chain([Record::TopUp(attempt)]).collect();
        ledger.commit(&Change { records, ..opening }).await.unwrap();
    }
    let listed = all_unpaid(ledger, at(NOW)).await;
    let accounts: std::collections::BTreeSet<_> = listed.iter().map(|due| due.account.clone()).collect();
    assert_eq!((accounts.len(), listed.len()), (60, 60), "each once");
    assert_eq!(all_due(ledger, at(NOW)).await.concat(), [], "no account is due for a top-up");
    assert_eq!(all_due_charges(ledger, at(NOW)).await.concat(), []);
}

async fn all_unpaid<L: Ledger>(ledger: &L, now: Timestamp) -> Vec<Unpaid> {
    let mut all = vec![];
    for shard in Shard::all() {
        let (mut listed, mut after) = (vec![], None);
        loop {
            let UnpaidPage { unpaid, next } = ledger.due_unpaid(shard, now, after).await.unwrap();
            assert!(unpaid.len() <= usize::from(DUE_PAGE_SIZE));
            listed.extend(unpaid);
            if next.is_none() {
                break;
            }
            after = next;
        }
        assert!(listed.iter().map(|due| due.due_at).is_sorted(), "{listed:?}");
        all.extend(listed);
    }
    all
}
