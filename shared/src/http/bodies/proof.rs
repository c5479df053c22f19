//! The proof of a payment: each link with its facts.

use crate::domain::payments::{Claim, Fact, PaidFor, ProofLink};
use crate::domain::{InvoiceId, PaymentIntentId};
use crate::http::time;
use crate::use_cases::payments::ProvenPayment;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The payment, or the invoice, that a path names.
pub fn proof_path(text: &str) -> Option<Claim> {
    match text.split_once('_') {
        Some(("pi", _)) => PaymentIntentId::parse(text).ok().map(Claim::Payment),
        Some(("in", _)) => InvoiceId::parse(text).ok().map(Claim::Invoice),
        _ => None,
    }
}

#[derive(Serialize)]
pub struct ProofBody<'a> {
    account: &'a str,
    /// What it was made for; the other one is null.
    purchase: Option<&'a str>,
    top_up: Option<&'a str>,
    payment: Option<&'a str>,
    invoice: Option<&'a str>,
    holds: bool,
    links: Vec<LinkBody>,
}

#[derive(Serialize)]
struct LinkBody {
    link: &'static str,
    status: &'static str,
    at: Option<String>,
    facts: Map<String, Value>,
    differs: Vec<&'static str>,
}

impl<'a> ProofBody<'a> {
    pub fn of(proven: &'a ProvenPayment) -> Self {
        let (purchase, top_up) = match &proven.paid_for {
            PaidFor::Purchase(purchase) => (Some(purchase.as_str()), None),
            PaidFor::TopUp(top_up) => (None, Some(top_up.as_str())),
        };
        Self {
            account: proven.account.as_str(),
            purchase,
            top_up,
            payment: proven.claimed.payment.as_ref().map(|payment| payment.as_str()),
            invoice: proven.claimed.invoice.as_ref().map(|invoice| invoice.as_str()),
            holds: proven.proof.holds(),
            links: proven.proof.links.iter().map(LinkBody::of).collect(),
        }
    }
}

impl LinkBody {
    fn of(link: &ProofLink) -> Self {
        let facts = link.facts.iter().map(|(name, fact)| ((*name).to_owned(), value(fact)));
        Self {
            link: link.name.name(),
            status: link.status.name(),
            at: link.at.map(time),
            facts: facts.collect(),
            differs: link.differences.clone(),
        }
    }
}

fn value(fact: &Fact) -> Value {
    match fact {
        Fact::Text(text) => json!(text),
        Fact::Number(number) => json!(number),
        Fact::Time(at) => json!(time(*at)),
    }
}
