//! What one account sustains, in virtual time. No verdict depends on the speed of this machine.

use shared::use_cases::MemorySettings;
use simulation::hot_accounts::{Fleet, FleetMeasured, Latencies, Load, Measured, Request, measure, measure_fleet};

const SEEDS: [u64; 2] = [1, 2];

fn singly(latencies: Latencies, writers: u32, seed: u64) -> Measured {
    measure(Load { latencies, writers, request: Request::Charge }, seed)
}

#[test]
fn sixty_four_writers_on_one_account_are_served_with_few_wasted_units() {
    for seed in SEEDS {
        let measured = singly(Latencies::USUAL, 64, seed);
        assert!(measured.charges_per_second() >= 85.0, "{} charges a second", measured.charges_per_second());
        let units = measured.per_charge(measured.requests.write_units);
        assert!(units <= 12.5, "{units} write units per charge");
        assert!(measured.unavailable() <= 0.03, "{} answered 503", measured.unavailable());
    }
}

#[test]
fn sixty_four_writers_use_an_account_of_slow_transactions_nearly_all_the_time() {
    for seed in SEEDS {
        let rate = singly(Latencies::SLOW, 64, seed).charges_per_second();
        assert!(rate >= 38.0, "{rate} charges a second");
    }
}

#[test]
fn a_single_writer_reads_once_and_is_never_refused() {
    let measured = singly(Latencies::USUAL, 1, 1);
    let requests = measured.requests;
    assert_eq!((requests.refusals(), measured.unavailable), (0, 0));
    // A request may be under way when the measuring begins and ends.
    assert!(requests.reads.abs_diff(measured.charges) <= 1 && requests.transactions.abs_diff(measured.charges) <= 1);
    assert!(requests.write_units.abs_diff(5 * measured.charges) <= 5, "{requests:?}");
}

#[test]
fn the_same_seed_gives_the_same_figures_and_another_seed_others() {
    let [first, again, other] = [1, 1, 2].map(|seed| singly(Latencies::USUAL, 16, seed));
    assert_eq!(first, again);
    assert_ne!(first, other);
}

/// What a request costs beside DynamoDB, for a million of them: API Gateway, Lambda and the log.
const REQUESTS_DOLLARS: f64 = 1.43;

fn in_batches(writers: u32, size: u32, seed: u64) -> Measured {
    measure(Load { latencies: Latencies::USUAL, writers, request: Request::Batch(size) }, seed)
}

/// The partition gives 490 charges a second in batches of 49.
#[test]
fn batches_of_one_sender_use_what_a_partition_gives() {
    for seed in SEEDS {
        let measured = in_batches(1, 49, seed);
        assert!(measured.charges_per_second() >= 470.0, "{} charges a second", measured.charges_per_second());
        assert_eq!(measured.unavailable, 0);
        let dollars = measured.cost() + REQUESTS_DOLLARS / 49.0;
        assert!(dollars <= 2.00, "${dollars} per million charges");
        let dollars = in_batches(1, 10, seed).cost() + REQUESTS_DOLLARS / 10.0;
        assert!(dollars <= 2.25, "${dollars} per million charges");
    }
}

/// The same traffic for functions that remember, and for functions that read first.
fn both(latencies: Latencies, shares: &[f64]) -> [FleetMeasured; 2] {
    let fleet = Fleet { latencies, charges_per_second: 10.0, shares, memory: None };
    [Some(MemorySettings::CHARGING), None].map(|memory| measure_fleet(&Fleet { memory, ..fleet }, 1))
}

#[test]
fn one_function_alone_saves_nearly_every_read_and_a_quarter_of_the_time() {
    let [remembering, reading] = both(Latencies::USUAL, &[1.0]);
    let requests = remembering.requests_per_charge();
    assert!(requests <= 1.05, "{requests} requests per charge");
    let [fast, slow] = [&remembering, &reading].map(|fleet| fleet.measured.latency_within(0.5).as_secs_f64());
    assert!(fast <= 0.75 * slow, "{fast} s and {slow} s");
    assert!(remembering.cost() < reading.cost());
}

/// Evenly shared, and so that the trust is earned and lost as often as possible.
#[test]
fn a_fleet_goes_back_to_reading_and_never_costs_more_than_a_hundredth() {
    let fleets: [&[f64]; 5] = [&[0.5; 2], &[0.25; 4], &[1.0 / 16.0; 16], &[16.0 / 17.0, 1.0 / 17.0], &[0.9, 0.1]];
    for shares in fleets {
        for latencies in [Latencies::USUAL, Latencies::SLOW] {
            let [remembering, reading] = both(latencies, shares);
            let stale = remembering.measured.per_charge(remembering.remembered.stale);
            assert!(stale <= 0.03, "{shares:?}: {stale} stale tries per charge");
            let cost = remembering.cost() / reading.cost();
            assert!(cost <= 1.01, "{shares:?}: {cost} times the cost");
        }
    }
}
