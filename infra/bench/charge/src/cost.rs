//! The cost of a million charges in AWS, calculated from the counts.

use crate::Error;
use crate::dynamodb::Units;
use saphyr::{LoadableYamlNode, Yaml};

/// Dollars, us-east-1, on demand, arm64.
///
/// <https://aws.amazon.com/api-gateway/pricing/>, <https://aws.amazon.com/lambda/pricing/>,
/// <https://aws.amazon.com/dynamodb/pricing/on-demand/>, <https://aws.amazon.com/cloudwatch/pricing/>
const GATEWAY_REQUESTS_MILLION: f64 = 1.00;
const LAMBDA_REQUESTS_MILLION: f64 = 0.20;
const LAMBDA_GIGABYTE_SECOND: f64 = 0.000_013_333_4;
const READ_UNITS_MILLION: f64 = 0.125;
const WRITE_UNITS_MILLION: f64 = 0.625;
const LOG_GIGABYTE: f64 = 0.50;

/// The only assumption, because no stand-in has DynamoDB's latency. A consistent read takes about 5 ms and a
/// transaction of two items about 25 ms; the function's own time is negligible in comparison.
pub const BILLED_MS: f64 = 30.0;

/// CloudWatch adds this to every ingested line.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
const LOG_LINE_OVERHEAD_BYTES: usize = 26;

/// The lines that Lambda itself logs for an invocation, unless the template sets the system log level to WARN.
/// <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>
const PLATFORM_LINES: [&str; 2] = [
    r#"{"time":"2026-11-22T09:30:00.000Z","type":"platform.start","record":{"requestId":"6f7f0961-f834-4c8b-9f29-8a8f1b5c2c11","version":"$LATEST"}}"#,
    r#"{"time":"2026-11-22T09:30:00.030Z","type":"platform.report","record":{"requestId":"6f7f0961-f834-4c8b-9f29-8a8f1b5c2c11","metrics":{"durationMs":29.412,"billedDurationMs":30,"memorySizeMB":256,"maxMemoryUsedMB":22},"status":"success"}}"#,
];

/// The values of the variables in an access log line for an ordinary charge.
const ACCESS: [(&str, &str); 8] = [
    ("$context.requestId", "JKJaXmPLvHcESHA="),
    ("$context.requestTimeEpoch", "1795339800"),
    ("$context.routeKey", "POST /v1/accounts/{account}/charges"),
    ("$context.status", "201"),
    ("$context.responseLength", "163"),
    ("$context.responseLatency", "38"),
    ("$context.authorizer.claims.sub", "service"),
    ("$context.authorizer.error", "-"),
];

/// The usage of one charge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    pub units: Units,
    pub memory_mb: u32,
    /// The log bytes of the function itself, of Lambda and of API Gateway.
    pub log_bytes: usize,
}

/// Dollars per million charges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    pub gateway: f64,
    pub lambda: f64,
    pub reads: f64,
    pub writes: f64,
    pub logs: f64,
}

impl Cost {
    pub fn of(usage: &Usage) -> Self {
        let gigabyte_seconds = f64::from(usage.memory_mb) / 1024.0 * BILLED_MS / 1000.0;
        Self {
            gateway: GATEWAY_REQUESTS_MILLION,
            lambda: LAMBDA_REQUESTS_MILLION + gigabyte_seconds * LAMBDA_GIGABYTE_SECOND * 1e6,
            reads: usage.units.read * READ_UNITS_MILLION,
            writes: usage.units.written * WRITE_UNITS_MILLION,
            logs: usage.log_bytes as f64 * 1e6 / 1e9 * LOG_GIGABYTE,
        }
    }

    pub fn total(&self) -> f64 {
        self.gateway + self.lambda + self.reads + self.writes + self.logs
    }
}

/// The bytes that Lambda and API Gateway log for one charge, as configured in the template.
///
/// # Errors
/// If the template does not have the expected structure.
pub fn template_log_bytes(template: &str) -> Result<usize, Error> {
    let documents = Yaml::load_from_str(template)?;
    let text =
        |path: &[&str]| path.iter().try_fold(documents.first()?, |node, name| node.as_mapping_get(name))?.as_str();
    let format = text(&["Resources", "Api", "Properties", "AccessLogSettings", "Format"]).ok_or("no access log")?;
    let level = text(&["Resources", "ChargingFunction", "Properties", "LoggingConfig", "SystemLogLevel"]);
    let platform: &[&str] = if level == Some("WARN") { &[] } else { &PLATFORM_LINES };
    let access = access_line(format)?;
    let lines = platform.iter().copied().chain([access.as_str()]);
    Ok(lines.map(|line| line.len() + LOG_LINE_OVERHEAD_BYTES).sum())
}

/// The line that API Gateway logs for a format.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html>
fn access_line(format: &str) -> Result<String, Error> {
    let line = ACCESS.iter().fold(format.to_owned(), |line, (variable, value)| {
        line.replace(&format!("\"{variable}\""), &format!("\"{value}\""))
    });
    let line = line.replace("$context.integrationErrorMessage", "-");
    match line.find("$context") {
        None => Ok(line),
        Some(at) => Err(format!("the access log has a variable without an example: {}", &line[at..]).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_charges_cost_the_sum_of_their_parts() {
        let units = Units { read: 1.0, written: 5.0 };
        let cost = Cost::of(&Usage { units, memory_mb: 1024, log_bytes: 400 });
        assert!((cost.lambda - 0.600_002).abs() < 1e-9, "{cost:?}");
        assert_eq!((cost.gateway, cost.reads, cost.writes, cost.logs), (1.0, 0.125, 3.125, 0.2));
        assert!((cost.total() - 5.050_002).abs() < 1e-9, "{cost:?}");
    }

    #[test]
    fn log_bytes_follow_the_template() {
        let template = |level: &str| {
            format!(
                "Resources:\n  Api: {{Properties: {{AccessLogSettings: {{Format: '{{\"status\":\"$context.status\"}}'}}}}}}\n  \
                 ChargingFunction: {{Properties: {{LoggingConfig: {{{level}}}}}}}\n"
            )
        };
        let access = r#"{"status":"201"}"#.len() + LOG_LINE_OVERHEAD_BYTES;
        assert_eq!(template_log_bytes(&template("SystemLogLevel: WARN")).unwrap(), access);
        let platform: usize = PLATFORM_LINES.iter().map(|line| line.len() + LOG_LINE_OVERHEAD_BYTES).sum();
        assert_eq!(template_log_bytes(&template("LogFormat: JSON")).unwrap(), access + platform);
        assert!(template_log_bytes("Resources: {}").is_err());
        assert!(access_line("$context.unheardOf").is_err());
    }
}
