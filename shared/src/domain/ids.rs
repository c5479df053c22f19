//! Names of things. Each kind has a type of its own, parsed once at the border and never mixed up after.

use std::fmt;

/// A text that is not the id it was offered as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {expected}")]
pub struct InvalidId {
    /// Which id, in words.
    pub what: &'static str,
    /// What would have been accepted.
    pub expected: &'static str,
}

/// The same idempotency key was used before, for something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the idempotency key {key} was used before for another request")]
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
            /// [`InvalidId`] when the text has another length or other characters.
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

macro_rules! minted_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $prefix:literal) => {
        id!($(#[$doc])* $name, $what, concat!($prefix, " and 32 hexadecimal digits"), |text| is_minted(text, $prefix));

        impl $name {
            /// The id made of 128 bits that nobody else has; ids sort by time when the bits do.
            pub fn mint(unique: u128) -> Self {
                Self(format!(concat!($prefix, "{:032x}"), unique))
            }
        }
    };
}

id!(
    /// One customer of the company, under the company's own id: the `sub` of its tokens.
    AccountId, "account", "1 to 64 characters of A-Z a-z 0-9 _ -",
    |text| has_characters(text, 64, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
);
id!(
    /// The caller's name for one movement of money. Never expires; doubles as the id of the charge it made.
    IdempotencyKey, "Idempotency-Key", "1 to 128 characters of A-Z a-z 0-9 _ . : -",
    |text| has_characters(text, 128, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-'))
);
id!(
    /// The company's own words on a charge (a job number, a file name), shown in the history.
    Reference, "reference", "1 to 200 characters, none of them a control character",
    |text| (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control)
);
id!(
    /// Who consented to automatic top-ups: a user's id or e-mail address in the company's own system.
    ///
    /// Bounded in bytes, since it is part of the account's item, which is to stay below 1 KB.
    Consenter, "consent.accepted_by", "a text of at most 100 bytes, none of them a control character",
    |text| (1..=100).contains(&text.len()) && !text.chars().any(char::is_control)
);
id!(
    /// Why an account is restricted, in words for the customer.
    ///
    /// Bounded in bytes, since it is part of the account's item, which is to stay below 1 KB.
    RestrictionReason, "reason", "a text of at most 100 bytes, none of them a control character",
    |text| (1..=100).contains(&text.len()) && !text.chars().any(char::is_control)
);
id!(
    /// A package of the price book.
    PackageId, "package", "1 to 40 characters of a-z 0-9 _",
    |text| has_characters(text, 40, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
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

    #[test]
    fn minted_ids_parse_back_and_sort_as_they_were_minted() {
        let (first, second) = (TopUpId::mint(1), TopUpId::mint(2));
        assert!(first < second);
        assert_eq!(TopUpId::parse(first.as_str()), Ok(first));
        assert!(TopUpId::parse("pur_00000000000000000000000000000001").is_err());
        assert!(TopUpId::parse("top_0000000000000000000000000000000G").is_err());
    }

    #[test]
    fn idempotency_keys_are_safe_in_a_path_and_bounded() {
        assert!(IdempotencyKey::parse("job-17:dub.v2_a").is_ok());
        for invalid in ["", "a b", "a/b", "a#b", "é", &"k".repeat(129)] {
            assert!(IdempotencyKey::parse(invalid).is_err(), "{invalid}");
        }
    }
}
