//! `prepaid support`: a command line over the routes of support, of the local cloud or of a deployed stack.
//!
//! It knows no rule of the product: each command is one request, and its answer is printed as it is. Only an import is
//! as many requests as its file needs.

mod import;

use bytes::Bytes;
use clap::{Args, Parser, Subcommand};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use import::ImportArguments;
use jiff::Timestamp;
use jiff::civil::Date;
use lambda_http::Error;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::time::Duration;

const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;
/// API Gateway answers within 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(35);

/// Where the routes are, and as whom they are called.
#[derive(Args)]
pub struct Target {
    /// The API's address.
    #[arg(long, env = "PREPAID_URL", default_value = "http://127.0.0.1:8700")]
    pub url: String,
    /// A token with the scope credits/support.
    #[arg(long, env = "PREPAID_TOKEN", hide_env_values = true)]
    pub token: String,
}

/// Call the routes of support.
#[derive(Parser)]
pub struct SupportArguments {
    #[command(flatten)]
    pub target: Target,
    /// Do not ask before something is changed.
    #[arg(long, global = true)]
    pub yes: bool,
    #[command(subcommand)]
    pub command: SupportCommand,
}

/// What an operator can do.
#[derive(Subcommand)]
pub enum SupportCommand {
    /// Find accounts by exactly one of these; a charge needs its account too.
    Find(Criteria),
    /// Print everything about an account.
    Show { account: String },
    /// List what support did to an account.
    Acts { account: String },
    /// List an account's e-mails of the last 30 days.
    Notices { account: String },
    /// Give credits, or take them if the number is negative.
    Adjust {
        account: String,
        #[arg(allow_negative_numbers = true)]
        credits: i64,
        /// The case's own number: the same key moves credits once.
        #[arg(long)]
        key: String,
        /// The customer sees it.
        #[arg(long)]
        reason: String,
        /// Take the credits even if the balance falls below zero.
        #[arg(long)]
        allow_negative: bool,
    },
    /// Block charges until a time.
    Restrict {
        account: String,
        #[arg(long)]
        until: Timestamp,
        /// The customer sees it.
        #[arg(long)]
        reason: String,
    },
    /// Lift the block.
    Lift {
        account: String,
        #[arg(long)]
        reason: String,
    },
    /// Send an e-mail again.
    Resend {
        account: String,
        notice: String,
        #[arg(long)]
        reason: String,
    },
    /// List signs of unusual usage, of all accounts or of one.
    Flags {
        #[arg(long)]
        account: Option<String>,
    },
    /// Print everything that is stored about an account, one item a line.
    Export { account: String },
    /// Close an account for good, and erase what is personal in it.
    Erase {
        account: String,
        #[arg(long)]
        reason: String,
    },
    /// Import accounts and their opening balances from another system.
    Import(ImportArguments),
    /// Print what the company owes its customers in credits: at the end of a day, or month by month.
    Liability {
        #[arg(long, conflicts_with_all = ["from", "to", "csv"])]
        on: Option<Date>,
        /// The first month, such as 2026-01.
        #[arg(long)]
        from: Option<String>,
        /// The last month.
        #[arg(long)]
        to: Option<String>,
        /// Print the months as a table in CSV.
        #[arg(long)]
        csv: bool,
    },
    /// Do for this account what the next sweep would do; it may charge the saved card.
    CheckTopUp {
        account: String,
        #[arg(long)]
        reason: String,
    },
}

#[derive(Args)]
pub struct Criteria {
    #[arg(long)]
    account: Option<String>,
    #[arg(long)]
    email: Option<String>,
    /// Stripe's customer.
    #[arg(long)]
    customer: Option<String>,
    #[arg(long)]
    charge: Option<String>,
    #[arg(long)]
    purchase: Option<String>,
    #[arg(long)]
    top_up: Option<String>,
    /// Stripe's invoice, or the number that is printed on it.
    #[arg(long)]
    invoice: Option<String>,
    /// Stripe's payment.
    #[arg(long)]
    payment: Option<String>,
}

/// One request, and what is asked before it is sent.
#[derive(Clone, Debug, PartialEq)]
struct Call {
    method: Method,
    path: String,
    key: Option<String>,
    body: Option<Body>,
    /// What is answered, if not JSON.
    accept: Option<&'static str>,
    question: Option<String>,
    follow: Follow,
}

/// Whether further requests follow an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Follow {
    Once,
    /// Page by page.
    Pages,
    /// The same request again, until it is complete.
    UntilComplete,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Json(Value),
    Csv(String),
}

/// Carries a command out and prints the answer.
///
/// # Errors
/// If the operator does not agree, the API cannot be reached, or it refuses the request.
pub async fn run(arguments: &SupportArguments, input: &mut impl BufRead, out: &mut impl Write) -> Result<(), Error> {
    let call = match &arguments.command {
        SupportCommand::Import(import) => {
            return import::import(import, (&arguments.target, arguments.yes), input, out).await;
        }
        command => command.call(),
    };
    if let Some(question) = &call.question {
        agree(question, arguments.yes, input, out)?;
    }
    let mut next = call.clone();
    loop {
        let (status, answer) = send(&arguments.target, next).await?;
        let json = serde_json::from_str::<Value>(&answer);
        let printed = json.as_ref().map_or(answer, |json| format!("{json:#}"));
        if status >= 400 {
            return Err(format!("the API answered {status}: {printed}").into());
        }
        let json = json.unwrap_or_default();
        match call.follow {
            Follow::UntilComplete if json["complete"] == false => next = call.clone(),
            Follow::Once | Follow::UntilComplete => return Ok(writeln!(out, "{printed}")?),
            Follow::Pages => {
                for item in json["data"].as_array().into_iter().flatten() {
                    writeln!(out, "{item}")?;
                }
                let Some(cursor) = json["next_cursor"].as_str() else { return Ok(()) };
                next = Call { path: format!("{}&cursor={cursor}", call.path), ..call.clone() };
            }
        }
    }
}

/// Asks, unless that is not wanted.
fn agree(question: &str, is_agreed: bool, input: &mut impl BufRead, out: &mut impl Write) -> Result<(), Error> {
    if is_agreed {
        return Ok(());
    }
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut line = String::new();
    input.read_line(&mut line)?;
    if matches!(line.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err("nothing was changed".into()) }
}

impl SupportArguments {
    /// Parses a command line; the first word is the program's name.
    ///
    /// # Errors
    /// If a word is missing or unknown.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, clap::Error> {
        Self::try_parse_from(words)
    }
}

impl SupportCommand {
    fn call(&self) -> Call {
        match self {
            Self::Find(criteria) => get(format!("/v1/support/accounts?{}", criteria.query())),
            Self::Show { account } => get(of(account, "")),
            Self::Acts { account } => get(of(account, "/acts?limit=100")),
            Self::Notices { account } => get(of(account, "/notices?limit=100")),
            Self::Adjust { account, credits, key, reason, allow_negative } => Call {
                key: Some(key.clone()),
                ..change(
                    (Method::POST, of(account, "/adjustments")),
                    json!({ "credits": credits, "reason": reason, "allow_negative": allow_negative }),
                    format!("Move {credits} credits of {account}?"),
                )
            },
            Self::Restrict { account, until, reason } => change(
                (Method::PUT, of(account, "/restriction")),
                json!({ "until": until.to_string(), "reason": reason }),
                format!("Block all charges of {account} until {until}?"),
            ),
            Self::Lift { account, reason } => Call {
                method: Method::DELETE,
                question: Some(format!("Lift the restriction of {account}?")),
                ..get(of(account, &format!("/restriction?reason={}", encoded(reason))))
            },
            Self::Resend { account, notice, reason } => change(
                (Method::POST, of(account, &format!("/notices/{}/resend", encoded(notice)))),
                json!({ "reason": reason }),
                format!("Send {notice} to {account} again?"),
            ),
            Self::Flags { account } => {
                let of_account = account.as_ref().map(|account| format!("&account={}", encoded(account)));
                get(format!("/v1/support/flags?limit=100{}", of_account.unwrap_or_default()))
            }
            Self::Export { account } => Call { follow: Follow::Pages, ..get(of(account, "/export?limit=500")) },
            Self::Erase { account, reason } => Call {
                follow: Follow::UntilComplete,
                ..change(
                    (Method::POST, of(account, "/erase")),
                    json!({ "reason": reason }),
                    format!("Close {account} for good and erase what is personal in it? This cannot be undone."),
                )
            },
            Self::Import(_) => get("/v1/support/imports".to_owned()),
            Self::Liability { on, from, to, csv } => {
                let on = on.map(|on| on.to_string());
                let given = [("on", &on), ("from", from), ("to", to)];
                Call { accept: csv.then_some("text/csv"), ..get(format!("/v1/support/liability?{}", query(given))) }
            }
            Self::CheckTopUp { account, reason } => change(
                (Method::POST, of(account, "/auto-top-up/check")),
                json!({ "reason": reason }),
                format!("Check {account} now, which may charge its saved card?"),
            ),
        }
    }
}

impl Criteria {
    fn query(&self) -> String {
        let given = [
            ("account", &self.account),
            ("email", &self.email),
            ("customer", &self.customer),
            ("charge", &self.charge),
            ("purchase", &self.purchase),
            ("top_up", &self.top_up),
            ("invoice", &self.invoice),
            ("payment", &self.payment),
        ];
        query(given)
    }
}

/// The parameters that are given.
fn query<const COUNT: usize>(parameters: [(&str, &Option<String>); COUNT]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_ref()?))));
    given.collect::<Vec<_>>().join("&")
}

fn get(path: String) -> Call {
    Call { method: Method::GET, path, key: None, body: None, accept: None, question: None, follow: Follow::Once }
}

fn change((method, path): (Method, String), body: Value, question: String) -> Call {
    Call { body: Some(Body::Json(body)), question: Some(question), method, ..get(path) }
}

fn of(account: &str, path: &str) -> String {
    format!("/v1/support/accounts/{}{path}", encoded(account))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

async fn send(target: &Target, call: Call) -> Result<(u16, String), Error> {
    let uri: Uri = format!("{}{}", target.url.trim_end_matches('/'), call.path).parse()?;
    let is_here = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if uri.scheme_str() != Some("https") && !is_here {
        return Err("a token is sent to another machine only through https".into());
    }
    let mut request = Request::builder().method(call.method).uri(uri);
    request = request.header(AUTHORIZATION, format!("Bearer {}", target.token));
    if let Some(key) = call.key {
        request = request.header("idempotency-key", key);
    }
    if let Some(accept) = call.accept {
        request = request.header(ACCEPT, accept);
    }
    let (content_type, body) = match call.body {
        Some(Body::Json(body)) => (Some("application/json"), body.to_string()),
        Some(Body::Csv(table)) => (Some("text/csv"), table),
        None => (None, String::new()),
    };
    if let Some(content_type) = content_type {
        request = request.header(CONTENT_TYPE, content_type);
    }
    let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let exchange = async {
        let response = client.request(request.body(Full::<Bytes>::from(body))?).await?;
        let status = response.status().as_u16();
        let answer = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok::<_, Error>((status, String::from_utf8_lossy(&answer).into_owned()))
    };
    tokio::time::timeout(TIMEOUT, exchange).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(words: &str) -> Call {
        let words = ["support", "--token", "t"].into_iter().chain(words.split('|'));
        SupportArguments::of(words).map(|parsed| parsed.command.call()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn only_what_changes_something_asks_first() {
        for words in [
            "find|--account|a",
            "show|a",
            "acts|a",
            "notices|a",
            "export|a",
            "flags",
            "flags|--account|a",
            "liability|--on|2026-01-31",
            "liability|--csv",
        ] {
            assert_eq!((call(words).question, call(words).method), (None, Method::GET), "{words}");
        }
        for words in [
            "adjust|a|-5|--key|k|--reason|r",
            "restrict|a|--until|2026-12-01T00:00:00Z|--reason|r",
            "lift|a|--reason|r",
            "resend|a|ntc_1|--reason|r",
            "check-top-up|a|--reason|r",
            "erase|a|--reason|r",
        ] {
            assert!(call(words).question.is_some(), "{words}");
        }
    }

    #[test]
    fn what_an_operator_writes_cannot_leave_its_place_in_the_address() {
        assert_eq!(call("show|../b?c#d").path, "/v1/support/accounts/%2E%2E%2Fb%3Fc%23d");
        assert_eq!(call("find|--email|a+b@c.de").path, "/v1/support/accounts?email=a%2Bb%40c%2Ede");
        let months = call("liability|--from|2026-01&x|--to|2026-03|--csv");
        assert_eq!(months.path, "/v1/support/liability?from=2026%2D01%26x&to=2026%2D03");
        assert_eq!(months.accept, Some("text/csv"));
        assert_eq!(call("lift|a|--reason|x & y=z").path, "/v1/support/accounts/a/restriction?reason=x%20%26%20y%3Dz");
    }

    #[tokio::test]
    async fn a_token_is_not_sent_unencrypted_to_another_machine() {
        for url in ["http://api.example.com", "http://127.0.0.1.example.com", "ftp://127.0.0.1"] {
            let target = Target { url: url.to_owned(), token: "t".to_owned() };
            let refused = send(&target, get("/".to_owned())).await.map_err(|error| error.to_string());
            let is_refused = refused.as_ref().is_err_and(|why| why.contains("only through https"));
            assert!(is_refused || url.starts_with("ftp"), "{url}: {refused:?}");
            assert!(refused.is_err(), "{url}");
        }
    }
}
