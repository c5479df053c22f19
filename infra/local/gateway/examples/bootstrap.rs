//! A compiled function for the tests of the Runtime API: it does as its payload says.

use std::collections::BTreeMap;
use std::io::Write;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if environment().contains_key("FAIL_TO_START") {
        std::process::exit(4);
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload["do"].as_str() {
        Some("fail") => return Err(Error::from("as told")),
        Some("exit") => std::process::exit(3),
        Some("hang") => std::future::pending::<()>().await,
        Some("say") => writeln!(std::io::stdout(), "said")?,
        _ => {}
    }
    Ok(json!({
        "process": std::process::id(),
        "payload": event.payload,
        "request_id": event.context.request_id,
        "deadline": event.context.deadline,
        "arn": event.context.invoked_function_arn,
        "environment": environment(),
    }))
}

fn environment() -> BTreeMap<String, String> {
    #[expect(clippy::disallowed_methods, reason = "the tests ask what the environment is")]
    std::env::vars().collect()
}
