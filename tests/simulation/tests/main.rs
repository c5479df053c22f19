//! The in-memory ledger fulfills the contract, and no schedule breaks a rule.
//!
//! This plays every single fault and the first thousand schedules; `make simulate` plays every pair of faults and a
//! million schedules.

mod hot_accounts;
mod ledger;

use simulation::{LIVES, Schedule, WORKFLOWS, digest, play, play_life, shrink};
use std::collections::BTreeSet;

const SEEDS: u64 = 1_000;

#[test]
fn no_schedule_of_faults_breaks_a_rule() {
    for seed in 0..SEEDS {
        let schedule = Schedule::new(seed);
        if play(&schedule, false).is_err() {
            let (shortest, _) = shrink(&schedule).expect("it has just broken a rule");
            let failure = play(&shortest, true).expect_err("a run is deterministic");
            panic!("seed {seed}: {}\n{}", failure.rule, failure.story.join("\n"));
        }
    }
}

#[test]
fn a_seed_is_the_same_run_again_to_the_letter() {
    for seed in 0..20 {
        let schedule = Schedule::new(seed);
        assert_eq!(play(&schedule, true), play(&Schedule::new(seed), true));
    }
}

#[test]
fn no_fault_breaks_a_workflow() {
    for workflow in &WORKFLOWS {
        match workflow.enumerate(1) {
            Ok(enumerated) => println!("{:4} calls, {:6} runs: {}", enumerated.calls, enumerated.runs, workflow.name),
            Err((faults, failure)) => {
                panic!("{} with {faults:?}: {}\n{}", workflow.name, failure.rule, failure.story.join("\n"));
            }
        }
    }
}

/// All orders of 0 to 4.
fn orders() -> Vec<Vec<usize>> {
    let mut orders = vec![vec![]];
    for place in 0..5 {
        let longer = orders.iter().flat_map(|order: &Vec<usize>| {
            (0..=order.len()).map(move |at| [&order[..at], &[place], &order[at..]].concat())
        });
        orders = longer.collect();
    }
    orders
}

/// The report of each event is fetched when the event occurs, and they are written in every order.
#[test]
fn every_order_of_five_events_with_any_repeated_or_lost_ends_in_one_state() {
    assert_eq!(orders().len(), 120);
    let one = || (0..5).map(Some).chain([None]);
    for life in LIVES {
        for order in orders() {
            for (repeated, lost) in one().map(|place| (place, None)).chain(one().map(|place| (None, place))) {
                if let Err(broken) = play_life(life, &order, repeated, lost) {
                    panic!("in the order {order:?}, {repeated:?} repeated and {lost:?} lost: {broken}");
                }
            }
        }
    }
}

#[test]
fn the_sweep_that_runs_out_of_time_goes_on_by_a_timer() {
    let workflow =
        WORKFLOWS.iter().find(|workflow| workflow.name.contains("continued by a timer")).expect("the workflow exists");
    let story = workflow.story(&[]);
    assert!(story.iter().any(|line| line.ends_with("goes off")), "{}", story.join("\n"));
}

#[test]
fn a_digest_is_the_same_again_and_another_for_another_seed() {
    let digests: BTreeSet<_> = (0..20).map(|seed| digest(seed).to_string()).collect();
    assert_eq!(digests.len(), 20);
    assert!((0..20).all(|seed| digests.contains(&digest(seed).to_string())));
}
