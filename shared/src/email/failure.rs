//! What a failed call to SES means for the mail, and what may be told of it.

use crate::aws::is_temporary;
use crate::error::chain;
use crate::ports::MailerError;
use aws_sdk_sesv2::error::{BuildError, SdkError};
use aws_sdk_sesv2::operation::RequestId;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use std::error::Error;

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
    match is_temporary(&error, judge) {
        true => MailerError::Unavailable(failure.into()),
        false => MailerError::Rejected(failure.into()),
    }
}

pub(super) fn refused_before_sending(error: BuildError) -> MailerError {
    MailerError::Rejected(SesFailure { summary: summary(&error), request_id: "never made".to_owned() }.into())
}

/// Whether the same mail may be accepted later without anybody's doing anything about this mail.
fn judge(error: &SendEmailError) -> Option<bool> {
    match error {
        SendEmailError::TooManyRequestsException(_)
        | SendEmailError::LimitExceededException(_)
        | SendEmailError::SendingPausedException(_) => Some(true),
        SendEmailError::AccountSuspendedException(_)
        | SendEmailError::BadRequestException(_)
        | SendEmailError::MailFromDomainNotVerifiedException(_)
        | SendEmailError::MessageRejected(_)
        | SendEmailError::NotFoundException(_) => Some(false),
        _ => None,
    }
}

/// The error and its causes on one line, every word with an `@` left out.
fn summary(error: &(dyn Error + 'static)) -> String {
    let causes = chain(error);
    let words: Vec<&str> =
        causes.split_whitespace().map(|word| if word.contains('@') { "[address]" } else { word }).collect();
    words.join(" ")
}
