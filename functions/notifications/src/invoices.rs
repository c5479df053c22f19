//! The content of the e-mails about a purchase that is paid by invoice.

use crate::parts::{Action, Content, Fact, Link, Sale, account, date, fact};
use shared::domain::payments::{InvoiceReminder, IssuedInvoice};
use shared::domain::{Notice, PurchaseId};
use shared::words::{credits as count, date as day, date_and_time};

const BY_TRANSFER: &str = "You can pay on the invoice's page, or by bank transfer where the page shows the details for it. A \
                           transfer may take several days to arrive.";

pub(super) fn issued(
    notice: &Notice,
    links: &(Link, String),
    sale: Sale,
    (id, invoice): (&PurchaseId, &IssuedInvoice),
) -> Content {
    let (credits, amount, due) = (count(sale.credits), amount(sale, invoice.total), day(invoice.due_at));
    Content {
        subject: format!("Invoice{} for {credits}: {amount}, due on {due}", numbered(invoice)),
        heading: "Your invoice".into(),
        paragraphs: vec![
            format!("This is the invoice for your purchase of {credits}. Please pay {amount} by {due}."),
            BY_TRANSFER.into(),
        ],
        action: Some(see(links)),
        facts: facts(notice, sale, (id, invoice)),
        closing: "We add the credits as soon as the whole amount has arrived.".into(),
    }
}

pub(super) fn reminder(
    notice: &Notice,
    links: &(Link, String),
    (sale, reminder): (Sale, InvoiceReminder),
    (id, invoice): (&PurchaseId, &IssuedInvoice),
) -> Content {
    let (credits, rest, due) = (count(sale.credits), amount(sale, invoice.remaining()), day(invoice.due_at));
    let number = numbered(invoice);
    let (subject, heading, first) = match reminder {
        InvoiceReminder::DueSoon => (
            format!("Reminder: invoice{number} of {rest} is due on {due}"),
            "Your invoice is due soon",
            format!("Your invoice{number} for {credits} is due on {due}, and {rest} of it is unpaid."),
        ),
        InvoiceReminder::Overdue => (
            format!("Overdue: invoice{number} of {rest} was due on {due}"),
            "Your invoice is overdue",
            format!("Your invoice{number} for {credits} was due on {due}, and {rest} of it is unpaid."),
        ),
        InvoiceReminder::PaymentFailed => (
            format!("Your payment of invoice{number} failed"),
            "Your payment failed",
            format!(
                "Your bank did not make the payment of invoice{number} for {credits}. {rest} of it is unpaid, and it is \
                 due on {due}."
            ),
        ),
    };
    Content {
        subject,
        heading: heading.into(),
        paragraphs: vec![
            first,
            BY_TRANSFER.into(),
            "If you paid in the last days, there is nothing to do: the payment may still be on its way.".into(),
        ],
        action: Some(see(links)),
        facts: facts(notice, sale, (id, invoice)),
        closing: format!(
            "We add the credits as soon as the whole amount has arrived. If it has not arrived on {}, we void the invoice.",
            day(invoice.voided_at())
        ),
    }
}

pub(super) fn voided(notice: &Notice, sale: Sale, (id, invoice): (&PurchaseId, &IssuedInvoice)) -> Content {
    let (credits, number) = (count(sale.credits), numbered(invoice));
    Content {
        subject: format!("We voided your unpaid invoice{number}"),
        heading: "We voided an unpaid invoice".into(),
        paragraphs: vec![
            format!(
                "Invoice{number} for your purchase of {credits} was not paid, and we voided it. You owe nothing for it, \
                 and no credits were added."
            ),
            "Please do not pay it any more. If a bank transfer is on its way, write to us: the money is kept for you, and \
             we use it for a new purchase or send it back."
                .into(),
        ],
        action: None,
        facts: facts(notice, sale, (id, invoice)),
        closing: "You can buy credits at any time.".into(),
    }
}

/// ` ABCDEFGH-0007`, or nothing.
fn numbered(invoice: &IssuedInvoice) -> String {
    invoice.number.as_ref().map(|number| format!(" {number}")).unwrap_or_default()
}

fn amount(sale: Sale, minor: i64) -> String {
    sale.price.currency().format(minor)
}

/// Whoever pays for the company needs the link alone.
fn see((page, pdf_url): &(Link, String)) -> Action {
    let (url, until) = (page.url.clone(), date_and_time(page.expires_at));
    let note = format!(
        "This opens our payment provider's secure page. You can hand the link on to the person who pays for your company. Both \
         links work until {until}."
    );
    Action { label: "See and pay the invoice", url, pdf_url: Some(pdf_url.clone()), note }
}

fn facts(notice: &Notice, sale: Sale, (id, invoice): (&PurchaseId, &IssuedInvoice)) -> Vec<Fact> {
    let money = |name, minor| fact(name, sale.price.currency().format_with_code(minor));
    let number = invoice.number.clone().map(|number| fact("Invoice", number));
    let paid = (invoice.amount_paid > 0)
        .then(|| [money("Paid so far", invoice.amount_paid), money("Left to pay", invoice.remaining())]);
    [account(notice)]
        .into_iter()
        .chain(number)
        .chain([fact("Credits", sale.credits.grouped()), fact("Price, before tax", sale.price.with_code())])
        .chain([money("Amount due", invoice.total), fact("Due on", day(invoice.due_at))])
        .chain(paid.into_iter().flatten())
        .chain([date(notice), fact("Purchase", id.to_string())])
        .collect()
}
