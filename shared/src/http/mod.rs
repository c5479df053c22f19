//! HTTP at the border: routes, callers, bodies, responses. This is the only place that knows status codes.

mod accept;
mod access;
pub mod bodies;
mod body;
mod caller;
mod csv;
mod field_error;
mod fields;
mod page;
mod problem;
mod rate_limiter;
mod reply;
mod route;
mod serve;

pub use accept::{wants_csv, wants_html};
pub use access::{Access, CUSTOMER_SCOPE, ReachedAccount, SERVICE_SCOPE, SUPPORT_SCOPE};
pub use body::{BODY_BYTES_MAX, no_query, parse_body, parse_body_within, parse_form, parse_optional_body, parse_query};
pub use caller::{Caller, Scopes};
pub use csv::{Cell, Columns, CsvLine, CsvTable, parse_csv, query_with_cursor};
pub use field_error::FieldError;
pub use fields::{Element, Fields, Parameters, SPENDER, an_integer, boolean, integer, text, words};
pub use page::{Limits, Page};
pub use problem::{Problem, status_of};
pub use rate_limiter::AccountRateLimiter;
pub use reply::{Reply, log, request_id, respond};
pub use route::{Found, Route, api_address, find_page, find_route, idempotency_key};
pub use serve::{serve, serve_and_then};

use jiff::Timestamp;

/// An instant as responses show it: RFC 3339 in UTC, to the millisecond.
pub fn time(instant: Timestamp) -> String {
    format!("{instant:.3}")
}
