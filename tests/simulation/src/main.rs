//! Plays the workflows with every set of at most two faults, then schedules, on all cores, until a rule breaks, and
//! prints the story. `--seed N` plays one schedule alone. `--digest` prints the digest of all schedules.

use simulation::{Digest, Schedule, WORKFLOWS, digest, on_all_cores, play, shrink};
use std::io::{self, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const USAGE: &str = "simulate [--seed N] [--from N] [--count N] [--story] [--digest]";
const COUNT: u64 = 100_000;

/// The options of the command line.
struct Wanted {
    seeds: Range<u64>,
    /// Whether to play one schedule alone.
    is_single: bool,
    /// Whether to print the story even if no rule is broken.
    is_told: bool,
    /// Whether to print only the digest of the runs, even if they break a rule.
    is_digest: bool,
}

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let Some(wanted) = wanted(std::env::args().skip(1)) else {
        writeln!(out, "{USAGE}")?;
        return Ok(ExitCode::from(2));
    };
    if wanted.is_digest {
        writeln!(out, "{} schedules: {}", wanted.seeds.end - wanted.seeds.start, digest_all(&wanted.seeds))?;
        return Ok(ExitCode::SUCCESS);
    }
    if wanted.is_told {
        for seed in wanted.seeds.clone() {
            let story = play(&Schedule::new(seed), true).unwrap_or_default();
            story.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
    }
    if std::env::var_os("ONLY_SCHEDULES").is_none() && !wanted.is_single && !enumerate_workflows(&mut out)? {
        return Ok(ExitCode::FAILURE);
    }
    let started = Instant::now();
    let (steps, broken) = play_all(&wanted.seeds);
    if let Some(seed) = broken {
        tell(&mut out, seed)?;
        return Ok(ExitCode::FAILURE);
    }
    let (count, seconds) = (wanted.seeds.end - wanted.seeds.start, started.elapsed().as_secs_f64());
    let rate = count as f64 / seconds;
    writeln!(out, "{count} schedules, {steps} steps in {seconds:.1} s: no rule broken, {rate:.0} schedules a second")?;
    Ok(ExitCode::SUCCESS)
}

/// Returns whether the workflows withstand every set of at most two faults.
fn enumerate_workflows(out: &mut impl Write) -> io::Result<bool> {
    for workflow in &WORKFLOWS {
        match workflow.enumerate(2) {
            Ok(enumerated) => {
                writeln!(out, "{:3} calls, {:6} sets of faults: {}", enumerated.calls, enumerated.runs, workflow.name)?;
            }
            Err((faults, failure)) => {
                for line in &failure.story {
                    writeln!(out, "{line}")?;
                }
                writeln!(out, "{} with {faults:?}", workflow.name)?;
                writeln!(out, "broken: {}", failure.rule)?;
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The number of steps played, and the lowest seed seen that breaks a rule.
fn play_all(seeds: &Range<u64>) -> (usize, Option<u64>) {
    let (next, end) = (AtomicU64::new(seeds.start), AtomicU64::new(seeds.end));
    let work = || {
        let mut steps = 0;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end.load(Ordering::Relaxed) {
                return (steps, None);
            }
            let schedule = Schedule::new(seed);
            steps += schedule.steps.len();
            if play(&schedule, false).is_err() {
                end.store(seed, Ordering::Relaxed);
                return (steps, Some(seed));
            }
        }
    };
    let ended = on_all_cores(work).into_iter();
    ended.fold((0, None), |(sum, lowest), (steps, broken)| (sum + steps, lowest.into_iter().chain(broken).min()))
}

/// The sum of the digests of all runs.
fn digest_all(seeds: &Range<u64>) -> Digest {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut sum = Digest::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return sum;
            }
            sum += digest(seed);
        }
    };
    let mut sum = Digest::default();
    on_all_cores(work).into_iter().for_each(|part| sum += part);
    sum
}

/// Prints the shortest run found that breaks a rule like the run of this seed.
fn tell(out: &mut impl Write, seed: u64) -> io::Result<()> {
    let schedule = Schedule::new(seed);
    let Some((shortest, _)) = shrink(&schedule) else { return Ok(()) };
    let Err(failure) = play(&shortest, true) else { return Ok(()) };
    for line in &failure.story {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "seed {seed}, {} of its {} steps", shortest.steps.len(), schedule.steps.len())?;
    writeln!(out, "broken: {}", failure.rule)
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Option<Wanted> {
    let (mut from, mut count) = (0_u64, COUNT);
    let (mut is_told, mut is_single, mut is_digest) = (false, false, false);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next()?.parse().ok();
        match argument.as_str() {
            "--seed" => (from, count, is_single) = (number()?, 1, true),
            "--from" => from = number()?,
            "--count" => count = number()?,
            "--story" => is_told = true,
            "--digest" => is_digest = true,
            _ => return None,
        }
    }
    Some(Wanted { seeds: from..from.checked_add(count)?, is_single, is_told, is_digest })
}
