//! What all AWS clients of a function share: one HTTP stack, and the credentials and region Lambda provides.
//!
//! No `aws-config`: a function needs neither profiles nor instance metadata, and looking for them costs every cold start.

#[cfg(all(test, any(feature = "email", feature = "timers")))]
pub mod wire;

use crate::config::{ConfigError, Environment};
use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
#[cfg(any(feature = "email", feature = "timers"))]
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use std::time::Duration;

/// How long one connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The authorities that sign the certificates of AWS's services.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ats-certs.html>
const AMAZON_AUTHORITIES: &[u8] = include_bytes!("amazon-authorities.pem");

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
        let http = http_client(TrustStore::default());
        Ok(Self { region: environment.required("AWS_REGION")?, credentials, http, environment: environment.clone() })
    }

    /// The same, believing Amazon's own authorities alone, for a client whose cold start counts: reading the 150 of
    /// the system takes a third of it. Where the environment names other authorities, those are believed.
    ///
    /// Amazon may change its authorities after this was built, so whoever uses it must be able to do without it.
    #[must_use]
    pub fn believing_amazon(&self) -> Self {
        let is_told = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| self.environment.optional(name).is_some());
        let amazon = || http_client(TrustStore::empty().with_pem_certificate(AMAZON_AUTHORITIES));
        Self { http: if is_told { self.http.clone() } else { amazon() }, ..self.clone() }
    }

    /// The same through another HTTP client, behind which the local cloud stands.
    #[must_use]
    pub fn with_http_client(self, http: SharedHttpClient) -> Self {
        Self { http, ..self }
    }

    /// The endpoint that the environment names for a service, or for all.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
    fn endpoint(&self, service_variable: &str) -> Option<String> {
        self.environment.optional(service_variable).or_else(|| self.environment.optional("AWS_ENDPOINT_URL"))
    }
}

/// ring, not aws-lc-rs: AWS-LC gathers entropy for 25 ms of CPU at its first use.
fn http_client(authorities: TrustStore) -> SharedHttpClient {
    let context = TlsContext::builder().with_trust_store(authorities).build().expect("nothing is checked here");
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https()
}

/// Whether a call that failed may succeed, or may have succeeded, without anybody's doing anything about it.
///
/// `judged` is what the API's model says of the service's refusals, `None` for one that it does not name: a missing
/// permission is 4xx, and whatever is not is no verdict, not even an answer of success that cannot be read.
#[cfg(any(feature = "email", feature = "timers"))]
pub fn is_temporary<E>(error: &SdkError<E, HttpResponse>, judged: impl FnOnce(&E) -> Option<bool>) -> bool {
    let is_temporary_status = |status: u16| matches!(status, 408 | 429) || !(400..500).contains(&status);
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(answer) => {
            judged(answer.err()).unwrap_or_else(|| is_temporary_status(answer.raw().status().as_u16()))
        }
        // A kind of failure that the SDK may gain: nothing is known.
        _ => true,
    }
}

// Two things that the SDK does at each request are left out: watching how fast an answer comes, since the answers are
// short and their time is bounded, and keeping credentials that expire, since those of a function's process do not.
macro_rules! client {
    ($(#[$doc:meta])* $feature:literal, $function:ident, $sdk:ident, $endpoint_variable:literal, $patience:ident) => {
        $(#[$doc])*
        #[cfg(feature = $feature)]
        pub fn $function(environment: &AwsEnvironment) -> $sdk::Client {
            use $sdk::config::{BehaviorVersion, Builder, IdentityCache, Region, StalledStreamProtectionConfig};
            use $sdk::config::{retry::RetryConfig, timeout::TimeoutConfig};
            let timeouts =
                TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout($patience.attempt_timeout);
            let mut builder = Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(environment.region.clone()))
                .credentials_provider(environment.credentials.clone())
                .retry_config(RetryConfig::standard().with_max_attempts($patience.attempts_max))
                .timeout_config(timeouts.build())
                .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                .identity_cache(IdentityCache::no_cache())
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

#[cfg(all(test, feature = "ledger"))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Certificates that cannot be read would end the function, at the making of its client.
    #[test]
    fn amazons_authorities_can_be_read() {
        let variables = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"];
        let environment: BTreeMap<_, _> = variables.map(|name| (name.to_owned(), "test".to_owned())).into();
        let aws = AwsEnvironment::of(&Environment::of(environment)).unwrap().believing_amazon();
        assert!(dynamodb(&aws).config().http_client().is_some());
    }
}
