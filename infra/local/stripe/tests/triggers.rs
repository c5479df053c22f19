//! R34: Stripe's own scenarios, run with Stripe's own command line against the stand-in.
//!
//! `make triggers` installs that program and sets `STRIPE_CLI` to it. It runs unchanged, without a login and with its
//! own home directory, and knows no address except the stand-in's.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic too")]

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use local_stripe::{LocalStripe, Settings};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;

const KEY: &str = "sk_test_local";
const SUBSCRIBED: &str = "enabled_events[]=";
/// Events that affect the product, in addition to those that it subscribes to.
const OTHERS: [&str; 8] = [
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "charge.refund.updated",
    "customer.deleted",
    "payment_method.attached",
    "payment_method.detached",
    "setup_intent.succeeded",
];
/// Events for which the command line has no scenario: no request can bring about the first one, the second one takes a
/// bank transfer, and the others accompany events that have one, or follow days later.
const WITHOUT_SCENARIO: [&str; 7] = [
    "payment_method.automatically_updated",
    "invoice.overpaid",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "refund.created",
    "refund.failed",
    "refund.updated",
];
/// After this time every bank has answered.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_hours(6 * 24);
const PATIENCE: Duration = Duration::from_secs(60);

/// The event types that the README's command subscribes to.
fn subscribed() -> Vec<&'static str> {
    let readme = include_str!("../../../../README.md");
    let after = |line: &'static str| line.split_once(SUBSCRIBED).map(|(_, kind)| kind);
    let kinds: Vec<_> = readme.lines().filter_map(after).filter_map(|kind| kind.split('\'').next()).collect();
    assert_eq!(kinds.len(), 21, "the README says that there are twenty-one: {kinds:?}");
    kinds
}

struct Bench {
    now: Arc<Mutex<Timestamp>>,
    base: String,
    client: reqwest::Client,
}

impl Bench {
    async fn new() -> Self {
        let now = Arc::new(Mutex::new("2026-11-22T12:00:00Z".parse::<Timestamp>().unwrap()));
        let clock = Arc::clone(&now);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stripe = LocalStripe::new(Settings {
            api_keys: vec![KEY.to_owned()],
            base_url: base.clone(),
            tax_basis_points: 0,
            seed: 7,
            clock: Arc::new(move || *clock.lock().unwrap()),
        });
        tokio::spawn(async move { stripe.serve(listener).await });
        Self { now, base, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// Runs a scenario. The error is the program's output if it fails or takes too long.
    #[expect(clippy::disallowed_methods, reason = "make triggers sets the program's path for this test")]
    async fn trigger(&self, kind: &str) -> Result<(), String> {
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("stripe-cli");
        std::fs::create_dir_all(&home).unwrap();
        let program = std::env::var("STRIPE_CLI").expect("make triggers sets STRIPE_CLI");
        let running = Command::new(program)
            .args(["trigger", kind, "--api-base", &self.base, "--api-key", KEY])
            .env("HOME", &home)
            .env("STRIPE_CLI_TELEMETRY_OPTOUT", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, running).await.map_err(|_| "it did not end".to_owned())?.unwrap();
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        if output.status.success() && text.contains("Trigger succeeded") { Ok(()) } else { Err(text) }
    }

    /// The number of events of a type once every bank has answered.
    async fn count(&self, kind: &str) -> usize {
        *self.now.lock().unwrap() += SETTLED_AFTER;
        let request = self.client.get(format!("{}/v1/events?limit=100&type={kind}", self.base)).bearer_auth(KEY);
        let list: Value = request.send().await.unwrap().json().await.unwrap();
        list["data"].as_array().unwrap().len()
    }
}

// R34
#[tokio::test]
#[ignore = "needs Stripe's command line, which make triggers installs"]
async fn stripes_own_scenarios_bring_about_every_event_that_the_product_subscribes_to() {
    let mut failures = Vec::new();
    let subscribed = subscribed().into_iter().filter(|kind| !WITHOUT_SCENARIO.contains(kind));
    let kinds: Vec<_> = subscribed.chain(OTHERS).collect();
    for kind in &kinds {
        let bench = Bench::new().await;
        if let Err(text) = bench.trigger(kind).await {
            failures.push(format!("{kind}: {text}"));
        } else if bench.count(kind).await == 0 {
            failures.push(format!("{kind}: the scenario passed without the event"));
        }
    }
    for kind in WITHOUT_SCENARIO {
        let refused = Bench::new().await.trigger(kind).await;
        assert!(refused.is_err_and(|text| text.contains("is not supported by Stripe CLI")), "{kind}");
    }
    let passed = kinds.len() - failures.len();
    eprintln!("{passed} of {} scenarios passed, {} failed", kinds.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
