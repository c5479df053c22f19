//! All services on one port, with the SDKs' own HTTP client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use jiff::Timestamp;
use local_aws::access::Access;
use local_aws::dynamodb::{Fault, LocalDynamoDb};
use local_aws::scheduler::LocalScheduler;
use local_aws::secrets::LocalSecrets;
use local_aws::server::{LocalAws, bind};
use local_aws::ses::SesFault;
use local_aws::wire::Loss;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::event_bus::event_bus;
use crate::ses::{email, ses};
use crate::support::{TABLE, balance, put, table_properties, take_one};

struct Running {
    aws: LocalAws,
    address: SocketAddr,
}

impl Running {
    async fn start() -> Self {
        let secrets = BTreeMap::from([("stripe".to_owned(), "sk_test_local".to_owned())]);
        let aws = LocalAws {
            dynamodb: LocalDynamoDb::in_memory(),
            ses: ses(),
            secrets: LocalSecrets::new(secrets),
            scheduler: LocalScheduler::new(["timers"], Arc::new(|| Timestamp::UNIX_EPOCH)),
            events: event_bus(),
            access: Access::default(),
        };
        aws.dynamodb.create_table(TABLE, &table_properties()).await.unwrap();
        let listener = bind(0).await.unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback());
        let served = aws.clone();
        tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
        Self { aws, address }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-central-1"))
            .credentials_provider(credentials())
            .retry_config(RetryConfig::disabled())
            .endpoint_url(self.endpoint())
            .http_client(https_client());
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    fn ses(&self) -> aws_sdk_sesv2::Client {
        let config = aws_sdk_sesv2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-central-1"))
            .credentials_provider(credentials())
            .retry_config(RetryConfig::disabled())
            .endpoint_url(self.endpoint())
            .http_client(https_client());
        aws_sdk_sesv2::Client::from_conf(config.build())
    }

    fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-central-1"))
            .credentials_provider(credentials())
            .endpoint_url(self.endpoint())
            .http_client(https_client());
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    /// The whole HTTP answer to a GET.
    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "test"))
}

fn https_client() -> SharedHttpClient {
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    aws_smithy_http_client::Builder::new().tls_provider(provider).build_https()
}

#[tokio::test]
async fn dynamodb_answers_over_http_with_its_errors() {
    let running = Running::start().await;
    let client = running.dynamodb();
    put(&client, "STATE", 1).await;
    let take = || client.transact_write_items().transact_items(take_one("STATE")).send();
    take().await.unwrap();
    let error = take().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("TransactionCanceledException"));
    assert_eq!(balance(&client, "STATE").await, 0);
    assert_eq!(client.list_tables().send().await.unwrap().table_names(), [TABLE]);
}

#[tokio::test]
async fn an_answer_lost_over_http_is_an_error_though_the_write_is_there() {
    let running = Running::start().await;
    let client = running.dynamodb();
    put(&client, "STATE", 5).await;
    running.aws.dynamodb.faults().next("TransactWriteItems", 1, Fault::LoseAnswer(Loss::ConnectionReset));
    let error = client.transact_write_items().transact_items(take_one("STATE")).send().await.unwrap_err();
    assert!(!matches!(error, SdkError::ServiceError(_)), "{error:?}");
    assert_eq!(balance(&client, "STATE").await, 4);
}

#[tokio::test]
async fn an_answer_that_does_not_come_over_http_is_waited_for_though_the_write_is_there() {
    let running = Running::start().await;
    let client = running.dynamodb();
    put(&client, "STATE", 5).await;
    running.aws.dynamodb.faults().next("TransactWriteItems", 1, Fault::LoseAnswer(Loss::Timeout));
    let mut unanswered = pin!(client.transact_write_items().transact_items(take_one("STATE")).send());
    let written = async {
        while balance(&client, "STATE").await == 5 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = &mut unanswered => panic!("{answer:?}"),
        () = written => {}
    }
    // An answer would have arrived by now. On a slow machine this check finds fewer errors, but never a false one.
    assert!(tokio::time::timeout(Duration::from_millis(200), unanswered).await.is_err());
    assert_eq!(balance(&client, "STATE").await, 4);
}

#[tokio::test]
async fn a_secret_is_found_by_name_and_arn_and_an_unknown_one_is_not() {
    let running = Running::start().await;
    let client = running.secrets();
    for id in ["stripe".to_owned(), LocalSecrets::arn("stripe")] {
        let secret = client.get_secret_value().secret_id(id).send().await.unwrap();
        assert_eq!(secret.secret_string(), Some("sk_test_local"));
    }
    let error = client.get_secret_value().secret_id("strip").send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn mail_sent_over_http_can_be_read_in_the_browser() {
    let running = Running::start().await;
    assert!(running.get("/inbox").await.contains("No mail yet"));
    let id = email(&running.ses()).send().await.unwrap().message_id.unwrap();

    let inbox = running.get("/inbox").await;
    assert!(inbox.contains(&format!("/inbox/{id}")) && inbox.contains("customer@example.org"), "{inbox}");
    let message = running.get(&format!("/inbox/{id}")).await;
    assert!(message.contains("Pay here") && message.contains("sandbox="), "{message}");
    assert!(!message.contains("<receipt>") && !message.contains("<b>Pay"), "unescaped: {message}");
    let html = running.get(&format!("/inbox/{id}/html")).await;
    assert!(html.contains("<b>Pay</b>") && html.contains("content-security-policy: sandbox"), "{html}");
    assert!(running.get("/inbox.json").await.contains(r#""subject":"Your <receipt>""#));
    assert!(running.get("/inbox/none").await.starts_with("HTTP/1.1 404"));
    let start = running.get("/").await;
    assert!(start.contains(TABLE) && start.contains("(1 messages)"), "{start}");
}

#[tokio::test]
async fn ses_errors_keep_their_names_over_http() {
    let running = Running::start().await;
    running.aws.ses.fail_next(1, SesFault::Throttle);
    let client = running.ses();
    let error = email(&client).send().await.unwrap_err().into_service_error();
    assert!(error.is_too_many_requests_exception(), "{error:?}");
    let error = email(&client).from_email_address("x@example.org").send().await.unwrap_err().into_service_error();
    assert!(error.is_message_rejected(), "{error:?}");
}

#[tokio::test]
async fn one_client_in_process_reaches_every_service() {
    let running = Running::start().await;
    let http_client = running.aws.sdk_config_http_client();
    let base = running.dynamodb().config().to_builder().http_client(http_client.clone());
    put(&aws_sdk_dynamodb::Client::from_conf(base.build()), "STATE", 1).await;
    let base = running.secrets().config().to_builder().http_client(http_client.clone());
    let secrets = aws_sdk_secretsmanager::Client::from_conf(base.build());
    secrets.get_secret_value().secret_id("stripe").send().await.unwrap();
    let base = running.ses().config().to_builder().http_client(http_client);
    email(&aws_sdk_sesv2::Client::from_conf(base.build())).send().await.unwrap();
    assert_eq!(running.aws.ses.messages().len(), 1);
}
