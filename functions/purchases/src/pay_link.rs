//! The link that a customer may hand on to the person who pays for the company. It leads to the current page of one open purchase,
//! and to nothing else.

use crate::{App, Outside};
use lambda_http::Request;
use shared::domain::Purchase;
use shared::http::api_address;
use shared::links::{LinkKey, purchase_link_until};

/// Makes the links in the response to one request.
pub struct PayLinks<'a> {
    key: &'a LinkKey,
    /// `None` if the request did not come through API Gateway.
    public_url: Option<String>,
}

impl<'a> PayLinks<'a> {
    /// Without a domain of its own, the API is reached under the name that API Gateway gave it. The function cannot be told
    /// that name when it is deployed, because the API is deployed with the function's.
    pub fn of<O: Outside>(app: &'a App<O>, request: &Request) -> Self {
        Self { key: &app.links, public_url: app.public_url.clone().or_else(|| api_address(request)) }
    }

    /// The link, while the purchase has a page on which it can be paid. It is always the same one, so a repeated request
    /// gets the same response.
    pub fn to(&self, purchase: &Purchase) -> Option<String> {
        let public_url = self.public_url.as_deref().filter(|_| purchase.has_page())?;
        let until = purchase_link_until(purchase.opened_at);
        Some(self.key.purchase_pay_url(public_url, &purchase.account, &purchase.id, until))
    }
}
