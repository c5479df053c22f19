//! Signed, expiring links. A link opens the payment page of one top-up or of one purchase, the page that confirms one
//! contact, or one invoice, and nothing else. Each purpose has a key of its own, so no link serves the other one.
//!
//! Stripe's hosted pages expire and are never stored, so an e-mail links to us, and we redirect to a fresh page.
//! The link to a purchase's page may be handed on, so its token also hides what it is for.
//! The token is a bearer token: it must not be logged, and must give access to nothing but the page.

use crate::domain::payments::Invoiced;
use crate::domain::{AccountId, ContactId, InvalidId, PurchaseId, TopUpId};
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
/// How long a link to a purchase's page is valid, from the opening of the purchase. That is longer than any purchase stays
/// open, so the link can always say what became of it.
pub const PURCHASE_LINK_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Until when the link to a purchase's page is valid.
pub fn purchase_link_until(opened_at: Timestamp) -> Timestamp {
    opened_at.saturating_add(PURCHASE_LINK_LIFETIME).unwrap_or(Timestamp::MAX)
}

/// Signs and verifies links. Anyone who has the secret can do both.
#[derive(Clone, Debug)]
pub struct LinkKey {
    pay: Hmac<Sha256>,
    purchase: Hmac<Sha256>,
    /// Hides the payload of the links to purchases.
    mask: Hmac<Sha256>,
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
        Ok(Self {
            pay: derived(PAY_PURPOSE),
            purchase: derived(PURCHASE_PURPOSE),
            mask: derived(MASK_PURPOSE),
            confirm: derived(CONFIRM_PURPOSE),
            receipt: derived(RECEIPT_PURPOSE),
        })
    }

    /// The URL of this top-up's page below `public_url` (with or without a trailing slash), valid until `expires_at`.
    pub fn pay_url(&self, public_url: &str, account: &AccountId, top_up: &TopUpId, expires_at: Timestamp) -> String {
        format!("{}/pay/{}", public_url.trim_end_matches('/'), self.sign(account, top_up, expires_at))
    }

    /// A token of at most 203 characters, all of them safe in a path. It is valid until `expires_at`, to the millisecond.
    pub fn sign(&self, account: &AccountId, top_up: &TopUpId, expires_at: Timestamp) -> String {
        sign(&self.pay, &encode_payload(account, top_up.as_str(), expires_at))
    }

    /// The URL of this purchase's page below `public_url`, valid until `expires_at`. It may be handed on: it can be read by
    /// no one else, and shows neither the account nor the purchase.
    pub fn purchase_pay_url(
        &self,
        public_url: &str,
        account: &AccountId,
        purchase: &PurchaseId,
        expires_at: Timestamp,
    ) -> String {
        format!("{}/pay/{}", public_url.trim_end_matches('/'), self.sign_purchase(account, purchase, expires_at))
    }

    /// A token as [`LinkKey::sign`] makes it, for a purchase, with a hidden payload.
    pub fn sign_purchase(&self, account: &AccountId, purchase: &PurchaseId, expires_at: Timestamp) -> String {
        let payload = encode_payload(account, purchase.as_str(), expires_at);
        let signature = self.purchase.clone().chain_update(&payload).finalize().into_bytes();
        let hidden = self.masked(payload.as_bytes(), &signature);
        format!("{}.{}", URL_SAFE_NO_PAD.encode(hidden), URL_SAFE_NO_PAD.encode(signature))
    }

    /// Hides a payload, or shows a hidden one. The signature selects the mask, so two payloads never share one: this is
    /// the construction of RFC 5297, with HMAC in both places.
    fn masked(&self, payload: &[u8], signature: &[u8]) -> Vec<u8> {
        let blocks = (0_u8..=u8::MAX).zip(payload.chunks(MASK_BYTES));
        let masked = blocks.flat_map(|(number, block)| {
            let mask = self.mask.clone().chain_update(signature).chain_update([number]).finalize().into_bytes();
            block.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect::<Vec<_>>()
        });
        masked.collect()
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

    /// What the token was signed for, by [`LinkKey::sign`] or by [`LinkKey::sign_purchase`].
    ///
    /// # Errors
    /// [`LinkRejection`], expired from the instant `expires_at` on.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<(AccountId, Invoiced), LinkRejection> {
        match verify(&self.pay, token, TopUpId::parse, now) {
            Err(LinkRejection::BadSignature) => {}
            verified => return verified.map(|(account, top_up)| (account, Invoiced::TopUp(top_up))),
        }
        let (hidden, signature) = split(token)?;
        let payload = self.masked(&hidden, &signature);
        let verified = verify_payload(&self.purchase, (payload, &signature), PurchaseId::parse, now);
        verified.map(|(account, purchase)| (account, Invoiced::Purchase(purchase)))
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
    let (payload, signature) = split(token)?;
    verify_payload(key, (payload, &signature), parse, now)
}

/// The payload and the signature of a token.
fn split(token: &str) -> Result<(Vec<u8>, Vec<u8>), LinkRejection> {
    if token.len() > TOKEN_LENGTH_MAX {
        return Err(LinkRejection::Malformed);
    }
    let (payload, signature) = token.split_once('.').ok_or(LinkRejection::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| LinkRejection::Malformed);
    Ok((decode(payload)?, decode(signature)?))
}

fn verify_payload<I>(
    key: &Hmac<Sha256>,
    (payload, signature): (Vec<u8>, &[u8]),
    parse: fn(String) -> Result<I, InvalidId>,
    now: Timestamp,
) -> Result<(AccountId, I), LinkRejection> {
    // Compares in constant time.
    key.clone().chain_update(&payload).verify_slice(signature).map_err(|_| LinkRejection::BadSignature)?;
    let payload = String::from_utf8(payload).map_err(|_| LinkRejection::Malformed)?;
    let (account, id, expires_at) = decode_payload(&payload, parse).ok_or(LinkRejection::Malformed)?;
    if now < expires_at { Ok((account, id)) } else { Err(LinkRejection::Expired) }
}

/// Starts every payload, so that the format can change while old links are still in mailboxes.
const VERSION: &str = "1";
/// Separate the signatures of each kind of link from any others made with the same secret.
const PAY_PURPOSE: &[u8] = b"prepaid/pay-link";
const PURCHASE_PURPOSE: &[u8] = b"prepaid/purchase-pay-link";
const MASK_PURPOSE: &[u8] = b"prepaid/purchase-pay-link-mask";
const CONFIRM_PURPOSE: &[u8] = b"prepaid/confirm-link";
const RECEIPT_PURPOSE: &[u8] = b"prepaid/receipt-link";
/// Both kinds of ids have 36 characters. The longest account id makes a payload of 119 bytes, which encode to 159 characters. The signature adds 43, the dot 1.
const TOKEN_LENGTH_MAX: usize = 203;

/// The length of an HMAC-SHA-256, which masks as many bytes.
const MASK_BYTES: usize = 32;

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
                assert_eq!(key().verify(&token, at(-1)), Ok((account.clone(), Invoiced::TopUp(top_up))));
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
        let named = Invoiced::TopUp(TopUpId::mint(u128::MAX));
        assert_eq!(key().verify(&token, at(0)), Ok((account.clone(), named)));
        let purchase =
            key().sign_purchase(&account, &PurchaseId::mint(u128::MAX), "9999-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(purchase.len(), TOKEN_LENGTH_MAX);
        assert_eq!(key().verify(&format!("{token}A"), at(0)), Err(LinkRejection::Malformed));
    }

    /// Flipping the highest bit leaves no text, which cannot even be offered: seven bits of each byte remain.
    #[test]
    fn a_token_with_any_one_bit_flipped_is_rejected() {
        for token in [token(), purchase_token()] {
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
    }

    fn purchase_token() -> String {
        key().sign_purchase(&account(), &PurchaseId::mint(9), at(0))
    }

    /// It may be handed on, also to somebody who decodes it.
    #[test]
    fn a_link_to_a_purchase_opens_it_until_it_expires_and_names_nobody() {
        let token = purchase_token();
        assert_eq!(token, purchase_token(), "the same purchase always has the same link");
        let purchase = Invoiced::Purchase(PurchaseId::mint(9));
        assert_eq!(key().verify(&token, at(-1)), Ok((account(), purchase)));
        assert_eq!(key().verify(&token, at(0)), Err(LinkRejection::Expired));
        let (payload, signature) = token.split_once('.').unwrap();
        for part in [payload, signature] {
            let decoded = String::from_utf8_lossy(&URL_SAFE_NO_PAD.decode(part).unwrap()).into_owned();
            for named in ["customer", "_42", "pur_", "1800000000000"] {
                assert!(!decoded.contains(named), "{named} is in {decoded}");
            }
        }
        let other = key().sign_purchase(&account(), &PurchaseId::mint(8), at(0));
        let masked = |token: &str| URL_SAFE_NO_PAD.decode(token.split_once('.').unwrap().0).unwrap();
        let same = masked(&token).iter().zip(masked(&other)).filter(|(one, other)| *one == other).count();
        assert!(same < 10, "two payloads that differ in one digit share {same} bytes");
        assert_eq!(LinkKey::new([8; 32]).unwrap().verify(&token, at(-1)), Err(LinkRejection::BadSignature));
    }

    /// However late an invoice is paid, its link can say so.
    #[test]
    fn a_link_to_a_purchase_outlives_the_time_in_which_it_can_be_paid() {
        use crate::domain::PriceBook;
        let days = i64::from(*PriceBook::DAYS_UNTIL_DUE.end());
        assert!(SignedDuration::from_hours(24 * days) + PriceBook::INVOICE_GRACE < PURCHASE_LINK_LIFETIME);
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
            "LinkKey { pay: Hmac { ... }, purchase: Hmac { ... }, mask: Hmac { ... }, confirm: Hmac { ... }, \
             receipt: Hmac { ... } }"
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
