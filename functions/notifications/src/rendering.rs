//! Renders a notice as an e-mail: the content in both forms, and the link in it.

use crate::content::{Content, PayLink, write_content};
use askama::Template;
use jiff::Timestamp;
use shared::domain::Notice;
use shared::links::{LINK_LIFETIME, LinkKey};
use shared::ports::Email;

/// Why there is no e-mail. The cause is never the content of the notice.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("the template failed")]
    Template(#[from] askama::Error),
    #[error("the link's expiry is out of range")]
    Expiry(#[from] jiff::Error),
}

/// Renders the e-mail that is sent at `now`. The link's lifetime starts then.
///
/// # Errors
/// [`RenderError`].
pub fn render(notice: &Notice, links: &LinkKey, public_url: &str, now: Timestamp) -> Result<Email, RenderError> {
    let content = write_content(notice, |top_up| {
        let expires_at = now.checked_add(LINK_LIFETIME)?;
        let url = links.pay_url(public_url, &notice.account, top_up, expires_at);
        Ok::<_, RenderError>(PayLink { url, expires_at })
    })?;
    let (text, html) = (Text { content: &content }.render()?, Html { content: &content }.render()?);
    Ok(Email { to: notice.to.clone(), subject: content.subject, text, html })
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
mod tests;
