//! Prints how many charges one account sustains, as the tables of docs/performance.md.

use simulation::hot_accounts::{Latencies, Load, Measured, Request, measure};
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
    Ok(())
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
