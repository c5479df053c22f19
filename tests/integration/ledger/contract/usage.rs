//! Rows of usage, and how far an account is folded.

use crate::ledger::samples::*;
use shared::domain::*;
use shared::ports::*;

pub async fn unknown<L: Ledger>(ledger: &L) {
    let account = account_id();
    assert_eq!(ledger.usage_cursor_get(&account).await.unwrap(), UsageCursor::default());
    assert_eq!(ledger.usage_rows(&account, periods(Granularity::Day, "2026-01-01", "2026-12-31")).await.unwrap(), []);
    assert_eq!(ledger.entries_after(&account, 0, 100).await.unwrap(), []);
}

pub async fn folds<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await.id;
    let all = async || {
        let mut all = vec![];
        for granularity in Granularity::ALL {
            all.extend(ledger.usage_rows(&account, periods(granularity, "2026-01-01", "2026-01-31")).await.unwrap());
        }
        (ledger.usage_cursor_get(&account).await.unwrap().through_seq, all)
    };
    let first = usage_fold(0, 11);
    assert!(matches!(ledger.usage_fold(&account, &usage_fold(7, 11)).await, Err(FoldError::Stale)), "from nowhere");
    assert_eq!(all().await, (0, vec![]));
    ledger.usage_fold(&account, &first).await.unwrap();
    assert_eq!(all().await, (11, first.rows.clone()));
    let mut next = usage_fold(11, 20);
    next.rows.pop();
    next.rows[0].total.charges = 7;
    for (after, is_first) in [(0, false), (12, false), (11, true), (11, false)] {
        let fold = UsageFold { before: folded_through(after), ..next.clone() };
        let folded = ledger.usage_fold(&account, &fold).await;
        assert_eq!(folded.is_ok(), is_first, "from {after}: {folded:?}");
        assert!(is_first || matches!(folded, Err(FoldError::Stale)), "from {after}: {folded:?}");
        if !is_first && after != 11 {
            assert_eq!(all().await, (11, first.rows.clone()), "a refused fold writes nothing");
        }
    }
    assert_eq!(all().await, (20, vec![next.rows[0].clone(), first.rows[1].clone()]));
    let other = AccountId::parse("acme2").unwrap();
    let nothing = UsageCursor::default();
    assert_eq!(ledger.usage_cursor_get(&other).await.unwrap(), nothing, "of another account");
}

/// Erasing names moves the cursor although nothing is folded, so a fold that began before is refused.
pub async fn nameless<L: Ledger>(ledger: &L) {
    for (name, through) in [("acme", 0), ("bolt", 11)] {
        let change = opening_of(name, &format!("cus_{name}"));
        ledger.commit(&change).await.unwrap();
        let account = change.account.id;
        if through > 0 {
            ledger.usage_fold(&account, &usage_fold(0, through)).await.unwrap();
        }
        let (named, rows) = (folded_through(through), vec![usage_row(Granularity::Day, "2026-01-15").nameless()]);
        let nameless = UsageCursor { is_nameless: true, ..named };
        let erasing = |before| UsageFold { before, after: nameless, rows: rows.clone(), flags: vec![] };
        ledger.usage_fold(&account, &erasing(named)).await.unwrap();
        assert_eq!(ledger.usage_cursor_get(&account).await.unwrap(), nameless);
        let late = ledger.usage_fold(&account, &usage_fold(through, through + 9)).await;
        assert!(matches!(late, Err(FoldError::Stale)), "{through}: {late:?}");
        let stored = ledger.usage_rows(&account, periods(Granularity::Day, "2026-01-01", "2026-01-31")).await.unwrap();
        assert_eq!(stored, rows, "a refused fold writes nothing");
        ledger.usage_fold(&account, &erasing(nameless)).await.unwrap();
    }
}

pub async fn rows<L: Ledger>(ledger: &L) {
    let account = opened(ledger).await.id;
    let days = ["2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01"];
    let mut fold = usage_fold(0, 11);
    fold.rows = days.iter().map(|date| usage_row(Granularity::Day, date)).collect();
    fold.rows.extend(["2025-12-01", "2026-01-01", "2026-02-01"].map(|date| usage_row(Granularity::Month, date)));
    ledger.usage_fold(&account, &fold).await.unwrap();
    for (granularity, from, to, expected) in [
        (Granularity::Day, "2025-01-01", "2027-01-01", days.to_vec()),
        (Granularity::Day, "2026-01-01", "2026-01-31", vec!["2026-01-01", "2026-01-31"]),
        (Granularity::Day, "2026-01-02", "2026-01-30", vec![]),
        (Granularity::Month, "2025-12-31", "2026-01-01", vec!["2025-12-01", "2026-01-01"]),
        (Granularity::Month, "2026-02-28", "2026-02-28", vec!["2026-02-01"]),
    ] {
        let rows = ledger.usage_rows(&account, periods(granularity, from, to)).await.unwrap();
        let firsts: Vec<_> = rows.iter().map(|row| row.period.first().to_string()).collect();
        assert_eq!(firsts, expected, "{granularity:?} from {from} to {to}");
        assert!(rows.iter().all(|row| fold.rows.contains(row)));
    }
}

/// More than nine entries, so that sorting them as text would be noticed.
pub async fn entries<L: Ledger>(ledger: &L) {
    let mut account = opened(ledger).await;
    for number in 1..=12 {
        let change = posted(&account, 1, charge(&format!("{number}")));
        ledger.commit(&change).await.unwrap();
        account = change.account;
    }
    for (after, limit, expected) in [
        (0, 100, (1..=12).collect::<Vec<u64>>()),
        (0, 5, vec![1, 2, 3, 4, 5]),
        (8, 3, vec![9, 10, 11]),
        (10, 5, vec![11, 12]),
        (12, 1, vec![]),
        (0, 0, vec![1]),
    ] {
        let entries = ledger.entries_after(&account.id, after, limit).await.unwrap();
        let seqs: Vec<_> = entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, expected, "after {after}, limit {limit}");
    }
}
