//! The table of results, and the limits that the product has to meet.

use crate::cost::{BILLED_MS, Cost, Usage};
use crate::statistics::{Interval, median, ratio_of_medians};
use crate::variants::Variants;
use crate::{Error, Rounds};
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

/// The measurements of one variant, one value per round.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// From the start of the process to its first request for an event.
    pub init_ms: Vec<f64>,
    /// From there to the next request.
    pub first_ms: Vec<f64>,
    /// Per charge of one account, which our function takes from memory, when warm.
    pub warm_us: Vec<f64>,
    /// Per charge with a read, when warm.
    pub reading_us: Vec<f64>,
    pub memory_mb: Vec<f64>,
    pub zip_mb: f64,
}

/// One limit with its result.
pub struct Bar {
    pub text: String,
    pub is_met: bool,
}

/// The lower end of the interval must reach the limit, so that luck is ruled out.
fn at_least(name: &str, ratio: Interval, bar: f64) -> Bar {
    let Interval { low, estimate, high } = ratio;
    let text = format!("{name} at least {bar} times: {estimate:.1} ({low:.1} to {high:.1})");
    Bar { text, is_met: low >= bar }
}

fn at_most(name: &str, value: f64, bar: f64, unit: &str) -> Bar {
    Bar { text: format!("{name} at most {bar} {unit}: {value:.2}"), is_met: value <= bar }
}

/// All limits, in the order of the table.
pub fn bars(rounds: &Rounds, cost: &Cost) -> Vec<Bar> {
    let Rounds { charging, python, node, hello, before, .. } = rounds;
    let floor = ratio_of_medians(&charging.init_ms, &hello.init_ms);
    let Interval { low, estimate, high } = floor;
    let floor_text = format!("init CPU at most 2.4 times the hello world's: {estimate:.2} ({low:.2} to {high:.2})");
    let mut bars = vec![
        at_least("init CPU below Python's", ratio_of_medians(&python.init_ms, &charging.init_ms), 85.0),
        at_least("init CPU below Node's", ratio_of_medians(&node.init_ms, &charging.init_ms), 75.0),
        Bar { text: floor_text, is_met: high <= 2.4 },
        at_least("first charge below Python's", ratio_of_medians(&python.first_ms, &charging.first_ms), 50.0),
        at_least("first charge below Node's", ratio_of_medians(&node.first_ms, &charging.first_ms), 60.0),
        at_least("from memory below Python's", ratio_of_medians(&python.warm_us, &charging.warm_us), 14.0),
        at_least("from memory below Node's", ratio_of_medians(&node.warm_us, &charging.warm_us), 19.0),
        at_least("with a read below Python's", ratio_of_medians(&python.reading_us, &charging.reading_us), 10.0),
        at_least("with a read below Node's", ratio_of_medians(&node.reading_us, &charging.reading_us), 13.0),
        at_most("peak memory", charging.memory_mb.iter().copied().fold(0.0, f64::max), 7.5, "MB"),
        at_most("zip", charging.zip_mb, 2.4, "MB"),
        at_most("a million charges", cost.total(), 4.80, "dollars"),
    ];
    if let Some(before) = before {
        let (warm, reading) = (&charging.warm_us, &charging.reading_us);
        bars.push(at_least("from memory below the earlier build's", ratio_of_medians(&before.warm_us, warm), 2.4));
        bars.push(at_least(
            "with a read below the earlier build's",
            ratio_of_medians(&before.reading_us, reading),
            1.6,
        ));
    }
    bars
}

/// The medians as a Markdown table.
pub fn table(rounds: &Rounds, variants: &Variants) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    let warm = ["warm CPU, from memory", "warm CPU, with a read"];
    table.set_header([&["function", "init CPU", "first-charge CPU"][..], &warm, &["peak memory", "zip"]].concat());
    for (variant, measured) in variants.all().into_iter().zip(rounds.all()) {
        table.add_row([
            variant.name.to_owned(),
            format!("{:.2} ms", median(&measured.init_ms)),
            format!("{:.2} ms", median(&measured.first_ms)),
            format!("{:.0} µs", median(&measured.warm_us)),
            format!("{:.0} µs", median(&measured.reading_us)),
            format!("{:.1} MB", median(&measured.memory_mb)),
            format!("{:.2} MB", measured.zip_mb),
        ]);
    }
    table
}

/// The cost of a million charges, item by item.
pub fn cost_line(usage: &Usage, cost: &Cost) -> String {
    format!(
        "A million charges: ${:.2} = HTTP API {:.2} + Lambda {:.2} ({BILLED_MS:.0} ms at {} MB) + {} read units {:.3} \
         + {} write units {:.3} + logs {:.2} ({} bytes)",
        cost.total(),
        cost.gateway,
        cost.lambda,
        usage.memory_mb,
        usage.units.read,
        cost.reads,
        usage.units.written,
        cost.writes,
        cost.logs,
        usage.log_bytes,
    )
}

/// The machine: its processor and its kernel.
///
/// # Errors
/// If this is not Linux.
pub fn machine() -> Result<String, Error> {
    let information = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = information.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cores = information.lines().filter(|line| line.starts_with("processor")).count();
    Ok(format!("{}, one of {cores} cores, Linux {}", model.trim_start_matches([' ', '\t', ':']), kernel.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::Units;

    fn rounds() -> Rounds {
        let measured = |init_ms: f64, first_ms: f64, warm_us: f64, reading_us: f64| Measured {
            init_ms: vec![init_ms; 5],
            first_ms: vec![first_ms; 5],
            warm_us: vec![warm_us; 5],
            reading_us: vec![reading_us; 5],
            memory_mb: vec![7.5; 5],
            zip_mb: 2.4,
        };
        Rounds {
            charging: measured(2.4, 1.0, 50.0, 100.0),
            python: measured(204.0, 50.0, 700.0, 1_000.0),
            node: measured(180.0, 60.0, 950.0, 1_300.0),
            hello: measured(1.0, 1.0, 1.0, 1.0),
            before: Some(measured(1.0, 1.0, 120.0, 160.0)),
            usage: Usage { units: Units::default(), memory_mb: 256, log_bytes: 0 },
        }
    }

    fn missed(rounds: &Rounds, total: f64) -> usize {
        let cost = Cost { gateway: total, lambda: 0.0, reads: 0.0, writes: 0.0, logs: 0.0 };
        bars(rounds, &cost).iter().filter(|bar| !bar.is_met).count()
    }

    #[test]
    fn every_bar_is_met_where_it_is_reached_and_missed_just_beyond() {
        assert_eq!(missed(&rounds(), 4.80), 0);
        assert_eq!(missed(&rounds(), 4.81), 1);
        let with = |change: fn(&mut Rounds)| {
            let mut rounds = rounds();
            change(&mut rounds);
            missed(&rounds, 4.80)
        };
        assert_eq!(with(|rounds| rounds.charging.init_ms = vec![2.41; 5]), 3, "Python, Node and the floor");
        assert_eq!(with(|rounds| rounds.charging.first_ms = vec![1.01; 5]), 2);
        assert_eq!(with(|rounds| rounds.charging.warm_us = vec![50.1; 5]), 3);
        assert_eq!(with(|rounds| rounds.charging.reading_us = vec![100.1; 5]), 3);
        assert_eq!(with(|rounds| rounds.charging.memory_mb[3] = 7.6), 1, "the worst round counts");
        assert_eq!(with(|rounds| rounds.charging.zip_mb = 2.41), 1);
        assert_eq!(with(|rounds| rounds.python.init_ms = vec![203.0; 5]), 1);
        assert_eq!(with(|rounds| rounds.node.warm_us = vec![949.0; 5]), 1);
        assert_eq!(with(|rounds| rounds.node.reading_us = vec![1_299.0; 5]), 1);
        assert_eq!(with(|rounds| rounds.before.as_mut().unwrap().warm_us = vec![119.0; 5]), 1);
        assert_eq!(with(|rounds| rounds.before.as_mut().unwrap().reading_us = vec![159.0; 5]), 1);
        assert_eq!(with(|rounds| rounds.before = None), 0);
    }
}
