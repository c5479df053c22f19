//! From a notice to a mail: the words of its letter in both forms, and the link that is in it.

use crate::letter::{Letter, PayLink, write_letter};
use askama::Template;
use jiff::Timestamp;
use shared::domain::Notice;
use shared::links::{LINK_LIFETIME, LinkKey};
use shared::ports::Mail;

/// Why there is no mail; never because of what the notice says.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("the template failed")]
    Template(#[from] askama::Error),
    #[error("the link would expire beyond the end of time")]
    Expiry(#[from] jiff::Error),
}

/// Renders the mail that is sent at `now`, from when its link counts.
///
/// # Errors
/// [`RenderError`].
pub fn render(notice: &Notice, links: &LinkKey, public_url: &str, now: Timestamp) -> Result<Mail, RenderError> {
    let letter = write_letter(notice, |top_up| {
        let expires_at = now.checked_add(LINK_LIFETIME)?;
        let url = links.pay_url(public_url, &notice.account, top_up, expires_at);
        Ok::<_, RenderError>(PayLink { url, expires_at })
    })?;
    let (text, html) = (Text { letter: &letter }.render()?, Html { letter: &letter }.render()?);
    Ok(Mail { to: notice.to.clone(), subject: letter.subject, text, html })
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    letter: &'a Letter,
}

/// The extension of the template is what turns escaping on.
#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    letter: &'a Letter,
}

#[cfg(test)]
mod tests;
