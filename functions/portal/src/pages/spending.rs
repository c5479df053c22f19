//! The customer's own stop.

use super::layout::Done;
use crate::visitor::Visitor;
use crate::{App, Outside};
use lambda_http::Request;
use shared::http::{Problem, Reply};
use shared::use_cases::accounts::set_spending;

/// Stops spending, or allows it again.
pub async fn post<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let is_stopped = visitor.form(request, |fields| {
        fields.optional("spending", "stopped or allowed", |word| match word.as_str() {
            "stopped" => Some(true),
            "allowed" => Some(false),
            _ => None,
        })
    })?;
    let is_stopped = is_stopped.ok_or_else(Problem::foreign_form)?;
    set_spending(&app.context, &visitor.account.id, is_stopped, &visitor.actor()?).await?;
    if is_stopped { Done::SpendingStopped } else { Done::SpendingAllowed }.then("/portal/overview")
}
