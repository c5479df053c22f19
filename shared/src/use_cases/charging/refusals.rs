//! Keeping what was refused, in bounds that no flood can pass.
//!
//! While requests are answered, refusals are only counted in memory. What is to be kept is written after the answer, so
//! that it costs no request any time, and a failure to write it changes no answer.

use crate::domain::AccountId;
use crate::domain::charging::{RefusalPlace, RefusalRow, Refused, RefusedBecause, RefusedRequest, RefusedRequests};
use crate::error::chain;
use crate::ports::RefusalRows;
use crate::use_cases::{Capabilities, Context};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The places of one running function in each minute. Functions in different lanes never replace one another's rows.
const LANE: u8 = 4;
/// The requests of an account that a running function keeps as they were in each minute. The last place of the lane
/// counts all others.
const KEPT: u8 = LANE - 1;
/// The most accounts of which refusals are counted in one minute. Those of further accounts are not kept.
const ACCOUNTS_MAX: usize = 1_000;
/// How many rows are written at once.
const WRITES_AT_ONCE: usize = 8;

/// The refusals of this minute, in one running function.
#[derive(Debug)]
pub struct RefusalLog {
    lane: u8,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    minute: i64,
    accounts: BTreeMap<AccountId, OfAccount>,
    /// What is to be written, by its place.
    rows: BTreeMap<(AccountId, RefusalPlace), Refused>,
}

#[derive(Debug, Default)]
struct OfAccount {
    kept: u8,
    more: Option<RefusedRequests>,
    /// How many of `more` the row counts that was written last.
    written: u64,
}

impl RefusalLog {
    /// The number of lanes. A running function picks one at random.
    pub const LANES: u8 = RefusalPlace::SLOTS / LANE;

    pub fn in_lane(lane: u8) -> Self {
        Self { lane: lane % Self::LANES, state: Mutex::default() }
    }

    /// Keeps the request as it was, if it is one of the first of its account in this minute, and counts it otherwise.
    pub fn keep(&self, account: &AccountId, refused: RefusedRequest) {
        let (at, because) = (refused.at, refused.because);
        let mut state = self.state_at(at);
        let minute = state.minute;
        let Some(of_account) = state.of(account) else { return };
        if of_account.kept < KEPT {
            let place = self.place(minute, of_account.kept);
            of_account.kept += 1;
            state.put(account, place, Refused::One(refused));
        } else {
            self.count_in(&mut state, account, (because, at));
        }
    }

    /// Counts a request of which nothing but the account is known. Its row is written with the first of them, and then
    /// each time their number has grown tenfold, so that a process that ends loses little.
    pub fn count(&self, account: &AccountId, because: RefusedBecause, at: Timestamp) {
        let mut state = self.state_at(at);
        self.count_in(&mut state, account, (because, at));
    }

    fn count_in(&self, state: &mut State, account: &AccountId, (because, at): (RefusedBecause, Timestamp)) {
        let place = self.place(state.minute, KEPT);
        let Some(of_account) = state.of(account) else { return };
        let more = of_account.more.get_or_insert_with(|| RefusedRequests {
            first_at: at,
            last_at: at,
            counts: BTreeMap::new(),
        });
        more.last_at = more.last_at.max(at);
        let count = more.counts.entry(because).or_default();
        *count = count.saturating_add(1);
        let total = more.total();
        if total >= of_account.written.saturating_mul(10).max(1) {
            of_account.written = total;
            let more = Refused::More(more.clone());
            state.put(account, place, more);
        }
    }

    /// Takes out what is to be written now.
    fn take(&self, now: Timestamp) -> Vec<RefusalRow> {
        let rows = std::mem::take(&mut self.state_at(now).rows);
        rows.into_iter().map(|((account, place), refused)| RefusalRow { account, place, refused }).collect()
    }

    /// The state, for the minute of this instant. What was counted in another minute is to be written as it is.
    fn state_at(&self, now: Timestamp) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = RefusalPlace::first_of(now).minute();
        if minute != state.minute {
            let place = self.place(state.minute, KEPT);
            for (account, of_account) in std::mem::take(&mut state.accounts) {
                if let Some(more) = of_account.more.filter(|more| more.total() > of_account.written) {
                    state.put(&account, place, Refused::More(more));
                }
            }
            state.minute = minute;
        }
        state
    }

    /// A place of this function's lane.
    fn place(&self, minute: i64, number: u8) -> Option<RefusalPlace> {
        RefusalPlace::new(minute, self.lane.saturating_mul(LANE).saturating_add(number))
    }
}

impl State {
    /// `None` if there are too many accounts.
    fn of(&mut self, account: &AccountId) -> Option<&mut OfAccount> {
        if self.accounts.len() >= ACCOUNTS_MAX && !self.accounts.contains_key(account) {
            return None;
        }
        Some(self.accounts.entry(account.clone()).or_default())
    }

    fn put(&mut self, account: &AccountId, place: Option<RefusalPlace>, refused: Refused) {
        if let Some(place) = place {
            self.rows.insert((account.clone(), place), refused);
        }
    }
}

/// Writes what was refused since the last time. A row that cannot be written is lost, and the log says so.
pub async fn write_refusals<C: Capabilities<Ledger: RefusalRows>>(context: &Context<C>, log: &RefusalLog) {
    let rows = log.take(context.now());
    if rows.is_empty() {
        return;
    }
    let mut rows = rows.into_iter();
    let write = |row: RefusalRow| async move { context.ledger.refusal_row_put(&row).await };
    let mut under_way: FuturesUnordered<_> = rows.by_ref().take(WRITES_AT_ONCE).map(write).collect();
    while let Some(written) = under_way.next().await {
        if let Err(error) = written {
            tracing::warn!(error = %chain(&error), "a refused request was not kept");
        }
        under_way.extend(rows.next().map(write));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{account, at, charge_command, key};

    const LIMITED: RefusedBecause = RefusedBecause::TooManyRequests;

    fn refused(name: &str, seconds: i64) -> RefusedRequest {
        let command = charge_command(name, "dubbing", 30_000);
        RefusedRequest {
            at: at(seconds),
            because: RefusedBecause::InsufficientCredits,
            detail: "poor".into(),
            request_id: None,
            key: key(name),
            credits: command.credits(),
            operation: command.request.operation,
            reference: None,
            spender: None,
            limit: None,
        }
    }

    /// The slot of each row, and what it says: a key, or how many.
    fn taken(log: &RefusalLog, seconds: i64) -> Vec<(i64, u8, String)> {
        let minute = RefusalPlace::first_of(at(0)).minute();
        let said = |row: RefusalRow| {
            let text = match row.refused {
                Refused::One(one) => one.key.to_string(),
                Refused::More(more) => more.total().to_string(),
            };
            (row.place.minute() - minute, row.place.slot(), text)
        };
        log.take(at(seconds)).into_iter().map(said).collect()
    }

    fn rows(expected: &[(i64, u8, &str)]) -> Vec<(i64, u8, String)> {
        expected.iter().map(|(minute, slot, text)| (*minute, *slot, (*text).to_owned())).collect()
    }

    #[test]
    fn the_first_requests_of_a_minute_are_kept_as_they_were_and_the_others_counted() {
        let log = RefusalLog::in_lane(1);
        for name in ["a", "b", "c", "d", "e"] {
            log.keep(&account().id, refused(name, 7));
        }
        assert_eq!(taken(&log, 7), rows(&[(0, 4, "a"), (0, 5, "b"), (0, 6, "c"), (0, 7, "1")]));
        assert_eq!(taken(&log, 59), rows(&[]), "each is written once");
        assert_eq!(taken(&log, 60), rows(&[(0, 7, "2")]), "the minute is over");
        log.keep(&account().id, refused("f", 61));
        assert_eq!(taken(&log, 61), rows(&[(1, 4, "f")]));
        assert_eq!(taken(&log, 600), rows(&[]));
    }

    /// A hundred thousand requests of one account in one minute cost nine writes, in four places.
    #[test]
    fn a_flood_is_written_a_few_times_and_counted_to_the_last() {
        let (log, mut written, mut places, mut last) = (RefusalLog::in_lane(3), 0, BTreeMap::new(), String::new());
        for number in 0..100_000 {
            let second = number / 2_000;
            if number < 5 {
                log.keep(&account().id, refused("a", second));
            } else {
                log.count(&account().id, LIMITED, at(second));
            }
            for (_, slot, text) in taken(&log, second) {
                written += 1;
                last.clone_from(&text);
                places.insert(slot, text);
            }
        }
        assert_eq!((written, places.len()), (8, 4), "three as they were, and at 1, 10, … 10,000");
        assert_eq!(last, "10000");
        assert_eq!(taken(&log, 61), rows(&[(0, 15, "99997")]));
    }

    #[test]
    fn refusals_of_more_accounts_than_there_is_room_for_are_not_kept() {
        let log = RefusalLog::in_lane(0);
        for number in 0..5_000 {
            log.count(&AccountId::parse(format!("account-{number}")).unwrap(), LIMITED, at(0));
        }
        assert_eq!(taken(&log, 0).len(), ACCOUNTS_MAX);
    }

    #[test]
    fn a_row_counts_each_reason() {
        let log = RefusalLog::in_lane(0);
        log.count(&account().id, LIMITED, at(1));
        log.count(&account().id, LIMITED, at(2));
        log.count(&account().id, RefusedBecause::SpendingStopped, at(3));
        log.take(at(3));
        let [row] = &log.take(at(60))[..] else { panic!("one row") };
        let counts = BTreeMap::from([(LIMITED, 2), (RefusedBecause::SpendingStopped, 1)]);
        assert_eq!(row.refused, Refused::More(RefusedRequests { first_at: at(1), last_at: at(3), counts }));
    }
}
