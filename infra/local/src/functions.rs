//! The product's functions in this process: the very handlers that are deployed, with the settings the template gives
//! them, the stand-ins behind them and the movable clock.
//!
//! Each calls AWS under credentials of its own, which the stand-ins hold to its role in the template.

use crate::clock::MovableClock;
use lambda_http::Error;
use lambda_runtime::service_fn;
use local_aws::REGION;
use local_aws::server::LocalAws;
use local_gateway::{Function, Template, in_process};
use shared::aws::{self, AwsEnvironment};
use shared::config::Environment;
use shared::email::SesMailer;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::links::LinkKey;
use shared::ports::RandomIds;
use shared::secrets::{StripeSecret, secret_get, stripe_secret_get};
use shared::stripe::{Secret, Settings, StripePayments};
use shared::timers::{EventBridgeTimers, TimerSettings};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What signs the requests of every function, as Lambda hands it to them; the access key id is the logical id.
#[derive(Clone)]
pub struct SigningSecrets {
    pub secret_access_key: String,
    pub session_token: String,
}

/// Every function by binary name.
///
/// # Errors
/// When the template lacks a function, or a setting that the function needs, or its role a permission to start.
pub async fn in_process_functions(
    template: &Template,
    aws: &LocalAws,
    signing: &SigningSecrets,
    clock: &MovableClock,
) -> Result<BTreeMap<String, Arc<dyn Function>>, Error> {
    let wiring = Wiring { template, aws, signing, clock };
    Ok(BTreeMap::from([
        ("accounts".to_owned(), wiring.accounts().await?),
        ("charging".to_owned(), wiring.charging()?),
        ("notifications".to_owned(), wiring.notifications().await?),
        ("purchases".to_owned(), wiring.purchases().await?),
        ("stripe-webhooks".to_owned(), wiring.stripe_webhooks().await?),
        ("top-up-sweep".to_owned(), wiring.top_up_sweep().await?),
    ]))
}

/// As the functions' own `main`s do it, with other clients and another clock.
struct Wiring<'a> {
    template: &'a Template,
    aws: &'a LocalAws,
    signing: &'a SigningSecrets,
    clock: &'a MovableClock,
}

/// What one function finds around it when it starts.
struct Surroundings {
    environment: Environment,
    aws: AwsEnvironment,
}

macro_rules! http_function {
    ($handle:path, $app:expr) => {{
        let app = Arc::new($app);
        in_process::http(service_fn(move |request| {
            let app = Arc::clone(&app);
            async move { Ok::<_, Error>($handle(&app, request).await) }
        }))
    }};
}

macro_rules! event_function {
    ($handle:path, $app:expr) => {{
        let app = Arc::new($app);
        in_process::event(service_fn(move |event| {
            let app = Arc::clone(&app);
            async move { $handle(&app, event).await }
        }))
    }};
}

impl Wiring<'_> {
    async fn accounts(&self) -> Result<Arc<dyn Function>, Error> {
        let function = self.function("accounts")?;
        let stripe = function.stripe_secret().await?;
        let app = accounts::App {
            ledger: function.ledger()?,
            payments: StripePayments::new(Settings::of(&function.environment, stripe.api_key)?.waited_for())?,
            clock: self.clock.clone(),
            unique: RandomIds,
            price_book: function.environment.price_book()?,
        };
        Ok(http_function!(accounts::handle, app))
    }

    fn charging(&self) -> Result<Arc<dyn Function>, Error> {
        let function = self.function("charging")?;
        let app = charging::App {
            ledger: function.ledger()?,
            clock: self.clock.clone(),
            price_book: function.environment.price_book()?,
        };
        Ok(http_function!(charging::handle, app))
    }

    async fn notifications(&self) -> Result<Arc<dyn Function>, Error> {
        let function = self.function("notifications")?;
        let app = notifications::App {
            ledger: function.ledger()?,
            mailer: SesMailer::new(aws::ses(&function.aws), function.environment.required("SENDER")?),
            clock: self.clock.clone(),
            links: function.links().await?,
            public_url: function.environment.required("PUBLIC_URL")?,
        };
        Ok(event_function!(notifications::handle, app))
    }

    async fn purchases(&self) -> Result<Arc<dyn Function>, Error> {
        let function = self.function("purchases")?;
        let stripe = function.stripe_secret().await?;
        let app = purchases::App {
            ledger: function.ledger()?,
            payments: StripePayments::new(Settings::of(&function.environment, stripe.api_key)?.waited_for())?,
            clock: self.clock.clone(),
            unique: RandomIds,
            price_book: function.environment.price_book()?,
            links: function.links().await?,
        };
        Ok(http_function!(purchases::handle, app))
    }

    async fn stripe_webhooks(&self) -> Result<Arc<dyn Function>, Error> {
        let function = self.function("stripe-webhooks")?;
        let stripe = function.stripe_secret().await?;
        let app = stripe_webhooks::App {
            ledger: function.ledger()?,
            payments: StripePayments::new(Settings::of(&function.environment, stripe.api_key)?.waited_for())?,
            clock: self.clock.clone(),
            unique: RandomIds,
            secrets: stripe.webhook_secrets.into_iter().map(Secret::new).collect(),
        };
        Ok(http_function!(stripe_webhooks::handle, app))
    }

    async fn top_up_sweep(&self) -> Result<Arc<dyn Function>, Error> {
        let function = self.function("top-up-sweep")?;
        let stripe = function.stripe_secret().await?;
        let app = top_up_sweep::App {
            ledger: function.ledger()?,
            payments: StripePayments::new(Settings::of(&function.environment, stripe.api_key)?)?,
            timers: EventBridgeTimers::new(aws::scheduler(&function.aws), TimerSettings::of(&function.environment)?),
            clock: self.clock.clone(),
            unique: RandomIds,
            price_book: function.environment.price_book()?,
            emit: |metrics| tracing::info!(%metrics, "counted"),
        };
        Ok(event_function!(top_up_sweep::handle, app))
    }

    fn function(&self, binary: &str) -> Result<Surroundings, Error> {
        let function = self.template.function_of_binary(binary);
        let function = function.ok_or_else(|| format!("the template has no function {binary}"))?;
        let mut variables = function.environment.clone();
        for (name, value) in [
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", &function.logical_id),
            ("AWS_SECRET_ACCESS_KEY", &self.signing.secret_access_key),
            ("AWS_SESSION_TOKEN", &self.signing.session_token),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        let environment = Environment::of(variables);
        let aws = AwsEnvironment::of(&environment)?.with_http_client(self.aws.sdk_config_http_client());
        Ok(Surroundings { environment, aws })
    }
}

impl Surroundings {
    fn ledger(&self) -> Result<DynamoLedger, Error> {
        let table = self.environment.required("TABLE_NAME")?;
        Ok(DynamoLedger::new(aws::dynamodb(&self.aws), table, LedgerSettings::default()))
    }

    async fn stripe_secret(&self) -> Result<StripeSecret, Error> {
        let secrets = aws::secrets_manager(&self.aws);
        Ok(stripe_secret_get(&secrets, &self.environment.required("STRIPE_SECRET_ID")?).await?)
    }

    async fn links(&self) -> Result<LinkKey, Error> {
        let secrets = aws::secrets_manager(&self.aws);
        Ok(LinkKey::new(secret_get(&secrets, &self.environment.required("LINK_SECRET_ID")?).await?)?)
    }
}
