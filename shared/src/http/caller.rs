//! The caller, as verified by API Gateway's JWT authorizer.

use super::Problem;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use std::collections::HashMap;

/// The subject and scopes of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub subject: String,
    pub scopes: Scopes,
}

/// The scopes of a token: the words of its claims `scope` and `scp`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// `verified` holds the scopes that the authorizer found, if it reports them; then no others count.
    ///
    /// A token may carry `scope`, `scp` or both. AWS does not document which of them the authorizer reads, but it
    /// documents that it reports what it found. So a word of either claim counts, unless the authorizer did not find
    /// it.
    fn read(claims: &HashMap<String, String>, verified: Option<&[String]>) -> Self {
        let texts = ["scope", "scp"].iter().filter_map(|name| claims.get(*name));
        let is_verified = |word: &&str| verified.is_none_or(|verified| verified.iter().any(|scope| scope == word));
        Self(texts.flat_map(|text| words(text)).filter(is_verified).map(str::to_owned).collect())
    }

    /// Whether the scope is among them, compared exactly.
    pub fn contain(&self, scope: &str) -> bool {
        self.0.iter().any(|held| held == scope)
    }
}

/// The words of a claim. API Gateway converts every claim to a string, and a list to `[a b]`.
fn words(claim: &str) -> impl Iterator<Item = &str> {
    let list = claim.strip_prefix('[').and_then(|claim| claim.strip_suffix(']'));
    list.unwrap_or(claim).split_ascii_whitespace()
}

impl Caller {
    /// Reads the claims that the authorizer put into the event.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>
    ///
    /// # Errors
    /// A 401 if there are none, because the call bypassed the authorizer.
    pub(super) fn of(request: &Request) -> Result<Self, Problem> {
        let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
            return Err(Problem::unauthenticated());
        };
        let jwt = context.authorizer.as_ref().and_then(|authorizer| authorizer.jwt.as_ref());
        let jwt = jwt.ok_or_else(Problem::unauthenticated)?;
        Ok(Self {
            subject: jwt.claims.get("sub").cloned().unwrap_or_default(),
            scopes: Scopes::read(&jwt.claims, jwt.scopes.as_deref().filter(|scopes| !scopes.is_empty())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(claims: &[(&str, &str)], verified: Option<&[&str]>) -> Vec<String> {
        let claims = claims.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let verified: Option<Vec<String>> =
            verified.map(|verified| verified.iter().map(|scope| (*scope).to_owned()).collect());
        Scopes::read(&claims, verified.as_deref()).0
    }

    /// R24: a scope is a word of the claim and must match exactly.
    #[test]
    fn a_scope_is_a_word_of_the_claim() {
        for (claim, expected) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("a b/c", vec!["a", "b/c"]),
            ("[a b]", vec!["a", "b"]),
            ("[]", vec![]),
            ("a,b", vec!["a,b"]),
            ("a, b", vec!["a,", "b"]),
            ("[[a]]", vec!["[a]"]),
            ("[a", vec!["[a"]),
            ("a]", vec!["a]"]),
            ("x [a]", vec!["x", "[a]"]),
        ] {
            assert_eq!(scopes(&[("scope", claim)], None), expected, "{claim:?}");
            assert_eq!(scopes(&[("scp", claim)], None), expected, "{claim:?}");
        }
    }

    /// R35: the function reads the claim that the authorizer read, and no other.
    #[test]
    fn the_claim_that_the_authorizer_read_counts() {
        let both = [("scope", "openid a"), ("scp", "[b]")];
        assert_eq!(scopes(&both, None), ["openid", "a", "b"]);
        assert_eq!(scopes(&both, Some(&["b"])), ["b"]);
        assert_eq!(scopes(&both, Some(&["a"])), ["a"]);
        // A string in brackets and a list look the same here; what the authorizer found tells them apart.
        assert_eq!(scopes(&[("scope", "[a b c]")], Some(&["b"])), ["b"]);
        assert_eq!(scopes(&[("scope", "openid")], Some(&["a"])), [""; 0], "only what the token says");
    }
}
