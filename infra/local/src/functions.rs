//! The product's functions in this process: the very handlers that are deployed, with the settings the template gives
//! them, the stand-ins behind them and the movable clock.

use crate::clock::MovableClock;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_sesv2::config::{BehaviorVersion, Region};
use lambda_http::Error;
use lambda_runtime::service_fn;
use local_aws::REGION;
use local_aws::server::LocalAws;
use local_gateway::{Function, Template, in_process};
use shared::config::Environment;
use shared::email::SesMailer;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::links::LinkKey;
use shared::payments::{Secret, Settings, StripePayments};
use shared::timers::{EventBridgeTimers, TimerSettings};
use shared::use_cases::ports::RandomUnique;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The secrets that lie in Secrets Manager where the product is deployed.
#[derive(Clone)]
pub struct Secrets {
    pub stripe_api_key: String,
    pub stripe_webhook_secret: String,
    pub link_secret: String,
}

/// Every function by binary name.
///
/// # Errors
/// When the template lacks a function, or a setting that the function needs.
pub fn in_process_functions(
    template: &Template,
    aws: &LocalAws,
    secrets: &Secrets,
    clock: &MovableClock,
) -> Result<BTreeMap<String, Arc<dyn Function>>, Error> {
    let wiring = Wiring { template, aws, secrets, clock };
    Ok(BTreeMap::from([
        ("accounts".to_owned(), wiring.accounts()?),
        ("charging".to_owned(), wiring.charging()?),
        ("notifications".to_owned(), wiring.notifications()?),
        ("purchases".to_owned(), wiring.purchases()?),
        ("stripe-webhooks".to_owned(), wiring.stripe_webhooks()?),
        ("top-up-sweep".to_owned(), wiring.top_up_sweep()?),
    ]))
}

/// As the functions' own `main`s do it, with other clients and another clock.
struct Wiring<'a> {
    template: &'a Template,
    aws: &'a LocalAws,
    secrets: &'a Secrets,
    clock: &'a MovableClock,
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
    fn accounts(&self) -> Result<Arc<dyn Function>, Error> {
        let environment = self.environment("accounts")?;
        let app = accounts::App {
            ledger: self.ledger(&environment)?,
            payments: self.payments(&environment, Settings::waited_for)?,
            clock: self.clock.clone(),
            unique: RandomUnique,
            price_book: environment.price_book()?,
        };
        Ok(http_function!(accounts::handle, app))
    }

    fn charging(&self) -> Result<Arc<dyn Function>, Error> {
        let environment = self.environment("charging")?;
        let app = charging::App {
            ledger: self.ledger(&environment)?,
            clock: self.clock.clone(),
            price_book: environment.price_book()?,
        };
        Ok(http_function!(charging::handle, app))
    }

    fn notifications(&self) -> Result<Arc<dyn Function>, Error> {
        let environment = self.environment("notifications")?;
        let app = notifications::App {
            ledger: self.ledger(&environment)?,
            mailer: SesMailer::new(self.ses(), environment.required("SENDER")?),
            clock: self.clock.clone(),
            links: self.links(&environment)?,
            public_url: environment.required("PUBLIC_URL")?,
        };
        Ok(event_function!(notifications::handle, app))
    }

    fn purchases(&self) -> Result<Arc<dyn Function>, Error> {
        let environment = self.environment("purchases")?;
        let app = purchases::App {
            ledger: self.ledger(&environment)?,
            payments: self.payments(&environment, Settings::waited_for)?,
            clock: self.clock.clone(),
            unique: RandomUnique,
            price_book: environment.price_book()?,
            links: self.links(&environment)?,
        };
        Ok(http_function!(purchases::handle, app))
    }

    fn stripe_webhooks(&self) -> Result<Arc<dyn Function>, Error> {
        let environment = self.environment("stripe-webhooks")?;
        let app = stripe_webhooks::App {
            ledger: self.ledger(&environment)?,
            payments: self.payments(&environment, Settings::waited_for)?,
            clock: self.clock.clone(),
            unique: RandomUnique,
            secrets: vec![Secret::new(self.secrets.stripe_webhook_secret.clone())],
        };
        Ok(http_function!(stripe_webhooks::handle, app))
    }

    fn top_up_sweep(&self) -> Result<Arc<dyn Function>, Error> {
        let environment = self.environment("top-up-sweep")?;
        let app = top_up_sweep::App {
            ledger: self.ledger(&environment)?,
            payments: self.payments(&environment, |settings| settings)?,
            timers: EventBridgeTimers::new(self.scheduler(), TimerSettings::of(&environment)?),
            clock: self.clock.clone(),
            unique: RandomUnique,
            price_book: environment.price_book()?,
            emit: |metrics| tracing::info!(%metrics, "counted"),
        };
        Ok(event_function!(top_up_sweep::handle, app))
    }

    fn environment(&self, binary: &str) -> Result<Environment, Error> {
        let function = self.template.function_of_binary(binary);
        let function = function.ok_or_else(|| format!("the template has no function {binary}"))?;
        Ok(Environment::of(function.environment.clone()))
    }

    fn ledger(&self, environment: &Environment) -> Result<DynamoLedger, Error> {
        let config = self.aws.dynamodb.client_config().retry_config(RetryConfig::standard());
        let client = aws_sdk_dynamodb::Client::from_conf(config.build());
        Ok(DynamoLedger::new(client, environment.required("TABLE_NAME")?, LedgerSettings::default()))
    }

    /// The secret is handed in, but what the template names has to be there for the function that is deployed.
    fn payments(&self, environment: &Environment, adjust: fn(Settings) -> Settings) -> Result<StripePayments, Error> {
        environment.required("STRIPE_SECRET_ID")?;
        Ok(StripePayments::new(adjust(environment.stripe(self.secrets.stripe_api_key.clone())?))?)
    }

    fn links(&self, environment: &Environment) -> Result<LinkKey, Error> {
        environment.required("LINK_SECRET_ID")?;
        Ok(LinkKey::new(&self.secrets.link_secret)?)
    }

    fn scheduler(&self) -> aws_sdk_scheduler::Client {
        let config = aws_sdk_scheduler::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .allow_no_auth()
            .http_client(self.aws.scheduler.sdk_config_http_client());
        aws_sdk_scheduler::Client::from_conf(config.build())
    }

    fn ses(&self) -> aws_sdk_sesv2::Client {
        let config = aws_sdk_sesv2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .allow_no_auth()
            .http_client(self.aws.ses.sdk_config_http_client());
        aws_sdk_sesv2::Client::from_conf(config.build())
    }
}
