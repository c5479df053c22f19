//! Invoices as their customer is shown them: numbers, tax and documents, as Stripe says.

use super::bench::{Bench, account, email};
use shared::domain::payments::{CustomerInvoice, Invoiced, TopUpOutcome};
use shared::domain::{AccountId, InvoiceId};
use shared::ports::{CustomerInvoices, Payments, PaymentsError};
use shared::words::tax_note;

const PRICE: i64 = 4_501;

/// The invoice of a top-up with eight percent of tax, for a customer with these fields.
async fn taxed(bench: &Bench, fields: &str) -> CustomerInvoice {
    let top_up = bench.top_up_on("pm_card_visa").await;
    let payments = bench.payments_with(|settings| settings.automatic_tax = true);
    bench.post(&format!("/v1/customers/{}", top_up.customer), &format!("address[country]=DE{fields}")).await;
    assert!(matches!(payments.top_up_pay(&top_up).await, TopUpOutcome::Paid(_)));
    let page = payments.customer_invoices_page(&top_up.customer, None, 10).await.unwrap();
    assert_eq!((page.invoices.len(), page.next), (1, None));
    let invoice = page.invoices[0].clone();
    assert_eq!((&invoice.account, &invoice.of), (&account(), &Invoiced::TopUp(top_up.id)));
    let one = payments.customer_invoice_get(&top_up.customer, &invoice.id).await.unwrap().unwrap();
    assert_eq!((one.number, one.total), (invoice.number.clone(), invoice.total), "alone as in the list");
    invoice
}

#[tokio::test]
async fn an_invoice_has_its_tax_its_number_and_its_documents() {
    let bench = Bench::with_tax(800).await;
    let invoice = taxed(&bench, "").await;
    assert_eq!((invoice.before_tax, invoice.tax(), invoice.total), (PRICE, 360, PRICE + 360));
    assert_eq!((invoice.amount_paid, invoice.status.as_str()), (PRICE + 360, "paid"));
    assert_eq!(invoice.taxes[0].taxable_amount, Some(PRICE));
    assert_eq!((invoice.taxes[0].reason.as_deref(), tax_note(&invoice)), (Some("standard_rated"), None));
    assert!(invoice.number.is_some() && invoice.hosted_url.is_some() && invoice.pdf_url.is_some(), "{invoice:?}");
    assert_eq!((invoice.created_at, invoice.paid_at), (bench.now(), Some(bench.now())));
}

#[tokio::test]
async fn a_reverse_charge_and_an_exemption_are_shown_as_stripe_says() {
    for (exempt, note) in [
        ("reverse", "Reverse charge: the customer accounts for the tax."),
        ("exempt", "The customer is exempt from tax."),
    ] {
        let bench = Bench::with_tax(800).await;
        let invoice = taxed(&bench, &format!("&tax_exempt={exempt}")).await;
        assert_eq!((invoice.tax(), invoice.total), (0, PRICE));
        assert_eq!((invoice.tax_exempt.as_deref(), tax_note(&invoice)), (Some(exempt), Some(note)));
    }
}

#[tokio::test]
async fn drafts_and_what_the_company_billed_otherwise_are_left_out_of_every_page() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let top_up = bench.top_up_on("pm_card_visa").await;
    let customer = top_up.customer.clone();
    assert!(matches!(payments.top_up_pay(&top_up).await, TopUpOutcome::Paid(_)));
    let ours = payments.customer_invoices_page(&customer, None, 1).await.unwrap().invoices[0].id.clone();
    let other = bench.post("/v1/invoices", &format!("customer={customer}")).await;
    let other = InvoiceId::parse(other["id"].as_str().unwrap()).unwrap();
    let first = payments.customer_invoices_page(&customer, None, 1).await.unwrap();
    assert_eq!((first.invoices, first.next.as_ref()), (vec![], Some(&other)), "a draft, and more follow");
    let second = payments.customer_invoices_page(&customer, Some(&other), 1).await.unwrap();
    assert_eq!((second.invoices[0].id.clone(), second.next), (ours.clone(), None));
    assert_eq!(payments.customer_invoice_get(&customer, &other).await.unwrap(), None);

    let other_account = AccountId::parse("globex").unwrap();
    let stranger = payments.customer_create(&other_account, &email("ada@example.org")).await.unwrap();
    assert_eq!(payments.customer_invoice_get(&stranger, &ours).await.unwrap(), None, "of another customer");
    let nothing = InvoiceId::parse("in_none").unwrap();
    assert_eq!(payments.customer_invoice_get(&customer, &nothing).await.unwrap(), None);
    let page = payments.customer_invoices_page(&customer, Some(&nothing), 1).await;
    assert!(matches!(page, Err(PaymentsError::NotFound { .. })), "{page:?}");
}
