//! The link to what can be paid. It needs no login: anyone who has the link may pay, but cannot do anything else with it.

use crate::{App, Outside};
use askama::Template;
use shared::domain::payments::Invoiced;
use shared::error::chain;
use shared::http::{Problem, Reply};
use shared::links::LinkRejection;
use shared::use_cases::payments::{PayPage, PayPageError, pay_page};

/// Redirects to Stripe's page for the open invoice or purchase, or shows a page that says why there is nothing to pay.
pub async fn get<O: Outside>(app: &App<O>, token: &str) -> Result<Reply, Problem> {
    // A copied link may end with a slash.
    let (account, paid_for) = match app.links.verify(token.trim_end_matches('/'), app.context.now()) {
        Ok(named) => named,
        Err(LinkRejection::Expired) => return EXPIRED.reply(),
        Err(LinkRejection::Malformed | LinkRejection::BadSignature) => return UNKNOWN.reply(),
    };
    let is_purchase = matches!(paid_for, Invoiced::Purchase(_));
    match pay_page(&app.context, &account, &paid_for).await {
        Ok(PayPage::Hosted(url)) => Reply::redirect(&url),
        Ok(PayPage::AlreadyPaid) if is_purchase => PURCHASE_PAID.reply(),
        Ok(PayPage::AlreadyPaid) => PAID.reply(),
        Ok(PayPage::UnderWay) => UNDER_WAY.reply(),
        Ok(PayPage::Closed) if is_purchase => PURCHASE_CLOSED.reply(),
        Ok(PayPage::Closed) => CLOSED.reply(),
        Err(PayPageError::NotFound(_)) => UNKNOWN.reply(),
        Err(PayPageError::Outside(error)) => {
            let (is_retryable, error) = (error.is_retryable(), chain(&error));
            if is_retryable {
                tracing::warn!(account.id = %account, paid_for = paid_for.id(), error, "the payment page cannot be shown now");
                return UNAVAILABLE.reply();
            }
            tracing::error!(account.id = %account, paid_for = paid_for.id(), error, "the payment page cannot be shown");
            FAILED.reply()
        }
    }
}

#[derive(Template)]
#[template(path = "pay.html")]
pub struct Page {
    pub status: u16,
    pub heading: &'static str,
    pub text: &'static str,
}

const PAID: Page = Page {
    status: 200,
    heading: "This top-up is paid",
    text: "The payment was received and the credits are on your balance. There is nothing left to do.",
};
const CLOSED: Page = Page {
    status: 200,
    heading: "There is nothing to pay",
    text: "This top-up was closed without a payment, and nothing was charged.",
};
const PURCHASE_PAID: Page = Page {
    status: 200,
    heading: "This purchase is paid",
    text: "The payment was received and the credits are on the balance. There is nothing left to do.",
};
const PURCHASE_CLOSED: Page = Page {
    status: 200,
    heading: "There is nothing to pay",
    text: "This purchase has expired or was voided, and nothing was charged. It can be made again on the billing page.",
};
const UNDER_WAY: Page = Page {
    status: 200,
    heading: "A payment was made",
    text: "A payment for this purchase was made and is not settled yet. There is nothing to do; please do not pay again.",
};
pub const EXPIRED: Page = Page {
    status: 410,
    heading: "This link has expired",
    text: "For your safety, our links work for a limited time. Your billing page shows what is open.",
};
pub const UNKNOWN: Page = Page {
    status: 404,
    heading: "This link does not work",
    text: "It may have been copied in part. Please use the whole link.",
};
const FAILED: Page = Page {
    status: 500,
    heading: "The payment page cannot be shown",
    text: "Something is wrong on our side. Nothing was charged. Please try again later or write to us.",
};
const UNAVAILABLE: Page = Page {
    status: 503,
    heading: "Please try again in a moment",
    text: "The payment page cannot be reached right now. Nothing was charged, and this link stays good.",
};

impl Page {
    pub fn reply(&self) -> Result<Reply, Problem> {
        self.render().map(|page| Reply::html(self.status, page)).map_err(Problem::internal)
    }
}
