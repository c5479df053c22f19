//! The OpenAPI description, `infra/openapi.yaml`, and checks of answers against it.

use super::Answer;
use jsonschema::Validator;
use prepaid_local::openapi::describe;
use serde_json::{Map, Value, json};
use shared::domain::PriceBook;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "patch", "head", "options", "trace"];

/// The description, parsed only once because that takes a while.
pub static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| Description::of(&PriceBook::reference()));

pub struct Description {
    document: Value,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// The scopes by method and path. A token needs one of them; `None` means that no token is needed.
pub type Operations = BTreeMap<(String, String), Option<BTreeSet<String>>>;

/// The example request of an operation.
pub struct Example {
    pub path_parameters: BTreeMap<String, String>,
    pub headers: Vec<(String, String)>,
    /// The parameters that have an example of their own.
    pub query: Vec<(String, String)>,
    /// A table is a text.
    pub body: Option<Value>,
}

impl Description {
    pub fn of(price_book: &PriceBook) -> Self {
        Self { document: describe(price_book), validators: Mutex::default() }
    }

    pub fn operations(&self) -> Operations {
        let paths = self.document["paths"].as_object().expect("paths");
        let operation = |(path, item): (&String, &Value)| {
            let described = METHODS.into_iter().filter_map(|method| Some((method, item.get(method)?)));
            let keyed = described.map(|(method, operation)| ((method.to_uppercase(), path.clone()), scopes(operation)));
            keyed.collect::<Vec<_>>()
        };
        paths.iter().flat_map(operation).collect()
    }

    /// The example request of an operation, with everything that is required.
    ///
    /// # Panics
    /// If a required parameter or body of an operation with a token has no example.
    pub fn example(&self, method: &str, path: &str) -> Example {
        let item = &self.document["paths"][path];
        let operation = &item[method.to_lowercase()];
        let is_open = scopes(operation).is_none();
        let example_of = |place: &Value, name: &str| {
            let example = first_example(place).map(|example| self.resolved(example).clone());
            let example = example.map(|example| example.get("value").cloned().unwrap_or(example));
            assert!(is_open || example.is_some(), "infra/openapi.yaml has no example of {name} of {method} {path}");
            example
        };
        let mut found = Example { path_parameters: BTreeMap::new(), headers: vec![], query: vec![], body: None };
        for parameters in [&item["parameters"], &operation["parameters"]] {
            for parameter in parameters.as_array().into_iter().flatten().map(|parameter| self.resolved(parameter)) {
                let name = parameter["name"].as_str().expect("a parameter has a name").to_owned();
                if parameter["in"] == "query" {
                    found.query.extend(parameter["example"].as_str().map(|example| (name, example.to_owned())));
                    continue;
                }
                if parameter["required"] == true
                    && let Some(Value::String(text)) = example_of(parameter, &name)
                {
                    match parameter["in"].as_str() {
                        Some("path") => _ = found.path_parameters.insert(name, text),
                        Some("header") => found.headers.push((name, text)),
                        other => panic!("{name} of {method} {path} is required in {other:?}"),
                    }
                }
            }
        }
        let body = &operation["requestBody"];
        if body.is_object() {
            let kind = if body["content"]["text/csv"].is_object() { "text/csv" } else { "application/json" };
            found.body = example_of(&body["content"][kind], "the body");
        }
        found
    }

    /// The statuses of an operation.
    pub fn statuses(&self, method: &str, path: &str) -> BTreeSet<u16> {
        let responses = self.document["paths"][path][method.to_lowercase()]["responses"].as_object();
        responses.expect("an operation has responses").keys().map(|status| status.parse().expect("a status")).collect()
    }

    /// Checks an answer against the description: its status, media type, headers, and every property of its body.
    /// Returns the path from the description, or `None` for a path that is not described.
    ///
    /// The description allows additional properties so that answers can grow, but those of today must all be described.
    #[track_caller]
    pub fn check(&self, method: &str, path: &str, sent: Option<&[u8]>, answer: &Answer) -> Option<String> {
        let path = self.described_path(method, path)?;
        let what = format!("{method} {path} {}", answer.status);
        let operation = &self.document["paths"][&path][method.to_lowercase()];
        let response = operation["responses"].get(answer.status.to_string());
        let response = self.resolved(response.unwrap_or_else(|| panic!("{what} is not described: {}", answer.text)));
        let is_described = |header: &str| response["headers"].get(header).is_some();
        assert_eq!(is_described("Idempotent-Replayed"), answer.is_replay, "{what}: Idempotent-Replayed");
        assert!(answer.location.is_none() || is_described("Location"), "{what}: Location");
        assert!(answer.retry_after.is_none() || is_described("Retry-After"), "{what}: Retry-After");
        self.check_body(&what, response, answer);
        if (200..300).contains(&answer.status) {
            self.check_request(&what, &operation["requestBody"], sent);
        }
        Some(path)
    }

    #[track_caller]
    fn check_body(&self, what: &str, response: &Value, answer: &Answer) {
        if answer.text.is_empty() {
            // A page of a table may have no row.
            let is_table = answer.content_type.starts_with("text/csv");
            assert!(
                response.get("content").is_none() || answer.status == 302 || is_table,
                "{what} is described with a body"
            );
            return;
        }
        let kind = answer.content_type.split(';').next().unwrap_or_default();
        let content = response["content"].get(kind);
        let content = content.unwrap_or_else(|| panic!("{what} is not described as {kind}: {}", answer.text));
        if kind.ends_with("json") {
            let body: Value = serde_json::from_str(&answer.text).expect("JSON");
            self.check_value(&format!("{what} {kind}"), || self.closed(&content["schema"]), &body);
        }
    }

    /// An accepted request must be valid according to the description.
    #[track_caller]
    fn check_request(&self, what: &str, described: &Value, sent: Option<&[u8]>) {
        let Some(Ok(body)) = sent.map(serde_json::from_slice::<Value>) else { return };
        let schema = &described["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{what} is described without a request body: {body}");
        self.check_value(&format!("{what}: the request"), || self.open(schema), &body);
    }

    #[track_caller]
    fn check_value(&self, what: &str, schema: impl FnOnce() -> Value, value: &Value) {
        let validator = {
            let mut validators = self.validators.lock().expect("no code panics while holding the lock");
            let validator = validators.entry(what.to_owned()).or_insert_with(|| Arc::new(validator(&schema())));
            Arc::clone(validator)
        };
        let errors: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{what} does not match the description: {errors:?} in {value}");
    }

    /// The most specific path in the description that matches a request's path.
    fn described_path(&self, method: &str, path: &str) -> Option<String> {
        let fits = |described: &&(String, String)| {
            let (wanted, given) = (described.1.split('/'), path.split('/'));
            described.0 == method
                && (wanted.clone().count() == given.clone().count()
                    || takes_the_rest(&described.1) && wanted.clone().count() < given.clone().count())
                && wanted
                    .zip(given)
                    .all(|(wanted, given)| wanted == given || (wanted.starts_with('{') && !given.is_empty()))
        };
        let operations = self.operations();
        operations.keys().filter(fits).min_by_key(|(_, path)| path.matches('{').count()).map(|(_, path)| path.clone())
    }

    fn resolved<'a>(&'a self, mut node: &'a Value) -> &'a Value {
        while let Some(reference) = node["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("references are local");
            node = self.document.pointer(pointer).unwrap_or_else(|| panic!("{reference} does not exist"));
        }
        node
    }

    /// The schema with its references resolved and without additional properties.
    fn closed(&self, schema: &Value) -> Value {
        let mut schema = self.followed(schema, Self::closed);
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("unevaluatedProperties".to_owned(), json!(false));
        }
        schema
    }

    /// The schema with its references resolved.
    fn open(&self, schema: &Value) -> Value {
        self.followed(schema, Self::open)
    }

    /// The parts of `allOf`, `oneOf` and `anyOf` stay open, because each also sees the properties of the others.
    fn followed(&self, schema: &Value, nested: fn(&Self, &Value) -> Value) -> Value {
        let Some(own) = schema.as_object() else { return schema.clone() };
        let mut merged = Map::new();
        if own.contains_key("$ref") {
            merged.extend(self.resolved(schema).as_object().expect("a schema").clone());
        }
        merged
            .extend(own.iter().filter(|(name, _)| *name != "$ref").map(|(name, value)| (name.clone(), value.clone())));
        for (name, value) in &mut merged {
            match (name.as_str(), &mut *value) {
                ("properties", Value::Object(properties)) => {
                    properties.values_mut().for_each(|property| *property = nested(self, property));
                }
                ("items", items) => *items = nested(self, items),
                ("allOf" | "oneOf" | "anyOf", Value::Array(parts)) => {
                    parts.iter_mut().for_each(|part| *part = self.followed(part, nested));
                }
                ("if" | "then" | "else" | "not", part) => *part = self.followed(part, Self::open),
                _ => {}
            }
        }
        Value::Object(merged)
    }
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).expect("a schema")
}

/// The pages' paths end with a parameter that takes everything behind it, which a description cannot say.
fn takes_the_rest(path: &str) -> bool {
    !path.starts_with("/v1/") && path.ends_with('}')
}

/// The example of a parameter or a body, or the first of several.
fn first_example(place: &Value) -> Option<&Value> {
    place.get("example").or_else(|| place["examples"].as_object()?.values().next())
}

/// Each security requirement is one scope, and they are alternatives.
fn scopes(operation: &Value) -> Option<BTreeSet<String>> {
    let requirements = operation["security"].as_array().expect("every operation has security requirements");
    let named = requirements.iter().map(|requirement| {
        let [Value::String(scope)] = &requirement["token"].as_array().expect("scopes")[..] else {
            panic!("one scope per alternative: {requirement}")
        };
        scope.clone()
    });
    (!requirements.is_empty()).then(|| named.collect())
}
