//! The columns of the matrix: everybody who may knock, and what a token that is good grants.

use super::tokens::{claims, forgeries, unfit};
use crate::support::TestCloud;
use serde_json::json;

pub const CUSTOMER: &str = "credits/customer";

/// The scopes of the product, those that no route names yet among them.
const SCOPES: [&str; 3] = [CUSTOMER, "credits/service", "credits/support"];
/// Scopes that are none of ours, and some that look like it.
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
/// Who has credits, who has an account beside it, who has none, and no customer at all.
const SUBJECTS: [&str; 4] = ["acme", "globex", "ghost", "service"];

/// Somebody with or without a token.
pub struct Caller {
    pub name: String,
    /// The header as it is sent.
    pub authorization: Option<String>,
    /// What the token says, if it is good.
    pub grant: Option<Grant>,
}

/// The subject and scopes of a good token.
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
        callers.push(good(cloud, Grant { subject: "globex", scopes }, Claim::Scp));
    }
    callers.push(good(cloud, Grant { subject: "acme", scopes: vec![] }, Claim::None));
    callers
}

/// Every choice of the product's scopes, none and all among them.
fn subsets() -> Vec<Vec<&'static str>> {
    let chosen = |bits: usize| {
        let scopes = SCOPES.into_iter().enumerate();
        scopes.filter(|(position, _)| (bits >> position) & 1 == 1).map(|(_, scope)| scope).collect()
    };
    (0..1 << SCOPES.len()).map(chosen).collect()
}

/// Where a token names its scopes.
#[derive(Clone, Copy, Debug)]
enum Claim {
    /// A text with blanks between.
    Scope,
    /// A list.
    Scp,
    /// Nowhere: an identity token.
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
