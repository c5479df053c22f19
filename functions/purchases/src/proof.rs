//! The proof of a payment of the account: from what was bought to its receipt.

use crate::Outside;
use shared::http::bodies::{ProofBody, proof_path};
use shared::http::{Problem, ReachedAccount, Reply};
use shared::use_cases::Context;
use shared::use_cases::payments::prove_payment;

/// Another account's payment is answered as one that does not exist.
pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount, payment: &str) -> Result<Reply, Problem> {
    let named = proof_path(payment).ok_or_else(|| Problem::not_found("payment"))?;
    let proven = prove_payment(context, Some(account.id()), &named).await?;
    Reply::ok(&ProofBody::of(&proven))
}
