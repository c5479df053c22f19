//! The location of the compiled functions, and a check that they are up to date.

use std::path::{Path, PathBuf};

const BINARIES: [&str; 12] = [
    "accounts",
    "alerts",
    "charge-expiry",
    "charging",
    "liability",
    "notifications",
    "purchases",
    "reconciliation",
    "stripe-webhooks",
    "support",
    "top-up-sweep",
    "usage",
];

/// The directory with every function's program.
///
/// Cargo does not build the programs of other packages for a test, so they must be built before.
pub fn directory() -> PathBuf {
    let directory = super::setting("FUNCTIONS").map_or_else(beside_the_test, PathBuf::from);
    for binary in BINARIES {
        let program = directory.join(binary);
        assert!(
            program.is_file(),
            "{} is missing: build the functions with `make programs`, or set FUNCTIONS to their directory",
            program.display()
        );
        if let Some(newer) = newer_source(&program) {
            panic!("{} is older than {newer}: run `make programs`", program.display());
        }
    }
    directory
}

/// Tests are in `target/debug/deps`, programs in `target/debug`.
fn beside_the_test() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    test.ancestors().nth(2).expect("a test is in a directory").to_owned()
}

/// A source file, of those that Cargo lists for the program, that is newer than the program.
/// <https://doc.rust-lang.org/cargo/reference/build-cache.html#dep-info-files>
fn newer_source(program: &Path) -> Option<String> {
    let list = std::fs::read_to_string(program.with_extension("d")).ok()?;
    let (_, sources) = list.split_once(": ")?;
    let changed_at = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let built_at = changed_at(program)?;
    // A space in a path is escaped as `\ `.
    let sources = sources.replace("\\ ", "\0");
    let mut sources = sources.split_whitespace().map(|source| source.replace('\0', " "));
    sources.find(|source| changed_at(Path::new(source)).is_none_or(|changed_at| changed_at > built_at))
}
