//! Money of a payment that went back to the customer, and the credits that were taken back for it. Only values; the
//! decisions are in [`super::reversal`].

use crate::domain::{Credits, IdempotencyKey, InvalidId, InvoiceId, PaymentIntentId, PurchaseId, RefundId, TopUpId};
use jiff::Timestamp;
use std::fmt;

/// What a payment was made for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaidFor {
    Purchase(PurchaseId),
    TopUp(TopUpId),
}

impl PaidFor {
    /// # Errors
    /// [`InvalidId`] if the text is the id of neither.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
        let text = text.into();
        PurchaseId::parse(text.clone()).map(Self::Purchase).or_else(|_| TopUpId::parse(text).map(Self::TopUp))
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Purchase(purchase) => purchase.as_str(),
            Self::TopUp(top_up) => top_up.as_str(),
        }
    }
}

impl fmt::Display for PaidFor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How money went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReturnReason {
    Refund,
    Dispute,
}

impl ReturnReason {
    pub const ALL: [Self; 2] = [Self::Refund, Self::Dispute];

    /// Its name in table, API and page. The meaning of a name never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Dispute => "dispute",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for ReturnReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The refunds and disputes of a payment, or of all payments of one invoice, as far as they are known, in the minor unit of its currency and with tax.
///
/// None of these numbers ever becomes smaller: what is undone is counted in a number of its own. So of two reports about
/// a payment, the larger of each number is the newer one, in whichever order they arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Returns {
    /// What was paid.
    pub paid: i64,
    /// All refunds, whatever became of them.
    pub refunds: i64,
    /// Those of them that failed or were canceled.
    pub refunds_failed: i64,
    /// What disputes withdrew.
    pub withdrawn: i64,
    /// What came back of that.
    pub reinstated: i64,
}

impl Returns {
    /// What both reports say together.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self {
            paid: self.paid.max(other.paid),
            refunds: self.refunds.max(other.refunds),
            refunds_failed: self.refunds_failed.max(other.refunds_failed),
            withdrawn: self.withdrawn.max(other.withdrawn),
            reinstated: self.reinstated.max(other.reinstated),
        }
    }

    /// What went back of two payments together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            paid: self.paid.saturating_add(other.paid),
            refunds: self.refunds.saturating_add(other.refunds),
            refunds_failed: self.refunds_failed.saturating_add(other.refunds_failed),
            withdrawn: self.withdrawn.saturating_add(other.withdrawn),
            reinstated: self.reinstated.saturating_add(other.reinstated),
        }
    }

    /// What disputes hold at the moment.
    pub fn disputed(self) -> i64 {
        self.withdrawn.saturating_sub(self.reinstated).max(0)
    }

    /// What refunds gave back.
    pub fn refunded(self) -> i64 {
        self.refunds.saturating_sub(self.refunds_failed).max(0)
    }

    /// What went back in all. Refunds and disputes together return no more than was paid.
    pub fn returned(self) -> i64 {
        self.refunded().saturating_add(self.disputed()).clamp(0, self.paid.max(0))
    }

    /// The part of these credits that corresponds to what went back, rounded down to a whole credit. All of them, once all
    /// the money went back.
    ///
    /// Both amounts contain tax at the same rate, so it makes no difference: tax bought no credits, and returns none.
    pub fn credits_of(self, granted: Credits) -> Credits {
        if self.paid <= 0 {
            return Credits::ZERO;
        }
        let exact = i128::from(granted.get()).saturating_mul(self.returned().into());
        let rounded_down = exact.div_euclid(self.paid.into());
        i64::try_from(rounded_down).ok().and_then(Credits::new).unwrap_or(granted)
    }
}

/// What is known of a payment's refunds and disputes, and what was taken back for them. It is stored with what the payment
/// was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reversed {
    pub returns: Returns,
    /// Credits that are taken back at the moment.
    pub taken: Credits,
    /// How many entries took credits back or gave them back again.
    pub entries: u32,
}

/// What the payment provider says about one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnedPayment {
    pub payment: PaymentIntentId,
    pub invoice: Option<InvoiceId>,
    /// ISO 4217 as Stripe spells it.
    pub currency: String,
    pub returns: Returns,
}

/// Why automatic top-ups pause although no payment failed: credits were taken back, because money went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReversalPause {
    pub because: ReturnReason,
    pub since: Timestamp,
}

/// How much of a payment an operator wants to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedRefund {
    /// In the minor unit, with tax.
    Amount(i64),
    /// As much as the payment's credits that are not spent were paid with, and the tax on that.
    UnusedCredits,
}

/// A refund that an operator asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// The key of the operator's request.
    pub key: IdempotencyKey,
    pub wanted: WantedRefund,
    /// In the minor unit, with tax. Frozen when it was asked for, whatever is spent until the request is repeated.
    pub amount: i64,
    pub asked_at: Timestamp,
    pub status: RefundStatus,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundStatus {
    /// It is not known yet whether the payment provider made it. The same request finds out.
    Asked,
    Made(RefundId),
    /// The payment provider refused it, and no money moved.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refunded(paid: i64, refunds: i64) -> Returns {
        Returns { paid, refunds, ..Returns::default() }
    }

    /// 5,000 credits for $50, and 19 % of tax: the same part of the credits as of the money, rounded down.
    #[test]
    fn the_credits_taken_back_are_the_same_part_as_the_money_rounded_down() {
        for (paid, returned, granted, expected) in [
            (5_000, 0, 5_000, 0),
            (5_000, 1, 5_000, 1),
            (5_000, 2_500, 5_000, 2_500),
            (5_000, 5_000, 5_000, 5_000),
            (5_000, 6_000, 5_000, 5_000),
            (5_950, 595, 5_000, 500),
            (5_950, 950, 5_000, 798),
            (5_950, 5_949, 5_000, 4_999),
            (5_950, 5_950, 5_000, 5_000),
            (5_950, 1, 5_000, 0),
            (3, 1, 100, 33),
            (3, 2, 100, 66),
            (0, 1, 100, 0),
        ] {
            let taken = refunded(paid, returned).credits_of(Credits::constant(granted));
            assert_eq!(taken.get(), expected, "{returned} of {paid}");
        }
        let largest = refunded(999_999_999_999, 999_999_999_998).credits_of(Credits::MAX);
        assert_eq!(largest.get(), 999_999_999_998_999);
    }

    #[test]
    fn refunds_and_disputes_return_no_more_than_was_paid_and_only_while_they_last() {
        let of = |refunds, refunds_failed, withdrawn, reinstated| {
            Returns { paid: 100, refunds, refunds_failed, withdrawn, reinstated }.returned()
        };
        for (returns, expected) in [
            (of(30, 0, 0, 0), 30),
            (of(30, 30, 0, 0), 0),
            (of(60, 30, 0, 0), 30),
            (of(0, 0, 100, 0), 100),
            (of(0, 0, 100, 100), 0),
            (of(0, 0, 100, 40), 60),
            (of(30, 0, 100, 0), 100),
            (of(30, 0, 100, 100), 30),
            (of(30, 30, 100, 0), 100),
            (of(100, 0, 100, 0), 100),
            (of(0, 0, 100, 110), 0),
        ] {
            assert_eq!(returns, expected);
        }
    }

    #[test]
    fn reports_agree_in_whichever_order_they_arrive() {
        let failed = Returns { refunds_failed: 30, ..refunded(100, 30) };
        let disputed = Returns { withdrawn: 100, ..failed };
        let reports = [Returns::default(), refunded(100, 30), failed, disputed];
        for first in reports {
            for second in reports {
                assert_eq!(first.merged(second), second.merged(first));
                assert_eq!(first.merged(second).merged(second), first.merged(second));
                assert_eq!(disputed.merged(first).merged(second), disputed);
            }
        }
    }

    #[test]
    fn what_was_paid_for_is_told_by_its_id() {
        let (purchase, top_up) = (PurchaseId::mint(1), TopUpId::mint(1));
        assert_eq!(PaidFor::parse(purchase.as_str()), Ok(PaidFor::Purchase(purchase)));
        assert_eq!(PaidFor::parse(top_up.as_str()), Ok(PaidFor::TopUp(top_up)));
        assert!(PaidFor::parse("act_00000000000000000000000000000001").is_err());
    }
}
