//! A sweep that runs out of its function's time continues by one-time schedules: with the rest, once, and never during
//! the next sweep.

use super::*;
use local_aws::scheduler::SchedulerFault;
use local_aws::wire::Loss;
use local_gateway::schedules::Expression;
use shared::ports::SweepPart;
use shared::ports::{Timer, TimerName, Timers, Wake};

const MIDNIGHT: &str = "2026-01-05T00:00:00Z";
/// Ten seconds more than the margin in which no attempt starts: enough for a dozen attempts with the function's clock.
const A_SHORT_LIFE: SignedDuration = SignedDuration::from_secs(250);

/// A bench whose function sees time pass, and lists at most this many accounts at a time.
async fn ticking_bench(due_page_size: u16) -> Bench<Ticking> {
    let clock = MovableClock::standing(MIDNIGHT.parse().unwrap());
    let mut bench = Bench::with(clock.clone(), Ticking(clock), 1_000).await;
    let settings = LedgerSettings { due_page_size, ..LedgerSettings::default() };
    bench.app.context.ledger = DynamoLedger::new(bench.database.client(), TABLE, settings);
    bench
}

/// The schedule's own event, for a sweep that was due at this time.
fn scheduled(time: Timestamp) -> Value {
    json!({"version": "0", "source": "aws.scheduler", "time": time.to_string(), "detail": "{}"})
}

impl<C: Clock> Bench<C> {
    /// Waits for the next one-time schedule and invokes the function with it, as the scheduler does.
    async fn wake(&self) -> Option<Summary> {
        let due = self.scheduler.next_due()?;
        if due > self.clock.now() {
            self.clock.advance_to(due).unwrap();
        }
        let schedule = self.scheduler.take_due(due).unwrap();
        assert_eq!(schedule.target_arn, FUNCTION);
        let event = serde_json::from_str(&schedule.input.unwrap()).unwrap();
        Some(self.handle_within(event, A_SHORT_LIFE).await.unwrap())
    }

    /// Runs the sweep that was due at midnight and all its parts.
    async fn sweep_in_parts(&self) -> Vec<Summary> {
        let mut parts = vec![self.handle_within(scheduled(MIDNIGHT.parse().unwrap()), A_SHORT_LIFE).await.unwrap()];
        while let Some(part) = self.wake().await {
            parts.push(part);
        }
        parts
    }
}

fn paid(parts: &[Summary]) -> u64 {
    parts.iter().map(|part| part.paid).sum()
}

#[tokio::test]
async fn a_sweep_whose_time_ends_goes_on_until_every_account_is_done_exactly_once() {
    let bench = ticking_bench(100).await;
    for number in 0..60 {
        bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
    }
    let recording = bench.database.record();

    let parts = bench.sweep_in_parts().await;

    assert!(parts.len() >= 3, "{parts:#?}");
    let (last, others) = parts.split_last().unwrap();
    assert!(others.iter().all(|part| !part.is_complete && part.is_continued && part.due > 0), "{parts:#?}");
    assert!(last.is_complete && !last.is_continued, "{last:?}");
    assert_eq!((paid(&parts), parts.iter().map(|part| part.due).sum::<u64>()), (60, 60));
    let payments = bench.payments().await;
    assert!(payments.len() == 60 && payments.values().all(|count| *count == 1), "{payments:?}");
    for number in 0..60 {
        assert_eq!(bench.balance(&format!("account_{number}")).await, 5_000);
    }
    let queries = recording.operations().into_iter().filter(|recorded| recorded.operation.name == "Query");
    let listed: usize = queries.map(|query| query.item_count).sum();
    assert!(listed <= 60 + parts.len() * 100, "a part lists at most one page again: {listed}");
}

#[tokio::test]
async fn a_part_that_comes_twice_sets_one_timer_and_charges_nobody_twice() {
    let bench = ticking_bench(100).await;
    for number in 0..60 {
        bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
    }
    let midnight = scheduled(MIDNIGHT.parse().unwrap());
    let twice = [(); 2].map(|()| bench.handle_within(midnight.clone(), A_SHORT_LIFE));
    let twice = join_all(twice).await;
    assert!(twice.iter().all(|part| part.as_ref().is_ok_and(|part| part.is_continued)), "{twice:?}");
    assert_eq!(bench.scheduler.schedules().len(), 1);

    while bench.wake().await.is_some() {}

    let payments = bench.payments().await;
    assert!(payments.len() == 60 && payments.values().all(|count| *count == 1), "{payments:?}");
}

/// Accounts whose outcome stays unknown remain due the longest. A part starts after them, so the chain ends.
#[tokio::test]
async fn accounts_that_stay_unknown_keep_no_other_from_its_turn() {
    let bench = ticking_bench(1).await;
    let now = bench.clock.now();
    for number in 0..60 {
        let name = format!("stuck_{number}");
        bench.store(due_account(&name, CustomerId::parse("cus_nobody").unwrap(), now - AN_HOUR)).await;
    }
    for number in 0..20 {
        bench.store_due(&format!("sound_{number}"), "pm_card_visa").await;
    }

    let parts = bench.sweep_in_parts().await;

    assert!(parts.len() >= 3 && parts.last().unwrap().is_complete, "{parts:#?}");
    assert_eq!((paid(&parts), parts.iter().map(|part| part.unknown).sum::<u64>()), (20, 60), "each was tried once");
}

/// The count on which an alarm waits. The outcome of an attempt that was just opened may be unknown.
#[tokio::test]
async fn an_outcome_that_stays_unknown_is_counted_apart_from_the_second_half_hour_on() {
    let bench = Bench::start().await;
    bench.store(due_account("stuck", CustomerId::parse("cus_nobody").unwrap(), bench.clock.now())).await;
    let mut counted = vec![];
    for _ in 0..4 {
        let summary = bench.sweep().await;
        counted.push((summary.unknown, summary.unknown_for_an_hour));
        bench.clock.advance(SWEEP_PERIOD).unwrap();
    }
    assert_eq!(counted, [(1, 0), (1, 0), (1, 1), (1, 1)]);
}

#[tokio::test]
async fn every_shard_has_its_share_of_a_sweep_that_ends_early() {
    let bench = ticking_bench(1).await;
    for number in 0..80 {
        bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
    }
    let recording = bench.database.record();
    let first = bench.sweep_within(MARGIN + SignedDuration::from_mins(2)).await.unwrap();
    assert!(!first.is_complete && first.due > 16, "{first:?}");
    let operations = recording.operations();
    let queries = operations.iter().filter(|recorded| recorded.operation.name == "Query");
    let shards: Vec<&Value> =
        queries.map(|query| &query.operation.request["ExpressionAttributeValues"][":shard"]["S"]).collect();
    let distinct: BTreeSet<&str> = shards[..16].iter().filter_map(|shard| shard.as_str()).collect();
    assert_eq!(distinct.len(), 16, "one page of each shard, before the second of any: {shards:?}");
    assert!(shards.len() > 16);
}

#[tokio::test]
async fn a_timer_that_cannot_be_set_costs_neither_the_summary_nor_an_account() {
    for fault in [
        SchedulerFault::Throttle,
        SchedulerFault::InternalServerError,
        SchedulerFault::LoseRequest(Loss::Timeout),
        SchedulerFault::LoseAnswer(Loss::ConnectionReset),
    ] {
        let bench = ticking_bench(100).await;
        for number in 0..24 {
            bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
        }
        bench.scheduler.fail_next(1, fault);
        let first = bench.sweep_within(A_SHORT_LIFE).await.unwrap();
        assert!(!first.is_complete && !first.is_continued && first.paid > 0, "{fault:?}: {first:?}");
        // If only the answer was lost, the timer is set, and the part that it starts has less to do.
        let second = bench.sweep().await;
        assert!(second.is_complete, "{fault:?}: {second:?}");
        while bench.wake().await.is_some() {}
        assert_eq!(first.paid + second.paid, 24, "{fault:?}");
        assert!(bench.payments().await.values().all(|count| *count == 1), "{fault:?}");
    }
}

#[tokio::test]
async fn nothing_is_begun_that_would_meet_the_next_sweep() {
    let bench = ticking_bench(100).await;
    for number in 0..60 {
        bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
    }
    // Delivered late, or the last part of many: the next sweep is in 70 seconds, ten more than are kept free.
    let due = bench.clock.now() - SignedDuration::from_secs(30 * 60 - 70);
    let late = bench.handle_within(scheduled(due), SignedDuration::from_mins(15)).await.unwrap();
    assert!(!late.is_complete && (1..60).contains(&late.due), "{late:?}");
    assert!(!late.is_continued, "the next sweep is sooner than a timer");
    assert_eq!(bench.scheduler.schedules(), vec![]);

    // An event that is days old or made by hand does not say when the next sweep is.
    for event in [scheduled("2025-12-24T00:00:00Z".parse().unwrap()), scheduled(Timestamp::MAX), json!({})] {
        let part = bench.handle_within(event, A_SHORT_LIFE).await.unwrap();
        assert!(part.due > 0, "{part:?}");
    }
}

#[tokio::test]
async fn a_part_that_gets_to_no_account_is_not_continued() {
    let bench = ticking_bench(100).await;
    for number in 0..3 {
        bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
    }
    let part = bench.sweep_within(SignedDuration::from_secs(200)).await.unwrap();
    assert!(!part.is_complete && !part.is_continued && part.due == 0, "{part:?}");
    assert_eq!(bench.scheduler.schedules(), vec![]);
}

#[tokio::test]
async fn a_timers_event_that_nobody_understands_is_an_error_and_no_sweep_from_the_start() {
    let bench = Bench::start().await;
    bench.store_due("acme", "pm_card_visa").await;
    let damaged = json!({"wake": {"continue_sweep": {"started_at": MIDNIGHT, "number": 1}}});
    assert!(bench.handle_within(damaged, AN_HOUR).await.is_err());
    assert_eq!(bench.balance("acme").await, 0);
}

/// The parts of a sweep rely on the schedule in the template.
#[tokio::test]
async fn the_template_starts_a_sweep_as_often_as_the_sweep_believes() {
    let cloud = TestCloud::start().await;
    let sweep = cloud.cloud.template.function_of_binary("top-up-sweep").unwrap();
    let schedules = &cloud.cloud.template.schedules;
    let schedule = schedules.iter().find(|schedule| schedule.function == sweep.logical_id).unwrap();
    let expression = Expression::parse(&schedule.expression).unwrap();
    let sweeps = std::iter::successors(expression.first(cloud.now()), |sweep| expression.after(*sweep));
    let believed = std::iter::successors(Some(cloud.now()), |sweep| Some(*sweep + SWEEP_PERIOD));
    assert!(sweeps.take(100).eq(believed.take(100)), "two days from midnight on");
    let later = cloud.now() + SignedDuration::from_secs(1);
    assert_eq!(expression.first(later), Some(cloud.now() + SWEEP_PERIOD), "whenever it was deployed");
    // Lambda's maximum, and more than the margin in which no attempt starts.
    assert_eq!(sweep.timeout.as_secs(), 900);
    for (name, start) in [
        ("TIMER_GROUP", "prepaid-timers"),
        ("TIMER_ROLE_ARN", "arn:aws:iam::"),
        ("TIMER_DEAD_LETTER_ARN", "arn:aws:sqs:"),
    ] {
        assert!(sweep.environment[name].starts_with(start), "{name}: {}", sweep.environment[name]);
    }
}

#[tokio::test]
async fn the_local_cloud_fires_a_timer_on_its_clock_and_forgets_it() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    let sweep = cloud.cloud.template.function_of_binary("top-up-sweep").unwrap();
    let part = SweepPart { number: 1, ..SweepPart::first(cloud.now(), cloud.now()) };
    let timer = Timer {
        name: TimerName::of_sweep(&part),
        at: cloud.now() + SignedDuration::from_secs(15),
        function: sweep.arn.clone(),
        wake: Wake::ContinueSweep(part),
    };
    let timers = timers_in("prepaid-timers", &cloud.cloud.aws.scheduler);
    timers.timer_set(&timer).await.unwrap();
    timers.timer_set(&timer).await.unwrap();

    assert_eq!(cloud.advance(SignedDuration::from_secs(14)).await, Vec::<Value>::new());
    let runs = cloud.cloud.advance(SignedDuration::from_secs(1)).await.unwrap();

    let [run] = runs.as_slice() else { panic!("one run: {runs:?}") };
    assert_eq!((run.schedule.as_str(), run.due), (timer.name.as_str(), timer.at));
    assert_eq!(run.result.as_ref().unwrap()["paid"], 1);
    assert_eq!(cloud.cents_taken("acme").await, [5_000]);
    assert_eq!(cloud.cloud.aws.scheduler.schedules(), vec![]);
    assert_eq!(cloud.advance(SignedDuration::from_mins(10)).await, Vec::<Value>::new());
}
