//! How much of a paid invoice was actually paid. Stripe also calls an invoice `paid` if it was credited, or if it is
//! too small to be charged.

/// The amounts of a paid invoice as Stripe reports them, in the minor unit of its currency, with tax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidInvoice {
    /// The invoice's total, not reduced by credit notes.
    pub total: i64,
    /// By cards, debits and transfers.
    pub amount_paid: i64,
    /// The customer's balance before and after the invoice was finalized. A negative balance is the customer's own
    /// credit, a positive one is a debt. <https://docs.stripe.com/billing/customer/balance>
    pub starting_balance: i64,
    pub ending_balance: i64,
}

/// How much of a price was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    All,
    /// This amount before tax, which is less than the price. The rest was credited or became a debt.
    Part(i64),
    Nothing,
}

impl PaidInvoice {
    /// How much of this price, before tax and in the minor unit, was received.
    ///
    /// The customer's own credit counts as a payment. A credit note does not, and neither does an amount below Stripe's
    /// minimum, which becomes a debt of the customer.
    pub fn received(self, price: i64) -> Received {
        let received = self.amount_paid.saturating_add(self.own_credit()).saturating_sub(self.old_debt());
        if self.total <= 0 || received <= 0 {
            return Received::Nothing;
        }
        if received >= self.total {
            return Received::All;
        }
        let before_tax = i128::from(price).saturating_mul(received.into()).div_euclid(self.total.into());
        let part = i64::try_from(before_tax).ok().filter(|part| *part > 0);
        part.map_or(Received::Nothing, Received::Part)
    }

    /// What the customer's own credit paid.
    pub fn own_credit(self) -> i64 {
        self.ending_balance.min(0).saturating_sub(self.starting_balance.min(0)).max(0)
    }

    /// What was paid with it for earlier invoices.
    fn old_debt(self) -> i64 {
        self.starting_balance.max(0).saturating_sub(self.ending_balance.max(0)).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R1 and R37: `paid` means that nothing is left to pay, not that a payment was made.
    #[test]
    fn only_what_was_paid_counts_whatever_stripe_calls_paid() {
        let part = Received::Part;
        for (why, total, amount_paid, starting_balance, ending_balance, expected) in [
            ("by card", 2_000, 2_000, 0, 0, Received::All),
            ("by card, with tax", 2_500, 2_500, 0, 0, Received::All),
            ("credited in full (R1)", 2_000, 0, 0, 0, Received::Nothing),
            ("credited by nine tenths (R1)", 2_000, 200, 0, 0, part(200)),
            ("credited by nine tenths, with tax (R1)", 2_500, 250, 0, 0, part(200)),
            ("by the customer's credit", 2_000, 0, -2_000, 0, Received::All),
            ("by more of the customer's credit than it takes", 2_000, 0, -5_000, -3_000, Received::All),
            ("by credit and card", 2_000, 1_500, -500, 0, Received::All),
            ("by credit, the rest credited", 2_000, 0, -500, 0, part(500)),
            ("below the minimum (R37)", 40, 0, 0, 40, Received::Nothing),
            ("credit untouched, credited in full", 2_000, 0, -500, -500, Received::Nothing),
            ("by credit, the rest below the minimum", 2_000, 0, -1_970, 30, part(1_970)),
            ("with an old debt", 2_000, 2_300, 300, 0, Received::All),
            ("an old debt alone", 2_000, 300, 300, 0, Received::Nothing),
            ("less than a cent before tax", 2_500, 1, 0, 0, Received::Nothing),
            ("for nothing", 0, 0, 0, 0, Received::Nothing),
        ] {
            let invoice = PaidInvoice { total, amount_paid, starting_balance, ending_balance };
            assert_eq!(invoice.received(total.min(2_000)), expected, "{why}");
        }
    }
}
