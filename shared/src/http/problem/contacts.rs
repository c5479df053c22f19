//! The problems for contacts that cannot be replaced.

use super::Problem;
use crate::domain::contacts::{ASKS_PER_DAY_MAX, ContactsRefusal, TooManyAsked};
use crate::http::time;
use crate::use_cases::accounts::ContactsError;

impl From<ContactsError> for Problem {
    fn from(error: ContactsError) -> Self {
        match error {
            ContactsError::NotFound(error) => error.into(),
            ContactsError::Refused(ContactsRefusal::Closed(closed)) => closed.into(),
            ContactsError::Refused(ContactsRefusal::TooManyAsked(TooManyAsked { now, possible_at })) => {
                let seconds = possible_at.duration_since(now).as_secs().max(0).saturating_add(1);
                let detail = format!(
                    "At most {ASKS_PER_DAY_MAX} confirmations are sent for one account within a day. Nothing was changed."
                );
                let problem = Self::new(429, "too_many_confirmations", "Too many confirmations", detail);
                let problem = problem.with("possible_at", time(possible_at));
                Self { retry_after_seconds: Some(u32::try_from(seconds).unwrap_or(u32::MAX)), ..problem }
            }
            ContactsError::Store(error) => error.into(),
        }
    }
}
