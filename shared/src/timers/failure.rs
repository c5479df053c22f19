//! What a failed call to EventBridge Scheduler means for the timer.

use crate::aws::is_temporary;
use crate::ports::TimersError;
use aws_sdk_scheduler::error::{BuildError, SdkError};
use aws_sdk_scheduler::operation::create_schedule::CreateScheduleError;

pub(super) fn to_timers_error(error: SdkError<CreateScheduleError>) -> TimersError {
    match is_temporary(&error, classify) {
        true => TimersError::Unavailable(error.into()),
        false => TimersError::Rejected(error.into()),
    }
}

pub(super) fn refused_before_sending(error: BuildError) -> TimersError {
    TimersError::Rejected(error.into())
}

/// Whether a retry may set the same timer, or it may be set already.
fn classify(error: &CreateScheduleError) -> Option<bool> {
    match error {
        CreateScheduleError::InternalServerException(_) | CreateScheduleError::ThrottlingException(_) => Some(true),
        // The limit on the number of schedules. Finished schedules are deleted, but a retry does not speed that up.
        CreateScheduleError::ServiceQuotaExceededException(_)
        | CreateScheduleError::ConflictException(_)
        | CreateScheduleError::ResourceNotFoundException(_)
        | CreateScheduleError::ValidationException(_) => Some(false),
        _ => None,
    }
}
