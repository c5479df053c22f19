//! The instructions of one warm charge, which do not depend on the machine's load or on its processor's speed.
//!
//! Valgrind's callgrind counts what the function executes outside the kernel. SHA-256 is left out: callgrind's processor
//! does not have the instructions for it that every processor of Lambda has.

use crate::contract::{charge_event, check_charge};
use crate::dynamodb::{ACCOUNT, DynamoDb};
use crate::process::Process;
use crate::variants::{Variant, told};
use crate::{BALANCE, Error};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Warm charges that are counted: two runs differ by them, so that the start and the first charges cancel out.
pub struct Way {
    pub name: &'static str,
    few: u32,
    many: u32,
    /// The most instructions of one charge.
    pub bound: u64,
    /// How many charges in a hundred read the account.
    reads_in_hundred: u32,
}

impl Way {
    /// A function reads the account until it has been the remembered one sixteen times, and from then on it does not:
    /// `MemorySettings::CHARGING`.
    pub const ALL: [Self; 2] = [
        Self { name: "that reads the account", few: 4, many: 16, bound: 560_000, reads_in_hundred: 100 },
        Self { name: "on a remembered account", few: 20, many: 80, bound: 420_000, reads_in_hundred: 0 },
    ];

    pub fn counted(&self) -> u32 {
        self.many - self.few
    }
}

/// Instructions per charge.
pub struct Instructions {
    pub counted: u64,
    pub of_sha256: u64,
    /// The functions that execute the most, with their own instructions.
    pub most: Vec<(String, u64)>,
}

/// # Errors
/// If valgrind is missing, or the function fails under it.
pub async fn count(
    charging: &Variant,
    environment: &BTreeMap<String, String>,
    dynamodb: &DynamoDb,
    way: &Way,
) -> Result<Instructions, Error> {
    let valgrind = told(Path::new("which"), &["valgrind"])
        .map_err(|_| "valgrind is not installed; on Debian and Ubuntu: apt-get install valgrind")?;
    let (mut profiles, mut reads) = (vec![], vec![]);
    for charges in [way.few, way.many] {
        let file = profile_of(charging, charges);
        let variant =
            charging.run_by(&valgrind, &["--tool=callgrind", &format!("--callgrind-out-file={}", file.display())]);
        dynamodb.reset(BALANCE).await?;
        let mut process = Process::start(&variant, environment).await?;
        for number in 1..=charges {
            let key = format!("job-{number}");
            check_charge(&process.invoke(&charge_event(ACCOUNT, &key)).await?, &key, number.into(), BALANCE)?;
        }
        process.terminate().await?;
        reads.push(dynamodb.units().read);
        profiles.push(own_instructions(&std::fs::read_to_string(&file)?)?);
    }
    let [few, many] = &profiles[..] else { return Err("there are not two profiles".into()) };
    let read = reads.iter().rev().copied().reduce(|many, few| many - few).unwrap_or_default();
    if read != f64::from(way.counted() * way.reads_in_hundred / 100) {
        return Err(format!("the charges {} read {read} accounts", way.name).into());
    }
    Ok(per_charge(few, many, way.counted()))
}

/// It stays there, for `callgrind_annotate`.
fn profile_of(charging: &Variant, charges: u32) -> PathBuf {
    charging.directory.join(format!("charging-{charges}.callgrind"))
}

fn per_charge(few: &HashMap<String, u64>, many: &HashMap<String, u64>, charges: u32) -> Instructions {
    let before = |name: &String| few.get(name).copied().unwrap_or_default();
    let differences =
        many.iter().map(|(name, own)| (name.clone(), own.saturating_sub(before(name)) / u64::from(charges)));
    let (sha256, mut others): (Vec<_>, Vec<_>) = differences.partition(|(name, _)| name.contains("sha256"));
    others.sort_by_key(|(_, own)| std::cmp::Reverse(*own));
    let sum = |functions: &[(String, u64)]| functions.iter().map(|(_, own)| own).sum();
    Instructions { counted: sum(&others), of_sha256: sum(&sha256), most: others }
}

/// Every function's own instructions.
/// <https://valgrind.org/docs/manual/cl-format.html>
fn own_instructions(profile: &str) -> Result<HashMap<String, u64>, Error> {
    let mut names = HashMap::new();
    let mut own = HashMap::<String, u64>::new();
    let (mut function, mut is_of_callee) = (String::new(), false);
    for line in profile.lines() {
        if let Some(called) = line.strip_prefix("fn=").or(line.strip_prefix("cfn=")) {
            // A name is written once, and later only its number.
            let (number, name) = called.split_once(' ').unwrap_or((called, ""));
            if !name.is_empty() {
                names.insert(number.to_owned(), name.to_owned());
            }
            if line.starts_with("fn=") {
                function = names.get(number).ok_or("a function of the profile has no name")?.clone();
            }
        } else if line.starts_with("calls=") {
            is_of_callee = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let instructions: u64 = line.split(' ').nth(1).ok_or("a line of the profile has no count")?.parse()?;
            if !std::mem::take(&mut is_of_callee) {
                *own.entry(function.clone()).or_default() += instructions;
            }
        }
    }
    if own.is_empty() { Err("the profile is empty".into()) } else { Ok(own) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "events: Ir\n\nfl=(1) x.rs\nfn=(1) main\n10 100\ncfn=(2) sha256::compress\ncalls=3 0\n11 900\n\
                           +2 50\n\nfn=(2)\n1 800\n\nfn=(3) send\n* 40\n\ntotals: 990\n";

    #[test]
    fn a_functions_own_instructions_leave_out_those_of_what_it_calls() {
        let own = own_instructions(PROFILE).unwrap();
        assert_eq!(own["main"], 150);
        assert_eq!(own["sha256::compress"], 800);
        assert_eq!(own["send"], 40);
        assert!(own_instructions("").is_err());
    }

    #[test]
    fn a_charge_is_the_difference_of_two_runs_without_sha256() {
        let run = |main, sha256, send| {
            [("main", main), ("sha256::compress", sha256), ("send", send)]
                .map(|(name, own)| (name.to_owned(), own))
                .into()
        };
        let counted = per_charge(&run(1_000, 500, 0), &run(1_060, 1_100, 600), 60);
        assert_eq!((counted.counted, counted.of_sha256), (11, 10));
        assert_eq!(counted.most[0], ("send".to_owned(), 10));
    }
}
