//! Which levels a balance has crossed, which of the crossings are told, and which balance is evaluated next.

use super::{AlertLevel, Alerts, LevelAlert, Watch};
use crate::domain::payments::{TopUpOutlook, top_up_credits, top_up_outlook};
use crate::domain::{Account, Change, Credits, NoticeId, NoticeKind, OutboundEventKind, PriceBook, Record};
use jiff::{SignedDuration, Timestamp};

/// The least time between two e-mails about one level.
const GAP: SignedDuration = SignedDuration::from_hours(6);
/// How long a crossing is not told because a top-up is about to cure it.
const TOP_UP_TIME: SignedDuration = SignedDuration::from_hours(1);
/// How often an account with levels in days is evaluated, because what it spends on a day changes.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What is read for an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertsDue {
    /// When the evaluation is due. `None` if none is.
    pub due_at: Option<Timestamp>,
    pub alerts: Alerts,
    /// What the account spends on a day. Only read if a level needs it.
    pub credits_per_day: Option<i64>,
}

/// Evaluates an account: tells what was crossed, and sets the bounds of the balance within which nothing is crossed.
/// `None` if it is not due.
pub fn decide_alerts(
    account: &Account,
    due: &AlertsDue,
    price_book: &PriceBook,
    notice: NoticeId,
    now: Timestamp,
) -> Option<Change> {
    if due.due_at.is_none_or(|due_at| now < due_at) {
        return None;
    }
    let mut change = Change::on(account, now);
    if account.closed_at.is_some() {
        // Nothing is told any more, and no movement asks for another evaluation.
        change.account.watch = Some(Watch::NONE);
        change.records.push(Record::AlertsEvaluated);
        return Some(change);
    }
    let mut evaluation = Evaluation { account, due, now, alerts: due.alerts.clone(), next_at: None };
    evaluation.rearm();
    if evaluation.is_exhausted(price_book) {
        evaluation.alerts.is_exhaustion_armed = false;
        let kind = OutboundEventKind::CreditsExhausted { balance: account.balance, required: price_book.cheapest() };
        change.tell(kind, now);
    }
    let told = evaluation.tell(price_book);
    if let Some(lowest) = told.first().copied() {
        let kind = NoticeKind::LowBalance { level: lowest, balance: account.balance, per_day: due.credits_per_day };
        change.notices.extend(account.owed(notice, kind, now));
        let kind = OutboundEventKind::CreditsLow { balance: account.balance, levels: told };
        change.tell(kind, now);
    }
    if evaluation.alerts.needs_average() {
        evaluation.again_at(after(now, DAY));
    }
    change.account.watch = Some(evaluation.watch(price_book));
    if evaluation.alerts != due.alerts {
        change.records.push(Record::Alerts(evaluation.alerts.clone()));
    }
    change.records.push(match evaluation.next_at {
        Some(at) => Record::AlertsDue { at },
        None => Record::AlertsEvaluated,
    });
    Some(change)
}

struct Evaluation<'a> {
    account: &'a Account,
    due: &'a AlertsDue,
    now: Timestamp,
    alerts: Alerts,
    /// When the account is evaluated again even if its balance does not move.
    next_at: Option<Timestamp>,
}

impl Evaluation<'_> {
    /// A balance well above a level makes the next crossing one that is told. So does an account that spends nothing.
    fn rearm(&mut self) {
        let balance = self.account.balance;
        let credits_per_day = self.due.credits_per_day;
        for alert in &mut self.alerts.levels {
            let level = alert.level.in_credits(credits_per_day);
            alert.state.is_armed |= level.is_none_or(|level| well_above(level) <= balance);
        }
    }

    fn credits_of(&self, alert: &LevelAlert) -> Option<Credits> {
        alert.level.in_credits(self.due.credits_per_day)
    }

    /// Whether the balance has just become too small for every operation.
    fn is_exhausted(&mut self, price_book: &PriceBook) -> bool {
        let (balance, cheapest) = (self.account.balance, price_book.cheapest());
        self.alerts.is_exhaustion_armed |= well_above(cheapest) <= balance;
        self.alerts.is_exhaustion_armed && balance < cheapest
    }

    /// The places of the levels that the balance is below and that are not told.
    fn crossed(&self) -> Vec<usize> {
        let is_crossed = |alert: &LevelAlert| {
            let is_below = self.credits_of(alert).is_some_and(|level| self.account.balance < level);
            alert.is_on && alert.state.is_armed && is_below
        };
        let levels = self.alerts.levels.iter().enumerate();
        levels.filter(|(_, alert)| is_crossed(alert)).map(|(place, _)| place).collect()
    }

    /// The levels that are told now, the lowest first: all that are crossed and whose last e-mail is long enough ago, or
    /// none of them.
    fn tell(&mut self, price_book: &PriceBook) -> Vec<AlertLevel> {
        let crossed = self.crossed().into_iter();
        let (ripe, early): (Vec<_>, Vec<_>) = crossed.partition(|place| self.ripe_at(*place) <= self.now);
        if let Some(ripe_at) = early.into_iter().map(|place| self.ripe_at(place)).min() {
            self.again_at(ripe_at);
        }
        let levels = || ripe.iter().filter_map(|place| self.alerts.levels.get(*place));
        let Some(highest) = levels().filter_map(|alert| self.credits_of(alert)).max() else {
            self.alerts.waiting_since = None;
            return vec![];
        };
        let since = self.alerts.waiting_since.unwrap_or(self.now);
        let until = after(since, TOP_UP_TIME);
        if self.now < until && is_about_to_be_cured(self.account, price_book, highest, self.now) {
            self.alerts.waiting_since = Some(since);
            self.again_at(until);
            return vec![];
        }
        let mut told: Vec<_> = levels().map(|alert| (self.credits_of(alert), alert.level)).collect();
        told.sort_unstable();
        self.alerts.waiting_since = None;
        for place in ripe {
            if let Some(alert) = self.alerts.levels.get_mut(place) {
                (alert.state.is_armed, alert.state.told_at) = (false, Some(self.now));
            }
        }
        told.into_iter().map(|(_, level)| level).collect()
    }

    /// When a level may be told again.
    fn ripe_at(&self, place: usize) -> Timestamp {
        let told_at = self.alerts.levels.get(place).and_then(|alert| alert.state.told_at);
        told_at.map_or(self.now, |told_at| after(told_at, GAP))
    }

    fn again_at(&mut self, at: Timestamp) {
        self.next_at = Some(self.next_at.map_or(at, |next| next.min(at)));
    }

    /// Below the bounds, an armed level is crossed; above them, one that was told is armed again. A level that is crossed
    /// and not told has no bound: the next evaluation has its time.
    fn watch(&self, price_book: &PriceBook) -> Watch {
        let cheapest = price_book.cheapest();
        let levels = self.alerts.levels.iter().filter(|alert| alert.is_on);
        let levels = levels.filter_map(|alert| Some((self.credits_of(alert)?, alert.state.is_armed)));
        let all = levels.chain([(cheapest, self.alerts.is_exhaustion_armed)]);
        let (armed, told): (Vec<_>, Vec<_>) = all.partition(|(_, is_armed)| *is_armed);
        let below = armed.into_iter().map(|(level, _)| level).filter(|level| *level <= self.account.balance);
        Watch { from: below.max(), to: told.into_iter().map(|(level, _)| well_above(level)).min() }
    }
}

/// Whether a top-up that nothing stops comes within the hour and lifts the balance to this level.
fn is_about_to_be_cured(account: &Account, price_book: &PriceBook, level: Credits, now: Timestamp) -> bool {
    let comes_at = match top_up_outlook(account, price_book, Credits::ZERO, now) {
        TopUpOutlook::InProgress { is_wanted: false, .. }
        | TopUpOutlook::Off(_)
        | TopUpOutlook::Paused(_)
        | TopUpOutlook::PausedByReversal(_) => None,
        TopUpOutlook::InProgress { next_check_at, .. }
        | TopUpOutlook::Waiting { next_check_at, .. }
        | TopUpOutlook::Due { next_check_at, .. } => Some(next_check_at),
    };
    let (Some(comes_at), Some(settings)) = (comes_at, &account.auto_top_up) else { return false };
    let lifted = account.balance.plus(top_up_credits(account, settings, price_book, comes_at));
    comes_at <= after(now, TOP_UP_TIME) && lifted.is_some_and(|balance| level <= balance)
}

/// A tenth above a level, rounded up.
fn well_above(level: Credits) -> Credits {
    let tenth = level.get().max(0).saturating_add(9).div_euclid(10);
    Credits::new(level.get().saturating_add(tenth)).unwrap_or(Credits::MAX)
}

fn after(instant: Timestamp, time: SignedDuration) -> Timestamp {
    instant.saturating_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alerts::{AlertState, ChosenLevels, InvalidLevels, LevelChoice, decide_set_alerts};
    use crate::domain::payments::{DeclineReason, PaymentIssue, PaymentIssueKind};
    use crate::domain::samples::*;
    use crate::domain::{Cause, PaymentMethodId, TopUpId};

    const HOUR: i64 = 3_600;

    type Alter = fn(&mut Account, PaymentIssue);

    /// An account through its changes, with the rows beside it.
    #[derive(Clone)]
    struct World {
        account: Account,
        alerts: Alerts,
        due_at: Option<Timestamp>,
        per_day: Option<i64>,
        /// What each e-mail is about, and the name of each event.
        told: Vec<String>,
        evaluations: usize,
    }

    impl World {
        fn with(balance: i64, levels: &[AlertLevel]) -> Self {
            let account = Account { balance: Credits::constant(balance), watch: None, ..account() };
            let mut world =
                Self { account, alerts: Alerts::default(), due_at: None, per_day: None, told: vec![], evaluations: 0 };
            world.choose(levels, 0);
            world.evaluate(0);
            world
        }

        fn choose(&mut self, levels: &[AlertLevel], seconds: i64) {
            let choices = levels.iter().map(|level| LevelChoice { level: *level, is_on: true }).collect();
            let chosen = ChosenLevels::new(choices).unwrap();
            if let Some(change) = decide_set_alerts(&self.account, &self.alerts, &chosen, at(seconds)).unwrap() {
                self.apply(change);
            }
        }

        fn apply(&mut self, change: Change) {
            for record in change.records {
                match record {
                    Record::Alerts(alerts) => self.alerts = alerts,
                    Record::AlertsDue { at } => self.due_at = Some(at),
                    Record::AlertsEvaluated => self.due_at = None,
                    _ => {}
                }
            }
            for notice in change.notices {
                if let NoticeKind::LowBalance { level, .. } = notice.kind {
                    self.told.push(format!("{} {}", level.name(), level.number()));
                }
            }
            self.told.extend(
                change
                    .events
                    .into_iter()
                    .filter(|event| event.kind.name() != "credits.low")
                    .map(|event| event.kind.name().to_owned()),
            );
            self.account = change.account;
        }

        /// Moves the balance to this one and evaluates if that is due.
        fn move_to(&mut self, balance: i64, seconds: i64) -> Vec<String> {
            let mut change = Change::on(&self.account, at(seconds));
            let moved = Credits::constant(balance).minus(self.account.balance).unwrap();
            let cause = Cause::Void { charge: key("job") };
            change.post(moved, cause, at(seconds)).unwrap();
            self.apply(change);
            self.evaluate(seconds)
        }

        /// What is told by an evaluation at this time, if one is due.
        fn evaluate(&mut self, seconds: i64) -> Vec<String> {
            let due = AlertsDue { due_at: self.due_at, alerts: self.alerts.clone(), credits_per_day: self.per_day };
            let decided = decide_alerts(&self.account, &due, &PriceBook::reference(), NoticeId::mint(1), at(seconds));
            if let Some(change) = decided {
                self.evaluations += 1;
                self.apply(change);
            }
            std::mem::take(&mut self.told)
        }
    }

    fn level(credits: i64) -> AlertLevel {
        AlertLevel::credits(credits).unwrap()
    }

    fn days(days: i64) -> AlertLevel {
        AlertLevel::days_left(days).unwrap()
    }

    fn nothing() -> Vec<String> {
        vec![]
    }

    #[test]
    fn a_level_is_told_once_per_crossing_and_again_only_after_a_rise_well_above_it() {
        let mut world = World::with(1_000, &[level(500)]);
        assert_eq!(world.move_to(500, 1), nothing(), "at the level");
        assert_eq!(world.move_to(499, 2), ["credits 500"]);
        for (balance, hours) in [(100, 7), (499, 14), (549, 21), (300, 28)] {
            assert_eq!(world.move_to(balance, hours * HOUR), nothing(), "{balance}");
        }
        assert_eq!(world.move_to(550, 35 * HOUR), nothing(), "a tenth above");
        assert_eq!(world.move_to(499, 42 * HOUR), ["credits 500"]);
    }

    #[test]
    fn movements_between_the_levels_need_no_evaluation() {
        let mut world = World::with(1_000, &[level(500), level(100)]);
        let before = world.evaluations;
        for balance in [2_000, 10_000, 600, 500] {
            world.move_to(balance, 1);
        }
        assert_eq!(world.evaluations, before);
        world.move_to(400, 2);
        assert_eq!(world.evaluations, before + 1);
        for balance in [200, 549, 100] {
            world.move_to(balance, 3);
        }
        assert_eq!(world.evaluations, before + 1, "the level is told and not armed again");
        world.move_to(550, 4);
        assert_eq!(world.evaluations, before + 2, "armed again");
    }

    #[test]
    fn a_fall_through_several_levels_is_one_e_mail_about_the_lowest() {
        let mut world = World::with(1_000, &[level(500), level(100), level(300)]);
        assert_eq!(world.move_to(90, 1), ["credits 100"]);
        assert_eq!(world.move_to(20, 2), nothing(), "all of them are told");
    }

    #[test]
    fn two_e_mails_about_a_level_are_six_hours_apart_and_the_second_is_not_lost() {
        let mut world = World::with(1_000, &[level(500)]);
        assert_eq!(world.move_to(400, 0), ["credits 500"]);
        world.move_to(1_000, HOUR);
        assert_eq!(world.move_to(400, 2 * HOUR), nothing(), "too soon");
        assert_eq!(world.evaluate(6 * HOUR - 1), nothing());
        assert_eq!(world.evaluate(6 * HOUR), ["credits 500"], "still below");
        world.move_to(1_000, 7 * HOUR);
        world.move_to(400, 8 * HOUR);
        world.move_to(1_000, 9 * HOUR);
        assert_eq!(world.evaluate(13 * HOUR), nothing(), "not below any more");
        let mut other = World::with(1_000, &[level(500), level(100)]);
        assert_eq!(other.move_to(400, 0), ["credits 500"]);
        other.move_to(1_000, HOUR);
        assert_eq!(other.move_to(50, 2 * HOUR), ["credits 100"], "a level that was not told does not wait");
        assert_eq!(other.evaluate(6 * HOUR), ["credits 500"], "the other one does");
        other.move_to(1_000, 7 * HOUR);
        assert_eq!(other.move_to(50, 9 * HOUR), ["credits 100"], "both are crossed, and one is told");
        assert_eq!(other.evaluate(12 * HOUR - 1), nothing());
        assert_eq!(other.evaluate(12 * HOUR), ["credits 500"]);
    }

    #[test]
    fn a_new_level_that_the_balance_is_below_is_told_and_one_that_stays_keeps_its_state() {
        let mut world = World::with(400, &[]);
        world.choose(&[level(500)], 1);
        assert_eq!(world.evaluate(1), ["credits 500"]);
        world.choose(&[level(300), level(500)], 2);
        assert_eq!(world.evaluate(2), nothing());
        world.choose(&[level(300), level(500)], 3);
        assert_eq!(world.due_at, None, "the same levels change nothing");
        world.choose(&[], 4);
        world.evaluate(4);
        assert_eq!(world.move_to(100, 5), nothing(), "no level");
    }

    #[test]
    fn a_level_that_is_off_is_not_told_and_tells_when_it_is_turned_on() {
        let mut world = World::with(1_000, &[]);
        let choose = |world: &mut World, is_on, seconds| {
            let chosen = ChosenLevels::new(vec![LevelChoice { level: level(500), is_on }]).unwrap();
            let change = decide_set_alerts(&world.account, &world.alerts, &chosen, at(seconds)).unwrap();
            world.apply(change.unwrap());
            world.evaluate(seconds)
        };
        choose(&mut world, false, 1);
        assert_eq!(world.move_to(400, 2), nothing());
        assert_eq!(choose(&mut world, true, 3), ["credits 500"]);
        choose(&mut world, false, 4);
        assert_eq!(choose(&mut world, true, 5), ["credits 500"]);
    }

    #[test]
    fn levels_are_at_most_five_and_different() {
        let choices: Vec<_> = (1..=6).map(|credits| LevelChoice { level: level(credits), is_on: true }).collect();
        let chosen = |choices: &[LevelChoice]| ChosenLevels::new(choices.to_vec());
        let decide = |choices: &[LevelChoice]| {
            decide_set_alerts(&account(), &Alerts::default(), &chosen(choices).unwrap(), at(1))
        };
        assert!(decide(&choices[..5]).unwrap().is_some());
        assert_eq!(chosen(&choices), Err(InvalidLevels::TooMany));
        let repeated = [choices[0], choices[1], LevelChoice { is_on: false, ..choices[0] }];
        assert_eq!(chosen(&repeated), Err(InvalidLevels::Repeated { places: vec![2] }));
        assert_eq!(decide(&[]), Ok(None), "as before");
        for invalid in [
            AlertLevel::credits(0),
            AlertLevel::credits(1_000_000_000_001),
            AlertLevel::days_left(0),
            AlertLevel::days_left(366),
        ] {
            assert!(invalid.is_err(), "{invalid:?}");
        }
    }

    #[test]
    fn days_are_turned_into_credits_by_what_is_spent_on_a_day_and_looked_at_every_day() {
        let mut world = World::with(1_000, &[days(7)]);
        assert_eq!(world.move_to(5, 1), ["credits.exhausted"], "nothing is spent on a day");
        let mut world = World::with(1_000, &[]);
        world.per_day = Some(100);
        world.choose(&[days(7)], 1);
        assert_eq!(world.evaluate(1), nothing());
        assert_eq!(world.move_to(700, 2), nothing());
        assert_eq!(world.move_to(699, 3), ["days_left 7"]);
        world.move_to(1_000, 4);
        world.per_day = Some(200);
        assert_eq!(world.evaluate(23 * HOUR), nothing(), "not yet");
        assert_eq!(world.evaluate(25 * HOUR), ["days_left 7"], "more is spent, and the balance did not move");
        world.per_day = Some(0);
        assert_eq!(world.evaluate(50 * HOUR), nothing());
        assert!(world.alerts.levels[0].state.is_armed, "it lasts again");
    }

    fn topped_up(balance: i64, levels: &[AlertLevel]) -> World {
        let mut world = World::with(balance, levels);
        world.account.auto_top_up = Some(settings(500, 1_500));
        world.account.payment_method = PaymentMethodId::parse("pm_1").ok();
        world
    }

    #[test]
    fn a_top_up_that_is_about_to_cure_it_keeps_a_crossing_quiet_for_an_hour_at_most() {
        let mut world = topped_up(1_000, &[level(400)]);
        assert_eq!(world.move_to(300, 0), nothing(), "a sweep comes");
        assert_eq!(world.evaluate(HOUR - 1), nothing());
        let mut cured = world.clone();
        cured.move_to(1_500, 1_800);
        assert_eq!(cured.evaluate(HOUR), nothing());
        assert_eq!(cured.alerts.waiting_since, None);
        assert_eq!(cured.move_to(300, 2 * HOUR), nothing(), "the next top-up has its own hour");
        assert_eq!(world.evaluate(HOUR), ["credits 400"], "whatever became of the top-up");
        assert_eq!(world.evaluate(2 * HOUR), nothing());
    }

    #[test]
    fn a_crossing_is_told_at_once_where_no_top_up_cures_it() {
        let issue = PaymentIssue {
            kind: PaymentIssueKind::Declined(DeclineReason::ExpiredCard),
            top_up: TopUpId::mint(1),
            since: at(0),
        };
        let changes: [(&str, Alter); 6] = [
            ("off", |account, _| account.auto_top_up = None),
            ("paused", |account, issue| account.payment_issue = Some(issue)),
            ("stopped", |account, _| account.spending = Some(stopped_at(0))),
            ("no card", |account, _| account.payment_method = None),
            ("too soon", |account, _| account.last_top_up_at = Some(at(0))),
            ("too little", |account, _| account.auto_top_up = Some(settings(350, 390))),
        ];
        for (name, change) in changes {
            let mut world = topped_up(1_000, &[level(400)]);
            change(&mut world.account, issue.clone());
            assert_eq!(world.move_to(300, 60), ["credits 400"], "{name}");
        }
        let mut world = topped_up(1_000, &[level(700)]);
        assert_eq!(world.move_to(600, 60), ["credits 700"], "not below the threshold of top-ups");
        world.account.last_top_up_at = Some(at(-5 * HOUR - 1_800));
        let mut waiting = topped_up(1_000, &[level(400)]);
        waiting.account.last_top_up_at = Some(at(-5 * HOUR - 1_800));
        assert_eq!(waiting.move_to(300, 60), nothing(), "the six hours are over within the hour");
    }

    #[test]
    fn an_open_attempt_counts_as_healthy_for_an_hour_and_then_the_crossing_is_told() {
        let mut world = topped_up(1_000, &[level(400)]);
        world.account.last_top_up_at = Some(at(0));
        world.account.open_top_up = Some(TopUpId::mint(1));
        assert_eq!(world.move_to(300, 60), nothing());
        assert_eq!(world.evaluate(HOUR + 60), ["credits 400"], "its outcome is still unknown");
    }

    #[test]
    fn exhaustion_is_an_event_once_per_crossing_without_a_level_and_without_an_e_mail() {
        let mut world = World::with(1_000, &[]);
        assert_eq!(world.move_to(10, 1), nothing(), "one operation");
        assert_eq!(world.move_to(9, 2), ["credits.exhausted"]);
        assert_eq!(world.move_to(-5, 3), nothing());
        assert_eq!(world.move_to(10, 4), nothing());
        assert_eq!(world.move_to(9, 5), nothing(), "not well above in between");
        assert_eq!(world.move_to(11, 6), nothing());
        assert_eq!(world.move_to(9, 7), ["credits.exhausted"], "no time has to pass");
        let mut topped = topped_up(1_000, &[level(400)]);
        assert_eq!(topped.move_to(0, 1), ["credits.exhausted"], "even if a top-up is about to cure it");
        let mut waiting = topped_up(1_000, &[level(400)]);
        waiting.move_to(300, 1);
        assert_eq!(waiting.move_to(0, 2), ["credits.exhausted"], "while a crossing waits");
        assert_eq!(waiting.evaluate(HOUR + 1), ["credits 400"], "it waits no longer for that");
    }

    /// An account of the release before has no bounds. Its first movement makes it due, and no other one.
    #[test]
    fn an_account_without_bounds_gets_them_after_its_next_movement() {
        let mut change = Change::on(&Account { watch: None, ..account() }, at(1));
        change.post(Credits::constant(500), Cause::Void { charge: key("job") }, at(1)).unwrap();
        change.post(Credits::constant(-500), Cause::Void { charge: key("other") }, at(1)).unwrap();
        let due = change.records.iter().filter(|record| matches!(record, Record::AlertsDue { .. })).count();
        assert_eq!((due, change.account.watch), (1, Some(Watch::NONE)));
    }

    #[test]
    fn nothing_is_told_about_a_closed_account() {
        let mut world = World::with(1_000, &[level(500), days(7)]);
        world.account = Account { closed_at: Some(at(1)), email: None, ..world.account };
        assert_eq!(world.move_to(-5, 2), nothing());
        assert_eq!((world.due_at, world.account.watch), (None, Some(Watch::NONE)));
    }

    #[test]
    fn an_evaluation_that_is_not_due_changes_nothing() {
        let due = |due_at| AlertsDue { due_at, alerts: Alerts::default(), credits_per_day: None };
        let decide =
            |due: &AlertsDue| decide_alerts(&account(), due, &PriceBook::reference(), NoticeId::mint(1), at(9));
        assert_eq!((decide(&due(None)), decide(&due(Some(at(10))))), (None, None));
        assert!(decide(&due(Some(at(9)))).is_some());
        assert_eq!(AlertState::NEW.told_at, None);
    }
}
