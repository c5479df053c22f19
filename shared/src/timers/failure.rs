//! What a failed call to EventBridge Scheduler means for the timer.

use crate::aws::is_temporary;
use crate::ports::TimersError;
use aws_sdk_scheduler::error::{BuildError, SdkError};
use aws_sdk_scheduler::operation::create_schedule::CreateScheduleError;

pub(super) fn to_timers_error(error: SdkError<CreateScheduleError>) -> TimersError {
    match is_temporary(&error, judge) {
        true => TimersError::Unavailable(error.into()),
        false => TimersError::Rejected(error.into()),
    }
}

pub(super) fn refused_before_sending(error: BuildError) -> TimersError {
    TimersError::Rejected(error.into())
}

/// Whether the same timer may be set by asking again, or may be set already.
fn judge(error: &CreateScheduleError) -> Option<bool> {
    match error {
        CreateScheduleError::InternalServerException(_) | CreateScheduleError::ThrottlingException(_) => Some(true),
        // The number of schedules: they go as they are done, but not by asking again.
        CreateScheduleError::ServiceQuotaExceededException(_)
        | CreateScheduleError::ConflictException(_)
        | CreateScheduleError::ResourceNotFoundException(_)
        | CreateScheduleError::ValidationException(_) => Some(false),
        _ => None,
    }
}
