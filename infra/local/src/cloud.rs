//! The local cloud: stand-ins, gateway, schedules and stream, wired as in `template.yaml`.

use crate::clock::{MovableClock, NotForward};
use crate::functions::{SigningSecrets, in_process_functions};
use crate::local_routes;
use jiff::{SignedDuration, Timestamp};
use lambda_http::Error;
use local_aws::access::{Access, Effect, Statement};
use local_aws::dynamodb::{LocalDynamoDb, StreamCursor};
use local_aws::event_bus::LocalEventBus;
use local_aws::scheduler::{LocalScheduler, OneTimeSchedule};
use local_aws::secrets::LocalSecrets;
use local_aws::server::LocalAws;
use local_aws::ses::LocalSes;
use local_gateway::schedules::{ChangeCount, OneTime, OneTimeSource, Run};
use local_gateway::streams::{Delivered, FailedBatch, OnFailure, StreamError, StreamPage, StreamSource};
use local_gateway::template::ConfigurationSet;
use local_gateway::{
    Deployment, EventBus, Functions, Gateway, Issuer, KeyPair, Schedules, StreamConsumer, Template, runtime_api,
};
use local_stripe::{LocalStripe, Settings, WebhookTarget};
use serde_json::{Value, json};
use shared::stripe::webhook::EVENT_TYPES;
use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The sender of the e-mails, in a domain reserved for examples.
const SENDER: &str = "billing@prepaid.example";
const AUDIENCE: &str = "prepaid-local";
/// How long background tasks sleep when there is nothing to do.
const IDLE: Duration = Duration::from_millis(150);

/// The options of a local cloud.
#[derive(Clone, Debug)]
pub struct Options {
    pub clock: MovableClock,
    /// The API's port; Stripe and AWS use the next two. 0 picks free ports.
    pub port: u16,
    /// The directory that keeps the table; `None` keeps it in memory.
    pub data: Option<PathBuf>,
    /// The JSON of the price book; `None` sells from the built-in one.
    pub price_book: Option<String>,
    /// The directory of the compiled functions; `None` runs them in this process.
    pub functions: Option<PathBuf>,
    /// The file to which the compiled functions append their output; `None` uses this process's own output.
    pub log: Option<PathBuf>,
    /// Observes compiled functions while they run, and may kill them.
    pub watcher: Option<Arc<dyn runtime_api::Watcher>>,
    pub template: PathBuf,
    /// Parameters of the deployment, in addition to those that the local cloud itself sets.
    pub parameters: BTreeMap<String, String>,
}

impl Options {
    /// In memory, in this process, on free ports, with the repository's template. Requests are not limited, because the
    /// clock may stand still.
    pub fn new(clock: MovableClock) -> Self {
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
        let unlimited = ["AccountRequestsPerSecond", "ReconciliationCallsPerSecond"];
        let parameters = unlimited.map(|name| (name.to_owned(), "0".to_owned())).into();
        Self {
            clock,
            port: 0,
            data: None,
            price_book: None,
            functions: None,
            log: None,
            watcher: None,
            template,
            parameters,
        }
    }
}

/// The running cloud. Dropping it stops its servers and background tasks.
pub struct LocalCloud {
    pub clock: MovableClock,
    pub stripe: LocalStripe,
    pub aws: LocalAws,
    pub issuer: Issuer,
    pub template: Template,
    pub urls: Urls,
    /// The key that the Stripe stand-in accepts, new at every start.
    pub stripe_api_key: String,
    /// The secrets that sign the functions' requests to AWS, new at every start.
    pub signing: SigningSecrets,
    schedules: Schedules,
    /// The default event bus. A test can put events on it.
    pub event_bus: EventBus,
    /// Each function's position in the table's stream. A test can move one back to have records delivered again.
    pub streams: Vec<StreamConsumer>,
    /// Whether the functions are separate processes, which use the machine's clock.
    pub has_own_processes: bool,
    /// Whether the accounts of [`crate::ready_made`] were made.
    has_ready_made: AtomicBool,
    tasks: std::sync::Mutex<JoinSet<()>>,
}

/// The URLs of the servers, without a trailing slash.
#[derive(Clone, Debug)]
pub struct Urls {
    pub api: String,
    pub stripe: String,
    pub aws: String,
}

impl LocalCloud {
    /// Starts the servers. Background work starts with [`LocalCloud::run`].
    ///
    /// # Errors
    /// If a port is taken, the template cannot run locally, or the data directory cannot be opened.
    pub async fn start(options: Options) -> Result<Arc<Self>, Error> {
        let [api, stripe_listener, aws_listener] = bind(options.port).await?;
        let urls = Urls { api: url(&api)?, stripe: url(&stripe_listener)?, aws: url(&aws_listener)? };
        let clock = options.clock.clone();
        let secrets = make_secrets(options.data.as_deref())?;
        let yaml = std::fs::read_to_string(&options.template)
            .map_err(|error| format!("{} cannot be read: {error}", options.template.display()))?;
        let template = Template::parse(&yaml, &deployment(&urls, &options))?;
        let aws = start_aws(&template, options.data.as_deref(), &secrets, &clock).await?;
        let seed = if options.data.is_some() { uuid::Uuid::new_v4().as_u64_pair().0 } else { 1 };
        let stripe = start_stripe(&urls, &secrets, seed, &clock);
        let (issuer_url, key) = (format!("{}/_local/issuer", urls.api), KeyPair::of_this_process()?);
        let issuer = Issuer::with_key(&issuer_url, AUDIENCE, clock.shared(), key);
        let by_binary = match &options.functions {
            None => in_process_functions(&template, &aws, &secrets.signing, &clock).await?,
            Some(directory) => {
                runtime_api::functions(&template, &programs(directory, &options, &urls, &secrets.signing))?
            }
        };
        let functions = Functions::new(&template, by_binary, clock.shared())?;
        let source: Arc<dyn StreamSource> = Arc::new(TableStream(aws.dynamodb.clone()));
        let cloud = Arc::new(Self {
            schedules: Schedules::new(&template, functions.clone(), clock.shared())?
                .with_one_time(Arc::new(OneTimeSchedules(aws.scheduler.clone())))
                .leaving_out_idle_runs(changes(&aws, &stripe)),
            event_bus: EventBus::new(&template, functions.clone(), clock.shared(), on_failure()),
            streams: StreamConsumer::all(&template, &source, &functions, &on_failure()),
            has_own_processes: options.functions.is_some(),
            has_ready_made: AtomicBool::new(false),
            tasks: std::sync::Mutex::default(),
            clock,
            stripe,
            aws,
            issuer,
            template,
            urls,
            stripe_api_key: secrets.stripe_api_key,
            signing: secrets.signing,
        });
        cloud.serve(functions, api, stripe_listener, aws_listener);
        Ok(cloud)
    }

    /// From now on, schedules fire, and e-mails and webhooks are sent automatically.
    pub fn run(self: &Arc<Self>) {
        let (webhooks, schedules) = (Arc::clone(self), Arc::clone(self));
        self.spawn(async move { webhooks.stripe.deliver_forever().await });
        self.spawn(async move { schedules.schedules.run(IDLE).await });
        let reports = Arc::clone(self);
        self.spawn(async move {
            loop {
                reports.deliver_reports().await;
                tokio::time::sleep(IDLE).await;
            }
        });
        for position in 0..self.streams.len() {
            let cloud = Arc::clone(self);
            self.spawn(async move { cloud.streams[position].run(IDLE).await });
        }
    }

    pub fn has_ready_made_accounts(&self) -> bool {
        self.has_ready_made.load(Ordering::Relaxed)
    }

    pub(crate) fn note_ready_made_accounts(&self) {
        self.has_ready_made.store(true, Ordering::Relaxed);
    }

    /// Moves the clock, runs the schedules that became due, and delivers the resulting events.
    ///
    /// # Errors
    /// [`NotForward`], or if the stream cannot be read.
    pub async fn advance(&self, by: SignedDuration) -> Result<Vec<Run>, AdvanceError> {
        let now = self.clock.advance(by)?;
        let runs = self.schedules.advance_to(now).await;
        self.settle().await?;
        Ok(runs)
    }

    /// Moves the clock without running what became due in between.
    ///
    /// # Errors
    /// [`NotForward`].
    pub async fn skip(&self, by: SignedDuration) -> Result<(), NotForward> {
        self.clock.advance(by)?;
        self.schedules.begin_anew().await;
        Ok(())
    }

    /// From now on, the schedule of this function runs nothing, as if its function failed each time.
    pub fn leave_out(&self, binary: &str) {
        self.schedules.leave_out(binary);
    }

    /// Runs the sweep now, regardless of the schedule.
    ///
    /// # Errors
    /// If the function fails.
    pub async fn sweep(&self) -> Result<Value, Error> {
        Ok(self.schedules.run_now("top-up-sweep").await?)
    }

    /// Runs the reconciliation now, regardless of the schedule.
    ///
    /// # Errors
    /// If the function fails.
    pub async fn reconcile(&self) -> Result<Value, Error> {
        Ok(self.schedules.run_now("reconciliation").await?)
    }

    /// Runs the run over expired charges now, regardless of the schedule.
    ///
    /// # Errors
    /// If the function fails.
    pub async fn expire_charges(&self) -> Result<Value, Error> {
        Ok(self.schedules.run_now("charge-expiry").await?)
    }

    /// Closes the days of the liability now, regardless of the schedule.
    ///
    /// # Errors
    /// If the function fails.
    pub async fn close_days(&self) -> Result<Value, Error> {
        Ok(self.schedules.run_now("liability").await?)
    }

    /// Runs the evaluation of alerts now, regardless of the schedule.
    ///
    /// # Errors
    /// If the function fails.
    pub async fn evaluate_alerts(&self) -> Result<Value, Error> {
        Ok(self.schedules.run_now("alerts").await?)
    }

    /// Puts what SES published since the last call on the event bus, as the template's configuration sets say, and delivers
    /// what is due on the bus. Returns the number of invocations.
    pub async fn deliver_reports(&self) -> usize {
        let sets = &self.template.configuration_sets;
        let is_published = |event: &Value| {
            let named = event["detail"]["mail"]["tags"]["ses:configuration-set"][0].as_str();
            let set = sets.iter().find(|set| Some(set.name.as_str()) == named);
            let kind = event["detail"]["eventType"].as_str().unwrap_or_default();
            set.is_some_and(|set| set.published.iter().any(|published| published.eq_ignore_ascii_case(kind)))
        };
        self.event_bus.put(self.aws.ses.take_events().into_iter().filter(is_published).collect()).await;
        self.event_bus.deliver().await
    }

    /// Delivers webhooks, stream records and reports about e-mails until none is due.
    ///
    /// # Errors
    /// If the stream cannot be read.
    pub async fn settle(&self) -> Result<Delivered, StreamError> {
        let mut delivered = Delivered::default();
        loop {
            let webhooks = self.stripe.deliver_due().await;
            let mut handled = 0;
            for stream in &self.streams {
                let drained = stream.drain().await?;
                handled += drained.records_handled;
                delivered.records_handled += drained.records_handled;
                delivered.records_failed += drained.records_failed;
                delivered.is_blocked |= drained.is_blocked;
            }
            let reports = self.deliver_reports().await;
            if webhooks == 0 && handled == 0 && reports == 0 {
                return Ok(delivered);
            }
        }
    }

    /// A token of the company's own services, for every account, valid for thirty days on this clock.
    pub fn service_token(&self) -> String {
        self.token("service", &["credits/service"])
    }

    /// A token of one customer, for its own account.
    pub fn customer_token(&self, account: &str) -> String {
        self.token(account, &["credits/customer"])
    }

    pub fn token(&self, subject: &str, scopes: &[&str]) -> String {
        const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
        self.issuer.token(subject, scopes, LIFETIME)
    }

    fn serve(self: &Arc<Self>, functions: Functions, api: TcpListener, stripe: TcpListener, aws: TcpListener) {
        let gateway = Gateway::new(&self.template, functions, Arc::new(self.issuer.clone()), self.clock.shared());
        let router = local_routes::router(self).fallback_service(gateway.router());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        self.spawn(async move { report("API", axum::serve(api, service).await) });
        let stand_in = self.stripe.clone();
        self.spawn(async move { report("Stripe", stand_in.serve(stripe).await.map(|_| ())) });
        let stand_ins = self.aws.clone();
        self.spawn(async move { report("AWS", stand_ins.serve(aws, pending()).await) });
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).spawn(task);
    }
}

/// The clock was not moved, or the resulting events could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum AdvanceError {
    #[error(transparent)]
    NotForward(#[from] NotForward),
    #[error(transparent)]
    Stream(#[from] StreamError),
}

async fn bind(port: u16) -> Result<[TcpListener; 3], Error> {
    let listener = async |offset: u16| {
        let port = if port == 0 { 0 } else { port.checked_add(offset).ok_or("the port is too high")? };
        let bound = local_aws::server::bind(port).await;
        bound.map_err(|error| Error::from(format!("port {port} of 127.0.0.1 cannot be used: {error}")))
    };
    Ok([listener(0).await?, listener(1).await?, listener(2).await?])
}

fn url(listener: &TcpListener) -> std::io::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// The parameters of `sam deploy`, and the values that CloudFormation would return.
fn deployment(urls: &Urls, options: &Options) -> Deployment {
    let own = [
        ("JwtIssuer", format!("{}/_local/issuer", urls.api)),
        ("JwtAudience", AUDIENCE.to_owned()),
        ("StripeSecretArn", LocalSecrets::arn("stripe")),
        ("StripeApiBase", urls.stripe.clone()),
        ("PublicUrl", urls.api.clone()),
        ("ReturnUrl", format!("{}/_local/returned", urls.api)),
        ("StripeInvoices", "true".to_owned()),
        ("Sender", SENDER.to_owned()),
        ("SenderIdentity", SENDER.to_owned()),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let price_book = options.price_book.clone().map(|json| ("PriceBook".to_owned(), json));
    let others = options.parameters.clone();
    Deployment {
        parameters: own.into_iter().chain(price_book).chain(others).collect(),
        references: BTreeMap::from([("LinkSecret".to_owned(), LocalSecrets::arn("links"))]),
        region: local_aws::REGION.to_owned(),
        account_id: local_aws::ACCOUNT.to_owned(),
        stack_name: "prepaid".to_owned(),
        ..Deployment::default()
    }
}

/// Every effect of a function is a write to the table or at Stripe; e-mails and timers come with a write.
fn changes(aws: &LocalAws, stripe: &LocalStripe) -> ChangeCount {
    let (writes, stripe) = (aws.dynamodb.writes(), stripe.clone());
    Arc::new(move || *writes.borrow() + stripe.effects_total())
}

/// The secrets of the local cloud.
struct Secrets {
    stripe_api_key: String,
    stripe_webhook_secret: String,
    link_secret: String,
    signing: SigningSecrets,
}

/// New secrets at every start, except the link secret if data is kept, because those links may be opened later.
fn make_secrets(data: Option<&Path>) -> Result<Secrets, Error> {
    let random = || uuid::Uuid::new_v4().simple().to_string();
    let link_secret = match data {
        None => format!("{}{}", random(), random()),
        Some(directory) => {
            std::fs::create_dir_all(directory)?;
            let file = directory.join("link-secret");
            if !file.exists() {
                std::fs::write(&file, format!("{}{}", random(), random()))?;
            }
            std::fs::read_to_string(file)?
        }
    };
    Ok(Secrets {
        stripe_api_key: format!("sk_test_local{}", random()),
        stripe_webhook_secret: format!("whsec_local{}", random()),
        link_secret,
        signing: SigningSecrets { secret_access_key: random(), session_token: random() },
    })
}

async fn start_aws(
    template: &Template,
    data: Option<&Path>,
    secrets: &Secrets,
    clock: &MovableClock,
) -> Result<LocalAws, Error> {
    let dynamodb = match data {
        None => LocalDynamoDb::in_memory(),
        Some(directory) => LocalDynamoDb::at(directory)?,
    };
    for table in template.tables.values() {
        dynamodb.create_table(&table.name, &table.properties).await?;
    }
    let stripe = json!({"api_key": secrets.stripe_api_key, "webhook_secrets": [secrets.stripe_webhook_secret]});
    let stored = [("stripe".to_owned(), stripe.to_string()), ("links".to_owned(), secrets.link_secret.clone())];
    Ok(LocalAws {
        dynamodb,
        ses: ses(template, clock),
        secrets: LocalSecrets::new(BTreeMap::from(stored)),
        scheduler: LocalScheduler::new(&template.schedule_groups, clock.shared()),
        events: LocalEventBus::new(&template.event_buses, clock.shared()),
        access: Access::new(roles(template)),
    })
}

/// SES with the template's configuration sets.
fn ses(template: &Template, clock: &MovableClock) -> LocalSes {
    let names = |is_such: fn(&ConfigurationSet) -> bool| {
        template.configuration_sets.iter().filter(move |set| is_such(set)).map(|set| set.name.clone())
    };
    LocalSes::new([SENDER], clock.shared())
        .with_configuration_sets(names(|_| true))
        .without_suppression(names(|set| !set.is_suppressing))
}

/// The permissions of each function, by the access key id that it signs with. A function without a role in the template
/// has none.
fn roles(template: &Template) -> BTreeMap<String, Vec<Statement>> {
    let statement = |read: &local_gateway::template::Statement| Statement {
        effect: if read.allows { Effect::Allow } else { Effect::Deny },
        actions: read.actions.clone(),
        resources: read.resources.clone(),
        conditions: read.conditions.clone(),
    };
    let role = |read: &Vec<_>| read.iter().map(statement).collect();
    let functions = template.functions.iter();
    functions.map(|(id, function)| (id.clone(), function.role.as_ref().map_or_else(Vec::new, role))).collect()
}

/// Stripe's objects are lost at a restart, so if the table is kept, their ids must not be reused.
fn start_stripe(urls: &Urls, secrets: &Secrets, seed: u64, clock: &MovableClock) -> LocalStripe {
    let stripe = LocalStripe::new(Settings {
        api_keys: vec![secrets.stripe_api_key.clone()],
        base_url: urls.stripe.clone(),
        tax_basis_points: 0,
        seed,
        clock: clock.shared(),
    });
    let endpoint = WebhookTarget::Url(format!("{}/v1/webhooks/stripe", urls.api));
    let event_types = EVENT_TYPES.map(|(name, _)| name);
    stripe.add_webhook_endpoint(endpoint, &secrets.stripe_webhook_secret, &event_types);
    stripe
}

fn programs(directory: &Path, options: &Options, urls: &Urls, signing: &SigningSecrets) -> runtime_api::Programs {
    runtime_api::Programs {
        directory: directory.to_owned(),
        environment: BTreeMap::from([("AWS_ENDPOINT_URL".to_owned(), urls.aws.clone())]),
        secret_access_key: signing.secret_access_key.clone(),
        session_token: signing.session_token.clone(),
        processes_max: 8,
        log: options.log.clone(),
        watcher: options.watcher.clone(),
    }
}

/// What a deployment would put into the failure queue is logged here.
fn on_failure() -> OnFailure {
    Arc::new(|FailedBatch { function, records, reason }| {
        tracing::error!(function, records = records.len(), reason, "records went to the failure queue");
    })
}

fn report(what: &str, ended: std::io::Result<()>) {
    if let Err(error) = ended {
        tracing::error!(%error, "{what} stopped serving");
    }
}

/// The embedded table's stream, as the gateway reads streams.
struct TableStream(LocalDynamoDb);

impl StreamSource for TableStream {
    fn read<'a>(
        &'a self,
        table: &'a str,
        cursor: &'a str,
        limit: usize,
    ) -> futures::future::BoxFuture<'a, Result<StreamPage, StreamError>> {
        Box::pin(async move {
            let batch = self.0.stream_batch(table, &StreamCursor::from_text(cursor), limit);
            let batch = batch.map_err(|error| StreamError(error.to_string()))?;
            let records = batch.event.and_then(|mut event| match event["Records"].take() {
                Value::Array(records) => Some(records),
                _ => None,
            });
            Ok(StreamPage {
                records: records.unwrap_or_default(),
                cursor: batch.next.to_string(),
                is_at_end: batch.is_at_end,
            })
        })
    }
}

/// The embedded scheduler's one-time schedules, as the gateway fires them.
struct OneTimeSchedules(LocalScheduler);

impl OneTimeSource for OneTimeSchedules {
    fn next_due(&self) -> Option<Timestamp> {
        self.0.next_due()
    }

    fn take_due(&self, now: Timestamp) -> Option<OneTime> {
        let schedule = self.0.take_due(now)?;
        let OneTimeSchedule { name, arn, at, target_arn, input, retries, event_age_max_seconds, .. } = schedule;
        let event_age_max = Duration::from_secs(event_age_max_seconds.into());
        Some(OneTime { name, arn, due: at, target_arn, input, retries, event_age_max })
    }
}
