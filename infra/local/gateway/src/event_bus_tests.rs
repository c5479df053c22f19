use std::sync::Mutex as StdMutex;

use futures::future::BoxFuture;
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::Deployment;
use crate::function::{Function, FunctionError, Invocation};

const TEMPLATE: &str = "
Resources:
  Watcher:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: watcher } }
    Properties:
      Events:
        Reports:
          Type: EventBridgeRule
          Properties:
            Pattern: { source: [aws.ses], detail-type: [Email Bounced], resources: [!Sub 'set/${AWS::StackName}'] }
";

/// Notes the request ids and fails as often as it is told.
#[derive(Default)]
struct Failing {
    seen: StdMutex<Vec<String>>,
    failures: StdMutex<u32>,
}

impl Function for Failing {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Result<Value, FunctionError>> {
        self.seen.lock().unwrap().push(invocation.request_id);
        let mut left = self.failures.lock().unwrap();
        let answer = match left.checked_sub(1) {
            Some(fewer) => {
                *left = fewer;
                Err(FunctionError::Panicked { message: "no".to_owned() })
            }
            None => Ok(Value::Null),
        };
        Box::pin(async { answer })
    }
}

struct World {
    bus: EventBus,
    function: Arc<Failing>,
    now: Arc<StdMutex<Timestamp>>,
    given_up: Arc<StdMutex<usize>>,
}

fn world(failures: u32) -> World {
    let now = Arc::new(StdMutex::new(Timestamp::from_second(1_795_000_000).unwrap()));
    let of_clock = Arc::clone(&now);
    let clock: Clock = Arc::new(move || *of_clock.lock().unwrap());
    let template = Template::parse(TEMPLATE, &Deployment::default()).unwrap();
    let function = Arc::new(Failing { failures: StdMutex::new(failures), ..Failing::default() });
    let implementation: Arc<dyn Function> = Arc::clone(&function) as _;
    let functions =
        Functions::new(&template, BTreeMap::from([("watcher".to_owned(), implementation)]), Arc::clone(&clock));
    let given_up = Arc::<StdMutex<usize>>::default();
    let counted = Arc::clone(&given_up);
    let on_failure: OnFailure = Arc::new(move |_| *counted.lock().unwrap() += 1);
    World { bus: EventBus::new(&template, functions.unwrap(), clock, on_failure), function, now, given_up }
}

impl World {
    fn calls(&self) -> Vec<String> {
        self.function.seen.lock().unwrap().clone()
    }

    async fn after(&self, seconds: i64) -> usize {
        *self.now.lock().unwrap() += SignedDuration::from_secs(seconds);
        self.bus.deliver().await;
        self.calls().len()
    }
}

fn bounced() -> Value {
    json!({ "source": "aws.ses", "detail-type": "Email Bounced", "resources": ["set/local"], "detail": {} })
}

#[tokio::test]
async fn only_events_that_match_the_pattern_reach_the_function() {
    let world = world(0);
    let others =
        [("source", json!("aws.s3")), ("detail-type", json!("Email Sent")), ("resources", json!(["set/other"]))];
    for (name, value) in others {
        let mut other = bounced();
        other[name] = value;
        world.bus.put(vec![other]).await;
    }
    world.bus.put(vec![bounced()]).await;
    assert_eq!((world.bus.deliver().await, world.bus.deliver().await), (1, 0));
}

#[tokio::test]
async fn a_failed_event_is_tried_again_after_one_minute_and_after_two_and_then_given_up() {
    let world = world(9);
    world.bus.put(vec![bounced()]).await;
    for (seconds, calls) in [(0, 1), (59, 1), (1, 2), (119, 2), (1, 3), (1_000, 3)] {
        assert_eq!(world.after(seconds).await, calls);
    }
    assert_eq!(*world.given_up.lock().unwrap(), 1);
    let ids = world.calls();
    assert!(ids.iter().all(|id| *id == ids[0]), "a retry has the same request id");
}

#[tokio::test]
async fn an_event_may_be_delivered_twice() {
    let world = world(0);
    world.bus.deliver_twice(true);
    world.bus.put(vec![bounced()]).await;
    assert_eq!(world.bus.deliver().await, 2);
    let ids = world.calls();
    assert_ne!(ids[0], ids[1]);
}
