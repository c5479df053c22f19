//! Rules for the code, checked on sources and manifests: what each part may name, and what all members have in common.
//!
//! Each rule is a function that takes text and returns the violations. Each rule is also tested with a sample that
//! breaks it, because a rule that never finds anything proves nothing.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the repository, by its path from the root.
#[derive(Clone)]
pub struct Source {
    pub path: String,
    pub text: String,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file of the members, sorted.
pub fn sources() -> Vec<Source> {
    let mut sources = vec![];
    for directory in ["functions", "infra", "shared", "tests"] {
        read_into(&mut sources, &root().join(directory));
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(sources.len() > 100, "the sources were found");
    sources
}

fn read_into(sources: &mut Vec<Source>, directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                read_into(sources, &path);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            sources.push(Source { path, text });
        }
    }
}

/// The code that the compiler sees: no comments, and no unit tests at the end.
pub fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let without_comment = |line: &str| match line.trim_start() {
        comment if comment.starts_with("//") => String::new(),
        _ => line.split(" // ").next().unwrap_or_default().to_owned(),
    };
    before_tests.lines().map(without_comment).collect::<Vec<_>>().join("\n")
}

/// Whether `code` names `name` as a whole identifier or path.
pub fn names(code: &str, name: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(name).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        let after = code[start + name.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Whether `code` has a name that begins like this, such as `stripe_` in `stripe_billing`.
fn names_prefix(code: &str, prefix: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(prefix).any(|(start, _)| !code[..start].chars().next_back().is_some_and(is_word))
}

fn is_unit_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// Files that name a crate or path although only `allowed` files may.
fn named_outside(sources: &[Source], name: &str, allowed: &[&str]) -> Vec<String> {
    let is_allowed = |path: &str| allowed.iter().any(|allowed| path == *allowed || path.starts_with(allowed));
    let breaks = |source: &&Source| !is_allowed(&source.path) && names(&code(&source.text), name);
    sources.iter().filter(breaks).map(|source| format!("{} names {name}", source.path)).collect()
}

/// The sources of the deployed code, without tests.
pub fn deployed() -> Vec<Source> {
    let is_deployed =
        |path: &str| path.starts_with("shared/src/") || (path.starts_with("functions/") && path.contains("/src/"));
    sources().into_iter().filter(|source| is_deployed(&source.path) && !is_test(&source.path)).collect()
}

pub fn within(sources: Vec<Source>, directory: &str) -> Vec<Source> {
    let found: Vec<Source> = sources.into_iter().filter(|source| source.path.starts_with(directory)).collect();
    assert!(!found.is_empty(), "{directory} has sources");
    found
}

pub fn sample(path: &str, text: &str) -> Vec<Source> {
    vec![Source { path: path.to_owned(), text: text.to_owned() }]
}

pub const NOTHING: [String; 0] = [];

// ── Who may name what ────────────────────────────────────────────────────────────────────────────────────────────

const OUTSIDE_CRATES: [(&str, &[&str]); 17] = [
    ("aws_sdk_dynamodb", &["shared/src/ledger/", "shared/src/aws.rs"]),
    ("aws_sdk_sesv2", &["shared/src/email/", "shared/src/aws.rs"]),
    ("aws_sdk_eventbridge", &["shared/src/event_bus.rs", "shared/src/aws.rs"]),
    ("aws_sdk_scheduler", &["shared/src/timers/", "shared/src/aws.rs"]),
    ("aws_sdk_secretsmanager", &["shared/src/secrets.rs", "shared/src/aws.rs"]),
    ("stripe_billing", &["shared/src/stripe/"]),
    ("stripe_checkout", &["shared/src/stripe/"]),
    ("stripe_client_core", &["shared/src/stripe/"]),
    ("stripe_core", &["shared/src/stripe/"]),
    ("stripe_shared", &["shared/src/stripe/"]),
    ("stripe_types", &["shared/src/stripe/"]),
    ("hyper", &["shared/src/ledger/direct/", "shared/src/stripe/"]),
    ("hyper_util", &["shared/src/ledger/direct/", "shared/src/stripe/"]),
    ("tokio_rustls", &["shared/src/ledger/direct/"]),
    ("ring", &["shared/src/ledger/direct/", "shared/src/aws.rs", "shared/src/statements.rs"]),
    ("aws_smithy_http_client", &["shared/src/aws.rs"]),
    ("aws_credential_types", &["shared/src/aws.rs", "shared/src/ledger/direct/"]),
];

#[test]
fn each_outside_system_is_named_by_its_adapter_alone() {
    let deployed = deployed();
    for (name, allowed) in OUTSIDE_CRATES {
        assert_eq!(named_outside(&deployed, name, allowed), NOTHING);
        let broken = sample("shared/src/use_cases/charge.rs", &format!("use {name}::Client;"));
        assert_eq!(named_outside(&broken, name, allowed).len(), 1);
        let in_path = sample("functions/charging/src/lib.rs", &format!("fn f() {{ {name}::call(); }}"));
        assert_eq!(named_outside(&in_path, name, allowed).len(), 1);
    }
}

/// Each of those crates is still named somewhere, so that the list above stays up to date.
#[test]
fn every_outside_crate_of_the_list_is_in_use() {
    let deployed = deployed();
    for (name, _) in OUTSIDE_CRATES {
        assert!(deployed.iter().any(|source| names(&code(&source.text), name)), "no source names {name} any more");
    }
}

/// The parts of the outside world that the domain names.
fn impurities(sources: &[Source]) -> Vec<String> {
    let whole = [
        "serde",
        "serde_json",
        "tokio",
        "futures",
        "lambda_http",
        "lambda_runtime",
        "tracing",
        "uuid",
        "fastrand",
        "std::env",
        "std::fs",
        "std::net",
        "std::time",
        "SystemTime",
        "Instant",
        "Timestamp::now",
        "async",
        "use_cases",
        "crate::clock",
        "crate::config",
        "crate::telemetry",
    ];
    let prefixes = [
        "aws_",
        "stripe_",
        "async_stripe",
        "crate::ledger",
        "crate::ports",
        "crate::stripe",
        "crate::email",
        "crate::http",
    ];
    let mut found = vec![];
    for Source { path, text } in sources {
        let code = code(text);
        found.extend(whole.iter().filter(|name| names(&code, name)).map(|name| format!("{path} names {name}")));
        let named = prefixes.iter().filter(|prefix| names_prefix(&code, prefix));
        found.extend(named.map(|prefix| format!("{path} names {prefix}")));
    }
    found
}

#[test]
fn the_domain_names_nothing_of_the_world() {
    let is_pure = |source: &Source| !["properties.rs", "samples.rs"].iter().any(|file| source.path.ends_with(file));
    let domain: Vec<Source> = within(deployed(), "shared/src/domain/").into_iter().filter(is_pure).collect();
    assert_eq!(impurities(&domain), NOTHING);
    for broken in [
        "#[derive(serde::Serialize)]\nstruct Account;",
        "use tokio::sync::Mutex;",
        "use aws_sdk_dynamodb::Client;",
        "use stripe_shared::Invoice;",
        "let region = std::env::var(\"AWS_REGION\");",
        "let now = SystemTime::now();",
        "let now = jiff::Timestamp::now();",
        "pub async fn decide() {}",
        "use crate::ledger::DynamoLedger;",
        "use crate::ports::Ledger;",
        "tracing::info!(\"decided\");",
    ] {
        assert_eq!(impurities(&sample("shared/src/domain/x.rs", broken)).len(), 1, "{broken}");
    }
    assert_eq!(impurities(&sample("shared/src/domain/x.rs", "//! Knows no tokio and no serde.\n")), NOTHING);
}

const ADAPTERS: [&str; 7] = ["ledger", "stripe", "email", "secrets", "links", "statements", "timers"];

/// Adapters that use each other or the code that answers requests.
fn acquaintances(sources: &[Source]) -> Vec<String> {
    let mut found = vec![];
    for Source { path, text } in sources {
        let Some(own) = ADAPTERS.iter().find(|adapter| {
            path.starts_with(&format!("shared/src/{adapter}/")) || *path == format!("shared/src/{adapter}.rs")
        }) else {
            continue;
        };
        let code = code(text);
        let others = ADAPTERS.iter().filter(|other| other != &own).chain(&["http"]);
        let named = others.filter(|other| names(&code, &format!("crate::{other}")));
        found.extend(named.map(|other| format!("{path} names crate::{other}")));
    }
    found
}

#[test]
fn adapters_do_not_know_each_other() {
    assert_eq!(acquaintances(&deployed()), NOTHING);
    for (path, broken) in [
        ("shared/src/ledger/commit.rs", "use crate::stripe::StripePayments;"),
        ("shared/src/stripe/mod.rs", "use crate::ledger::DynamoLedger;"),
        ("shared/src/email/mod.rs", "fn f() { crate::links::LinkKey::new(); }"),
        ("shared/src/links.rs", "use crate::secrets::secret_get;"),
        ("shared/src/ledger/mod.rs", "use crate::http::Problem;"),
    ] {
        assert_eq!(acquaintances(&sample(path, broken)).len(), 1, "{path}: {broken}");
    }
}

#[test]
fn use_cases_reach_the_outside_through_ports_alone() {
    let use_cases = within(deployed(), "shared/src/use_cases/");
    for name in ["ledger", "stripe", "email", "http", "secrets", "links", "timers", "aws", "config"] {
        let name = format!("crate::{name}");
        assert_eq!(named_outside(&use_cases, &name, &[]), NOTHING);
        let broken = sample("shared/src/use_cases/x.rs", &format!("use {name}::X;"));
        assert_eq!(named_outside(&broken, &name, &[]).len(), 1);
    }
}

#[test]
fn in_shared_only_http_names_status_codes() {
    let shared = within(deployed(), "shared/src/");
    // The adapters read the statuses of Stripe's and AWS's answers.
    let allowed = ["shared/src/http/"];
    for name in ["StatusCode", "lambda_http"] {
        assert_eq!(named_outside(&shared, name, &allowed), NOTHING);
        assert_eq!(
            named_outside(&sample("shared/src/use_cases/x.rs", &format!("use {name};")), name, &allowed).len(),
            1
        );
    }
}

#[test]
fn only_config_reads_the_environment_and_only_the_clock_the_time() {
    let deployed = deployed();
    for (name, allowed) in [
        ("std::env", "shared/src/config.rs"),
        ("env::var", "shared/src/config.rs"),
        ("SystemTime", "shared/src/clock.rs"),
        ("Timestamp::now", "shared/src/clock.rs"),
    ] {
        assert_eq!(named_outside(&deployed, name, &[allowed]), NOTHING);
        let broken = sample("shared/src/aws.rs", &format!("let x = {name}();"));
        assert_eq!(named_outside(&broken, name, &[allowed]).len(), 1);
    }
}

#[test]
fn the_ledger_never_scans_the_table() {
    let scans = |sources: &[Source]| {
        let is_scan = |code: &str| names(code, "scan") || names(code, "Scan") || names(code, "execute_statement");
        sources
            .iter()
            .filter(|source| is_scan(&code(&source.text)))
            .map(|source| source.path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(scans(&within(deployed(), "shared/src/ledger/")), NOTHING);
    assert_eq!(scans(&sample("x.rs", "self.client.scan().table_name(&self.table)")).len(), 1);
    assert_eq!(scans(&sample("x.rs", ".scan_index_forward(false)")), NOTHING, "a query has an order");
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    assert!(!template.contains("dynamodb:Scan") && !template.contains("dynamodb:*"), "no role allows a scan");
}

// ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────

const LINES_MAX: usize = 600;

fn too_long(sources: &[Source]) -> Vec<String> {
    let length = |source: &Source| source.text.lines().count();
    let is_too_long = |source: &&Source| length(source) > LINES_MAX;
    sources.iter().filter(is_too_long).map(|source| format!("{} has {} lines", source.path, length(source))).collect()
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || is_unit_test(path)
}

#[test]
fn no_file_is_longer_than_anybody_reads_in_one_go() {
    let code: Vec<Source> = sources().into_iter().filter(|source| !is_test(&source.path)).collect();
    assert_eq!(too_long(&code), NOTHING);
    assert_eq!(too_long(&sample("x.rs", &"\n".repeat(LINES_MAX + 1))).len(), 1);
    assert_eq!(too_long(&sample("x.rs", &"\n".repeat(LINES_MAX))), NOTHING);
}

/// Modules that do not start with a description of their purpose. `mod tests;` of a file belongs to that file.
fn unexplained(sources: &[Source]) -> Vec<String> {
    let is_explained = |source: &Source| source.text.starts_with("//! ") || is_unit_test(&source.path);
    sources.iter().filter(|source| !is_explained(source)).map(|source| source.path.clone()).collect()
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    assert_eq!(unexplained(&sources()), NOTHING);
    assert_eq!(unexplained(&sample("shared/src/x.rs", "use std::fmt;\n//! Late.")), ["shared/src/x.rs"]);
    assert_eq!(unexplained(&sample("shared/src/x.rs", "//!\n")), ["shared/src/x.rs"]);
}

// ── Manifests ────────────────────────────────────────────────────────────────────────────────────────────────────

/// A member's directory and manifest.
struct Member {
    directory: String,
    manifest: toml::Table,
}

fn manifest(directory: &str) -> toml::Table {
    std::fs::read_to_string(root().join(directory).join("Cargo.toml")).unwrap().parse().unwrap()
}

fn members() -> Vec<Member> {
    let workspace = manifest("");
    let listed = workspace["workspace"]["members"].as_array().unwrap().iter();
    let member = |directory: &toml::Value| {
        let directory = directory.as_str().unwrap().to_owned();
        Member { manifest: manifest(&directory), directory }
    };
    listed.map(member).collect()
}

fn broken_member(directory: &str, text: &str) -> Member {
    Member { directory: directory.to_owned(), manifest: text.parse().unwrap() }
}

/// The dependencies of all kinds, each with its section.
fn dependencies(manifest: &toml::Table) -> Vec<(&str, &str, &toml::Value)> {
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .into_iter()
        .filter_map(|section| Some((section, manifest.get(section)?.as_table()?)))
        .flat_map(|(section, table)| table.iter().map(move |(name, value)| (section, name.as_str(), value)))
        .collect()
}

/// Functions that depend on one another, and deployed members that depend on members that are not deployed.
fn forbidden_dependencies(members: &[Member]) -> Vec<String> {
    let package = |member: &Member| member.manifest["package"]["name"].as_str().unwrap().to_owned();
    let of = |start: &str| members.iter().filter(|member| member.directory.starts_with(start)).map(package).collect();
    let (functions, local): (BTreeSet<String>, BTreeSet<String>) = (of("functions/"), of("infra/"));
    let mut found = vec![];
    for member in
        members.iter().filter(|member| ["functions/", "shared"].iter().any(|at| member.directory.starts_with(at)))
    {
        for (section, name, _) in dependencies(&member.manifest) {
            let is_for_tests = section == "dev-dependencies";
            let is_upward = member.directory == "shared" && name == "tests";
            if functions.contains(name) || is_upward || (local.contains(name) && !is_for_tests) {
                found.push(format!("{} depends on {name}", member.directory));
            }
        }
    }
    found
}

#[test]
fn functions_depend_on_shared_and_never_on_one_another() {
    assert_eq!(forbidden_dependencies(&members()), NOTHING);
    for (directory, dependency) in [
        ("functions/accounts", "[dependencies]\ncharging.workspace = true"),
        ("functions/accounts", "[dev-dependencies]\npurchases.workspace = true"),
        ("functions/accounts", "[dependencies]\nlocal-aws.workspace = true"),
        ("shared", "[dependencies]\naccounts.workspace = true"),
        ("shared", "[dependencies]\nprepaid-local.workspace = true"),
    ] {
        let mut broken = members();
        broken.push(broken_member(directory, &format!("[package]\nname = \"x\"\n{dependency}")));
        assert_eq!(forbidden_dependencies(&broken).len(), 1, "{directory}: {dependency}");
    }
}

/// Members that do not inherit the workspace's lints, or that repeat what the workspace defines once.
fn not_inherited(members: &[Member]) -> Vec<String> {
    let is_inherited = |value: Option<&toml::Value>| {
        value.is_some_and(|value| value.get("workspace").and_then(toml::Value::as_bool) == Some(true))
    };
    let mut found = vec![];
    for Member { directory, manifest } in members {
        if !is_inherited(manifest.get("lints")) || manifest["lints"].as_table().is_some_and(|lints| lints.len() > 1) {
            found.push(format!("{directory}: lints"));
        }
        let package = &manifest["package"];
        for field in ["version", "edition", "rust-version", "license", "publish"] {
            if !is_inherited(package.get(field)) {
                found.push(format!("{directory}: {field}"));
            }
        }
        for (_, name, dependency) in dependencies(manifest) {
            let stated = dependency.as_table().is_some_and(|fields| fields.contains_key("version"));
            if !is_inherited(Some(dependency)) || stated {
                found.push(format!("{directory}: {name}"));
            }
        }
    }
    found
}

#[test]
fn members_inherit_lints_versions_and_what_a_package_is() {
    assert_eq!(not_inherited(&members()), NOTHING);
    let package = "[package]\nname = \"x\"\nversion.workspace = true\nedition.workspace = true\n\
                   rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n";
    let lints = "[lints]\nworkspace = true\n";
    assert_eq!(not_inherited(&[broken_member("x", &format!("{package}{lints}"))]), NOTHING);
    for broken in [
        package.to_owned(),
        format!("{package}[lints.clippy]\nunwrap_used = \"allow\"\n"),
        format!("{}{lints}", package.replace("edition.workspace = true", "edition = \"2021\"")),
        format!("{}{lints}", package.replace("publish.workspace = true\n", "")),
        format!("{package}{lints}[dependencies]\nserde = \"1\"\n"),
        format!("{package}{lints}[dev-dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\n"),
        format!("{package}{lints}[build-dependencies]\ncc = {{ path = \"../cc\" }}\n"),
    ] {
        assert_eq!(not_inherited(&[broken_member("x", &broken)]).len(), 1, "{broken}");
    }
}

/// Dependencies of the workspace that enable their default features although these must be off.
fn with_default_features(workspace: &toml::Table) -> Vec<String> {
    let table = workspace["workspace"]["dependencies"].as_table().unwrap();
    let is_watched = |name: &str| name.starts_with("aws-") || name.starts_with("async-stripe");
    let is_off = |value: &toml::Value| value.get("default-features").and_then(toml::Value::as_bool) == Some(false);
    table.iter().filter(|(name, value)| is_watched(name) && !is_off(value)).map(|(name, _)| name.clone()).collect()
}

#[test]
fn the_sdks_bring_no_default_features() {
    let workspace = manifest("");
    assert_eq!(with_default_features(&workspace), NOTHING);
    for broken in [
        "aws-sdk-s3 = \"1\"",
        "aws-sdk-s3 = { version = \"1\" }",
        "aws-sdk-s3 = { version = \"1\", default-features = true }",
        "async-stripe-core = \"1\"",
    ] {
        let broken: toml::Table = format!("[workspace.dependencies]\n{broken}").parse().unwrap();
        assert_eq!(with_default_features(&broken).len(), 1);
    }
}

/// Lints that every member inherits and no source may turn off.
fn missing_lints(workspace: &toml::Table) -> Vec<String> {
    let lints = &workspace["workspace"]["lints"];
    let level = |group: &str, lint: &str| lints.get(group)?.get(lint)?.as_str().map(str::to_owned);
    let wanted = [
        ("rust", "unsafe_code", "forbid"),
        ("clippy", "unwrap_used", "deny"),
        ("clippy", "todo", "deny"),
        ("clippy", "dbg_macro", "deny"),
        ("clippy", "print_stdout", "deny"),
    ];
    let is_missing = |(group, lint, wanted): &&(&str, &str, &str)| level(group, lint).as_deref() != Some(*wanted);
    wanted.iter().filter(is_missing).map(|(_, lint, _)| (*lint).to_owned()).collect()
}

#[test]
fn the_workspace_keeps_its_lints_and_the_domain_its_own() {
    assert_eq!(missing_lints(&manifest("")), NOTHING);
    let broken: toml::Table = "[workspace.lints.clippy]\nunwrap_used = \"warn\"".parse().unwrap();
    assert_eq!(missing_lints(&broken).len(), 5);
    let domain = std::fs::read_to_string(root().join("shared/src/domain/mod.rs")).unwrap();
    for lint in ["clippy::arithmetic_side_effects", "clippy::as_conversions", "clippy::float_arithmetic"] {
        let denied = domain.lines().find(|line| line.starts_with("#![cfg_attr(not(test), deny("));
        assert!(denied.is_some_and(|line| line.contains(lint)), "{lint}");
    }
}

// ── What is deployed with a charge ───────────────────────────────────────────────────────────────────────────────

/// Packages of a dependency tree that must not be in the function that serves charges.
fn burdens(tree: &str) -> Vec<String> {
    let is_burden = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        name.starts_with("aws-lc")
            || name.starts_with("async-stripe")
            || name == "aws-sdk-sesv2"
            || name == "aws-sdk-eventbridge"
            || name == "aws-sdk-scheduler"
            || name == "aws-sdk-secretsmanager"
            || name == "dynoxide-rs"
            || name == "native-tls"
            || name == "openssl-sys"
            || (name == "hyper" && version.starts_with("v0.14"))
            || (name == "h2" && version.starts_with("v0.3"))
    };
    let packages: BTreeSet<&str> = tree.lines().filter(|line| is_burden(line)).collect();
    packages.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_function_that_serves_charges_carries_nothing_it_does_not_need() {
    let tree = cargo(&["tree", "-p", "charging", "-e", "normal", "--offline", "--prefix", "none"]);
    assert!(tree.starts_with("charging ") && tree.contains("aws-sdk-dynamodb v"), "{tree}");
    assert_eq!(burdens(&tree), NOTHING);
    for broken in [
        "aws-lc-rs v1.14.0",
        "aws-lc-sys v0.32.0",
        "hyper v0.14.32",
        "async-stripe-core v1.0.0-rc.10",
        "aws-sdk-scheduler v1.119.0",
        "aws-sdk-sesv2 v1.145.0",
        "openssl-sys v0.9.110",
        "dynoxide-rs v3.2.0",
    ] {
        assert_eq!(burdens(&format!("charging v0.1.0\nhyper v1.12.0\n{broken}\n")), [broken]);
    }
}

/// No function may contain the local cloud.
#[test]
fn no_function_carries_a_stand_in() {
    let local = ["dynoxide-rs", "local-aws", "local-gateway", "local-stripe", "prepaid-local", "axum", "aws-lc-rs"];
    let carried = |tree: &str| -> Vec<String> {
        let packages = tree.lines().filter_map(|line| line.split_whitespace().next());
        let found: BTreeSet<&str> = packages.filter(|name| local.contains(name)).collect();
        found.into_iter().map(str::to_owned).collect()
    };
    for member in members().iter().filter(|member| member.directory.starts_with("functions/")) {
        let package = member.manifest["package"]["name"].as_str().unwrap();
        let tree = cargo(&["tree", "-p", package, "-e", "normal", "--offline", "--prefix", "none"]);
        assert!(tree.starts_with(package), "{tree}");
        assert_eq!(carried(&tree), NOTHING, "{package}");
    }
    assert_eq!(carried("accounts v0.1.0\nlocal-aws v0.1.0 (infra/local/aws)\n"), ["local-aws"]);
}

/// Functions that contain the SDK of the scheduler although they set no timer, or of the bus although they publish nothing.
#[test]
fn only_functions_that_set_timers_or_publish_events_carry_event_bridge() {
    for member in members().iter().filter(|member| member.directory.starts_with("functions/")) {
        let package = member.manifest["package"]["name"].as_str().unwrap();
        let tree = cargo(&["tree", "-p", package, "-e", "normal", "--offline", "--prefix", "none"]);
        for (sdk, carrier) in [("scheduler", "top-up-sweep"), ("eventbridge", "notifications")] {
            let is_carried = tree.lines().any(|line| line.starts_with(&format!("aws-sdk-{sdk} v")));
            assert_eq!(is_carried, package == carrier, "{package} and {sdk}");
        }
    }
}

/// Tests that Cargo would not run: those of a target that has tests turned off, and examples in documentation.
///
/// Targets without tests have them turned off because each one means linking all of its dependencies. The same holds
/// for the documentation of libraries.
fn passed_over(members: &[Member], sources: &[Source]) -> Vec<String> {
    let is_off = |target: &toml::Value| target.get("test").and_then(toml::Value::as_bool) == Some(false);
    let mut found = vec![];
    for Member { directory, manifest } in members {
        let src = format!("{directory}/src/");
        let main = format!("{src}main.rs");
        let programs = manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten();
        let is_off_in_main = programs.into_iter().any(is_off);
        let is_off_in_library = manifest.get("lib").is_some_and(is_off);
        for Source { path, text } in sources.iter().filter(|source| source.path.starts_with(&src)) {
            let is_off = if *path == main { is_off_in_main } else { is_off_in_library };
            if is_off && ["#[test]", "::test]", "::test(", "cfg(test)"].iter().any(|mark| text.contains(mark)) {
                found.push(format!("{path} has tests, and its target has them turned off"));
            }
        }
    }
    let has_example =
        |source: &&Source| source.text.lines().any(|line| line.trim_start().trim_start_matches(['/', '!']) == " ```");
    found.extend(sources.iter().filter(has_example).map(|source| format!("{} has an example", source.path)));
    found
}

#[test]
fn no_test_is_passed_over() {
    assert_eq!(passed_over(&members(), &sources()), NOTHING);
    let library = broken_member("shared", "[lib]\ntest = false");
    let program = broken_member("shared", "[[bin]]\ntest = false");
    let marks =
        ["#[test]\nfn f() {}", "#[tokio::test(start_paused = true)]\nasync fn f() {}", "#[cfg(test)]\nmod tests;"];
    for mark in marks {
        let broken = sample("shared/src/error.rs", mark);
        assert_eq!(passed_over(std::slice::from_ref(&library), &broken).len(), 1);
        assert_eq!(passed_over(std::slice::from_ref(&program), &broken), NOTHING);
        let broken = sample("shared/src/main.rs", mark);
        assert_eq!(passed_over(std::slice::from_ref(&program), &broken).len(), 1);
    }
    assert_eq!(passed_over(&[], &sample("shared/src/error.rs", "/// ```\n/// f();\n/// ```\nfn f() {}")).len(), 1);
}

// ── What the programs are built with in tests and rehearsals ─────────────────────────────────────────────────────

/// The libraries that Cargo selects for the whole workspace, each with its version and its features.
fn libraries(arguments: &[&str]) -> BTreeSet<String> {
    let all = ["tree", "--workspace", "--offline", "--prefix", "none", "--format", "{p} {f}"];
    let tree = cargo(&[&all, arguments].concat());
    let lines = tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned());
    let libraries: BTreeSet<String> = lines.filter(|line| !line.contains(" (/")).collect();
    assert!(libraries.len() > 200, "{tree}");
    libraries
}

/// What the SDK's client brings with it: HTTP/2 for every library, and a second way to send a request.
const OF_THE_SDKS_CLIENT: [&str; 2] = ["h2", "aws-smithy-http-client"];

/// The cost of a charge rests on it (docs/performance.md).
#[test]
fn charging_is_built_without_the_sdks_client() {
    let built = |package: &str| -> BTreeSet<String> {
        let tree = cargo(&["tree", "--package", package, "--edges", "normal", "--offline", "--prefix", "none"]);
        tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    };
    let (charging, accounts) = (built("charging"), built("accounts"));
    for library in OF_THE_SDKS_CLIENT {
        assert!(!charging.contains(library), "charging depends on {library}");
        assert!(accounts.contains(library), "a function with the SDK's client has {library}");
    }
}

/// Otherwise nearly every library would be compiled twice, once for the tests and once for the programs.
#[test]
fn the_feature_libraries_asks_all_that_the_tests_ask() {
    let of_tests = libraries(&["--edges", "normal,build,dev"]);
    let apart = |libraries: &BTreeSet<String>| libraries.difference(&of_tests).count();
    let of_programs = libraries(&["--edges", "normal,build", "--features", "tests/libraries"]);
    assert_eq!(apart(&of_programs), 0, "{:?}", of_programs.difference(&of_tests));
    assert_ne!(apart(&libraries(&["--edges", "normal,build"])), 0, "without the feature, libraries differ");
}

/// The libraries for which the feature `libraries` requires more than a deployment, which builds without it.
const ASKED_MORE: [&str; 9] = [
    "getrandom",
    "hashbrown",
    "num-bigint",
    "num-iter",
    "num-traits",
    "regex-automata",
    "regex-syntax",
    "serde_json",
    "tokio",
];

/// The features of Tokio that only tests require.
const OF_TESTS: [&str; 4] = ["start_paused", "time::advance", "time::pause", "time::resume"];

/// A function that works in a rehearsal therefore also builds and works without the feature.
#[test]
fn no_function_uses_what_tests_alone_ask_of_a_library() {
    let deployed = libraries(&["--edges", "normal,build"]);
    let of_programs = libraries(&["--edges", "normal,build", "--features", "tests/libraries"]);
    let name = |library: &String| library.split_whitespace().next().unwrap_or_default().to_owned();
    let asked_more: BTreeSet<String> = deployed.difference(&of_programs).map(name).collect();
    assert_eq!(asked_more.into_iter().collect::<Vec<_>>(), ASKED_MORE);
    for name in OF_TESTS {
        assert_eq!(named_outside(&self::deployed(), name, &[]), NOTHING);
        let broken = sample("shared/src/stripe/mod.rs", &format!("tokio::{name}().await;"));
        assert_eq!(named_outside(&broken, name, &[]).len(), 1);
    }
}

/// Cargo's own reading of the manifests agrees with the one here.
#[test]
fn cargo_knows_the_same_members() {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"])).unwrap();
    let known: BTreeSet<&str> =
        metadata["packages"].as_array().unwrap().iter().map(|package| package["name"].as_str().unwrap()).collect();
    let members = members();
    let read: BTreeSet<&str> =
        members.iter().map(|member| member.manifest["package"]["name"].as_str().unwrap()).collect();
    assert_eq!(known, read);
    let unlisted =
        metadata["packages"].as_array().unwrap().iter().filter(|package| package["publish"] != Value::Array(vec![]));
    assert_eq!(unlisted.count(), 0, "nothing is ever published by accident");
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
