//! Maps a request to the terms of policies: actions on resources.

use serde_json::Value;

use crate::dynamodb::Operation;
use crate::event_bus::{self, LocalEventBus};
use crate::secrets::{self, LocalSecrets};
use crate::ses::{LocalSes, suppression};
use crate::wire::WireRequest;
use crate::{ACCOUNT, REGION, dynamodb, scheduler};

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Such as `dynamodb:GetItem`.
    pub action: String,
    /// An ARN; `*` for actions without a specific resource.
    pub resource: String,
    /// The keys and values that conditions can check.
    pub context: Vec<(String, String)>,
}

impl Call {
    /// A call without any context.
    pub fn new(action: &str, resource: &str) -> Self {
        Self { action: action.to_owned(), resource: resource.to_owned(), context: Vec::new() }
    }
}

/// Everything that must be allowed for a request, in the order of the checks.
pub(super) fn of(request: &WireRequest, ses: &LocalSes) -> Vec<Call> {
    let target = request.target.as_deref().unwrap_or_default();
    if target.starts_with(dynamodb::TARGET_PREFIXES) {
        of_dynamodb(&Operation::parse(target, &request.body))
    } else if let Some(operation) = target.strip_prefix(secrets::TARGET_PREFIX) {
        vec![call("secretsmanager", operation, secret(&request.body))]
    } else if let Some(operation) = target.strip_prefix(event_bus::TARGET_PREFIX) {
        LocalEventBus::bus_arns(&request.body).into_iter().map(|bus| call("events", operation, bus)).collect()
    } else if let Some(name) = request.path.strip_prefix(scheduler::PATH_PREFIX) {
        of_scheduler(name, &request.body)
    } else if request.path.starts_with(suppression::PATH) {
        let verb = match request.method.as_str() {
            "PUT" => "Put",
            "DELETE" => "Delete",
            _ => "Get",
        };
        vec![call("ses", &format!("{verb}SuppressedDestination"), "*".to_owned())]
    } else {
        let identity = call("ses", "SendEmail", ses.identity_arn(&request.body));
        let set = LocalSes::configuration_set_arn(&request.body).map(|set| call("ses", "SendEmail", set));
        [identity].into_iter().chain(set).collect()
    }
}

fn call(service: &str, action: &str, resource: String) -> Call {
    Call::new(&format!("{service}:{action}"), &resource)
}

/// A transaction has no action of its own, but its parts have.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>
fn of_dynamodb(operation: &Operation) -> Vec<Call> {
    let Operation { name, request } = operation;
    match name.as_str() {
        "TransactWriteItems" | "TransactGetItems" => {
            let parts = request["TransactItems"].as_array().into_iter().flatten();
            let parts = parts.filter_map(|part| part.as_object()?.iter().next());
            parts.map(|(kind, part)| call("dynamodb", &format!("{kind}Item"), table(&part["TableName"]))).collect()
        }
        "BatchGetItem" | "BatchWriteItem" => {
            operation.batch_tables().map(|(table, _)| call("dynamodb", name, table_arn(table))).collect()
        }
        _ => vec![call("dynamodb", name, resource(operation))],
    }
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>
fn resource(operation: &Operation) -> String {
    let request = &operation.request;
    match (operation.index(), request["StreamArn"].as_str()) {
        (Some(index), _) => format!("{}/index/{index}", table(&request["TableName"])),
        (None, Some(stream)) => stream.to_owned(),
        (None, None) => table(&request["TableName"]),
    }
}

fn table(name: &Value) -> String {
    name.as_str().map_or_else(|| "*".to_owned(), table_arn)
}

/// A request may also name a table by its ARN.
fn table_arn(name: &str) -> String {
    if name.starts_with("arn:") { name.to_owned() } else { format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}") }
}

/// A request may name a secret by its ARN or by its name.
fn secret(body: &[u8]) -> String {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    match request["SecretId"].as_str() {
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        Some(name) => LocalSecrets::arn(name),
        None => "*".to_owned(),
    }
}

/// Creating a schedule also passes a role to the scheduler.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/security_iam_id-based-policies.html>
fn of_scheduler(name: &str, body: &[u8]) -> Vec<Call> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let group = request["GroupName"].as_str().unwrap_or("default");
    let schedule = format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}");
    let passed = call("iam", "PassRole", request["Target"]["RoleArn"].as_str().unwrap_or("*").to_owned());
    let to_whom = ("iam:PassedToService".to_owned(), "scheduler.amazonaws.com".to_owned());
    vec![call("scheduler", "CreateSchedule", schedule), Call { context: vec![to_whom], ..passed }]
}
