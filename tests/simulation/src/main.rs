//! Plays schedules until one breaks a rule, and tells its story; `--seed N` plays that one alone.

use simulation::{Schedule, play, shrink};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "simulate [--seed N] [--from N] [--count N] [--story]";
const COUNT: u64 = 100_000;

/// What is asked for.
struct Wanted {
    from: u64,
    count: u64,
    /// Whether a run that breaks no rule is told as well.
    is_told: bool,
}

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let Some(wanted) = wanted(std::env::args().skip(1)) else {
        writeln!(out, "{USAGE}")?;
        return Ok(ExitCode::from(2));
    };
    let started = Instant::now();
    let mut steps = 0;
    for seed in wanted.from..wanted.from.saturating_add(wanted.count) {
        let schedule = Schedule::new(seed);
        steps += schedule.steps.len();
        match play(&schedule, wanted.is_told) {
            Ok(story) => story.iter().try_for_each(|line| writeln!(out, "{line}"))?,
            Err(_) => {
                tell(&mut out, seed, &schedule)?;
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = wanted.count as f64 / seconds;
    writeln!(out, "{} schedules, {steps} steps: no rule broken, {rate:.0} schedules a second", wanted.count)?;
    Ok(ExitCode::SUCCESS)
}

/// The shortest run found that breaks a rule like this one.
fn tell(out: &mut impl Write, seed: u64, schedule: &Schedule) -> io::Result<()> {
    let Some((shortest, _)) = shrink(schedule) else { return Ok(()) };
    let Err(failure) = play(&shortest, true) else { return Ok(()) };
    for line in &failure.story {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "seed {seed}, {} of its {} steps", shortest.steps.len(), schedule.steps.len())?;
    writeln!(out, "broken: {}", failure.rule)
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Option<Wanted> {
    let mut wanted = Wanted { from: 0, count: COUNT, is_told: false };
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next()?.parse().ok();
        match argument.as_str() {
            "--seed" => (wanted.from, wanted.count) = (number()?, 1),
            "--from" => wanted.from = number()?,
            "--count" => wanted.count = number()?,
            "--story" => wanted.is_told = true,
            _ => return None,
        }
    }
    Some(wanted)
}
