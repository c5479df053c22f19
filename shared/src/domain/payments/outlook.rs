//! What becomes of an account's next top-up: whether one comes by itself, when, and if not, why.
//!
//! A program whose charge was refused learns from it whether to wait or to call a person.

use super::gates::{GateState, NotDue, gates, top_up_credits};
use super::payment_issue::PaymentIssueKind;
use super::returned::ReturnReason;
use crate::domain::{Account, Credits, PriceBook};
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};

/// The minutes between sweeps, which start at every full and half hour in UTC, as scheduled in `template.yaml`.
pub const SWEEP_MINUTES: i64 = 30;

/// What becomes of the next top-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopUpOutlook {
    /// An attempt is open. The next sweep asks for its outcome again, unless it is known before. If the customer no longer
    /// wants it, that sweep closes it unless the bank has answered.
    InProgress { next_check_at: Timestamp, next_eligible_at: Option<Timestamp>, is_wanted: bool },
    /// None comes until someone acts, although no payment has failed.
    Off(NoTopUp),
    /// None comes until the payment issue ends.
    Paused(PaymentIssueKind),
    /// None comes until the customer acts, because a payment went back.
    PausedByReversal(ReturnReason),
    /// The last attempt was opened less than six hours ago, or the monthly cap leaves too little. The first sweep after
    /// that opens the next one.
    Waiting { next_check_at: Timestamp, next_eligible_at: Timestamp, is_enough: bool, is_capped: bool },
    /// The next sweep opens an attempt.
    Due { next_check_at: Timestamp, is_enough: bool },
}

/// Why none comes, although no payment has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoTopUp {
    NotTurnedOn,
    /// A charge is refused for the same reason, so no 402 says this.
    SpendingStopped,
    NoCard,
    /// The balance does not cover the charge, but it is not low enough for a top-up.
    BalanceNotBelowThreshold,
    PriceOutOfRange,
    BeyondConsent,
}

/// What somebody can do so that a top-up comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cure {
    /// Turn automatic top-ups on, or choose other settings.
    ChooseSettings,
    AllowSpending,
    /// The card that pays a package is saved, and a pause after a refund or a dispute ends.
    BuyPackage,
    /// Pay the attempt's open invoice.
    PayInvoice,
}

/// The outlook for a charge of `required` credits that the balance does not cover.
///
/// In order of precedence: an open attempt, what stops the next one until someone acts, and the six hours. So an
/// account for which waiting does not help is never told to wait.
pub fn top_up_outlook(account: &Account, price_book: &PriceBook, required: Credits, now: Timestamp) -> TopUpOutlook {
    let is_enough = is_enough(account, price_book, required, now);
    let of_gates = gates(account, price_book, now).into_iter().filter_map(|gate| match gate.state {
        GateState::Closed(not_due) => outlook_of(&not_due, account, is_enough, now),
        GateState::Open | GateState::NotApplicable => None,
    });
    // No gate, because a sweep does open an attempt without a card, and then pauses the account.
    let of_card = account.payment_method.is_none().then_some(TopUpOutlook::Off(NoTopUp::NoCard));
    let first = of_gates.chain(of_card).min_by_key(TopUpOutlook::precedence);
    first.unwrap_or(TopUpOutlook::Due { next_check_at: sweep_after(now), is_enough })
}

fn outlook_of(not_due: &NotDue, account: &Account, is_enough: bool, now: Timestamp) -> Option<TopUpOutlook> {
    Some(match not_due {
        NotDue::AttemptOpen(_) => TopUpOutlook::InProgress {
            next_check_at: sweep_after(now),
            next_eligible_at: account.next_top_up_at().filter(|next| now < *next),
            is_wanted: account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled),
        },
        NotDue::Off => TopUpOutlook::Off(NoTopUp::NotTurnedOn),
        NotDue::SpendingStopped { .. } => TopUpOutlook::Off(NoTopUp::SpendingStopped),
        NotDue::Paused { .. } => match &account.payment_issue {
            Some(issue) => TopUpOutlook::Paused(issue.kind),
            None => TopUpOutlook::PausedByReversal(account.reversal_pause?.because),
        },
        NotDue::NotBelowThreshold { .. } => TopUpOutlook::Off(NoTopUp::BalanceNotBelowThreshold),
        NotDue::PriceOutOfRange { .. } => TopUpOutlook::Off(NoTopUp::PriceOutOfRange),
        NotDue::BeyondConsent { .. } => TopUpOutlook::Off(NoTopUp::BeyondConsent),
        NotDue::TooSoon { until } => waiting(*until, is_enough, false),
        // An attempt in the last hours of a month keeps the first hours of the next one closed.
        NotDue::CapReached { until, .. } => {
            waiting(account.next_top_up_at().map_or(*until, |next| next.max(*until)), is_enough, true)
        }
    })
}

fn waiting(until: Timestamp, is_enough: bool, is_capped: bool) -> TopUpOutlook {
    TopUpOutlook::Waiting { next_check_at: sweep_from(until), next_eligible_at: until, is_enough, is_capped }
}

/// Whether the balance will cover the charge after the top-up, if nothing else is charged until then.
fn is_enough(account: &Account, price_book: &PriceBook, required: Credits, now: Timestamp) -> bool {
    account.auto_top_up.as_ref().is_some_and(|settings| {
        let balance = account.balance.plus(top_up_credits(account, settings, price_book, now));
        balance.is_some_and(|balance| balance >= required)
    })
}

/// The first sweep later than this instant: a sweep of this very instant may have looked at the account already.
fn sweep_after(instant: Timestamp) -> Timestamp {
    let last = instant.round(to_sweeps(RoundMode::Floor)).unwrap_or(instant);
    last.saturating_add(SignedDuration::from_mins(SWEEP_MINUTES)).unwrap_or(Timestamp::MAX)
}

/// The first sweep at this instant or later.
fn sweep_from(instant: Timestamp) -> Timestamp {
    instant.round(to_sweeps(RoundMode::Ceil)).unwrap_or(Timestamp::MAX)
}

fn to_sweeps(mode: RoundMode) -> TimestampRound {
    TimestampRound::new().smallest(Unit::Minute).increment(SWEEP_MINUTES).mode(mode)
}

impl TopUpOutlook {
    /// Lower comes first.
    fn precedence(&self) -> u8 {
        match self {
            Self::InProgress { .. } => 0,
            Self::Off(NoTopUp::NotTurnedOn | NoTopUp::SpendingStopped) => 1,
            Self::Paused(_) | Self::PausedByReversal(_) => 2,
            Self::Off(NoTopUp::NoCard) => 3,
            Self::Off(NoTopUp::BalanceNotBelowThreshold) => 4,
            Self::Off(NoTopUp::PriceOutOfRange) => 5,
            Self::Off(NoTopUp::BeyondConsent) => 6,
            Self::Waiting { is_capped: true, .. } => 7,
            Self::Waiting { is_capped: false, .. } => 8,
            Self::Due { .. } => 9,
        }
    }

    /// Its name in the API.
    pub fn state(&self) -> &'static str {
        match self {
            Self::InProgress { .. } => "in_progress",
            Self::Off(_) => "off",
            Self::Paused(_) | Self::PausedByReversal(_) => "paused",
            Self::Waiting { .. } => "waiting",
            Self::Due { .. } => "due",
        }
    }

    /// The sweep that opens an attempt, or asks for the outcome of the open one. It may reach the account some minutes
    /// later.
    pub fn next_check_at(&self) -> Option<Timestamp> {
        match self {
            Self::InProgress { next_check_at, .. }
            | Self::Waiting { next_check_at, .. }
            | Self::Due { next_check_at, .. } => Some(*next_check_at),
            Self::Off(_) | Self::Paused(_) | Self::PausedByReversal(_) => None,
        }
    }

    /// When the six hours since the last attempt are over, or the month of a cap that leaves too little, if they are not yet.
    pub fn next_eligible_at(&self) -> Option<Timestamp> {
        match self {
            Self::Waiting { next_eligible_at, .. } => Some(*next_eligible_at),
            Self::InProgress { next_eligible_at, .. } => *next_eligible_at,
            Self::Off(_) | Self::Paused(_) | Self::PausedByReversal(_) | Self::Due { .. } => None,
        }
    }

    /// What brings a top-up, if waiting does not, or does only in the next month.
    pub fn cure(&self) -> Option<Cure> {
        match self {
            Self::Off(NoTopUp::NotTurnedOn | NoTopUp::PriceOutOfRange | NoTopUp::BeyondConsent)
            | Self::Waiting { is_capped: true, .. }
            // Nothing can be paid. Once the cause is gone, the customer chooses the settings again.
            | Self::Paused(PaymentIssueKind::Refused(_)) => Some(Cure::ChooseSettings),
            Self::Off(NoTopUp::SpendingStopped) => Some(Cure::AllowSpending),
            Self::Off(NoTopUp::NoCard) | Self::PausedByReversal(_) => Some(Cure::BuyPackage),
            Self::Paused(PaymentIssueKind::Declined(_) | PaymentIssueKind::ActionRequired) => Some(Cure::PayInvoice),
            Self::Off(NoTopUp::BalanceNotBelowThreshold)
            | Self::InProgress { .. }
            | Self::Waiting { is_capped: false, .. }
            | Self::Due { .. } => None,
        }
    }

    /// Why the charge will not be covered without someone acting. A word whose meaning never changes.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Off(reason) => Some(reason.name()),
            Self::Paused(PaymentIssueKind::Declined(reason)) => Some(reason.name()),
            Self::Paused(PaymentIssueKind::Refused(reason)) => Some(reason.name()),
            Self::Paused(kind @ PaymentIssueKind::ActionRequired) => Some(kind.name()),
            Self::PausedByReversal(because) => Some(because.name()),
            Self::Waiting { is_capped: true, .. } => Some("monthly_cap_reached"),
            Self::Waiting { is_enough, .. } | Self::Due { is_enough, .. } => (!is_enough).then_some("not_enough"),
            Self::InProgress { is_wanted, .. } => (!is_wanted).then(|| NoTopUp::NotTurnedOn.name()),
        }
    }
}

impl NoTopUp {
    fn name(self) -> &'static str {
        match self {
            Self::NotTurnedOn => "not_turned_on",
            Self::SpendingStopped => "spending_stopped",
            Self::NoCard => "no_card",
            Self::BalanceNotBelowThreshold => "balance_not_below_threshold",
            Self::PriceOutOfRange => "price_out_of_range",
            Self::BeyondConsent => "beyond_consent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::{AutoTopUp, DeclineReason, PaymentIssue, RefusalReason};
    use crate::domain::samples::*;
    use crate::domain::{Amount, Currency};
    use crate::domain::{PaymentMethodId, TopUpId};

    const HOUR: i64 = 3_600;

    /// On, with a card, and 499 credits: one below the threshold.
    fn due() -> Account {
        Account {
            auto_top_up: Some(settings(500, 5_000)),
            payment_method: PaymentMethodId::parse("pm_1").ok(),
            balance: Credits::constant(499),
            ..account()
        }
    }

    fn off(account: Account) -> Account {
        let settings = account.auto_top_up.clone().map(|settings| AutoTopUp { is_enabled: false, ..settings });
        Account { auto_top_up: settings, ..account }
    }

    fn with_issue(kind: PaymentIssueKind, account: Account) -> Account {
        let issue = PaymentIssue { kind, top_up: TopUpId::mint(1), since: at(1) };
        Account { payment_issue: Some(issue), ..account }
    }

    fn with_open_attempt(account: Account) -> Account {
        Account { open_top_up: Some(TopUpId::mint(1)), ..account }
    }

    fn with_balance(balance: i64, account: Account) -> Account {
        Account { balance: Credits::constant(balance), ..account }
    }

    /// State, next check, next eligible and reason, the instants as minutes after midnight.
    type Told = (&'static str, Option<i64>, Option<i64>, Option<&'static str>);

    fn told(account: &Account, price_book: &PriceBook, required: i64, now: i64) -> Told {
        let outlook = top_up_outlook(account, price_book, Credits::constant(required), at(now));
        let minutes = |instant: Timestamp| instant.duration_since(at(0)).as_mins();
        (
            outlook.state(),
            outlook.next_check_at().map(minutes),
            outlook.next_eligible_at().map(minutes),
            outlook.reason(),
        )
    }

    /// In order of precedence; each line also meets all conditions of the lines below it, as far as they can be
    /// combined.
    #[test]
    fn a_refused_charge_is_told_whether_to_wait_or_to_call_a_person() {
        let declined = PaymentIssueKind::Declined(DeclineReason::ExpiredCard);
        let attempted = Account { last_top_up_at: Some(at(0)), ..due() };
        let rich = with_balance(500, attempted.clone());
        let without_card = Account { payment_method: None, ..rich.clone() };
        let paused = with_issue(declined, without_card.clone());
        let stopped = Account { spending: Some(stopped_at(1)), ..paused.clone() };
        let turned_off = off(stopped.clone());
        let (now, required) = (HOUR + 1, 600);
        for (name, account, expected) in [
            (
                "an open attempt that is no longer wanted",
                with_open_attempt(turned_off.clone()),
                ("in_progress", Some(90), Some(360), Some("not_turned_on")),
            ),
            ("an open attempt", with_open_attempt(paused.clone()), ("in_progress", Some(90), Some(360), None)),
            ("turned off", turned_off, ("off", None, None, Some("not_turned_on"))),
            ("never chosen", account(), ("off", None, None, Some("not_turned_on"))),
            ("stopped", stopped, ("off", None, None, Some("spending_stopped"))),
            ("paused", paused, ("paused", None, None, Some("expired_card"))),
            ("no card", without_card, ("off", None, None, Some("no_card"))),
            ("at the threshold", rich, ("off", None, None, Some("balance_not_below_threshold"))),
            ("an hour after the last attempt", attempted, ("waiting", Some(360), Some(360), None)),
            ("nothing stops it", due(), ("due", Some(90), None, None)),
        ] {
            assert_eq!(told(&account, &PriceBook::reference(), required, now), expected, "{name}");
        }
    }

    #[test]
    fn a_price_that_was_not_agreed_to_stops_a_top_up_even_within_the_six_hours() {
        let attempted = Account { last_top_up_at: Some(at(0)), ..due() };
        let dearer = PriceBook { price_per_credit: Amount::new(Currency::USD, 2).unwrap(), ..PriceBook::reference() };
        assert_eq!(told(&attempted, &dearer, 600, HOUR), ("off", None, None, Some("beyond_consent")));
        let far_too_dear = PriceBook {
            price_per_credit: Amount::new(Currency::USD, 1_000_000_000).unwrap(),
            ..PriceBook::reference()
        };
        assert_eq!(told(&attempted, &far_too_dear, 600, HOUR), ("off", None, None, Some("price_out_of_range")));
    }

    #[test]
    fn a_pause_says_its_reason_in_the_finest_word() {
        for (kind, reason) in [
            (PaymentIssueKind::Declined(DeclineReason::NoCard), "no_card"),
            (PaymentIssueKind::Declined(DeclineReason::InsufficientFunds), "insufficient_funds"),
            (PaymentIssueKind::ActionRequired, "action_required"),
            (PaymentIssueKind::Refused(RefusalReason::NoTaxLocation), "no_tax_location"),
        ] {
            let paused = with_issue(kind, due());
            assert_eq!(told(&paused, &PriceBook::reference(), 600, 0), ("paused", None, None, Some(reason)));
        }
    }

    /// The target is 5,000. From below zero a top-up buys the target and no more.
    #[test]
    fn a_top_up_that_will_not_cover_the_charge_says_so() {
        for (balance, required, reason) in
            [(499, 5_000, None), (499, 5_001, Some("not_enough")), (-1, 4_999, None), (-1, 5_000, Some("not_enough"))]
        {
            let account = with_balance(balance, due());
            let expected = ("due", Some(30), None, reason);
            assert_eq!(told(&account, &PriceBook::reference(), required, 0), expected, "{balance} {required}");
            let attempted = Account { last_top_up_at: Some(at(0)), ..account };
            let expected = ("waiting", Some(360), Some(360), reason);
            assert_eq!(told(&attempted, &PriceBook::reference(), required, 1), expected, "{balance} {required}");
        }
    }

    /// Sweeps are at every full and half hour. The last attempt was opened at midnight or some seconds later.
    #[test]
    fn the_next_check_is_the_next_sweep_that_may_open_an_attempt() {
        for (attempted, now, expected) in [
            (None, 0, ("due", Some(30), None, None)),
            (None, 1_799, ("due", Some(30), None, None)),
            (None, 1_800, ("due", Some(60), None, None)),
            (Some(0), 6 * HOUR - 1, ("waiting", Some(360), Some(360), None)),
            (Some(0), 6 * HOUR, ("due", Some(390), None, None)),
            (Some(1), 6 * HOUR, ("waiting", Some(390), Some(360), None)),
            (Some(59), 6 * HOUR, ("waiting", Some(390), Some(360), None)),
            (Some(1_800), 6 * HOUR, ("waiting", Some(390), Some(390), None)),
            (Some(1_801), 6 * HOUR, ("waiting", Some(420), Some(390), None)),
        ] {
            let account = Account { last_top_up_at: attempted.map(at), ..due() };
            assert_eq!(told(&account, &PriceBook::reference(), 600, now), expected, "{attempted:?} {now}");
        }
    }

    #[test]
    fn an_open_attempt_says_when_the_next_could_follow_unless_that_is_past() {
        let open = with_open_attempt(Account { last_top_up_at: Some(at(0)), ..due() });
        let told = |now| told(&open, &PriceBook::reference(), 600, now);
        assert_eq!(told(HOUR), ("in_progress", Some(90), Some(360), None));
        assert_eq!(told(7 * HOUR), ("in_progress", Some(450), None, None));
    }
}
