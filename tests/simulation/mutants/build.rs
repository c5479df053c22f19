//! Copies the sources of `shared` into one file and inserts the bugs of `mutants.toml`.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutants {
    mutant: Vec<Mutant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    name: String,
    /// A description of the bug.
    bug: String,
    /// The file below `shared/src`. Without it, the bug is an adapter's, and the simulation's own model commits it.
    file: Option<PathBuf>,
    /// The text before the code, if the code alone occurs there more than once.
    #[serde(default)]
    after: String,
    /// The correct expression.
    #[serde(default)]
    code: String,
    /// The expression that replaces it.
    #[serde(default)]
    instead: String,
}

/// Where an expression starts and ends in its file.
type Range = (usize, usize);

/// The modules of `shared` that do not use AWS, Stripe or HTTP.
const MODULES: [&str; 6] = ["clock", "domain", "error", "ports", "use_cases", "words"];

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?);
    let shared = here.join("../../../shared/src");
    println!("cargo::rerun-if-changed=mutants.toml");
    println!("cargo::rerun-if-changed={}", shared.display());

    let mutants: Mutants = toml::from_str(&fs::read_to_string(here.join("mutants.toml"))?)?;
    let mut sources = Sources { root: shared.clone(), woven: BTreeMap::new() };
    sources.weave(&mutants.mutant)?;
    let mut out = String::new();
    for module in MODULES {
        sources.write_module(&mut out, &shared, module)?;
    }
    writeln!(out, "/// All bugs.\npub const MUTANTS: [Mutant; {}] = [", mutants.mutant.len())?;
    for mutant in &mutants.mutant {
        writeln!(out, "    Mutant {{ name: {:?}, bug: {:?} }},", mutant.name, mutant.bug)?;
    }
    writeln!(out, "];")?;
    let target = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(target.join("shared.rs"), out)?;
    Ok(())
}

struct Sources {
    root: PathBuf,
    /// The changed files, by path.
    woven: BTreeMap<PathBuf, String>,
}

impl Sources {
    fn weave(&mut self, mutants: &[Mutant]) -> Result<(), Box<dyn Error>> {
        // Bugs in the same place are alternatives to each other.
        let mut places: BTreeMap<PathBuf, BTreeMap<Range, Vec<&Mutant>>> = BTreeMap::new();
        for mutant in mutants {
            if let Some(file) = &mutant.file {
                let path = self.root.join(file);
                let place = find(&read_without_tests(&path)?, mutant)?;
                places.entry(path).or_default().entry(place).or_default().push(mutant);
            }
        }
        for (path, places) in places {
            let mut source = read_without_tests(&path)?;
            // From the end, so that earlier positions stay valid.
            for ((start, end), alternatives) in places.into_iter().rev() {
                // The block of a match arm must stay a block, since no comma follows it.
                let is_block = source[start..end].starts_with('{');
                let mut choice = String::from(if is_block { "{ " } else { "(" });
                for mutant in alternatives {
                    write!(choice, "if crate::switch::is_on({:?}) {{ {} }} else ", mutant.name, mutant.instead)?;
                }
                write!(choice, "{{ {} }}{}", &source[start..end], if is_block { " }" } else { ")" })?;
                source.replace_range(start..end, &choice);
            }
            self.woven.insert(path, source);
        }
        Ok(())
    }

    /// A module with all of its submodules inline.
    fn write_module(&self, out: &mut String, folder: &Path, name: &str) -> Result<(), Box<dyn Error>> {
        let (file, below) = (folder.join(format!("{name}.rs")), folder.join(name));
        let path = if file.is_file() { file } else { below.join("mod.rs") };
        let source = match self.woven.get(&path) {
            Some(source) => source.clone(),
            None => read_without_tests(&path)?,
        };
        writeln!(out, "pub mod {name} {{")?;
        for line in source.lines() {
            let declared = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ");
            match declared.and_then(|rest| rest.strip_suffix(';')) {
                Some(module) => self.write_module(out, &below, module)?,
                None => writeln!(out, "{line}")?,
            }
        }
        writeln!(out, "}}")?;
        Ok(())
    }
}

fn find(source: &str, mutant: &Mutant) -> Result<Range, Box<dyn Error>> {
    let Mutant { name, after, code, .. } = mutant;
    let place = format!("{after}{code}");
    let mut found = source.match_indices(&place);
    match (found.next(), found.next()) {
        (Some((start, _)), None) if !code.is_empty() => Ok((start + after.len(), start + place.len())),
        (None, _) => Err(format!("the code of {name} no longer exists: {place}").into()),
        _ => Err(format!("the code of {name} occurs more than once: {place}").into()),
    }
}

/// Tests and test modules are at the end of a file or on one line.
fn read_without_tests(path: &Path) -> Result<String, Box<dyn Error>> {
    let source = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut kept = String::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            let tested = lines.next().unwrap_or_default();
            if tested.ends_with('{') {
                break;
            }
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    Ok(kept)
}
