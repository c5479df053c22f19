//! Telemetry of a function: JSON log lines, and metrics embedded in them.
//!
//! No secrets, no personal addresses, no text that people wrote and no links that open a page: `docs/decisions.md`
//! lists what may be in a log.

use crate::config::Environment;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::io::Write;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The crates of this workspace that log, as named in the `target` of a log line.
pub const OWN_CRATES: [&str; 14] = [
    "accounts",
    "alerts",
    "charge_expiry",
    "charging",
    "liability",
    "notifications",
    "portal",
    "purchases",
    "reconciliation",
    "shared",
    "stripe_webhooks",
    "support",
    "top_up_sweep",
    "usage",
];

/// Starts logging JSON lines to standard output. `RUST_LOG` sets the level, as in `warn` or `info,shared=debug`; without
/// it, the level is `info`.
pub fn start(environment: &Environment) {
    subscriber(&environment.optional("RUST_LOG").unwrap_or_default(), std::io::stdout).init();
}

/// Writes what the filter selects to `writer`; an invalid filter means `info`.
///
/// Crates that are not ours never log below `info`, whatever the filter says: at those levels an HTTP client or an SDK
/// logs the data that passes through it, including credentials and bodies.
pub fn subscriber<W>(filter: &str, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // `Targets` rather than `EnvFilter`, which would bring a regular expression engine into every function.
    let wanted = Some(filter).filter(|filter| !filter.is_empty()).and_then(|filter| filter.parse().ok());
    let wanted = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
    tracing_subscriber::registry().with(lines.with_writer(writer)).with(limited(&wanted))
}

fn limited(wanted: &Targets) -> Targets {
    let default = wanted.default_level().unwrap_or(LevelFilter::OFF);
    let ours = OWN_CRATES.map(|own| (own, default));
    let limited = Targets::new().with_default(default.min(LevelFilter::INFO)).with_targets(ours);
    let is_ours = |target: &str| OWN_CRATES.contains(&target.split("::").next().unwrap_or_default());
    wanted.iter().fold(limited, |limited, (target, level)| {
        limited.with_target(target, if is_ours(target) { level } else { level.min(LevelFilter::INFO) })
    })
}

/// A log line from which CloudWatch extracts these counts as metrics.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
pub fn embedded_metrics(function: &str, counts: &[(&str, u64)], now: Timestamp) -> Value {
    let metrics: Vec<Value> = counts.iter().map(|(name, _)| json!({"Name": name, "Unit": "Count"})).collect();
    let mut line: Map<String, Value> = counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    line.insert("function".to_owned(), json!(function));
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{"Namespace": "Prepaid", "Dimensions": [["function"]], "Metrics": metrics}],
        }),
    );
    Value::Object(line)
}

/// Writes a line of embedded metrics to standard output, from which Lambda forwards it to CloudWatch.
pub fn emit(metrics: &Value) {
    // A metric that cannot be written must not fail the work that it counts.
    let _ = writeln!(std::io::stdout().lock(), "{metrics}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::Level;

    #[test]
    fn other_crates_log_nothing_below_info_whatever_the_filter_says() {
        for (filter, target, level, is_written) in [
            ("trace", "shared::ledger", Level::TRACE, true),
            ("trace", "charging", Level::TRACE, true),
            ("trace", "aws_smithy_runtime::client", Level::DEBUG, false),
            ("trace", "hyper", Level::INFO, true),
            ("hyper=trace", "hyper::client", Level::DEBUG, false),
            ("hyper=trace", "shared", Level::ERROR, false),
            ("warn,shared::stripe=debug", "shared::stripe::client", Level::DEBUG, true),
            ("warn,shared::stripe=debug", "shared::ledger", Level::INFO, false),
            ("warn,shared_secrets=debug", "shared_secrets", Level::DEBUG, false),
            ("warn", "hyper", Level::INFO, false),
            ("off", "shared", Level::ERROR, false),
        ] {
            let limited = limited(&filter.parse().unwrap());
            assert_eq!(limited.would_enable(target, &level), is_written, "{filter}: {target} at {level}");
        }
    }

    /// The template counts the log lines whose `level` is `ERROR`, and an alarm watches that number.
    #[test]
    fn an_error_is_a_line_of_json_with_its_level() {
        let lines = Lines::default();
        let written = lines.clone();
        tracing::subscriber::with_default(subscriber("", move || written.clone()), || {
            tracing::error!(purchase.id = "pur_1", "the purchase is in review");
        });
        let line: Value = serde_json::from_slice(&lines.0.lock().unwrap()).unwrap();
        assert_eq!((&line["level"], &line["purchase.id"]), (&json!("ERROR"), &json!("pur_1")));
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn metrics_name_each_count_and_carry_its_value() {
        let line = embedded_metrics("top-up-sweep", &[("due", 3), ("paid", 2)], Timestamp::UNIX_EPOCH);
        assert_eq!((&line["due"], &line["paid"], &line["_aws"]["Timestamp"]), (&json!(3), &json!(2), &json!(0)));
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(described["Metrics"], json!([{"Name": "due", "Unit": "Count"}, {"Name": "paid", "Unit": "Count"}]));
        assert_eq!(described["Dimensions"], json!([["function"]]));
    }
}
