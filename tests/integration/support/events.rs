//! The schemas of the events that other systems are told, `infra/events/`, and checks of events against them.

use jsonschema::{Draft, Validator};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

/// The schema of each event by its type.
pub static SCHEMAS: LazyLock<BTreeMap<String, Schema>> = LazyLock::new(read);

pub struct Schema {
    pub document: Value,
    validator: Validator,
}

fn read() -> BTreeMap<String, Schema> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/events");
    let files = std::fs::read_dir(directory).expect("infra/events exists").map(|file| file.expect("a file").path());
    let schema = |file: std::path::PathBuf| {
        let name = file.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let text = std::fs::read_to_string(&file).expect("a schema can be read");
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        let validator = options.build(&document).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, Schema { document, validator })
    };
    files.map(schema).collect()
}

/// What is wrong with the `detail` of an event of this type.
pub fn errors_of(name: &str, detail: &Value) -> Vec<String> {
    let Some(schema) = SCHEMAS.get(name) else { return vec![format!("infra/events has no schema of {name}")] };
    let errors = schema.validator.iter_errors(detail);
    errors.map(|error| format!("{name}{}: {error}", error.instance_path())).collect()
}

/// What is wrong with events as they are on the bus.
pub fn errors_on_the_bus(events: &[Value]) -> Vec<String> {
    let of_one = |event: &Value| {
        let name = event["detail-type"].as_str().unwrap_or_default();
        let mut errors = errors_of(name, &event["detail"]);
        if event["source"] != "prepaid" {
            errors.push(format!("{name} comes from {}", event["source"]));
        }
        errors
    };
    events.iter().flat_map(of_one).collect()
}
