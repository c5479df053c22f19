//! What a function finds around it when it starts, and the adapters that are made of it.
//!
//! The deployed function and the local cloud hand in different surroundings and wire the same function.

use crate::aws::AwsEnvironment;
use crate::clock::SystemClock;
use crate::config::{ConfigError, Environment};
use crate::telemetry;

/// The environment, the way to AWS, and the clock.
#[derive(Clone)]
pub struct Surroundings<C> {
    pub environment: Environment,
    pub aws: AwsEnvironment,
    pub clock: C,
}

impl Surroundings<SystemClock> {
    /// Those of this process, as Lambda made them. Logging begins here.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] outside Lambda, unless the variables are set by hand.
    pub fn of_process() -> Result<Self, ConfigError> {
        let environment = Environment::of_process();
        telemetry::start(&environment);
        let aws = AwsEnvironment::of(&environment)?;
        Ok(Self { environment, aws, clock: SystemClock })
    }
}

impl<C> Surroundings<C> {
    /// The ledger in the table that `TABLE_NAME` names.
    ///
    /// # Errors
    /// [`ConfigError::Missing`].
    #[cfg(feature = "ledger")]
    pub fn ledger(&self) -> Result<crate::ledger::DynamoLedger, ConfigError> {
        use crate::ledger::{DynamoLedger, LedgerSettings};
        let table = self.environment.required("TABLE_NAME")?;
        Ok(DynamoLedger::new(crate::aws::dynamodb(&self.aws), table, LedgerSettings::default()))
    }

    /// The secret that `STRIPE_SECRET_ID` names.
    ///
    /// # Errors
    /// Where the variable is missing, or the secret cannot be had.
    #[cfg(feature = "secrets")]
    pub async fn stripe_secret(&self) -> Result<crate::secrets::StripeSecret, StartError> {
        let id = self.environment.required("STRIPE_SECRET_ID")?;
        Ok(crate::secrets::stripe_secret_get(&crate::aws::secrets_manager(&self.aws), &id).await?)
    }

    /// The key of the links in e-mails, made of the secret that `LINK_SECRET_ID` names.
    ///
    /// # Errors
    /// Where the variable is missing, or the secret cannot be had or is too short.
    #[cfg(all(feature = "links", feature = "secrets"))]
    pub async fn link_key(&self) -> Result<crate::links::LinkKey, StartError> {
        let id = self.environment.required("LINK_SECRET_ID")?;
        let secret = crate::secrets::secret_get(&crate::aws::secrets_manager(&self.aws), &id).await?;
        Ok(crate::links::LinkKey::new(secret)?)
    }
}

/// Why a function cannot start. It says which setting or secret, never what is in it.
#[cfg(feature = "secrets")]
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Secret(#[from] crate::secrets::SecretError),
    #[cfg(feature = "links")]
    #[error(transparent)]
    LinkKey(#[from] crate::links::WeakSecret),
}
