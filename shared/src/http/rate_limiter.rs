//! A bounded rate of requests for each account in this running function, so that no account starves the others.
//!
//! It is the generic cell rate algorithm: <https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>. An account's
//! state is one instant, at which its burst would be whole again, and an account whose burst is whole has no state.

use super::Problem;
use crate::config::{ConfigError, Environment};
use crate::domain::AccountId;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

const PER_SECOND: &str = "ACCOUNT_REQUESTS_PER_SECOND";
const BURST: &str = "ACCOUNT_REQUESTS_BURST";
/// A higher rate than a running function can answer would limit nothing.
const PER_SECOND_MAX: u32 = 10_000;
const BURST_MAX: u32 = 10_000;
const MICROSECONDS: i64 = 1_000_000;

/// The most accounts that are remembered, about 150 KB. One request is remembered for the time of one request, so that
/// this is more than a running function answers in that time.
const ACCOUNTS_MAX: usize = 1_000;

/// Counts the requests of each account.
#[derive(Debug, Default)]
pub struct AccountRateLimiter {
    /// `None` does not limit.
    limit: Option<Limit>,
    /// When the account's burst is whole again, in microseconds since 1970.
    whole_at: Mutex<HashMap<AccountId, i64>>,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    per_second: u32,
    burst: u32,
}

impl Limit {
    /// The time that one request uses up, in microseconds.
    fn period(self) -> i64 {
        MICROSECONDS / i64::from(self.per_second)
    }
}

impl AccountRateLimiter {
    /// The limit of this deployment: `ACCOUNT_REQUESTS_PER_SECOND` on average, and `ACCOUNT_REQUESTS_BURST` at once.
    /// There is none if the rate is 0 or not set.
    ///
    /// # Errors
    /// [`ConfigError`] if a number is out of range, or the rate is set and the burst is not.
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        let Some(rate) = environment.optional(PER_SECOND) else { return Ok(Self::default()) };
        let invalid = |name, expected| ConfigError::Invalid { name, expected };
        let rate = rate.parse().ok().filter(|rate| *rate <= PER_SECOND_MAX);
        let per_second = rate.ok_or(invalid(PER_SECOND, "a whole number from 0 to 10000"))?;
        let burst = environment.required(BURST)?.parse().ok().filter(|burst| (1..=BURST_MAX).contains(burst));
        let burst = burst.ok_or(invalid(BURST, "a whole number from 1 to 10000"))?;
        let limit = (per_second > 0).then_some(Limit { per_second, burst });
        Ok(Self { limit, whole_at: Mutex::default() })
    }

    /// Counts a request of this account, for which the caller was authorized.
    ///
    /// # Errors
    /// A 429 that says when to come back. A refused request is not counted.
    pub fn admit(&self, account: &AccountId, now: Timestamp) -> Result<(), Problem> {
        let Some(limit) = self.limit else { return Ok(()) };
        let now = now.as_microsecond();
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = now + limit.period() * i64::from(limit.burst);
        // An earlier instant is over, and a later one shows that the clock was set back.
        let before = whole_at.get(account).copied().filter(|instant| (now..=latest).contains(instant)).unwrap_or(now);
        let after = before + limit.period();
        if after > latest {
            let seconds = (after - latest + MICROSECONDS - 1) / MICROSECONDS;
            return Err(Problem::too_many_requests(limit.per_second, u32::try_from(seconds).unwrap_or(u32::MAX)));
        }
        if let Some(instant) = whole_at.get_mut(account) {
            *instant = after;
        } else {
            make_room(&mut whole_at, now);
            whole_at.insert(account.clone(), after);
        }
        Ok(())
    }
}

/// Forgets the accounts whose burst is whole. If too many remain, it forgets all of them: for a moment the limit is too
/// lenient, but never too strict, and a crowd of accounts cannot make every request search through all.
fn make_room(whole_at: &mut HashMap<AccountId, i64>, now: i64) {
    if whole_at.len() >= ACCOUNTS_MAX {
        whole_at.retain(|_, instant| *instant > now);
        if whole_at.len() > ACCOUNTS_MAX / 2 {
            whole_at.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn configured(variables: &[(&str, &str)]) -> Result<AccountRateLimiter, ConfigError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        AccountRateLimiter::of(&Environment::of(variables.collect::<BTreeMap<_, _>>()))
    }

    fn limiter(per_second: u32, burst: u32) -> AccountRateLimiter {
        let (per_second, burst) = (per_second.to_string(), burst.to_string());
        configured(&[(PER_SECOND, &per_second), (BURST, &burst)]).unwrap()
    }

    fn account(name: &str) -> AccountId {
        AccountId::parse(name).unwrap()
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    /// How many of these requests at one instant are admitted.
    fn admitted(limiter: &AccountRateLimiter, name: &str, count: usize, milliseconds: i64) -> usize {
        let account = account(name);
        (0..count).filter(|_| limiter.admit(&account, at(milliseconds)).is_ok()).count()
    }

    #[test]
    fn a_burst_is_admitted_at_once_and_then_the_rate() {
        let limiter = limiter(50, 100);
        assert_eq!(admitted(&limiter, "acme", 150, 0), 100);
        assert_eq!(admitted(&limiter, "acme", 150, 19), 0);
        assert_eq!(admitted(&limiter, "acme", 150, 20), 1, "50 a second are one in 20 ms");
        assert_eq!(admitted(&limiter, "acme", 150, 1_020), 50);
        assert_eq!(admitted(&limiter, "acme", 150, 60_000), 100, "a pause never allows more than the burst");
    }

    /// The loop of a program that ignores the answers: what is refused is not counted, so the rate stays.
    #[test]
    fn a_loop_gets_its_rate_and_no_less() {
        let limiter = limiter(50, 100);
        let in_all: usize = (0..10_000).map(|millisecond| admitted(&limiter, "acme", 3, millisecond)).sum();
        assert_eq!(in_all, 100 + 499);
    }

    #[test]
    fn one_account_uses_up_nothing_of_another() {
        let limiter = limiter(1, 2);
        assert_eq!(admitted(&limiter, "acme", 100, 0), 2);
        assert_eq!(admitted(&limiter, "globex", 100, 0), 2);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        for (per_second, burst, expected) in [(1, 1, 1), (1, 100, 1), (50, 1, 1), (10_000, 1, 1)] {
            let limiter = limiter(per_second, burst);
            admitted(&limiter, "acme", 100, 0);
            let refused = limiter.admit(&account("acme"), at(0)).unwrap_err();
            assert_eq!(
                (refused.status(), refused.retry_after_seconds()),
                (429, Some(expected)),
                "{per_second} {burst}"
            );
            assert!(limiter.admit(&account("acme"), at(i64::from(expected) * 1_000)).is_ok(), "and it holds");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_blocks_no_account() {
        let limiter = limiter(50, 100);
        admitted(&limiter, "acme", 100, 3_600_000);
        assert_eq!(admitted(&limiter, "acme", 200, 0), 100, "it starts again");
        assert_eq!(admitted(&limiter, "acme", 200, 1_000), 50);
    }

    #[test]
    fn millions_of_accounts_are_admitted_in_bounded_memory_and_forgetting_is_lenient() {
        let limiter = limiter(1, 1);
        let remembered = || limiter.whole_at.lock().unwrap().len();
        for number in 0..200_000 {
            // A thousand accounts in each second, and then a hundred thousand in one.
            let millisecond = number.min(100_000);
            assert!(limiter.admit(&account(&format!("account-{number}")), at(millisecond)).is_ok());
            if number % 1_000 == 0 {
                assert!(remembered() <= ACCOUNTS_MAX, "{}", remembered());
            }
        }
        assert!(remembered() <= ACCOUNTS_MAX);
    }

    /// An account that is over its rate stays known while others come and go.
    #[test]
    fn a_crowd_of_others_does_not_free_an_account_that_is_over_its_rate() {
        let limiter = limiter(50, 100);
        assert_eq!(admitted(&limiter, "acme", 200, 0), 100);
        for number in 0..5_000 {
            assert!(limiter.admit(&account(&format!("account-{number}")), at(number / 10)).is_ok());
        }
        assert_eq!(admitted(&limiter, "acme", 200, 500), 25);
    }

    #[test]
    fn a_rate_of_zero_or_none_limits_nothing() {
        for unlimited in [configured(&[]), configured(&[(PER_SECOND, "0"), (BURST, "1")])] {
            assert_eq!(admitted(&unlimited.unwrap(), "acme", 10_000, 0), 10_000);
        }
    }

    #[test]
    fn a_limit_that_is_no_number_in_range_is_refused() {
        for (variables, named) in [
            (vec![(PER_SECOND, "-1"), (BURST, "1")], PER_SECOND),
            (vec![(PER_SECOND, "10001"), (BURST, "1")], PER_SECOND),
            (vec![(PER_SECOND, "1.5"), (BURST, "1")], PER_SECOND),
            (vec![(PER_SECOND, "50")], BURST),
            (vec![(PER_SECOND, "50"), (BURST, "0")], BURST),
            (vec![(PER_SECOND, "50"), (BURST, "10001")], BURST),
            (vec![(PER_SECOND, "0"), (BURST, "many")], BURST),
        ] {
            let refused = configured(&variables).unwrap_err().to_string();
            assert!(refused.contains(named), "{variables:?}: {refused}");
        }
    }
}
