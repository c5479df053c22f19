use super::samples::samples;
use super::*;
use crate::parts::{Action, Fact};
use shared::domain::account::decide_open_account;
use shared::domain::alerts::AlertLevel;
use shared::domain::payments::{CardFace, DeclineReason, Expiry, Invoiced, PaymentIssueKind, Receipt};
use shared::domain::{
    AccountId, Amount, ContactId, ContactsChange, Credits, Currency, CustomerId, EmailAddress, NoticeId, NoticeKind,
    PackageId, PurchaseId, Salt, TopUpId,
};
use shared::words::payment_issue;
use std::collections::BTreeSet;

const REASONS: [DeclineReason; 8] = [
    DeclineReason::InsufficientFunds,
    DeclineReason::ExpiredCard,
    DeclineReason::IncorrectCardData,
    DeclineReason::CardNotSupported,
    DeclineReason::LimitExceeded,
    DeclineReason::ProcessingError,
    DeclineReason::NoCard,
    DeclineReason::Generic,
];

fn credits() -> Credits {
    Credits::constant(4_501)
}

fn price() -> Amount {
    Amount::new(Currency::USD, 4_501).unwrap()
}

fn top_up() -> TopUpId {
    TopUpId::mint(0x0193_4f2a)
}

fn card() -> CardFace {
    CardFace { brand: Some("visa".into()), last4: Some("4242".into()) }
}

fn purchase_paid() -> NoticeKind {
    let (purchase, package) = (PurchaseId::mint(0x0193_4f2b), PackageId::parse("credits_5000").unwrap());
    NoticeKind::PurchasePaid {
        purchase,
        package,
        credits: credits(),
        price: price(),
        balance: Credits::constant(12_345),
        receipt: Some(document().into()),
    }
}

fn purchase_failed() -> NoticeKind {
    let (purchase, package) = (PurchaseId::mint(0x0193_4f2b), PackageId::parse("credits_5000").unwrap());
    NoticeKind::PurchaseFailed { purchase, package, credits: credits(), price: price() }
}

fn top_up_paid() -> NoticeKind {
    let balance = Credits::constant(-1_234);
    NoticeKind::TopUpPaid {
        top_up: top_up(),
        credits: credits(),
        price: price(),
        balance,
        receipt: Some(document().into()),
    }
}

fn document() -> Receipt {
    Receipt {
        number: Some("ABCDEFGH-0007".into()),
        tax: 315,
        total: 4_816,
        brand: Some("visa".into()),
        last4: Some("4242".into()),
    }
}

fn declined(reason: DeclineReason) -> NoticeKind {
    NoticeKind::TopUpDeclined { top_up: top_up(), credits: credits(), price: price(), reason, card: card() }
}

fn action_required() -> NoticeKind {
    NoticeKind::TopUpActionRequired { top_up: top_up(), credits: credits(), price: price(), card: card() }
}

fn unpaid() -> Vec<NoticeKind> {
    REASONS.map(declined).into_iter().chain([action_required()]).collect()
}

fn reminder(reason: Option<DeclineReason>) -> NoticeKind {
    let since = "2026-11-15T13:30:00Z".parse().unwrap();
    NoticeKind::PaymentReminder { top_up: top_up(), credits: credits(), price: price(), reason, since, card: card() }
}

fn reminders() -> Vec<NoticeKind> {
    REASONS.map(Some).into_iter().chain([None]).map(reminder).collect()
}

fn abandoned() -> NoticeKind {
    NoticeKind::TopUpAbandoned { top_up: top_up(), credits: credits(), price: price(), card: card() }
}

fn every_kind() -> Vec<NoticeKind> {
    let others = [purchase_paid(), purchase_failed(), top_up_paid(), abandoned()];
    others.into_iter().chain(unpaid()).chain(reminders()).collect()
}

fn now() -> Timestamp {
    "2026-11-22T13:50:00Z".parse().unwrap()
}

fn links() -> LinkKey {
    LinkKey::new([7; 32]).unwrap()
}

fn notice(kind: NoticeKind) -> Notice {
    let (id, email) = (AccountId::parse("customer_42").unwrap(), EmailAddress::parse("ada@example.com").unwrap());
    let customer = CustomerId::parse("cus_1").unwrap();
    let account = decide_open_account(id, email, customer, Salt::of(7), now()).account;
    account.owed(NoticeId::mint(1), kind, "2026-11-22T13:49:58Z".parse().unwrap()).unwrap()
}

pub(super) fn mail(kind: NoticeKind) -> Email {
    let key = links();
    let links = Links { key: &key, public_url: "https://credits.example.com", now: now() };
    let notice = notice(kind);
    render(&notice, notice.to.clone(), links).unwrap()
}

/// The text of a page, as a reader sees it.
pub(super) fn visible(html: &str) -> String {
    let (_, body) = html.split_once("<body").unwrap();
    let mut text = String::new();
    for piece in body.split('<') {
        text.push_str(piece.split_once('>').map_or("", |(_, words)| words));
        text.push(' ');
    }
    text.replace("&#39;", "'").replace("&amp;", "&").split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_mail_names_the_account_the_amount_and_what_it_is_about_in_both_forms() {
    for kind in every_kind() {
        let mail = mail(kind.clone());
        assert_eq!(mail.to.as_str(), "ada@example.com");
        for text in [&mail.text, &visible(&mail.html)] {
            for fact in
                ["customer_42", "$45.01", "4,501", "before tax", "22 November 2026, 13:49 UTC", "credit balance"]
            {
                let is_expected = fact != "credit balance" || matches!(kind, NoticeKind::PurchasePaid { .. });
                assert!(text.contains(fact) || !is_expected, "{fact} in {text}");
            }
            let is_purchase = matches!(kind, NoticeKind::PurchasePaid { .. } | NoticeKind::PurchaseFailed { .. });
            let id = if is_purchase { "pur_" } else { "top_" };
            assert!(text.contains(&format!("{id}00000000000000000000000001934f2")), "{text}");
        }
        assert!(mail.subject.contains("$45.01") && !mail.subject.contains(char::is_control), "{}", mail.subject);
        assert!(mail.subject.len() <= 78, "{} fits a line", mail.subject);
    }
}

/// A notice of an earlier release knows nothing of its invoice, and still links to it.
#[test]
fn a_receipt_has_the_number_the_tax_the_total_and_the_card_and_links_to_page_and_document() {
    for kind in [purchase_paid(), top_up_paid()] {
        let mail = mail(kind.clone());
        for text in [without_colons(&mail.text), without_colons(&visible(&mail.html))] {
            for row in
                ["Invoice ABCDEFGH-0007", "Tax $3.15\u{a0}USD", "Total $48.16\u{a0}USD", "Paid with Visa •••• 4242"]
            {
                assert!(text.contains(row), "{row} in {text}");
            }
        }
        let url = mail.text.split_whitespace().find(|word| word.contains("/receipt/")).unwrap();
        assert!(mail.text.contains(&format!("{url}/pdf")), "{}", mail.text);
        assert!(mail.html.contains(&format!("href=\"{url}/pdf\"")), "{}", mail.html);
        let token = url.rsplit('/').next().unwrap();
        let (account, paid) = links().verify_receipt(token, now()).unwrap();
        let id = match kind {
            NoticeKind::PurchasePaid { purchase, .. } => purchase.to_string(),
            _ => top_up().to_string(),
        };
        assert_eq!((account.as_str(), paid.id()), ("customer_42", id.as_str()));
    }
    let NoticeKind::TopUpPaid { top_up, credits, price, balance, .. } = top_up_paid() else { panic!() };
    let older = mail(NoticeKind::TopUpPaid { top_up, credits, price, balance, receipt: None });
    assert!(older.text.contains("/receipt/") && !older.text.contains("Total"), "{}", older.text);
}

/// The table carries the code, and a no-break space keeps it beside its number in both forms.
#[test]
fn amounts_are_written_in_their_currency_with_its_code_in_the_table() {
    for (code, minor, subject, row) in [
        ("USD", 4_501, "$45.01", "$45.01\u{a0}USD"),
        ("JPY", 4_501, "¥4,501", "¥4,501\u{a0}JPY"),
        ("KWD", 4_510, "KWD\u{a0}4.510", "KWD\u{a0}4.510"),
        ("ISK", 450_100, "ISK\u{a0}4,501", "ISK\u{a0}4,501"),
    ] {
        let price = Amount::new(Currency::parse(code).unwrap(), minor).unwrap();
        let balance = Credits::ZERO;
        let paid = NoticeKind::TopUpPaid { top_up: top_up(), credits: credits(), price, balance, receipt: None };
        let (reason, credits) = (DeclineReason::ExpiredCard, credits());
        let declined = NoticeKind::TopUpDeclined { top_up: top_up(), credits, price, reason, card: card() };
        for (kind, name) in [(paid, "Paid, before tax"), (declined, "To pay, before tax")] {
            let mail = mail(kind);
            assert!(mail.subject.ends_with(subject), "{}", mail.subject);
            assert!(mail.text.lines().any(|line| line == format!("{name}: {row}")), "{}", mail.text);
            assert!(visible(&mail.html).contains(&format!("{name} {row} ")), "{}", mail.html);
        }
    }
}

/// The text form separates names with a colon; the page separates them by layout.
fn without_colons(text: &str) -> String {
    text.replace(':', "")
}

#[test]
fn receipts_name_the_new_balance_and_ask_for_nothing() {
    for (kind, balance) in
        [(purchase_paid(), "New balance: 12,345 credits"), (top_up_paid(), "New balance: -1,234 credits")]
    {
        let mail = mail(kind);
        assert!(mail.subject.starts_with("Receipt for"), "{}", mail.subject);
        assert!(mail.text.contains(balance), "{}", mail.text);
        for form in [&mail.text, &mail.html] {
            for wrong in ["/pay/", "Nothing was charged", "are paused", "Action needed"] {
                assert!(!form.contains(wrong), "{wrong} in {form}");
            }
        }
    }
    assert!(mail(top_up_paid()).text.contains("they are active again"));
    assert!(!mail(purchase_paid()).text.contains("pause"), "a purchase does not end a pause");
}

/// R7: a customer who left the page believing that the payment was done learns that it was not, and what to do.
#[test]
fn a_purchase_that_failed_says_that_nothing_was_charged_and_how_to_buy_again() {
    let mail = mail(purchase_failed());
    for form in [&mail.text, &visible(&mail.html)] {
        for words in ["Nothing was charged", "buy them again on your billing page"] {
            assert!(form.contains(words), "{words} in {form}");
        }
        for wrong in ["/pay/", "pause", "top-up"] {
            assert!(!form.contains(wrong), "{wrong} in {form}");
        }
    }
}

#[test]
fn what_was_not_paid_says_so_says_what_is_paused_and_what_ends_the_pause() {
    for kind in unpaid() {
        let mail = mail(kind);
        assert!(mail.subject.starts_with("Action needed:"), "{}", mail.subject);
        for text in [&mail.text, &visible(&mail.html)] {
            for said in [
                "Nothing was charged, and no credits were added.",
                "Automatic top-ups are paused, and we will not",
                "we add the credits and automatic top-ups continue.",
                "works until 6 December 2026, 13:50 UTC",
            ] {
                assert!(text.contains(said), "{said} in {text}");
            }
            assert!(!text.contains("Receipt") && !text.contains("New balance"), "{text}");
        }
    }
}

#[test]
fn a_reminder_says_since_when_and_why_and_when_the_invoice_is_voided() {
    for kind in reminders() {
        let NoticeKind::PaymentReminder { reason, .. } = kind else { panic!("{kind:?}") };
        let words = payment_issue(reason.map_or(PaymentIssueKind::ActionRequired, PaymentIssueKind::Declined));
        let mail = mail(kind);
        for text in [&mail.text, &visible(&mail.html)] {
            for said in [
                words.reason,
                words.remedy,
                "has been open since 15 November 2026, 13:30 UTC",
                "Nothing was charged, and no credits were added.",
                "we add the credits and the pause ends",
                "still open on 15 December 2026, 13:30 UTC, we void the invoice",
            ] {
                assert!(text.contains(said), "{said} in {text}");
            }
        }
        assert!(mail.text.contains("Confirm the payment") != reason.is_some(), "{}", mail.text);
    }
}

/// Nothing is left to pay, so there is no link and nothing that reads as a debt.
#[test]
fn what_was_closed_after_30_days_says_that_nothing_is_owed_and_that_top_ups_are_off() {
    let mail = mail(abandoned());
    for text in [&mail.text, &visible(&mail.html)] {
        for said in [
            "after 30 days",
            "You owe nothing for it.",
            "Automatic top-ups are off now. An automatic top-up was still unpaid after 30 days.",
        ] {
            assert!(text.contains(said), "{said} in {text}");
        }
        for wrong in ["/pay/", "To pay", "paused", "Action needed"] {
            assert!(!text.contains(wrong), "{wrong} in {text}");
        }
    }
}

#[test]
fn the_link_opens_this_attempt_for_fourteen_days_from_sending() {
    for kind in unpaid().into_iter().chain(reminders()) {
        let mail = mail(kind);
        let token = mail.text.split_once("https://credits.example.com/pay/").unwrap().1.lines().next().unwrap();
        assert_eq!(mail.html.matches(&format!("href=\"https://credits.example.com/pay/{token}\"")).count(), 2);
        let expires_at = now() + LINK_LIFETIME;
        let opened = links().verify(token, expires_at - SignedDuration::from_millis(1));
        assert_eq!(opened, Ok((notice(action_required()).account, Invoiced::TopUp(top_up()))));
        assert_eq!(links().verify(token, expires_at), Err(shared::links::LinkRejection::Expired));
    }
}

/// Whoever pays for the company gets the page alone; the document needs the other link.
#[test]
fn an_invoice_links_to_the_page_on_which_anyone_can_pay_it_and_to_its_document() {
    let invoices = samples()
        .into_iter()
        .filter(|kind| matches!(kind, NoticeKind::InvoiceIssued { .. } | NoticeKind::InvoiceReminder { .. }));
    let mails: Vec<_> = invoices.map(mail).collect();
    assert_eq!(mails.len(), 4);
    for mail in mails {
        let token = mail.text.split_once("https://credits.example.com/pay/").unwrap().1.lines().next().unwrap();
        let (account, paid_for) =
            links().verify(token, now() + PURCHASE_LINK_LIFETIME - SignedDuration::from_millis(1)).unwrap();
        assert_eq!((account.as_str(), paid_for), ("customer_42", Invoiced::Purchase(PurchaseId::mint(0x0193_4f2b))));
        assert_eq!(mail.html.matches(&format!("href=\"https://credits.example.com/pay/{token}\"")).count(), 2);
        let receipt = mail.text.split_once("https://credits.example.com/receipt/").unwrap().1.lines().next().unwrap();
        let document = receipt.strip_suffix("/pdf").unwrap();
        assert!(links().verify_receipt(document, now()).is_ok());
    }
}

/// A notice of an earlier release does not know its card.
#[test]
fn what_was_not_paid_names_the_card_that_was_asked() {
    for kind in unpaid().into_iter().chain(reminders()).chain([abandoned()]) {
        let mail = mail(kind);
        assert!(mail.text.contains("Card: Visa •••• 4242"), "{}", mail.text);
        assert!(visible(&mail.html).contains("Card Visa •••• 4242"), "{}", mail.html);
    }
    let (top_up, credits, price, card) = (top_up(), credits(), price(), CardFace::default());
    let older = mail(NoticeKind::TopUpActionRequired { top_up, credits, price, card });
    assert!(!older.text.contains("Card:"), "{}", older.text);
}

#[test]
fn subjects_tell_receipts_declines_missing_cards_and_confirmations_apart() {
    let subjects: BTreeSet<String> = every_kind().into_iter().map(|kind| mail(kind).subject).collect();
    let expected = [
        "Action needed: confirm your automatic top-up of $45.01",
        "Action needed: your card was declined for your automatic top-up of $45.01",
        "Action needed: no card for your automatic top-up of $45.01",
        "Receipt for your automatic top-up: 4,501 credits for $45.01",
        "Receipt for your purchase: 4,501 credits for $45.01",
        "Reminder: your automatic top-up of $45.01 is still unpaid",
        "We closed your unpaid automatic top-up of $45.01",
        "Your payment of $45.01 for 4,501 credits failed",
    ];
    assert_eq!(subjects, expected.map(String::from).into());
}

#[test]
fn every_decline_is_explained_in_its_own_plain_words_with_a_remedy() {
    let texts: BTreeSet<String> = REASONS.into_iter().map(|reason| mail(declined(reason)).text).collect();
    assert_eq!(texts.len(), REASONS.len(), "no two reasons read the same");
    for (reason, why, remedy) in [
        (DeclineReason::InsufficientFunds, "not enough funds", "another card"),
        (DeclineReason::ExpiredCard, "has expired", "still valid"),
        (DeclineReason::IncorrectCardData, "security code", "Enter the card's details again"),
        (DeclineReason::CardNotSupported, "this kind of payment", "ask your bank"),
        (DeclineReason::LimitExceeded, "limit", "raise the limit"),
        (DeclineReason::ProcessingError, "Something went wrong", "Try again"),
        (DeclineReason::NoCard, "no saved card", "a card of your choice"),
        (DeclineReason::Generic, "without giving a reason", "Ask your bank"),
    ] {
        let text = mail(declined(reason)).text;
        assert!(text.contains(why) && text.contains(remedy), "{text}");
    }
}

/// Telling a thief that a card is known to be stolen would help the thief: <https://docs.stripe.com/declines/codes>.
#[test]
fn no_mail_speaks_of_lost_or_stolen_cards_nor_in_jargon() {
    for kind in samples() {
        let mail = mail(kind);
        for text in [mail.text.to_lowercase(), visible(&mail.html).to_lowercase()] {
            for word in ["lost", "stolen", "fraud", "off-session", "intent", "decline code", "do_not_honor", "stripe"] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
    }
}

#[test]
fn nothing_in_a_mail_is_loaded_from_elsewhere_or_run() {
    for kind in samples() {
        let html = mail(kind).html.to_lowercase();
        for tag in ["<script", "<img", "<link", "@import", "<iframe", "<form", "url(", " onclick", "javascript:"] {
            assert!(!html.contains(tag), "{tag}");
        }
    }
}

#[test]
fn whatever_a_value_holds_is_shown_and_never_becomes_markup() {
    let hostile = r#""><script>alert('x')</script>&<b onmouseover=x>"#;
    let content = Content {
        subject: hostile.into(),
        heading: hostile.into(),
        paragraphs: vec![hostile.into()],
        action: Some(Action {
            label: "Pay now",
            url: hostile.into(),
            pdf_url: Some(hostile.into()),
            note: hostile.into(),
        }),
        facts: vec![Fact { name: "Account", value: hostile.into() }],
        closing: hostile.into(),
    };
    let html = Html { content: &content }.render().unwrap();
    for broken_out in ["<script", "<b ", "('x')"] {
        assert!(!html.contains(broken_out), "{broken_out} in {html}");
    }
    let shown = "&#34;&#62;&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;&#38;&#60;b onmouseover=x&#62;";
    assert_eq!(html.matches(shown).count(), 10, "{html}");
    let text = Text { content: &content }.render().unwrap();
    assert_eq!(text.matches(hostile).count(), 7, "plain text is not escaped: {text}");
}

#[test]
fn a_confirmation_names_the_account_and_its_link_confirms_the_contact_for_seven_days() {
    let contact = ContactId::mint(5);
    let mail = mail(NoticeKind::ContactConfirmation { contact: contact.clone() });
    for form in [&mail.text, &mail.html] {
        let token = form.split_once("https://credits.example.com/confirm/").unwrap().1;
        let token = token.split(['"', '\n']).next().unwrap();
        let (account, until) = (AccountId::parse("customer_42").unwrap(), now() + CONFIRMATION_LIFETIME);
        assert_eq!(
            links().verify_confirmation(token, until - SignedDuration::from_millis(1)),
            Ok((account, contact.clone()))
        );
        assert!(links().verify_confirmation(token, until).is_err());
    }
    for text in [&mail.text, &visible(&mail.html)] {
        for fact in ["customer_42", "29 November 2026, 13:50 UTC", "we send you no more e-mails"] {
            assert!(text.contains(fact), "{fact} is missing: {text}");
        }
    }
}

#[test]
fn a_change_of_contacts_is_told_by_address_and_has_no_link() {
    let addresses = |address: &str| vec![EmailAddress::parse(address).unwrap()];
    let change = ContactsChange {
        added: addresses("added@example.com"),
        removed: addresses("removed@example.com"),
        changed: addresses("changed@example.com"),
        confirmed: addresses("confirmed@example.com"),
    };
    let told = mail(NoticeKind::ContactsChanged(change.clone()));
    for text in [&told.text, &visible(&told.html)] {
        for fact in ["added", "removed", "changed", "confirmed"] {
            assert!(text.contains(&format!("{fact}@example.com")), "{fact} is missing: {text}");
        }
        assert!(text.contains("customer_42") && text.contains("until its reader has confirmed it"), "{text}");
    }
    assert!(!told.html.contains("href"), "{}", told.html);
    let only = mail(NoticeKind::ContactsChanged(ContactsChange { added: vec![], ..change }));
    assert!(!only.text.contains("Added") && !only.text.contains("until its reader"), "{}", only.text);
}

#[test]
fn a_card_that_expires_is_named_as_its_owner_knows_it_with_its_last_month() {
    let expiring = |brand: Option<&str>, last4: Option<&str>| {
        let card = CardFace { brand: brand.map(str::to_owned), last4: last4.map(str::to_owned) };
        mail(NoticeKind::CardExpiring { card, expiry: Expiry::new(2026, 12).unwrap() })
    };
    for (mail, card) in [
        (expiring(Some("american_express"), Some("0005")), "American express •••• 0005"),
        (expiring(None, None), "Card"),
    ] {
        assert_eq!(mail.subject, format!("Your card expires soon: {card}"));
        for text in [&mail.text, &visible(&mail.html)] {
            for fact in ["customer_42", card, "end of December 2026", "choose another one on your billing page"] {
                assert!(text.contains(fact), "{fact} is missing: {text}");
            }
        }
        assert!(!mail.html.contains("href"), "{}", mail.html);
    }
}

#[test]
fn a_low_balance_is_told_with_the_level_that_was_crossed_and_has_no_link() {
    let low = |level, per_day| mail(NoticeKind::LowBalance { level, balance: Credits::constant(1_490), per_day });
    let (in_credits, in_days) = (AlertLevel::credits(1_500).unwrap(), |days| AlertLevel::days_left(days).unwrap());
    for (mail, subject, facts) in [
        (low(in_credits, None), "below 1,500 credits", ["1,490 credits", "1,500 credits"]),
        (low(in_days(7), Some(213)), "enough for less than 7 days", ["213 credits", "7 days at your average use"]),
        (low(in_days(1), Some(1_500)), "enough for less than 1 day", ["1,500 credits", "1 day at your average use"]),
    ] {
        assert_eq!(mail.subject, format!("Your credit balance is {subject}"));
        for text in [&mail.text, &visible(&mail.html)] {
            for fact in facts.iter().chain(&["customer_42", "1,490 credits", "You chose to be told"]) {
                assert!(text.contains(fact), "{fact} is missing: {text}");
            }
        }
        assert!(!mail.html.contains("href"), "{}", mail.html);
    }
    assert!(!low(in_credits, None).text.contains("Average use"));
}
