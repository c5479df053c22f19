//! Receipts: the e-mail about a payment has what its invoice says, and links to page and document.

use crate::support::TestCloud;
use jiff::SignedDuration;
use local_stripe::{Fault, FaultAction};

/// The link in the account's newest e-mail.
fn link(cloud: &TestCloud) -> String {
    let text = cloud.mails("acme").pop().and_then(|mail| mail.text).expect("an e-mail was sent");
    let start = text.find("/receipt/").unwrap_or_else(|| panic!("no link in {text}"));
    text[start..].split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_receipt_names_number_tax_total_and_card_and_leads_to_page_and_document() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "5555555555554444").await;
    let token = cloud.cloud.customer_token("acme");
    let newest = async || cloud.get("/v1/accounts/acme/invoices?limit=1", &token).await.body["data"][0].clone();
    let purchase = newest().await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let of_purchase = (cloud.mails("acme").pop().unwrap().text.unwrap(), link(&cloud), purchase);
    cloud.cloud.clock.advance(SignedDuration::from_hours(1)).unwrap();
    assert_eq!(cloud.sweep().await["paid"], 1);
    cloud.settle().await;
    let of_top_up = (cloud.mails("acme").pop().unwrap().text.unwrap(), link(&cloud), newest().await);
    assert!(of_purchase.2["invoice"] != of_top_up.2["invoice"]);
    for ((text, link, invoice), total) in [(of_purchase, "$5.00"), (of_top_up, "$45.00")] {
        let number = invoice["number"].as_str().unwrap();
        for row in [
            format!("Invoice: {number}"),
            "Tax: $0.00\u{a0}USD".into(),
            format!("Total: {total}\u{a0}USD"),
            "Paid with: Mastercard •••• 4444".into(),
        ] {
            assert!(text.lines().any(|line| line == row), "{row} in {text}");
        }
        assert!(text.contains(&format!("{link}/pdf")), "{text}");
        for (path, url) in [(link.clone(), "hosted_url"), (format!("{link}/pdf"), "pdf_url")] {
            let location = cloud.visit(&path).await.expect(302).location.unwrap();
            let before = |url: &str| url.split('?').next().map(str::to_owned);
            assert_eq!(before(&location), before(invoice[url].as_str().unwrap()), "but for its expiry");
            assert!(cloud.visit(&location).await.expect(200).text.contains(number));
        }
    }
}

#[tokio::test]
async fn a_receipts_link_is_for_one_invoice_and_works_for_ninety_days() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    let link = link(&cloud);
    cloud.visit(&format!("{link}/")).await.expect(302);
    let payment = link.replace("/receipt/", "/pay/");
    for forged in [format!("{link}x"), format!("{link}/other"), "/receipt/forged".to_owned(), payment] {
        cloud.visit(&forged).await.expect(404);
    }
    let path = "/v1/invoices/*".to_owned();
    cloud.cloud.stripe.add_fault(Fault { method: None, path, action: FaultAction::Unavailable, count: u32::MAX });
    let page = cloud.visit(&link).await.expect(503);
    assert_eq!(page.retry_after.as_deref(), Some("2"));
    cloud.cloud.stripe.clear_faults();
    cloud.cloud.clock.advance(SignedDuration::from_hours(90 * 24)).unwrap();
    cloud.visit(&link).await.expect(410);
}
