//! The compiled functions, killed by SIGKILL at random times while they work.
//!
//! They run as separate processes behind the local Runtime API, with the system clock, against the stand-ins.
//! The ordinary retries must complete whatever a kill leaves unfinished, and no rule about money may be broken.
//! The times are drawn from the usual duration of each function, so they lie before, between and after its outside
//! calls. The seed determines the random numbers, but not the timing of the machine, so a failing seed usually fails
//! again, but not always.
//!
//! `make kill` plays five hundred kills of each workflow; `KILLS`, `SEED` and `FUNCTIONS` (a directory with the
//! functions' programs) can be set for any run.

mod binaries;
mod books;
mod killer;
mod workflows;
mod world;

use killer::{Killer, Tally};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use workflows::Workflow;
use world::World;

/// The default number of kills of each workflow.
const KILLS: u32 = 10;
/// The number of rounds without kills, which measure how long the functions take.
const ROUNDS_TO_MEASURE: u32 = 3;
/// Rounds per cloud. A fresh cloud keeps the lists of Stripe's objects and the table's stream short.
const ROUNDS_PER_CLOUD: u32 = 25;
/// The most rounds per kill; if more are needed, the kills miss.
const ROUNDS_PER_KILL_MAX: u32 = 5;

macro_rules! survives {
    ($($test:ident: $workflow:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            println!("{}", play(Workflow::$workflow).await);
        }
    )*};
}

survives! {
    an_account_is_opened_once_though_functions_are_killed: OpenAccount,
    a_charge_is_taken_once_though_functions_are_killed: Charge,
    the_charges_of_a_batch_are_taken_once_though_functions_are_killed: Batch,
    a_charge_is_restored_once_though_functions_are_killed: Restore,
    a_pending_charge_is_captured_once_though_functions_are_killed: Capture,
    pending_charges_expire_once_though_functions_are_killed: Expiry,
    a_crossing_is_told_once_though_functions_are_killed: Alerts,
    a_card_that_expires_is_told_of_once_though_functions_are_killed: ExpiringCard,
    a_purchase_is_granted_once_though_functions_are_killed: Purchase,
    an_invoice_is_made_told_and_granted_or_voided_once_though_functions_are_killed: Invoice,
    refunds_take_credits_back_once_though_functions_are_killed: Refund,
    support_gives_money_back_once_though_functions_are_killed: SupportRefund,
    what_no_webhook_tells_is_applied_once_though_functions_are_killed: Reconciliation,
    missing_credits_are_found_once_though_functions_are_killed: Find,
    settings_are_stored_as_answered_though_functions_are_killed: AutoTopUp,
    a_top_up_is_paid_once_though_functions_are_killed: SweepPaid,
    a_declined_top_up_is_resumed_once_though_functions_are_killed: SweepDeclined,
    a_confirmed_top_up_is_granted_once_though_functions_are_killed: SweepActionRequired,
    an_unpaid_invoice_is_retried_once_though_functions_are_killed: Retry,
    a_pause_is_ended_without_a_payment_though_functions_are_killed: Resume,
    a_customer_is_reminded_once_and_an_unpaid_invoice_voided_though_functions_are_killed: Reminders,
    every_mail_is_sent_though_functions_are_killed: Mail,
    every_entry_is_folded_once_though_functions_are_killed: Usage,
    acts_of_support_are_done_and_recorded_once_though_functions_are_killed: Support,
    balances_are_imported_once_though_functions_are_killed: Import,
    every_account_is_counted_once_though_functions_are_killed: Liability,
    an_account_is_erased_though_functions_are_killed: Erase,
}

/// An environment variable that changes the run.
#[expect(clippy::disallowed_methods, reason = "a developer sets the number of kills and the programs")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Plays rounds until there are enough kills. Returns a line for the table.
async fn play(workflow: Workflow) -> String {
    let number = |name: &str, usual: u64| setting(name).map_or(usual, |text| text.parse().expect("a number"));
    let wanted = u32::try_from(number("KILLS", KILLS.into())).expect("a number of kills");
    let seed = number("SEED", 1);
    let functions = binaries::directory();
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kills-{workflow:?}.log"));
    let _ = std::fs::remove_file(&log);
    let killer = Arc::new(Killer::new(workflow.victims(), seed));
    let (began, mut rounds, mut duplicate_mails) = (Instant::now(), 0, 0);
    while killer.tally().killed() < wanted {
        let mut world = World::start(&functions, log.clone(), &killer, seed.wrapping_add(rounds.into())).await;
        for _ in 0..ROUNDS_PER_CLOUD {
            assert!(rounds < wanted * ROUNDS_PER_KILL_MAX + 20, "the kills miss: {:?}", killer.tally());
            killer.measure(rounds < ROUNDS_TO_MEASURE);
            killer.begin_round();
            rounds += 1;
            let story = Story { workflow, seed, round: rounds, killer: &killer, log: &log };
            let again = match workflow.play(&mut world).await {
                Ok(accounts) => world.check(&accounts).await,
                Err(broken) => Err(broken),
            };
            duplicate_mails += again.unwrap_or_else(|broken| panic!("{broken}"));
            drop(story);
            if killer.tally().killed() >= wanted {
                break;
            }
        }
    }
    row(workflow, &killer.tally(), rounds, duplicate_mails, began)
}

fn row(workflow: Workflow, tally: &Tally, rounds: u32, duplicate_mails: usize, began: Instant) -> String {
    let calls: Vec<_> = tally.killed_after_calls.iter().map(|(calls, kills)| format!("{calls}:{kills}")).collect();
    format!(
        "{:20} {:4} kills {:4} in INIT {:5} invocations {:4} rounds {:4} s {:3} duplicate e-mails; kills by calls made: {}",
        workflow.name(),
        tally.killed(),
        tally.killed_in_init,
        tally.invocations,
        rounds,
        began.elapsed().as_secs(),
        duplicate_mails,
        calls.join(" "),
    )
}

/// Prints the story of a round if it panics.
struct Story<'a> {
    workflow: Workflow,
    seed: u64,
    round: u32,
    killer: &'a Killer,
    log: &'a Path,
}

impl Drop for Story<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { workflow, seed, round, killer, log } = self;
            let _ = writeln!(
                std::io::stderr(),
                "\n{workflow:?} broke a rule in round {round} of seed {seed} (SEED={seed}; the timing may differ).\n\
                 The functions' log is in {}. What happened in this round:\n{}\n",
                log.display(),
                killer.story()
            );
        }
    }
}
