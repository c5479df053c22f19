//! What the direct client takes from the SDK without its client. Nothing else in the SDK promises these, so a release that
//! changes one of them fails here.

use super::super::endpoint::{Endpoint, InvalidEndpoint};
use super::super::operation::Operation;
use super::*;
use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::get_item::{GetItem, GetItemError, GetItemOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{
    TransactWriteItems, TransactWriteItemsError, TransactWriteItemsOutput,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use std::collections::BTreeMap;

fn headers(request: &super::super::operation::Unsigned) -> BTreeMap<&str, &str> {
    request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
}

#[test]
fn the_serializers_make_exactly_these_requests() {
    let get = Operation::of(&GetItem::new()).request(Input::erase(get().build().unwrap())).unwrap();
    let body = r#"{"TableName":"credits","Key":{"PK":{"S":"ACCOUNT#acme"}},"ConsistentRead":true}"#;
    assert_eq!(get.body, body);
    let length = body.len().to_string();
    let expected = [
        ("content-length", length.as_str()),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "DynamoDB_20120810.GetItem"),
    ];
    assert_eq!(headers(&get), expected.into());

    let input = Input::erase(transaction().build().unwrap());
    let transaction = Operation::of(&TransactWriteItems::new()).request(input).unwrap();
    let body = concat!(
        r##"{"TransactItems":[{"Put":{"Item":{"PK":{"S":"ACCOUNT#acme"}},"TableName":"credits","##,
        r##""ConditionExpression":"#version = :expected","ExpressionAttributeNames":{"#version":"version"},"##,
        r##""ExpressionAttributeValues":{":expected":{"N":"7"}},"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}}],"##,
        r##""ClientRequestToken":"a-token"}"##
    );
    assert_eq!(transaction.body, body);
    let length = body.len().to_string();
    let expected = [
        ("content-length", length.as_str()),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "DynamoDB_20120810.TransactWriteItems"),
    ];
    assert_eq!(headers(&transaction), expected.into());
}

#[test]
fn the_deserializers_return_the_typed_output() {
    let read = r#"{"Item":{"PK":{"S":"ACCOUNT#acme"},"balance":{"N":"450"}}}"#;
    let output: GetItemOutput = Operation::of(&GetItem::new()).outcome::<_, GetItemError>(response(200, read)).unwrap();
    assert_eq!(output.item.unwrap()["balance"], AttributeValue::N("450".to_owned()));
    let nothing: GetItemOutput =
        Operation::of(&GetItem::new()).outcome::<_, GetItemError>(response(200, "{}")).unwrap();
    assert_eq!(nothing.item, None);
    let written = Operation::of(&TransactWriteItems::new()).outcome(response(200, "{}"));
    let _: TransactWriteItemsOutput = written.map_err(|error: SdkError<TransactWriteItemsError>| error).unwrap();
}

#[test]
fn a_cancelled_transaction_returns_its_typed_reasons_with_their_items() {
    let body = concat!(
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"cancelled","#,
        r#""CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Message":"failed","#,
        r#""Item":{"balance":{"N":"450"}}}]}"#
    );
    let refused = Operation::of(&TransactWriteItems::new())
        .outcome::<TransactWriteItemsOutput, TransactWriteItemsError>(response(400, body))
        .unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 400);
    let reasons = crate::ledger::errors::cancellation_reasons(&refused);
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    assert_eq!(reasons[1].item().unwrap()["balance"], AttributeValue::N("450".to_owned()));
}

#[test]
fn other_errors_are_typed_too_and_what_cannot_be_read_has_no_code() {
    let read = |status, body: &str| {
        Operation::of(&GetItem::new()).outcome::<GetItemOutput, GetItemError>(response(status, body)).unwrap_err()
    };
    for (code, status) in [("ProvisionedThroughputExceededException", 400), ("InternalServerError", 500), ("New", 400)]
    {
        let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"no"}}"#);
        let error = read(status, &body);
        assert_eq!(error.as_service_error().and_then(ProvideErrorMetadata::code), Some(code));
    }
    for status in [200, 503] {
        let error = read(status, "<html>");
        assert!(matches!(error, SdkError::ServiceError(_)), "{status}: {error:?}");
        assert_eq!(error.as_service_error().and_then(ProvideErrorMetadata::code), None);
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status);
    }
    let other = Operation::of(&GetItem::new()).outcome::<TransactWriteItemsOutput, GetItemError>(response(200, "{}"));
    assert!(matches!(other.unwrap_err(), SdkError::ResponseError(_)), "an output of another operation");
}

/// Of each of AWS's partitions. The SDK asks its table of partitions, which takes a tenth of a start.
#[tokio::test]
async fn a_regions_endpoint_is_that_of_the_sdk() {
    for region in [
        "us-east-1",
        "eu-central-1",
        "ap-southeast-7",
        "us-gov-west-1",
        "cn-north-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
        "eusc-de-east-1",
        "mx-central-1",
    ] {
        let params = Params::builder().region(region).build().unwrap();
        let of_sdk = DefaultResolver::new().resolve_endpoint(&params).await.unwrap();
        let ours = Endpoint::of_region(region).unwrap();
        assert_eq!(ours.uri().to_string().trim_end_matches('/'), of_sdk.url(), "{region}");
    }
    assert_eq!(Endpoint::of_region("no region"), Err(InvalidEndpoint));
}

#[test]
fn an_endpoint_is_the_url_of_a_server() {
    for (url, authority, host, port) in [
        ("https://dynamodb.test", "dynamodb.test", "dynamodb.test", 443),
        ("https://dynamodb.test:443/", "dynamodb.test", "dynamodb.test", 443),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "127.0.0.1", 8000),
        ("http://dynamodb.test", "dynamodb.test", "dynamodb.test", 80),
        ("http://[::1]:8000/", "[::1]:8000", "::1", 8000),
    ] {
        let endpoint = Endpoint::parse(url).unwrap();
        assert_eq!((endpoint.authority(), endpoint.host(), endpoint.port()), (authority, host, port), "{url}");
    }
    for url in ["", "localhost:8000", "ftp://host", "https://host/path", "https://host/?query", "https://a:b@host", "/"]
    {
        assert_eq!(Endpoint::parse(url), Err(InvalidEndpoint), "{url}");
    }
}
