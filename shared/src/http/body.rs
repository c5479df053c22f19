//! Request bodies and queries: parsed once, with errors that name the fields and their ranges.

use super::{Fields, Parameters, Problem};
use lambda_http::Request;
use lambda_http::aws_lambda_events::query_map::QueryMap;

/// The largest body that most routes read. The largest realistic one, a quote of 100 operations, has 10 KB.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// The largest form. The fields of ours have a few hundred bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// Parses the body's JSON object with `read`.
///
/// # Errors
/// A 413 for a body that is too large, a 400 if it is not a JSON object, a 422 that names every invalid field.
pub fn parse_body<'json, T>(
    request: &'json Request,
    read: impl FnOnce(&mut Fields<'json>) -> Option<T>,
) -> Result<T, Problem> {
    parse_body_within(BODY_BYTES_MAX, request, read)
}

/// The same for a route with another limit.
///
/// # Errors
/// As [`parse_body`].
pub fn parse_body_within<'json, T>(
    bytes_max: usize,
    request: &'json Request,
    read: impl FnOnce(&mut Fields<'json>) -> Option<T>,
) -> Result<T, Problem> {
    parse_json(bytes_max, request.body().as_ref(), read)
}

/// The same for a request that needs no body: none means an empty object.
///
/// # Errors
/// As [`parse_body`].
pub fn parse_optional_body<T>(
    request: &Request,
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, Problem> {
    let body: &[u8] = request.body().as_ref();
    parse_json(BODY_BYTES_MAX, if body.is_empty() { b"{}" } else { body }, read)
}

fn parse_json<'json, T>(
    bytes_max: usize,
    body: &'json [u8],
    read: impl FnOnce(&mut Fields<'json>) -> Option<T>,
) -> Result<T, Problem> {
    if body.len() > bytes_max {
        return Err(Problem::body_too_large(bytes_max));
    }
    let json = std::str::from_utf8(body).map_err(|_| Problem::malformed_body())?;
    let mut fields = Fields::parse(String::new(), json).ok_or_else(Problem::malformed_body)?;
    let value = read(&mut fields);
    fields.finish(value)
}

/// Parses the query's parameters with `read`.
///
/// # Errors
/// A 422 that names every parameter that is invalid, unknown or repeated.
pub fn parse_query<T>(request: &Request, read: impl FnOnce(&mut Parameters) -> T) -> Result<T, Problem> {
    parse_pairs(request.uri().query().unwrap_or_default(), read)
}

/// Parses the fields of a form that a browser sent, with `read`.
///
/// # Errors
/// A 413 for a body that is too large, a 422 that names every field that is invalid, unknown or repeated.
pub fn parse_form<T>(request: &Request, read: impl FnOnce(&mut Parameters) -> T) -> Result<T, Problem> {
    let body: &[u8] = request.body().as_ref();
    if body.len() > FORM_BYTES_MAX {
        return Err(Problem::body_too_large(FORM_BYTES_MAX));
    }
    parse_pairs(std::str::from_utf8(body).map_err(|_| Problem::malformed_body())?, read)
}

fn parse_pairs<T>(encoded: &str, read: impl FnOnce(&mut Parameters) -> T) -> Result<T, Problem> {
    let Ok(query) = encoded.parse::<QueryMap>();
    let mut pairs: Vec<_> = query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // The map has no order, and the same request must get the same answer.
    pairs.sort();
    let mut parameters = Parameters::new(pairs);
    let value = read(&mut parameters);
    parameters.finish(value)
}

/// For a route that takes no query parameters.
///
/// # Errors
/// A 422 that names every parameter.
pub fn no_query(request: &Request) -> Result<(), Problem> {
    parse_query(request, |_| ())
}

#[cfg(test)]
mod tests {
    use super::super::fields::{an_integer, integer, text};
    use super::*;
    use crate::domain::AccountId;

    const AMOUNT: std::ops::RangeInclusive<i64> = 1..=9;

    fn amount(fields: &mut Fields<'_>) -> Option<i64> {
        fields.required("amount", an_integer(&AMOUNT), integer(&AMOUNT))
    }

    fn order(fields: &mut Fields<'_>) -> Option<(String, Vec<i64>)> {
        let account = fields.required("account", "a name", text(AccountId::parse));
        let lines = fields.objects("lines", 1..=2, amount);
        Some((account?.as_str().to_owned(), lines?))
    }

    fn request(body: impl Into<lambda_http::Body>) -> Request {
        Request::new(body.into())
    }

    /// The fields that a problem names, with the error of each.
    fn told(problem: &Problem) -> Vec<(String, String)> {
        let body = problem.to_json("r");
        let errors = body["errors"].as_array().unwrap().iter();
        let text = |error: &serde_json::Value, name: &str| error[name].as_str().unwrap().to_owned();
        errors.map(|error| (text(error, "field"), text(error, "message"))).collect()
    }

    /// R22: what is not an object is malformed, whatever else is wrong with it.
    #[test]
    fn what_is_not_a_json_object_is_malformed() {
        for body in ["", "{", r#"{"amount":1}x"#, "\u{0}", "null", "[]", r#""x""#, "1", "true", "[1]"] {
            assert_eq!(parse_body(&request(body), amount).unwrap_err().status(), 400, "{body:?}");
        }
        assert_eq!(parse_body(&request(vec![0xff]), amount).unwrap_err().status(), 400);
        assert_eq!(parse_body(&request(r#" {"amount": 9} "#), amount).unwrap(), 9);
        for (body, expected) in [("", Ok(None)), ("{}", Ok(None)), (r#"{"amount":9}"#, Ok(Some(9))), ("[]", Err(400))] {
            let read = |fields: &mut Fields<'_>| Some(fields.optional("amount", "", integer(&AMOUNT)));
            assert_eq!(parse_optional_body(&request(body), read).map_err(|problem| problem.status()), expected);
        }
    }

    /// R20, R21: every invalid field is named by its path, in plain words.
    #[test]
    fn everything_that_is_wrong_is_told_together() {
        let integer = "must be an integer from 1 to 9";
        for (body, expected) in [
            (r#"{"amount":"1"}"#, vec![("amount", integer)]),
            (r#"{"amount":1.5}"#, vec![("amount", integer)]),
            (r#"{"amount":1.0}"#, vec![("amount", integer)]),
            (r#"{"amount":10}"#, vec![("amount", integer)]),
            (r#"{"amount":99999999999999999999}"#, vec![("amount", integer)]),
            (r#"{"amount":1e999}"#, vec![("amount", integer)]),
            (r#"{"amount":[1]}"#, vec![("amount", integer)]),
            ("{}", vec![("amount", "is required: an integer from 1 to 9")]),
            (r#"{"amount":null}"#, vec![("amount", "is required: an integer from 1 to 9")]),
            (r#"{"amount":1,"amount":2}"#, vec![("amount", "must be sent once")]),
            (r#"{"amount":1,"\u0061mount":1}"#, vec![("amount", "must be sent once")]),
            (
                r#"{"amount":0,"x":2,"":{}}"#,
                vec![("amount", integer), ("x", "is not known here"), ("", "is not known here")],
            ),
        ] {
            let problem = parse_body(&request(body), amount).unwrap_err();
            let expected = expected.into_iter().map(|(field, message)| (field.to_owned(), message.to_owned()));
            assert_eq!((problem.status(), told(&problem)), (422, expected.collect()), "{body}");
        }
    }

    /// R20: what is wrong within another field is named by its path.
    #[test]
    fn what_is_nested_is_named_by_its_place() {
        let good = r#"{"account":"a","lines":[{"amount":1},{"amount":2}]}"#;
        assert_eq!(parse_body(&request(good), order).unwrap(), ("a".to_owned(), vec![1, 2]));
        for (body, expected) in [
            (r#"{"lines":[{"amount":1},{"amount":0}]}"#, vec!["account", "lines[1].amount"]),
            (r#"{"account":"a","lines":[{},{"amount":1,"x":1}]}"#, vec!["lines[0].amount", "lines[1].x"]),
            (r#"{"account":"a","lines":[[1]]}"#, vec!["lines[0]"]),
            (r#"{"account":"a","lines":[null]}"#, vec!["lines[0]"]),
            (r#"{"account":"a","lines":[]}"#, vec!["lines"]),
            (r#"{"account":"a","lines":{"amount":1}}"#, vec!["lines"]),
            (r#"{"account":"a"}"#, vec!["lines"]),
        ] {
            let problem = parse_body(&request(body), order).unwrap_err();
            let named: Vec<String> = told(&problem).into_iter().map(|(field, _)| field).collect();
            assert_eq!(named, expected, "{body}");
        }
    }

    /// R19: an error quotes at most 64 characters of what was sent.
    #[test]
    fn an_answer_stays_small_whatever_was_sent() {
        let long = format!(r#"{{"amount":1,"{}":1}}"#, "ö".repeat(100_000));
        let [(field, _)] = &told(&parse_body(&request(long), amount).unwrap_err())[..] else { panic!("one field") };
        assert_eq!((field.chars().count(), field.chars().last()), (64, Some('…')));
        let names: Vec<String> = (0..20_000).map(|name| format!(r#""{name}":1"#)).collect();
        let problem = parse_body(&request(format!("{{{}}}", names.join(","))), amount).unwrap_err();
        assert_eq!(told(&problem).len(), 1_000);
        let spaces = |count: usize| format!("{}{{\"amount\":1}}", " ".repeat(count - 12));
        assert_eq!(parse_body(&request(spaces(BODY_BYTES_MAX)), amount).unwrap(), 1);
        assert_eq!(parse_body(&request(spaces(BODY_BYTES_MAX + 1)), amount).unwrap_err().status(), 413);
    }

    fn asked(query: &str) -> Result<Option<i64>, Vec<(String, String)>> {
        let mut request = Request::default();
        *request.uri_mut() = format!("/?{query}").parse().unwrap();
        parse_query(&request, |query| query.integer("limit", 1..=100)).map_err(|problem| {
            assert_eq!(problem.status(), 422);
            told(&problem)
        })
    }

    #[test]
    fn a_number_in_the_query_has_one_form_and_a_range() {
        for (query, value) in [("", None), ("limit=1", Some(1)), ("limit=100", Some(100))] {
            assert_eq!(asked(query), Ok(value), "{query}");
        }
        for value in ["", "0", "101", "%2B5", "05", "-5", "5.0", "5%20", "x"] {
            let expected = ("limit".to_owned(), "must be an integer from 1 to 100".to_owned());
            assert_eq!(asked(&format!("limit={value}")), Err(vec![expected]), "{value}");
        }
    }

    /// R26: a misspelled parameter is not ignored, and a repeated parameter is not reduced to its first value.
    #[test]
    fn a_parameter_that_is_unknown_or_there_twice_is_named() {
        let unknown = "is not a parameter of this request";
        for (query, expected) in [
            ("limt=5", vec![("limt", unknown)]),
            ("Limit=5", vec![("Limit", unknown)]),
            ("limit=5&limit=7", vec![("limit", "must be sent once")]),
            ("limit=5&limit=5", vec![("limit", "must be sent once")]),
            ("limit=0&x", vec![("limit", "must be an integer from 1 to 100"), ("x", unknown)]),
        ] {
            let expected = expected.into_iter().map(|(name, message)| (name.to_owned(), message.to_owned()));
            assert_eq!(asked(query), Err(expected.collect()), "{query}");
        }
    }
}
