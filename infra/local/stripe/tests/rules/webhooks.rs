//! Webhooks: signatures, retries, misbehavior. <https://docs.stripe.com/webhooks>

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use local_stripe::{WebhookConduct, WebhookTarget, webhook_signature};
use serde_json::Value;

use crate::support::{Bench, id};

const SECRET: &str = "whsec_local";

#[derive(Default)]
struct Inbox {
    arrived: Mutex<Vec<(String, Value)>>,
    /// The statuses of the next answers, followed by 200.
    statuses: Mutex<Vec<u16>>,
}

impl Inbox {
    fn kinds(&self) -> Vec<String> {
        self.arrived.lock().unwrap().iter().map(|(_, event)| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

/// An endpoint in this process that checks every signature against the raw body.
fn inbox(bench: &Bench, enabled_events: &[&str]) -> Arc<Inbox> {
    let inbox = Arc::new(Inbox::default());
    let shared = Arc::clone(&inbox);
    let target = WebhookTarget::Callback(Arc::new(move |headers, body| {
        let inbox = Arc::clone(&shared);
        Box::pin(async move {
            let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
            let signed_at: i64 = signature.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap();
            assert_eq!(signature, webhook_signature(SECRET, signed_at, &body));
            assert!(body.starts_with(b"{\n  \""), "the body is pretty-printed");
            inbox.arrived.lock().unwrap().push((signature, serde_json::from_slice(&body).unwrap()));
            inbox.statuses.lock().unwrap().pop().unwrap_or(200)
        })
    }));
    bench.stripe.add_webhook_endpoint(target, SECRET, enabled_events);
    inbox
}

#[tokio::test]
async fn events_arrive_signed_in_order_and_once() {
    let bench = Bench::new();
    let inbox = inbox(&bench, &["*"]);
    let customer = bench.customer().await;
    assert!(inbox.kinds().is_empty(), "nothing is delivered before the test asks for it");
    bench.post(&format!("/v1/customers/{customer}"), &[("name", "Jo")]).await.ok();
    assert_eq!(bench.stripe.deliver_due().await, 2);
    assert_eq!(inbox.kinds(), ["customer.created", "customer.updated"]);
    assert_eq!(bench.stripe.deliver_due().await, 0);
    let arrived = inbox.arrived.lock().unwrap();
    let (signature, event) = &arrived[1];
    assert!(signature.starts_with(&format!("t={},v1=", bench.now().as_second())));
    assert_eq!(event["api_version"], "2026-09-30.endive");
    assert_eq!(event["data"]["previous_attributes"], serde_json::json!({ "name": null }));
}

/// The vector was computed with `printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_local`.
#[test]
fn the_signature_is_the_documented_hmac() {
    let expected = "t=1700000000,v1=45d9c5a2fd310ffd803628dbea431926fecc4dd5ea85e5cb7f433f3fedbeb993";
    assert_eq!(webhook_signature(SECRET, 1_700_000_000, b"{}"), expected);
}

#[tokio::test]
async fn an_endpoint_gets_only_the_types_it_asked_for() {
    let bench = Bench::new();
    let inbox = inbox(&bench, &["invoice.paid", "charge.*"]);
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.ok();
    bench.stripe.deliver_due().await;
    assert_eq!(inbox.kinds(), ["charge.succeeded", "invoice.paid"]);
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_later_and_listed_as_undelivered() {
    let bench = Bench::new();
    let inbox = inbox(&bench, &["*"]);
    *inbox.statuses.lock().unwrap() = vec![302, 500];
    bench.customer().await;
    assert_eq!(bench.stripe.deliver_due().await, 1);
    let undelivered = bench.get("/v1/events", &[("delivery_success", "false")]).await.ok();
    assert_eq!(undelivered["data"][0]["type"], "customer.created");
    assert_eq!(undelivered["data"][0]["pending_webhooks"], 1);
    assert_eq!(bench.stripe.deliver_due().await, 0);
    bench.pass(SignedDuration::from_mins(1));
    assert_eq!(bench.stripe.deliver_due().await, 1);
    bench.pass(SignedDuration::from_mins(4));
    assert_eq!(bench.stripe.deliver_due().await, 0);
    bench.pass(SignedDuration::from_mins(1));
    assert_eq!(bench.stripe.deliver_due().await, 1);
    assert_eq!(inbox.kinds().len(), 3);
    assert!(
        bench.get("/v1/events", &[("delivery_success", "false")]).await.ok()["data"].as_array().unwrap().is_empty()
    );
    assert_eq!(
        bench.get("/v1/events", &[("delivery_success", "true")]).await.ok()["data"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn after_three_days_a_delivery_is_given_up() {
    let bench = Bench::new();
    let inbox = inbox(&bench, &["*"]);
    *inbox.statuses.lock().unwrap() = vec![500; 100];
    bench.customer().await;
    let began = bench.now();
    bench.stripe.deliver_due().await;
    let mut last = began;
    while let Some(due_at) = bench.stripe.next_delivery_at() {
        bench.pass(due_at.duration_since(bench.now()));
        bench.stripe.deliver_due().await;
        last = due_at;
    }
    let days = last.duration_since(began).as_hours();
    assert!((60..=72).contains(&days), "{days} hours");
    assert_eq!(
        bench.get("/v1/events", &[("delivery_success", "false")]).await.ok()["data"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn deliveries_are_doubled_shuffled_delayed_dropped_and_stale_on_demand() {
    let bench = Bench::new();
    let inbox = inbox(&bench, &["*"]);
    let conduct = WebhookConduct { duplicate: true, reorder: true, ..WebhookConduct::default() };
    bench.stripe.set_webhook_conduct(conduct);
    let customer = bench.customer().await;
    bench.post(&format!("/v1/customers/{customer}"), &[("name", "Jo")]).await.ok();
    bench.stripe.deliver_due().await;
    assert_eq!(inbox.kinds(), ["customer.updated", "customer.updated", "customer.created", "customer.created"]);

    inbox.arrived.lock().unwrap().clear();
    bench.stripe.set_webhook_conduct(WebhookConduct { delay_seconds: 90, ..WebhookConduct::default() });
    bench.customer().await;
    bench.pass(SignedDuration::from_secs(89));
    assert_eq!(bench.stripe.deliver_due().await, 0);
    bench.pass(SignedDuration::from_secs(1));
    assert_eq!(bench.stripe.deliver_due().await, 1);

    inbox.arrived.lock().unwrap().clear();
    bench.stripe.set_webhook_conduct(WebhookConduct { drop_next: 1, stale: true, ..WebhookConduct::default() });
    let dropped = bench.customer().await;
    let kept = bench.customer().await;
    bench.stripe.deliver_due().await;
    let arrived = inbox.arrived.lock().unwrap().clone();
    assert_eq!(arrived.len(), 1);
    assert_eq!(id(&arrived[0].1["data"]["object"]), kept);
    let stale_at = bench.now().as_second() - 600;
    assert!(arrived[0].0.starts_with(&format!("t={stale_at},")));
    let undelivered = bench.get("/v1/events", &[("delivery_success", "false")]).await.ok();
    assert_eq!(undelivered["data"][0]["data"]["object"]["id"], dropped.as_str());
}

#[tokio::test]
async fn by_chance_so_many_deliveries_are_dropped_and_the_others_come_in_any_order() {
    let bench = Bench::new();
    let inbox = inbox(&bench, &["*"]);
    let conduct = WebhookConduct { shuffle: true, drop_percent: 20, ..WebhookConduct::default() };
    bench.stripe.set_webhook_conduct(conduct);
    let mut created = vec![];
    for _ in 0..100 {
        created.push(bench.customer().await);
    }
    bench.stripe.deliver_due().await;
    let arrived = inbox.arrived.lock().unwrap().clone();
    let arrived: Vec<String> = arrived.iter().map(|(_, event)| id(&event["data"]["object"])).collect();
    assert!((65..92).contains(&arrived.len()), "{} arrived", arrived.len());
    created.retain(|customer| arrived.contains(customer));
    assert_ne!(arrived, created, "in another order");
}

#[tokio::test]
async fn an_event_keeps_the_object_as_it_was() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    bench.post(&format!("/v1/customers/{customer}"), &[("name", "Jo")]).await.ok();
    let events = bench.get("/v1/events", &[("type", "customer.created")]).await.ok();
    assert_eq!(events["data"][0]["data"]["object"]["name"], Value::Null);
}

#[tokio::test]
async fn events_reach_back_thirty_days() {
    let bench = Bench::new();
    bench.customer().await;
    let event = id(&bench.get("/v1/events", &[]).await.ok()["data"][0]);
    bench.pass(SignedDuration::from_hours(31 * 24));
    assert!(bench.get("/v1/events", &[]).await.ok()["data"].as_array().unwrap().is_empty());
    bench.get(&format!("/v1/events/{event}"), &[]).await.refused(404);
}

#[tokio::test]
async fn an_endpoint_registered_by_request_is_posted_to_over_http() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bench = Bench::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let form = [("url", url.as_str()), ("enabled_events[]", "customer.created")];
    let endpoint = bench.post("/v1/webhook_endpoints", &form).await.ok();
    assert!(endpoint["secret"].as_str().unwrap().starts_with("whsec_"));
    let shown = bench.get(&format!("/v1/webhook_endpoints/{}", id(&endpoint)), &[]).await.ok();
    assert!(shown.get("secret").is_none());
    bench.customer().await;
    let receive = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = vec![0; 65_536];
        let count = stream.read(&mut received).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&received[..count]).into_owned()
    };
    let (delivered, received) = tokio::join!(bench.stripe.deliver_due(), receive);
    assert_eq!(delivered, 1);
    assert!(received.starts_with("POST /hook HTTP/1.1"));
    assert!(received.contains("stripe-signature: t="));
    assert!(
        bench.get("/v1/events", &[("delivery_success", "false")]).await.ok()["data"].as_array().unwrap().is_empty()
    );
}

#[tokio::test]
async fn a_background_task_delivers_by_itself() {
    let bench = Bench::new();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let target = WebhookTarget::Callback(Arc::new(move |_, body| {
        let sender = sender.clone();
        Box::pin(async move {
            let event: Value = serde_json::from_slice(&body).unwrap();
            sender.send(event["type"].as_str().unwrap().to_owned()).unwrap();
            200
        })
    }));
    bench.stripe.add_webhook_endpoint(target, SECRET, &["*"]);
    let stripe = bench.stripe.clone();
    let task = tokio::spawn(async move { stripe.deliver_forever().await });
    bench.customer().await;
    assert_eq!(receiver.recv().await.unwrap(), "customer.created");
    task.abort();
}
