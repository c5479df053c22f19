//! The keys of forms that move money: made with the page, so that a form that is sent again has no second effect.

use crate::{App, Outside};
use shared::domain::IdempotencyKey;
use shared::http::{Parameters, Problem};
use shared::ports::IdGenerator;

/// A key for the forms of one page.
pub fn new_key<O: Outside>(app: &App<O>) -> String {
    format!("portal-{:032x}", app.context.ids.unpredictable())
}

/// The key that the page was made with: however often its form is sent, its effect happens once.
pub fn form_key(fields: &mut Parameters) -> Option<IdempotencyKey> {
    fields.optional("key", "the key of the form", |key| IdempotencyKey::parse(key).ok())
}

/// The key of one choice on a page: two buttons of one page are two requests, and one that is pressed twice is one.
///
/// # Errors
/// Never in practice: the parts are short ids.
pub fn key_for(key: &IdempotencyKey, parts: &[&str]) -> Result<IdempotencyKey, Problem> {
    IdempotencyKey::parse(format!("{key}-{}", parts.join("-"))).map_err(Problem::internal)
}
