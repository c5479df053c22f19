//! Searches: <https://docs.stripe.com/search>.

use jiff::SignedDuration;
use serde_json::Value;

use crate::support::{Bench, id, ids_of};

/// Longer than Stripe's index usually lags.
const CAUGHT_UP: SignedDuration = SignedDuration::from_secs(61);

#[tokio::test]
async fn every_page_of_a_search_is_reached_by_its_next_page_and_nothing_else() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let form = [("customer", customer.as_str()), ("metadata[order]", "1")];
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(id(&bench.post("/v1/invoices", &form).await.ok()));
    }
    made.reverse();
    bench.pass(CAUGHT_UP);
    let query = [("query", "metadata[\"order\"]:\"1\""), ("limit", "2")];
    let mut found = Vec::new();
    let mut page = bench.get("/v1/invoices/search", &query).await.ok();
    loop {
        found.extend(ids_of(&page));
        assert_eq!(page["has_more"], found.len() < made.len());
        let Some(next) = page["next_page"].as_str() else { break };
        let next = [query.as_slice(), &[("page", next)]].concat();
        page = bench.get("/v1/invoices/search", &next).await.ok();
    }
    assert_eq!(found, made);
    let unknown = [query.as_slice(), &[("page", "2")]].concat();
    assert_eq!(bench.get("/v1/invoices/search", &unknown).await.refused(400)["param"], "page");
}

#[tokio::test]
async fn a_customer_is_found_by_address_and_metadata_until_it_is_deleted() {
    let bench = Bench::new();
    let form = [("email", "search@buyer.example"), ("metadata[account]", "a-1")];
    let customer = id(&bench.post("/v1/customers", &form).await.ok());
    bench.customer().await;
    let search = async |query: &str| -> Value { bench.get("/v1/customers/search", &[("query", query)]).await.ok() };
    let clauses = ["email:\"search@buyer.example\"", "metadata[\"account\"]:\"a-1\""];
    assert_eq!(search(clauses[0]).await["data"], serde_json::json!([]), "the index lags");
    bench.pass(CAUGHT_UP);
    for clause in clauses {
        assert_eq!(ids_of(&search(clause).await), [customer.as_str()], "{clause}");
    }
    bench.delete(&format!("/v1/customers/{customer}")).await.ok();
    for clause in clauses {
        assert_eq!(search(clause).await["data"], serde_json::json!([]), "{clause}");
    }
}
