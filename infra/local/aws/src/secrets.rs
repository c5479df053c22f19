//! Secrets Manager: `GetSecretValue` from a map that is passed in at startup. Nothing else is supported or stored.
//!
//! See <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::wire::{Door, Loss, WireAnswer, WireRequest};
use crate::{ACCOUNT, REGION};

pub(crate) const TARGET_PREFIX: &str = "secretsmanager.";

/// The secrets by name. Clones share them.
#[derive(Clone)]
pub struct LocalSecrets(Arc<BTreeMap<String, String>>);

impl LocalSecrets {
    /// `secrets` maps a name to its `SecretString`.
    pub fn new(secrets: BTreeMap<String, String>) -> Self {
        Self(Arc::new(secrets))
    }

    /// The ARN of a secret. `SecretId` may be the ARN or the name.
    pub fn arn(name: &str) -> String {
        format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}")
    }

    /// The text of every secret, ordered by name.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    fn get_secret_value(&self, body: &[u8]) -> WireAnswer {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(id) = request["SecretId"].as_str() else {
            return WireAnswer::error(400, "InvalidParameterException", "You must provide a value for SecretId.");
        };
        match self.0.iter().find(|(name, _)| *name == id || Self::arn(name) == id) {
            None => {
                WireAnswer::error(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
            }
            Some((name, value)) => WireAnswer::ok(&json!({
                "ARN": Self::arn(name),
                "Name": name,
                "SecretString": value,
                "VersionId": "00000000-0000-0000-0000-000000000001",
                "VersionStages": ["AWSCURRENT"],
            })),
        }
    }
}

impl Door for LocalSecrets {
    async fn exchange(&self, request: WireRequest) -> Result<WireAnswer, Loss> {
        let operation = request.target.as_deref().and_then(|target| target.strip_prefix(TARGET_PREFIX));
        Ok(match operation {
            Some("GetSecretValue") => self.get_secret_value(&request.body),
            _ => WireAnswer::unknown_operation(),
        })
    }
}

impl fmt::Debug for LocalSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.keys()).finish()
    }
}
