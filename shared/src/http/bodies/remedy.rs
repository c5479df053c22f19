//! Where a customer, or the company's page, does what brings the next automatic top-up.

use crate::domain::Account;
use crate::domain::payments::{Cure, PaymentIssue};
use serde::Serialize;

/// A request to this API, or the page on which an open invoice is paid.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct RemedyBody {
    method: &'static str,
    /// Below the API's own address.
    href: String,
}

impl RemedyBody {
    /// `pay_token` signs the link to an invoice's page.
    pub fn of(cure: Cure, account: &Account, pay_token: impl FnOnce(&PaymentIssue) -> String) -> Option<Self> {
        let of_account = |method, path: &str| Self { method, href: format!("/v1/accounts/{}{path}", account.id) };
        Some(match cure {
            Cure::ChooseSettings => of_account("PUT", "/auto-top-up"),
            Cure::AllowSpending => of_account("PUT", "/spending"),
            Cure::BuyPackage => of_account("POST", "/purchases"),
            Cure::PayInvoice => {
                Self { method: "GET", href: format!("/pay/{}", pay_token(account.payment_issue.as_ref()?)) }
            }
        })
    }
}
