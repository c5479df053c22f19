//! The proof of any payment: from what was bought to its receipt.

use crate::Outside;
use shared::http::bodies::{ProofBody, proof_path};
use shared::http::{Problem, Reply};
use shared::use_cases::Context;
use shared::use_cases::payments::prove_payment;

pub async fn get<O: Outside>(context: &Context<O>, payment: &str) -> Result<Reply, Problem> {
    let named = proof_path(payment).ok_or_else(|| Problem::not_found("payment"))?;
    let proven = prove_payment(context, None, &named).await?;
    Reply::ok(&ProofBody::of(&proven))
}
