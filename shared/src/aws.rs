//! What all AWS clients of a function share: one HTTP stack, and the credentials and region Lambda provides.
//!
//! No `aws-config`: a function needs neither profiles nor instance metadata, and looking for them costs every cold start.

use crate::config::{ConfigError, Environment};
use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use std::time::Duration;

/// How long one connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often and for how long a service is asked by one call.
struct Patience {
    attempt_timeout: Duration,
    attempts_max: u32,
}

/// Well under the 30 seconds API Gateway waits. Each try carries the same token, so a transaction takes effect once.
const REPEATABLE: Patience = Patience { attempt_timeout: Duration::from_secs(3), attempts_max: 3 };
/// SES takes no token, so a try repeated after a lost answer is a second mail: the stream repeats it, if need be.
#[cfg(feature = "email")]
const ONCE: Patience = Patience { attempt_timeout: Duration::from_secs(10), attempts_max: 1 };

/// The environment of a Lambda function, as far as AWS clients need it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
#[derive(Clone)]
pub struct AwsEnvironment {
    region: String,
    credentials: Credentials,
    http: SharedHttpClient,
    environment: Environment,
}

impl AwsEnvironment {
    /// # Errors
    /// [`ConfigError::Missing`] outside Lambda, unless the variables are set by hand.
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        let credentials = Credentials::new(
            environment.required("AWS_ACCESS_KEY_ID")?,
            environment.required("AWS_SECRET_ACCESS_KEY")?,
            environment.optional("AWS_SESSION_TOKEN"),
            None,
            "Lambda",
        );
        // ring, not aws-lc-rs: AWS-LC gathers entropy for 25 ms of CPU at its first use.
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        Ok(Self { region: environment.required("AWS_REGION")?, credentials, http, environment: environment.clone() })
    }

    /// The endpoint that the environment names for a service, or for all.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
    fn endpoint(&self, service_variable: &str) -> Option<String> {
        self.environment.optional(service_variable).or_else(|| self.environment.optional("AWS_ENDPOINT_URL"))
    }
}

macro_rules! client {
    ($(#[$doc:meta])* $feature:literal, $function:ident, $sdk:ident, $endpoint_variable:literal, $patience:ident) => {
        $(#[$doc])*
        #[cfg(feature = $feature)]
        pub fn $function(environment: &AwsEnvironment) -> $sdk::Client {
            use $sdk::config::{BehaviorVersion, Builder, Region, retry::RetryConfig, timeout::TimeoutConfig};
            let timeouts =
                TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout($patience.attempt_timeout);
            let mut builder = Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(environment.region.clone()))
                .credentials_provider(environment.credentials.clone())
                .retry_config(RetryConfig::standard().with_max_attempts($patience.attempts_max))
                .timeout_config(timeouts.build())
                .http_client(environment.http.clone());
            builder.set_endpoint_url(environment.endpoint($endpoint_variable));
            $sdk::Client::from_conf(builder.build())
        }
    };
}

client!(
    /// DynamoDB; `AWS_ENDPOINT_URL_DYNAMODB` points it elsewhere.
    "ledger", dynamodb, aws_sdk_dynamodb, "AWS_ENDPOINT_URL_DYNAMODB", REPEATABLE
);
client!(
    /// SES; `AWS_ENDPOINT_URL_SESV2` points it elsewhere.
    "email", ses, aws_sdk_sesv2, "AWS_ENDPOINT_URL_SESV2", ONCE
);
client!(
    /// Secrets Manager; `AWS_ENDPOINT_URL_SECRETS_MANAGER` points it elsewhere.
    "secrets", secrets_manager, aws_sdk_secretsmanager, "AWS_ENDPOINT_URL_SECRETS_MANAGER", REPEATABLE
);
client!(
    /// EventBridge Scheduler; `AWS_ENDPOINT_URL_SCHEDULER` points it elsewhere.
    "timers", scheduler, aws_sdk_scheduler, "AWS_ENDPOINT_URL_SCHEDULER", REPEATABLE
);
