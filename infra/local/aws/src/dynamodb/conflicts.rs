//! The keys of writes in flight, so that concurrent requests conflict as they do in AWS.
//!
//! The rules, from
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>:
//! a transaction conflicts with another transaction on one of its items, a plain write with an ongoing transaction, and
//! a transactional read with any ongoing write. The later request is refused. Plain writes wait for each other.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::answers;
use super::faults::{CancellationCode, Refusal};
use super::operation::{ItemReference, Operation, batch_write_reference};
use crate::wire::WireAnswer;

/// The keys in flight of one database.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    holders: HashMap<String, Holders>,
    transaction_tokens: HashSet<String>,
}

#[derive(Default)]
struct Holders {
    is_in_transaction: bool,
    plain_writes: usize,
}

/// A request that was accepted. Dropping it frees its keys.
pub(super) struct Entered {
    in_flight: InFlight,
    keys: Vec<String>,
    is_transaction: bool,
    token: Option<String>,
    split_batch: Option<SplitBatch>,
}

/// A batch write of which some items are held by transactions.
pub(super) struct SplitBatch {
    rest: Option<Vec<u8>>,
    unprocessed: Map<String, Value>,
}

impl InFlight {
    /// Accepts the request, or answers it as AWS would.
    pub(super) fn enter(
        &self,
        operation: &Operation,
        key_attributes: impl Fn(&str) -> Vec<String>,
    ) -> Result<Entered, WireAnswer> {
        let key = |item: &ItemReference<'_>| key_of(item, &key_attributes(item.table));
        match operation.name.as_str() {
            "TransactWriteItems" => {
                let keys = operation.item_references().iter().map(key).collect();
                self.enter_transaction(keys, operation.request["ClientRequestToken"].as_str())
            }
            "TransactGetItems" => self.pass_read(&operation.item_references().iter().map(key).collect::<Vec<_>>()),
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                self.enter_plain(operation.item_references().iter().map(key).collect())
            }
            "BatchWriteItem" => Ok(self.enter_batch(operation, key)),
            _ => Ok(self.entered(Vec::new(), false)),
        }
    }

    fn enter_transaction(&self, keys: Vec<String>, token: Option<&str>) -> Result<Entered, WireAnswer> {
        let mut state = self.state();
        if token.is_some_and(|token| state.transaction_tokens.contains(token)) {
            return Err(Refusal::TransactionInProgress.answer());
        }
        refuse_conflicts(&keys, |key| state.is_in_transaction(key))?;
        for key in &keys {
            state.holders.entry(key.clone()).or_default().is_in_transaction = true;
        }
        state.transaction_tokens.extend(token.map(str::to_owned));
        drop(state);
        let mut entered = self.entered(keys, true);
        entered.token = token.map(str::to_owned);
        Ok(entered)
    }

    fn pass_read(&self, keys: &[String]) -> Result<Entered, WireAnswer> {
        let state = self.state();
        refuse_conflicts(keys, |key| state.holders.contains_key(key))?;
        drop(state);
        Ok(self.entered(Vec::new(), false))
    }

    fn enter_plain(&self, keys: Vec<String>) -> Result<Entered, WireAnswer> {
        let mut state = self.state();
        if keys.iter().any(|key| state.is_in_transaction(key)) {
            return Err(Refusal::TransactionConflict.answer());
        }
        state.hold_plain(&keys);
        drop(state);
        Ok(self.entered(keys, false))
    }

    /// The elements of a batch are single writes. Those that conflict with a transaction are returned as unprocessed.
    fn enter_batch(&self, operation: &Operation, key: impl Fn(&ItemReference<'_>) -> String) -> Entered {
        let mut keys = Vec::new();
        let (mut rest, mut unprocessed) = (Map::new(), Map::new());
        let mut state = self.state();
        for (table, writes) in operation.batch_tables() {
            for element in writes.as_array().into_iter().flatten() {
                let key = batch_write_reference(table, element).map(|item| key(&item));
                let side = match key {
                    Some(key) if state.is_in_transaction(&key) => &mut unprocessed,
                    key => {
                        keys.extend(key);
                        &mut rest
                    }
                };
                push(side, table, element);
            }
        }
        state.hold_plain(&keys);
        drop(state);
        let mut entered = self.entered(keys, false);
        entered.split_batch = (!unprocessed.is_empty()).then(|| SplitBatch::new(&operation.request, rest, unprocessed));
        entered
    }

    fn entered(&self, keys: Vec<String>, is_transaction: bool) -> Entered {
        Entered { in_flight: self.clone(), keys, is_transaction, token: None, split_batch: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entered {
    pub(super) fn holds_keys(&self) -> bool {
        !self.keys.is_empty() || self.split_batch.is_some()
    }

    pub(super) fn split_batch(&self) -> Option<&SplitBatch> {
        self.split_batch.as_ref()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut state = self.in_flight.state();
        for key in &self.keys {
            let Some(holders) = state.holders.get_mut(key) else { continue };
            if self.is_transaction {
                holders.is_in_transaction = false;
            } else {
                holders.plain_writes -= 1;
            }
            if !holders.is_in_transaction && holders.plain_writes == 0 {
                state.holders.remove(key);
            }
        }
        if let Some(token) = &self.token {
            state.transaction_tokens.remove(token);
        }
    }
}

impl SplitBatch {
    fn new(request: &Value, rest: Map<String, Value>, unprocessed: Map<String, Value>) -> Self {
        let rest = (!rest.is_empty()).then(|| {
            let mut request = request.clone();
            request["RequestItems"] = Value::Object(rest);
            request.to_string().into_bytes()
        });
        Self { rest, unprocessed }
    }

    /// The batch without the held items; `None` if nothing is left.
    pub(super) fn rest(&self) -> Option<&[u8]> {
        self.rest.as_deref()
    }

    /// The answer to the rest, with the held items as unprocessed.
    pub(super) fn with_unprocessed(&self, answer: Option<WireAnswer>) -> WireAnswer {
        let answer = answer.unwrap_or_else(|| WireAnswer { status: 200, body: b"{}".to_vec() });
        let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return answer };
        if answer.status != 200 {
            return answer;
        }
        let Some(unprocessed) = body.as_object_mut().map(|body| body.entry("UnprocessedItems").or_insert(json!({})))
        else {
            return answer;
        };
        for (table, elements) in &self.unprocessed {
            for element in elements.as_array().into_iter().flatten() {
                if let Some(tables) = unprocessed.as_object_mut() {
                    push(tables, table, element);
                }
            }
        }
        WireAnswer { status: 200, body: body.to_string().into_bytes() }
    }
}

impl State {
    fn is_in_transaction(&self, key: &str) -> bool {
        self.holders.get(key).is_some_and(|holders| holders.is_in_transaction)
    }

    fn hold_plain(&mut self, keys: &[String]) {
        for key in keys {
            self.holders.entry(key.clone()).or_default().plain_writes += 1;
        }
    }
}

fn refuse_conflicts(keys: &[String], conflicts: impl Fn(&str) -> bool) -> Result<(), WireAnswer> {
    let code = |key: &String| match conflicts(key) {
        true => CancellationCode::TransactionConflict,
        false => CancellationCode::None,
    };
    let codes: Vec<CancellationCode> = keys.iter().map(code).collect();
    match codes.contains(&CancellationCode::TransactionConflict) {
        true => Err(answers::transaction_cancelled(&codes)),
        false => Ok(()),
    }
}

/// The table and the key attributes as one string.
fn key_of(item: &ItemReference<'_>, key_attributes: &[String]) -> String {
    let values: Vec<&Value> = key_attributes.iter().map(|name| &item.attributes[name]).collect();
    json!([item.table, values]).to_string()
}

fn push(tables: &mut Map<String, Value>, table: &str, element: &Value) {
    if let Some(elements) = tables.entry(table).or_insert_with(|| json!([])).as_array_mut() {
        elements.push(element.clone());
    }
}
