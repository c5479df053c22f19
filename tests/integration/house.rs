//! Rules for the code that need some parsing of Rust: the number of arguments, where changes are committed, the
//! direction of imports, and how errors are logged.
//!
//! As in [`crate::architecture`], each rule is also tested with a sample that breaks it.

use crate::architecture::{NOTHING, Source, code, deployed, sample};
use std::collections::{BTreeMap, BTreeSet};

const ARGUMENTS_MAX: usize = 4;

/// The functions of a text by name, each with its number of arguments, including `self`.
fn functions(text: &str) -> Vec<(String, usize)> {
    let code = code(text);
    let mut found = vec![];
    for (start, _) in code.match_indices("fn ") {
        let is_word = code[..start].chars().next_back().is_none_or(char::is_whitespace);
        let after = &code[start + 3..];
        let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !is_word || name.is_empty() {
            continue;
        }
        let rest = &after[name.len()..];
        if let Some(arguments) = within_parentheses(after_generics(rest)) {
            found.push((name, count_items(arguments)));
        }
    }
    found
}

fn after_generics(text: &str) -> &str {
    if !text.starts_with('<') {
        return text;
    }
    let mut depth = 0;
    let mut before = ' ';
    for (position, character) in text.char_indices() {
        match character {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        before = character;
        if depth == 0 {
            return &text[position + 1..];
        }
    }
    ""
}

fn within_parentheses(text: &str) -> Option<&str> {
    let text = text.strip_prefix('(')?;
    let mut depth = 1;
    for (position, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[..position]);
        }
    }
    None
}

/// The number of items separated by commas outside of all brackets.
fn count_items(list: &str) -> usize {
    let (mut depth, mut items, mut is_begun, mut before) = (0, 0, false, ' ');
    for character in list.chars() {
        match character {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if before != '-' && before != '=' => depth -= 1,
            ',' if depth == 0 => is_begun = false,
            _ => {}
        }
        if !character.is_whitespace() && character != ',' && !is_begun {
            (is_begun, items) = (true, items + 1);
        }
        before = character;
    }
    items
}

fn with_too_many_arguments(sources: &[Source]) -> Vec<String> {
    let is_held = |path: &str| path.starts_with("functions/") || path.starts_with("shared/src/use_cases/");
    let held = sources.iter().filter(|source| is_held(&source.path));
    let too_many = |source: &Source| {
        let counted = functions(&source.text).into_iter().filter(|(_, count)| *count > ARGUMENTS_MAX);
        counted.map(|(name, count)| format!("{}: {name} takes {count} arguments", source.path)).collect::<Vec<_>>()
    };
    held.flat_map(too_many).collect()
}

#[test]
fn no_function_of_the_functions_and_use_cases_takes_more_than_four_arguments() {
    assert_eq!(with_too_many_arguments(&deployed()), NOTHING);
    for (broken, name, count) in [
        ("fn f(a: A, b: B, c: C, d: D, e: E) {}", "f", 5),
        ("async fn g<T: Fn(A) -> B>(a: &A, b: Map<A, B>, c: impl Fn(A, B) -> C, d: (A, B), e: E,) {}", "g", 5),
        ("impl A {\n    pub fn h(&self, a: A, b: [u8; 2], c: C, d: D) {}\n}", "h", 5),
    ] {
        let expected = format!("shared/src/use_cases/x.rs: {name} takes {count} arguments");
        assert_eq!(with_too_many_arguments(&sample("shared/src/use_cases/x.rs", broken)), [expected]);
    }
    let fine = sample("functions/x/src/lib.rs", "fn f(a: A, b: Map<A, B>, c: fn(A, B) -> C, d: (A, B)) {}");
    assert_eq!(with_too_many_arguments(&fine), NOTHING);
}

fn commit_sites(sources: &[Source]) -> usize {
    let in_use_cases = sources.iter().filter(|source| source.path.starts_with("shared/src/use_cases/"));
    in_use_cases.map(|source| code(&source.text).matches(".commit(").count()).sum()
}

#[test]
fn use_cases_commit_in_two_places_alone() {
    assert_eq!(commit_sites(&deployed()), 2, "one changes an account, one opens it");
    assert_eq!(commit_sites(&sample("shared/src/use_cases/x.rs", "ledger.commit(&change).await")), 1);
}

/// Every log call that writes an error without its causes.
fn without_causes(sources: &[Source]) -> Vec<String> {
    let mut found = vec![];
    for Source { path, text } in sources {
        let code = code(text);
        for short in ["%error", "?error", "%refusal", "error = error", "error.to_string()"] {
            let calls = code.match_indices("tracing::").filter_map(|(start, _)| {
                let call = &code[start..];
                let end = call.find(");").unwrap_or(call.len());
                call[..end].contains(short).then(|| format!("{path} logs {short}"))
            });
            found.extend(calls);
        }
    }
    found
}

#[test]
fn an_error_is_logged_with_all_its_causes() {
    assert_eq!(without_causes(&deployed()), NOTHING);
    for broken in [
        "tracing::warn!(%error, \"not yet\");",
        "tracing::error!(account.id = %account,\n    %error,\n    \"failed\");",
        "tracing::warn!(error = %error, \"not yet\");",
        "tracing::warn!(?error, \"not yet\");",
    ] {
        assert!(!without_causes(&sample("shared/src/x.rs", broken)).is_empty(), "{broken}");
    }
    assert_eq!(without_causes(&sample("shared/src/x.rs", "tracing::warn!(error = chain(&error), \"no\");")), NOTHING);
}

/// The modules of `shared` that each of its files imports. The re-exports of a facade are followed to their
/// definitions.
struct Imports {
    /// The code of each file, by module path, such as `domain::account`.
    modules: BTreeMap<String, String>,
}

impl Imports {
    fn of(sources: &[Source]) -> Self {
        let module = |source: &Source| {
            let path = source.path.strip_prefix("shared/src/")?.strip_suffix(".rs")?;
            let path = path.strip_suffix("/mod").unwrap_or(path);
            (path != "lib").then(|| (path.replace('/', "::"), code(&source.text)))
        };
        Self { modules: sources.iter().filter_map(module).collect() }
    }

    /// The module that defines the target of a path in `module`, if it is one of ours.
    fn resolve(&self, module: &str, path: &[String], depth: usize) -> Option<String> {
        let (mut at, mut rest): (Vec<&str>, &[String]) = match path.first()?.as_str() {
            "crate" => (vec![], &path[1..]),
            "super" | "self" => (module.split("::").collect(), path),
            name if self.modules.contains_key(&format!("{module}::{name}")) => (module.split("::").collect(), path),
            _ => return None,
        };
        while let Some(first) = rest.first() {
            match first.as_str() {
                "super" => drop(at.pop()),
                "self" => {}
                name => {
                    let deeper = if at.is_empty() { name.to_owned() } else { format!("{}::{name}", at.join("::")) };
                    if !self.modules.contains_key(&deeper) {
                        break;
                    }
                    at.push(name);
                }
            }
            rest = &rest[1..];
        }
        let found = at.join("::");
        let name = rest.first()?;
        if depth < 4
            && let Some(through) = self.reexport(&found, name)
        {
            return self.resolve(&found, &through, depth + 1).or(Some(found));
        }
        self.modules.contains_key(&found).then_some(found)
    }

    /// The path of a name that a module re-exports.
    fn reexport(&self, module: &str, name: &str) -> Option<Vec<String>> {
        let uses = uses(self.modules.get(module)?, "pub use ");
        let named = uses.iter().find(|path| path.last().is_some_and(|last| last == name));
        let by_glob = || {
            let globs = uses.iter().filter(|path| path.last().is_some_and(|last| last == "*"));
            let mut sources = globs.map(|path| path[..path.len() - 1].to_vec());
            sources.find(|path| {
                let source = self.modules.get(&format!("{module}::{}", path.join("::")));
                source.is_some_and(|code| code.contains(&format!(" {name}")))
            })
        };
        named.cloned().or_else(|| {
            by_glob().map(|mut path| {
                path.push(name.to_owned());
                path
            })
        })
    }

    fn edges(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let edges = |(module, code): (&'_ String, &String)| {
            let imported = uses(code, "use ").into_iter().filter_map(|path| self.resolve(module, &path, 0));
            imported.filter(|imported| !module.starts_with(imported.as_str())).collect()
        };
        self.modules.iter().map(|entry| (entry.0.as_str(), edges(entry))).collect()
    }

    /// A path of imports from a module back to itself.
    fn circle(&self) -> Option<Vec<String>> {
        let edges = self.edges();
        let mut done = BTreeSet::new();
        for start in edges.keys() {
            let mut way = vec![];
            if let Some(circle) = walk(&edges, start, &mut way, &mut done) {
                return Some(circle);
            }
        }
        None
    }
}

fn walk(
    edges: &BTreeMap<&str, BTreeSet<String>>,
    at: &str,
    way: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(position) = way.iter().position(|module| module == at) {
        return Some(way[position..].to_vec());
    }
    if !done.contains(at) {
        way.push(at.to_owned());
        let next = edges.get(at).into_iter().flatten();
        for next in next {
            if let Some(circle) = walk(edges, next, way, done) {
                return Some(circle);
            }
        }
        way.pop();
        done.insert(at.to_owned());
    }
    None
}

/// The paths of all declarations with this beginning, with groups expanded. A re-export (`pub use`) is not an import.
fn uses(code: &str, keyword: &str) -> Vec<Vec<String>> {
    let mut found = vec![];
    for (start, _) in code.match_indices(keyword) {
        let is_start = code[..start].ends_with('\n') || start == 0;
        let Some(end) = code[start..].find(';') else { continue };
        if is_start {
            spread(&mut found, &[], code[start + keyword.len()..start + end].trim());
        }
    }
    found
}

fn spread(found: &mut Vec<Vec<String>>, before: &[String], tree: &str) {
    let (head, group) = tree.split_once('{').map_or((tree, None), |(head, rest)| (head, rest.strip_suffix('}')));
    let mut path = before.to_vec();
    let segments = head.split("::").map(|segment| segment.split(" as ").next().unwrap_or_default().trim());
    path.extend(segments.filter(|segment| !segment.is_empty()).map(str::to_owned));
    match group {
        None => found.push(path),
        Some(group) => {
            let (mut depth, mut item) = (0, String::new());
            for character in group.chars().chain([',']) {
                match character {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        if !item.trim().is_empty() {
                            spread(found, &path, item.trim());
                        }
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(character);
            }
        }
    }
}

#[test]
fn no_imports_go_in_a_circle() {
    let shared = Imports::of(&deployed());
    assert!(shared.modules.len() > 80, "the modules were found");
    let edges: usize = shared.edges().values().map(BTreeSet::len).sum();
    assert!(edges > 250, "the imports were followed: {edges}");
    assert_eq!(shared.circle(), None);

    let file = |path: &str, text: &str| Source { path: format!("shared/src/{path}"), text: text.to_owned() };
    let through_a_facade = [
        file("domain/mod.rs", "pub mod change;\npub mod records;\npub use change::Change;\npub use records::*;\n"),
        file("domain/change.rs", "use super::Purchase;\npub struct Change;\n"),
        file("domain/records.rs", "use crate::domain::{Change, change};\npub struct Purchase;\n"),
    ];
    assert_eq!(Imports::of(&through_a_facade).circle().map(|circle| circle.len()), Some(2));
    let in_a_row = [
        file("a.rs", "use crate::b::{c::{self, D}, E};\n"),
        file("b/mod.rs", "pub mod c;\npub struct E;\n"),
        file("b/c.rs", "use super::E;\npub struct D;\n"),
    ];
    assert_eq!(Imports::of(&in_a_row).circle(), None);
}
