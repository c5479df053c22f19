//! Finding the accounts that belong to what a customer can name.
//!
//! There is no `Scan` and no index for this: an id is a key, a charge has a key within its account, and everything else
//! leads through a Stripe customer to the account that the table says it pays for. So what belongs to another
//! deployment that uses the same Stripe account is never found.

use crate::domain::{Account, AccountId, CustomerId, IdempotencyKey, Origin};
use crate::ports::{Accounts, Customers, Entries, LedgerError, Paid, PaymentSearch};
use crate::use_cases::{Capabilities, Context, OutsideError};

/// What is known of the accounts that are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    Account(AccountId),
    Customer(CustomerId),
    /// A charge's key is unique only within its account.
    Charge(AccountId, IdempotencyKey),
    /// What the payment provider knows.
    Paid(Paid),
}

/// The accounts, ordered by id. Several can have the same e-mail address.
///
/// # Errors
/// [`OutsideError`].
pub async fn find_accounts<C>(context: &Context<C>, criterion: &Criterion) -> Result<Vec<Account>, OutsideError>
where
    C: Capabilities<Ledger: Accounts + Customers + Entries, Payments: PaymentSearch>,
{
    let mut ids = match criterion {
        Criterion::Account(account) => vec![account.clone()],
        Criterion::Charge(account, key) => {
            let entry = context.ledger.entry_get(account, &Origin::Charge(key.clone())).await?;
            entry.map(|_| account.clone()).into_iter().collect()
        }
        Criterion::Customer(customer) => accounts_of(context, std::slice::from_ref(customer)).await?,
        Criterion::Paid(paid) => accounts_of(context, &context.payments.customers_find(paid).await?).await?,
    };
    ids.sort();
    ids.dedup();
    let mut found = vec![];
    for id in &ids {
        found.extend(context.ledger.account_get(id).await?);
    }
    Ok(found)
}

async fn accounts_of<C: Capabilities<Ledger: Customers>>(
    context: &Context<C>,
    customers: &[CustomerId],
) -> Result<Vec<AccountId>, LedgerError> {
    let mut accounts = vec![];
    for customer in customers {
        accounts.extend(context.ledger.customer_account_get(customer).await?);
    }
    Ok(accounts)
}
