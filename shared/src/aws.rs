//! What all AWS clients of a function share: one HTTP client, and the credentials and region that Lambda provides.
//!
//! There is no `aws-config`: a function needs neither profiles nor instance metadata, and looking for them would slow
//! down every cold start.

#[cfg(all(test, any(feature = "email", feature = "timers")))]
pub mod wire;

use crate::config::{ConfigError, Environment};
use aws_credential_types::Credentials;
#[cfg(feature = "sdk-client")]
use aws_smithy_http_client::Builder;
#[cfg(feature = "sdk-client")]
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
#[cfg(feature = "sdk-client")]
use aws_smithy_runtime_api::client::http::{SharedHttpClient, http_client_fn};
#[cfg(any(feature = "email", feature = "timers"))]
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
#[cfg(feature = "sdk-client")]
use std::sync::{Arc, OnceLock};
#[cfg(any(feature = "sdk-client", feature = "ledger-direct"))]
use std::time::Duration;

/// The longest that opening a connection may take.
#[cfg(any(feature = "sdk-client", feature = "ledger-direct"))]
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The root certificates of Amazon Trust Services, which sign the certificates of all AWS services.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ats-certs.html>
/// <https://www.amazontrust.com/repository/>
#[cfg(feature = "ledger-direct")]
const AMAZON_ROOT_CERTIFICATES: [&[u8]; 5] = [
    include_bytes!("amazon-root-certificates/amazon-root-ca-1.der"),
    include_bytes!("amazon-root-certificates/amazon-root-ca-2.der"),
    include_bytes!("amazon-root-certificates/amazon-root-ca-3.der"),
    include_bytes!("amazon-root-certificates/amazon-root-ca-4.der"),
    include_bytes!("amazon-root-certificates/starfield-services-root-ca-g2.der"),
];

/// How often one call is tried, and how long each try may take.
#[cfg(any(feature = "sdk-client", feature = "ledger-direct"))]
struct RetryPolicy {
    try_timeout: Duration,
    tries_max: u32,
}

/// Well under the 30 seconds that API Gateway waits. Every try carries the same token, so a transaction takes effect once.
#[cfg(any(feature = "sdk-client", feature = "ledger-direct"))]
const REPEATABLE: RetryPolicy = RetryPolicy { try_timeout: Duration::from_secs(3), tries_max: 3 };
/// SES takes no token, so a retry after a lost response could send a second e-mail. The stream retries if needed.
#[cfg(feature = "email")]
const ONCE: RetryPolicy = RetryPolicy { try_timeout: Duration::from_secs(10), tries_max: 1 };

/// The parts of a Lambda function's environment that AWS clients need.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
#[derive(Clone)]
pub struct AwsEnvironment {
    region: String,
    credentials: Credentials,
    environment: Environment,
    /// What answers all requests instead of AWS.
    connector: Option<SharedHttpConnector>,
    /// The HTTP client of all of the SDK's clients, made for the first of them.
    #[cfg(feature = "sdk-client")]
    http: Arc<OnceLock<SharedHttpClient>>,
}

impl AwsEnvironment {
    /// # Errors
    /// [`ConfigError::Missing`] outside Lambda, unless the variables are set manually.
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        let credentials = Credentials::new(
            environment.required("AWS_ACCESS_KEY_ID")?,
            environment.required("AWS_SECRET_ACCESS_KEY")?,
            environment.optional("AWS_SESSION_TOKEN"),
            None,
            "Lambda",
        );
        Ok(Self {
            region: environment.required("AWS_REGION")?,
            credentials,
            environment: environment.clone(),
            connector: None,
            #[cfg(feature = "sdk-client")]
            http: Arc::default(),
        })
    }

    /// The same environment, in which this connector answers all requests, such as the local cloud's.
    #[must_use]
    pub fn with_connector(self, connector: SharedHttpConnector) -> Self {
        Self {
            connector: Some(connector),
            #[cfg(feature = "sdk-client")]
            http: Arc::default(),
            ..self
        }
    }

    #[cfg(feature = "sdk-client")]
    fn http_client(&self) -> SharedHttpClient {
        let make = || match self.connector.clone() {
            Some(connector) => http_client_fn(move |_, _| connector.clone()),
            None => http_client(),
        };
        self.http.get_or_init(make).clone()
    }

    /// The endpoint that the environment sets for this service, or for all services.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
    fn endpoint(&self, service_variable: &str) -> Option<String> {
        self.environment.optional(service_variable).or_else(|| self.environment.optional("AWS_ENDPOINT_URL"))
    }
}

/// ring, not aws-lc-rs: AWS-LC gathers entropy for 25 ms of CPU at its first use.
#[cfg(feature = "sdk-client")]
fn http_client() -> SharedHttpClient {
    let context =
        TlsContext::builder().with_trust_store(TrustStore::default()).build().expect("nothing is validated here");
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https()
}

/// Whether a failed call may succeed later without a fix, or may already have succeeded.
///
/// `classify` classifies the errors of the API's own model and returns `None` for others. For those the status decides:
/// 4xx, such as a missing permission, is permanent, and anything else is temporary, even an unreadable success.
#[cfg(any(feature = "email", feature = "timers"))]
pub fn is_temporary<E>(error: &SdkError<E, HttpResponse>, classify: impl FnOnce(&E) -> Option<bool>) -> bool {
    let is_temporary_status = |status: u16| matches!(status, 408 | 429) || !(400..500).contains(&status);
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(answer) => {
            classify(answer.err()).unwrap_or_else(|| is_temporary_status(answer.raw().status().as_u16()))
        }
        // The SDK may add kinds of failure; nothing is known about them.
        _ => true,
    }
}

// Two features of the SDK are switched off: stalled-stream protection, because the responses are short and have a timeout,
// and the identity cache, because the credentials of a function's process do not expire.
#[cfg(feature = "sdk-client")]
macro_rules! client {
    ($(#[$doc:meta])* $feature:literal, $function:ident, $sdk:ident, $endpoint_variable:literal, $policy:ident) => {
        $(#[$doc])*
        #[cfg(feature = $feature)]
        pub fn $function(environment: &AwsEnvironment) -> $sdk::Client {
            use $sdk::config::{BehaviorVersion, Builder, IdentityCache, Region, StalledStreamProtectionConfig};
            use $sdk::config::{retry::RetryConfig, timeout::TimeoutConfig};
            let timeouts =
                TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout($policy.try_timeout);
            let mut builder = Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(environment.region.clone()))
                .credentials_provider(environment.credentials.clone())
                .retry_config(RetryConfig::standard().with_max_attempts($policy.tries_max))
                .timeout_config(timeouts.build())
                .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                .identity_cache(IdentityCache::no_cache())
                .http_client(environment.http_client());
            builder.set_endpoint_url(environment.endpoint($endpoint_variable));
            $sdk::Client::from_conf(builder.build())
        }
    };
}

#[cfg(feature = "sdk-client")]
client!(
    /// DynamoDB; `AWS_ENDPOINT_URL_DYNAMODB` points it elsewhere.
    "ledger", dynamodb, aws_sdk_dynamodb, "AWS_ENDPOINT_URL_DYNAMODB", REPEATABLE
);
#[cfg(feature = "sdk-client")]
client!(
    /// SES; `AWS_ENDPOINT_URL_SESV2` points it elsewhere.
    "email", ses, aws_sdk_sesv2, "AWS_ENDPOINT_URL_SESV2", ONCE
);
#[cfg(feature = "sdk-client")]
client!(
    /// Secrets Manager; `AWS_ENDPOINT_URL_SECRETS_MANAGER` points it elsewhere.
    "secrets", secrets_manager, aws_sdk_secretsmanager, "AWS_ENDPOINT_URL_SECRETS_MANAGER", REPEATABLE
);
#[cfg(feature = "sdk-client")]
client!(
    /// EventBridge; `AWS_ENDPOINT_URL_EVENTBRIDGE` points it elsewhere. An event that is published twice has the same id.
    "events", event_bridge, aws_sdk_eventbridge, "AWS_ENDPOINT_URL_EVENTBRIDGE", REPEATABLE
);
#[cfg(feature = "sdk-client")]
client!(
    /// EventBridge Scheduler; `AWS_ENDPOINT_URL_SCHEDULER` points it elsewhere.
    "timers", scheduler, aws_sdk_scheduler, "AWS_ENDPOINT_URL_SCHEDULER", REPEATABLE
);

/// DynamoDB by the ledger's own client, within the same limits; the same variable points it elsewhere.
///
/// With `trusts_amazon_alone` it believes Amazon's root certificates and no others: loading the system's 150 takes a third
/// of a cold start. A trust store that the environment names wins. Amazon may change its root certificates after this was
/// built, so the caller needs a fallback.
///
/// # Errors
/// [`ConfigError::Invalid`] if the endpoint is not the URL of a server.
#[cfg(feature = "ledger-direct")]
pub fn direct_dynamodb(
    environment: &AwsEnvironment,
    trusts_amazon_alone: bool,
) -> Result<crate::ledger::direct::DirectClient, ConfigError> {
    use crate::clock::{Clock, SystemClock};
    use crate::ledger::direct::{DirectClient, Endpoint, Limits, Settings, Trust};
    const VARIABLE: &str = "AWS_ENDPOINT_URL_DYNAMODB";
    let (endpoint, name) = match environment.endpoint(VARIABLE) {
        Some(url) => (Endpoint::parse(&url), VARIABLE),
        None => (Endpoint::of_region(&environment.region), "AWS_REGION"),
    };
    let RetryPolicy { try_timeout, tries_max } = REPEATABLE;
    let settings = Settings {
        region: environment.region.clone(),
        credentials: environment.credentials.clone(),
        endpoint: endpoint.map_err(|_| ConfigError::Invalid { name, expected: "a region or the URL of a server" })?,
        limits: Limits { connect_timeout: CONNECT_TIMEOUT, try_timeout, tries_max },
        now: || SystemClock.now(),
    };
    if let Some(connector) = environment.connector.clone() {
        return Ok(DirectClient::through(settings, connector));
    }
    let is_overridden =
        ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| environment.environment.optional(name).is_some());
    let trusts_amazon_alone = trusts_amazon_alone && !is_overridden;
    let trust = if trusts_amazon_alone { Trust::Alone(&AMAZON_ROOT_CERTIFICATES) } else { Trust::System };
    Ok(DirectClient::new(settings, trust))
}

#[cfg(all(test, feature = "ledger-direct"))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn environment(more: &[(&str, &str)]) -> AwsEnvironment {
        let always = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name, "test"));
        let variables = always.iter().chain(&[("AWS_REGION", "eu-central-1")]).chain(more);
        let variables: BTreeMap<_, _> =
            variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        AwsEnvironment::of(&Environment::of(variables)).expect("all variables are set")
    }

    /// Certificates that cannot be parsed would panic when the client is built.
    #[test]
    fn amazons_root_certificates_can_be_parsed() {
        direct_dynamodb(&environment(&[]), true).unwrap();
    }

    /// The fingerprints that Amazon publishes beside the certificates.
    #[test]
    fn amazons_root_certificates_are_those_that_amazon_publishes() {
        let published = [
            "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
            "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
            "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
            "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
            "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
        ];
        let fingerprint = |certificate| hex::encode(ring::digest::digest(&ring::digest::SHA256, certificate));
        assert_eq!(AMAZON_ROOT_CERTIFICATES.map(fingerprint), published);
    }

    #[test]
    fn the_direct_client_takes_the_endpoint_of_the_service_then_of_all_then_of_the_region() {
        let all = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let own = ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2/");
        for (variables, expected) in [
            (&[][..], "https://dynamodb.eu-central-1.amazonaws.com/"),
            (&[all], "http://127.0.0.1:1/"),
            (&[all, own], "http://127.0.0.1:2/"),
        ] {
            let client = direct_dynamodb(&environment(variables), true).unwrap();
            assert!(format!("{client:?}").contains(expected), "{expected}: {client:?}");
        }
        let invalid = direct_dynamodb(&environment(&[("AWS_ENDPOINT_URL_DYNAMODB", "localhost")]), true).unwrap_err();
        assert!(invalid.to_string().contains("AWS_ENDPOINT_URL_DYNAMODB"), "{invalid}");
    }
}
