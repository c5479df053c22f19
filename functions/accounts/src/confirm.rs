//! The link in the e-mail to a new address. It needs no login: whoever has the link reads that address's e-mails.
//!
//! Opening the link changes nothing, because mail programs and scanners open links too. The page's button confirms.

use crate::{App, Outside};
use askama::Template;
use shared::domain::{AccountId, ContactId};
use shared::error::chain;
use shared::http::{Problem, Reply};
use shared::links::LinkRejection;
use shared::use_cases::StoreError;
use shared::use_cases::accounts::{ConfirmError, Confirmation, confirm_contact, find_contact};

/// The page with the button, or one that says why there is none.
pub async fn get<O: Outside>(app: &App<O>, token: &str) -> Result<Reply, Problem> {
    match named(app, token) {
        Ok((account, contact)) => {
            let found = find_contact(&app.context, &account, &contact).await;
            answer(&account, found, &CONFIRMED_BEFORE)
        }
        Err(page) => page.reply(),
    }
}

/// Confirms the address.
pub async fn post<O: Outside>(app: &App<O>, token: &str) -> Result<Reply, Problem> {
    let (account, contact) = match named(app, token) {
        Ok(named) => named,
        Err(page) => return page.reply(),
    };
    let found = find_contact(&app.context, &account, &contact).await;
    if !matches!(found, Ok(Confirmation::Pending)) {
        return answer(&account, found, &CONFIRMED_BEFORE);
    }
    answer(&account, confirm_contact(&app.context, &account, &contact).await, &CONFIRMED)
}

fn named<O: Outside>(app: &App<O>, token: &str) -> Result<(AccountId, ContactId), &'static Page> {
    // A copied link may end with a slash.
    app.links.verify_confirmation(token.trim_end_matches('/'), app.context.now()).map_err(|rejection| match rejection {
        LinkRejection::Expired => &EXPIRED,
        LinkRejection::Malformed | LinkRejection::BadSignature => &UNKNOWN,
    })
}

fn answer(
    account: &AccountId,
    found: Result<Confirmation, ConfirmError>,
    confirmed: &'static Page,
) -> Result<Reply, Problem> {
    match found {
        Ok(Confirmation::Pending) => PENDING.reply(),
        Ok(Confirmation::Confirmed) => confirmed.reply(),
        Err(ConfirmError::NotFound(_) | ConfirmError::UnknownContact(_)) => REMOVED.reply(),
        Err(ConfirmError::Store(error)) => failed(account, &error),
    }
}

fn failed(account: &AccountId, error: &StoreError) -> Result<Reply, Problem> {
    let (is_retryable, error) = (error.is_retryable(), chain(error));
    if is_retryable {
        tracing::warn!(account.id = %account, error, "the address cannot be confirmed now");
        return UNAVAILABLE.reply();
    }
    tracing::error!(account.id = %account, error, "the address cannot be confirmed");
    FAILED.reply()
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Page {
    status: u16,
    heading: &'static str,
    text: &'static str,
    has_button: bool,
}

const PENDING: Page = Page {
    status: 200,
    heading: "Confirm this e-mail address",
    text: "The account named in our e-mail wants to send its e-mails to this address. Confirm it if that is right. \
           If not, close this page, and nothing is sent to you.",
    has_button: true,
};
const CONFIRMED: Page = Page {
    status: 200,
    heading: "This address is confirmed",
    text: "From now on, it gets the e-mails that were chosen for it.",
    has_button: false,
};
const CONFIRMED_BEFORE: Page = Page {
    status: 200,
    heading: "This address is confirmed already",
    text: "There is nothing left to do.",
    has_button: false,
};
const REMOVED: Page = Page {
    status: 404,
    heading: "This link does not work any more",
    text: "The address was removed from the account. To use it, add it again.",
    has_button: false,
};
const EXPIRED: Page = Page {
    status: 410,
    heading: "This link has expired",
    text: "For your safety, links in our e-mails work for a limited time. Save the contacts of the account again to get \
           a new link.",
    has_button: false,
};
const UNKNOWN: Page = Page {
    status: 404,
    heading: "This link does not work",
    text: "It may have been copied in part. Please use the whole link of the e-mail.",
    has_button: false,
};
const FAILED: Page = Page {
    status: 500,
    heading: "The address cannot be confirmed",
    text: "Something is wrong on our side. Please try again later or write to us.",
    has_button: false,
};
const UNAVAILABLE: Page = Page {
    status: 503,
    heading: "Please try again in a moment",
    text: "The address cannot be confirmed right now, and this link stays good.",
    has_button: false,
};

impl Page {
    fn reply(&self) -> Result<Reply, Problem> {
        let page = self.render().map_err(Problem::internal)?;
        Ok(if self.has_button { Reply::html_form(self.status, page) } else { Reply::html(self.status, page) })
    }
}
