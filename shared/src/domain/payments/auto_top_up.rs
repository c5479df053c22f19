//! The customer's settings: whether, when and how far an account is topped up automatically.

use super::counted::used_in_month;
use super::monthly_cap::MonthlyCap;
use super::payment_issue::PaymentIssueKind;
use super::records::{AutoTopUp, Consent, ConsentRecord, OffReason, TopUp, TurnedOff};
use super::turn_off::turn_off;
use crate::domain::{
    Account, AccountClosed, Actor, Amount, Change, ConsentId, Consenter, Credits, OutOfRange, PriceBook, Record, within,
};
use crate::words::{CONSENT_TEXT_VERSION, consent_text};
use jiff::Timestamp;

/// The customer's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutoTopUpCommand {
    /// Turn off. Threshold and target are kept for the next time.
    Off {
        /// Who asks for it, if that is known.
        changed_by: Option<Actor>,
    },
    /// Turn on, or change the settings.
    On {
        threshold: i64,
        target: i64,
        /// The most that top-ups may cost in a month, before tax, in the minor unit. `None` without a cap.
        max_per_month: Option<i64>,
        /// The version of the text that was shown, and who accepted it. Required to turn automatic top-ups on.
        consent: Option<(i64, Consenter)>,
    },
}

/// Why the settings stay unchanged, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutoTopUpRefusal {
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    #[error("target must be at least {gap_min} above threshold, that is from {target_min}, not {target}")]
    GapTooSmall { gap_min: i64, target_min: i64, target: i64 },
    #[error("max_per_month must be {range}, not {value}")]
    CapOutOfRange { range: String, value: i64 },
    #[error("consent is required to turn automatic top-ups on")]
    ConsentRequired,
    #[error("the consent text is at version {current}, not {accepted}")]
    ConsentOutdated { current: u32, accepted: i64 },
}

/// Stores the customer's choice. Nothing is validated with Stripe, and nothing is charged before the next sweep.
/// `None` if automatic top-ups are already off.
///
/// With a cap, `attempts` are those of the month of the account's last one. `current` is the consent to the settings that
/// are turned off.
///
/// # Errors
/// [`AutoTopUpRefusal`]; the settings stay unchanged.
pub fn decide_auto_top_up(
    account: &Account,
    price_book: &PriceBook,
    (command, attempts, current): (&AutoTopUpCommand, &[TopUp], Option<&ConsentRecord>),
    consent_id: ConsentId,
    now: Timestamp,
) -> Result<Option<Change>, AutoTopUpRefusal> {
    account.check_not_closed()?;
    match command {
        AutoTopUpCommand::Off { changed_by } => Ok(switch_off(account, changed_by.clone(), current, now)),
        AutoTopUpCommand::On { threshold, target, max_per_month, consent } => {
            let mut cap = max_per_month.map(|max| check_cap(price_book, max)).transpose()?;
            let (threshold, target, price_max, text) = check_settings(price_book, (*threshold, *target), cap.as_ref())?;
            if let Some(cap) = &mut cap {
                cap.used = used_in_month(account, attempts, cap.max);
            }
            let (accepted, accepted_by) = consent.clone().ok_or(AutoTopUpRefusal::ConsentRequired)?;
            if accepted != i64::from(CONSENT_TEXT_VERSION) {
                return Err(AutoTopUpRefusal::ConsentOutdated { current: CONSENT_TEXT_VERSION, accepted });
            }
            let consent = Consent {
                id: consent_id,
                text_version: CONSENT_TEXT_VERSION,
                accepted_by: Some(accepted_by),
                accepted_at: now,
                price_max,
            };
            let mut change = Change::on(account, now);
            // No payment can resolve a permanent refusal. Once its cause is fixed, choosing the settings again ends the
            // pause.
            change.account.payment_issue.take_if(|issue| matches!(issue.kind, PaymentIssueKind::Refused(_)));
            change.account.auto_top_up =
                Some(AutoTopUp { is_enabled: true, threshold, target, cap, consent: consent.clone() });
            let max_per_month = cap.map(|cap| cap.max);
            let record = ConsentRecord { consent, threshold, target, max_per_month, text, turned_off: None };
            change.records.push(Record::Consent(record));
            Ok(Some(change))
        }
    }
}

fn switch_off(
    account: &Account,
    changed_by: Option<Actor>,
    current: Option<&ConsentRecord>,
    now: Timestamp,
) -> Option<Change> {
    account.auto_top_up.as_ref().filter(|settings| settings.is_enabled)?;
    let mut change = Change::on(account, now);
    turn_off(&mut change, current, TurnedOff { at: now, because: OffReason::Requested, by: changed_by });
    Some(change)
}

/// A cap of less than the smallest top-up would let none open.
fn check_cap(price_book: &PriceBook, value: i64) -> Result<MonthlyCap, AutoTopUpRefusal> {
    let smallest = price_book.smallest_top_up_price().minor();
    let max = Amount::new(price_book.currency, value).filter(|_| (smallest..=MonthlyCap::MAX_MINOR).contains(&value));
    let range = || price_book.currency.describe_range(smallest, MonthlyCap::MAX_MINOR);
    let max = max.ok_or_else(|| AutoTopUpRefusal::CapOutOfRange { range: range(), value })?;
    Ok(MonthlyCap { max, smallest, used: 0 })
}

fn check_settings(
    price_book: &PriceBook,
    (threshold, target): (i64, i64),
    cap: Option<&MonthlyCap>,
) -> Result<(Credits, Credits, Amount, String), AutoTopUpRefusal> {
    let limits = price_book.auto_top_up;
    within("threshold", threshold, limits.threshold_min, limits.threshold_max)?;
    within("target", target, limits.target_min, limits.target_max)?;
    let target_min = threshold.saturating_add(limits.gap_min);
    if target < target_min {
        return Err(AutoTopUpRefusal::GapTooSmall { gap_min: limits.gap_min, target_min, target });
    }
    let beyond = |field, value| OutOfRange { field, min: 0, max: Credits::MAX.get(), value };
    let text = consent_text(price_book, (threshold, target), cap).ok_or(beyond("target", target))?;
    let threshold = Credits::new(threshold).ok_or(beyond("threshold", threshold))?;
    let target = Credits::new(target).ok_or(beyond("target", target))?;
    let price_max = price_book.top_up_price(target).ok_or(beyond("target", target.get()))?;
    Ok((threshold, target, price_max, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TopUpId;
    use crate::domain::payments::{DeclineReason, PaymentIssue, RefusalReason, TopUpStatus};
    use crate::domain::samples::*;

    fn on(threshold: i64, target: i64) -> AutoTopUpCommand {
        AutoTopUpCommand::On {
            threshold,
            target,
            max_per_month: None,
            consent: Some((3, Consenter::parse("owner").unwrap())),
        }
    }

    fn without_consent(threshold: i64, target: i64) -> AutoTopUpCommand {
        AutoTopUpCommand::On { threshold, target, max_per_month: None, consent: None }
    }

    const OFF: AutoTopUpCommand = AutoTopUpCommand::Off { changed_by: None };

    fn decide(account: &Account, command: &AutoTopUpCommand) -> Result<Option<Change>, AutoTopUpRefusal> {
        decide_auto_top_up(account, &PriceBook::reference(), (command, &[], None), ConsentId::mint(1), at(9))
    }

    /// In order of precedence: threshold, target, gap, consent, its version.
    #[test]
    fn settings_are_refused_in_order_of_precedence_and_kept_otherwise() {
        let out_of_range =
            |field, min, max, value| Err(AutoTopUpRefusal::OutOfRange(OutOfRange { field, min, max, value }));
        let outdated = AutoTopUpCommand::On {
            threshold: 100,
            target: 1_100,
            max_per_month: None,
            consent: Some((2, Consenter::parse("owner").unwrap())),
        };
        for (command, expected) in [
            (on(99, 0), out_of_range("threshold", 100, 99_000, 99)),
            (on(99_001, 100_000), out_of_range("threshold", 100, 99_000, 99_001)),
            (on(100, 1_099), out_of_range("target", 1_100, 100_000, 1_099)),
            (without_consent(100, 100_001), out_of_range("target", 1_100, 100_000, 100_001)),
            (
                without_consent(101, 1_100),
                Err(AutoTopUpRefusal::GapTooSmall { gap_min: 1_000, target_min: 1_101, target: 1_100 }),
            ),
            (without_consent(100, 1_100), Err(AutoTopUpRefusal::ConsentRequired)),
            (outdated, Err(AutoTopUpRefusal::ConsentOutdated { current: 3, accepted: 2 })),
            (on(100, 1_100), Ok((100, 1_100))),
            (on(99_000, 100_000), Ok((99_000, 100_000))),
        ] {
            let decided = decide(&account(), &command).map(|change| {
                let settings = change.unwrap().account.auto_top_up.unwrap();
                (settings.threshold.get(), settings.target.get())
            });
            assert_eq!(decided, expected, "{command:?}");
        }
    }

    #[test]
    fn the_consent_is_kept_word_for_word_and_survives_switching_off() {
        let change = decide(&account(), &on(1_000, 10_000)).unwrap().unwrap();
        let [Record::Consent(record)] = &change.records[..] else { panic!("one consent is recorded") };
        let text = &record.text;
        assert!(text.contains("below 1,000 credits"), "{text}");
        assert!(
            text.contains("at most $100.00\u{a0}USD at a time plus tax, and never more than $130.00\u{a0}USD in all"),
            "{text}"
        );
        assert!(text.contains("at most 4 times a day, so at most $520.00\u{a0}USD a day"), "{text}");
        assert_eq!(
            (record.consent.accepted_at, record.consent.accepted_by.clone()),
            (at(9), Consenter::parse("owner").ok())
        );

        let book = PriceBook::reference();
        let ada = Actor::parse("ada").ok();
        let off = AutoTopUpCommand::Off { changed_by: ada.clone() };
        let command = (&off, &[][..], Some(record));
        let off = decide_auto_top_up(&change.account, &book, command, ConsentId::mint(2), at(10)).unwrap().unwrap();
        let settings = off.account.auto_top_up.clone().unwrap();
        assert_eq!((settings.is_enabled, settings.target.get()), (false, 10_000));
        assert_eq!(settings.consent.id, ConsentId::mint(1));
        let turned_off = Some(TurnedOff { at: at(10), because: OffReason::Requested, by: ada });
        assert_eq!(off.records, [Record::Consent(ConsentRecord { turned_off, ..record.clone() })]);
        let again = decide_auto_top_up(&off.account, &book, command, ConsentId::mint(2), at(11));
        assert_eq!(again, Ok(None), "the first who turned them off is kept");
    }

    /// R4: there is nothing to pay, so choosing the settings again is how a customer says that the cause is fixed.
    #[test]
    fn choosing_anew_ends_the_pause_of_a_refusal_and_no_other() {
        for (kind, is_paused) in [
            (PaymentIssueKind::Refused(RefusalReason::NoTaxLocation), false),
            (PaymentIssueKind::ActionRequired, true),
            (PaymentIssueKind::Declined(DeclineReason::Generic), true),
        ] {
            let issue = Some(PaymentIssue { kind, top_up: TopUpId::mint(1), since: at(1) });
            let paused = Account { payment_issue: issue, ..account() };
            let chosen = decide(&paused, &on(100, 1_100)).unwrap().unwrap().account;
            assert_eq!(chosen.payment_issue.is_some(), is_paused, "{kind:?}");
            let off = decide(&Account { payment_issue: paused.payment_issue, ..chosen }, &OFF);
            assert!(
                off.unwrap().unwrap().account.payment_issue.is_some(),
                "{kind:?}: turning it off does not end the pause"
            );
        }
    }

    fn capped(max: i64) -> AutoTopUpCommand {
        let consent = Some((3, Consenter::parse("owner").unwrap()));
        AutoTopUpCommand::On { threshold: 500, target: 5_000, max_per_month: Some(max), consent }
    }

    /// The smallest top-up of the reference book is 1,000 credits.
    #[test]
    fn a_monthly_cap_is_at_least_the_smallest_top_up_and_part_of_the_consent() {
        for (max, is_kept) in [(999, false), (1_000, true), (MonthlyCap::MAX_MINOR, true), (-1, false)] {
            let decided = decide(&account(), &capped(max)).map(|change| {
                let cap = change.unwrap().account.auto_top_up.unwrap().cap.unwrap();
                (cap.max.minor(), cap.smallest, cap.used)
            });
            let range = "from 1000 to 700000000000".to_owned();
            let refused = Err(AutoTopUpRefusal::CapOutOfRange { range, value: max });
            assert_eq!(decided, if is_kept { Ok((max, 1_000, 0)) } else { refused });
        }
        let change = decide(&account(), &capped(20_000)).unwrap().unwrap();
        let [Record::Consent(record)] = &change.records[..] else { panic!("one consent is recorded") };
        assert_eq!(record.max_per_month.map(Amount::minor), Some(20_000));
        let promised = "at most $200.00\u{a0}USD a month plus tax, and never more than $260.00\u{a0}USD a month in all";
        assert!(record.text.contains(promised), "{}", record.text);
        assert!(record.text.contains("if it leaves less than $10.00\u{a0}USD. I can turn this off"), "{}", record.text);
    }

    /// Whatever was set before, a new cap counts what the month has cost already.
    #[test]
    fn a_new_cap_counts_the_attempts_of_the_month() {
        let before = Account { last_top_up_at: Some(at(0)), ..account() };
        let attempt = |price, opened_at, status| {
            let price = Amount::new(crate::domain::Currency::USD, price).unwrap();
            let credits = Credits::constant(1_000);
            let (id, account, customer) = (TopUpId::mint(1), before.id.clone(), before.customer.clone());
            let (payment_method, invoice, payment_intent, ended_at) = (None, None, None, None);
            TopUp {
                id,
                account,
                customer,
                payment_method,
                credits,
                price,
                status,
                invoice,
                payment_intent,
                opened_at,
                ended_at,
                retries: 0,
                reminders: 0,
                reversed: Default::default(),
                refunds: vec![],
            }
        };
        let attempts = [
            attempt(1_000, at(0), TopUpStatus::Paid),
            attempt(200, at(0), TopUpStatus::Open),
            attempt(30, at(0), TopUpStatus::Declined(DeclineReason::Generic)),
            attempt(4, at(0), TopUpStatus::PartlyPaid),
            attempt(50_000, at(0), TopUpStatus::Abandoned),
            attempt(50_000, at(0), TopUpStatus::Refused(RefusalReason::OtherPrice)),
            attempt(50_000, at(-1), TopUpStatus::Paid),
        ];
        let book = PriceBook::reference();
        let change = decide_auto_top_up(&before, &book, (&capped(20_000), &attempts, None), ConsentId::mint(1), at(9));
        assert_eq!(change.unwrap().unwrap().account.auto_top_up.unwrap().cap.unwrap().used, 1_234);
    }

    #[test]
    fn switching_off_what_is_off_changes_nothing() {
        assert_eq!(decide(&account(), &OFF), Ok(None));
        let once = decide(&account(), &on(100, 1_100)).unwrap().unwrap().account;
        let off = decide(&once, &OFF).unwrap().unwrap().account;
        assert_eq!(decide(&off, &OFF), Ok(None));
    }
}
