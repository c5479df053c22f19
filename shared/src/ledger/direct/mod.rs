//! A client that sends three of DynamoDB's requests for a third of the SDK's cost.
//!
//! What goes over the wire, and what an answer means, is the SDK's own code ([`operation`]). Ours are the signature
//! ([`signing`]), the connection ([`connection`]) and the bounded retries below. docs/decisions.md says why.

mod connection;
mod endpoint;
mod operation;
mod signing;
#[cfg(test)]
mod tests;
mod timer;

pub use connection::Trust;
pub use endpoint::{Endpoint, InvalidEndpoint};

use super::dynamodb::DynamoDb;
use super::errors::is_temporary;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::get_item::builders::GetItemInputBuilder;
use aws_sdk_dynamodb::operation::get_item::{GetItem, GetItemError, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::builders::PutItemInputBuilder;
use aws_sdk_dynamodb::operation::put_item::{PutItem, PutItemError, PutItemOutput};
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsInputBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::{
    TransactWriteItems, TransactWriteItemsError, TransactWriteItemsOutput,
};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use connection::Connection;
use jiff::Timestamp;
use operation::{Operation, Unsigned};
use signing::Signer;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use timer::KeptTimer;

/// The longest that the first retry of a failure waits, and that of a throttled request.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
const FAILED_DELAY_MAX: Duration = Duration::from_millis(50);
const THROTTLED_DELAY_MAX: Duration = Duration::from_secs(1);

/// How often one request is sent, and how long that may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connect_timeout: Duration,
    /// For one try, including the time to connect.
    pub try_timeout: Duration,
    pub tries_max: u32,
}

/// What the client needs to know about its surroundings.
pub struct Settings {
    pub region: String,
    pub credentials: Credentials,
    pub endpoint: Endpoint,
    pub limits: Limits,
    /// The time of the signatures, which AWS compares with its own.
    pub now: fn() -> Timestamp,
}

/// A client of DynamoDB that knows three requests. Clones share its connection.
#[derive(Clone)]
pub struct DirectClient(Arc<Parts>);

struct Parts {
    get_item: Operation,
    put_item: Operation,
    transact_write_items: Operation,
    settings: Settings,
    signer: Signer,
    connection: Connection,
    timer: KeptTimer,
}

impl DirectClient {
    /// A client that connects on its first request, and trusts these authorities.
    pub fn new(settings: Settings, trust: Trust) -> Self {
        let connection = Connection::kept(&settings.endpoint, trust, settings.limits.connect_timeout);
        Self::with_connection(settings, connection)
    }

    /// A client whose requests this connector answers, such as the local cloud's.
    pub fn through(settings: Settings, connector: SharedHttpConnector) -> Self {
        let connection = Connection::given(&settings.endpoint, connector);
        Self::with_connection(settings, connection)
    }

    fn with_connection(settings: Settings, connection: Connection) -> Self {
        Self(Arc::new(Parts {
            get_item: Operation::of(&GetItem::new()),
            put_item: Operation::of(&PutItem::new()),
            transact_write_items: Operation::of(&TransactWriteItems::new()),
            signer: Signer::new(&settings.region, settings.endpoint.authority()),
            settings,
            connection,
            timer: KeptTimer::default(),
        }))
    }

    /// Sends the request until there is an answer, within the limits.
    async fn answer<O, E>(&self, operation: &Operation, input: Input) -> Result<O, SdkError<E>>
    where
        O: fmt::Debug + Send + Sync + 'static,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let Parts { settings, timer, .. } = &*self.0;
        let limits = &settings.limits;
        let request = operation.request(input).map_err(SdkError::construction_failure)?;
        let mut tries = 1;
        loop {
            let answered = match timer.within(limits.try_timeout, self.once(operation, &request)).await {
                Ok(answered) => answered,
                Err(late) => Err(SdkError::timeout_error(late)),
            };
            match answered {
                Err(error) if is_temporary(&error) && tries < limits.tries_max => {
                    tracing::debug!(dynamodb.tries = tries, "retrying a request");
                    tokio::time::sleep(delay(&error, tries)).await;
                    tries += 1;
                }
                answered => return answered,
            }
        }
    }

    async fn once<O, E>(&self, operation: &Operation, request: &Unsigned) -> Result<O, SdkError<E>>
    where
        O: fmt::Debug + Send + Sync + 'static,
        E: Error + Send + Sync + 'static,
    {
        let Parts { settings, signer, connection, .. } = &*self.0;
        let signed = signer.sign(&settings.credentials, request, (settings.now)());
        let headers = signed.map_err(SdkError::construction_failure)?;
        let response = connection.send(headers, &request.body).await.map_err(SdkError::dispatch_failure)?;
        operation.outcome(response)
    }
}

impl DynamoDb for DirectClient {
    async fn get_item(&self, input: GetItemInputBuilder) -> Result<GetItemOutput, SdkError<GetItemError>> {
        let input = input.build().map_err(SdkError::construction_failure)?;
        self.answer(&self.0.get_item, Input::erase(input)).await
    }

    async fn put_item(&self, input: PutItemInputBuilder) -> Result<PutItemOutput, SdkError<PutItemError>> {
        let input = input.build().map_err(SdkError::construction_failure)?;
        self.answer(&self.0.put_item, Input::erase(input)).await
    }

    async fn transact_write_items(
        &self,
        input: TransactWriteItemsInputBuilder,
    ) -> Result<TransactWriteItemsOutput, SdkError<TransactWriteItemsError>> {
        let input = input.build().map_err(SdkError::construction_failure)?;
        self.answer(&self.0.transact_write_items, Input::erase(input)).await
    }
}

/// Shows no credentials, and no more than says which client it is.
impl fmt::Debug for DirectClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { region, endpoint, limits, .. } = &self.0.settings;
        let mut shown = formatter.debug_struct("DirectClient");
        shown.field("region", region).field("endpoint", endpoint).field("limits", limits).finish_non_exhaustive()
    }
}

/// Random up to a maximum that doubles with each try, so that clients that failed together do not return together.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
fn delay<E>(error: &SdkError<E>, tries: u32) -> Duration {
    let is_throttled = matches!(error, SdkError::ServiceError(refusal) if refusal.raw().status().as_u16() < 500);
    let first = if is_throttled { THROTTLED_DELAY_MAX } else { FAILED_DELAY_MAX };
    first.saturating_mul(1 << tries.saturating_sub(1).min(8)).mul_f64(fastrand::f64())
}
