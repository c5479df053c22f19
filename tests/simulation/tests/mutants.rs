//! Each deliberate bug is found, and soon.

use mutants::{MUTANTS, Mutant, switch};
use simulation::{Schedule, on_all_cores, play};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const TIME_MAX: Duration = Duration::from_secs(10);

#[test]
fn every_deliberate_bug_is_found_within_ten_seconds() {
    let mut missed = vec![];
    for mutant in &MUTANTS {
        let started = Instant::now();
        match find(mutant, started) {
            Some((seed, rule)) => println!("{:40} {seed:6} {:9.1?} {rule}", mutant.name, started.elapsed()),
            None => missed.push(mutant.name),
        }
    }
    println!("{} of {} bugs were found", MUTANTS.len() - missed.len(), MUTANTS.len());
    assert!(missed.is_empty(), "not found: {missed:#?}");
}

/// The first seed, of those the threads come to, that breaks a rule, and the rule.
fn find(mutant: &Mutant, started: Instant) -> Option<(u64, String)> {
    let next = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let search = || {
        switch::turn_on(mutant.name);
        while !is_over.load(Ordering::Relaxed) && started.elapsed() < TIME_MAX {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if let Err(failure) = play(&Schedule::new(seed), false) {
                is_over.store(true, Ordering::Relaxed);
                return Some((seed, failure.rule));
            }
        }
        None
    };
    on_all_cores(search).into_iter().flatten().min()
}
