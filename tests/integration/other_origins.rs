//! Pages of other origins have no access unless the deployment names an origin, and then only that one.

use crate::support::{Answer, TestCloud};
use reqwest::{Method, RequestBuilder};
use std::collections::BTreeMap;

const PAGE: &str = "https://app.example.com";
const DEFAULT: &str = "    Default: \"\"\n    AllowedPattern: ^(https://[^/*]+";

async fn open_to(origins: &str) -> TestCloud {
    TestCloud::start_changed(DEFAULT, &DEFAULT.replace("\"\"", &format!("\"{origins}\""))).await
}

fn preflight(cloud: &TestCloud, origin: &str) -> RequestBuilder {
    let request = cloud.request(Method::OPTIONS, "/v1/accounts/acme/charges").header("Origin", origin);
    request
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
}

fn about_origins(answer: &Answer) -> BTreeMap<&str, &str> {
    let headers = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    headers.filter(|(name, _)| name.starts_with("access-control-")).collect()
}

/// R16.
#[tokio::test]
async fn without_the_parameter_no_page_may_call() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let asked = cloud.send(preflight(&cloud, PAGE)).await.expect(404);
    assert!(about_origins(&asked).is_empty(), "{:?}", asked.headers);
    let read = cloud.request(Method::GET, "/v1/accounts/acme").bearer_auth(cloud.cloud.customer_token("acme"));
    let answer = cloud.send(read.header("Origin", PAGE)).await.expect(200);
    assert!(about_origins(&answer).is_empty(), "{:?}", answer.headers);
}

/// R16.
#[tokio::test]
async fn a_page_of_a_named_origin_may_call_and_read_what_the_product_says() {
    let cloud = open_to("https://app.example.com,https://billing.example.com").await;
    cloud.open_account("acme").await;
    for origin in [PAGE, "https://billing.example.com"] {
        let asked = cloud.send(preflight(&cloud, origin)).await.expect(204);
        let allowed = about_origins(&asked);
        assert_eq!(allowed["access-control-allow-origin"], origin);
        assert_eq!(allowed["access-control-allow-headers"], "authorization,content-type,idempotency-key");
        assert_eq!(allowed["access-control-allow-methods"], "GET,POST,PUT,DELETE");
        assert!(!allowed.contains_key("access-control-allow-credentials"));
        for (token, status) in [(cloud.cloud.customer_token("acme"), 200), ("none".to_owned(), 401)] {
            let read = cloud.request(Method::GET, "/v1/accounts/acme").bearer_auth(token).header("Origin", origin);
            let answer = cloud.send(read).await.expect(status);
            let allowed = about_origins(&answer);
            assert_eq!(allowed["access-control-allow-origin"], origin, "{status}");
            assert!(allowed["access-control-expose-headers"].contains("idempotent-replayed"));
        }
    }
    for origin in ["https://evil.example", "https://app.example.com.evil.example", "null"] {
        let asked = cloud.send(preflight(&cloud, origin)).await.expect(204);
        assert!(about_origins(&asked).is_empty(), "{origin}: {:?}", asked.headers);
        let read = cloud.request(Method::GET, "/v1/accounts/acme").bearer_auth(cloud.cloud.customer_token("acme"));
        let answer = cloud.send(read.header("Origin", origin)).await.expect(200);
        assert!(about_origins(&answer).is_empty(), "{origin}: {:?}", answer.headers);
    }
}
