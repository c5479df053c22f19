//! Running the same work on every core.

use std::thread;

/// The result of the work on each core. The work itself divides the tasks between the cores.
pub fn on_all_cores<T: Send>(work: impl Fn() -> T + Sync) -> Vec<T> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(&work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("runs do not panic")).collect()
    })
}
