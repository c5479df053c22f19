//! The product's functions in this process: the deployed handlers, with the settings from the template, the stand-ins
//! and the movable clock.
//!
//! Each function calls AWS with its own credentials, and the stand-ins enforce its role from the template.

use crate::clock::MovableClock;
use lambda_http::{Body, Error, Request, Response};
use lambda_runtime::service_fn;
use local_aws::REGION;
use local_aws::server::LocalAws;
use local_gateway::{Function, Template, in_process};
use serde_json::Value;
use shared::aws::AwsEnvironment;
use shared::config::Environment;
use shared::surroundings::Surroundings;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The credentials that sign the requests of every function, as Lambda provides them. The access key id is the logical
/// id.
#[derive(Clone)]
pub struct SigningSecrets {
    pub secret_access_key: String,
    pub session_token: String,
}

/// Every function by binary name.
///
/// # Errors
/// If the template lacks a function, a setting that the function needs, or a permission that it needs to start.
pub async fn in_process_functions(
    template: &Template,
    aws: &LocalAws,
    signing: &SigningSecrets,
    clock: &MovableClock,
) -> Result<BTreeMap<String, Arc<dyn Function>>, Error> {
    let wiring = Wiring { template, aws, signing, clock };
    Ok(BTreeMap::from([
        ("accounts".to_owned(), wiring.accounts().await?),
        ("alerts".to_owned(), wiring.alerts()?),
        ("charge-expiry".to_owned(), wiring.charge_expiry()?),
        ("charging".to_owned(), wiring.charging()?),
        ("liability".to_owned(), wiring.liability()?),
        ("notifications".to_owned(), wiring.notifications().await?),
        ("portal".to_owned(), wiring.portal().await?),
        ("purchases".to_owned(), wiring.purchases().await?),
        ("reconciliation".to_owned(), wiring.reconciliation().await?),
        ("stripe-webhooks".to_owned(), wiring.stripe_webhooks().await?),
        ("support".to_owned(), wiring.support().await?),
        ("top-up-sweep".to_owned(), wiring.top_up_sweep().await?),
        ("usage".to_owned(), wiring.usage()?),
    ]))
}

/// Where a function's counts go in the local cloud.
fn emit(metrics: &Value) {
    tracing::info!(%metrics, "counted");
}

/// What the functions' own wiring gets here instead of what their `main`s get from Lambda.
struct Wiring<'a> {
    template: &'a Template,
    aws: &'a LocalAws,
    signing: &'a SigningSecrets,
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

/// Here nothing goes on once a request is answered, so what follows the answer comes before it.
async fn answer_charging<O: charging::Outside>(app: &charging::App<O>, request: Request) -> Response<Body> {
    let response = charging::handle(app, request).await;
    charging::after_answer(app).await;
    response
}

impl Wiring<'_> {
    async fn accounts(&self) -> Result<Arc<dyn Function>, Error> {
        Ok(http_function!(accounts::handle, accounts::wiring::app(self.surroundings("accounts")?).await?))
    }

    fn alerts(&self) -> Result<Arc<dyn Function>, Error> {
        Ok(event_function!(alerts::handle, alerts::wiring::app(self.surroundings("alerts")?, emit)?))
    }

    fn charge_expiry(&self) -> Result<Arc<dyn Function>, Error> {
        let surroundings = self.surroundings("charge-expiry")?;
        Ok(event_function!(charge_expiry::handle, charge_expiry::wiring::app(surroundings, emit)?))
    }

    fn charging(&self) -> Result<Arc<dyn Function>, Error> {
        Ok(http_function!(answer_charging, charging::wiring::app(self.surroundings("charging")?, emit)?))
    }

    fn liability(&self) -> Result<Arc<dyn Function>, Error> {
        let surroundings = self.surroundings("liability")?;
        Ok(event_function!(liability::handle, liability::wiring::app(surroundings, emit)?))
    }

    async fn notifications(&self) -> Result<Arc<dyn Function>, Error> {
        Ok(event_function!(
            notifications::handle,
            notifications::wiring::app(self.surroundings("notifications")?, emit).await?
        ))
    }

    async fn portal(&self) -> Result<Arc<dyn Function>, Error> {
        Ok(http_function!(portal::handle, portal::wiring::app(self.surroundings("portal")?).await?))
    }

    async fn purchases(&self) -> Result<Arc<dyn Function>, Error> {
        Ok(http_function!(purchases::handle, purchases::wiring::app(self.surroundings("purchases")?).await?))
    }

    async fn reconciliation(&self) -> Result<Arc<dyn Function>, Error> {
        let surroundings = self.surroundings("reconciliation")?;
        Ok(event_function!(reconciliation::handle, reconciliation::wiring::app(surroundings, emit).await?))
    }

    async fn stripe_webhooks(&self) -> Result<Arc<dyn Function>, Error> {
        let surroundings = self.surroundings("stripe-webhooks")?;
        Ok(http_function!(stripe_webhooks::handle, stripe_webhooks::wiring::app(surroundings, emit).await?))
    }

    async fn support(&self) -> Result<Arc<dyn Function>, Error> {
        Ok(http_function!(support::handle, support::wiring::app(self.surroundings("support")?).await?))
    }

    async fn top_up_sweep(&self) -> Result<Arc<dyn Function>, Error> {
        let surroundings = self.surroundings("top-up-sweep")?;
        Ok(event_function!(top_up_sweep::handle, top_up_sweep::wiring::app(surroundings, emit).await?))
    }

    fn usage(&self) -> Result<Arc<dyn Function>, Error> {
        Ok(event_function!(usage::handle, usage::wiring::app(self.surroundings("usage")?)?))
    }

    /// The surroundings that Lambda would provide: the settings from the template, the function's own credentials, and
    /// the endpoints of the stand-ins.
    fn surroundings(&self, binary: &str) -> Result<Surroundings<MovableClock>, Error> {
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
        let aws = AwsEnvironment::of(&environment)?.with_connector(self.aws.connector());
        Ok(Surroundings { environment, aws, clock: self.clock.clone() })
    }
}
