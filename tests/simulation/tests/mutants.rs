//! Each deliberate bug is found quickly.

use mutants::{MUTANTS, Mutant, switch};
use simulation::{Schedule, WORKFLOWS, on_all_cores, play};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The number of schedules limits the search, not the time, so that a busy machine finds the same bugs.
const SCHEDULES_MAX: u64 = 20_000;

#[test]
fn every_deliberate_bug_is_found_within_twenty_thousand_schedules_or_by_a_workflow() {
    let mut missed = vec![];
    for mutant in &MUTANTS {
        let found = find(mutant).map(|(seed, rule)| (seed.to_string(), rule));
        match found.or_else(|| find_by_workflow(mutant)) {
            Some((place, rule)) => println!("{:40} {place:>6} {rule}", mutant.name),
            None => missed.push(mutant.name),
        }
    }
    println!("{} of {} bugs were found", MUTANTS.len() - missed.len(), MUTANTS.len());
    assert!(missed.is_empty(), "not found: {missed:#?}");
}

/// The first workflow that breaks a rule although nothing fails, and the rule.
fn find_by_workflow(mutant: &Mutant) -> Option<(String, String)> {
    switch::turn_on(mutant.name);
    WORKFLOWS.iter().find_map(|workflow| {
        let (_, failure) = workflow.enumerate(0).err()?;
        Some((workflow.name.to_owned(), failure.rule))
    })
}

/// The first seed that breaks a rule, and the rule.
fn find(mutant: &Mutant) -> Option<(u64, String)> {
    let next = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let search = || {
        switch::turn_on(mutant.name);
        // Seeds are handed out in order and each is played to its end, so every seed below the one found was tried.
        while !is_over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SCHEDULES_MAX {
                break;
            }
            if let Err(failure) = play(&Schedule::new(seed), false) {
                is_over.store(true, Ordering::Relaxed);
                return Some((seed, failure.rule));
            }
        }
        None
    };
    on_all_cores(search).into_iter().flatten().min()
}
