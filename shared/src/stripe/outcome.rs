//! What Stripe's answers mean for an attempt: paid, declined, action required, or unknown. Pure.
//!
//! Only three things are definite: Stripe's 402, a 400 that concerns only this customer, and what the invoice itself
//! says. Nothing is concluded from anything else, so that an outage, a bug or a wrong API key never pauses a customer.

use super::error::{Refusal, StripeError};
use super::responses::{Invoice, InvoiceStatus, PaymentIntent, on_receipt};
use crate::domain::CustomerId;
use crate::domain::payments::{DeclineReason, Payment, Received, RefusalReason, TopUpOutcome};

/// What an answer other than 200 to `POST /v1/invoices/{id}/pay` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Classification {
    /// Definite: no money was taken.
    Card(CardAnswer),
    /// The call may have taken the money. The invoice has to be looked up.
    Unclear,
    /// Stripe rejects the call, for example because the invoice is already paid. The invoice has to be looked up, and
    /// if it is not paid, a person has to investigate.
    Unexpected,
}

/// The bank's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CardAnswer {
    ActionRequired,
    Declined(DeclineReason),
}

/// <https://docs.stripe.com/api/invoices/pay>
pub(super) fn classify_pay(error: &StripeError) -> Classification {
    match error {
        StripeError::NoAnswer(_) | StripeError::Unreadable(_) => Classification::Unclear,
        StripeError::NotSent(_) => Classification::Unexpected,
        StripeError::Refused(refusal) => classify_refusal(refusal),
    }
}

fn classify_refusal(refusal: &Refusal) -> Classification {
    match refusal.status {
        _ if refusal.is_transient() => Classification::Unclear,
        402 => {
            let answer = classify_card(refusal.code.as_deref(), refusal.decline_code.as_deref());
            let is_about_card = refusal.kind.as_deref() == Some("card_error") || answer == CardAnswer::ActionRequired;
            if is_about_card { Classification::Card(answer) } else { Classification::Unexpected }
        }
        400 | 404 if names_no_card(refusal) => Classification::Card(CardAnswer::Declined(DeclineReason::NoCard)),
        400 if refusal.code.as_deref() == Some("payment_method_currency_mismatch") => {
            Classification::Card(CardAnswer::Declined(DeclineReason::CardNotSupported))
        }
        _ => Classification::Unexpected,
    }
}

/// Why Stripe permanently refuses this customer, if that is what the error says. An error about our Stripe account, API
/// key or parameters would concern every customer, so it pauses none.
/// <https://docs.stripe.com/error-codes>
pub(super) fn classify_definite(error: &StripeError) -> Option<RefusalReason> {
    let StripeError::Refused(refusal) = error else { return None };
    let says = |code, param: Option<&str>| {
        refusal.code.as_deref() == Some(code) && param.is_none_or(|param| refusal.param.as_deref() == Some(param))
    };
    match refusal.status {
        400 | 404 if says("resource_missing", Some("customer")) => Some(RefusalReason::CustomerDeleted),
        400 if says("customer_tax_location_invalid", None) => Some(RefusalReason::NoTaxLocation),
        400 if refusal.combines_currencies => Some(RefusalReason::OtherCurrency),
        _ => None,
    }
}

/// Whether the error says that the saved card no longer exists, as opposed to a parameter that we misspelled.
fn names_no_card(refusal: &Refusal) -> bool {
    refusal.kind.as_deref() == Some("invalid_request_error")
        && refusal.param.as_deref() == Some("payment_method")
        && matches!(refusal.code.as_deref(), None | Some("resource_missing" | "payment_method_unexpected_state"))
}

/// The decline as a reason that a customer can act on. Without a `decline_code`, the error's `code` counts.
///
/// Stripe asks not to reveal some reasons to the cardholder (`lost_card`, `stolen_card`, `fraudulent`). They are
/// [`DeclineReason::Generic`], as are reasons that only the bank understands:
/// <https://docs.stripe.com/declines/codes>.
pub(super) fn classify_card(code: Option<&str>, decline_code: Option<&str>) -> CardAnswer {
    let asks_for_action = |code| {
        matches!(
            code,
            "authentication_required" | "invoice_payment_intent_requires_action" | "authentication_not_handled"
        )
    };
    if code.is_some_and(asks_for_action) || decline_code.is_some_and(asks_for_action) {
        return CardAnswer::ActionRequired;
    }
    CardAnswer::Declined(match decline_code.or(code).unwrap_or_default() {
        "insufficient_funds" => DeclineReason::InsufficientFunds,
        "expired_card" => DeclineReason::ExpiredCard,
        "incorrect_address"
        | "incorrect_cvc"
        | "incorrect_number"
        | "incorrect_pin"
        | "incorrect_zip"
        | "invalid_account"
        | "invalid_cvc"
        | "invalid_expiry_month"
        | "invalid_expiry_year"
        | "invalid_number"
        | "new_account_information_available" => DeclineReason::IncorrectCardData,
        "card_not_supported" | "currency_not_supported" => DeclineReason::CardNotSupported,
        "card_velocity_exceeded" | "invalid_amount" | "withdrawal_count_limit_exceeded" => DeclineReason::LimitExceeded,
        "approve_with_id" | "issuer_not_available" | "processing_error" | "reenter_transaction" | "try_again_later" => {
            DeclineReason::ProcessingError
        }
        _ => DeclineReason::Generic,
    })
}

/// What an invoice says, together with its payment intent, if that could be fetched.
///
/// An uncollectible invoice is only written off in the books. It can still be paid, so nothing is concluded until it is
/// paid or void. <https://docs.stripe.com/invoicing/overview#invoice-statuses>
pub(super) fn classify_invoice(invoice: &Invoice, intent: Option<&PaymentIntent>) -> TopUpOutcome {
    match invoice.status() {
        InvoiceStatus::Paid => payment_of(invoice, intent).map_or(TopUpOutcome::Unknown, |payment| {
            match invoice.paid_invoice().received(payment.amount) {
                Received::All => TopUpOutcome::Paid(payment),
                Received::Part(received) => TopUpOutcome::PartlyPaid { payment, received },
                Received::Nothing => TopUpOutcome::Abandoned,
            }
        }),
        InvoiceStatus::Void => TopUpOutcome::Abandoned,
        // Even if it is written off, a payment in progress may still pay it.
        InvoiceStatus::Open | InvoiceStatus::Uncollectible if intent.is_some_and(PaymentIntent::is_processing) => {
            TopUpOutcome::Processing { invoice: invoice.id() }
        }
        InvoiceStatus::Open => match intent.and_then(classify_intent) {
            Some(CardAnswer::ActionRequired) => TopUpOutcome::ActionRequired { invoice: invoice.id() },
            Some(CardAnswer::Declined(reason)) => TopUpOutcome::Declined { reason, invoice: invoice.id() },
            None => TopUpOutcome::Unknown,
        },
        InvoiceStatus::Draft | InvoiceStatus::Uncollectible | InvoiceStatus::Other => TopUpOutcome::Unknown,
    }
}

/// The bank's final answer on an intent. `None` if it was never tried or is still in progress.
/// <https://docs.stripe.com/payments/paymentintents/lifecycle>
fn classify_intent(intent: &PaymentIntent) -> Option<CardAnswer> {
    match (intent.status.as_str(), &intent.last_payment_error) {
        ("requires_action", _) => Some(CardAnswer::ActionRequired),
        ("requires_payment_method", Some(failure)) => {
            Some(classify_card(failure.code.as_deref(), failure.decline_code.as_deref()))
        }
        _ => None,
    }
}

/// The payment of a paid invoice. `None` if Stripe's answer lacks a field that every payment has.
pub(super) fn payment_of(invoice: &Invoice, intent: Option<&PaymentIntent>) -> Option<Payment> {
    let customer = CustomerId::parse(invoice.customer.as_deref()?).ok()?;
    Some(Payment {
        amount: Some(invoice.before_tax()).filter(|amount| *amount >= 0)?,
        currency: invoice.currency.clone(),
        invoice: invoice.id(),
        payment_intent: invoice.payment_intent(),
        payment_method: intent.and_then(|intent| intent.reusable_method(&customer)),
        receipt: Some(on_receipt(intent, invoice.receipt()).into()),
        by_invoice: None,
        customer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::Receipt;
    use crate::domain::{InvoiceId, PaymentIntentId, PaymentMethodId};
    use CardAnswer::{ActionRequired, Declined};
    use Classification::{Card, Unclear, Unexpected};

    fn refused(status: u16, kind: &str, code: &str, decline_code: &str, param: &str) -> StripeError {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        StripeError::Refused(Box::new(Refusal {
            status,
            kind: some(kind),
            code: some(code),
            decline_code: some(decline_code),
            param: some(param),
            ..Refusal::default()
        }))
    }

    #[test]
    fn only_the_banks_own_answer_is_definite() {
        let generic = Card(Declined(DeclineReason::Generic));
        let no_card = Card(Declined(DeclineReason::NoCard));
        for (name, error, expected) in [
            ("declined", refused(402, "card_error", "card_declined", "generic_decline", ""), generic),
            ("declined without a word", refused(402, "card_error", "", "", ""), generic),
            (
                "3D Secure, as an invoice says it",
                refused(402, "card_error", "invoice_payment_intent_requires_action", "", ""),
                Card(ActionRequired),
            ),
            (
                "3D Secure, by code whatever the type",
                refused(402, "invalid_request_error", "invoice_payment_intent_requires_action", "", ""),
                Card(ActionRequired),
            ),
            (
                "3D Secure, as a bank says it",
                refused(402, "card_error", "card_declined", "authentication_required", ""),
                Card(ActionRequired),
            ),
            ("3D Secure, by code", refused(402, "card_error", "authentication_required", "", ""), Card(ActionRequired)),
            ("402 about something else", refused(402, "invalid_request_error", "", "", ""), Unexpected),
            ("already paid", refused(400, "invalid_request_error", "", "", ""), Unexpected),
            (
                "the card was detached",
                refused(400, "invalid_request_error", "resource_missing", "", "payment_method"),
                no_card,
            ),
            ("no such card", refused(404, "invalid_request_error", "resource_missing", "", "payment_method"), no_card),
            ("a card never attached", refused(400, "invalid_request_error", "", "", "payment_method"), no_card),
            (
                "a parameter of ours",
                refused(400, "invalid_request_error", "parameter_unknown", "", "payment_method"),
                Unexpected,
            ),
            ("no such invoice", refused(404, "invalid_request_error", "resource_missing", "", "invoice"), Unexpected),
            ("other parameters under the key", refused(400, "idempotency_error", "", "", ""), Unexpected),
            ("a wrong key", refused(401, "invalid_request_error", "", "", ""), Unexpected),
            ("a key without the right", refused(403, "invalid_request_error", "", "", ""), Unexpected),
            ("the key is in use", refused(409, "idempotency_error", "idempotency_key_in_use", "", ""), Unclear),
            ("the invoice is locked", refused(429, "invalid_request_error", "lock_timeout", "", ""), Unclear),
            ("an outage behind Stripe", refused(424, "api_error", "", "", ""), Unclear),
            ("too many requests", refused(429, "invalid_request_error", "rate_limit", "", ""), Unclear),
            ("a failure of Stripe's", refused(500, "api_error", "", "", ""), Unclear),
            ("a failure that looks like a decline", refused(500, "card_error", "card_declined", "", ""), Unclear),
            ("a proxy's page", refused(502, "", "", "", ""), Unclear),
            ("an outage", refused(503, "api_error", "", "", ""), Unclear),
            ("a timeout of theirs", refused(504, "", "", "", ""), Unclear),
            ("a redirection", refused(307, "", "", "", ""), Unexpected),
            ("no answer", StripeError::NoAnswer("connection lost".into()), Unclear),
            ("an answer cut short", StripeError::Unreadable("end of input".into()), Unclear),
            ("nothing sent", StripeError::NotSent("no key"), Unexpected),
        ] {
            assert_eq!(classify_pay(&error), expected, "{name}");
        }
    }

    #[test]
    fn decline_codes_become_what_a_customer_can_act_on() {
        use DeclineReason::{
            CardNotSupported, ExpiredCard, Generic, IncorrectCardData, InsufficientFunds, LimitExceeded,
            ProcessingError,
        };
        for (code, decline_code, expected) in [
            ("card_declined", "insufficient_funds", InsufficientFunds),
            ("expired_card", "", ExpiredCard),
            ("card_declined", "expired_card", ExpiredCard),
            ("incorrect_cvc", "", IncorrectCardData),
            ("incorrect_cvc", "incorrect_cvc", IncorrectCardData),
            ("card_declined", "invalid_account", IncorrectCardData),
            ("card_declined", "new_account_information_available", IncorrectCardData),
            ("card_declined", "card_not_supported", CardNotSupported),
            ("card_declined", "currency_not_supported", CardNotSupported),
            ("card_declined", "card_velocity_exceeded", LimitExceeded),
            ("card_declined", "withdrawal_count_limit_exceeded", LimitExceeded),
            ("processing_error", "", ProcessingError),
            ("card_declined", "try_again_later", ProcessingError),
            ("card_declined", "issuer_not_available", ProcessingError),
            ("card_declined", "lost_card", Generic),
            ("card_declined", "stolen_card", Generic),
            ("card_declined", "fraudulent", Generic),
            ("card_declined", "pickup_card", Generic),
            ("card_declined", "do_not_honor", Generic),
            ("card_declined", "a_word_of_tomorrow", Generic),
            ("card_declined", "", Generic),
            ("payment_intent_authentication_failure", "", Generic),
            ("", "", Generic),
        ] {
            let some = |text: &'static str| (!text.is_empty()).then_some(text);
            assert_eq!(classify_card(some(code), some(decline_code)), Declined(expected), "{code} {decline_code}");
        }
    }

    #[test]
    fn an_invoice_says_what_became_of_its_attempt() {
        let id = InvoiceId::parse("in_1").ok();
        let declined = TopUpOutcome::Declined { reason: DeclineReason::InsufficientFunds, invoice: id.clone() };
        let processing = TopUpOutcome::Processing { invoice: id.clone() };
        let action_required = TopUpOutcome::ActionRequired { invoice: id };
        for (status, intent, expected) in [
            (r#""draft""#, None, TopUpOutcome::Unknown),
            (r#""open""#, None, TopUpOutcome::Unknown),
            (r#""open""#, Some(r#"{"id":"pi_1","status":"requires_payment_method"}"#), TopUpOutcome::Unknown),
            (r#""open""#, Some(r#"{"id":"pi_1","status":"processing"}"#), processing.clone()),
            (r#""uncollectible""#, Some(r#"{"id":"pi_1","status":"processing"}"#), processing),
            (r#""open""#, Some(r#"{"id":"pi_1","status":"succeeded"}"#), TopUpOutcome::Unknown),
            (r#""open""#, Some(r#"{"id":"pi_1","status":"requires_action"}"#), action_required.clone()),
            (
                r#""open""#,
                Some(
                    r#"{"id":"pi_1","status":"requires_payment_method","last_payment_error":{"code":"card_declined","decline_code":"insufficient_funds"}}"#,
                ),
                declined,
            ),
            (
                r#""open""#,
                Some(
                    r#"{"id":"pi_1","status":"requires_payment_method","last_payment_error":{"code":"authentication_required"}}"#,
                ),
                action_required,
            ),
            (r#""uncollectible""#, Some(r#"{"id":"pi_1","status":"requires_payment_method"}"#), TopUpOutcome::Unknown),
            (r#""void""#, Some(r#"{"id":"pi_1","status":"canceled"}"#), TopUpOutcome::Abandoned),
            (r#""a_word_of_tomorrow""#, None, TopUpOutcome::Unknown),
            ("null", None, TopUpOutcome::Unknown),
        ] {
            let invoice = invoice(status, 4_501);
            let parsed = intent.map(|intent| miniserde::json::from_str::<PaymentIntent>(intent).unwrap());
            assert_eq!(classify_invoice(&invoice, parsed.as_ref()), expected, "{status} {intent:?}");
        }
    }

    #[test]
    fn a_paid_invoice_is_a_payment_whose_card_is_kept_only_while_it_is_attached() {
        let customer = CustomerId::parse("cus_1").unwrap();
        for (owner, kept) in [(r#""cus_1""#, true), (r#""cus_2""#, false), ("null", false)] {
            let intent =
                format!(r#"{{"id":"pi_1","status":"succeeded","payment_method":{{"id":"pm_1","customer":{owner}}}}}"#);
            let intent: PaymentIntent = miniserde::json::from_str(&intent).unwrap();
            let expected = Payment {
                customer: customer.clone(),
                amount: 4_501,
                currency: "usd".into(),
                invoice: InvoiceId::parse("in_1").ok(),
                payment_intent: PaymentIntentId::parse("pi_1").ok(),
                payment_method: PaymentMethodId::parse("pm_1").ok().filter(|_| kept),
                receipt: Some(receipt().into()),
                by_invoice: None,
            };
            assert_eq!(classify_invoice(&invoice(r#""paid""#, 4_501), Some(&intent)), TopUpOutcome::Paid(expected));
        }
        let below_zero = invoice(r#""paid""#, -1);
        assert_eq!(classify_invoice(&below_zero, None), TopUpOutcome::Unknown);
    }

    /// R1 and R37: an invoice that Stripe calls paid counts as paid only as far as money arrived.
    #[test]
    fn an_invoice_that_was_credited_is_paid_as_far_as_money_came() {
        let part = |received| TopUpOutcome::PartlyPaid { payment: paid_by_nobody_known(), received };
        for (amount_paid, starting_balance, ending_balance, expected) in [
            (4_601, 0, 0, TopUpOutcome::Paid(paid_by_nobody_known())),
            (0, -4_601, 0, TopUpOutcome::Paid(paid_by_nobody_known())),
            (0, 0, 0, TopUpOutcome::Abandoned),
            (0, 0, 4_601, TopUpOutcome::Abandoned),
            (460, 0, 0, part(450)),
        ] {
            let invoice = invoice_paid_by(r#""paid""#, 4_501, (amount_paid, starting_balance, ending_balance));
            assert_eq!(classify_invoice(&invoice, None), expected, "{amount_paid} {starting_balance} {ending_balance}");
        }
    }

    fn paid_by_nobody_known() -> Payment {
        Payment {
            customer: CustomerId::parse("cus_1").unwrap(),
            amount: 4_501,
            currency: "usd".into(),
            invoice: InvoiceId::parse("in_1").ok(),
            payment_intent: PaymentIntentId::parse("pi_1").ok(),
            payment_method: None,
            receipt: Some(receipt().into()),
            by_invoice: None,
        }
    }

    /// A dollar of tax.
    fn receipt() -> Receipt {
        Receipt { number: Some("A-0001".into()), tax: 100, total: 4_601, ..Receipt::default() }
    }

    /// An invoice in Stripe's format, with a dollar of tax.
    fn invoice(status: &str, before_tax: i64) -> Invoice {
        invoice_paid_by(status, before_tax, (before_tax + 100, 0, 0))
    }

    fn invoice_paid_by(status: &str, before_tax: i64, (paid, before, after): (i64, i64, i64)) -> Invoice {
        let total = before_tax + 100;
        miniserde::json::from_str(&format!(
            r#"{{"id":"in_1","number":"A-0001","object":"invoice","status":{status},"customer":"cus_1","currency":"usd",
                "subtotal":{before_tax},"total_excluding_tax":{before_tax},"total":{total},
                "amount_due":{total},"amount_paid":{paid},"starting_balance":{before},"ending_balance":{after},
                "payments":{{"object":"list","has_more":false,"data":[
                    {{"status":"canceled","is_default":false,"payment":{{"payment_intent":"pi_0"}}}},
                    {{"status":"paid","is_default":true,"payment":{{"type":"payment_intent","payment_intent":"pi_1"}}}}
                ]}}}}"#
        ))
        .unwrap()
    }
}
