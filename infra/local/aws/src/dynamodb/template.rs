//! Creates a table from its description in `template.yaml`.
//!
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html>.
//! Intrinsic functions must already be resolved.

use serde_json::{Map, Value, json};

use super::LocalDynamoDb;

/// Properties that have the same meaning in `CreateTable`.
const TAKEN: [&str; 8] = [
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
    "TableClass",
];

/// Properties that have no visible effect here.
const WITHOUT_EFFECT: [&str; 9] = [
    "ContributorInsightsSpecification",
    "KinesisStreamSpecification",
    "OnDemandThroughput",
    "PointInTimeRecoverySpecification",
    "ResourcePolicy",
    "SSESpecification",
    "TableName",
    "Tags",
    "WarmThroughput",
];

/// Why a table of the template could not be created.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The properties include one that `AWS::DynamoDB::Table` does not have.
    #[error("AWS::DynamoDB::Table has no property {0}")]
    UnknownProperty(String),
    /// The stored table was created with other properties; keys and indexes cannot be changed in place.
    #[error("table {table} is stored with another {property}; delete the data directory to start over")]
    Differs {
        /// The table's name.
        table: String,
        /// The property that differs.
        property: &'static str,
    },
    /// DynamoDB refused the table.
    #[error("table {table} is refused: {message}")]
    Refused {
        /// The table's name.
        table: String,
        /// DynamoDB's own words.
        message: String,
    },
}

impl LocalDynamoDb {
    /// Creates the table from the `Properties` of an `AWS::DynamoDB::Table`, with its indexes, stream and TTL. A stored
    /// table with the same keys and indexes is kept unchanged.
    ///
    /// # Errors
    /// See [`TableError`].
    pub async fn create_table(&self, table: &str, properties: &Value) -> Result<(), TableError> {
        let request = create_table_request(table, properties)?;
        if let Some(stored) = self.describe(table).await {
            return same_shape(table, &stored, &request);
        }
        self.ask(table, "CreateTable", &request).await?;
        let time_to_live = &properties["TimeToLiveSpecification"];
        if is_true(&time_to_live["Enabled"]) {
            let specification = json!({ "AttributeName": time_to_live["AttributeName"], "Enabled": true });
            let request = json!({ "TableName": table, "TimeToLiveSpecification": specification });
            self.ask(table, "UpdateTimeToLive", &request).await?;
        }
        Ok(())
    }

    async fn describe(&self, table: &str) -> Option<Value> {
        self.ask(table, "DescribeTable", &json!({ "TableName": table })).await.ok()
    }

    async fn ask(&self, table: &str, operation: &str, request: &Value) -> Result<Value, TableError> {
        let target = format!("DynamoDB_20120810.{operation}");
        let (status, body) = self.dispatch(&target, request.to_string().as_bytes()).await;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        match status {
            200 => Ok(answer),
            _ => {
                let message = answer["message"].as_str().or(answer["Message"].as_str()).unwrap_or_default();
                Err(TableError::Refused { table: table.to_owned(), message: message.to_owned() })
            }
        }
    }
}

fn create_table_request(table: &str, properties: &Value) -> Result<Value, TableError> {
    let mut request = Map::new();
    request.insert("TableName".to_owned(), json!(table));
    for (name, value) in properties.as_object().into_iter().flatten() {
        match name.as_str() {
            name if TAKEN.contains(&name) => {
                request.insert(name.to_owned(), value.clone());
            }
            // CloudFormation has no StreamEnabled: a view type turns the stream on.
            "StreamSpecification" => {
                let stream = json!({ "StreamEnabled": true, "StreamViewType": value["StreamViewType"] });
                request.insert(name.clone(), stream);
            }
            "TimeToLiveSpecification" => {}
            name if WITHOUT_EFFECT.contains(&name) => {}
            unknown => return Err(TableError::UnknownProperty(unknown.to_owned())),
        }
    }
    Ok(Value::Object(request))
}

fn same_shape(table: &str, described: &Value, request: &Value) -> Result<(), TableError> {
    let stored = &described["Table"];
    let differs = |property| Err(TableError::Differs { table: table.to_owned(), property });
    if stored["KeySchema"] != request["KeySchema"] {
        return differs("KeySchema");
    }
    for property in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        if index_shapes(&stored[property]) != index_shapes(&request[property]) {
            return differs(property);
        }
    }
    if stored["StreamSpecification"]["StreamViewType"] != request["StreamSpecification"]["StreamViewType"] {
        return differs("StreamSpecification");
    }
    Ok(())
}

fn index_shapes(indexes: &Value) -> Vec<String> {
    let shape = |index: &Value| {
        json!([index["IndexName"], index["KeySchema"], index["Projection"]["ProjectionType"]]).to_string()
    };
    let mut shapes: Vec<String> = indexes.as_array().into_iter().flatten().map(shape).collect();
    shapes.sort();
    shapes
}

/// YAML parsers return `true` as a boolean or, if it is quoted, as text; CloudFormation accepts both.
fn is_true(value: &Value) -> bool {
    value == true || value == "true"
}
