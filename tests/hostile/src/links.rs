//! The tokens of links in e-mails.

use crate::world::{Asked, Function, World, account_id, link_key, now};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use shared::domain::TopUpId;
use shared::domain::payments::Invoiced;
use shared::links::LinkRejection;

/// A token that is valid for another day.
pub fn sample_token() -> String {
    link_key().sign(&account_id(), &TopUpId::mint(6), now() + SignedDuration::from_hours(24))
}

/// Any bytes as a token, and as a change to a genuine one: an accepted token is exactly one that we signed.
pub fn links(data: &[u8]) {
    if let Ok(token) = std::str::from_utf8(data) {
        offered(token);
    }
    if let [position, flipped, ..] = data {
        changed(usize::from(*position), *flipped);
    }
}

fn offered(token: &str) {
    // A copied link may end with a slash.
    let verified = link_key().verify(token.trim_end_matches('/'), now());
    if let Ok((account, Invoiced::TopUp(top_up))) = &verified {
        let signed = link_key().sign(account, top_up, expiry(token));
        assert_eq!(signed, token.trim_end_matches('/'), "a token has one form");
        assert!(now() < expiry(token));
    }
    let path = format!("/pay/{token}");
    let route = Some(("/pay/{token+}", ("token", token)));
    let asked = Asked { method: "GET", path: &path, route, ..Asked::default() };
    let answer = World::of(Function::Purchases).answer(&asked.event()).expect("API Gateway's events are read");
    let expected = match verified {
        Err(LinkRejection::Expired) => 410,
        // The top-up that the sample names does not exist.
        Ok(_) | Err(LinkRejection::Malformed | LinkRejection::BadSignature) => 404,
    };
    assert_eq!((answer.status, answer.content_type.as_str()), (expected, "text/html; charset=utf-8"), "{token}");
    confirmed(token);
}

/// No token is signed for this page here, so none confirms anything, not even a genuine one of the other page.
fn confirmed(token: &str) {
    let path = format!("/confirm/{token}");
    for method in ["GET", "POST"] {
        let route = Some(("/confirm/{token+}", ("token", token)));
        let world = World::of(Function::Accounts);
        let answer = world.answer(&Asked { method, path: &path, route, ..Asked::default() }.event());
        let answer = answer.expect("API Gateway's events are read");
        assert_eq!((answer.status, answer.content_type.as_str()), (404, "text/html; charset=utf-8"), "{token}");
        assert_eq!(world.ledger().tables().partitions[&account_id()].contacts, None);
    }
}

fn changed(position: usize, flipped: u8) {
    let mut token = sample_token().into_bytes();
    let length = token.len();
    token[position % length] ^= flipped;
    let Ok(token) = String::from_utf8(token) else { return };
    assert_eq!(link_key().verify(&token, now()).is_ok(), flipped == 0, "{token}");
}

/// The expiry of a verified token, parsed independently of the verifier.
fn expiry(token: &str) -> Timestamp {
    let (payload, _) = token.split_once('.').expect("a verified token has two parts");
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).expect("a verified token is base64");
    let payload = String::from_utf8(payload).expect("a verified token is text");
    let milliseconds = payload.split(':').nth(1).and_then(|text| text.parse().ok());
    Timestamp::from_millisecond(milliseconds.expect("a verified token has an expiry")).expect("within the calendar")
}
