//! What one account sustains, in virtual time. No verdict depends on the speed of this machine.

use simulation::hot_accounts::{Latencies, Load, Measured, Request, measure};

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
