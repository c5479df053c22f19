//! Renders a notice as an e-mail: the content in both forms, and the link in it.

use crate::content::{Purpose, write_content};
use crate::parts::{Content, Link};
use askama::Template;
use jiff::{SignedDuration, Timestamp};
use shared::domain::{EmailAddress, Notice};
use shared::links::{CONFIRMATION_LIFETIME, LINK_LIFETIME, LinkKey, PURCHASE_LINK_LIFETIME, RECEIPT_LIFETIME};
use shared::ports::Email;

/// Why there is no e-mail. The cause is never the content of the notice.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("the template failed")]
    Template(#[from] askama::Error),
    #[error("the link's expiry is out of range")]
    Expiry(#[from] jiff::Error),
}

/// What the links of e-mails are made with. Their lifetimes start `now`, when the e-mail is sent.
#[derive(Clone, Copy, Debug)]
pub struct Links<'a> {
    pub key: &'a LinkKey,
    /// The public URL of the API, `https://…`.
    pub public_url: &'a str,
    pub now: Timestamp,
}

/// Renders the e-mail to an address.
///
/// # Errors
/// [`RenderError`].
pub fn render(notice: &Notice, to: EmailAddress, links: Links<'_>) -> Result<Email, RenderError> {
    let Links { key, public_url, now } = links;
    let content = write_content(notice, |purpose| {
        let link = |lifetime: SignedDuration, url: &dyn Fn(Timestamp) -> String| {
            let expires_at = now.checked_add(lifetime)?;
            Ok::<_, RenderError>(Link { url: url(expires_at), expires_at })
        };
        match purpose {
            Purpose::Pay(top_up) => {
                link(LINK_LIFETIME, &|until| key.pay_url(public_url, &notice.account, top_up, until))
            }
            Purpose::PayPurchase(purchase) => link(PURCHASE_LINK_LIFETIME, &|until| {
                key.purchase_pay_url(public_url, &notice.account, purchase, until)
            }),
            Purpose::Receipt(paid) => {
                link(RECEIPT_LIFETIME, &|until| key.receipt_url(public_url, &notice.account, paid, until))
            }
            Purpose::Confirm(contact) => {
                link(CONFIRMATION_LIFETIME, &|until| key.confirm_url(public_url, &notice.account, contact, until))
            }
        }
    })?;
    let (text, html) = (Text { content: &content }.render()?, Html { content: &content }.render()?);
    let (account, notice) = (notice.account.clone(), notice.id.clone());
    Ok(Email { to, subject: content.subject, text, html, account, notice })
}

#[derive(Template)]
#[template(path = "email.txt")]
struct Text<'a> {
    content: &'a Content,
}

/// The template's file extension turns on escaping.
#[derive(Template)]
#[template(path = "email.html")]
struct Html<'a> {
    content: &'a Content,
}

#[cfg(test)]
mod forms;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
