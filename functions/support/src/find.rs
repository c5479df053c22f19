//! Finding accounts by what a customer can name.

use crate::Outside;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::{
    Account, AccountId, CardPaymentId, CustomerId, EmailAddress, IdempotencyKey, InvoiceId, InvoiceNumber,
    PaymentIntentId, PurchaseId, TopUpId,
};
use shared::http::{Parameters, Problem, Reply, parse_query, time};
use shared::ports::Paid;
use shared::use_cases::Context;
use shared::use_cases::support::{Criterion, find_accounts};

const CRITERIA: &str = "account, email, customer, charge, purchase, top_up, invoice or payment";

/// The accounts that match exactly one criterion.
pub async fn get<O: Outside>(context: &Context<O>, request: &Request) -> Result<Reply, Problem> {
    let criterion = parse_query(request, criterion)?;
    // The query was refused if it has no criterion.
    let found = match &criterion {
        Some(criterion) => find_accounts(context, criterion).await?,
        None => vec![],
    };
    Reply::ok(&FoundBody { data: found.iter().map(SummaryBody::of).collect() })
}

fn criterion(query: &mut Parameters) -> Option<Criterion> {
    let account = query.optional("account", "1 to 64 characters of A-Z a-z 0-9 _ -", ok(AccountId::parse));
    let charge = query.optional("charge", "a charge's id", ok(IdempotencyKey::parse));
    let of_charge = match (charge, &account) {
        (Some(charge), Some(account)) => Some(Criterion::Charge(account.clone(), charge)),
        (Some(_), None) => {
            query.refuse("charge", "must be sent with account: a charge's id is unique within its account alone");
            return None;
        }
        (None, _) => None,
    };
    let of_account = match of_charge {
        Some(of_charge) => Some(of_charge),
        None => account.map(Criterion::Account),
    };
    let paid = [
        query.optional("email", "an e-mail address", ok(EmailAddress::parse)).map(Paid::Email),
        query.optional("purchase", "a purchase's id: pur_…", ok(PurchaseId::parse)).map(Paid::Purchase),
        query.optional("top_up", "an attempt's id: top_…", ok(TopUpId::parse)).map(Paid::TopUp),
        query.optional("invoice", "an invoice of Stripe's: in_…, or its number", invoice),
        query.optional("payment", "a payment of Stripe's: pi_…, ch_… or py_…", payment),
    ];
    let customer = query.optional("customer", "a customer of Stripe's: cus_…", customer).map(Criterion::Customer);
    let given = of_account.into_iter().chain(customer).chain(paid.into_iter().flatten().map(Criterion::Paid));
    let mut given: Vec<Criterion> = given.collect();
    if given.len() > 1 {
        query.refuse("account", format!("must be the only criterion: send exactly one of {CRITERIA}"));
    }
    if given.is_empty() && query.is_valid() {
        query.refuse("account", format!("is required, or another criterion: send exactly one of {CRITERIA}"));
    }
    given.pop()
}

fn ok<T, E>(parse: impl FnOnce(String) -> Result<T, E>) -> impl FnOnce(String) -> Option<T> {
    |text| parse(text).ok()
}

fn customer(text: String) -> Option<CustomerId> {
    CustomerId::parse(text).ok().filter(|customer| customer.as_str().starts_with("cus_"))
}

fn invoice(text: String) -> Option<Paid> {
    if text.starts_with("in_") {
        InvoiceId::parse(text).ok().map(Paid::Invoice)
    } else {
        InvoiceNumber::parse(text).ok().map(Paid::InvoiceNumber)
    }
}

/// Stripe's charges of bank debits begin with `py_`.
fn payment(text: String) -> Option<Paid> {
    if text.starts_with("pi_") {
        return PaymentIntentId::parse(text).ok().map(Paid::Payment);
    }
    let is_card_payment = text.starts_with("ch_") || text.starts_with("py_");
    is_card_payment.then(|| CardPaymentId::parse(text).ok()).flatten().map(Paid::CardPayment)
}

#[derive(Serialize)]
struct FoundBody<'a> {
    data: Vec<SummaryBody<'a>>,
}

#[derive(Serialize)]
struct SummaryBody<'a> {
    account: &'a str,
    email: Option<&'a str>,
    customer: &'a str,
    balance: i64,
    created_at: String,
}

impl<'a> SummaryBody<'a> {
    fn of(account: &'a Account) -> Self {
        Self {
            account: account.id.as_str(),
            email: account.email.as_ref().map(|email| email.as_str()),
            customer: account.customer.as_str(),
            balance: account.balance.get(),
            created_at: time(account.created_at),
        }
    }
}
