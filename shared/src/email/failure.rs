//! What a failed call to SES means for the e-mail, and what the error may reveal.

use crate::aws::is_temporary;
use crate::error::chain;
use crate::ports::MailerError;
use aws_sdk_sesv2::error::{BuildError, SdkError};
use aws_sdk_sesv2::operation::RequestId;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use std::error::Error;

/// The failure that the SDK reported. It replaces the SDK's error as the source because that error quotes addresses
/// ("not verified: ada@example.com") and holds the raw response.
#[derive(Debug, thiserror::Error)]
#[error("{summary} (request {request_id})")]
struct SesFailure {
    summary: String,
    /// Identifies the call for AWS support.
    request_id: String,
}

pub(super) fn to_mailer_error(error: SdkError<SendEmailError>) -> MailerError {
    let failure = SesFailure {
        summary: summary(&error),
        request_id: error.request_id().unwrap_or("without a response").to_owned(),
    };
    match is_temporary(&error, classify) {
        true => MailerError::Unavailable(failure.into()),
        false => MailerError::Rejected(failure.into()),
    }
}

pub(super) fn refused_before_sending(error: BuildError) -> MailerError {
    MailerError::Rejected(SesFailure { summary: summary(&error), request_id: "never sent".to_owned() }.into())
}

/// Whether the same e-mail may be accepted later without changes to it.
fn classify(error: &SendEmailError) -> Option<bool> {
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

/// The error and its causes on one line, with every word that contains an `@` replaced.
fn summary(error: &(dyn Error + 'static)) -> String {
    let causes = chain(error);
    let words: Vec<&str> =
        causes.split_whitespace().map(|word| if word.contains('@') { "[address]" } else { word }).collect();
    words.join(" ")
}
