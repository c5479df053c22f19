//! Expiry of items, swept on request by the caller's clock.
//!
//! AWS deletes within a few days after the time; here nothing is deleted between sweeps.
//! See <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dynoxide::storage::Storage;
use dynoxide::storage_backend::{Clock, SystemClock};
use dynoxide::{DynoxideError, ttl};
use futures::FutureExt;
use jiff::Timestamp;

use super::LocalDynamoDb;

/// The sweep failed halfway. Items that were already deleted stay deleted.
#[derive(Debug, thiserror::Error)]
#[error("expired items could not be swept: {0}")]
pub struct SweepError(String);

impl LocalDynamoDb {
    /// Deletes every item whose TTL attribute is before `now`, in all tables that have one, and returns their number.
    /// The stream records name the TTL service as the deleter.
    ///
    /// # Errors
    /// If the database fails.
    pub fn sweep_ttl(&self, now: Timestamp) -> Result<usize, SweepError> {
        self.swept(now)
            .inspect(|_| self.writes.send_modify(|count| *count = count.wrapping_add(1)))
            .map_err(|error| SweepError(error.to_string()))
    }

    fn swept(&self, now: Timestamp) -> Result<usize, DynoxideError> {
        match self.database.db_path()? {
            None => {
                let _moved = self.sweep_clock.move_to(now);
                self.database.sweep_ttl()
            }
            // dynoxide accepts a clock only for a database in memory; a file gets a second connection for the sweep.
            Some(path) => {
                let clock = SweepClock::default();
                let _moved = clock.move_to(now);
                let storage = Storage::new(&path)?.with_clock(Arc::new(clock));
                ttl::sweep_expired_items(&storage).now_or_never().expect("the SQLite backend never waits")
            }
        }
    }
}

/// The machine's clock, except during a sweep.
#[derive(Clone)]
pub(super) struct SweepClock(Arc<AtomicI64>);

const NOT_MOVED: i64 = i64::MIN;

impl Default for SweepClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(NOT_MOVED)))
    }
}

impl SweepClock {
    fn move_to(&self, now: Timestamp) -> Moved {
        self.0.store(now.as_second(), Ordering::SeqCst);
        Moved(self.clone())
    }

    fn moved_to(&self) -> Option<i64> {
        Some(self.0.load(Ordering::SeqCst)).filter(|seconds| *seconds != NOT_MOVED)
    }
}

impl Clock for SweepClock {
    fn now_unix_secs(&self) -> u64 {
        self.moved_to().map_or_else(|| SystemClock.now_unix_secs(), |seconds| u64::try_from(seconds).unwrap_or(0))
    }

    fn now_unix_secs_f64(&self) -> f64 {
        // Stream sequence numbers start from this clock, and a sweep in the future must not increase them.
        SystemClock.now_unix_secs_f64()
    }
}

/// Restores the clock when dropped.
struct Moved(SweepClock);

impl Drop for Moved {
    fn drop(&mut self) {
        self.0.0.store(NOT_MOVED, Ordering::SeqCst);
    }
}
