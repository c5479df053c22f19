//! Identifiers. Each kind has its own type, parsed once at the border, so that kinds cannot be mixed up.

use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// A text that is not a valid id of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {expected}")]
pub struct InvalidId {
    /// The kind of id, in words.
    pub what: &'static str,
    /// What a valid id looks like.
    pub expected: &'static str,
}

/// The idempotency key was already used for another request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the idempotency key {key} was already used for another request")]
pub struct KeyReused {
    pub key: IdempotencyKey,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:expr, $is_valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// # Errors
            /// [`InvalidId`] if the text has an invalid length or character.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(&text) { Ok(Self(text)) } else { Err(InvalidId { what: $what, expected: $expected }) }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

impl IdempotencyKey {
    /// Most clients remove such a key from a path, so a charge under it could not be restored.
    pub fn is_only_dots(&self) -> bool {
        matches!(self.as_str(), "." | "..")
    }
}

/// The company's own reference for a charge (a job number, a file name), shown in the history.
///
/// Stored in Unicode's composed form, so that the same name from two platforms is the same reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(String);

/// A text that is not a valid reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    #[error("reference must be 1 to {} characters", Reference::CHARACTERS_MAX)]
    Length,
    /// With such characters, two different references could look the same, or one could look like another.
    #[error("reference must not have the character U+{:04X}, which cannot be seen", u32::from(*character))]
    Invisible { character: char },
}

impl Reference {
    pub const CHARACTERS_MAX: usize = 200;

    /// Parses a stored reference. An earlier release may have accepted invisible characters.
    ///
    /// # Errors
    /// [`InvalidId`] if the text has an invalid length or control characters.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
        const EXPECTED: &str = "1 to 200 characters, none of them a control character";
        let text: String = text.into().nfc().collect();
        if (1..=Self::CHARACTERS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
            Ok(Self(text))
        } else {
            Err(InvalidId { what: "reference", expected: EXPECTED })
        }
    }

    /// Parses the reference of a new charge.
    ///
    /// # Errors
    /// [`InvalidReference`] if the text has an invalid length, control characters or invisible formatting.
    pub fn parse_new(text: impl Into<String>) -> Result<Self, InvalidReference> {
        let text = text.into();
        match text.chars().find(|character| character.is_control() || is_invisible(*character)) {
            Some(character) => Err(InvalidReference::Invisible { character }),
            None => Self::parse(text).map_err(|_| InvalidReference::Length),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub(crate) fn is_visible(character: char) -> bool {
    !character.is_control() && !is_invisible(character)
}

/// Characters that are invisible, end a line or change the text direction: Unicode's formatting characters and line
/// separators, except the two joiners, which Persian and emoji need.
/// <https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing>
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

macro_rules! minted_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $prefix:literal) => {
        id!($(#[$doc])* $name, $what, concat!($prefix, " and 32 hexadecimal digits"), |text| is_minted(text, $prefix));

        impl $name {
            /// The id made of 128 unique bits. Ids sort by time if the bits do.
            pub fn mint(unique: u128) -> Self {
                Self(format!(concat!($prefix, "{:032x}"), unique))
            }
        }
    };
}

id!(
    /// One customer of the company, with the company's own id: the `sub` of its tokens.
    AccountId, "account", "1 to 64 characters of A-Z a-z 0-9 _ -",
    |text| has_characters(text, 64, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
);
id!(
    /// The caller's name for one movement of money. It never expires, and is also the id of the charge it made.
    ///
    /// No commas, which separate two keys in a header, and no quotation marks, which may enclose a key.
    IdempotencyKey, "Idempotency-Key", "1 to 128 visible ASCII characters other than \" \\ ,",
    |text| has_characters(text, 128, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b','))
);
id!(
    /// The other system's own name for an opening balance that is imported from it. It is imported once, whichever
    /// account it belongs to.
    SourceId, "source_id", "1 to 128 visible ASCII characters other than \" \\ ,",
    |text| has_characters(text, 128, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b','))
);
id!(
    /// Who consented to automatic top-ups: a user's id or e-mail address in the company's own system.
    ///
    /// Limited in bytes, since it is part of the account's item, which must stay below 1 KB.
    Consenter, "consent.accepted_by", "a text of at most 100 bytes, none of them a control character",
    |text| (1..=100).contains(&text.len()) && !text.chars().any(char::is_control)
);
id!(
    /// Who changed what the customer controls: a user's id or e-mail address in the company's own system.
    Actor, "changed_by", "a text of at most 100 bytes, none of them a control character",
    |text| (1..=100).contains(&text.len()) && !text.chars().any(char::is_control)
);
id!(
    /// For whom a charge is made: the customer's API key, project or user, with the company's own name.
    ///
    /// It may be personal data, so it is never logged.
    Spender, "spender", "1 to 64 characters of A-Z a-z 0-9 _ . : @ -",
    |text| has_characters(text, 64, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'@' | b'-')
    })
);
id!(
    /// The id that API Gateway gave to a request, as its response shows it.
    RequestId, "request", "1 to 64 visible ASCII characters",
    |text| has_characters(text, 64, |byte| byte.is_ascii_graphic())
);
id!(
    /// Why an account is restricted, in words that the customer is shown.
    ///
    /// Limited in bytes, since it is part of the account's item, which must stay below 1 KB.
    RestrictionReason, "reason", "a text of at most 100 bytes, none of them a control character",
    |text| (1..=100).contains(&text.len()) && !text.chars().any(char::is_control)
);
id!(
    /// Who acts for the company's support: the `sub` of the token.
    ///
    /// It may be personal data, so it is never logged.
    Operator, "sub", "a text of at most 255 bytes, none of them a control character",
    |text| (1..=255).contains(&text.len()) && !text.chars().any(char::is_control)
);
id!(
    /// Why support acts, in the operator's words. An adjustment's customer is shown them.
    ///
    /// They may be personal data, so they are never logged.
    ActReason, "reason", "1 to 200 characters, all of them visible",
    |text| (1..=200).contains(&text.chars().count()) && text.chars().all(is_visible)
);
id!(
    /// A package of the price book.
    PackageId, "package", "1 to 40 characters of a-z 0-9 _",
    |text| has_characters(text, 40, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
);
id!(
    /// An operation of the price book.
    OperationName, "operation", "1 to 40 characters of a-z 0-9 _",
    |text| has_characters(text, 40, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
);
id!(
    /// The version of a price book: whatever the company calls it.
    PriceBookVersion, "version", "1 to 32 characters of A-Z a-z 0-9 . _ -",
    |text| has_characters(text, 32, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
);
minted_id!(
    /// A purchase by the customer on a payment page.
    PurchaseId, "purchase", "pur_"
);
minted_id!(
    /// One attempt at an automatic top-up.
    TopUpId, "top-up", "top_"
);
minted_id!(
    /// An e-mail owed to a customer.
    NoticeId, "notice", "ntc_"
);
minted_id!(
    /// An event that the company's other systems are told.
    OutboundEventId, "event", "evo_"
);
minted_id!(
    /// A contact of an account.
    ContactId, "contact", "ctc_"
);
minted_id!(
    /// An act of the company's support.
    ActId, "act", "act_"
);
minted_id!(
    /// A consent to automatic top-ups.
    ConsentId, "consent", "cns_"
);
id!(
    /// Stripe's customer (`cus_…`).
    CustomerId, "customer", "a Stripe object id", is_stripe_id
);
id!(
    /// Stripe's payment method (`pm_…`).
    PaymentMethodId, "payment method", "a Stripe object id", is_stripe_id
);
id!(
    /// Stripe's invoice (`in_…`).
    InvoiceId, "invoice", "a Stripe object id", is_stripe_id
);
id!(
    /// Stripe's payment intent (`pi_…`).
    PaymentIntentId, "payment intent", "a Stripe object id", is_stripe_id
);
id!(
    /// Stripe's charge (`ch_…`), which is a card payment.
    CardPaymentId, "card payment", "a Stripe object id", is_stripe_id
);
id!(
    /// Stripe's refund (`re_…`, `pyr_…`).
    RefundId, "refund", "a Stripe object id", is_stripe_id
);
id!(
    /// Stripe's dispute (`du_…`, `dp_…`).
    DisputeId, "dispute", "a Stripe object id", is_stripe_id
);
id!(
    /// The number that is printed on an invoice of Stripe's.
    InvoiceNumber, "invoice number", "1 to 64 characters of A-Z a-z 0-9 -",
    |text| has_characters(text, 64, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
);
id!(
    /// Stripe's Checkout session (`cs_…`).
    CheckoutSessionId, "Checkout session", "a Stripe object id", is_stripe_id
);
id!(
    /// Stripe's event (`evt_…`).
    EventId, "event", "a Stripe object id", is_stripe_id
);

fn has_characters(text: &str, length_max: usize, is_allowed: impl Fn(u8) -> bool) -> bool {
    (1..=length_max).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Stripe asks integrators to allow 255 characters: <https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backwards-compatible>.
fn is_stripe_id(text: &str) -> bool {
    has_characters(text, 255, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_minted(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_are_the_companys_own_within_64_safe_characters() {
        for valid in ["a", "customer_42", "A-b_9", &"x".repeat(64)] {
            assert!(AccountId::parse(valid).is_ok(), "{valid}");
        }
        for invalid in ["", "a b", "a#b", "ä", "a/b", &"x".repeat(65)] {
            assert!(AccountId::parse(invalid).is_err(), "{invalid}");
        }
    }

    /// R15: two Unicode forms of one text are the same reference.
    #[test]
    fn references_are_compared_in_their_composed_form() {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
        assert_eq!(Reference::parse_new(decomposed), Reference::parse_new(composed));
        assert_eq!(Reference::parse(decomposed).unwrap().as_str(), composed);
        assert_ne!(
            Reference::parse_new("\u{fb01}"),
            Reference::parse_new("fi"),
            "what looks different stays different"
        );
        assert!(Reference::parse_new("e\u{301}".repeat(200)).is_ok(), "200 characters, composed");
    }

    /// R15: invisible characters are refused by name in a new reference, and still accepted in a stored one.
    #[test]
    fn references_have_no_characters_that_nobody_sees() {
        for character in ['\u{202e}', '\u{200b}', '\u{feff}', '\u{2066}', '\u{ad}', '\u{2028}', '\u{e0041}'] {
            let text = format!("a{character}b");
            let error = Reference::parse_new(&text).unwrap_err();
            assert_eq!(error, InvalidReference::Invisible { character });
            assert!(error.to_string().contains(&format!("U+{:04X}", u32::from(character))), "{error}");
            assert!(Reference::parse(&text).is_ok(), "{error}");
        }
        for character in ['\n', '\0', '\u{85}'] {
            assert!(Reference::parse(format!("a{character}")).is_err(), "{character:?}");
            let refused = Err(InvalidReference::Invisible { character });
            assert_eq!(Reference::parse_new(format!("a{character}")), refused);
        }
        for text in ["episode-12", "Überraschung #1", "می\u{200c}خواهم", "👩\u{200d}🚀", "日本語", "שלום"]
        {
            assert!(Reference::parse_new(text).is_ok(), "{text}");
        }
        for text in [String::new(), "r".repeat(201)] {
            assert_eq!(Reference::parse_new(&text), Err(InvalidReference::Length), "{text}");
        }
    }

    #[test]
    fn minted_ids_parse_back_and_sort_as_they_were_minted() {
        let (first, second) = (TopUpId::mint(1), TopUpId::mint(2));
        assert!(first < second);
        assert_eq!(TopUpId::parse(first.as_str()), Ok(first));
        assert!(TopUpId::parse("pur_00000000000000000000000000000001").is_err());
        assert!(TopUpId::parse("top_0000000000000000000000000000000G").is_err());
    }

    #[test]
    fn idempotency_keys_are_visible_ascii_and_bounded() {
        for valid in ["job-17:dub.v2_a", "aGk/+w==", "a#b?c%2Fd", "~!@", &"k".repeat(128)] {
            assert!(IdempotencyKey::parse(valid).is_ok(), "{valid}");
        }
        for invalid in ["", "a b", "a,b", "a\"b", "a\\b", "a\tb", "a\u{7f}", "é", &"k".repeat(129)] {
            assert!(IdempotencyKey::parse(invalid).is_err(), "{invalid}");
        }
    }
}
