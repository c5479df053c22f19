//! Stripe's rules for currencies, and the arithmetic that depends on them.
//!
//! The rules are Stripe's own and do not follow from ISO 4217: <https://docs.stripe.com/currencies#special-cases>.

use crate::error::ApiError;

/// Basis points in one whole.
const BASIS_POINTS: i128 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    /// The decimals of an `amount`.
    decimals: u32,
    /// Every `amount` is a multiple of this.
    step: i64,
    /// The decimals that people see.
    shown_decimals: u32,
}

const HUNDREDTHS: Facts = Facts { decimals: 2, step: 1, shown_decimals: 2 };

fn facts(currency: &str) -> Facts {
    match currency {
        "bif" | "clp" | "djf" | "gnf" | "jpy" | "kmf" | "krw" | "mga" | "pyg" | "rwf" | "vnd" | "vuv" | "xaf"
        | "xof" | "xpf" => Facts { decimals: 0, step: 1, shown_decimals: 0 },
        // In hundredths, although the currency has none.
        "isk" | "ugx" => Facts { decimals: 2, step: 100, shown_decimals: 0 },
        "bhd" | "jod" | "kwd" | "omr" | "tnd" => Facts { decimals: 3, step: 10, shown_decimals: 3 },
        _ => HUNDREDTHS,
    }
}

/// The least that can be charged, where Stripe names one: <https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>.
///
/// The stand-in settles every currency in itself. Zero is not a charge and always allowed.
pub(crate) fn minimum_charge(currency: &str) -> i64 {
    match currency {
        "usd" | "eur" | "chf" | "aud" | "cad" | "nzd" | "sgd" | "brl" | "inr" | "jpy" | "krw" => 50,
        "gbp" => 30,
        "pln" | "ron" | "aed" | "myr" => 200,
        "dkk" => 250,
        "nok" | "sek" => 300,
        "hkd" => 400,
        "thb" | "mxn" => 1_000,
        "czk" => 1_500,
        "huf" => 17_500,
        _ => 0,
    }
}

/// # Errors
/// If Stripe does not accept this amount of the currency, such as 5.005 KWD or half a króna.
pub(crate) fn require_step(amount: i64, currency: &str, param: &str) -> Result<(), ApiError> {
    let step = facts(currency).step;
    if amount % step == 0 {
        return Ok(());
    }
    let name = currency.to_ascii_uppercase();
    let message = format!("Invalid amount: an amount in {name} is a multiple of {step}.");
    Err(ApiError::invalid_parameter("parameter_invalid_integer", param, message))
}

/// # Errors
/// `amount_too_small` for a payment below the currency's minimum.
pub(crate) fn require_minimum(amount: i64, currency: &str) -> Result<(), ApiError> {
    let minimum = minimum_charge(currency);
    if amount >= minimum {
        return Ok(());
    }
    let message = format!("The amount must be at least {}.", format_amount(minimum, currency));
    Err(ApiError::invalid_parameter("amount_too_small", "amount", message))
}

/// The share of `amount` for `basis_points`, rounded to a valid amount of the currency, half away from zero. The same
/// rounding applies to an invoice and to its credit note, so they cancel out.
pub(crate) fn share_of(amount: i64, basis_points: u32, currency: &str) -> i64 {
    let unit = BASIS_POINTS * i128::from(facts(currency).step);
    let exact = i128::from(amount.unsigned_abs()) * i128::from(basis_points);
    let units = (2 * exact + unit) / (2 * unit);
    let rounded = i64::try_from(units).expect("a share of an amount fits in the same type") * facts(currency).step;
    if amount < 0 { -rounded } else { rounded }
}

/// For people to read, in major units and always with the currency's decimals.
pub(crate) fn format_amount(amount: i64, currency: &str) -> String {
    let Facts { decimals, shown_decimals, .. } = facts(currency);
    let name = currency.to_ascii_uppercase();
    let sign = if amount < 0 { "-" } else { "" };
    let unit = 10_u64.pow(decimals);
    let (whole, part) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
    if shown_decimals == 0 {
        return format!("{sign}{whole} {name}");
    }
    format!("{sign}{whole}.{part:0width$} {name}", width = shown_decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::{format_amount, minimum_charge, require_minimum, require_step, share_of};

    // R41
    #[test]
    fn five_of_each_currency_is_written_as_stripe_writes_it_and_shown_as_people_do() {
        for (currency, amount, shown) in [
            ("usd", 500, "5.00 USD"),
            ("jpy", 5, "5 JPY"),
            ("mga", 5, "5 MGA"),
            ("ugx", 500, "5 UGX"),
            ("isk", 500, "5 ISK"),
            ("huf", 500, "5.00 HUF"),
            ("twd", 500, "5.00 TWD"),
            ("idr", 500, "5.00 IDR"),
            ("kwd", 5_000, "5.000 KWD"),
            ("tnd", 5_120, "5.120 TND"),
            ("kwd", -20, "-0.020 KWD"),
            ("usd", -1, "-0.01 USD"),
            ("usd", 0, "0.00 USD"),
            ("jpy", -7, "-7 JPY"),
        ] {
            assert_eq!(format_amount(amount, currency), shown);
        }
    }

    // R41
    #[test]
    fn an_amount_between_two_steps_is_refused() {
        for (currency, amount, is_taken) in [
            ("usd", 501, true),
            ("jpy", 7, true),
            ("huf", 501, true),
            ("twd", 501, true),
            ("isk", 500, true),
            ("isk", 550, false),
            ("ugx", 501, false),
            ("kwd", 5_120, true),
            ("kwd", 5_124, false),
            ("bhd", -5_125, false),
        ] {
            let refusal = require_step(amount, currency, "amount").err();
            assert_eq!(refusal.is_none(), is_taken, "{amount} {currency}");
            assert!(refusal.is_none_or(|refusal| refusal.code == Some("parameter_invalid_integer")));
        }
    }

    // R41
    #[test]
    fn tax_is_rounded_half_away_from_zero_to_what_the_currency_can_express() {
        for (amount, basis_points, currency, tax) in [
            (1_000, 825, "usd", 83),
            (50, 1_900, "usd", 10),
            (-50, 1_900, "usd", -10),
            (-1_000, 825, "usd", -83),
            (333, 1_900, "eur", 63),
            (0, 1_900, "eur", 0),
            (500, 2_400, "isk", 100),
            (600, 2_500, "isk", 200),
            (5_120, 500, "kwd", 260),
            (100, 10_000, "usd", 100),
            (i64::MAX, 10_000, "usd", i64::MAX),
        ] {
            assert_eq!(share_of(amount, basis_points, currency), tax, "{amount} {currency} at {basis_points}");
        }
    }

    // R41
    #[test]
    fn the_minimum_charge_is_the_currencys_own() {
        for (currency, minimum) in
            [("usd", 50), ("gbp", 30), ("jpy", 50), ("huf", 17_500), ("czk", 1_500), ("mxn", 1_000), ("kwd", 0)]
        {
            assert_eq!(minimum_charge(currency), minimum, "{currency}");
            assert!(require_minimum(minimum, currency).is_ok());
            let below = require_minimum(minimum - 1, currency).expect_err("below the minimum");
            assert_eq!(below.code, Some("amount_too_small"));
        }
    }
}
