//! Who may call a route, and which account the caller may access.

use super::{Caller, Problem};
use crate::domain::AccountId;
use lambda_http::Request;

/// The scope of the company's customers. Each may access the account that its token's `sub` names.
pub const CUSTOMER_SCOPE: &str = "credits/customer";
/// The scope of the company's own services. They may access every account.
pub const SERVICE_SCOPE: &str = "credits/service";
/// The scope of the company's support. It may access every account, through its own routes.
pub const SUPPORT_SCOPE: &str = "credits/support";

/// Who may call a route.
///
/// API Gateway checks the token first. A test keeps `template.yaml` and `openapi.yaml` consistent with this field. The
/// function checks again, so that a mistake in the template does not open a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone. The route does not check a token; the request carries a signature that says what it may do.
    Public,
    /// A customer, for its own account, and the company's services.
    Customer,
    /// Only the company's services.
    Service,
    /// Only the company's support.
    Support,
    /// A browser that is signed in to the portal. The route does not check a token; the portal checks its cookie.
    Session,
}

impl Access {
    /// The token needs one of these scopes. Empty if the route does not check a token.
    pub const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Customer => &[CUSTOMER_SCOPE, SERVICE_SCOPE],
            Self::Service => &[SERVICE_SCOPE],
            Self::Support => &[SUPPORT_SCOPE],
            Self::Public | Self::Session => &[],
        }
    }

    /// The caller, if it may call the route. `None` if the route does not check a token.
    ///
    /// # Errors
    /// A 401 if the authorizer verified no token, a 403 if the token has none of the scopes.
    pub(super) fn caller(self, request: &Request) -> Result<Option<Caller>, Problem> {
        let scopes = self.scopes();
        if scopes.is_empty() {
            return Ok(None);
        }
        let caller = Caller::of(request)?;
        let is_admitted = scopes.iter().any(|scope| caller.scopes.contain(scope));
        if is_admitted { Ok(Some(caller)) } else { Err(Problem::forbidden(scopes)) }
    }

    /// The account that the path names, if the caller may access it.
    ///
    /// # Errors
    /// A 404 for another customer's account, exactly as for one that does not exist.
    pub(super) fn account(self, caller: &Caller, named: &str) -> Result<ReachedAccount, Problem> {
        let reaches_all = match self {
            Self::Customer => caller.scopes.contain(SERVICE_SCOPE),
            Self::Service | Self::Support => true,
            Self::Public | Self::Session => false,
        };
        let account = if reaches_all || caller.subject == named { AccountId::parse(named).ok() } else { None };
        account.map(ReachedAccount).ok_or_else(|| Problem::not_found("account"))
    }
}

/// An account from a path, after a check that the caller may access it. It cannot be created in any other way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedAccount(AccountId);

impl ReachedAccount {
    pub fn id(&self) -> &AccountId {
        &self.0
    }
}
