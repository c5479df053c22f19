//! Virtual time: tasks that sleep, and a clock that jumps to whoever wakes next.

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use shared::clock::Clock;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// The tasks that run in virtual time.
pub type Tasks = FuturesUnordered<BoxFuture<'static, ()>>;

/// A clock that only moves when every task waits. Clones share it.
#[derive(Clone, Default)]
pub struct Timeline(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Duration,
    /// The sleeping tasks: when each wakes, and in which order they fell asleep.
    due: BinaryHeap<Reverse<(Duration, u64)>>,
    wakers: BTreeMap<u64, Waker>,
    sleeps: u64,
}

impl Timeline {
    pub fn elapsed(&self) -> Duration {
        self.state().now
    }

    pub async fn sleep(&self, duration: Duration) {
        let (until, number) = {
            let mut state = self.state();
            state.sleeps += 1;
            (state.now + duration, state.sleeps)
        };
        poll_fn(|context| {
            let mut state = self.state();
            if state.now >= until {
                return Poll::Ready(());
            }
            if state.wakers.insert(number, context.waker().clone()).is_none() {
                state.due.push(Reverse((until, number)));
            }
            Poll::Pending
        })
        .await;
    }

    /// Runs the tasks until this time, or until all of them are done.
    pub fn run(&self, tasks: &mut Tasks, until: Duration) {
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        loop {
            woken.0.store(false, Ordering::Relaxed);
            while let Poll::Ready(Some(())) = tasks.poll_next_unpin(&mut context) {}
            if woken.0.load(Ordering::Relaxed) {
                continue;
            }
            match self.next_sleeper(until) {
                Some(sleeper) => sleeper.wake(),
                None => break,
            }
        }
        let mut state = self.state();
        state.now = state.now.max(until);
    }

    /// Moves the clock to the next sleeper's time.
    fn next_sleeper(&self, until: Duration) -> Option<Waker> {
        let mut state = self.state();
        loop {
            let Reverse((at, number)) = *state.due.peek()?;
            if at > until {
                return None;
            }
            state.due.pop();
            state.now = state.now.max(at);
            if let Some(waker) = state.wakers.remove(&number) {
                return Some(waker);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Timeline {
    /// To the millisecond, like the system clock of a running function.
    fn now(&self) -> Timestamp {
        let start = Timestamp::constant(1_767_225_600, 0);
        start + SignedDuration::from_millis(self.elapsed().as_millis().try_into().unwrap_or(i64::MAX))
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
