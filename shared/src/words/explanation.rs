//! What an entry says about itself, in one sentence: measure, what was billed, credits.

use super::credits;
use crate::domain::payments::ReturnReason;
use crate::domain::{Cause, Credits, Entry, Measure, Operation, PriceLine};

/// `1 min 30.001 s of audio, billed as 90.001 s: 16 credits.`
pub fn explanation(entry: &Entry) -> String {
    let moved = entry.credits;
    match &entry.cause {
        Cause::Charge { operation, price, .. } => {
            let taken = credits(moved.negated());
            match price {
                Some(price) => format!("{}, {}: {taken}.", measured(operation), billed(operation, price)),
                None => format!("{}: {taken}.", measured(operation)),
            }
        }
        Cause::Capture { operation, price, .. } => format!(
            "Captured: {}, {}: {} kept, {} given back.",
            measured(operation),
            billed(operation, price),
            credits(price.price_of(operation.amount)),
            credits(moved),
        ),
        Cause::Void { charge } => format!("Charge {charge} was voided: {} given back.", credits(moved)),
        Cause::Expiry { charge } => {
            format!("Charge {charge} was not captured in time: {} given back.", credits(moved))
        }
        Cause::Restore { charge } => format!("Charge {charge} was restored: {} given back.", credits(moved)),
        Cause::Purchase { package, .. } => format!("Package {package} was bought: {} added.", credits(moved)),
        Cause::TopUp { .. } => format!("Automatic top-up: {} added.", credits(moved)),
        Cause::Reversal { because, .. } if moved < Credits::ZERO => {
            let taken = credits(moved.negated());
            match because {
                ReturnReason::Refund => format!("The payment was refunded: {taken} taken back."),
                ReturnReason::Dispute => format!("The payment was disputed: {taken} taken back."),
            }
        }
        Cause::Reversal { because, .. } => {
            let given = credits(moved);
            match because {
                ReturnReason::Refund => format!("The refund was not made: {given} given back."),
                ReturnReason::Dispute => format!("The dispute was won: {given} given back."),
            }
        }
        Cause::Adjustment { .. } if moved < Credits::ZERO => {
            format!("Adjusted by support: {} taken.", credits(moved.negated()))
        }
        Cause::Adjustment { .. } => format!("Adjusted by support: {} added.", credits(moved)),
        Cause::Import { .. } if moved < Credits::ZERO => {
            format!("Brought over from another system: {} owed.", credits(moved.negated()))
        }
        Cause::Import { .. } => format!("Brought over from another system: {} added.", credits(moved)),
    }
}

fn measured(operation: &Operation) -> String {
    match operation.measure {
        Measure::DurationMs => format!("{} of audio", duration(operation.amount)),
        Measure::MaxMinutes => format!("{} declared", minutes(operation.amount)),
        Measure::Quantity => format!("A quantity of {}", grouped(operation.amount)),
    }
}

/// A quantity has no name for its unit, so the price says what it is.
fn billed(operation: &Operation, price: &PriceLine) -> String {
    let amount = operation.amount;
    if price.is_minimum(amount) {
        return "billed at the minimum".to_owned();
    }
    match operation.measure {
        Measure::DurationMs => format!("billed as {} s", seconds(amount)),
        Measure::MaxMinutes => format!("billed as {}", minutes(amount)),
        Measure::Quantity => {
            let rate = Credits::new(price.credits_per_unit).unwrap_or(Credits::MAX);
            let per =
                if price.unit_size == 1 { "each".to_owned() } else { format!("per {}", grouped(price.unit_size)) };
            format!("billed at {} {per}", credits(rate))
        }
    }
}

/// `1 h 2 min 3.5 s`.
fn duration(milliseconds: i64) -> String {
    let (hours, rest) = (milliseconds / 3_600_000, milliseconds % 3_600_000);
    let (minutes, rest) = (rest / 60_000, rest % 60_000);
    let parts = [
        (hours > 0).then(|| format!("{} h", grouped(hours))),
        (minutes > 0).then(|| format!("{minutes} min")),
        (rest > 0).then(|| format!("{} s", seconds(rest))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// `90.001`, `3,600`.
fn seconds(milliseconds: i64) -> String {
    let whole = grouped(milliseconds / 1_000);
    match milliseconds % 1_000 {
        0 => whole,
        part => format!("{whole}.{}", format!("{part:03}").trim_end_matches('0')),
    }
}

fn minutes(count: i64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "minute" } else { "minutes" })
}

/// An amount has the range of credits.
fn grouped(amount: i64) -> String {
    Credits::new(amount).map_or_else(|| amount.to_string(), Credits::grouped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::charging::{ChargeCommand, ChargeRequest, ExpiresIn, decide_capture, decide_charge};
    use crate::domain::samples::*;
    use crate::domain::{Account, OperationName, PriceBook, PriceBookVersion};

    /// The sentence about a charge at a price of credits per unit, unit size and minimum.
    fn sentence(measure: Measure, amount: i64, (credits_per_unit, unit_size, credits_min): (i64, i64, i64)) -> String {
        let before = Account { balance: Credits::constant(1_000_000), ..account() };
        let version = PriceBookVersion::parse("1").unwrap();
        let operation = Operation { name: OperationName::parse("any").unwrap(), measure, amount };
        let request = ChargeRequest { key: key("job-1"), operation, reference: None, spender: None, expires_in: None };
        let price = PriceLine { version, credits_per_unit, unit_size, credits_min };
        let command = ChargeCommand { price, request, request_id: None };
        explanation(&only_entry(&decide_charge(&before, &PriceBook::reference(), &command, at(0)).unwrap()))
    }

    #[test]
    fn a_charge_is_explained_from_its_measure_to_its_credits() {
        use Measure::{DurationMs, MaxMinutes, Quantity};
        let audio = (10, 60_000, 10);
        for (measure, amount, price, expected) in [
            (DurationMs, 90_001, audio, "1 min 30.001 s of audio, billed as 90.001 s: 16 credits."),
            (DurationMs, 500, audio, "0.5 s of audio, billed at the minimum: 10 credits."),
            (DurationMs, 1, audio, "0.001 s of audio, billed at the minimum: 10 credits."),
            (DurationMs, 59_999, audio, "59.999 s of audio, billed as 59.999 s: 10 credits."),
            (DurationMs, 60_000, audio, "1 min of audio, billed as 60 s: 10 credits."),
            (DurationMs, 3_600_000, audio, "1 h of audio, billed as 3,600 s: 600 credits."),
            (DurationMs, 3_723_040, audio, "1 h 2 min 3.04 s of audio, billed as 3,723.04 s: 621 credits."),
            (MaxMinutes, 1, (10, 1, 10), "1 minute declared, billed as 1 minute: 10 credits."),
            (MaxMinutes, 1_440, (10, 1, 10), "1,440 minutes declared, billed as 1,440 minutes: 14,400 credits."),
            (MaxMinutes, 1, (10, 5, 10), "1 minute declared, billed at the minimum: 10 credits."),
            (Quantity, 1, (1, 1, 1), "A quantity of 1, billed at 1 credit each: 1 credit."),
            (Quantity, 2_500, (3, 1_000, 1), "A quantity of 2,500, billed at 3 credits per 1,000: 8 credits."),
            (Quantity, 200, (3, 1_000, 5), "A quantity of 200, billed at the minimum: 5 credits."),
        ] {
            assert_eq!(sentence(measure, amount, price), expected);
        }
    }

    #[test]
    fn a_capture_is_explained_by_what_it_kept_and_gave_back() {
        let before = Account { balance: Credits::constant(200), ..account() };
        let mut command = charge_command("job-1", "dubbing", 600_000);
        command.request.expires_in = ExpiresIn::new(60).ok();
        let charged = decide_charge(&before, &PriceBook::reference(), &command, at(0)).unwrap();
        let pending = charged.pending_charge().unwrap();
        let captured = decide_capture(&charged.account, pending, Some((Measure::DurationMs, 300_000)), at(1));
        let expected = "Captured: 5 min of audio, billed as 300 s: 50 credits kept, 50 credits given back.";
        assert_eq!(explanation(&only_entry(&captured.unwrap().unwrap())), expected);
    }

    #[test]
    fn every_other_entry_says_what_caused_it() {
        use crate::domain::{PackageId, PurchaseId, SourceId, TopUpId};
        let charge = key("job-1");
        for (cause, expected) in [
            (Cause::Void { charge: charge.clone() }, "Charge job-1 was voided: 16 credits given back."),
            (Cause::Expiry { charge: charge.clone() }, "Charge job-1 was not captured in time: 16 credits given back."),
            (Cause::Restore { charge }, "Charge job-1 was restored: 16 credits given back."),
            (
                Cause::Purchase { purchase: PurchaseId::mint(1), package: PackageId::parse("credits_16").unwrap() },
                "Package credits_16 was bought: 16 credits added.",
            ),
            (Cause::TopUp { top_up: TopUpId::mint(1) }, "Automatic top-up: 16 credits added."),
            (
                Cause::Import { source: SourceId::parse("row-1").unwrap(), reference: None },
                "Brought over from another system: 16 credits added.",
            ),
        ] {
            let credits = Credits::constant(16);
            let entry = Entry { seq: 1, credits, balance_after: credits, created_at: at(0), cause, link: None };
            assert_eq!(explanation(&entry), expected);
        }
    }
}
