//! Calls with the credentials of a role, in process and over HTTP: what is allowed, and AWS's error for what is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem};
use jiff::Timestamp;
use local_aws::access::{Access, Call, Effect, Statement};
use local_aws::scheduler::LocalScheduler;
use local_aws::secrets::LocalSecrets;
use local_aws::server::{LocalAws, bind};

use crate::event_bus::event_bus;
use crate::ses::{email, ses};
use crate::support::{TABLE, balance, database, new_entry, put, take_one, text};

const TABLE_ARN: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/credits";

async fn aws(allowed: &[(&str, &str)]) -> LocalAws {
    let statement = |(action, resource): &(&str, &str)| Statement {
        effect: Effect::Allow,
        actions: vec![(*action).to_owned()],
        resources: vec![(*resource).to_owned()],
        conditions: vec![],
    };
    let roles = BTreeMap::from([("Role".to_owned(), allowed.iter().map(statement).collect())]);
    LocalAws {
        dynamodb: database().await,
        ses: ses(),
        secrets: LocalSecrets::new(BTreeMap::from([("stripe".to_owned(), "secret".to_owned())])),
        scheduler: LocalScheduler::new(["timers"], Arc::new(|| Timestamp::UNIX_EPOCH)),
        events: event_bus(),
        access: Access::new(roles),
    }
}

fn dynamodb(aws: &LocalAws, key: &str) -> aws_sdk_dynamodb::Client {
    let config = aws.dynamodb.client_config().retry_config(RetryConfig::disabled());
    let config = config.http_client(aws.sdk_config_http_client()).credentials_provider(credentials(key));
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

fn credentials(key: &str) -> Credentials {
    Credentials::new(key, "secret", None, None, "test")
}

#[tokio::test]
async fn a_call_that_the_role_does_not_allow_is_refused_and_not_carried_out() {
    let aws = aws(&[("dynamodb:PutItem", TABLE_ARN)]).await;
    let client = dynamodb(&aws, "Role");
    put(&client, "STATE", 5).await;
    let error = client.delete_item().table_name(TABLE).key("PK", text("A")).key("SK", text("STATE")).send().await;
    let error = error.unwrap_err();
    let SdkError::ServiceError(answer) = &error else { panic!("{error:?}") };
    assert_eq!(answer.raw().status().as_u16(), 400);
    assert_eq!(error.code(), Some("AccessDeniedException"));
    assert_eq!(
        error.message(),
        Some(
            "User: arn:aws:sts::000000000000:assumed-role/Role/Role is not authorized to perform: dynamodb:DeleteItem on \
             resource: arn:aws:dynamodb:us-east-1:000000000000:table/credits because no identity-based policy allows \
             the dynamodb:DeleteItem action"
        )
    );
    assert_eq!(balance(&aws.dynamodb.client(), "STATE").await, 5);
    assert_eq!(
        aws.access.refused(),
        BTreeSet::from([("Role".to_owned(), Call::new("dynamodb:DeleteItem", TABLE_ARN))])
    );
    assert_eq!(aws.access.used(), BTreeSet::from([("Role".to_owned(), Call::new("dynamodb:PutItem", TABLE_ARN))]));
}

#[tokio::test]
async fn a_transaction_needs_what_its_parts_need() {
    let check = ConditionCheck::builder().table_name(TABLE).key("PK", text("A")).key("SK", text("STATE"));
    let check = check.condition_expression("attribute_exists(PK)").build().unwrap();
    let check = TransactWriteItem::builder().condition_check(check).build();
    let (put_item, update, condition) = (
        ("dynamodb:PutItem", TABLE_ARN),
        ("dynamodb:UpdateItem", TABLE_ARN),
        ("dynamodb:ConditionCheckItem", TABLE_ARN),
    );
    for (allowed, parts, refused) in [
        (vec![put_item, update], vec![new_entry("ENTRY"), take_one("STATE")], None),
        (vec![put_item], vec![new_entry("ENTRY"), take_one("STATE")], Some("dynamodb:UpdateItem")),
        (vec![put_item, condition], vec![new_entry("ENTRY"), check.clone()], None),
        (vec![put_item], vec![new_entry("ENTRY"), check], Some("dynamodb:ConditionCheckItem")),
        (vec![("dynamodb:TransactWriteItems", TABLE_ARN)], vec![new_entry("ENTRY")], Some("dynamodb:PutItem")),
    ] {
        let aws = aws(&allowed).await;
        put(&aws.dynamodb.client(), "STATE", 5).await;
        let sent = dynamodb(&aws, "Role").transact_write_items().set_transact_items(Some(parts)).send().await;
        let actions: Vec<String> = aws.access.refused().into_iter().map(|(_, call)| call.action).collect();
        assert_eq!(actions, refused.into_iter().collect::<Vec<_>>());
        assert_eq!(sent.is_err(), refused.is_some(), "{sent:?}");
    }
}

#[tokio::test]
async fn an_index_a_secret_and_an_identity_are_resources_of_their_own() {
    let secret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:stripe";
    let identity = "arn:aws:ses:us-east-1:000000000000:identity/verified.example";
    let aws = aws(&[
        ("dynamodb:Query", "arn:aws:dynamodb:us-east-1:000000000000:table/credits/index/history"),
        ("secretsmanager:GetSecretValue", secret),
        ("ses:SendEmail", identity),
    ])
    .await;
    let client = dynamodb(&aws, "Role");
    let query = |index: Option<&str>, key: &str| {
        let query = client.query().table_name(TABLE).set_index_name(index.map(str::to_owned));
        query.key_condition_expression(format!("{key} = :key")).expression_attribute_values(":key", text("A")).send()
    };
    query(Some("history"), "account").await.unwrap();
    assert_eq!(query(None, "PK").await.unwrap_err().code(), Some("AccessDeniedException"));

    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials("Role"))
        .http_client(aws.sdk_config_http_client());
    let secrets = aws_sdk_secretsmanager::Client::from_conf(config.build());
    for id in ["stripe", secret] {
        secrets.get_secret_value().secret_id(id).send().await.unwrap();
    }
    let error = secrets.get_secret_value().secret_id("links").send().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));

    let config = aws_sdk_sesv2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials("Role"))
        .http_client(aws.sdk_config_http_client());
    let mails = aws_sdk_sesv2::Client::from_conf(config.build());
    email(&mails).from_email_address("Ada <ada@verified.example>").send().await.unwrap();
    let error = email(&mails).send().await.unwrap_err();
    let SdkError::ServiceError(answer) = &error else { panic!("{error:?}") };
    assert_eq!((answer.raw().status().as_u16(), error.code()), (403, Some("AccessDeniedException")));
    assert_eq!(aws.ses.messages().len(), 1);
}

#[tokio::test]
async fn over_http_a_request_counts_as_its_signers_and_any_other_as_the_operators() {
    let aws = aws(&[]).await;
    let listener = bind(0).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let served = aws.clone();
    tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
    let client = |key: &str| {
        let http_client = aws_smithy_http_client::Builder::new().build_http();
        let config = aws.dynamodb.client_config().credentials_provider(credentials(key)).http_client(http_client);
        aws_sdk_dynamodb::Client::from_conf(config.endpoint_url(&endpoint).build())
    };
    assert_eq!(client("Role").list_tables().send().await.unwrap_err().code(), Some("AccessDeniedException"));
    assert_eq!(client("operator").list_tables().send().await.unwrap().table_names(), [TABLE]);
    assert_eq!(aws.access.refused(), BTreeSet::from([("Role".to_owned(), Call::new("dynamodb:ListTables", "*"))]));
}
