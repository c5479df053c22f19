//! What a failed call to EventBridge Scheduler means for the timer.

use crate::use_cases::ports::TimersError;
use aws_sdk_scheduler::error::{BuildError, SdkError};
use aws_sdk_scheduler::operation::create_schedule::CreateScheduleError;

pub(super) fn to_timers_error(error: SdkError<CreateScheduleError>) -> TimersError {
    if is_temporary(&error) { TimersError::Unavailable(error.into()) } else { TimersError::Rejected(error.into()) }
}

pub(super) fn refused_before_sending(error: BuildError) -> TimersError {
    TimersError::Rejected(error.into())
}

/// Whether the same timer may be set by asking again, or may be set already.
fn is_temporary(error: &SdkError<CreateScheduleError>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(answer) => is_temporary_answer(answer.err(), answer.raw().status().as_u16()),
        // A kind of failure that the SDK may gain: nothing is known against the timer.
        _ => true,
    }
}

fn is_temporary_answer(error: &CreateScheduleError, status: u16) -> bool {
    match error {
        CreateScheduleError::InternalServerException(_) | CreateScheduleError::ThrottlingException(_) => true,
        // The number of schedules: they go as they are done, but not by asking again.
        CreateScheduleError::ServiceQuotaExceededException(_)
        | CreateScheduleError::ConflictException(_)
        | CreateScheduleError::ResourceNotFoundException(_)
        | CreateScheduleError::ValidationException(_) => false,
        // What the API's model does not name. A missing permission is 4xx; whatever is not is no verdict.
        _ => matches!(status, 408 | 429) || !(400..500).contains(&status),
    }
}
