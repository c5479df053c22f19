//! The API's description, with the operations of a price book.
//!
//! `infra/openapi.yaml` describes the built-in book. Everything in it that depends on the book is written here again from
//! the book, and for the built-in one that changes nothing.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};
use shared::domain::{Measure, OperationPrice, PriceBook};

const YAML: &str = include_str!("../../openapi.yaml");

/// The description as JSON.
///
/// # Panics
/// If `infra/openapi.yaml` is not one YAML document of plain values.
pub fn describe(book: &PriceBook) -> Value {
    let documents = Yaml::load_from_str(YAML).expect("the description is YAML");
    let [document] = &documents[..] else { panic!("the description is one document") };
    let mut document = json_of(document);
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.retain(|name, _| !is_of_an_operation(name));
        schemas.extend(schemas_of(book));
    }
    if book.version.as_str() != PriceBook::REFERENCE_VERSION {
        // They show the operations and prices of the built-in book.
        remove_examples(&mut document);
    }
    document
}

/// What the API takes and returns for each operation, as the name of its schema, the schemas of the further properties,
/// and whether it has no others. Each is one schema for each operation, because code generators know no better way to
/// extend one of several.
const EXTENDED: [(&str, &[&str], bool); 3] = [
    ("ChargeRequest", &["ChargeFields"], true),
    ("BatchCharge", &["ChargeFields", "BatchFields"], true),
    ("QuotedOperation", &["QuotedFields"], false),
];

/// The operation alone. `OperationPrice` describes the book itself.
const OPERATION: &str = "Operation";

/// `ChargeRequest_dubbing`
fn name_of(kind: &str, operation: &OperationPrice) -> String {
    format!("{kind}_{}", operation.name)
}

fn is_of_an_operation(name: &str) -> bool {
    let mut kinds = EXTENDED.iter().map(|(kind, ..)| *kind).chain([OPERATION]);
    kinds.any(|kind| name.strip_prefix(kind).is_some_and(|operation| operation.starts_with('_')))
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

fn schemas_of(book: &PriceBook) -> Map<String, Value> {
    let names: Vec<_> = book.operations.iter().map(|operation| operation.name.as_str()).collect();
    let one = |operation: &OperationPrice| (name_of(OPERATION, operation), schema_of(operation));
    let mut schemas: Map<_, _> = book.operations.iter().map(one).collect();
    schemas.insert(OPERATION.into(), one_of(OPERATION, book));
    schemas.insert("OperationName".into(), json!({"type": "string", "enum": names}));
    for (kind, fields, is_closed) in EXTENDED {
        schemas.insert(kind.into(), one_of(kind, book));
        for operation in &book.operations {
            let parts = [name_of(OPERATION, operation)].into_iter().chain(fields.iter().map(|name| (*name).to_owned()));
            let mut schema = json!({"allOf": parts.map(|name| json!({"$ref": reference(&name)})).collect::<Vec<_>>()});
            if is_closed {
                schema["unevaluatedProperties"] = json!(false);
            }
            schemas.insert(name_of(kind, operation), schema);
        }
    }
    schemas
}

/// The schema of any operation, of one kind.
fn one_of(kind: &str, book: &PriceBook) -> Value {
    let any: Vec<_> =
        book.operations.iter().map(|operation| json!({"$ref": reference(&name_of(kind, operation))})).collect();
    let known = |operation: &OperationPrice| (operation.name.to_string(), json!(reference(&name_of(kind, operation))));
    let mapping: Map<_, _> = book.operations.iter().map(known).collect();
    json!({"oneOf": any, "discriminator": {"propertyName": "operation", "mapping": mapping}})
}

fn schema_of(operation: &OperationPrice) -> Value {
    let mut properties =
        Map::from_iter([("operation".to_owned(), json!({"type": "string", "const": operation.name.as_str()}))]);
    for measure in Measure::ALL {
        let amount = json!({
            "description": meaning(measure),
            "type": "integer",
            "minimum": operation.amount_min,
            "maximum": operation.amount_max,
        });
        let schema = if measure == operation.measure { amount } else { json!({"type": "null"}) };
        properties.insert(measure.name().to_owned(), schema);
    }
    json!({
        "description": operation.description,
        "type": "object",
        "required": ["operation", operation.measure.name()],
        "properties": properties,
    })
}

fn meaning(measure: Measure) -> &'static str {
    match measure {
        Measure::DurationMs => "Length of the audio in milliseconds.",
        Measure::MaxMinutes => "The most minutes that the operation may take; the charge is for all of them.",
        Measure::Quantity => "How many units of what the operation is measured in.",
    }
}

fn remove_examples(node: &mut Value) {
    match node {
        Value::Object(members) => {
            members.retain(|name, value| name != "example" && (name != "examples" || !value.is_object()));
            members.values_mut().for_each(remove_examples);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_examples),
        _ => {}
    }
}

fn json_of(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => items.iter().map(json_of).collect(),
        Yaml::Mapping(entries) => {
            let entry = |(name, value): (&Yaml<'_>, &Yaml<'_>)| {
                (name.as_str().expect("names are texts").to_owned(), json_of(value))
            };
            Value::Object(entries.iter().map(entry).collect())
        }
        other => panic!("the description has a node that is not a plain value: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::config::parse_price_book;

    #[test]
    fn the_description_of_the_built_in_book_is_the_one_in_the_repository() {
        let documents = Yaml::load_from_str(YAML).unwrap();
        assert_eq!(describe(&PriceBook::reference()), json_of(&documents[0]));
    }

    #[test]
    fn the_description_of_another_book_has_its_operations_and_no_others() {
        let book = r#"{"version":"7","operations":[
            {"operation":"speech","description":"Speech","measure":"quantity","credits_per_unit":1,"amount_max":5}]}"#;
        let described = describe(&parse_price_book(book).unwrap());
        let schemas = &described["components"]["schemas"];
        assert_eq!(schemas["OperationName"]["enum"], json!(["speech"]));
        assert_eq!(schemas["Operation_speech"]["properties"]["quantity"]["maximum"], 5);
        let text = described.to_string();
        assert!(!text.contains("dubbing") && !text.contains("training"), "{text}");
    }
}
