//! Secrets, read once when a function starts. They never come from the environment and never reach a log.

use crate::error::chain;
use aws_sdk_secretsmanager::Client;
use secrecy::SecretString;
use serde::Deserialize;

/// The content of the Stripe secret: `{"api_key": "…", "webhook_secrets": ["…"]}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripeSecret {
    pub api_key: SecretString,
    /// More than one while a signing secret is being rolled.
    /// <https://docs.stripe.com/webhooks#roll-endpoint-secrets>
    pub webhook_secrets: Vec<SecretString>,
}

/// A secret that cannot be used. The error names the secret, never its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the secret {id} cannot be read")]
    Unreadable {
        id: String,
        #[source]
        source: NotAnswered,
    },
    #[error("the secret {id} is malformed")]
    Malformed { id: String },
}

/// The failure that the SDK reported, as text. It replaces the SDK's error as the source because that error holds the
/// whole response, and a function that cannot start prints its error with `Debug`.
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
    // The parser's message would quote the secret.
    serde_json::from_str(&text).map_err(|_| SecretError::Malformed { id: id.to_owned() })
}
