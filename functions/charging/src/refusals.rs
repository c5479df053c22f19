//! Which refusals are kept, and what of them.

use crate::{App, Outside};
use shared::domain::AccountId;
use shared::domain::charging::{ChargeCommand, RefusedBecause, RefusedRequest};
use shared::http::Problem;
use shared::use_cases::charging::ChargeError;

/// The problem that a charge is answered with. A refusal is kept; other problems say what is wrong with the request, or
/// that it should be sent again.
pub fn problem_of<O: Outside>(
    app: &App<O>,
    account: &AccountId,
    command: &ChargeCommand,
    error: ChargeError,
) -> Problem {
    let (because, limit) = (error.refused_because(), error.limit_reached());
    let problem = Problem::from(error);
    if let Some(because) = because {
        let refused = RefusedRequest::of(command, because, problem.detail(), app.context.now()).limited_by(limit);
        app.refusals.keep(account, refused);
    }
    problem
}

/// Answers 429 for an account that is over its rate. That is counted in memory, so that the refusal stays as cheap as it
/// is: nothing of the request was read yet.
pub fn admit<O: Outside>(app: &App<O>, account: &AccountId) -> Result<(), Problem> {
    let now = app.context.now();
    let admitted = app.limiter.admit(account, now);
    if admitted.is_err() {
        app.refusals.count(account, RefusedBecause::TooManyRequests, now);
    }
    admitted
}
