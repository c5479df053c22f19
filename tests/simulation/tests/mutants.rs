//! Each deliberate bug is found, and soon.

use mutants::{MUTANTS, Mutant, switch};
use simulation::{Schedule, play};
use std::time::{Duration, Instant};

const TIME_MAX: Duration = Duration::from_secs(10);

#[test]
fn every_deliberate_bug_is_found_within_ten_seconds() {
    let mut missed = vec![];
    for mutant in MUTANTS {
        let started = Instant::now();
        match find(&mutant, started) {
            Some((seed, rule)) => println!("{:40} {:6} {:?} {rule}", mutant.name, seed, started.elapsed()),
            None => missed.push(mutant.name),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:#?}");
}

fn find(mutant: &Mutant, started: Instant) -> Option<(u64, String)> {
    switch::turn_on(mutant.name);
    let found = (0..).take_while(|_| started.elapsed() < TIME_MAX).find_map(|seed| {
        let failure = play(&Schedule::new(seed), false).err()?;
        Some((seed, failure.rule))
    });
    switch::turn_off();
    found
}
