//! The functions' log lines in all tests, and the search for secret and personal data in them.
//!
//! One subscriber for the whole test run writes lines as the deployed functions do, at the most verbose level possible.
//! Every [`super::TestCloud`] searches the lines of its lifetime for its secret and personal data.

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use shared::telemetry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// The most verbose level of `RUST_LOG`.
pub const MOST_VERBOSE: &str = "trace";

/// The lines of a growing log. Clones share them.
#[derive(Clone, Default)]
pub struct Net(Arc<Mutex<Vec<String>>>);

/// The lines of the whole test run, from the first use on.
pub static NET: LazyLock<Net> = LazyLock::new(|| {
    let net = Net::default();
    telemetry::subscriber(MOST_VERBOSE, net.clone()).init();
    net.catch_panics();
    net
});

impl Net {
    pub fn length(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn since(&self, start: usize) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[start..].to_vec()
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Adds the panics of the product to the log, but not those of the tests.
    fn catch_panics(&self) {
        let (net, before) = (self.clone(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
            let file = panic.location().map_or("", |location| location.file());
            if file.starts_with("shared/src/") || file.starts_with("functions/") {
                net.push(panic.to_string());
            }
            before(panic);
        }));
    }
}

/// The formatter writes one whole line at a time.
impl Write for Net {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.push(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Net {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Texts that must not appear in any line, each with a description.
#[derive(Clone, Default)]
pub struct Canaries(BTreeMap<String, String>);

impl Canaries {
    /// Shorter texts also occur in harmless words.
    const BYTES_MIN: usize = 8;

    /// Adds a text with its description, unless it has one already. A text that is too short is ignored.
    pub fn plant(&mut self, what: &str, text: &str) {
        if text.len() >= Self::BYTES_MIN {
            self.0.entry(text.to_owned()).or_insert_with(|| what.to_owned());
        }
    }

    /// The forbidden texts in the lines, each with its line.
    pub fn found_in(&self, lines: &[String]) -> Vec<String> {
        let forms =
            self.0.iter().flat_map(|(text, what)| forms(text).into_iter().map(move |form| (form, what.as_str())));
        let (forms, names): (Vec<String>, Vec<&str>) = forms.unzip();
        // The kind that is fastest to build: every test builds one and searches few lines with it.
        let canaries = AhoCorasick::builder().kind(Some(AhoCorasickKind::NoncontiguousNFA)).build(forms);
        let canaries = canaries.expect("the texts of one test are not too many");
        let mut found = BTreeSet::new();
        for line in lines {
            let exact = canaries.find_overlapping_iter(line).map(|hit| names[hit.pattern().as_usize()]);
            let kinds = KINDS.iter().filter(|(_, is_in)| is_in(line)).map(|(what, _)| *what);
            found.extend(exact.chain(kinds).map(|what| format!("{what} in {line}")));
        }
        found.into_iter().collect()
    }

    /// Every text with its description.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(text, what)| (what.as_str(), text.as_str()))
    }

    /// Adds the personal data in the body of a request or an answer, and the URLs of pages that open without a login.
    pub fn plant_json(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.plant_json(item)),
            Value::Object(entries) => {
                for (name, value) in entries {
                    match (what_is(name), value) {
                        (Some(what), Value::String(text)) => self.plant(what, text),
                        _ => self.plant_json(value),
                    }
                }
            }
            _ => {}
        }
    }
}

fn what_is(name: &str) -> Option<&'static str> {
    Some(match name {
        "accepted_by" => "who consented",
        "changed_by" => "who stopped spending",
        "checkout_url" | "hosted_invoice_url" | "invoice_pdf" | "receipt_url" => "a Stripe page",
        "pay_link" => "a link to pay",
        "default_payment_method" | "payment_method" => "a saved card",
        "email" | "customer_email" | "receipt_email" => "an e-mail address",
        "city" | "line1" | "line2" => "an address",
        "company" => "a company's name",
        "po_number" => "the number of an order",
        "reference" => "a charge's reference",
        "spender" => "a spender's name",
        _ => return None,
    })
}

/// The encodings of a text: plain, in JSON, in a form or a URL, in base64.
fn forms(text: &str) -> Vec<String> {
    let json = Value::from(text).to_string();
    let twice = Value::from(json.trim_matches('"')).to_string();
    let url = reqwest::Url::parse_with_params("http://x", [("", text)]).expect("a URL");
    let mut forms = vec![
        text.to_owned(),
        json.trim_matches('"').to_owned(),
        twice.trim_matches('"').to_owned(),
        url.query().unwrap_or_default()[1..].to_owned(),
        BASE64_STANDARD_NO_PAD.encode(text),
        BASE64_URL_SAFE_NO_PAD.encode(text),
    ];
    forms.sort();
    forms.dedup();
    forms
}

type Kind = (&'static str, fn(&str) -> bool);

/// Patterns of texts that are always secret or personal.
const KINDS: [Kind; 7] = [
    ("an e-mail address", has_address),
    ("a JSON web token", |line| has_word(line, "eyJ", 17)),
    ("a key of Stripe's", |line| ["sk_test_", "sk_live_", "rk_live_", "whsec_"].iter().any(|key| line.contains(key))),
    ("a bearer's right", |line| line.to_ascii_lowercase().contains("bearer ")),
    ("a request's signature", |line| line.contains("AWS4-HMAC") || line.contains("v1=")),
    ("a link of an e-mail", |line| ["/pay/", "/confirm/", "/receipt/"].iter().any(|path| line.contains(path))),
    ("a saved card", |line| has_word(line, "pm_", 1)),
];

/// Whether there is a word with this beginning and at least `more` further characters: three letters alone occur in
/// random ids.
fn has_word(line: &str, beginning: &str, more: usize) -> bool {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    line.match_indices(beginning).any(|(start, _)| {
        let rest = line[start + beginning.len()..].chars().take_while(|character| is_word(*character));
        !line[..start].ends_with(is_word) && rest.count() >= more
    })
}

/// Whether there is an `@`, plain or percent-encoded, between a word and a domain.
fn has_address(line: &str) -> bool {
    let is_word = |character: char| character.is_ascii_alphanumeric();
    ["@", "%40"].iter().any(|at| {
        line.match_indices(at).any(|(start, _)| {
            let domain =
                line[start + at.len()..].split(|character: char| !is_word(character) && !".-".contains(character));
            line[..start].ends_with(is_word) && domain.into_iter().next().is_some_and(|domain| domain.contains('.'))
        })
    })
}
