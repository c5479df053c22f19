//! A request, parsed from its JSON once for faults, conflicts and recordings.

use serde_json::Value;

use super::dispatch::operation_name;

/// One request to the database.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Such as `"PutItem"`; empty if the request names no operation of DynamoDB.
    pub name: String,
    /// The request's JSON; `Null` if the body is not JSON.
    pub request: Value,
}

/// One item that a request writes, or reads in a transaction.
pub(super) struct ItemReference<'a> {
    pub(super) table: &'a str,
    /// The key, or an item that has the key among its attributes.
    pub(super) attributes: &'a Value,
}

impl Operation {
    pub(crate) fn parse(target: &str, body: &[u8]) -> Self {
        Self { name: operation_name(target).to_owned(), request: serde_json::from_slice(body).unwrap_or(Value::Null) }
    }

    /// The table of a request on one table; `None` for batches and transactions.
    pub fn table(&self) -> Option<&str> {
        self.request["TableName"].as_str()
    }

    /// The index that a query or scan reads.
    pub fn index(&self) -> Option<&str> {
        self.request["IndexName"].as_str()
    }

    /// Whether the request asks for a strongly consistent read. A transactional read always is one, without asking for
    /// it.
    pub fn is_consistent_read(&self) -> bool {
        self.request["ConsistentRead"].as_bool().unwrap_or(false)
            || self.request["RequestItems"]
                .as_object()
                .is_some_and(|tables| tables.values().any(|table| table["ConsistentRead"] == true))
    }

    /// Whether this is `TransactWriteItems` or `TransactGetItems`.
    pub fn is_transaction(&self) -> bool {
        matches!(self.name.as_str(), "TransactWriteItems" | "TransactGetItems")
    }

    /// How many items the request names; 1 unless it is a batch or a transaction.
    pub fn requested_item_count(&self) -> usize {
        match self.name.as_str() {
            "TransactWriteItems" | "TransactGetItems" => self.request["TransactItems"].as_array().map_or(0, Vec::len),
            "BatchWriteItem" => self.batch_tables().filter_map(|(_, writes)| writes.as_array().map(Vec::len)).sum(),
            "BatchGetItem" => self.batch_tables().filter_map(|(_, reads)| reads["Keys"].as_array().map(Vec::len)).sum(),
            _ => 1,
        }
    }

    /// The items of a single write or a transaction, in the request's order. For the elements of a batch, see
    /// [`batch_write_reference`].
    pub(super) fn item_references(&self) -> Vec<ItemReference<'_>> {
        match self.name.as_str() {
            "PutItem" | "UpdateItem" | "DeleteItem" => reference(&self.request).into_iter().collect(),
            "TransactWriteItems" | "TransactGetItems" => self.request["TransactItems"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|action| action.as_object()?.values().next())
                .filter_map(reference)
                .collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn batch_tables(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.request["RequestItems"].as_object().into_iter().flatten()
    }
}

/// The item that one element of a `BatchWriteItem` writes.
pub(super) fn batch_write_reference<'a>(table: &'a str, element: &'a Value) -> Option<ItemReference<'a>> {
    let attributes = element["PutRequest"].get("Item").or_else(|| element["DeleteRequest"].get("Key"))?;
    Some(ItemReference { table, attributes })
}

fn reference(action: &Value) -> Option<ItemReference<'_>> {
    let attributes = action.get("Key").or_else(|| action.get("Item"))?;
    Some(ItemReference { table: action["TableName"].as_str()?, attributes })
}
