//! Prints how many charges one account sustains, as the tables of docs/performance.md.

use shared::use_cases::MemorySettings;
use simulation::hot_accounts::{Fleet, Latencies, Load, Measured, Request, measure, measure_fleet};
use std::io::{self, Write};

const SEED: u64 = 1;
const WRITERS: [u32; 4] = [1, 16, 64, 128];

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (name, latencies) in [("3 / 8 ms", Latencies::USUAL), ("5 / 25 ms", Latencies::SLOW)] {
        writeln!(out, "\nGet / transaction {name}:\n")?;
        writeln!(
            out,
            "| writers | charges/s | refused | conflicts per charge | throttled | stale | write units per charge | \
             reads | p50 | p99 | answered 503 |"
        )?;
        writeln!(out, "|{}", " ---: |".repeat(11))?;
        for writers in WRITERS {
            let measured = measure(Load { latencies, writers, request: Request::Charge }, SEED);
            writeln!(out, "| {writers} | {} |", row(&measured))?;
        }
    }
    writeln!(out, "\nBatches of one account, get / transaction 3 / 8 ms:\n")?;
    writeln!(
        out,
        "| senders | charges per batch | charges/s | refused | write units per charge | p50 | p99 | answered 503 | cost |"
    )?;
    writeln!(out, "|{}", " ---: |".repeat(9))?;
    for (writers, size) in [(1, 49), (64, 49), (1, 10), (64, 10)] {
        let measured = measure(Load { latencies: Latencies::USUAL, writers, request: Request::Batch(size) }, SEED);
        writeln!(out, "| {writers} | {size} | {} |", batch_row(&measured))?;
    }
    writeln!(out, "\nTen charges a second of one account, get / transaction 3 / 8 ms:\n")?;
    writeln!(
        out,
        "| functions | requests per charge | from memory | stale | p50, reading first | cost, reading first |"
    )?;
    writeln!(out, "|{}", " ---: |".repeat(6))?;
    for (name, shares) in fleets() {
        writeln!(out, "| {name} | {} |", fleet_row(&shares))?;
    }
    Ok(())
}

/// Fleets whose functions get equal shares, and two where one gets the share at which memory is least worth it.
fn fleets() -> Vec<(String, Vec<f64>)> {
    let equal = [1_u32, 2, 4, 16].map(|count| (count.to_string(), vec![1.0 / f64::from(count); count as usize]));
    let unequal =
        [17.0, 10.0].map(|part| (format!("2, one of them gets 1 in {part}"), vec![1.0 - 1.0 / part, 1.0 / part]));
    equal.into_iter().chain(unequal).collect()
}

fn fleet_row(shares: &[f64]) -> String {
    let fleet = Fleet { latencies: Latencies::USUAL, charges_per_second: 10.0, shares, memory: None };
    let reading = measure_fleet(&fleet, SEED);
    let remembering = measure_fleet(&Fleet { memory: Some(MemorySettings::CHARGING), ..fleet }, SEED);
    let share = |count| format!("{:.1} %", remembering.measured.per_charge(count) * 100.0);
    let [fast, slow] = [&remembering, &reading].map(|fleet| fleet.measured.latency_within(0.5).as_secs_f64() * 1e3);
    [
        format!("{:.2}", remembering.requests_per_charge()),
        share(remembering.remembered.hits),
        share(remembering.remembered.stale),
        format!("{fast:.1} ms, {slow:.1} ms"),
        format!("${:.2}, ${:.2}", remembering.cost(), reading.cost()),
    ]
    .join(" | ")
}

fn batch_row(measured: &Measured) -> String {
    let within = |share| format!("{} ms", measured.latency_within(share).as_millis());
    [
        format!("{:.0}", measured.charges_per_second()),
        format!("{:.0} %", measured.refused() * 100.0),
        format!("{:.1}", measured.per_charge(measured.requests.write_units)),
        within(0.5),
        within(0.99),
        format!("{:.1} %", measured.unavailable() * 100.0),
        format!("${:.2}", measured.cost()),
    ]
    .join(" | ")
}

fn row(measured: &Measured) -> String {
    let requests = &measured.requests;
    let per_charge = |count| format!("{:.1}", measured.per_charge(count));
    let within = |share| format!("{} ms", measured.latency_within(share).as_millis());
    [
        format!("{:.0}", measured.charges_per_second()),
        format!("{:.0} %", measured.refused() * 100.0),
        per_charge(requests.conflicts),
        per_charge(requests.throttled),
        per_charge(requests.stale),
        per_charge(requests.write_units),
        per_charge(requests.reads),
        within(0.5),
        within(0.99),
        format!("{:.1} %", measured.unavailable() * 100.0),
    ]
    .join(" | ")
}
