//! Real processes behind the Runtime API.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use local_gateway::runtime_api::{self, Ending, Programs, Stage, StageKind, Watcher};
use local_gateway::{Clock, Deployment, FunctionError, Functions, Template};
use serde_json::{Value, json};

/// Cargo builds the examples before the tests, next to them.
fn examples() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    test.ancestors().nth(2).expect("tests stand in target/debug/deps").join("examples")
}

fn functions(timeout_seconds: u32, programs: &Programs) -> Functions {
    let yaml = format!(
        "
Resources:
  Only:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: bootstrap }} }}
    Properties:
      Timeout: {timeout_seconds}
      MemorySize: 512
      Environment: {{ Variables: {{ FROM_TEMPLATE: 'yes', REPLACED: template }} }}
"
    );
    let template = Template::parse(&yaml, &Deployment::default()).expect("the test's template is valid");
    let clock: Clock = Arc::new(|| Timestamp::constant(1_795_000_000, 0));
    let functions = runtime_api::functions(&template, programs).expect("cargo has built the example");
    Functions::new(&template, functions, clock).expect("they match the template")
}

fn programs(processes_max: usize) -> Programs {
    let environment = BTreeMap::from([("REPLACED".to_owned(), "override".to_owned())]);
    let secret = || "secret".to_owned();
    Programs {
        directory: examples(),
        environment,
        secret_access_key: secret(),
        session_token: secret(),
        processes_max,
        log: None,
        watcher: None,
    }
}

async fn process_of(functions: &Functions) -> u64 {
    let answer = functions.invoke("Only", json!({})).await.expect("an answer");
    answer["process"].as_u64().expect("the example tells its process id")
}

#[tokio::test]
async fn a_bootstrap_sees_the_invocation_and_the_templates_environment_alone() {
    let answer = functions(30, &programs(1)).invoke("Only", json!({ "a": 1 })).await.unwrap();
    assert_eq!(answer["payload"], json!({ "a": 1 }));
    assert_eq!(answer["deadline"], 1_795_000_030_000_u64);
    assert_eq!(answer["arn"], "arn:aws:lambda:us-east-1:000000000000:function:local-Only");
    assert!(!answer["request_id"].as_str().unwrap().is_empty());
    let environment = answer["environment"].as_object().unwrap();
    assert_eq!(environment["FROM_TEMPLATE"], "yes");
    assert_eq!(environment["REPLACED"], "override");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "512");
    let names: BTreeSet<_> = environment.keys().map(String::as_str).collect();
    let foreign: Vec<_> = names.iter().filter(|name| ["PATH", "HOME", "CARGO"].contains(name)).collect();
    assert_eq!(foreign, Vec::<&&str>::new());
}

#[tokio::test]
async fn a_process_stays_warm_and_outlives_a_reported_error() {
    let functions = functions(30, &programs(4));
    let first = process_of(&functions).await;
    let error = functions.invoke("Only", json!({ "do": "fail" })).await.unwrap_err();
    assert!(matches!(&error, FunctionError::Reported { error_message, .. } if error_message == "as told"), "{error}");
    assert_eq!(process_of(&functions).await, first);
}

#[tokio::test]
async fn a_crashed_process_is_replaced() {
    let functions = functions(30, &programs(1));
    let first = process_of(&functions).await;
    let error = functions.invoke("Only", json!({ "do": "exit" })).await.unwrap_err();
    assert_eq!(error, FunctionError::Exited { reason: "exit status: 3".to_owned() });
    assert_ne!(process_of(&functions).await, first);
}

/// A process that answered within its time; on a busy machine even its start may take longer.
async fn process_in_time(functions: &Functions) -> u64 {
    loop {
        match functions.invoke("Only", json!({})).await {
            Ok(answer) => return answer["process"].as_u64().expect("the example tells its process id"),
            Err(error) => assert!(matches!(error, FunctionError::TimedOut { .. }), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_process_over_its_time_is_killed() {
    let functions = functions(1, &programs(1));
    let first = process_in_time(&functions).await;
    let error = functions.invoke("Only", json!({ "do": "hang" })).await.unwrap_err();
    assert_eq!(error.to_string(), "Task timed out after 1.00 seconds");
    assert_ne!(process_in_time(&functions).await, first);
}

/// Kills the function once, at the start of the given stage.
#[derive(Debug)]
struct Killer {
    stage: Mutex<Option<StageKind>>,
    ended: Mutex<Vec<(StageKind, Ending)>>,
}

impl Watcher for Killer {
    fn begins(&self, stage: &Stage) -> Option<Duration> {
        assert_eq!(stage.function, "bootstrap");
        self.stage
            .lock()
            .expect("no code panics while holding the lock")
            .take_if(|doomed| *doomed == stage.kind)
            .map(|_| Duration::ZERO)
    }

    fn ends(&self, stage: &Stage, _: Duration, ending: Ending) {
        self.ended.lock().expect("no code panics while holding the lock").push((stage.kind, ending));
    }
}

#[tokio::test]
async fn a_watcher_may_kill_a_process_in_any_stage_and_the_next_one_takes_over() {
    use {Ending::*, StageKind::*};
    for (doomed, stages) in [
        (Init, vec![(Init, Killed), (Init, Completed), (FirstInvocation, Completed)]),
        (
            FirstInvocation,
            vec![(Init, Completed), (FirstInvocation, Killed), (Init, Completed), (FirstInvocation, Completed)],
        ),
        (
            LaterInvocation,
            vec![
                (Init, Completed),
                (FirstInvocation, Completed),
                (LaterInvocation, Killed),
                (Init, Completed),
                (FirstInvocation, Completed),
            ],
        ),
    ] {
        let killer = Arc::new(Killer { stage: Mutex::new(Some(doomed)), ended: Mutex::default() });
        let functions = functions(30, &Programs { watcher: Some(Arc::clone(&killer) as _), ..programs(1) });
        if doomed == LaterInvocation {
            process_of(&functions).await;
        }
        let error = functions.invoke("Only", json!({ "do": "hang" })).await.unwrap_err();
        assert_eq!(error.to_string(), "Runtime.ExitError: signal: 9 (SIGKILL)", "{doomed:?}");
        process_of(&functions).await;
        assert_eq!(*killer.ended.lock().unwrap(), stages, "{doomed:?}");
    }
}

#[tokio::test]
async fn the_output_of_processes_goes_to_the_log_that_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let functions = functions(30, &Programs { log: Some(log.clone()), ..programs(1) });
    functions.invoke("Only", json!({ "do": "say" })).await.unwrap();
    assert_eq!(std::fs::read_to_string(log).unwrap(), "said\n");
}

#[tokio::test]
async fn invocations_at_once_have_a_process_each_up_to_the_bound() {
    let functions = functions(30, &programs(2));
    let at_once = (0..6).map(|_| process_of(&functions));
    let processes: BTreeSet<u64> = futures::future::join_all(at_once).await.into_iter().collect();
    assert_eq!(processes.len(), 2);
}

#[tokio::test]
async fn a_program_that_cannot_start_says_why() {
    let mut failing = programs(1);
    failing.environment.insert("FAIL_TO_START".to_owned(), String::new());
    let error = functions(30, &failing).invoke("Only", json!({})).await.unwrap_err();
    assert_eq!(error, FunctionError::Exited { reason: "exit status: 4".to_owned() });
}

#[tokio::test]
async fn programs_are_found_where_cargo_lambda_puts_them() {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("bootstrap");
    std::fs::create_dir(&own).unwrap();
    std::os::unix::fs::symlink(examples().join("bootstrap"), own.join("bootstrap")).unwrap();
    let laid_out = Programs { directory: directory.path().to_owned(), ..programs(1) };
    assert!(functions(30, &laid_out).invoke("Only", Value::Null).await.is_ok());

    let template =
        "Resources: { F: { Type: 'AWS::Serverless::Function', Metadata: { BuildProperties: { Binary: gone } } } }";
    let template = Template::parse(template, &Deployment::default()).unwrap();
    let programs = Programs { directory: Path::new("/nowhere").to_owned(), ..programs(1) };
    let error = runtime_api::functions(&template, &programs).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "neither /nowhere/gone/bootstrap nor /nowhere/gone exists");
}
