//! Event filtering for stream records, as in Lambda.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>. An unknown operator is an error when
//! the template is read, never a filter that accepts everything or nothing.

use serde_json::{Map, Value};

/// A record must match one of these patterns. Without patterns, every record passes.
#[derive(Clone, Debug, Default)]
pub struct FilterCriteria {
    patterns: Vec<Pattern>,
}

/// Why a pattern is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the filter pattern is wrong at {at}: {reason}")]
pub struct PatternError {
    at: String,
    reason: String,
}

#[derive(Clone, Debug)]
enum Pattern {
    /// Every field must match.
    Fields(Vec<(String, Pattern)>),
    /// One of the rules must match the leaf.
    Leaf(Vec<Rule>),
    /// One of the patterns must match (`$or`).
    Any(Vec<Pattern>),
    All(Vec<Pattern>),
}

#[derive(Clone, Debug)]
enum Rule {
    Equals(Value),
    EqualsIgnoringCase(String),
    Prefix(String),
    Suffix(String),
    Exists(bool),
    AnythingBut(Vec<Rule>),
    Numeric(Vec<(Comparison, f64)>),
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl FilterCriteria {
    /// # Errors
    /// If Lambda does not document the pattern.
    pub fn add(&mut self, pattern: &Value) -> Result<(), PatternError> {
        let Value::Object(fields) = pattern else { return Err(wrong("the top", "a pattern must be an object")) };
        self.patterns.push(parse_fields(fields, "")?);
        Ok(())
    }

    #[must_use]
    pub fn matches(&self, record: &Value) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(Some(record)))
    }
}

fn wrong(at: &str, reason: impl Into<String>) -> PatternError {
    PatternError { at: at.to_owned(), reason: reason.into() }
}

fn parse_fields(fields: &Map<String, Value>, path: &str) -> Result<Pattern, PatternError> {
    let mut plain = Vec::new();
    let mut alternatives = None;
    for (name, value) in fields {
        let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            Value::Array(options) if name == "$or" => {
                let options = options.iter().map(|option| match option {
                    Value::Object(fields) => parse_fields(fields, &at),
                    _ => Err(wrong(&at, "$or needs objects")),
                });
                alternatives = Some(Pattern::Any(options.collect::<Result<_, _>>()?));
            }
            Value::Object(inner) => plain.push((name.clone(), parse_fields(inner, &at)?)),
            Value::Array(rules) if !rules.is_empty() => {
                let rules = rules.iter().map(|rule| parse_rule(rule, &at)).collect::<Result<_, _>>()?;
                plain.push((name.clone(), Pattern::Leaf(rules)));
            }
            _ => return Err(wrong(&at, "a value must be in a non-empty list")),
        }
    }
    let plain = Pattern::Fields(plain);
    Ok(alternatives.map_or_else(|| plain.clone(), |alternatives| Pattern::All(vec![plain.clone(), alternatives])))
}

fn parse_rule(rule: &Value, at: &str) -> Result<Rule, PatternError> {
    let Value::Object(operator) = rule else {
        return match rule {
            Value::Array(_) => Err(wrong(at, "a list within a list")),
            exact => Ok(Rule::Equals(exact.clone())),
        };
    };
    let mut entries = operator.iter();
    let (Some((name, argument)), None) = (entries.next(), entries.next()) else {
        return Err(wrong(at, "only one operator is allowed here"));
    };
    let text = || argument.as_str().map(str::to_owned).ok_or_else(|| wrong(at, format!("{name} needs a string")));
    match name.as_str() {
        "prefix" => text().map(Rule::Prefix),
        "suffix" => text().map(Rule::Suffix),
        "equals-ignore-case" => text().map(Rule::EqualsIgnoringCase),
        "exists" => argument.as_bool().map(Rule::Exists).ok_or_else(|| wrong(at, "exists needs true or false")),
        "anything-but" => match argument {
            Value::Array(values) => values.iter().map(|value| parse_rule(value, at)).collect::<Result<_, _>>(),
            one => parse_rule(one, at).map(|rule| vec![rule]),
        }
        .map(Rule::AnythingBut),
        "numeric" => parse_numeric(argument, at).map(Rule::Numeric),
        other => Err(wrong(at, format!("operator {other} is not known"))),
    }
}

fn parse_numeric(argument: &Value, at: &str) -> Result<Vec<(Comparison, f64)>, PatternError> {
    let malformed = || wrong(at, "numeric needs pairs of a comparison and a number");
    let parts = argument.as_array().filter(|parts| !parts.is_empty() && parts.len() % 2 == 0).ok_or_else(malformed)?;
    let pair = |pair: &[Value]| {
        let comparison = match pair[0].as_str()? {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        Some((comparison, pair[1].as_f64()?))
    };
    parts.chunks_exact(2).map(|chunk| pair(chunk).ok_or_else(malformed)).collect()
}

impl Pattern {
    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Fields(fields) => fields.iter().all(|(name, pattern)| match value {
                // A list matches if any of its elements matches.
                Some(Value::Array(items)) => items.iter().any(|item| pattern.matches(item.get(name))),
                other => pattern.matches(other.and_then(|value| value.get(name))),
            }),
            Self::Leaf(rules) => rules.iter().any(|rule| match value {
                Some(Value::Array(items)) => match rule {
                    Rule::Exists(wanted) => *wanted,
                    _ => items.iter().any(|item| rule.matches(Some(item))),
                },
                other => rule.matches(other),
            }),
            Self::Any(options) => options.iter().any(|option| option.matches(value)),
            Self::All(all) => all.iter().all(|pattern| pattern.matches(value)),
        }
    }
}

impl Rule {
    fn matches(&self, value: Option<&Value>) -> bool {
        // Only leaves count: a map in the field is not a value of it.
        let leaf = value.filter(|value| !value.is_object());
        let text = leaf.and_then(Value::as_str);
        match self {
            Self::Exists(wanted) => leaf.is_some() == *wanted,
            Self::Equals(expected) => leaf.is_some_and(|value| equal(value, expected)),
            Self::EqualsIgnoringCase(expected) => {
                text.is_some_and(|text| text.to_lowercase() == expected.to_lowercase())
            }
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Self::AnythingBut(rules) => leaf.is_some() && !rules.iter().any(|rule| rule.matches(leaf)),
            // DynamoDB writes numbers as strings, so as in AWS, this never matches an attribute's N.
            Self::Numeric(comparisons) => leaf
                .and_then(Value::as_f64)
                .is_some_and(|number| comparisons.iter().all(|(comparison, bound)| comparison.holds(number, *bound))),
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number.total_cmp(&bound).is_eq(),
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

fn equal(value: &Value, expected: &Value) -> bool {
    match (value.as_f64(), expected.as_f64()) {
        (Some(value), Some(expected)) => value.total_cmp(&expected).is_eq(),
        _ => value == expected,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passes(pattern: Value, record: &Value) -> bool {
        let mut criteria = FilterCriteria::default();
        criteria.add(&pattern).unwrap();
        criteria.matches(record)
    }

    #[test]
    fn each_operator_passes_what_it_should_and_nothing_else() {
        let record = json!({
            "eventName": "INSERT",
            "size": 26,
            "dynamodb": {
                "Keys": { "PK": { "S": "ACCOUNT#1" }, "SK": { "S": "NOTICE#7" } },
                "NewImage": { "state": { "S": "Open" }, "amount": { "N": "10" }, "empty": { "S": "" } },
            },
        });
        for (pattern, expected) in [
            (json!({ "eventName": ["INSERT", "MODIFY"] }), true),
            (json!({ "eventName": ["REMOVE"] }), false),
            (json!({ "eventName": ["INSERT"], "size": [27] }), false),
            (json!({ "dynamodb": { "Keys": { "SK": { "S": [{ "prefix": "NOTICE#" }] } } } }), true),
            (json!({ "dynamodb": { "Keys": { "SK": { "S": [{ "prefix": "ENTRY#" }] } } } }), false),
            (json!({ "dynamodb": { "Keys": { "SK": { "S": [{ "suffix": "#7" }] } } } }), true),
            (json!({ "dynamodb": { "NewImage": { "state": { "S": [{ "equals-ignore-case": "oPEN" }] } } } }), true),
            (
                json!({ "dynamodb": { "NewImage": { "state": { "S": [{ "anything-but": ["Open", "Shut"] }] } } } }),
                false,
            ),
            (
                json!({ "dynamodb": { "NewImage": { "state": { "S": [{ "anything-but": { "prefix": "Sh" } }] } } } }),
                true,
            ),
            (json!({ "dynamodb": { "NewImage": { "missing": { "S": [{ "anything-but": ["x"] }] } } } }), false),
            (json!({ "dynamodb": { "NewImage": { "state": { "S": [{ "exists": true }] } } } }), true),
            (json!({ "dynamodb": { "OldImage": { "state": { "S": [{ "exists": false }] } } } }), true),
            (json!({ "dynamodb": { "NewImage": { "state": [{ "exists": true }] } } }), false),
            (json!({ "dynamodb": { "NewImage": { "empty": { "S": [""] } } } }), true),
            (json!({ "size": [{ "numeric": [">", 0, "<=", 26] }] }), true),
            (json!({ "size": [{ "numeric": ["=", 26.0] }] }), true),
            (json!({ "size": [{ "numeric": [">=", 27] }] }), false),
            (json!({ "dynamodb": { "NewImage": { "amount": { "N": [{ "numeric": [">", 1] }] } } } }), false),
            (json!({ "dynamodb": { "NewImage": { "amount": { "N": ["10"] } } } }), true),
            (json!({ "$or": [{ "size": [1] }, { "eventName": ["INSERT"] }] }), true),
            (json!({ "size": [1], "$or": [{ "eventName": ["INSERT"] }] }), false),
        ] {
            assert_eq!(passes(pattern.clone(), &record), expected, "{pattern}");
        }
    }

    #[test]
    fn one_of_several_patterns_is_enough_and_none_lets_all_pass() {
        let mut criteria = FilterCriteria::default();
        assert!(criteria.matches(&json!({})));
        criteria.add(&json!({ "eventName": ["INSERT"] })).unwrap();
        criteria.add(&json!({ "eventName": ["REMOVE"] })).unwrap();
        assert!(criteria.matches(&json!({ "eventName": "REMOVE" })));
        assert!(!criteria.matches(&json!({ "eventName": "MODIFY" })));
    }

    #[test]
    fn what_lambda_does_not_document_is_refused_with_its_place() {
        for pattern in [
            json!({ "a": { "b": [{ "regex": "x" }] } }),
            json!({ "a": { "b": "x" } }),
            json!({ "a": { "b": [] } }),
            json!({ "a": { "b": [{ "numeric": ["<"] }] } }),
        ] {
            let error = FilterCriteria::default().add(&pattern).unwrap_err();
            assert_eq!(error.at, "a.b", "{pattern}");
        }
    }
}
