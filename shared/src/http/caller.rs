//! Who asks, as API Gateway's JWT authorizer has verified.

use super::Problem;
use crate::domain::AccountId;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

/// The scope of the company's own services: it reaches every account.
pub const SERVICE_SCOPE: &str = "credits/service";

/// The subject and scopes of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    subject: String,
    is_service: bool,
}

impl Caller {
    /// Reads the claims that the authorizer put into the event.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>
    ///
    /// # Errors
    /// A 401 where there are none: the function was called past the authorizer.
    pub fn of(request: &Request) -> Result<Self, Problem> {
        let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
            return Err(Problem::unauthenticated());
        };
        let claims = context.authorizer.as_ref().and_then(|authorizer| authorizer.jwt.as_ref()).map(|jwt| &jwt.claims);
        let claims = claims.ok_or_else(Problem::unauthenticated)?;
        let scopes = claims.get("scope").or(claims.get("scp")).map_or("", String::as_str);
        Ok(Self {
            subject: claims.get("sub").cloned().unwrap_or_default(),
            // A list arrives as `[a b]`: API Gateway turns every claim into text.
            is_service: scopes.trim_matches(['[', ']']).split([' ', ',']).any(|scope| scope == SERVICE_SCOPE),
        })
    }

    /// The account of a path, if this caller reaches it.
    ///
    /// # Errors
    /// A 404 for another's account, exactly as for one that does not exist.
    pub fn account(&self, account: &str) -> Result<AccountId, Problem> {
        if self.is_service || self.subject == account {
            AccountId::parse(account).map_err(|_| Problem::not_found("account"))
        } else {
            Err(Problem::not_found("account"))
        }
    }

    /// # Errors
    /// A 403 unless the token has the service scope.
    pub fn require_service(&self) -> Result<(), Problem> {
        if self.is_service { Ok(()) } else { Err(Problem::forbidden(SERVICE_SCOPE)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(claims: &str) -> Result<Caller, u16> {
        let event = format!(
            r#"{{"version":"2.0","routeKey":"GET /","rawPath":"/","rawQueryString":"","headers":{{}},"isBase64Encoded":false,
                "requestContext":{{"http":{{"method":"GET","path":"/"}},"timeEpoch":0{claims}}}}}"#
        );
        Caller::of(&lambda_http::request::from_str(&event).unwrap()).map_err(|problem| problem.status())
    }

    #[test]
    fn a_customer_reaches_its_own_account_and_a_service_any() {
        let customer =
            caller(r#","authorizer":{"jwt":{"claims":{"sub":"acme","scope":"credits/customer"},"scopes":[]}}"#)
                .unwrap();
        assert_eq!(customer.account("acme").unwrap().as_str(), "acme");
        assert_eq!(customer.account("other").unwrap_err().status(), 404);
        assert_eq!(customer.require_service().unwrap_err().status(), 403);
        for scopes in ["credits/service", "openid credits/service", "[openid credits/service]"] {
            let claims =
                format!(r#","authorizer":{{"jwt":{{"claims":{{"sub":"svc","scope":"{scopes}"}},"scopes":[]}}}}"#);
            let service = caller(&claims).unwrap();
            assert_eq!(service.account("acme").unwrap().as_str(), "acme");
            assert_eq!(service.account("no such id!").unwrap_err().status(), 404);
            assert!(service.require_service().is_ok());
        }
        let almost = r#","authorizer":{"jwt":{"claims":{"sub":"svc","scope":"credits/service.read"},"scopes":[]}}"#;
        assert!(caller(almost).unwrap().require_service().is_err());
    }

    #[test]
    fn whoever_comes_past_the_authorizer_is_nobody() {
        assert_eq!(caller(""), Err(401));
        assert_eq!(caller(r#","authorizer":{}"#), Err(401));
    }
}
