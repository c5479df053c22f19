//! Stripe's events and their signatures.

use crate::world::{WEBHOOK_SECRET, now};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shared::stripe::SecretString;
use shared::stripe::webhook::{Event, TOLERANCE_SECONDS, WebhookRejection, verify};

/// A header line and a body as they are, and the body as one that we signed, with one byte of header or body changed:
/// an accepted delivery was signed with our secret, is unchanged, and is at most five minutes old.
pub fn webhooks(data: &[u8]) {
    let (header, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    if let Ok(header) = std::str::from_utf8(header)
        && offered(header, body).is_ok()
    {
        assert!(is_signed(header, body), "{header}");
    }
    if let [age, low, high, flipped, body @ ..] = data {
        // From 512 seconds ago to 508 seconds ahead, in steps of four.
        changed((i64::from(*age) - 128) * 4, u16::from_le_bytes([*low, *high]).into(), *flipped, body);
    }
}

fn offered(header: &str, body: &[u8]) -> Result<Event, WebhookRejection> {
    verify(Some(header), body, &[SecretString::from("whsec_other"), SecretString::from(WEBHOOK_SECRET)], now())
}

fn changed(age_seconds: i64, position: usize, flipped: u8, body: &[u8]) {
    let header = signature_header(now().as_second() - age_seconds, body);
    let whole = [header.as_bytes(), body].concat();
    let mut damaged = whole.clone();
    let position = position % whole.len();
    damaged[position] ^= flipped;
    let Ok(damaged_header) = std::str::from_utf8(&damaged[..header.len()]) else { return };
    let outcome = offered(damaged_header, &damaged[header.len()..]);
    let is_in_time = age_seconds.abs() <= TOLERANCE_SECONDS;
    match (flipped, outcome) {
        (0, Ok(_)) => assert!(is_in_time),
        (0, Err(WebhookRejection::UnreadableBody)) => assert!(is_in_time),
        (0, Err(WebhookRejection::TooOld { age_seconds: told })) => {
            assert_eq!((told, is_in_time), (age_seconds, false));
        }
        (0, Err(WebhookRejection::FromTheFuture { ahead_seconds })) => {
            assert_eq!((-ahead_seconds, is_in_time), (age_seconds, false));
        }
        (0, Err(other)) => panic!("signed, but {other}"),
        (_, outcome) => {
            let refused = outcome.expect_err("a changed byte is noticed");
            let is_told = matches!(refused, WebhookRejection::NoMatchingSignature | WebhookRejection::MalformedHeader);
            assert!(is_told, "nothing unsigned is parsed: {refused}");
        }
    }
}

/// Whether any `v1` of the header is the HMAC of its one time and the body, computed without the verifier.
fn is_signed(header: &str, body: &[u8]) -> bool {
    let fields: Vec<(&str, &str)> = header.split(',').filter_map(|field| field.split_once('=')).collect();
    let times: Vec<&str> = fields.iter().filter(|(name, _)| *name == "t").map(|(_, value)| *value).collect();
    let [time] = times[..] else { return false };
    let is_near = time.parse().is_ok_and(|time: i64| now().as_second().abs_diff(time) <= TOLERANCE_SECONDS as u64);
    is_near && fields.contains(&("v1", &signature(time, body)))
}

/// The signature header that Stripe would send with this body.
pub fn signature_header(seconds: i64, body: &[u8]) -> String {
    format!("t={seconds},v1={}", signature(&seconds.to_string(), body))
}

/// A header line with a valid signature, and the body on the following lines.
pub fn signed_delivery(body: &[u8]) -> Vec<u8> {
    [signature_header(now().as_second(), body).as_bytes(), b"\n", body].concat()
}

fn signature(time: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}
