//! Who asks, as API Gateway's JWT authorizer has verified.

use super::Problem;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

/// The subject and scopes of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub subject: String,
    pub scopes: Scopes,
}

/// What a token was issued for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// A list arrives as `[a b]`: API Gateway turns every claim into text.
    fn parse(claim: &str) -> Self {
        Self(claim.trim_matches(['[', ']']).split([' ', ',']).map(str::to_owned).collect())
    }

    /// Whether the scope is one of them, letter for letter.
    pub fn contain(&self, scope: &str) -> bool {
        self.0.iter().any(|held| held == scope)
    }
}

impl Caller {
    /// Reads the claims that the authorizer put into the event.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>
    ///
    /// # Errors
    /// A 401 where there are none: the function was called past the authorizer.
    pub(super) fn of(request: &Request) -> Result<Self, Problem> {
        let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
            return Err(Problem::unauthenticated());
        };
        let claims = context.authorizer.as_ref().and_then(|authorizer| authorizer.jwt.as_ref()).map(|jwt| &jwt.claims);
        let claims = claims.ok_or_else(Problem::unauthenticated)?;
        Ok(Self {
            subject: claims.get("sub").cloned().unwrap_or_default(),
            scopes: claims
                .get("scope")
                .or(claims.get("scp"))
                .map_or_else(Scopes::default, |claim| Scopes::parse(claim)),
        })
    }
}
