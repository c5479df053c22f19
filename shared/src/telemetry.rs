//! What a function tells about itself: JSON log lines, and metrics inside them.

use crate::config::Environment;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::io::Write;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging as JSON lines on standard output, as much as `RUST_LOG` asks for (`info` without it):
/// `warn`, or `info,hyper=warn`.
pub fn start(environment: &Environment) {
    let filter = environment.optional("RUST_LOG").unwrap_or_else(|| "info".to_owned());
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
    // `Targets` rather than `EnvFilter`, which would bring a regular expression engine into every function.
    let targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    tracing_subscriber::registry().with(lines).with(targets).init();
}

/// Counts as a log line from which CloudWatch makes metrics by itself.
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

/// Writes a line of embedded metrics to standard output, where Lambda hands it to CloudWatch.
pub fn emit(metrics: &Value) {
    // A log line that cannot be written is no reason to fail the work it tells about.
    let _ = writeln!(std::io::stdout().lock(), "{metrics}");
}

/// An error with all its causes, for the log.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_name_each_count_and_carry_its_value() {
        let line = embedded_metrics("top-up-sweep", &[("due", 3), ("paid", 2)], Timestamp::UNIX_EPOCH);
        assert_eq!((&line["due"], &line["paid"], &line["_aws"]["Timestamp"]), (&json!(3), &json!(2), &json!(0)));
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(described["Metrics"], json!([{"Name": "due", "Unit": "Count"}, {"Name": "paid", "Unit": "Count"}]));
        assert_eq!(described["Dimensions"], json!([["function"]]));
    }
}
