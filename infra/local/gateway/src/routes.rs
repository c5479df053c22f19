//! Finds the route of a request.
//!
//! API Gateway chooses the most specific match: the full path, then `{parameter}`s, then a greedy `{proxy+}`, then
//! `$default`. Of two routes with the same path, a named method comes before `ANY`.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode_str;

use crate::template::Route;

/// A route's path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutePath {
    /// `$default`: everything that no other route matches.
    Default,
    Segments(Vec<Segment>),
}

/// One part of a path between slashes, ordered from the most to the least specific.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    Literal(String),
    Parameter(String),
    /// The rest of the path, one or more segments.
    Greedy(String),
}

impl RoutePath {
    /// Parses `/pets/{id}/{proxy+}` or `$default`.
    ///
    /// # Errors
    /// What is wrong with the path.
    pub fn parse(path: &str) -> Result<Self, String> {
        if path == "$default" {
            return Ok(Self::Default);
        }
        let Some(rest) = path.strip_prefix('/') else { return Err(format!("the path {path} does not start with /")) };
        let segments: Vec<_> = rest.split('/').map(Segment::parse).collect();
        let last = segments.len() - 1;
        if segments.iter().take(last).any(|segment| matches!(segment, Segment::Greedy(_))) {
            return Err(format!("{path}: a greedy parameter must be at the end"));
        }
        Ok(Self::Segments(segments))
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Self::Greedy(name.to_owned()),
                None => Self::Parameter(name.to_owned()),
            },
            None => Self::Literal(text.to_owned()),
        }
    }

    fn specificity(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Parameter(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("$default"),
            Self::Segments(segments) => segments.iter().try_for_each(|segment| match segment {
                Segment::Literal(text) => write!(formatter, "/{text}"),
                Segment::Parameter(name) => write!(formatter, "/{{{name}}}"),
                Segment::Greedy(name) => write!(formatter, "/{{{name}+}}"),
            }),
        }
    }
}

/// A matching route, with the decoded values of its path parameters.
pub(crate) struct Match<'a> {
    pub route: &'a Route,
    pub path_parameters: BTreeMap<String, String>,
}

/// The most specific route for a request, if there is one.
pub(crate) fn find<'a>(routes: &'a [Route], method: &str, path: &str) -> Option<Match<'a>> {
    routes
        .iter()
        .filter(|route| route.method == method || route.method == "ANY")
        .filter_map(|route| Some(Match { route, path_parameters: parameters(&route.path, path)? }))
        .min_by(|left, right| compare(left.route, right.route))
}

fn parameters(template: &RoutePath, path: &str) -> Option<BTreeMap<String, String>> {
    let RoutePath::Segments(segments) = template else { return Some(BTreeMap::new()) };
    let mut rest = Some(path.strip_prefix('/')?);
    let mut parameters = BTreeMap::new();
    for segment in segments {
        let remaining = rest?;
        let (head, tail) = match remaining.split_once('/') {
            Some((head, tail)) => (head, Some(tail)),
            None => (remaining, None),
        };
        match segment {
            Segment::Literal(text) if *text == decoded(head) => {}
            Segment::Parameter(name) if !head.is_empty() => _ = parameters.insert(name.clone(), decoded(head)),
            Segment::Greedy(name) if !remaining.is_empty() => {
                parameters.insert(name.clone(), decoded(remaining));
                return Some(parameters);
            }
            _ => return None,
        }
        rest = tail;
    }
    rest.is_none().then_some(parameters)
}

/// API Gateway decodes percent-encoded characters in the path.
pub(crate) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn compare(left: &Route, right: &Route) -> Ordering {
    let path = match (&left.path, &right.path) {
        (RoutePath::Default, RoutePath::Default) => Ordering::Equal,
        (RoutePath::Default, _) => Ordering::Greater,
        (_, RoutePath::Default) => Ordering::Less,
        (RoutePath::Segments(left), RoutePath::Segments(right)) => {
            left.iter().map(Segment::specificity).cmp(right.iter().map(Segment::specificity))
        }
    };
    path.then_with(|| (left.method == "ANY").cmp(&(right.method == "ANY")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(keys: &[&str]) -> Vec<Route> {
        keys.iter()
            .map(|key| {
                let (method, path) = key.split_once(' ').unwrap_or(("ANY", "$default"));
                Route {
                    method: method.to_owned(),
                    path: RoutePath::parse(path).unwrap(),
                    function: String::new(),
                    authorizer: None,
                    scopes: Vec::new(),
                }
            })
            .collect()
    }

    fn taken(keys: &[&str], method: &str, path: &str) -> Option<String> {
        find(&routes(keys), method, path).map(|found| found.route.key())
    }

    #[test]
    fn the_most_specific_route_is_taken() {
        let keys = ["GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default"];
        for (method, path, route) in [
            ("GET", "/pets/dog/1", "GET /pets/dog/1"),
            ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
            ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
            ("POST", "/pets/dog/1", "ANY /{proxy+}"),
            ("GET", "/", "$default"),
        ] {
            assert_eq!(taken(&keys, method, path).as_deref(), Some(route), "{method} {path}");
        }
    }

    #[test]
    fn a_named_method_wins_over_any_of_the_same_path_only() {
        let keys = ["ANY /pets/{id}", "GET /pets/{name}", "GET /{proxy+}"];
        assert_eq!(taken(&keys, "GET", "/pets/1").as_deref(), Some("GET /pets/{name}"));
        assert_eq!(taken(&keys, "DELETE", "/pets/1").as_deref(), Some("ANY /pets/{id}"));
    }

    #[test]
    fn nothing_matches_what_the_template_does_not_say() {
        let keys = ["GET /pets", "GET /pets/{id}", "GET /files/{path+}"];
        for (method, path) in [
            ("POST", "/pets"),
            ("GET", "/pets/"),
            ("GET", "/pets/1/2"),
            ("GET", "/files"),
            ("GET", "/files/"),
            ("GET", "/"),
        ] {
            assert_eq!(taken(&keys, method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn path_parameters_are_decoded_and_a_greedy_one_takes_the_rest() {
        let routes = routes(&["GET /a/{id}/{rest+}"]);
        let found = find(&routes, "GET", "/a/one%20two/x/y%2Fz").unwrap();
        let expected = BTreeMap::from([("id".into(), "one two".into()), ("rest".into(), "x/y/z".into())]);
        assert_eq!(found.path_parameters, expected);
    }

    #[test]
    fn a_greedy_parameter_before_the_end_is_refused() {
        assert!(RoutePath::parse("/a/{rest+}/b").is_err());
        assert!(RoutePath::parse("a").is_err());
    }
}
