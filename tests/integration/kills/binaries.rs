//! Where the compiled functions are, and whether they are compiled from the sources as they stand.

use std::path::{Path, PathBuf};

const BINARIES: [&str; 6] = ["accounts", "charging", "notifications", "purchases", "stripe-webhooks", "top-up-sweep"];

/// The directory with every function's program.
///
/// Cargo builds no program for the tests of another package, so they have to be there before.
pub fn directory() -> PathBuf {
    let directory = super::setting("FUNCTIONS").map_or_else(beside_the_test, PathBuf::from);
    for binary in BINARIES {
        let program = directory.join(binary);
        assert!(
            program.is_file(),
            "{} is missing: build the functions first, by `make programs`, or say in FUNCTIONS where they are",
            program.display()
        );
        if let Some(newer) = newer_source(&program) {
            panic!("{} is older than {newer}: run `make programs`", program.display());
        }
    }
    directory
}

/// Tests stand in `target/debug/deps`, programs in `target/debug`.
fn beside_the_test() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors().nth(2).expect("a test stands in a directory").to_owned()
}

/// A source of the program that was changed after it was built, of those that Cargo lists beside it.
/// <https://doc.rust-lang.org/cargo/reference/build-cache.html#dep-info-files>
fn newer_source(program: &Path) -> Option<String> {
    let list = std::fs::read_to_string(program.with_extension("d")).ok()?;
    let (_, sources) = list.split_once(": ")?;
    let changed_at = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let built_at = changed_at(program)?;
    // A space within a path is written as `\ `.
    let sources = sources.replace("\\ ", "\0");
    let mut sources = sources.split_whitespace().map(|source| source.replace('\0', " "));
    sources.find(|source| changed_at(Path::new(source)).is_none_or(|changed_at| changed_at > built_at))
}
