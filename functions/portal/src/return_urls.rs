//! The company's pages that a customer may be sent back to.

use shared::config::{ConfigError, Environment};

/// The page to go back to, and the origins on which the company may name another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnUrls {
    usual: String,
    origins: Vec<String>,
}

impl ReturnUrls {
    /// # Errors
    /// [`ConfigError::Missing`] without a usual page.
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        let origins = environment.optional("PORTAL_RETURN_ORIGINS").unwrap_or_default();
        let origins = origins.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(str::to_owned);
        Ok(Self { usual: environment.required("PORTAL_RETURN_URL")?, origins: origins.collect() })
    }

    pub fn usual(&self) -> &str {
        &self.usual
    }

    /// The URL, if it is the usual page or lies on one of the origins. What follows the origin begins a path, a query or a
    /// fragment, so it cannot become a part of the host, and has no character that browsers read in two ways.
    pub fn allowed(&self, url: &str) -> Option<String> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"'<>`{}|^".contains(&byte);
        let is_below = |origin: &String| {
            url.strip_prefix(origin.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
        };
        let is_allowed = url == self.usual || self.origins.iter().any(is_below);
        (is_allowed && url.len() <= 2_000 && url.bytes().all(is_plain)).then(|| url.to_owned())
    }
}
