//! The requests that every ledger sends, whichever client sends them.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemInputBuilder;
use aws_sdk_dynamodb::operation::get_item::{GetItemError, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::builders::PutItemInputBuilder;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsInputBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput};
use std::fmt::Debug;
use std::future::Future;

/// A client of DynamoDB. It retries what may succeed in a moment, and every try carries the same token.
pub trait DynamoDb: Clone + Debug + Send + Sync + 'static {
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html>
    ///
    /// # Errors
    /// The SDK's error, whichever client sends the request.
    fn get_item(
        &self,
        input: GetItemInputBuilder,
    ) -> impl Future<Output = Result<GetItemOutput, SdkError<GetItemError>>> + Send;

    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html>
    ///
    /// # Errors
    /// The SDK's error, whichever client sends the request.
    fn put_item(
        &self,
        input: PutItemInputBuilder,
    ) -> impl Future<Output = Result<PutItemOutput, SdkError<PutItemError>>> + Send;

    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
    ///
    /// # Errors
    /// The SDK's error, whichever client sends the request.
    fn transact_write_items(
        &self,
        input: TransactWriteItemsInputBuilder,
    ) -> impl Future<Output = Result<TransactWriteItemsOutput, SdkError<TransactWriteItemsError>>> + Send;
}

impl DynamoDb for Client {
    async fn get_item(&self, input: GetItemInputBuilder) -> Result<GetItemOutput, SdkError<GetItemError>> {
        input.send_with(self).await
    }

    async fn put_item(&self, input: PutItemInputBuilder) -> Result<PutItemOutput, SdkError<PutItemError>> {
        input.send_with(self).await
    }

    async fn transact_write_items(
        &self,
        input: TransactWriteItemsInputBuilder,
    ) -> Result<TransactWriteItemsOutput, SdkError<TransactWriteItemsError>> {
        input.send_with(self).await
    }
}
