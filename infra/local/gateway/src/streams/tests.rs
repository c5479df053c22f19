use std::sync::Mutex as StdMutex;

use jiff::Timestamp;

use super::*;
use crate::function::{Function, Invocation};
use crate::{Clock, Deployment};

const TEMPLATE: &str = "
Resources:
  Table: { Type: AWS::DynamoDB::Table, Properties: {} }
  Watcher:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: watcher } }
    Properties:
      Events:
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            BatchSize: 4
            FilterCriteria: { Filters: [{ Pattern: '{\"eventName\":[\"INSERT\"]}' }] }
            # settings
";

/// A stream of numbered records, from which `REMOVE`s are filtered out.
struct Numbers(StdMutex<Vec<Value>>);

impl Numbers {
    fn new(names: &[&str]) -> Arc<Self> {
        let numbers = Self(StdMutex::default());
        numbers.extend(names);
        Arc::new(numbers)
    }

    fn extend(&self, names: &[&str]) {
        let mut records = self.0.lock().unwrap();
        for name in names {
            let sequence = records.len().to_string();
            records.push(json!({ "eventName": name, "dynamodb": { "SequenceNumber": sequence } }));
        }
    }
}

impl StreamSource for Numbers {
    fn read<'a>(
        &'a self,
        table: &'a str,
        cursor: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<StreamPage, StreamError>> {
        assert_eq!(table, "local-Table");
        let start: usize = if cursor.is_empty() { 0 } else { cursor.parse().unwrap() };
        let records: Vec<_> = self.0.lock().unwrap().iter().skip(start).take(limit).cloned().collect();
        let page =
            StreamPage { cursor: (start + records.len()).to_string(), is_at_end: records.len() < limit, records };
        Box::pin(async move { Ok(page) })
    }
}

/// Decides by the sequence numbers of a batch, and records every batch.
struct Watcher<F> {
    decide: F,
    batches: Arc<StdMutex<Vec<String>>>,
}

impl<F: Fn(&[&str]) -> Result<Value, FunctionError> + Send + Sync> Function for Watcher<F> {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Result<Value, FunctionError>> {
        let records = invocation.payload["Records"].as_array().unwrap().clone();
        let numbers: Vec<_> =
            records.iter().map(|record| record["dynamodb"]["SequenceNumber"].as_str().unwrap()).collect();
        self.batches.lock().unwrap().push(numbers.join(" "));
        let answer = (self.decide)(&numbers);
        Box::pin(async move { answer })
    }
}

struct Setup {
    consumer: StreamConsumer,
    batches: Arc<StdMutex<Vec<String>>>,
    failed: Arc<StdMutex<Vec<FailedBatch>>>,
}

impl Setup {
    fn new<F>(settings: &str, source: &Arc<Numbers>, decide: F) -> Self
    where
        F: Fn(&[&str]) -> Result<Value, FunctionError> + Send + Sync + 'static,
    {
        let yaml = TEMPLATE.replace("# settings", settings);
        let template = Template::parse(&yaml, &Deployment::default()).unwrap();
        let batches: Arc<StdMutex<Vec<String>>> = Arc::default();
        let watcher: Arc<dyn Function> = Arc::new(Watcher { decide, batches: Arc::clone(&batches) });
        let clock: Clock = Arc::new(|| Timestamp::UNIX_EPOCH);
        let functions = Functions::new(&template, [("watcher".to_owned(), watcher)].into(), clock).unwrap();
        let failed: Arc<StdMutex<Vec<FailedBatch>>> = Arc::default();
        let on_failure: OnFailure = Arc::new({
            let failed = Arc::clone(&failed);
            move |batch| failed.lock().unwrap().push(batch)
        });
        let source = Arc::clone(source) as Arc<dyn StreamSource>;
        let consumer = StreamConsumer::all(&template, &source, &functions, &on_failure).remove(0);
        Self { consumer, batches, failed }
    }

    async fn drained(&self) -> (Delivered, Vec<String>) {
        let delivered = self.consumer.drain().await.unwrap();
        (delivered, std::mem::take(&mut *self.batches.lock().unwrap()))
    }

    fn given_up(&self) -> Vec<usize> {
        self.failed.lock().unwrap().iter().map(|batch| batch.records.len()).collect()
    }
}

fn inserts(count: usize) -> Arc<Numbers> {
    Numbers::new(&vec!["INSERT"; count])
}

fn crash() -> FunctionError {
    FunctionError::Panicked { message: "poison".to_owned() }
}

/// Fails whenever the batch contains the record.
fn poisoned_by(poison: &'static str) -> impl Fn(&[&str]) -> Result<Value, FunctionError> {
    move |numbers| if numbers.contains(&poison) { Err(crash()) } else { Ok(Value::Null) }
}

/// Reports the record as failed whenever the batch contains it.
fn reporting(failing: &'static [&'static str]) -> impl Fn(&[&str]) -> Result<Value, FunctionError> {
    move |numbers| {
        let failures: Vec<_> = numbers.iter().filter(|number| failing.contains(*number)).collect();
        let failures: Vec<_> = failures.iter().map(|number| json!({ "itemIdentifier": number })).collect();
        Ok(json!({ "batchItemFailures": failures }))
    }
}

#[tokio::test]
async fn records_come_filtered_in_order_and_once() {
    let source =
        Numbers::new(&["INSERT", "REMOVE", "INSERT", "INSERT", "REMOVE", "REMOVE", "REMOVE", "REMOVE", "INSERT"]);
    let setup = Setup::new("", &source, |_: &[&str]| Ok(Value::Null));
    let (delivered, batches) = setup.drained().await;
    assert_eq!(batches, ["0 2 3", "8"]);
    let expected = Delivered {
        records_read: 9,
        records_filtered_out: 5,
        records_handled: 4,
        invocations: 2,
        ..Delivered::default()
    };
    assert_eq!(delivered, expected);
    assert_eq!(setup.drained().await, (Delivered::default(), Vec::new()));
    source.extend(&["INSERT"]);
    assert_eq!(setup.drained().await.1, ["9"]);
}

#[tokio::test]
async fn a_consumer_goes_on_at_its_checkpoint_after_a_restart() {
    let source = inserts(5);
    let before = Setup::new("", &source, |_: &[&str]| Ok(Value::Null));
    before.drained().await;
    source.extend(&["INSERT"]);
    let after = Setup::new("", &source, |_: &[&str]| Ok(Value::Null));
    after.consumer.resume_from(&before.consumer.checkpoint().await).await;
    assert_eq!(after.drained().await.1, ["5"]);
}

#[tokio::test]
async fn a_failed_batch_is_retried_as_a_whole_and_then_given_up() {
    let setup = Setup::new("MaximumRetryAttempts: 2", &inserts(5), poisoned_by("2"));
    let (delivered, batches) = setup.drained().await;
    assert_eq!(batches, ["0 1 2 3", "0 1 2 3", "0 1 2 3", "4"]);
    assert_eq!((delivered.records_handled, delivered.records_failed), (1, 4));
    assert_eq!(setup.given_up(), [4]);
    assert_eq!(setup.failed.lock().unwrap()[0].reason, "Runtime.Panic: poison");
}

#[tokio::test]
async fn bisecting_isolates_the_poison_without_using_up_retries() {
    let settings = "MaximumRetryAttempts: 1\n            BisectBatchOnFunctionError: true";
    let setup = Setup::new(settings, &inserts(4), poisoned_by("2"));
    let (delivered, batches) = setup.drained().await;
    assert_eq!(batches, ["0 1 2 3", "0 1", "2 3", "2", "2", "3"]);
    assert_eq!((delivered.records_handled, delivered.records_failed, delivered.is_blocked), (3, 1, false));
    assert_eq!(setup.given_up(), [1]);
}

#[tokio::test]
async fn a_reported_failure_is_a_checkpoint() {
    let settings = "MaximumRetryAttempts: 1\n            FunctionResponseTypes: [ReportBatchItemFailures]";
    let setup = Setup::new(settings, &inserts(4), reporting(&["3", "1"]));
    let (delivered, batches) = setup.drained().await;
    // Starts at the lowest failed number. Each new first record has its own retries.
    assert_eq!(batches, ["0 1 2 3", "1 2 3"]);
    assert_eq!((delivered.records_handled, delivered.records_failed), (1, 3));
}

#[tokio::test]
async fn every_documented_report_is_read() {
    let settings = "MaximumRetryAttempts: 0\n            FunctionResponseTypes: [ReportBatchItemFailures]";
    for (answer, handled) in [
        (Value::Null, 2),
        (json!({}), 2),
        (json!({ "batchItemFailures": null }), 2),
        (json!({ "batchItemFailures": [] }), 2),
        (json!({ "batchItemFailures": [{ "itemIdentifier": "1" }] }), 1),
        (json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }), 0),
        (json!({ "batchItemFailures": [{ "itemIdentifier": null }] }), 0),
        (json!({ "batchItemFailures": [{ "wrong": "1" }] }), 0),
        (json!({ "batchItemFailures": [{ "itemIdentifier": "77" }] }), 0),
        (json!({ "batchItemFailures": "1" }), 0),
    ] {
        let fixed = answer.clone();
        let setup = Setup::new(settings, &inserts(2), move |_: &[&str]| Ok(fixed.clone()));
        let (delivered, _) = setup.drained().await;
        assert_eq!((delivered.records_handled, delivered.records_failed), (handled, 2 - handled), "{answer}");
    }
}

#[tokio::test]
async fn without_the_response_type_a_report_means_nothing() {
    let setup = Setup::new("", &inserts(2), reporting(&["0"]));
    assert_eq!(setup.drained().await.0.records_handled, 2);
}

#[tokio::test]
async fn endless_retries_block_the_stream_until_the_function_is_mended() {
    let mended = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let setup = Setup::new("", &inserts(6), {
        let mended = Arc::clone(&mended);
        move |_: &[&str]| if mended.load(std::sync::atomic::Ordering::Relaxed) { Ok(Value::Null) } else { Err(crash()) }
    });
    for _ in 0..3 {
        let (delivered, batches) = setup.drained().await;
        assert_eq!((delivered.is_blocked, batches), (true, vec!["0 1 2 3".to_owned()]));
        assert_eq!(setup.consumer.checkpoint().await, "");
    }
    mended.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(setup.drained().await.1, ["0 1 2 3", "4 5"]);
    assert_eq!(setup.consumer.checkpoint().await, "6");
}

#[tokio::test]
async fn a_function_that_cannot_be_reached_costs_no_retries() {
    let settings = "MaximumRetryAttempts: 0";
    let unreachable = |_: &[&str]| Err(FunctionError::Unavailable { reason: String::new() });
    let setup = Setup::new(settings, &inserts(1), unreachable);
    let (delivered, _) = setup.drained().await;
    assert_eq!((delivered.is_blocked, delivered.records_failed), (true, 0));
}

#[tokio::test(start_paused = true)]
async fn in_the_background_new_records_are_picked_up() {
    let source = inserts(1);
    let setup = Setup::new("", &source, |_: &[&str]| Ok(Value::Null));
    let running =
        async { tokio::time::timeout(Duration::from_secs(5), setup.consumer.run(Duration::from_secs(1))).await };
    let adding = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        source.extend(&["INSERT"]);
    };
    let (stopped, ()) = tokio::join!(running, adding);
    assert!(stopped.is_err());
    assert_eq!(*setup.batches.lock().unwrap(), ["0", "1"]);
}
