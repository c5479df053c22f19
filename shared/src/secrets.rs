//! Secrets, read once while a function starts. Never from the environment, never in a log.

use crate::error::chain;
use aws_sdk_secretsmanager::Client;
use serde::Deserialize;
use std::fmt;

/// What lies in the Stripe secret: `{"api_key": "…", "webhook_secrets": ["…"]}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripeSecret {
    pub api_key: String,
    /// More than one while a signing secret is rolled.
    /// <https://docs.stripe.com/webhooks#roll-endpoint-secrets>
    pub webhook_secrets: Vec<String>,
}

impl fmt::Debug for StripeSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StripeSecret(…)")
    }
}

/// A secret that cannot be had. Says which, never what.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the secret {id} cannot be read")]
    Unreadable {
        id: String,
        #[source]
        source: NotAnswered,
    },
    #[error("the secret {id} is not what it should be")]
    Malformed { id: String },
}

/// What Secrets Manager or the way to it reported, in words. Takes the SDK error's place as the source, since that holds
/// the whole answer, and a function that cannot start prints its error with all that it holds.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotAnswered(String);

/// The text of a secret.
///
/// # Errors
/// [`SecretError`].
pub async fn secret_get(client: &Client, id: &str) -> Result<String, SecretError> {
    let answer = client.get_secret_value().secret_id(id).send().await;
    let unreadable = |source| SecretError::Unreadable { id: id.to_owned(), source };
    let secret = answer.map_err(|error| unreadable(NotAnswered(chain(&error))))?;
    secret.secret_string.filter(|text| !text.is_empty()).ok_or_else(|| SecretError::Malformed { id: id.to_owned() })
}

/// The Stripe secret.
///
/// # Errors
/// [`SecretError`].
pub async fn stripe_secret_get(client: &Client, id: &str) -> Result<StripeSecret, SecretError> {
    let text = secret_get(client, id).await?;
    // The parser's own words would quote the secret.
    serde_json::from_str(&text).map_err(|_| SecretError::Malformed { id: id.to_owned() })
}
