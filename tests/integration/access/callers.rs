//! The columns of the matrix: all kinds of callers, and what a valid token grants.

use super::tokens::{claims, forgeries, unfit};
use crate::support::TestCloud;
use serde_json::json;

pub const CUSTOMER: &str = "credits/customer";

/// The scopes of the product, including those that no route requires yet.
const SCOPES: [&str; 3] = [CUSTOMER, "credits/service", "credits/support"];
/// Scopes that are not ours, some of which look similar.
const OTHER_SCOPES: [&str; 10] = [
    "openid",
    "credits",
    "credits/",
    "credits/services",
    "credits/service.read",
    "CREDITS/SERVICE",
    "service",
    // R24.
    "credits/service,",
    "openid,credits/service",
    "[credits/service]",
];
/// A customer with credits, another customer, a subject without an account, and one that is not a customer.
const SUBJECTS: [&str; 4] = ["acme", "globex", "ghost", "service"];

/// A caller with or without a token.
pub struct Caller {
    pub name: String,
    /// The header as it is sent.
    pub authorization: Option<String>,
    /// What the token grants, if it is valid.
    pub grant: Option<Grant>,
}

/// The subject and scopes of a valid token.
#[derive(Clone, Debug)]
pub struct Grant {
    pub subject: &'static str,
    pub scopes: Vec<&'static str>,
}

pub fn callers(cloud: &TestCloud) -> Vec<Caller> {
    let mut callers = vec![Caller { name: "nobody".to_owned(), authorization: None, grant: None }];
    for header in ["", "Bearer", "Bearer ", "Basic YWNtZTphY21l", "Bearer null", "Bearer undefined"] {
        callers.push(Caller { name: format!("{header:?}"), authorization: Some(header.to_owned()), grant: None });
    }
    for (name, token) in forgeries(cloud).into_iter().chain(unfit(cloud)) {
        callers.push(Caller { name: format!("a token {name}"), authorization: bearer(&token), grant: None });
    }
    for subject in SUBJECTS {
        for scopes in subsets() {
            callers.push(good(cloud, Grant { subject, scopes }, Claim::Scope));
        }
    }
    for scope in OTHER_SCOPES {
        callers.push(good(cloud, Grant { subject: "acme", scopes: vec![scope] }, Claim::Scope));
    }
    for scopes in subsets() {
        // R35.
        callers.push(good(cloud, Grant { subject: "globex", scopes }, Claim::Scp));
    }
    callers.push(good(cloud, Grant { subject: "acme", scopes: vec![] }, Claim::None));
    callers
}

/// Every combination of the product's scopes, including none and all.
fn subsets() -> Vec<Vec<&'static str>> {
    let chosen = |bits: usize| {
        let scopes = SCOPES.into_iter().enumerate();
        scopes.filter(|(position, _)| (bits >> position) & 1 == 1).map(|(_, scope)| scope).collect()
    };
    (0..1 << SCOPES.len()).map(chosen).collect()
}

/// The claim that contains a token's scopes.
#[derive(Clone, Copy, Debug)]
enum Claim {
    /// A text with scopes separated by spaces.
    Scope,
    /// A list.
    Scp,
    /// No claim: an identity token.
    None,
}

fn good(cloud: &TestCloud, grant: Grant, claim: Claim) -> Caller {
    let Grant { subject, scopes } = &grant;
    let changes = match claim {
        Claim::Scope => json!({ "sub": subject, "scope": scopes.join(" ") }),
        Claim::Scp => json!({ "sub": subject, "scope": null, "scp": scopes }),
        Claim::None => json!({ "sub": subject, "scope": null }),
    };
    let token = cloud.cloud.issuer.sign(&claims(cloud, &changes));
    Caller { name: format!("{grant:?} in {claim:?}"), authorization: bearer(&token), grant: Some(grant) }
}

fn bearer(token: &str) -> Option<String> {
    Some(format!("Bearer {token}"))
}
