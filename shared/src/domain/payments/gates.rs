//! The gates between an account and its next automatic top-up, evaluated in one place. The decision takes the first
//! closed one, and a diagnosis shows all of them.

use super::monthly_cap::MonthlyCap;
use super::records::AutoTopUp;
use crate::domain::{Account, Amount, Credits, PriceBook, TopUpId};
use jiff::Timestamp;

/// The number of gates.
pub const GATE_COUNT: usize = 9;

/// One condition between an account and its next top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    pub name: GateName,
    pub state: GateState,
}

/// The condition of each gate, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GateName {
    TurnedOn,
    SpendingAllowed,
    NoOpenAttempt,
    NotPaused,
    BelowThreshold,
    IntervalPassed,
    WithinMonthlyCap,
    PriceInRange,
    WithinConsent,
}

impl GateName {
    const ALL: [Self; GATE_COUNT] = [
        Self::TurnedOn,
        Self::SpendingAllowed,
        Self::NoOpenAttempt,
        Self::NotPaused,
        Self::BelowThreshold,
        Self::IntervalPassed,
        Self::WithinMonthlyCap,
        Self::PriceInRange,
        Self::WithinConsent,
    ];

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gate| gate.name() == name)
    }

    /// Its name in table and API. The meaning of a name never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::TurnedOn => "turned_on",
            Self::SpendingAllowed => "spending_allowed",
            Self::NoOpenAttempt => "no_open_attempt",
            Self::NotPaused => "not_paused",
            Self::BelowThreshold => "below_threshold",
            Self::IntervalPassed => "interval_passed",
            Self::WithinMonthlyCap => "within_monthly_cap",
            Self::PriceInRange => "price_in_range",
            Self::WithinConsent => "within_consent",
        }
    }
}

/// The state of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateState {
    Open,
    Closed(NotDue),
    /// There is nothing to check: the customer has never chosen a threshold and a target, or no cap, or there is nothing to
    /// buy.
    NotApplicable,
}

/// Why no attempt is opened, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDue {
    #[error("automatic top-ups are off")]
    Off,
    #[error("the customer stopped spending at {stopped_at}")]
    SpendingStopped { stopped_at: Timestamp },
    #[error("attempt {0} is still open")]
    AttemptOpen(TopUpId),
    #[error("automatic top-ups are paused since {since}")]
    Paused { since: Timestamp },
    #[error("the balance, {balance}, is not below the threshold, {threshold}")]
    NotBelowThreshold { balance: Credits, threshold: Credits },
    #[error("the next attempt may open at {until}")]
    TooSoon { until: Timestamp },
    #[error("{left} of {max} is left this month, and the next attempt may open at {until}")]
    CapReached { left: Amount, max: Amount, until: Timestamp },
    #[error("{credits} credits cannot be bought in one payment")]
    PriceOutOfRange { credits: Credits },
    #[error("the top-up now costs {price}, but the customer agreed to {price_max}")]
    BeyondConsent { price: Amount, price_max: Amount },
}

impl NotDue {
    /// The gate that is closed.
    pub fn gate(&self) -> GateName {
        match self {
            Self::Off => GateName::TurnedOn,
            Self::SpendingStopped { .. } => GateName::SpendingAllowed,
            Self::AttemptOpen(_) => GateName::NoOpenAttempt,
            Self::Paused { .. } => GateName::NotPaused,
            Self::NotBelowThreshold { .. } => GateName::BelowThreshold,
            Self::TooSoon { .. } => GateName::IntervalPassed,
            Self::CapReached { .. } => GateName::WithinMonthlyCap,
            Self::PriceOutOfRange { .. } => GateName::PriceInRange,
            Self::BeyondConsent { .. } => GateName::WithinConsent,
        }
    }
}

/// Every gate in order of precedence, each evaluated independently of the others.
pub fn gates(account: &Account, price_book: &PriceBook, now: Timestamp) -> [Gate; GATE_COUNT] {
    let settings = account.auto_top_up.as_ref();
    // What is bought has a price only once the balance is below the threshold.
    let buying = settings.filter(|settings| account.balance < settings.threshold);
    let bought = buying.map(|settings| (settings, top_up_credits(account, settings, price_book, now)));
    let cap = settings.and_then(|settings| settings.cap.as_ref());
    let turned_on = settings.is_none_or(|settings| !settings.is_enabled).then_some(NotDue::Off);
    let spending_allowed = account.spending_stopped_at().map(|stopped_at| NotDue::SpendingStopped { stopped_at });
    let no_open_attempt = account.open_top_up.clone().map(NotDue::AttemptOpen);
    let of_issue = account.payment_issue.as_ref().map(|issue| issue.since);
    let of_reversal = account.reversal_pause.map(|pause| pause.since);
    let not_paused = of_issue.or(of_reversal).map(|since| NotDue::Paused { since });
    let interval_passed = account.next_top_up_at().filter(|until| now < *until).map(|until| NotDue::TooSoon { until });
    [
        (GateName::TurnedOn, Some(turned_on)),
        (GateName::SpendingAllowed, Some(spending_allowed)),
        (GateName::NoOpenAttempt, Some(no_open_attempt)),
        (GateName::NotPaused, Some(not_paused)),
        (GateName::BelowThreshold, settings.map(|settings| not_below_threshold(account, settings))),
        (GateName::IntervalPassed, Some(interval_passed)),
        (GateName::WithinMonthlyCap, cap.map(|cap| cap_reached(account, cap, now))),
        (GateName::PriceInRange, bought.map(|(_, credits)| price_out_of_range(credits, price_book))),
        (GateName::WithinConsent, bought.map(|(settings, credits)| beyond_consent(credits, settings, price_book))),
    ]
    .map(|(name, closed_by)| Gate { name, state: closed_by.into() })
}

/// # Errors
/// [`NotDue`] with the first closed gate.
pub fn check_gates(account: &Account, price_book: &PriceBook, now: Timestamp) -> Result<(), NotDue> {
    let closed = gates(account, price_book, now).into_iter().find_map(|gate| match gate.state {
        GateState::Closed(not_due) => Some(not_due),
        GateState::Open | GateState::NotApplicable => None,
    });
    closed.map_or(Ok(()), Err)
}

/// The credits that are missing to the target, but never more than the target itself: a negative balance does not raise
/// a payment above the worst case that the customer agreed to. If the monthly cap leaves less, they are what it leaves.
/// If it leaves too little, its gate is closed, and they are what the next month buys.
pub fn top_up_credits(account: &Account, settings: &AutoTopUp, price_book: &PriceBook, now: Timestamp) -> Credits {
    let missing = settings.target.minus(account.balance).unwrap_or(settings.target).min(settings.target);
    let Some(cap) = &settings.cap else { return missing };
    let last = account.last_top_up_at;
    let at = cap.closed_until(last, now).unwrap_or(now);
    let left = Amount::at_most(cap.max.currency(), cap.left(last, at)).and_then(|left| price_book.credits_for(left));
    left.map_or(missing, |left| left.min(missing))
}

fn not_below_threshold(account: &Account, settings: &AutoTopUp) -> Option<NotDue> {
    let (balance, threshold) = (account.balance, settings.threshold);
    (balance >= threshold).then_some(NotDue::NotBelowThreshold { balance, threshold })
}

fn cap_reached(account: &Account, cap: &MonthlyCap, now: Timestamp) -> Option<NotDue> {
    let until = cap.closed_until(account.last_top_up_at, now)?;
    let left = Amount::at_most(cap.max.currency(), cap.left(account.last_top_up_at, now)).unwrap_or(cap.max);
    Some(NotDue::CapReached { left, max: cap.max, until })
}

fn price_out_of_range(credits: Credits, price_book: &PriceBook) -> Option<NotDue> {
    price_book.top_up_price(credits).is_none().then_some(NotDue::PriceOutOfRange { credits })
}

fn beyond_consent(credits: Credits, settings: &AutoTopUp, price_book: &PriceBook) -> Option<NotDue> {
    let price = price_book.top_up_price(credits)?;
    let price_max = settings.consent.price_max;
    (!price.is_at_most(price_max)).then_some(NotDue::BeyondConsent { price, price_max })
}

/// From two options: whether the gate applies, and what closes it.
impl From<Option<Option<NotDue>>> for GateState {
    fn from(closed_by: Option<Option<NotDue>>) -> Self {
        match closed_by {
            Some(Some(not_due)) => Self::Closed(not_due),
            Some(None) => Self::Open,
            None => Self::NotApplicable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;
    use crate::domain::samples::*;

    #[test]
    fn every_gate_is_shown_whatever_the_ones_before_it_say() {
        let paused_and_rich = Account {
            auto_top_up: Some(AutoTopUp { is_enabled: false, ..settings(500, 5_000) }),
            balance: Credits::constant(500),
            open_top_up: Some(TopUpId::mint(7)),
            last_top_up_at: Some(at(0)),
            spending: Some(stopped_at(1)),
            ..account()
        };
        let closed = |gates: &[Gate]| {
            let names = gates.iter().filter(|gate| matches!(gate.state, GateState::Closed(_))).map(|gate| gate.name);
            names.collect::<Vec<_>>()
        };
        assert_eq!(
            closed(&gates(&paused_and_rich, &PriceBook::reference(), at(60))),
            [
                GateName::TurnedOn,
                GateName::SpendingAllowed,
                GateName::NoOpenAttempt,
                GateName::BelowThreshold,
                GateName::IntervalPassed
            ]
        );
        let dearer = PriceBook { price_per_credit: Amount::new(Currency::USD, 2).unwrap(), ..PriceBook::reference() };
        let poor = Account { balance: Credits::constant(499), ..paused_and_rich };
        assert_eq!(closed(&gates(&poor, &dearer, at(60))).last(), Some(&GateName::WithinConsent));
        assert_eq!(check_gates(&poor, &dearer, at(60)), Err(NotDue::Off), "the first closed one decides");
        for Gate { name, state } in gates(&poor, &dearer, at(60)) {
            assert!(!matches!(state, GateState::Closed(not_due) if not_due.gate() != name), "{name:?}");
        }
    }

    /// With a full balance, the nothing that is missing could not be bought in one payment, which nobody asked for.
    #[test]
    fn the_price_is_checked_only_of_what_would_be_bought() {
        let full = Account { auto_top_up: Some(settings(500, 5_000)), balance: Credits::constant(5_000), ..account() };
        let gates = gates(&full, &PriceBook::reference(), at(0));
        let closed = gates.iter().filter(|gate| matches!(gate.state, GateState::Closed(_))).map(|gate| gate.name);
        assert_eq!(closed.collect::<Vec<_>>(), [GateName::BelowThreshold]);
    }

    #[test]
    fn without_settings_there_is_nothing_to_compare_with() {
        let gates = gates(&account(), &PriceBook::reference(), at(0));
        assert_eq!(gates[0].state, GateState::Closed(NotDue::Off));
        let not_applicable = gates.iter().filter(|gate| gate.state == GateState::NotApplicable).map(|gate| gate.name);
        assert_eq!(
            not_applicable.collect::<Vec<_>>(),
            [GateName::BelowThreshold, GateName::WithinMonthlyCap, GateName::PriceInRange, GateName::WithinConsent]
        );
    }
}
