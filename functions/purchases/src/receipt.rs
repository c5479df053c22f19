//! The link in receipts. It needs no login: anyone who has it may see the one invoice that it is for.

use crate::pay::{EXPIRED, Page, UNKNOWN};
use crate::{App, Outside};
use shared::error::chain;
use shared::http::{Problem, Reply};
use shared::links::LinkRejection;
use shared::use_cases::payments::{ReadInvoicesError, receipt_address};

/// Redirects to Stripe's page for the invoice, or with `/pdf` to the document. Both addresses expire, so each request
/// fetches the current one.
pub async fn get<O: Outside>(app: &App<O>, token: &str) -> Result<Reply, Problem> {
    // A copied link may end with a slash.
    let token = token.trim_end_matches('/');
    let (token, is_document) = token.strip_suffix("/pdf").map_or((token, false), |token| (token, true));
    let (account, paid) = match app.links.verify_receipt(token, app.context.now()) {
        Ok(named) => named,
        Err(LinkRejection::Expired) => return EXPIRED.reply(),
        Err(LinkRejection::Malformed | LinkRejection::BadSignature) => return UNKNOWN.reply(),
    };
    match receipt_address(&app.context, &account, &paid, is_document).await {
        Ok(Some(url)) => Reply::redirect(&url),
        Ok(None) | Err(ReadInvoicesError::NotFound(_) | ReadInvoicesError::UnknownCursor) => UNKNOWN.reply(),
        Err(ReadInvoicesError::Outside(error)) => {
            let (is_retryable, error) = (error.is_retryable(), chain(&error));
            if is_retryable {
                tracing::warn!(account.id = %account, paid = paid.id(), error, "the invoice cannot be shown now");
                return UNAVAILABLE.reply();
            }
            tracing::error!(account.id = %account, paid = paid.id(), error, "the invoice cannot be shown");
            FAILED.reply()
        }
    }
}

const FAILED: Page = Page {
    status: 500,
    heading: "The invoice cannot be shown",
    text: "Something is wrong on our side. Please try again later or write to us.",
};
const UNAVAILABLE: Page = Page {
    status: 503,
    heading: "Please try again in a moment",
    text: "The invoice cannot be reached right now. This link stays good.",
};
