//! An embedded DynamoDB behind the real wire format.
//!
//! [dynoxide](https://docs.rs/dynoxide-rs) is the database; this module is the layer in front of it. It adds the
//! unpleasant sides of AWS that no emulator has: conflicts between concurrent transactions, throttling, and lost
//! requests and answers ([`Faults`]). It is also where tests count reads and writes ([`Recording`]).
//!
//! The remaining differences from AWS: indexes are consistent immediately, a `ClientRequestToken` is forgotten on
//! restart, and the stream's `ApproximateCreationDateTime` comes from the machine's clock. In memory, a write to a
//! table with a stream gets slower with the number of stream records; in a file, an index prevents that.

mod answers;
mod conflicts;
mod dispatch;
mod faults;
mod operation;
mod recording;
mod streams;
mod template;
mod time_to_live;

use std::path::Path;
use std::sync::Arc;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use dynoxide::storage::Storage;
use dynoxide::{Database, DynoxideError, ImportOptions};
use tokio::sync::watch;

pub(crate) use self::dispatch::TARGET_PREFIXES;
pub use self::faults::{CancellationCode, Fault, Faults, Refusal};
pub use self::operation::Operation;
pub use self::recording::{RecordedOperation, Recording};
pub use self::streams::{StreamBatch, StreamCursor, StreamError};
pub use self::template::TableError;
pub use self::time_to_live::SweepError;

use self::conflicts::InFlight;
use self::recording::Recorder;
use self::time_to_live::SweepClock;
use crate::REGION;
use crate::wire::{self, Door, Loss, WireAnswer, WireRequest};

/// The name of the database file in its directory.
const FILE_NAME: &str = "dynamodb.sqlite3";

/// One separate DynamoDB. Clones share the data, the faults and the recordings.
#[derive(Clone)]
pub struct LocalDynamoDb {
    database: Database,
    sweep_clock: SweepClock,
    in_flight: InFlight,
    faults: Faults,
    recorder: Recorder,
    writes: Arc<watch::Sender<u64>>,
}

/// The database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory could not be created.
    #[error("the data directory cannot be created")]
    Directory(#[source] std::io::Error),
    /// SQLite refused the file, or its path is not UTF-8.
    #[error("the database file cannot be opened: {0}")]
    Database(String),
}

/// Items could not be imported.
#[derive(Debug, thiserror::Error)]
#[error("the items cannot be imported: {0}")]
pub struct ImportError(String);

impl LocalDynamoDb {
    /// An empty database that exists until its last clone is dropped.
    pub fn in_memory() -> Self {
        let sweep_clock = SweepClock::default();
        let database = Database::memory_with_clock(Arc::new(sweep_clock.clone()))
            .expect("an in-memory SQLite database opens nothing that could be missing");
        Self::over(database, sweep_clock)
    }

    /// The database in `directory`, created if it does not exist. Only one process at a time may use it.
    ///
    /// # Errors
    /// If the directory or the file in it cannot be opened.
    pub fn at(directory: &Path) -> Result<Self, OpenError> {
        std::fs::create_dir_all(directory).map_err(OpenError::Directory)?;
        let file = directory.join(FILE_NAME);
        let path = file.to_str().ok_or_else(|| OpenError::Database(format!("{} is not UTF-8", file.display())))?;
        let database = Database::new(path).map_err(|error| OpenError::Database(error.to_string()))?;
        index_stream_records(path).map_err(|error| OpenError::Database(error.to_string()))?;
        Ok(Self::over(database, SweepClock::default()))
    }

    fn over(database: Database, sweep_clock: SweepClock) -> Self {
        Self {
            database,
            sweep_clock,
            in_flight: InFlight::default(),
            faults: Faults::default(),
            recorder: Recorder::default(),
            writes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// The faults of this database, shared by all its clones.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Records every operation from now on, until the recording is dropped.
    pub fn record(&self) -> Recording {
        self.recorder.start()
    }

    /// The number of writes that were carried out. A stream poller waits for it to change instead of sleeping.
    pub fn writes(&self) -> watch::Receiver<u64> {
        self.writes.subscribe()
    }

    /// Stores items directly: nothing is recorded, no fault applies, and the table's stream gets no records.
    /// For tables that are too large to fill by requests.
    ///
    /// # Errors
    /// If there is no such table, or an item is not in DynamoDB's JSON format with the table's keys.
    pub fn import(&self, table: &str, items: Vec<serde_json::Value>) -> Result<(), ImportError> {
        let items = items.into_iter().map(serde_json::from_value).collect::<Result<Vec<_>, _>>();
        let items = items.map_err(|error| ImportError(error.to_string()))?;
        let imported = self.database.import_items(table, items, ImportOptions::default());
        imported.map(|_| ()).map_err(|error| ImportError(error.to_string()))
    }

    /// Every table and its number of items, ordered by name.
    pub fn tables(&self) -> Vec<(String, i64)> {
        let statistics = self.database.table_stats().unwrap_or_default();
        statistics.into_iter().map(|table| (table.table_name, table.item_count)).collect()
    }

    /// A client of this database with the default settings, without retries.
    pub fn client(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::from_conf(self.client_config().retry_config(RetryConfig::disabled()).build())
    }

    /// The configuration of [`client`](Self::client), with the SDK's own retries, for changes before `build`.
    /// It has no credentials, so requests are unsigned, which is not checked here.
    pub fn client_config(&self) -> aws_sdk_dynamodb::config::Builder {
        aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .allow_no_auth()
            .http_client(self.sdk_config_http_client())
    }

    /// An HTTP client for an SDK configuration that sends DynamoDB calls to this database, in process.
    pub fn sdk_config_http_client(&self) -> SharedHttpClient {
        wire::http_client(self.clone())
    }

    /// The same as a connector.
    pub fn connector(&self) -> SharedHttpConnector {
        wire::connector(self.clone())
    }

    /// Carries out one request with the configured faults, and records it.
    ///
    /// # Errors
    /// The [`Loss`] that a fault requested.
    pub async fn exchange(&self, target: &str, body: &[u8]) -> Result<WireAnswer, Loss> {
        let operation = Operation::parse(target, body);
        let outcome = match self.faults.draw(&operation) {
            None => Ok(self.perform(&operation, target, body).await),
            Some(Fault::Refuse(refusal)) => Ok(refusal.answer()),
            Some(Fault::CancelTransaction(codes)) => Ok(answers::transaction_cancelled(&codes)),
            Some(Fault::LoseRequest(loss)) => Err(loss),
            Some(Fault::LoseAnswer(loss)) => {
                self.perform(&operation, target, body).await;
                Err(loss)
            }
        };
        self.recorder.note(&operation, &outcome);
        outcome
    }

    /// Holds the written keys in flight around the operation if a conflict window is set.
    async fn perform(&self, operation: &Operation, target: &str, body: &[u8]) -> WireAnswer {
        let Some(window) = self.faults.conflict_window() else {
            return self.carry_out(target, body).await;
        };
        let request = match self.in_flight.enter(operation, |table| self.key_attributes(table)) {
            Ok(entered) => entered,
            Err(refused) => return refused,
        };
        if !request.holds_keys() {
            return self.carry_out(target, body).await;
        }
        tokio::time::sleep(window / 2).await;
        let answer = match request.split_batch() {
            None => self.carry_out(target, body).await,
            Some(batch) => batch.with_unprocessed(match batch.rest() {
                None => None,
                Some(rest) => Some(self.carry_out(target, rest).await),
            }),
        };
        tokio::time::sleep(window / 2).await;
        answer
    }

    async fn carry_out(&self, target: &str, body: &[u8]) -> WireAnswer {
        let (status, body) = self.dispatch(target, body).await;
        WireAnswer { status, body }
    }

    /// The names of the table's key attributes; empty if there is no such table.
    fn key_attributes(&self, table: &str) -> Vec<String> {
        let Ok(Some(metadata)) = self.database.get_table_metadata(table) else { return Vec::new() };
        let Ok(schema) = serde_json::from_str::<Vec<serde_json::Value>>(&metadata.key_schema) else {
            return Vec::new();
        };
        schema.iter().filter_map(|key| key["AttributeName"].as_str().map(str::to_owned)).collect()
    }
}

impl std::fmt::Debug for LocalDynamoDb {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LocalDynamoDb").finish_non_exhaustive()
    }
}

impl Door for LocalDynamoDb {
    async fn exchange(&self, request: WireRequest) -> Result<WireAnswer, Loss> {
        LocalDynamoDb::exchange(self, request.target.as_deref().unwrap_or_default(), &request.body).await
    }
}

/// Without this index every write to a table with a stream reads all of the table's stream records.
fn index_stream_records(path: &str) -> Result<(), DynoxideError> {
    let storage = Storage::new(path)?;
    storage.conn().execute_batch(
        "CREATE INDEX IF NOT EXISTS local_stream_position
         ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_the_end_of_a_stream_in_a_file_does_not_read_the_stream() {
        let directory = tempfile::tempdir().unwrap();
        LocalDynamoDb::at(directory.path()).unwrap();
        let storage = Storage::new(directory.path().join(FILE_NAME).to_str().unwrap()).unwrap();
        // The query that every write to a table with a stream runs first.
        let newest = "EXPLAIN QUERY PLAN
            SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = 'credits'";
        let plan: String = storage.conn().query_row(newest, (), |row| row.get(3)).unwrap();
        assert!(plan.starts_with("SEARCH") && plan.contains("local_stream_position"), "{plan}");
    }
}
