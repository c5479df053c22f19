//! The currencies that can be sold in, and how an amount of each is counted, checked and written.
//!
//! Three facts of a currency are independent of each other and of ISO 4217: the decimals of Stripe's `amount`, the step
//! that an amount must be a multiple of, and the decimals that people see. So all of them are in one table of our own,
//! and none is derived: <https://docs.stripe.com/currencies#special-cases>.

use std::fmt::{self, Write};

/// A currency of the table. Copied like a number; two are equal if their codes are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(&'static Row);

#[derive(PartialEq, Eq, Hash)]
struct Row {
    /// ISO 4217, in upper case.
    code: &'static str,
    unit: Unit,
    /// Stripe's least charge in the minor unit, if it names one:
    /// <https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>.
    minimum_charge: Option<i64>,
    /// What stands before the number in English. A currency without a symbol shows its code.
    symbol: Option<&'static str>,
    /// Whether Stripe no longer charges in it. Old amounts in it are still read and shown.
    is_retired: bool,
}

/// How amounts of a currency are counted and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Unit {
    /// The decimals of Stripe's `amount`: 500 is 5.00 with two of them.
    decimals: u32,
    /// Every amount is a multiple of this.
    step: i64,
    /// The decimals that people see: those that the step allows.
    shown_decimals: u32,
}

const WHOLE: Unit = Unit { decimals: 0, step: 1, shown_decimals: 0 };
const HUNDREDTHS: Unit = Unit { decimals: 2, step: 1, shown_decimals: 2 };
/// Counted in hundredths, although the currency has none.
const WHOLE_IN_HUNDREDTHS: Unit = Unit { decimals: 2, step: 100, shown_decimals: 0 };
const THOUSANDTHS: Unit = Unit { decimals: 3, step: 10, shown_decimals: 3 };

/// A code that no price book can be written in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCurrency {
    #[error("{0:?} is not the code of a currency that Stripe charges in")]
    Unknown(String),
    #[error("Stripe no longer charges in {0}")]
    Retired(Currency),
}

impl Currency {
    /// The currency of amounts that were stored before there were others.
    pub const USD: Self = Self(&TABLE[0]);

    /// The currency that a price book names, in upper or lower case.
    ///
    /// # Errors
    /// [`InvalidCurrency`] for a code that is not in the table, or that Stripe no longer charges in.
    pub fn parse(code: &str) -> Result<Self, InvalidCurrency> {
        match Self::all().find(|currency| currency.is_named(code)) {
            Some(currency) if currency.0.is_retired => Err(InvalidCurrency::Retired(currency)),
            Some(currency) => Ok(currency),
            None => Err(InvalidCurrency::Unknown(code.chars().take(Self::SHOWN_OF_UNKNOWN).collect())),
        }
    }

    /// The currency of a stored amount, which keeps its code even after Stripe stopped charging in it.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::all().find(|currency| currency.0.code == code)
    }

    /// Whether this is its code, in upper or lower case.
    pub fn is_named(self, code: &str) -> bool {
        self.0.code.eq_ignore_ascii_case(code)
    }

    /// ISO 4217 in upper case, for people, the API and the table.
    pub fn code(self) -> &'static str {
        self.0.code
    }

    /// ISO 4217 in lower case, for Stripe.
    pub fn lower_case_code(self) -> String {
        self.0.code.to_ascii_lowercase()
    }

    /// Every amount in the minor unit is a multiple of this.
    pub fn step(self) -> i64 {
        self.0.unit.step
    }

    /// Stripe's least charge in the minor unit. `None` if Stripe names none; then the price book must.
    pub fn minimum_charge(self) -> Option<i64> {
        self.0.minimum_charge
    }

    /// The largest multiple of the step that is not above this.
    pub fn down_to_step(self, minor: i64) -> i64 {
        minor.saturating_sub(minor.checked_rem_euclid(self.step()).unwrap_or(0))
    }

    /// The amounts of a range, in the minor unit: `from 500 to 10000 in steps of 100`.
    pub fn describe_range(self, min: i64, max: i64) -> String {
        let step = self.step();
        let steps = if step > 1 { format!(" in steps of {step}") } else { String::new() };
        format!("from {min} to {max}{steps}")
    }

    /// In English, in major units and always with the currency's decimals: `$1,250.00`, `¥1,250`, `CHF 12.50`, `-€0.05`.
    /// A no-break space keeps a code and its number on one line.
    pub fn format(self, minor: i64) -> String {
        let (whole, part) = self.split(minor.unsigned_abs());
        let mut text = String::from(if minor < 0 { "-" } else { "" });
        match self.0.symbol {
            Some(symbol) => text.push_str(symbol),
            None => {
                text.push_str(self.0.code);
                text.push(NO_BREAK_SPACE);
            }
        }
        text.push_str(&grouped(whole));
        if let Some(part) = part {
            let width = usize::try_from(self.0.unit.shown_decimals).unwrap_or_default();
            let _ = write!(text, ".{part:0width$}");
        }
        text
    }

    /// The same with the code, for consents and receipts: `$1,250.00 USD`, `CHF 12.50`.
    pub fn format_with_code(self, minor: i64) -> String {
        let text = self.format(minor);
        if self.0.symbol.is_none() { text } else { format!("{text}{NO_BREAK_SPACE}{}", self.0.code) }
    }

    /// As a person would type it: `1250.00`, `1250`.
    pub fn plain(self, minor: i64) -> String {
        let (whole, part) = self.split(minor.unsigned_abs());
        let width = usize::try_from(self.0.unit.shown_decimals).unwrap_or_default();
        let part = part.map_or(String::new(), |part| format!(".{part:0width$}"));
        format!("{}{whole}{part}", if minor < 0 { "-" } else { "" })
    }

    /// What a person typed, in the minor unit: digits, and after a point at most the decimals that the currency shows. `None`
    /// for anything else, since a separator for thousands in one country is a decimal point in another.
    pub fn read_plain(self, text: &str) -> Option<i64> {
        let (whole, part) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let shown = usize::try_from(self.0.unit.shown_decimals).ok()?;
        if !is_number(whole) || part.is_some_and(|part| !is_number(part) || part.len() > shown) {
            return None;
        }
        let decimals = usize::try_from(self.0.unit.decimals).ok()?;
        format!("{whole}{:0<decimals$}", part.unwrap_or_default()).parse().ok()
    }

    /// The whole units, and what is left in shown decimals, if any are shown.
    fn split(self, minor: u64) -> (u64, Option<u64>) {
        let unit = 10_u64.saturating_pow(self.0.unit.decimals);
        let whole = minor.checked_div(unit).unwrap_or(minor);
        let part = minor.checked_rem(unit).unwrap_or_default();
        (whole, (self.0.unit.shown_decimals > 0).then_some(part))
    }

    /// Every currency of the table, those that are no longer charged in included.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// The length to which a wrong code is repeated in an error.
    const SHOWN_OF_UNKNOWN: usize = 20;
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.code)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.code)
    }
}

const NO_BREAK_SPACE: char = '\u{a0}';

/// With thousands separators: `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && digits.len().saturating_sub(position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const fn row(code: &'static str, unit: Unit) -> Row {
    Row { code, unit, minimum_charge: None, symbol: None, is_retired: false }
}

impl Row {
    const fn minimum(self, minor: i64) -> Self {
        Self { minimum_charge: Some(minor), ..self }
    }

    const fn symbol(self, symbol: &'static str) -> Self {
        Self { symbol: Some(symbol), ..self }
    }

    const fn retired(self) -> Self {
        Self { is_retired: true, ..self }
    }
}

/// The currencies that Stripe charges in, and those that it used to. A row is never removed or changed, because stored
/// amounts keep their code, their digits and their text.
///
/// Symbols are those of English in CLDR that name one currency only; a dollar sign alone is the US dollar.
static TABLE: [Row; 142] = [
    row("USD", HUNDREDTHS).minimum(50).symbol("$"),
    row("AED", HUNDREDTHS).minimum(200),
    row("AFN", HUNDREDTHS),
    row("ALL", HUNDREDTHS),
    row("AMD", HUNDREDTHS),
    row("ANG", HUNDREDTHS).retired(),
    row("AOA", HUNDREDTHS),
    row("ARS", HUNDREDTHS),
    row("AUD", HUNDREDTHS).minimum(50).symbol("A$"),
    row("AWG", HUNDREDTHS),
    row("AZN", HUNDREDTHS),
    row("BAM", HUNDREDTHS),
    row("BBD", HUNDREDTHS),
    row("BDT", HUNDREDTHS),
    row("BGN", HUNDREDTHS).retired(),
    row("BHD", THOUSANDTHS),
    row("BIF", WHOLE),
    row("BMD", HUNDREDTHS),
    row("BND", HUNDREDTHS),
    row("BOB", HUNDREDTHS),
    row("BRL", HUNDREDTHS).minimum(50).symbol("R$"),
    row("BSD", HUNDREDTHS),
    row("BWP", HUNDREDTHS),
    row("BYN", HUNDREDTHS),
    row("BZD", HUNDREDTHS),
    row("CAD", HUNDREDTHS).minimum(50).symbol("CA$"),
    row("CDF", HUNDREDTHS),
    row("CHF", HUNDREDTHS).minimum(50),
    row("CLP", WHOLE),
    row("CNY", HUNDREDTHS).symbol("CN¥"),
    row("COP", HUNDREDTHS),
    row("CRC", HUNDREDTHS),
    row("CVE", HUNDREDTHS),
    row("CZK", HUNDREDTHS).minimum(1_500),
    row("DJF", WHOLE),
    row("DKK", HUNDREDTHS).minimum(250),
    row("DOP", HUNDREDTHS),
    row("DZD", HUNDREDTHS),
    row("EGP", HUNDREDTHS),
    row("ETB", HUNDREDTHS),
    row("EUR", HUNDREDTHS).minimum(50).symbol("€"),
    row("FJD", HUNDREDTHS),
    row("FKP", HUNDREDTHS),
    row("GBP", HUNDREDTHS).minimum(30).symbol("£"),
    row("GEL", HUNDREDTHS),
    row("GIP", HUNDREDTHS),
    row("GMD", HUNDREDTHS),
    row("GNF", WHOLE),
    row("GTQ", HUNDREDTHS),
    row("GYD", HUNDREDTHS),
    row("HKD", HUNDREDTHS).minimum(400).symbol("HK$"),
    row("HNL", HUNDREDTHS),
    row("HRK", HUNDREDTHS).retired(),
    row("HTG", HUNDREDTHS),
    row("HUF", HUNDREDTHS).minimum(17_500),
    row("IDR", HUNDREDTHS),
    row("ILS", HUNDREDTHS).symbol("₪"),
    row("INR", HUNDREDTHS).minimum(50).symbol("₹"),
    row("ISK", WHOLE_IN_HUNDREDTHS),
    row("JMD", HUNDREDTHS),
    row("JOD", THOUSANDTHS),
    row("JPY", WHOLE).minimum(50).symbol("¥"),
    row("KES", HUNDREDTHS),
    row("KGS", HUNDREDTHS),
    row("KHR", HUNDREDTHS),
    row("KMF", WHOLE),
    row("KRW", WHOLE).minimum(50).symbol("₩"),
    row("KWD", THOUSANDTHS),
    row("KYD", HUNDREDTHS),
    row("KZT", HUNDREDTHS),
    row("LAK", HUNDREDTHS),
    row("LBP", HUNDREDTHS),
    row("LKR", HUNDREDTHS),
    row("LRD", HUNDREDTHS),
    row("LSL", HUNDREDTHS),
    row("MAD", HUNDREDTHS),
    row("MDL", HUNDREDTHS),
    row("MGA", WHOLE),
    row("MKD", HUNDREDTHS),
    row("MMK", HUNDREDTHS),
    row("MNT", HUNDREDTHS),
    row("MOP", HUNDREDTHS),
    row("MUR", HUNDREDTHS),
    row("MVR", HUNDREDTHS),
    row("MWK", HUNDREDTHS),
    row("MXN", HUNDREDTHS).minimum(1_000).symbol("MX$"),
    row("MYR", HUNDREDTHS).minimum(200),
    row("MZN", HUNDREDTHS),
    row("NAD", HUNDREDTHS),
    row("NGN", HUNDREDTHS),
    row("NIO", HUNDREDTHS),
    row("NOK", HUNDREDTHS).minimum(300),
    row("NPR", HUNDREDTHS),
    row("NZD", HUNDREDTHS).minimum(50).symbol("NZ$"),
    row("OMR", THOUSANDTHS),
    row("PAB", HUNDREDTHS),
    row("PEN", HUNDREDTHS),
    row("PGK", HUNDREDTHS),
    row("PHP", HUNDREDTHS).symbol("₱"),
    row("PKR", HUNDREDTHS),
    row("PLN", HUNDREDTHS).minimum(200),
    row("PYG", WHOLE),
    row("QAR", HUNDREDTHS),
    row("RON", HUNDREDTHS).minimum(200),
    row("RSD", HUNDREDTHS),
    row("RUB", HUNDREDTHS),
    row("RWF", WHOLE),
    row("SAR", HUNDREDTHS),
    row("SBD", HUNDREDTHS),
    row("SCR", HUNDREDTHS),
    row("SEK", HUNDREDTHS).minimum(300),
    row("SGD", HUNDREDTHS).minimum(50),
    row("SHP", HUNDREDTHS),
    row("SLE", HUNDREDTHS),
    row("SLL", HUNDREDTHS).retired(),
    row("SOS", HUNDREDTHS),
    row("SRD", HUNDREDTHS),
    row("STD", HUNDREDTHS),
    row("SZL", HUNDREDTHS),
    row("THB", HUNDREDTHS).minimum(1_000),
    row("TJS", HUNDREDTHS),
    row("TND", THOUSANDTHS),
    row("TOP", HUNDREDTHS),
    row("TRY", HUNDREDTHS),
    row("TTD", HUNDREDTHS),
    row("TWD", HUNDREDTHS).symbol("NT$"),
    row("TZS", HUNDREDTHS),
    row("UAH", HUNDREDTHS),
    row("UGX", WHOLE_IN_HUNDREDTHS),
    row("UYU", HUNDREDTHS),
    row("UZS", HUNDREDTHS),
    row("VND", WHOLE).symbol("₫"),
    row("VUV", WHOLE),
    row("WST", HUNDREDTHS),
    row("XAF", WHOLE),
    row("XCD", HUNDREDTHS).symbol("EC$"),
    row("XCG", HUNDREDTHS),
    row("XOF", WHOLE),
    row("XPF", WHOLE),
    row("YER", HUNDREDTHS),
    row("ZAR", HUNDREDTHS),
    row("ZMW", HUNDREDTHS),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn currency(code: &str) -> Currency {
        Currency::of_code(code).unwrap()
    }

    /// Byte by byte. A tilde stands for the no-break space.
    #[test]
    fn what_a_person_types_is_read_as_it_is_written_in_every_currency() {
        for currency in Currency::all() {
            for steps in [0, 1, 9, 10, 99, 100, 12_345, 9_999_999] {
                let minor = steps * currency.step();
                assert_eq!(currency.read_plain(&currency.plain(minor)), Some(minor), "{minor} {currency}");
            }
        }
        let named = |code| Currency::parse(code).unwrap();
        for (code, text, minor) in [
            ("USD", "1250", Some(125_000)),
            ("USD", "120.5", Some(12_050)),
            ("USD", "0.05", Some(5)),
            ("USD", "007", Some(700)),
            ("JPY", "1250", Some(1_250)),
            ("JPY", "1250.0", None),
            ("KWD", "1.25", Some(1_250)),
            ("USD", "1.234", None),
            ("USD", "1,250.00", None),
            ("USD", "12,50", None),
            ("USD", "-1", None),
            ("USD", "+1", None),
            ("USD", " 1", None),
            ("USD", "1e3", None),
            ("USD", ".5", None),
            ("USD", "5.", None),
            ("USD", "1.2.3", None),
            ("USD", "", None),
            ("USD", "99999999999999999999", None),
        ] {
            assert_eq!(named(code).read_plain(text), minor, "{text} {code}");
        }
    }

    #[test]
    fn amounts_are_written_in_english_as_in_the_golden_table() {
        for (code, minor, text, with_code) in [
            ("EUR", -123_450, "-€1,234.50", "-€1,234.50~EUR"),
            ("USD", 123_450, "$1,234.50", "$1,234.50~USD"),
            ("CHF", 123_456_750, "CHF~1,234,567.50", "CHF~1,234,567.50"),
            ("USD", 0, "$0.00", "$0.00~USD"),
            ("USD", 5, "$0.05", "$0.05~USD"),
            ("USD", -5, "-$0.05", "-$0.05~USD"),
            ("USD", 500, "$5.00", "$5.00~USD"),
            ("USD", 1_250, "$12.50", "$12.50~USD"),
            ("USD", 125_000, "$1,250.00", "$1,250.00~USD"),
            ("USD", 999_999_999_999, "$9,999,999,999.99", "$9,999,999,999.99~USD"),
            ("GBP", 30, "£0.30", "£0.30~GBP"),
            ("CHF", -1, "-CHF~0.01", "-CHF~0.01"),
            // Five of each, as Stripe counts it.
            ("UGX", 500, "UGX~5", "UGX~5"),
            ("ISK", 500, "ISK~5", "ISK~5"),
            ("MGA", 5, "MGA~5", "MGA~5"),
            ("HUF", 500, "HUF~5.00", "HUF~5.00"),
            ("KWD", 5_000, "KWD~5.000", "KWD~5.000"),
            ("JPY", 5, "¥5", "¥5~JPY"),
            ("IDR", 500, "IDR~5.00", "IDR~5.00"),
            ("TWD", 500, "NT$5.00", "NT$5.00~TWD"),
            ("JPY", 0, "¥0", "¥0~JPY"),
            ("JPY", -1_250, "-¥1,250", "-¥1,250~JPY"),
            ("ISK", 125_000_000, "ISK~1,250,000", "ISK~1,250,000"),
            ("KWD", 1_234_560, "KWD~1,234.560", "KWD~1,234.560"),
            ("KWD", 10, "KWD~0.010", "KWD~0.010"),
            ("COP", 123_450, "COP~1,234.50", "COP~1,234.50"),
            ("PKR", 123_450, "PKR~1,234.50", "PKR~1,234.50"),
            ("IDR", 2_000_000_000, "IDR~20,000,000.00", "IDR~20,000,000.00"),
            ("CNY", 100, "CN¥1.00", "CN¥1.00~CNY"),
            ("CAD", 100, "CA$1.00", "CA$1.00~CAD"),
            ("KRW", 50, "₩50", "₩50~KRW"),
            ("XAF", 1_250, "XAF~1,250", "XAF~1,250"),
        ] {
            let currency = currency(code);
            assert_eq!(currency.format(minor), text.replace('~', "\u{a0}"), "{minor} {code}");
            assert_eq!(currency.format_with_code(minor), with_code.replace('~', "\u{a0}"), "{minor} {code}");
        }
    }

    /// Five of each: what differs between ISO 4217, CLDR and Stripe.
    #[test]
    fn decimals_step_and_shown_decimals_are_stripes() {
        let units = |unit: Unit| {
            let codes = Currency::all().filter(move |currency| currency.0.unit == unit).map(Currency::code);
            codes.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(units(WHOLE), "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF");
        assert_eq!(units(WHOLE_IN_HUNDREDTHS), "ISK UGX");
        assert_eq!(units(THOUSANDTHS), "BHD JOD KWD OMR TND");
        for code in ["AFN", "ALL", "COP", "HUF", "IDR", "LAK", "LBP", "MMK", "PKR", "RSD", "SOS", "STD", "TWD", "YER"] {
            assert_eq!(currency(code).0.unit, HUNDREDTHS, "{code}");
        }
    }

    #[test]
    fn the_minimum_charges_are_those_that_stripe_names() {
        let named = Currency::all().filter_map(|currency| Some((currency, currency.minimum_charge()?)));
        let written: Vec<_> = named.map(|(currency, minimum)| currency.format_with_code(minimum)).collect();
        assert_eq!(
            written.join(", ").replace('\u{a0}', "~"),
            "$0.50~USD, AED~2.00, A$0.50~AUD, R$0.50~BRL, CA$0.50~CAD, CHF~0.50, CZK~15.00, DKK~2.50, €0.50~EUR, \
             £0.30~GBP, HK$4.00~HKD, HUF~175.00, ₹0.50~INR, ¥50~JPY, ₩50~KRW, MX$10.00~MXN, MYR~2.00, NOK~3.00, \
             NZ$0.50~NZD, PLN~2.00, RON~2.00, SEK~3.00, SGD~0.50, THB~10.00"
        );
    }

    #[test]
    fn every_currency_is_parsed_in_any_case_and_has_consistent_facts() {
        assert_eq!(Currency::USD.code(), "USD");
        let codes: BTreeSet<_> = Currency::all().map(Currency::code).collect();
        assert_eq!(codes.len(), TABLE.len(), "no code is listed twice");
        for currency in Currency::all() {
            let (code, Unit { decimals, step, shown_decimals }) = (currency.code(), currency.0.unit);
            assert!(code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()), "{code}");
            let expected = if currency.0.is_retired { Err(InvalidCurrency::Retired(currency)) } else { Ok(currency) };
            for spelled in
                [code.to_owned(), currency.lower_case_code(), format!("{}{}", &code[..1], code[1..].to_lowercase())]
            {
                assert_eq!(Currency::parse(&spelled), expected, "{spelled}");
            }
            assert_eq!(Currency::of_code(code), Some(currency), "a stored code is read for ever");
            let hidden = 10_i64.pow(decimals - shown_decimals);
            assert!(step % hidden == 0, "{code}: a valid amount is never shown rounded");
            let minimum = currency.minimum_charge().unwrap_or(step);
            assert!(minimum > 0 && currency.down_to_step(minimum) == minimum, "{code}");
        }
    }

    /// What is shown says exactly what was charged: digits, and nothing else that changes.
    #[test]
    fn every_amount_of_every_currency_can_be_read_back() {
        for currency in Currency::all() {
            let Unit { decimals, step, shown_decimals } = currency.0.unit;
            for steps in [0, 1, 9, 10, 99, 100, 1_001, 123_456, 999_999_999] {
                for minor in [steps * step, -steps * step] {
                    let text = currency.format(minor);
                    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                    let magnitude: i64 = digits.parse().unwrap();
                    let read = magnitude * 10_i64.pow(decimals - shown_decimals);
                    assert_eq!(if text.starts_with('-') { -read } else { read }, minor, "{text}");
                    let shown = text.split_once('.').map_or(0, |(_, part)| part.len());
                    assert_eq!(shown, shown_decimals as usize, "{text} always has the same number of decimals");
                    assert!(minor != 0 || !text.contains('-'), "{text}");
                    assert!(!text.contains(' '), "{text} stays on one line");
                    assert!(currency.format_with_code(minor).contains(currency.code()), "{text}");
                }
            }
        }
    }

    #[test]
    fn symbols_name_one_currency() {
        let symbols: Vec<_> = Currency::all().filter_map(|currency| currency.0.symbol).collect();
        assert_eq!(symbols.iter().collect::<BTreeSet<_>>().len(), symbols.len());
        assert!(symbols.iter().all(|symbol| !symbol.ends_with(char::is_alphabetic)), "no space is needed after it");
    }

    #[test]
    fn a_code_that_is_not_in_the_table_is_refused() {
        for (code, message) in [
            ("", "\"\" is not the code of a currency that Stripe charges in"),
            ("US", "\"US\" is not the code of a currency that Stripe charges in"),
            ("USD ", "\"USD \" is not the code of a currency that Stripe charges in"),
            ("IRR", "\"IRR\" is not the code of a currency that Stripe charges in"),
            ("KPW", "\"KPW\" is not the code of a currency that Stripe charges in"),
            ("$", "\"$\" is not the code of a currency that Stripe charges in"),
            ("ＵＳＤ", "\"ＵＳＤ\" is not the code of a currency that Stripe charges in"),
            ("hrk", "Stripe no longer charges in HRK"),
            ("ANG", "Stripe no longer charges in ANG"),
        ] {
            assert_eq!(Currency::parse(code).unwrap_err().to_string(), message);
        }
        let long = Currency::parse(&"x".repeat(1_000)).unwrap_err();
        assert_eq!(long, InvalidCurrency::Unknown("x".repeat(20)));
        assert_eq!(Currency::of_code("usd"), None, "we store upper case only");
    }

    #[test]
    fn an_amount_is_brought_down_to_a_step() {
        for (code, minor, expected) in [
            ("USD", 501, 501),
            ("KWD", 5_129, 5_120),
            ("KWD", 5_120, 5_120),
            ("ISK", 599, 500),
            ("ISK", 99, 0),
            ("KWD", i64::MAX, i64::MAX - 7),
        ] {
            assert_eq!(currency(code).down_to_step(minor), expected, "{minor} {code}");
        }
    }
}
