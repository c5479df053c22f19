//! Who may call a route, and which account the caller thereby reaches.

use super::{Caller, Problem};
use crate::domain::AccountId;
use lambda_http::Request;

/// The scope of the company's customers: each reaches the account that its token's `sub` names.
pub const CUSTOMER_SCOPE: &str = "credits/customer";
/// The scope of the company's own services: it reaches every account.
pub const SERVICE_SCOPE: &str = "credits/service";
/// The scope of the company's support: it reaches every account, by routes of its own.
pub const SUPPORT_SCOPE: &str = "credits/support";

/// Who may call a route.
///
/// API Gateway asks the same of a token first. A test holds `template.yaml` and `openapi.yaml` to this field, and the
/// function asks again, so that a mistake in the template lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone. No token is looked at; what the request is allowed is signed into it.
    Public,
    /// A customer, for its own account, and the company's services.
    Customer,
    /// The company's services alone.
    Service,
    /// The company's support alone.
    Support,
    /// A browser that has entered the portal. No token is looked at; the portal checks its cookie.
    Session,
}

impl Access {
    /// The scopes of which a token needs one; none where no token is looked at.
    pub const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Customer => &[CUSTOMER_SCOPE, SERVICE_SCOPE],
            Self::Service => &[SERVICE_SCOPE],
            Self::Support => &[SUPPORT_SCOPE],
            Self::Public | Self::Session => &[],
        }
    }

    /// The caller, if it may call; `None` where no token is looked at.
    ///
    /// # Errors
    /// A 401 where the authorizer verified no token, a 403 where the token has none of the scopes.
    pub(super) fn caller(self, request: &Request) -> Result<Option<Caller>, Problem> {
        let scopes = self.scopes();
        if scopes.is_empty() {
            return Ok(None);
        }
        let caller = Caller::of(request)?;
        let is_admitted = scopes.iter().any(|scope| caller.scopes.contain(scope));
        if is_admitted { Ok(Some(caller)) } else { Err(Problem::forbidden(scopes)) }
    }

    /// The account that the path names, if this caller reaches it.
    ///
    /// # Errors
    /// A 404 for another's account, exactly as for one that does not exist.
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

/// The account of a path, after its caller was found to reach it. There is no other way to have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedAccount(AccountId);

impl ReachedAccount {
    pub fn id(&self) -> &AccountId {
        &self.0
    }
}
