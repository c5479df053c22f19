use std::convert::Infallible;
use std::future::pending;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::json;

use super::*;
use crate::{Deployment, in_process};

const TEMPLATE: &str = "
Resources:
  Only:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: only } }
    Properties: { Timeout: 5 }
";

fn clock() -> Clock {
    Arc::new(|| Timestamp::from_second(1_795_000_000).unwrap())
}

fn functions(only: Arc<dyn Function>) -> Functions {
    let template = Template::parse(TEMPLATE, &Deployment::default()).unwrap();
    Functions::new(&template, BTreeMap::from([("only".to_owned(), only)]), clock()).unwrap()
}

#[tokio::test]
async fn an_event_function_sees_its_payload_and_context() {
    let only = in_process::event(service_fn(async |event: LambdaEvent<Value>| {
        let context = event.context;
        let answer = json!({
            "payload": event.payload,
            "deadline": context.deadline,
            "arn": context.invoked_function_arn,
            "traced": context.xray_trace_id.is_some_and(|id| id.starts_with("Root=1-")),
            "identified": !context.request_id.is_empty(),
        });
        Ok::<_, Infallible>(answer)
    }));
    assert_eq!(
        functions(only).invoke("Only", json!({ "a": [1] })).await.unwrap(),
        json!({
            "payload": { "a": [1] },
            "deadline": 1_795_000_005_000_u64,
            "arn": "arn:aws:lambda:us-east-1:000000000000:function:local-Only",
            "traced": true,
            "identified": true,
        })
    );
}

#[tokio::test]
async fn an_error_a_wrong_payload_and_a_panic_are_the_functions_own() {
    struct Broken;
    impl From<Broken> for Diagnostic {
        fn from(_: Broken) -> Self {
            Self { error_type: "Broken".to_owned(), error_message: "no".to_owned() }
        }
    }
    let functions = functions(in_process::event(service_fn(async |event: LambdaEvent<u8>| match event.payload {
        1 => Err(Broken),
        2 => panic!("two"),
        other => Ok(other),
    })));
    let reported = FunctionError::Reported { error_type: "Broken".to_owned(), error_message: "no".to_owned() };
    assert_eq!(functions.invoke("Only", json!(1)).await, Err(reported));
    let panicked = FunctionError::Panicked { message: "two".to_owned() };
    assert_eq!(functions.invoke("Only", json!(2)).await, Err(panicked));
    let error = functions.invoke("Only", json!("text")).await.unwrap_err().to_string();
    assert!(error.starts_with("Runtime.UnmarshalError: invalid type: string"), "{error}");
    assert_eq!(functions.invoke("Only", json!(3)).await, Ok(json!(3)));
}

#[tokio::test(start_paused = true)]
async fn a_function_is_stopped_at_its_time_limit() {
    let only = in_process::event(service_fn(async |_: LambdaEvent<Value>| pending::<Result<(), Infallible>>().await));
    let error = functions(only).invoke("Only", json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "Task timed out after 5.00 seconds");
}

#[tokio::test]
async fn payloads_over_six_megabytes_are_refused_on_the_way_in_and_out() {
    let only =
        in_process::event(service_fn(async |event: LambdaEvent<usize>| Ok::<_, Infallible>("x".repeat(event.payload))));
    let functions = functions(only);
    assert!(functions.invoke("Only", json!(PAYLOAD_BYTES_MAX - 2)).await.is_ok());
    let out = functions.invoke("Only", json!(PAYLOAD_BYTES_MAX)).await.unwrap_err();
    assert_eq!(out, FunctionError::TooLarge { what: "response", bytes: PAYLOAD_BYTES_MAX + 2 });
    assert!(!out.is_refusal());
    let into = functions.invoke("Only", json!("x".repeat(PAYLOAD_BYTES_MAX))).await.unwrap_err();
    assert!(into.is_refusal(), "{into}");
}

#[test]
fn the_functions_handed_in_are_exactly_those_of_the_template() {
    let template = Template::parse(TEMPLATE, &Deployment::default()).unwrap();
    let function = || in_process::event(service_fn(async |_: LambdaEvent<Value>| Ok::<_, Infallible>(())));
    for names in [&[][..], &["only", "another"]] {
        let handed_in = names.iter().map(|name| ((*name).to_owned(), function())).collect();
        assert!(
            matches!(Functions::new(&template, handed_in, clock()), Err(FunctionError::Unknown { .. })),
            "{names:?}"
        );
    }
}
