//! One notice or more of every kind, with content as a customer gets it.

use shared::domain::alerts::AlertLevel;
use shared::domain::payments::{
    CardFace, DeclineReason, Expiry, InvoiceReminder, IssuedInvoice, PaidFor, Receipt, RefusalReason, ReturnReason,
};
use shared::domain::{
    Amount, ContactId, ContactsChange, Credits, Currency, EmailAddress, NoticeKind, PackageId, PurchaseId,
    ToldReversal, TopUpId,
};
use std::collections::BTreeSet;

/// The first of a kind is the one that docs/mails shows.
pub(super) fn samples() -> Vec<NoticeKind> {
    let (credits, balance) = (Credits::constant(5_000), Credits::constant(6_240));
    let (purchase, package) = (PurchaseId::mint(0x0193_4f2b), PackageId::parse("credits_5000").unwrap());
    let (price, top_up) = (Amount::new(Currency::USD, 5_000).unwrap(), TopUpId::mint(0x0193_4f2a));
    let receipt = Receipt {
        number: Some("ABCDEFGH-0007".into()),
        tax: 350,
        total: 5_350,
        brand: Some("visa".into()),
        last4: Some("4242".into()),
    };
    let receipt = Some(Box::new(receipt));
    let invoice = |amount_paid| {
        let due_at = "2026-12-22T09:30:00Z".parse().unwrap();
        let number = Some("ABCDEFGH-0007".into());
        Box::new(IssuedInvoice { number, total: 5_350, due_at, amount_paid, overpaid: 0 })
    };
    let reminder_of_invoice = |reminder, amount_paid| NoticeKind::InvoiceReminder {
        purchase: purchase.clone(),
        credits,
        price,
        invoice: invoice(amount_paid),
        reminder,
    };
    let card = CardFace { brand: Some("visa".into()), last4: Some("4242".into()) };
    let addresses = |names: &[&str]| names.iter().map(|name| address(name)).collect::<Vec<_>>();
    let change = ContactsChange {
        added: addresses(&["accounts.payable", "operations"]),
        removed: addresses(&["former"]),
        changed: addresses(&["finance"]),
        confirmed: addresses(&["owner"]),
    };
    let declined = DECLINES.map(|reason| NoticeKind::TopUpDeclined {
        top_up: top_up.clone(),
        credits,
        price,
        reason,
        card: if reason == DeclineReason::NoCard { CardFace::default() } else { card.clone() },
    });
    let since = "2026-11-15T13:30:00Z".parse().unwrap();
    let reminder = |reason| NoticeKind::PaymentReminder {
        top_up: top_up.clone(),
        credits,
        price,
        reason,
        since,
        card: card.clone(),
    };
    let (reminder_of_decline, reminder_to_confirm) = (reminder(Some(DeclineReason::InsufficientFunds)), reminder(None));
    let refused = REFUSALS.map(|reason| NoticeKind::TopUpRefused {
        top_up: top_up.clone(),
        credits,
        price,
        reason,
        card: card.clone(),
    });
    let reversal = |because, balance, is_paused| {
        Box::new(ToldReversal {
            paid_for: PaidFor::Purchase(purchase.clone()),
            because,
            amount: Amount::new(Currency::USD, 5_350).unwrap(),
            credits,
            balance: Credits::constant(balance),
            is_paused,
        })
    };
    let (refund, dispute) = (ReturnReason::Refund, ReturnReason::Dispute);
    let reversals = [
        NoticeKind::CreditsTakenBack(reversal(dispute, -1_240, true)),
        NoticeKind::CreditsTakenBack(reversal(refund, 1_240, false)),
        NoticeKind::CreditsTakenBack(reversal(refund, -1_240, false)),
        NoticeKind::CreditsTakenBack(reversal(dispute, 1_240, true)),
        NoticeKind::CreditsGivenBack(reversal(dispute, 3_760, false)),
        NoticeKind::CreditsGivenBack(reversal(refund, 3_760, false)),
        NoticeKind::CreditsGivenBack(reversal(refund, -40, true)),
    ];
    [
        NoticeKind::PurchasePaid {
            purchase: purchase.clone(),
            package: package.clone(),
            credits,
            price,
            balance,
            receipt: receipt.clone(),
        },
        NoticeKind::PurchaseFailed { purchase: purchase.clone(), package, credits, price },
        NoticeKind::InvoiceIssued { purchase: purchase.clone(), credits, price, invoice: invoice(0) },
        reminder_of_invoice(InvoiceReminder::Overdue, 1_000),
        reminder_of_invoice(InvoiceReminder::DueSoon, 0),
        reminder_of_invoice(InvoiceReminder::PaymentFailed, 0),
        NoticeKind::InvoiceVoided { purchase: purchase.clone(), credits, price, invoice: invoice(0) },
        NoticeKind::TopUpPaid { top_up: top_up.clone(), credits, price, balance, receipt },
        NoticeKind::TopUpPaid { top_up: top_up.clone(), credits, price, balance, receipt: None },
        reminder_of_decline,
        reminder_to_confirm,
        NoticeKind::TopUpAbandoned { top_up: top_up.clone(), credits, price, card: card.clone() },
        NoticeKind::TopUpActionRequired { top_up, credits, price, card: card.clone() },
        NoticeKind::CardExpiring { card, expiry: Expiry::new(2026, 12).unwrap() },
        NoticeKind::ContactConfirmation { contact: ContactId::mint(3) },
        NoticeKind::ContactsChanged(change),
        NoticeKind::LowBalance {
            level: AlertLevel::days_left(7).unwrap(),
            balance: Credits::constant(1_490),
            per_day: Some(241),
        },
        NoticeKind::LowBalance {
            level: AlertLevel::credits(1_500).unwrap(),
            balance: Credits::constant(1_490),
            per_day: None,
        },
    ]
    .into_iter()
    .chain(declined)
    .chain(refused)
    .chain(reversals)
    .collect()
}

const DECLINES: [DeclineReason; 8] = [
    DeclineReason::InsufficientFunds,
    DeclineReason::ExpiredCard,
    DeclineReason::IncorrectCardData,
    DeclineReason::CardNotSupported,
    DeclineReason::LimitExceeded,
    DeclineReason::ProcessingError,
    DeclineReason::NoCard,
    DeclineReason::Generic,
];

const REFUSALS: [RefusalReason; 5] = [
    RefusalReason::AboveConsent,
    RefusalReason::CustomerDeleted,
    RefusalReason::OtherCurrency,
    RefusalReason::NoTaxLocation,
    RefusalReason::OtherPrice,
];

fn address(name: &str) -> EmailAddress {
    EmailAddress::parse(format!("{name}@customer.example")).unwrap()
}

/// The kinds come from the code, so that a new one cannot be left out here.
#[test]
fn there_is_a_sample_of_every_kind() {
    let source = include_str!("../../../../shared/src/domain/notice.rs");
    let (_, after) = source.split_once("pub fn name(&self)").unwrap();
    let (body, _) = after.split_once("\n    }\n").unwrap();
    let names: BTreeSet<&str> = body.split('"').skip(1).step_by(2).collect();
    assert!(names.contains("purchase_paid"), "{names:?}");
    assert_eq!(samples().iter().map(NoticeKind::name).collect::<BTreeSet<_>>(), names);
}
