//! The benchmark of one charge: our function compared with typical alternatives and with an empty function.
//!
//! All of them run as in Lambda, behind a Runtime API, and connect to the local cloud's DynamoDB over TLS.
//! Only CPU time is compared, which hardly depends on other load on the machine. Every round restarts every variant, so
//! a disturbance in a round affects all of them. The program fails if a limit is missed.

mod certificates;
mod contract;
mod cost;
mod dynamodb;
mod instructions;
mod process;
mod report;
mod runtime_api;
mod statistics;
mod variants;

use certificates::Certificates;
use clap::Parser;
use contract::{charge_event, check_charge, check_start_without_dynamodb, check_variant};
use cost::{Cost, Usage, template_log_bytes};
use dynamodb::{ACCOUNT, DynamoDb, Units};
use local_gateway::{Deployment, Template};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use process::Process;
use report::Measured;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Runtime;
use variants::{Variant, Variants, told};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// High enough that no charge brings the account near its threshold.
const BALANCE: i64 = 1_000_000;
/// Charges that are not measured; after them Node's compiler has done most of its work.
const WARMING: usize = 100;
/// So many charges of one account in a row are all taken with a read, because a function remembers an account only after
/// it has held sixteen times.
const READ_IN_A_ROW: usize = 16;

#[derive(Parser)]
#[command(about = "Measures one charge beside Python, Node.js and a hello world")]
struct Options {
    /// Number of starts of every variant
    #[arg(long, default_value_t = 25)]
    rounds: usize,
    /// Number of warm charges per start, from memory and again with a read
    #[arg(long, default_value_t = 300)]
    charges: usize,
    /// Directory with charging/bootstrap and bench-hello/bootstrap, as cargo-lambda builds them for a deployment
    #[arg(long, default_value = "target/bench/lambda")]
    functions: PathBuf,
    /// Directory into which infra/bench/install put Python, Node.js and their packages
    #[arg(long, default_value = "target/bench")]
    tools: PathBuf,
    /// The bootstrap of an earlier build of charging, to measure in the same rounds
    #[arg(long)]
    before: Option<PathBuf>,
    /// Only count the instructions of a warm charge of this release build with symbols, and fail if there are more than
    /// promised
    #[arg(long, value_name = "PROGRAM")]
    instructions: Option<PathBuf>,
}

/// The results of all rounds.
struct Rounds {
    charging: Measured,
    python: Measured,
    node: Measured,
    hello: Measured,
    before: Option<Measured>,
    usage: Usage,
}

impl Rounds {
    fn all(&self) -> Vec<&Measured> {
        [&self.charging, &self.python, &self.node, &self.hello].into_iter().chain(&self.before).collect()
    }
}

fn main() -> Result<ExitCode, Error> {
    let options = Options::parse();
    stay_on_one_core()?;
    Runtime::new()?.block_on(bench(&options))
}

/// Pins functions and stand-ins to the last core, so that they alternate.
///
/// A process that sends to another core pays for waking it up: on a virtual machine that takes 15 to 30 µs of its own
/// time per request, which is more than the sending and says nothing about the process.
fn stay_on_one_core() -> Result<(), Error> {
    let this = Pid::from_raw(0);
    let all = sched_getaffinity(this)?;
    let last =
        (0..CpuSet::count()).rev().find(|core| all.is_set(*core) == Ok(true)).ok_or("the process may use no core")?;
    let mut one = CpuSet::new();
    one.set(last)?;
    Ok(sched_setaffinity(this, &one)?)
}

async fn bench(options: &Options) -> Result<ExitCode, Error> {
    let mut out = std::io::stdout();
    let yaml = std::fs::read_to_string("template.yaml")?;
    let template = Template::parse(&yaml, &deployment())?;
    let charging = template.function_of_binary("charging").ok_or("the template has no function charging")?;
    if let Some(program) = &options.instructions {
        let charging = Variant::charging(std::path::absolute(program)?, &charging.environment);
        return count_instructions(&charging, &template).await;
    }
    let directory = tempfile::tempdir()?;
    let variants = Variants::find(options, &charging.environment, directory.path())?;
    let certificates = Certificates::generate()?;
    let dynamodb = DynamoDb::start(&template, &certificates).await?;
    let environment = environment(&dynamodb, &certificates, Some(&variants.roots), directory.path())?;

    for variant in [&variants.charging, &variants.python, &variants.node] {
        check_variant(variant, &environment, &dynamodb).await.map_err(|error| format!("{}: {error}", variant.name))?;
    }
    check_start_without_dynamodb(&variants.charging, &environment).await?;
    let mut measured = vec![Measured::default(); variants.all().len()];
    let mut counted = Counted::default();
    for round in 0..options.rounds {
        // Each round starts with another variant, so that no variant always runs after the same one.
        for turn in 0..measured.len() {
            let position = (round + turn) % measured.len();
            let variant = variants.all()[position];
            let is_charge = !std::ptr::eq(variant, &variants.hello);
            let run = run(variant, is_charge, &environment, &dynamodb, options.charges);
            let of_run = run.await.map_err(|error| format!("{}: {error}", variant.name))?;
            of_run.add_to(&mut measured[position]);
            if is_charge && of_run.counted.units.read < options.charges as f64 {
                return Err(format!("{}: not all charges with a read have read", variant.name).into());
            }
            if position == 0 {
                counted = of_run.counted;
            }
        }
        writeln!(out, "round {} of {}", round + 1, options.rounds)?;
    }
    for (variant, measured) in variants.all().into_iter().zip(&mut measured) {
        measured.zip_mb = variant.zip_bytes()? as f64 / 1e6;
    }
    let charges = options.charges as f64;
    let usage = Usage {
        units: Units { read: counted.units.read / charges, written: counted.units.written / charges },
        memory_mb: charging.memory_mb,
        log_bytes: template_log_bytes(&yaml)? + counted.output_bytes.div_ceil(options.charges),
    };
    let mut measured = measured.into_iter();
    let mut next = || measured.next().unwrap_or_default();
    let (charging, python, node, hello) = (next(), next(), next(), next());
    let before = measured.next();
    tell(&mut out, &Rounds { charging, python, node, hello, before, usage }, &variants, options)
}

/// Fails above a bound, and then names the functions that execute the most.
async fn count_instructions(charging: &Variant, template: &Template) -> Result<ExitCode, Error> {
    let certificates = Certificates::generate()?;
    let dynamodb = DynamoDb::start(template, &certificates).await?;
    let directory = tempfile::tempdir()?;
    let environment = environment(&dynamodb, &certificates, None, directory.path())?;
    let (mut out, mut exit) = (std::io::stdout(), ExitCode::SUCCESS);
    for way in instructions::Way::ALL {
        let counted = instructions::count(charging, &environment, &dynamodb, &way).await?;
        let is_met = counted.counted <= way.bound;
        writeln!(
            out,
            "- {}: at most {} instructions for a warm charge {}: {}, and {} of SHA-256 ({} charges)",
            if is_met { "met" } else { "MISSED" },
            way.bound,
            way.name,
            counted.counted,
            counted.of_sha256,
            way.counted()
        )?;
        if !is_met {
            exit = ExitCode::FAILURE;
            for (name, own) in counted.most.iter().take(40) {
                writeln!(out, "{own:>10} {name}")?;
            }
        }
    }
    Ok(exit)
}

/// One start of one variant.
struct Run {
    init: Duration,
    first: Duration,
    /// Per charge of one account, which our function takes from memory.
    warm: Duration,
    /// Per charge with a read.
    reading: Duration,
    memory_bytes: u64,
    counted: Counted,
}

/// The usage of the warm charges with a read of one start.
#[derive(Clone, Copy, Default)]
struct Counted {
    units: Units,
    output_bytes: usize,
}

async fn run(
    variant: &Variant,
    is_charge: bool,
    environment: &BTreeMap<String, String>,
    dynamodb: &DynamoDb,
    charges: usize,
) -> Result<Run, Error> {
    dynamodb.reset(BALANCE).await?;
    let mut process = Process::start(variant, environment).await?;
    let init = process.cpu().await?;
    let charge = async |process: &mut Process, charges: &[Charge]| -> Result<(), Error> {
        for Charge { account, number } in charges {
            let key = format!("job-{number}");
            let answer = process.invoke(&charge_event(account, &key)).await?;
            if is_charge {
                check_charge(&answer, &key, *number, BALANCE)?;
            }
        }
        Ok(())
    };
    let (of_one, of_many) = (Charge::of_one_account(1 + WARMING + charges), Charge::of_many_accounts(charges));
    for Charge { account, .. } in of_many.iter().step_by(READ_IN_A_ROW) {
        dynamodb.put_account(account, BALANCE).await?;
    }
    charge(&mut process, &of_one[..1]).await?;
    let first = process.cpu().await?.saturating_sub(init);
    charge(&mut process, &of_one[1..=WARMING]).await?;
    let (mut warm, mut reading, mut counted) = (Duration::ZERO, Duration::ZERO, Counted::default());
    // By turns, because Node.js becomes faster from charge to charge.
    for (of_one, of_many) in of_one[1 + WARMING..].chunks(READ_IN_A_ROW).zip(of_many.chunks(READ_IN_A_ROW)) {
        let begun = process.cpu_so_far()?;
        charge(&mut process, of_one).await?;
        let between = process.cpu_so_far()?;
        let (units, output_bytes) = (dynamodb.units(), process.output_bytes());
        charge(&mut process, of_many).await?;
        reading += process.cpu_so_far()?.saturating_sub(between);
        warm += between.saturating_sub(begun);
        counted.units = counted.units + (dynamodb.units() - units);
        counted.output_bytes += process.output_bytes() - output_bytes;
    }
    let times = u32::try_from(charges)?;
    let (warm, reading) = (warm / times, reading / times);
    Ok(Run { init, first, warm, reading, memory_bytes: process.peak_memory_bytes()?, counted })
}

/// A charge to send.
#[derive(Clone)]
struct Charge {
    account: String,
    /// The number of the account's charges with this one.
    number: i64,
}

impl Charge {
    fn of_one_account(count: usize) -> Vec<Self> {
        (1..).take(count).map(|number| Self { account: ACCOUNT.to_owned(), number }).collect()
    }

    /// None of these accounts is charged so often that a function would remember it.
    fn of_many_accounts(count: usize) -> Vec<Self> {
        let of_account = |account: usize| {
            (1..).take(READ_IN_A_ROW).map(move |number| Self { account: format!("read-{account}"), number })
        };
        (1..).flat_map(of_account).take(count).collect()
    }
}

impl Run {
    fn add_to(&self, measured: &mut Measured) {
        measured.init_ms.push(self.init.as_secs_f64() * 1e3);
        measured.first_ms.push(self.first.as_secs_f64() * 1e3);
        measured.warm_us.push(self.warm.as_secs_f64() * 1e6);
        measured.reading_us.push(self.reading.as_secs_f64() * 1e6);
        measured.memory_mb.push(self.memory_bytes as f64 / 1e6);
    }
}

fn tell(out: &mut impl Write, rounds: &Rounds, variants: &Variants, options: &Options) -> Result<ExitCode, Error> {
    let cost = Cost::of(&rounds.usage);
    let rustc = told(Path::new("rustc"), &["--version"])?;
    writeln!(out, "\n{}; {rustc}; {}", report::machine()?, variants.versions)?;
    writeln!(out, "Medians of {} rounds, warm over {} charges.\n", options.rounds, options.charges)?;
    writeln!(out, "{}\n", report::table(rounds, variants))?;
    writeln!(out, "{}\n", report::cost_line(&rounds.usage, &cost))?;
    let bars = report::bars(rounds, &cost);
    for bar in &bars {
        writeln!(out, "- {}: {}", if bar.is_met { "met" } else { "MISSED" }, bar.text)?;
    }
    Ok(if bars.iter().all(|bar| bar.is_met) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The parameters that the template requires; they do not matter here.
fn deployment() -> Deployment {
    let secret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:bench";
    let parameters = [
        ("JwtIssuer", "https://issuer.example.com"),
        ("JwtAudience", "bench"),
        ("StripeSecretArn", secret),
        // One account pays for all charges here. They are counted, but never too many.
        ("AccountRequestsPerSecond", "10000"),
        ("AccountRequestsBurst", "10000"),
        ("ReturnUrl", "https://example.com/returned"),
        ("Sender", "billing@example.com"),
        ("SenderIdentity", "example.com"),
    ];
    Deployment {
        parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        references: BTreeMap::from([("LinkSecret".to_owned(), secret.to_owned())]),
        region: local_aws::REGION.to_owned(),
        account_id: local_aws::ACCOUNT.to_owned(),
        stack_name: "prepaid".to_owned(),
        ..Deployment::default()
    }
}

/// The environment of every function, as in Lambda, with the endpoint of DynamoDB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
fn environment(
    dynamodb: &DynamoDb,
    certificates: &Certificates,
    all_roots: Option<&Path>,
    directory: &Path,
) -> Result<BTreeMap<String, String>, Error> {
    let bundle = |name: &str, roots: &str| -> Result<String, Error> {
        let path = directory.join(name);
        std::fs::write(&path, format!("{roots}\n{}", certificates.authority))?;
        Ok(path.to_string_lossy().into_owned())
    };
    let all = all_roots.map(std::fs::read_to_string).transpose()?.unwrap_or_default();
    let all = bundle("all.pem", &all)?;
    let ours = bundle("ours.pem", "")?;
    // A session token of a Lambda role is about this long, and is signed with every request.
    let session_token = "x".repeat(800);
    let variables = [
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_SESSION_TOKEN", &session_token),
        ("AWS_REGION", local_aws::REGION),
        ("AWS_DEFAULT_REGION", local_aws::REGION),
        ("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb.endpoint),
        ("AWS_LAMBDA_FUNCTION_NAME", "charging"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/prepaid/charging"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("_HANDLER", "handler.handler"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("TABLE_NAME", &dynamodb.table),
        // Each trust store is the one used in Lambda plus our own root: the bundled roots for boto3, while Node.js and
        // charging have theirs compiled in. charging reads our root instead, from a file, which takes it longer.
        ("SSL_CERT_FILE", &ours),
        ("AWS_CA_BUNDLE", &all),
        ("NODE_EXTRA_CA_CERTS", &ours),
    ];
    Ok(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}
