//! The function's environment when deployed: DynamoDB, Scheduler, Secrets Manager, Stripe, and Lambda's time limit.

use crate::measure::{Report, Sampler, Tally};
use crate::stripe::Stripe;
use crate::webhooks::{self, Delivered};
use crate::{Arguments, Error, accounts, say};
use jiff::Timestamp;
use local_aws::access::Access;
use local_aws::dynamodb::LocalDynamoDb;
use local_aws::event_bus::LocalEventBus;
use local_aws::scheduler::LocalScheduler;
use local_aws::secrets::LocalSecrets;
use local_aws::server::{LocalAws, bind};
use local_aws::ses::LocalSes;
use local_gateway::function::FunctionError;
use local_gateway::runtime_api::{self, Programs};
use local_gateway::{Clock as GatewayClock, Deployment, Functions, Template};
use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};
use shared::ports::SWEEP_PERIOD;
use std::collections::BTreeMap;
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use tokio::time::Instant;

const BINARY: &str = "top-up-sweep";
const WEBHOOKS: &str = "stripe-webhooks";
const TICK: Duration = Duration::from_millis(500);

/// All services that the function uses, on ports of 127.0.0.1.
pub struct Cloud {
    pub aws: LocalAws,
    pub stripe: Stripe,
    template: Template,
    functions: Functions,
    delivered: Delivered,
}

impl Cloud {
    pub async fn start(arguments: &Arguments) -> Result<Self, Error> {
        let (aws_listener, stripe_listener) = (bind(0).await?, bind(0).await?);
        let aws_url = format!("http://{}", aws_listener.local_addr()?);
        let mut template = template(&format!("http://{}", stripe_listener.local_addr()?))?;
        template.functions.retain(|_, function| [BINARY, WEBHOOKS].contains(&function.binary.as_str()));
        let clock: GatewayClock = Arc::new(|| SystemClock.now());
        let secret = json!({"api_key": "sk_test_local", "webhook_secrets": [webhooks::SECRET]}).to_string();
        let aws = LocalAws {
            dynamodb: LocalDynamoDb::in_memory(),
            ses: LocalSes::new(["nobody@prepaid.example"], Arc::clone(&clock)),
            secrets: LocalSecrets::new(BTreeMap::from([("stripe".to_owned(), secret)])),
            scheduler: LocalScheduler::new(&template.schedule_groups, Arc::clone(&clock)),
            events: LocalEventBus::new(&template.event_buses, Arc::clone(&clock)),
            access: Access::default(),
        };
        let mut properties = template.tables["Table"].properties.clone();
        // The stream is not read here, and in memory each write would search all of it.
        properties.as_object_mut().map(|properties| properties.remove("StreamSpecification"));
        aws.dynamodb.create_table(&template.tables["Table"].name, &properties).await?;
        let (tell, paid) = unbounded_channel();
        let stripe = Stripe::new(arguments.latency, tell);
        tokio::spawn({
            let aws = aws.clone();
            async move { aws.serve(aws_listener, pending()).await }
        });
        stripe.clone().serve(stripe_listener)?;
        let programs = programs(arguments, &aws_url);
        let functions = Functions::new(&template, runtime_api::functions(&template, &programs)?, Arc::clone(&clock))?;
        let delivered = webhooks::deliver(&template, functions.clone(), clock, paid).await?;
        Ok(Self { aws, stripe, template, functions, delivered })
    }

    pub fn table(&self) -> String {
        self.template.tables["Table"].name.clone()
    }

    /// Sweeps every half hour, and whenever a timer continues a sweep, until all accounts are topped up.
    pub async fn sweep_until_done(&self, due: usize) -> Result<Report, Error> {
        let function = self.template.function_of_binary(BINARY).ok_or("the template has no sweep")?.logical_id.clone();
        let (recording, mut tally) = (self.aws.dynamodb.record(), Tally::default());
        let mut sampler = Sampler::default();
        let mut parts: JoinSet<(Timestamp, &'static str, Result<Value, FunctionError>)> = JoinSet::new();
        let mut report = Report { due, ..Report::default() };
        let (began, mut next_sweep) = (Instant::now(), SystemClock.now());
        let invoke = |parts: &mut JoinSet<_>, kind: &'static str, event: Value| {
            let (functions, function) = (self.functions.clone(), function.clone());
            let at = SystemClock.now();
            parts.spawn(async move { (at, kind, functions.invoke(&function, event).await) });
        };
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            let now = SystemClock.now();
            if now >= next_sweep {
                invoke(&mut parts, "schedule", json!({"source": "aws.scheduler", "time": next_sweep.to_string()}));
                next_sweep += SWEEP_PERIOD;
                report.sweeps += 1;
            }
            while let Some(timer) = self.aws.scheduler.take_due(now) {
                invoke(&mut parts, "timer", serde_json::from_str(&timer.input.unwrap_or_default())?);
                report.continuations += 1;
            }
            report.most_at_once = report.most_at_once.max(parts.len());
            while let Some(ended) = parts.try_join_next() {
                let (at, kind, answer) = ended?;
                let answer = answer?;
                say(&format!("by {kind} at {at}, {:.1} minutes in: {answer}", began.elapsed().as_secs_f64() / 60.0));
                report.summary.add(&answer)?;
            }
            tally.count(&recording.take());
            sampler.sample(began.elapsed());
            let is_quiet = parts.is_empty()
                && self.aws.scheduler.next_due().is_none()
                && self.delivered.accepted() + self.delivered.refused() == self.stripe.paid();
            if is_quiet {
                if accounts::due(&self.aws.dynamodb, &self.table()).await? == 0 {
                    break;
                }
                // The requests of the check above are not part of the sweep.
                recording.clear();
            }
        }
        report.seconds = self.stripe.calls().latest.map_or(0.0, |latest| latest.duration_since(began).as_secs_f64());
        let events = (self.delivered.accepted(), self.delivered.refused());
        Ok(Report { calls: self.stripe.calls(), tally, memory: sampler, events, ..report })
    }
}

/// The repository's template with the parameters that `sam deploy` would get.
fn template(stripe_url: &str) -> Result<Template, Error> {
    let yaml = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../template.yaml"))?;
    let unused = ["JwtIssuer", "JwtAudience", "ReturnUrl", "Sender", "SenderIdentity"];
    let mut parameters: BTreeMap<String, String> = unused.map(|name| (name.to_owned(), "unused".to_owned())).into();
    parameters.insert("StripeSecretArn".to_owned(), LocalSecrets::arn("stripe"));
    parameters.insert("StripeApiBase".to_owned(), stripe_url.to_owned());
    Ok(Template::parse(&yaml, &Deployment { parameters, ..Deployment::default() })?)
}

fn programs(arguments: &Arguments, aws_url: &str) -> Programs {
    let mut environment: BTreeMap<String, String> = [
        ("AWS_ENDPOINT_URL", aws_url),
        // One line per account would hide the results.
        ("RUST_LOG", "warn"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if let Some(rate) = arguments.rate {
        environment.insert("STRIPE_ENDPOINT_CALLS_PER_SECOND".to_owned(), rate.to_string());
    }
    Programs {
        directory: arguments.functions.clone(),
        environment,
        secret_access_key: "local".to_owned(),
        session_token: "local".to_owned(),
        processes_max: 8,
        log: None,
        watcher: None,
    }
}
