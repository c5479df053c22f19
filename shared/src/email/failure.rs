//! What a failed call to SES means for the mail, and what may be told of it.

use crate::use_cases::ports::MailerError;
use aws_sdk_sesv2::error::{BuildError, SdkError};
use aws_sdk_sesv2::operation::RequestId;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use std::error::Error;
use std::iter::successors;

/// What SES or the way to it reported. Takes the SDK error's place as the source, since that quotes addresses
/// ("not verified: ada@example.com") and holds the raw answer.
#[derive(Debug, thiserror::Error)]
#[error("{summary} (request {request_id})")]
struct SesFailure {
    summary: String,
    /// By which AWS's support finds the call.
    request_id: String,
}

pub(super) fn to_mailer_error(error: SdkError<SendEmailError>) -> MailerError {
    let failure = SesFailure {
        summary: summary(&error),
        request_id: error.request_id().unwrap_or("without an answer").to_owned(),
    };
    if is_temporary(&error) { MailerError::Unavailable(failure.into()) } else { MailerError::Rejected(failure.into()) }
}

pub(super) fn refused_before_sending(error: BuildError) -> MailerError {
    MailerError::Rejected(SesFailure { summary: summary(&error), request_id: "never made".to_owned() }.into())
}

/// Whether the same mail may be accepted later without anybody's doing anything about this mail.
fn is_temporary(error: &SdkError<SendEmailError>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(answer) => is_temporary_answer(answer.err(), answer.raw().status().as_u16()),
        // A kind of failure that the SDK may gain: nothing is known against the mail.
        _ => true,
    }
}

fn is_temporary_answer(error: &SendEmailError, status: u16) -> bool {
    match error {
        SendEmailError::TooManyRequestsException(_)
        | SendEmailError::LimitExceededException(_)
        | SendEmailError::SendingPausedException(_) => true,
        SendEmailError::AccountSuspendedException(_)
        | SendEmailError::BadRequestException(_)
        | SendEmailError::MailFromDomainNotVerifiedException(_)
        | SendEmailError::MessageRejected(_)
        | SendEmailError::NotFoundException(_) => false,
        // What the API's model does not name. A missing permission is 4xx; whatever is not is no verdict on the mail,
        // not even an answer of success that cannot be read.
        _ => matches!(status, 408 | 429) || !(400..500).contains(&status),
    }
}

/// The error and its causes on one line, every word with an `@` left out.
fn summary(error: &(dyn Error + 'static)) -> String {
    let causes: Vec<String> = successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect();
    let causes = causes.join(": ");
    let words: Vec<&str> =
        causes.split_whitespace().map(|word| if word.contains('@') { "[address]" } else { word }).collect();
    words.join(" ")
}
