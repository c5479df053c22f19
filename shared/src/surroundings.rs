//! What a function gets from its platform when it starts, and the adapters built from it.
//!
//! A deployed function and the local cloud pass in different surroundings; the wiring is the same.

use crate::aws::AwsEnvironment;
use crate::clock::SystemClock;
use crate::config::{ConfigError, Environment};
use crate::telemetry;

/// The environment, access to AWS, and the clock.
#[derive(Clone)]
pub struct Surroundings<C> {
    pub environment: Environment,
    pub aws: AwsEnvironment,
    pub clock: C,
}

impl Surroundings<SystemClock> {
    /// The surroundings of this process, as Lambda set them up. This also starts logging.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] outside Lambda, unless the variables are set manually.
    pub fn of_process() -> Result<Self, ConfigError> {
        let environment = Environment::of_process();
        telemetry::start(&environment);
        let aws = AwsEnvironment::of(&environment)?;
        Ok(Self { environment, aws, clock: SystemClock })
    }
}

impl<C> Surroundings<C> {
    /// The ledger in the table named by `TABLE_NAME`.
    ///
    /// # Errors
    /// [`ConfigError::Missing`].
    #[cfg(all(feature = "ledger", feature = "sdk-client"))]
    pub fn ledger(&self) -> Result<crate::ledger::DynamoLedger, ConfigError> {
        use crate::ledger::{DynamoLedger, LedgerSettings};
        let table = self.environment.required("TABLE_NAME")?;
        Ok(DynamoLedger::new(crate::aws::dynamodb(&self.aws), table, LedgerSettings::default()))
    }

    /// The context of a function that works with that ledger and nothing else.
    ///
    /// # Errors
    /// [`ConfigError::Missing`].
    #[cfg(all(feature = "ledger", feature = "sdk-client"))]
    pub fn ledger_context<B>(self, price_book: B) -> Result<crate::use_cases::Context<LedgerAlone<C, B>>, ConfigError>
    where
        C: crate::clock::Clock,
        B: Send + Sync + 'static,
    {
        use crate::use_cases::{Absent, Context, Memory};
        Ok(Context {
            ledger: self.ledger()?,
            payments: Absent,
            mailer: Absent,
            timers: Absent,
            ids: crate::ports::RandomIds,
            price_book,
            pauses: crate::pauses::RandomPauses,
            memory: Memory::none(),
            clock: self.clock,
        })
    }

    /// The same ledger over a client of its own, see [`direct_dynamodb`](crate::aws::direct_dynamodb).
    ///
    /// # Errors
    /// [`ConfigError`] if the table's name is missing, or the endpoint is invalid.
    #[cfg(feature = "ledger-direct")]
    pub fn direct_ledger(
        &self,
        trusts_amazon_alone: bool,
    ) -> Result<crate::ledger::DynamoLedger<crate::ledger::direct::DirectClient>, ConfigError> {
        use crate::ledger::{DynamoLedger, LedgerSettings};
        let table = self.environment.required("TABLE_NAME")?;
        let client = crate::aws::direct_dynamodb(&self.aws, trusts_amazon_alone)?;
        Ok(DynamoLedger::new(client, table, LedgerSettings::default()))
    }

    /// The secret named by `STRIPE_SECRET_ID`.
    ///
    /// # Errors
    /// If the variable is missing, or the secret cannot be read.
    #[cfg(feature = "secrets")]
    pub async fn stripe_secret(&self) -> Result<crate::secrets::StripeSecret, StartError> {
        let id = self.environment.required("STRIPE_SECRET_ID")?;
        Ok(crate::secrets::stripe_secret_get(&crate::aws::secrets_manager(&self.aws), &id).await?)
    }

    /// Stripe, for a function that a caller waits for.
    ///
    /// # Errors
    /// If a setting for Stripe is invalid; nothing is sent.
    #[cfg(all(feature = "stripe", feature = "secrets"))]
    pub fn interactive_payments(
        &self,
        api_key: crate::stripe::SecretString,
    ) -> Result<crate::stripe::StripePayments, StartError> {
        use crate::stripe::{Settings, StripePayments};
        Ok(StripePayments::new(Settings::of(&self.environment, api_key)?.interactive())?)
    }

    /// The signing key of e-mail links, derived from the secret named by `LINK_SECRET_ID`.
    ///
    /// # Errors
    /// If the variable is missing, or the secret cannot be read or is too short.
    #[cfg(all(feature = "links", feature = "secrets"))]
    pub async fn link_key(&self) -> Result<crate::links::LinkKey, StartError> {
        let id = self.environment.required("LINK_SECRET_ID")?;
        let secret = crate::secrets::secret_get(&crate::aws::secrets_manager(&self.aws), &id).await?;
        Ok(crate::links::LinkKey::new(secret)?)
    }

    /// The signing key of statements, derived from the secret named by `LINK_SECRET_ID`.
    ///
    /// # Errors
    /// If the variable is missing, or the secret cannot be read or is too short.
    #[cfg(all(feature = "statements", feature = "secrets"))]
    pub async fn statement_key(&self) -> Result<crate::statements::StatementKey, StartError> {
        let id = self.environment.required("LINK_SECRET_ID")?;
        let secret = crate::secrets::secret_get(&crate::aws::secrets_manager(&self.aws), &id).await?;
        Ok(crate::statements::StatementKey::new(secret)?)
    }
}

/// The ports of a deployed function that has DynamoDB and nothing else, except perhaps the price book.
#[cfg(all(feature = "ledger", feature = "sdk-client"))]
pub struct LedgerAlone<C, B>(std::marker::PhantomData<(C, B)>);

#[cfg(all(feature = "ledger", feature = "sdk-client"))]
impl<C: crate::clock::Clock, B: Send + Sync + 'static> crate::use_cases::Capabilities for LedgerAlone<C, B> {
    type Ledger = crate::ledger::DynamoLedger;
    type Payments = crate::use_cases::Absent;
    type Mailer = crate::use_cases::Absent;
    type Timers = crate::use_cases::Absent;
    type Clock = C;
    type Pauses = crate::pauses::RandomPauses;
    type Ids = crate::ports::RandomIds;
    type PriceBook = B;
}

/// Why a function cannot start. It names the setting or secret, never its value.
#[cfg(feature = "secrets")]
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Secret(#[from] crate::secrets::SecretError),
    #[cfg(feature = "stripe")]
    #[error(transparent)]
    Stripe(#[from] crate::stripe::InvalidSettings),
    #[cfg(feature = "links")]
    #[error(transparent)]
    LinkKey(#[from] crate::links::WeakSecret),
    #[cfg(feature = "statements")]
    #[error(transparent)]
    StatementKey(#[from] crate::statements::WeakStatementSecret),
}
