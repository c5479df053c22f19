//! Refunds that support makes: how much is given back, decided and stored before the payment provider is asked.

use super::{ActKind, Acting};
use crate::domain::payments::{Bought, Refund, RefundStatus, Returns, WantedRefund};
use crate::domain::{Account, Change, Credits, Currency, IdempotencyKey, KeyReused};
use jiff::Timestamp;

/// The most refunds that support makes of one payment.
pub const REFUNDS_MAX: usize = 20;

/// Why nothing is refunded, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundRefusal {
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// No credits were granted for it.
    #[error("it is not paid")]
    NotPaid,
    /// It was paid outside of the payment provider, which therefore has nothing to give back.
    #[error("it was not paid through the payment provider")]
    PaidElsewhere,
    /// Another refund of it was asked for, and what became of that is not known yet.
    #[error("the refund {0} is under way")]
    UnderWay(IdempotencyKey),
    #[error("{REFUNDS_MAX} refunds were asked for")]
    TooMany,
    /// A dispute returns the money already.
    #[error("the payment is disputed")]
    Disputed,
    /// All credits of it are spent, or so few are left that they are worth less than the smallest amount.
    #[error("none of its credits is left")]
    NothingUnused,
    /// So much has not gone back yet.
    #[error("{left} of it have not gone back")]
    AboveLeft { left: i64 },
}

/// What is decided about a request for a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundDecision {
    /// The request was stored before, and this is what is known of it.
    Known(Refund),
    /// To be stored before the payment provider is asked.
    New(Box<Change>, Refund),
}

/// Stores what is to be given back. `returns` is what the payment provider says went back of it by now.
///
/// Only one refund of a payment is under way at a time. So two requests for its unused credits do not give them back twice.
///
/// # Errors
/// [`RefundRefusal`]; nothing must be written then.
pub fn decide_refund(
    account: &Account,
    (bought, returns): (&Bought, Returns),
    (key, wanted): (&IdempotencyKey, WantedRefund),
    acting: Acting,
    now: Timestamp,
) -> Result<RefundDecision, RefundRefusal> {
    let refunds = bought.refunds();
    if let Some(known) = refunds.iter().find(|refund| refund.key == *key) {
        let is_same = known.wanted == wanted;
        return if is_same {
            Ok(RefundDecision::Known(known.clone()))
        } else {
            Err(KeyReused { key: key.clone() }.into())
        };
    }
    let granted = bought.granted().ok_or(RefundRefusal::NotPaid)?;
    bought.payment_intent().ok_or(RefundRefusal::PaidElsewhere)?;
    if let Some(under_way) = refunds.iter().find(|refund| refund.status == RefundStatus::Asked) {
        return Err(RefundRefusal::UnderWay(under_way.key.clone()));
    }
    if refunds.len() >= REFUNDS_MAX {
        return Err(RefundRefusal::TooMany);
    }
    let returns = returns.merged(bought.reversed().returns);
    if returns.disputed() > 0 {
        return Err(RefundRefusal::Disputed);
    }
    let left = returns.paid.saturating_sub(returns.returned());
    let amount = match wanted {
        WantedRefund::Amount(amount) => amount,
        WantedRefund::UnusedCredits => {
            let not_taken_yet = returns.credits_of(granted).minus(bought.reversed().taken).unwrap_or(Credits::ZERO);
            let balance = account.balance.minus(not_taken_yet).unwrap_or(Credits::ZERO);
            worth(balance.min(granted), (granted, returns.paid), bought.currency()).min(left)
        }
    };
    match wanted {
        WantedRefund::UnusedCredits if amount <= 0 => return Err(RefundRefusal::NothingUnused),
        _ if !(1..=left).contains(&amount) => return Err(RefundRefusal::AboveLeft { left }),
        _ => {}
    }
    let refund = Refund { key: key.clone(), wanted, amount, asked_at: now, status: RefundStatus::Asked };
    let mut change = Change::on(account, now);
    change.records.push(bought.with_refund(refund.clone()));
    let kind = ActKind::Refunded { paid_for: bought.paid_for(), key: key.clone(), amount };
    change.records.push(acting.record(kind, now));
    Ok(RefundDecision::New(Box::new(change), refund))
}

/// What these credits of all that were granted for a payment were paid with, rounded down to what its currency can express.
fn worth(credits: Credits, (granted, paid): (Credits, i64), currency: Currency) -> i64 {
    if credits.get() <= 0 || granted.get() <= 0 {
        return 0;
    }
    let exact = i128::from(paid).saturating_mul(credits.get().into()).div_euclid(granted.get().into());
    currency.down_to_step(i64::try_from(exact).unwrap_or(paid))
}

/// Stores what became of a refund. `None` if that is known.
pub fn decide_refund_ended(
    account: &Account,
    bought: &Bought,
    (key, status): (&IdempotencyKey, &RefundStatus),
    now: Timestamp,
) -> Option<Change> {
    let asked = bought.refunds().iter().find(|refund| refund.key == *key && refund.status == RefundStatus::Asked)?;
    let mut change = Change::on(account, now);
    change.records.push(bought.with_refund(Refund { status: status.clone(), ..asked.clone() }));
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::{
        CheckoutOutcome, PayBy, Payment, ReturnOutcome, ReturnedPayment, decide_open_purchase, decide_purchase_outcome,
        decide_returned,
    };
    use crate::domain::samples::*;
    use crate::domain::{NoticeId, PaymentIntentId, PriceBook, Purchase, PurchaseId, PurchaseStatus, RefundId};

    /// 5,000 credits for $50 and 19 % of tax, of which so many are left.
    fn bought(balance: i64) -> (Account, Bought) {
        let package = &PriceBook::reference().packages[1];
        let opened =
            decide_open_purchase(&account(), (package, &PayBy::Page), key("buy-1"), PurchaseId::mint(1), at(0));
        let paid = CheckoutOutcome::Paid(Payment { amount: 5_000, ..payment() });
        let decided =
            decide_purchase_outcome(&account(), &opened.unwrap().1, &paid, None, NoticeId::mint(1), at(1)).unwrap();
        let change = decided.unwrap();
        let purchase = change.purchase().unwrap().clone();
        (Account { balance: Credits::constant(balance), ..change.account }, Bought::Purchase(purchase))
    }

    const UNTOUCHED: Returns = Returns { paid: 5_950, refunds: 0, refunds_failed: 0, withdrawn: 0, reinstated: 0 };

    fn decide(
        account: &Account,
        bought: &Bought,
        returns: Returns,
        wanted: WantedRefund,
    ) -> Result<i64, RefundRefusal> {
        match decide_refund(account, (bought, returns), (&key("case-7"), wanted), acting(), at(9))? {
            RefundDecision::New(_, refund) | RefundDecision::Known(refund) => Ok(refund.amount),
        }
    }

    /// The record that a decision stores.
    fn stored(change: &Change) -> Bought {
        Bought::Purchase(change.purchase().unwrap().clone())
    }

    fn asked(account: &Account, bought: &Bought, name: &str) -> Bought {
        let wanted = (&key(name), WantedRefund::Amount(100));
        match decide_refund(account, (bought, UNTOUCHED), wanted, acting(), at(9)).unwrap() {
            RefundDecision::New(change, _) => stored(&change),
            RefundDecision::Known(refund) => panic!("{refund:?}"),
        }
    }

    #[test]
    fn an_amount_is_refunded_up_to_what_has_not_gone_back() {
        let (account, bought) = bought(5_000);
        let refunded = Returns { refunds: 950, ..UNTOUCHED };
        for (name, returns, amount, expected) in [
            ("nothing", UNTOUCHED, 0, Err(5_950)),
            ("less than nothing", UNTOUCHED, -1, Err(5_950)),
            ("the smallest", UNTOUCHED, 1, Ok(1)),
            ("all", UNTOUCHED, 5_950, Ok(5_950)),
            ("more than all", UNTOUCHED, 5_951, Err(5_950)),
            ("all that is left", refunded, 5_000, Ok(5_000)),
            ("more than is left", refunded, 5_001, Err(5_000)),
            ("after a failed refund", Returns { refunds_failed: 950, ..refunded }, 5_950, Ok(5_950)),
        ] {
            let decided = decide(&account, &bought, returns, WantedRefund::Amount(amount));
            assert_eq!(decided, expected.map_err(|left| RefundRefusal::AboveLeft { left }), "{name}");
        }
    }

    #[test]
    fn unused_credits_are_refunded_with_their_tax_and_rounded_down() {
        for (balance, expected) in [(5_000, Ok(5_950)), (7_000, Ok(5_950)), (1_000, Ok(1_190)), (1, Ok(1))] {
            let (account, bought) = bought(balance);
            assert_eq!(decide(&account, &bought, UNTOUCHED, WantedRefund::UnusedCredits), expected, "{balance}");
        }
        for balance in [0, -10] {
            let (account, bought) = bought(balance);
            let decided = decide(&account, &bought, UNTOUCHED, WantedRefund::UnusedCredits);
            assert_eq!(decided, Err(RefundRefusal::NothingUnused), "{balance}");
        }
    }

    /// Others of the account's credits are no reason to give back more of this payment.
    #[test]
    fn credits_that_were_taken_back_are_not_unused() {
        let (account, bought) = bought(9_000);
        let report = ReturnedPayment {
            payment: PaymentIntentId::parse("pi_1").unwrap(),
            invoice: None,
            currency: "usd".into(),
            returns: Returns { refunds: 2_975, ..UNTOUCHED },
        };
        let Ok(ReturnOutcome::Recorded(change)) = decide_returned(&account, &bought, &report, at(5)) else {
            panic!("half of it went back");
        };
        let decided = decide(&change.account, &stored(&change), report.returns, WantedRefund::UnusedCredits);
        assert_eq!(decided, Ok(2_975));
    }

    /// A refund in Stripe's dashboard, of which no event arrived yet: half of the 5,000 credits, of which 3,000 are left.
    #[test]
    fn credits_that_have_gone_back_and_are_not_taken_yet_are_not_unused() {
        let (account, bought) = bought(3_000);
        let returns = Returns { refunds: 2_975, ..UNTOUCHED };
        assert_eq!(decide(&account, &bought, returns, WantedRefund::UnusedCredits), Ok(595));
        let returns = Returns { refunds: 3_570, ..UNTOUCHED };
        let decided = decide(&account, &bought, returns, WantedRefund::UnusedCredits);
        assert_eq!(decided, Err(RefundRefusal::NothingUnused));
    }

    #[test]
    fn nothing_is_refunded_that_is_unpaid_disputed_or_paid_elsewhere() {
        let (account, bought) = bought(5_000);
        let Bought::Purchase(purchase) = &bought else { panic!("it is a purchase") };
        let open = Bought::Purchase(Purchase { status: PurchaseStatus::Open, ..purchase.clone() });
        let elsewhere = Bought::Purchase(Purchase { payment_intent: None, ..purchase.clone() });
        let disputed = Returns { withdrawn: 5_950, ..UNTOUCHED };
        for (bought, returns, expected) in [
            (&open, UNTOUCHED, RefundRefusal::NotPaid),
            (&elsewhere, UNTOUCHED, RefundRefusal::PaidElsewhere),
            (&bought, disputed, RefundRefusal::Disputed),
        ] {
            assert_eq!(decide(&account, bought, returns, WantedRefund::Amount(100)), Err(expected));
        }
        let won = Returns { reinstated: 5_950, ..disputed };
        assert_eq!(decide(&account, &bought, won, WantedRefund::Amount(100)), Ok(100));
    }

    #[test]
    fn a_request_is_stored_with_its_act_and_a_repeated_one_finds_its_amount() {
        let (account, bought) = bought(1_000);
        let wanted = (&key("case-7"), WantedRefund::UnusedCredits);
        let decided = decide_refund(&account, (&bought, UNTOUCHED), wanted, acting(), at(9)).unwrap();
        let RefundDecision::New(change, refund) = decided else { panic!("it is new") };
        let kind = ActKind::Refunded { paid_for: bought.paid_for(), key: key("case-7"), amount: 1_190 };
        assert!(change.records.contains(&acting().record(kind, at(9))));
        let spent = Account { balance: Credits::ZERO, ..account };
        let again = decide_refund(&spent, (&stored(&change), UNTOUCHED), wanted, acting(), at(10)).unwrap();
        assert_eq!(again, RefundDecision::Known(refund));
        let other = decide(&spent, &stored(&change), UNTOUCHED, WantedRefund::Amount(1_190));
        assert_eq!(other, Err(RefundRefusal::KeyReused(KeyReused { key: key("case-7") })));
    }

    #[test]
    fn one_refund_at_a_time_until_it_is_made_or_refused() {
        let (account, bought) = bought(5_000);
        let under_way = asked(&account, &bought, "case-6");
        let refused = Err(RefundRefusal::UnderWay(key("case-6")));
        assert_eq!(decide(&account, &under_way, UNTOUCHED, WantedRefund::UnusedCredits), refused);
        for status in [RefundStatus::Made(RefundId::parse("re_1").unwrap()), RefundStatus::Refused] {
            let end = |bought: &Bought| decide_refund_ended(&account, bought, (&key("case-6"), &status), at(10));
            let ended = stored(&end(&under_way).unwrap());
            assert_eq!(ended.refunds()[0].status, status);
            assert_eq!(end(&ended), None, "it is known");
            assert_eq!(decide(&account, &ended, UNTOUCHED, WantedRefund::Amount(100)), Ok(100));
        }
        assert_eq!(decide_refund_ended(&account, &bought, (&key("case-6"), &RefundStatus::Refused), at(10)), None);
    }

    #[test]
    fn twenty_refunds_of_a_payment_are_enough() {
        let (account, mut bought) = bought(5_000);
        for number in 0..REFUNDS_MAX {
            let name = format!("case-{}", 100 + number);
            let under_way = asked(&account, &bought, &name);
            let ended = decide_refund_ended(&account, &under_way, (&key(&name), &RefundStatus::Refused), at(10));
            bought = stored(&ended.unwrap());
        }
        assert_eq!(decide(&account, &bought, UNTOUCHED, WantedRefund::Amount(1)), Err(RefundRefusal::TooMany));
    }
}
