//! Signed, expiring links for e-mails. A link opens the payment page of one top-up, the page that confirms one contact, or
//! one invoice, and nothing else. Each purpose has a key of its own, so no link serves the other one.
//!
//! Stripe's hosted pages expire and are never stored, so an e-mail links to us, and we redirect to a fresh page.
//! The token is a bearer token: it must not be logged, and must give access to nothing but the page.

use crate::domain::payments::Invoiced;
use crate::domain::{AccountId, ContactId, InvalidId, TopUpId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

/// How long a link to a payment page is valid.
pub const LINK_LIFETIME: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long a link that confirms an address is valid.
pub const CONFIRMATION_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a link to an invoice is valid. The invoice itself is listed for as long as Stripe has it.
pub const RECEIPT_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Signs and verifies links. Anyone who has the secret can do both.
#[derive(Clone, Debug)]
pub struct LinkKey {
    pay: Hmac<Sha256>,
    confirm: Hmac<Sha256>,
    receipt: Hmac<Sha256>,
}

/// A secret too short to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link secret must have at least {} bytes", LinkKey::SECRET_BYTES_MIN)]
pub struct WeakSecret;

/// Why a token was rejected, in order of precedence: only a genuine token is reported as expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkRejection {
    #[error("the link has an unknown format")]
    Malformed,
    #[error("the link's signature is invalid")]
    BadSignature,
    #[error("the link has expired")]
    Expired,
}

impl LinkKey {
    /// The length of a signature in bytes: <https://www.rfc-editor.org/rfc/rfc2104#section-3>.
    pub const SECRET_BYTES_MIN: usize = 32;

    /// The secret may also be used for other purposes: the keys that sign links are derived from it for links alone.
    ///
    /// # Errors
    /// [`WeakSecret`] below [`LinkKey::SECRET_BYTES_MIN`].
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, WeakSecret> {
        let secret = secret.as_ref();
        if secret.len() < Self::SECRET_BYTES_MIN {
            return Err(WeakSecret);
        }
        let derived = |purpose| keyed(&keyed(secret).chain_update(purpose).finalize().into_bytes());
        let receipt = derived(RECEIPT_PURPOSE);
        Ok(Self { pay: derived(PAY_PURPOSE), confirm: derived(CONFIRM_PURPOSE), receipt })
    }

    /// The URL of this top-up's page below `public_url` (with or without a trailing slash), valid until `expires_at`.
    pub fn pay_url(&self, public_url: &str, account: &AccountId, top_up: &TopUpId, expires_at: Timestamp) -> String {
        format!("{}/pay/{}", public_url.trim_end_matches('/'), self.sign(account, top_up, expires_at))
    }

    /// A token of at most 203 characters, all of them safe in a path. It is valid until `expires_at`, to the millisecond.
    pub fn sign(&self, account: &AccountId, top_up: &TopUpId, expires_at: Timestamp) -> String {
        sign(&self.pay, &encode_payload(account, top_up.as_str(), expires_at))
    }

    /// The URL of the page that confirms this contact below `public_url`, valid until `expires_at`.
    pub fn confirm_url(
        &self,
        public_url: &str,
        account: &AccountId,
        contact: &ContactId,
        expires_at: Timestamp,
    ) -> String {
        let token = self.sign_confirmation(account, contact, expires_at);
        format!("{}/confirm/{token}", public_url.trim_end_matches('/'))
    }

    /// A token as [`LinkKey::sign`] makes it, for a contact.
    pub fn sign_confirmation(&self, account: &AccountId, contact: &ContactId, expires_at: Timestamp) -> String {
        sign(&self.confirm, &encode_payload(account, contact.as_str(), expires_at))
    }

    /// The URL that leads to the invoice of what was paid below `public_url`, valid until `expires_at`. With `/pdf` behind
    /// it, it leads to the document.
    pub fn receipt_url(&self, public_url: &str, account: &AccountId, paid: &Invoiced, expires_at: Timestamp) -> String {
        format!("{}/receipt/{}", public_url.trim_end_matches('/'), self.sign_receipt(account, paid, expires_at))
    }

    /// A token as [`LinkKey::sign`] makes it, for the invoice of what was paid.
    pub fn sign_receipt(&self, account: &AccountId, paid: &Invoiced, expires_at: Timestamp) -> String {
        sign(&self.receipt, &encode_payload(account, paid.id(), expires_at))
    }

    /// Whose invoice the token leads to.
    ///
    /// # Errors
    /// As [`LinkKey::verify`].
    pub fn verify_receipt(&self, token: &str, now: Timestamp) -> Result<(AccountId, Invoiced), LinkRejection> {
        verify(&self.receipt, token, Invoiced::parse, now)
    }

    /// What the token was signed for.
    ///
    /// # Errors
    /// [`LinkRejection`], expired from the instant `expires_at` on.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<(AccountId, TopUpId), LinkRejection> {
        verify(&self.pay, token, TopUpId::parse, now)
    }

    /// Which contact the token confirms.
    ///
    /// # Errors
    /// As [`LinkKey::verify`].
    pub fn verify_confirmation(&self, token: &str, now: Timestamp) -> Result<(AccountId, ContactId), LinkRejection> {
        verify(&self.confirm, token, ContactId::parse, now)
    }
}

fn sign(key: &Hmac<Sha256>, payload: &str) -> String {
    let signature = key.clone().chain_update(payload).finalize().into_bytes();
    format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(signature))
}

fn verify<I>(
    key: &Hmac<Sha256>,
    token: &str,
    parse: fn(String) -> Result<I, InvalidId>,
    now: Timestamp,
) -> Result<(AccountId, I), LinkRejection> {
    if token.len() > TOKEN_LENGTH_MAX {
        return Err(LinkRejection::Malformed);
    }
    let (payload, signature) = token.split_once('.').ok_or(LinkRejection::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| LinkRejection::Malformed);
    let (payload, signature) = (decode(payload)?, decode(signature)?);
    // Compares in constant time.
    key.clone().chain_update(&payload).verify_slice(&signature).map_err(|_| LinkRejection::BadSignature)?;
    let payload = String::from_utf8(payload).map_err(|_| LinkRejection::Malformed)?;
    let (account, id, expires_at) = decode_payload(&payload, parse).ok_or(LinkRejection::Malformed)?;
    if now < expires_at { Ok((account, id)) } else { Err(LinkRejection::Expired) }
}

/// Starts every payload, so that the format can change while old links are still in mailboxes.
const VERSION: &str = "1";
/// Separate the signatures of each kind of link from any others made with the same secret.
const PAY_PURPOSE: &[u8] = b"prepaid/pay-link";
const CONFIRM_PURPOSE: &[u8] = b"prepaid/confirm-link";
const RECEIPT_PURPOSE: &[u8] = b"prepaid/receipt-link";
/// Both kinds of ids have 36 characters. The longest account id makes a payload of 119 bytes, which encode to 159 characters. The signature adds 43, the dot 1.
const TOKEN_LENGTH_MAX: usize = 203;

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

/// No field can contain a colon.
fn encode_payload(account: &AccountId, id: &str, expires_at: Timestamp) -> String {
    format!("{VERSION}:{}:{id}:{account}", expires_at.as_millisecond())
}

/// `None` for a malformed payload or another version.
fn decode_payload<I>(payload: &str, parse: fn(String) -> Result<I, InvalidId>) -> Option<(AccountId, I, Timestamp)> {
    let mut fields = payload.strip_prefix(VERSION)?.strip_prefix(':')?.splitn(3, ':');
    let expires_at = Timestamp::from_millisecond(fields.next()?.parse().ok()?).ok()?;
    let id = parse(fields.next()?.to_owned()).ok()?;
    let account = AccountId::parse(fields.next()?).ok()?;
    Some((account, id, expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PurchaseId;
    use std::collections::BTreeSet;

    const SECRET: [u8; 32] = [7; 32];

    fn key() -> LinkKey {
        LinkKey::new(SECRET).unwrap()
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    fn account() -> AccountId {
        AccountId::parse("customer_42").unwrap()
    }

    fn token() -> String {
        key().sign(&account(), &TopUpId::mint(9), at(0))
    }

    #[test]
    fn a_link_works_for_what_it_was_signed_for_until_the_instant_it_expires() {
        for account in ["a", "customer_42", "A-b_9", &"x".repeat(64)] {
            let account = AccountId::parse(account).unwrap();
            for top_up in [TopUpId::mint(0), TopUpId::mint(u128::MAX)] {
                let token = key().sign(&account, &top_up, at(0));
                assert_eq!(key().verify(&token, at(-1)), Ok((account.clone(), top_up)));
                assert_eq!(key().verify(&token, at(0)), Err(LinkRejection::Expired));
            }
        }
    }

    #[test]
    fn the_longest_token_is_accepted_and_safe_in_a_path() {
        let account = AccountId::parse("x".repeat(64)).unwrap();
        let token = key().sign(&account, &TopUpId::mint(u128::MAX), "9999-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(token.len(), TOKEN_LENGTH_MAX);
        assert!(
            token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')),
            "{token}"
        );
        assert_eq!(key().verify(&token, at(0)), Ok((account, TopUpId::mint(u128::MAX))));
        assert_eq!(key().verify(&format!("{token}A"), at(0)), Err(LinkRejection::Malformed));
    }

    /// Flipping the highest bit leaves no text, which cannot even be offered: seven bits of each byte remain.
    #[test]
    fn a_token_with_any_one_bit_flipped_is_rejected() {
        let token = token();
        let mut rejections = BTreeSet::new();
        for position in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let flipped = String::from_utf8(bytes).unwrap();
                let rejection = key().verify(&flipped, at(-1)).expect_err(&flipped);
                rejections.insert(rejection.to_string());
            }
        }
        assert_eq!(rejections.len(), 2, "malformed or badly signed, but never expired: {rejections:?}");
    }

    #[test]
    fn every_shortened_lengthened_or_rearranged_token_is_rejected() {
        let token = token();
        let (payload, signature) = token.split_once('.').unwrap();
        for length in 0..token.len() {
            assert!(key().verify(&token[..length], at(-1)).is_err(), "the first {length} characters");
        }
        for other in [
            format!("{token}A"),
            format!("{token}="),
            format!("{token}."),
            format!(" {token}"),
            format!("{signature}.{payload}"),
            format!("{payload}.{payload}"),
            format!(".{signature}"),
            "ü.ü".to_owned(),
        ] {
            assert!(key().verify(&other, at(-1)).is_err(), "{other}");
        }
    }

    #[test]
    fn only_a_genuine_token_is_reported_as_expired() {
        let other = LinkKey::new([8; 32]).unwrap();
        assert_eq!(other.verify(&token(), at(1)), Err(LinkRejection::BadSignature));
        assert_eq!(key().verify(&token(), at(1)), Err(LinkRejection::Expired));
    }

    #[test]
    fn a_signature_by_the_same_secret_for_another_purpose_is_rejected() {
        let payload = encode_payload(&account(), TopUpId::mint(9).as_str(), at(0));
        let signature = keyed(&SECRET).chain_update(&payload).finalize().into_bytes();
        let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(key().verify(&token, at(-1)), Err(LinkRejection::BadSignature));
    }

    #[test]
    fn a_genuine_signature_on_another_version_or_on_nonsense_is_rejected() {
        for payload in [
            "2:1800000000000:top_00000000000000000000000000000009:customer_42",
            "1:1800000000000:top_9:customer_42",
            "1:1800000000000:top_00000000000000000000000000000009:customer:42",
            "1:never:top_00000000000000000000000000000009:customer_42",
            "1",
            "",
        ] {
            let signature = key().pay.chain_update(payload).finalize().into_bytes();
            let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(signature));
            assert_eq!(key().verify(&token, at(-1)), Err(LinkRejection::Malformed), "{payload}");
        }
    }

    #[test]
    fn a_short_secret_signs_nothing_and_no_secret_is_shown() {
        assert_eq!(LinkKey::new([7; 31]).err(), Some(WeakSecret));
        assert_eq!(WeakSecret.to_string(), "the link secret must have at least 32 bytes");
        assert_eq!(
            format!("{:?}", key()),
            "LinkKey { pay: Hmac { ... }, confirm: Hmac { ... }, receipt: Hmac { ... } }"
        );
    }

    #[test]
    fn a_link_of_one_purpose_does_not_serve_the_other() {
        let contact = ContactId::mint(9);
        let confirmation = key().sign_confirmation(&account(), &contact, at(0));
        assert_eq!(key().verify_confirmation(&confirmation, at(-1)), Ok((account(), contact)));
        assert_eq!(key().verify_confirmation(&confirmation, at(0)), Err(LinkRejection::Expired));
        assert_eq!(key().verify(&confirmation, at(-1)), Err(LinkRejection::BadSignature));
        assert_eq!(key().verify_confirmation(&token(), at(-1)), Err(LinkRejection::BadSignature));
        let id_of_the_other = sign(&key().confirm, &encode_payload(&account(), TopUpId::mint(9).as_str(), at(0)));
        assert_eq!(key().verify_confirmation(&id_of_the_other, at(-1)), Err(LinkRejection::Malformed));
    }

    #[test]
    fn a_link_to_a_receipt_is_for_one_purchase_or_one_attempt_and_for_no_payment() {
        for paid in [Invoiced::Purchase(PurchaseId::mint(9)), Invoiced::TopUp(TopUpId::mint(9))] {
            let token = key().sign_receipt(&account(), &paid, at(0));
            assert_eq!(key().verify_receipt(&token, at(-1)), Ok((account(), paid)));
            assert_eq!(key().verify_receipt(&token, at(0)), Err(LinkRejection::Expired));
            assert_eq!(key().verify(&token, at(-1)), Err(LinkRejection::BadSignature));
        }
        assert_eq!(key().verify_receipt(&token(), at(-1)), Err(LinkRejection::BadSignature));
    }

    #[test]
    fn the_page_of_a_link_is_found_with_and_without_a_slash_after_the_public_url() {
        let url = format!("https://pay.example.com/pay/{}", token());
        for public_url in ["https://pay.example.com", "https://pay.example.com/"] {
            assert_eq!(key().pay_url(public_url, &account(), &TopUpId::mint(9), at(0)), url);
        }
    }
}
