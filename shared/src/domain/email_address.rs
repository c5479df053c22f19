//! The address that an account's e-mails go to.

use super::InvalidId;
use std::fmt;

/// The address that an account's e-mails go to: at most 254 characters with one `@`.
///
/// Only SES can tell whether the address works. This check only rejects what cannot be an address or would change the
/// meaning of a mail header. Before the `@` is a dot-atom, without quotes and comments:
/// <https://www.rfc-editor.org/rfc/rfc5322#section-3.2.3>. After it is a host name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// # Errors
    /// [`InvalidId`] if it cannot be an address.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
        let text = text.into();
        let is_atom = |part: &str| {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
            !part.is_empty() && part.chars().all(is_allowed)
        };
        let is_label = |part: &str| {
            let is_allowed = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            is_allowed && (1..=63).contains(&part.len()) && !part.starts_with('-') && !part.ends_with('-')
        };
        let is_valid = text.len() <= 254
            && text.split_once('@').is_some_and(|(local, domain)| {
                local.len() <= 64
                    && local.split('.').all(is_atom)
                    && domain.contains('.')
                    && domain.split('.').all(is_label)
            });
        if is_valid {
            Ok(Self(text))
        } else {
            Err(InvalidId { what: "email", expected: "an e-mail address of at most 254 ASCII characters" })
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn addresses_that_could_bend_a_mail_header_are_refused() {
        for valid in ["ada@example.com", "o'neil+credits=1&x@mail.acme-corp.example", "1@2.de"] {
            assert!(EmailAddress::parse(valid).is_ok(), "{valid}");
        }
        for invalid in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a@b@c.d",
            "a b@c.de",
            "a@c.de\r\nBcc: x@y.z",
            "<a@b.c>",
            "a@.b",
            "a..b@c.de",
            "group:a@c.de",
            "a(b)@c.de",
            "a@c_d.de",
            "a@-c.de",
            "a@[c].de",
        ] {
            assert!(EmailAddress::parse(invalid).is_err(), "{invalid:?}");
        }
    }
}
