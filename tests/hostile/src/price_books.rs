//! The price book of a deployment.

use crate::world::{account_id, ledger_with, now};
use shared::config::parse_price_book;
use shared::domain::payments::{AutoTopUpCommand, decide_auto_top_up};
use shared::domain::{ConsentId, Consenter, Credits, PriceBook};
use shared::words::CONSENT_TEXT_VERSION;

/// Any bytes as JSON: an accepted price book works for all amounts within its bounds.
pub fn price_books(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(book) = parse_price_book(text) else { return };
    assert_eq!(book.clone().checked(), Ok(book.clone()));
    operations(&book);
    for package in &book.packages {
        assert!(package.credits > Credits::ZERO && package.price.minor() >= 50);
        assert_eq!(book.package(&package.id), Some(package), "a package is found by its id");
    }
    top_ups(&book);
}

fn operations(book: &PriceBook) {
    for sold in &book.operations {
        assert_eq!(book.operation(sold.name.as_str()), Some(sold), "an operation is found by its name");
        let (min, max) = (sold.amount_min, sold.amount_max);
        assert!(book.price(sold, min - 1).is_err() && book.price(sold, max + 1).is_err());
        let mut last = Credits::ZERO;
        for amount in [min, min.midpoint(max), max] {
            let price = book.price(sold, amount).expect("within its bounds").credits();
            assert!(price > Credits::ZERO && price >= last && price < Credits::MAX, "more never costs less");
            last = price;
        }
    }
}

/// No permitted setting costs more than the agreed maximum, four times a day.
fn top_ups(book: &PriceBook) {
    let limits = book.auto_top_up;
    let tables = ledger_with(&[]);
    let account = tables.tables().partitions[&account_id()].account.clone().expect("the account was opened");
    let consent = Consenter::parse("owner").ok().map(|by| (CONSENT_TEXT_VERSION.into(), by));
    for threshold in [limits.threshold_min, limits.threshold_max] {
        for target in [limits.target_min, limits.target_max, threshold.saturating_add(limits.gap_min)] {
            let max_per_month = (threshold % 2 == 0).then_some(threshold.saturating_mul(100));
            let command = AutoTopUpCommand::On { threshold, target, max_per_month, consent: consent.clone() };
            let decided = decide_auto_top_up(&account, book, (&command, &[], None), ConsentId::mint(1), now());
            let Ok(Some(change)) = decided else { continue };
            let settings = change.account.auto_top_up.expect("top-ups were turned on");
            assert!(settings.is_enabled && settings.threshold < settings.target);
            let price = book.top_up_price(settings.target).expect("a permitted target has a price");
            assert!(price.minor() >= 50 && price.is_at_most(settings.consent.price_max));
        }
    }
}
