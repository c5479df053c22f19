//! The accounts that this process committed a moment ago.
//!
//! A change that is decided on such an account saves the read. If another process has changed the account since, the
//! transaction is refused, which costs as much as twenty reads; so an account is recalled only while what is remembered
//! of it keeps being what is stored.

use crate::domain::{Account, AccountId};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The limits of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySettings {
    /// The number of accounts. A further one takes the place of the one that was committed longest ago.
    pub accounts_max: usize,
    /// How long after its commit an account is recalled.
    pub age_max: SignedDuration,
    /// How many times in a row the remembered account must have been the stored one before it is recalled.
    pub holds_min: u32,
}

impl MemorySettings {
    /// Where other processes make a share p of an account's charges, p (1 - p)¹⁶ of the charges are tried in vain: at
    /// most 2.2 %, whatever p is (docs/performance.md).
    pub const CHARGING: Self = Self { accounts_max: 64, age_max: SignedDuration::from_secs(1), holds_min: 16 };
}

/// How often accounts were recalled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryCounts {
    /// Changes committed on a recalled account, each of them without a read.
    pub hits: u64,
    /// Tries on a recalled account that another process had changed.
    pub stale: u64,
}

/// Accounts as this process last committed them. Clones share them.
#[derive(Clone, Debug)]
pub struct Memory {
    settings: MemorySettings,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    accounts: BTreeMap<AccountId, Remembered>,
    counts: MemoryCounts,
    counted_since: Option<Timestamp>,
}

/// An account as it was committed.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub account: Account,
    committed_at: Timestamp,
    /// How many times in a row it was found to be the stored one.
    pub holds: u32,
}

impl Memory {
    pub fn new(settings: MemorySettings) -> Self {
        Self { settings, state: Arc::default() }
    }

    /// Remembers nothing: every change reads its account first.
    pub fn none() -> Self {
        Self::new(MemorySettings { accounts_max: 0, ..MemorySettings::CHARGING })
    }

    /// The account as this process committed it, if that is young enough and has kept being the stored one.
    ///
    /// It is taken out, so that of two requests at once in this process the second one reads.
    pub(super) fn recall(&self, account: &AccountId, now: Timestamp) -> Option<Remembered> {
        let mut state = self.state();
        let known = state.accounts.get(account)?;
        let is_trusted = known.holds >= self.settings.holds_min && self.is_young(known, now);
        if is_trusted { state.accounts.remove(account) } else { None }
    }

    /// Compares an account that was just read with what is remembered of it: recalling it would have been right, or not.
    pub(super) fn compare(&self, read: &Account, now: Timestamp) {
        let mut state = self.state();
        let Some(known) = state.accounts.get_mut(&read.id) else { return };
        if read.version != known.account.version {
            known.holds = 0;
        } else if self.is_young(known, now) {
            known.holds = known.holds.saturating_add(1);
        }
    }

    /// Remembers a committed account. `recalled` is how often in a row the account that it was decided on had held, if
    /// that was recalled.
    pub(super) fn keep(&self, account: &Account, recalled: Option<u32>, now: Timestamp) {
        if self.settings.accounts_max == 0 {
            return;
        }
        let mut state = self.state();
        if recalled.is_some() {
            state.count(MemoryCounts { hits: 1, stale: 0 }, now);
        }
        let known = state.accounts.get(&account.id).map(|known| known.holds);
        let holds = recalled.map(|holds| holds.saturating_add(1)).or(known).unwrap_or_default();
        state.make_room(&account.id, self.settings.accounts_max);
        state.accounts.insert(account.id.clone(), Remembered { account: account.clone(), committed_at: now, holds });
    }

    /// Counts a recalled account that another process had changed. It is forgotten: recalling took it out.
    pub(super) fn count_stale(&self, now: Timestamp) {
        self.state().count(MemoryCounts { hits: 0, stale: 1 }, now);
    }

    /// What was counted since the last time, once the first of it is this old.
    pub fn counts_of(&self, period: SignedDuration, now: Timestamp) -> Option<MemoryCounts> {
        let mut state = self.state();
        if now.duration_since(state.counted_since?) < period {
            return None;
        }
        state.counted_since = None;
        Some(std::mem::take(&mut state.counts))
    }

    fn is_young(&self, known: &Remembered, now: Timestamp) -> bool {
        (SignedDuration::ZERO..self.settings.age_max).contains(&now.duration_since(known.committed_at))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, counted: MemoryCounts, now: Timestamp) {
        self.counted_since.get_or_insert(now);
        self.counts.hits += counted.hits;
        self.counts.stale += counted.stale;
    }

    fn make_room(&mut self, account: &AccountId, accounts_max: usize) {
        if self.accounts.len() < accounts_max || self.accounts.contains_key(account) {
            return;
        }
        let oldest = self.accounts.iter().min_by_key(|(_, known)| known.committed_at).map(|(id, _)| id.clone());
        if let Some(oldest) = oldest {
            self.accounts.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{account, at};

    const SETTINGS: MemorySettings =
        MemorySettings { accounts_max: 2, age_max: SignedDuration::from_secs(1), holds_min: 3 };

    fn version(version: u64) -> Account {
        Account { version, ..account() }
    }

    fn named(name: &str) -> Account {
        Account { id: AccountId::parse(name).unwrap(), ..account() }
    }

    fn recalled(memory: &Memory, milliseconds: i64) -> Option<u64> {
        let now = at(0) + SignedDuration::from_millis(milliseconds);
        memory.recall(&account().id, now).map(|known| known.account.version)
    }

    /// Read and committed once more, as often as `times`, with no other process in between.
    fn trusted(times: u64) -> Memory {
        let memory = Memory::new(SETTINGS);
        memory.keep(&version(1), None, at(0));
        for number in 1..=times {
            memory.compare(&version(number), at(0));
            memory.keep(&version(number + 1), None, at(0));
        }
        memory
    }

    #[test]
    fn an_account_is_recalled_after_it_has_held_often_enough() {
        assert_eq!(recalled(&trusted(2), 0), None);
        assert_eq!(recalled(&trusted(3), 0), Some(4));
    }

    #[test]
    fn an_account_is_recalled_for_less_than_a_second_and_not_before_its_commit() {
        let expected = [(-1, None), (0, Some(4)), (999, Some(4)), (1_000, None)];
        assert_eq!(expected.map(|(milliseconds, _)| (milliseconds, recalled(&trusted(3), milliseconds))), expected);
    }

    #[test]
    fn an_account_is_recalled_by_one_request_at_a_time() {
        let memory = trusted(3);
        assert_eq!((recalled(&memory, 0), recalled(&memory, 0)), (Some(4), None));
        memory.keep(&version(5), Some(3), at(0));
        assert_eq!(recalled(&memory, 0), Some(5));
    }

    #[test]
    fn after_a_change_by_another_process_the_trust_begins_anew() {
        let memory = trusted(3);
        memory.compare(&version(9), at(0));
        assert_eq!(recalled(&memory, 0), None);
        let memory = trusted(3);
        assert_eq!(recalled(&memory, 0), Some(4));
        memory.count_stale(at(0));
        memory.keep(&version(9), None, at(0));
        assert_eq!(recalled(&memory, 0), None);
    }

    #[test]
    fn what_is_too_old_to_be_recalled_says_nothing_about_the_trust() {
        let memory = trusted(2);
        memory.compare(&version(3), at(1));
        memory.keep(&version(4), None, at(1));
        assert_eq!(recalled(&memory, 1_000), None);
    }

    #[test]
    fn the_account_committed_longest_ago_makes_room() {
        let memory = Memory::new(MemorySettings { holds_min: 0, ..SETTINGS });
        for (name, second) in [("a", 2), ("b", 1), ("a", 3), ("c", 3)] {
            memory.keep(&named(name), None, at(second));
        }
        assert_eq!(["a", "b", "c"].map(|name| memory.recall(&named(name).id, at(3)).is_some()), [true, false, true]);
    }

    #[test]
    fn without_a_memory_nothing_is_kept() {
        let memory = Memory::none();
        (0..100).for_each(|_| {
            memory.keep(&account(), None, at(0));
            memory.compare(&account(), at(0));
        });
        assert!(memory.state().accounts.is_empty() && recalled(&memory, 0).is_none());
    }

    #[test]
    fn counts_are_taken_once_and_only_when_the_first_is_old_enough() {
        let (memory, minute) = (trusted(0), SignedDuration::from_mins(1));
        assert_eq!(memory.counts_of(minute, at(100)), None);
        memory.keep(&version(2), Some(3), at(100));
        memory.count_stale(at(120));
        assert_eq!(memory.counts_of(minute, at(159)), None);
        assert_eq!(memory.counts_of(minute, at(160)), Some(MemoryCounts { hits: 1, stale: 1 }));
        assert_eq!(memory.counts_of(minute, at(300)), None);
    }
}
