//! The problems for a day whose liability cannot be shown.

use super::Problem;
use crate::http::time;
use crate::use_cases::liability::LiabilityError;

impl From<LiabilityError> for Problem {
    fn from(error: LiabilityError) -> Self {
        match error {
            LiabilityError::BeforeFirst { first } => {
                let detail = format!("Days before {first} are not counted.");
                Self::new(404, "not_found", "Not found", detail).with("first_day", first.to_string())
            }
            LiabilityError::NotClosed { closes_at } => {
                let detail =
                    "The day is not closed yet. It is closed half an hour after its end (UTC) or some time later.";
                let problem = Self::new(409, "day_not_closed", "Day not closed", detail);
                match closes_at {
                    Some(closes_at) => problem.with("closes_at", time(closes_at)),
                    None => problem,
                }
            }
            LiabilityError::Missing { .. } => Self::internal(error),
            LiabilityError::Ledger(error) => error.into(),
        }
    }
}
