//! The verifier, tested with signatures made here, both valid and damaged.

use super::*;

const SECRET: &str = "whsec_local";
const SIGNED_AT: i64 = 1_800_000_000;

fn body() -> Vec<u8> {
    br#"{"id":"evt_1","object":"event","api_version":"2026-09-30.endive","created":1799999990,"livemode":false,
        "type":"invoice.paid","data":{"object":{"id":"in_1","object":"invoice","customer":"cus_1"}}}"#
        .to_vec()
}

fn signature(secret: &str, time: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

fn header(body: &[u8]) -> String {
    format!("t={SIGNED_AT},v1={}", signature(SECRET, SIGNED_AT, body))
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn verify_at(now: i64, header: &str, body: &[u8]) -> Result<Event, WebhookRejection> {
    verify(Some(header), body, &[SecretString::from(SECRET)], seconds(now))
}

#[test]
fn a_signed_event_says_which_object_it_is_about() {
    let event = verify_at(SIGNED_AT, &header(&body()), &body()).unwrap();
    let id = EventId::parse("evt_1").unwrap();
    assert_eq!(
        event,
        Event { id, kind: "invoice.paid".into(), object_id: Some("in_1".into()), top_up: None, is_thin: false }
    );
}

#[test]
fn an_event_names_the_top_up_of_its_object_if_its_metadata_does() {
    let account = AccountId::parse("acme").unwrap();
    let id = TopUpId::mint(7);
    for (metadata, expected) in [
        (format!(r#"{{"account":"acme","top_up":"{id}"}}"#), Some((account, id.clone()))),
        (format!(r#"{{"top_up":"{id}"}}"#), None),
        (r#"{"account":"acme","top_up":"another's"}"#.to_owned(), None),
        (r#"{"account":7}"#.to_owned(), None),
        ("null".to_owned(), None),
        ("[]".to_owned(), None),
    ] {
        let body = format!(
            r#"{{"id":"evt_1","type":"invoice.paid","data":{{"object":{{"id":"in_1","metadata":{metadata}}}}}}}"#
        );
        let event = verify_at(SIGNED_AT, &header(body.as_bytes()), body.as_bytes()).unwrap();
        assert_eq!((event.object_id.as_deref(), event.top_up), (Some("in_1"), expected), "{metadata}");
    }
}

/// A signature from an independent implementation: HMAC-SHA256 by OpenSSL of `1700000000.{}` with the key
/// `whsec_local`.
#[test]
fn the_signature_is_the_one_others_compute() {
    let known = "45d9c5a2fd310ffd803628dbea431926fecc4dd5ea85e5cb7f433f3fedbeb993";
    assert_eq!(signature(SECRET, 1_700_000_000, b"{}"), known);
    let header = format!("t=1700000000,v1={known}");
    assert_eq!(verify_at(1_700_000_000, &header, b"{}"), Err(WebhookRejection::UnreadableBody), "signed, but no event");
}

#[test]
fn each_rejection_has_its_name() {
    let body = body();
    let good = signature(SECRET, SIGNED_AT, &body);
    for (name, header, expected) in [
        ("empty", String::new(), WebhookRejection::MalformedHeader),
        ("no time", format!("v1={good}"), WebhookRejection::MalformedHeader),
        ("no number for a time", format!("t=now,v1={good}"), WebhookRejection::MalformedHeader),
        ("two times", format!("t={SIGNED_AT},t={SIGNED_AT},v1={good}"), WebhookRejection::MalformedHeader),
        ("no signature", format!("t={SIGNED_AT}"), WebhookRejection::NoMatchingSignature),
        ("an empty signature", format!("t={SIGNED_AT},v1="), WebhookRejection::NoMatchingSignature),
        ("half a signature", format!("t={SIGNED_AT},v1={}", &good[..32]), WebhookRejection::NoMatchingSignature),
        ("one too long", format!("t={SIGNED_AT},v1={good}00"), WebhookRejection::NoMatchingSignature),
        ("another alphabet", format!("t={SIGNED_AT},v1={}", "ä".repeat(32)), WebhookRejection::NoMatchingSignature),
        ("only the scheme for tests", format!("t={SIGNED_AT},v0={good}"), WebhookRejection::NoMatchingSignature),
        (
            "another secret",
            format!("t={SIGNED_AT},v1={}", signature("whsec_other", SIGNED_AT, &body)),
            WebhookRejection::NoMatchingSignature,
        ),
        (
            "another time than was signed",
            format!("t={},v1={good}", SIGNED_AT + 1),
            WebhookRejection::NoMatchingSignature,
        ),
    ] {
        assert_eq!(verify_at(SIGNED_AT, &header, &body), Err(expected), "{name}");
    }
    assert_eq!(
        verify(None, &body, &[SecretString::from(SECRET)], seconds(SIGNED_AT)),
        Err(WebhookRejection::MissingHeader)
    );
    let no_secrets = verify(Some(&header(&body)), &body, &[], seconds(SIGNED_AT));
    assert_eq!(no_secrets, Err(WebhookRejection::NoMatchingSignature), "no secret is not every secret");
}

/// R36: Stripe's libraries only limit the past. Limiting the future as well is our own rule.
#[test]
fn five_minutes_are_tolerated_either_way() {
    let body = body();
    for (now, expected) in [
        (SIGNED_AT + 300, None),
        (SIGNED_AT - 300, None),
        (SIGNED_AT + 301, Some(WebhookRejection::TooOld { age_seconds: 301 })),
        (SIGNED_AT - 301, Some(WebhookRejection::FromTheFuture { ahead_seconds: 301 })),
    ] {
        assert_eq!(verify_at(now, &header(&body), &body).err(), expected, "{now}");
    }
}

#[test]
fn a_time_far_outside_every_calendar_is_only_too_old_or_too_new() {
    for (time, is_old) in [(i64::MIN, true), (i64::MAX, false)] {
        let header = format!("t={time},v1={}", signature(SECRET, time, b"{}"));
        let rejection = verify_at(SIGNED_AT, &header, b"{}").unwrap_err();
        assert_eq!(matches!(rejection, WebhookRejection::TooOld { .. }), is_old, "{rejection}");
        assert_eq!(matches!(rejection, WebhookRejection::FromTheFuture { .. }), !is_old, "{rejection}");
    }
}

#[test]
fn while_a_secret_rolls_either_one_is_enough() {
    let body = body();
    let [old, new] = ["whsec_old", "whsec_new"].map(|secret| signature(secret, SIGNED_AT, &body));
    let both = format!("t={SIGNED_AT},v1={old},v1={new},v0={}", "0".repeat(64));
    for secrets in
        [vec!["whsec_old"], vec!["whsec_new"], vec!["whsec_new", "whsec_old"], vec!["whsec_gone", "whsec_old"]]
    {
        let kept: Vec<_> = secrets.iter().copied().map(SecretString::from).collect();
        assert!(verify(Some(&both), &body, &kept, seconds(SIGNED_AT)).is_ok(), "{secrets:?}");
    }
}

#[test]
fn a_single_bit_changed_anywhere_in_the_body_is_rejected() {
    let whole = body();
    let header = header(&whole);
    for position in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[position] ^= 1 << bit;
            assert_eq!(verify_at(SIGNED_AT, &header, &damaged), Err(WebhookRejection::NoMatchingSignature));
        }
    }
}

#[test]
fn a_single_bit_changed_anywhere_in_the_header_is_rejected() {
    let body = body();
    let whole = header(&body).into_bytes();
    let mut damaged_count = 0;
    for position in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[position] ^= 1 << bit;
            // Text that is not UTF-8 cannot be passed in, because a header's text is checked earlier.
            let Ok(damaged) = String::from_utf8(damaged) else { continue };
            damaged_count += 1;
            assert!(verify_at(SIGNED_AT, &damaged, &body).is_err(), "{damaged}");
        }
    }
    assert_eq!(damaged_count, whole.len() * 7);
}

#[test]
fn a_signed_body_that_is_no_event_is_unreadable() {
    for body in [
        "",
        "{}",
        "[]",
        "\u{0}",
        r#"{"id":"evt 1","type":"invoice.paid","data":{"object":{}}}"#,
        r#"{"id":"evt_1","type":"invoice.paid","data":{}}"#,
        r#"{"id":"evt_1","type":"invoice.paid","data":{"object":[]}}"#,
        r#"{"id":"evt_1","type":"invoice.paid","data":{"object":{"id":1}}}"#,
        r#"{"id":"evt_1","type":null,"data":{"object":{}}}"#,
    ] {
        let header = header(body.as_bytes());
        assert_eq!(verify_at(SIGNED_AT, &header, body.as_bytes()), Err(WebhookRejection::UnreadableBody), "{body}");
    }
}

/// R8: only the fields that are read have to be valid.
#[test]
fn what_nobody_reads_may_hold_whatever_it_likes() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for unusual in
        [r#""\ud83d""#, r#""\udc00\ud83d""#, "1e999", "-123456789012345678901234567890", &deep, r#"{"\ud83d":1}"#]
    {
        for place in ["top", "data", "object"] {
            let at = |here: &str| if here == place { format!(r#","unread":{unusual}"#) } else { String::new() };
            let body = format!(
                r#"{{"id":"evt_1","type":"invoice.paid","data":{{"object":{{"id":"in_3"{}}}{}}}{}}}"#,
                at("object"),
                at("data"),
                at("top")
            );
            let event = verify_at(SIGNED_AT, &header(body.as_bytes()), body.as_bytes()).unwrap();
            assert_eq!((event.object_id.as_deref(), event.kind.as_str()), (Some("in_3"), "invoice.paid"), "{body}");
        }
    }
}

/// R8: a thin event is a valid event, but it names no object that we fetch.
#[test]
fn a_thin_event_is_read_and_concerns_nobody() {
    let body = br#"{"id":"evt_test_65R9","object":"v2.core.event","type":"v1.invoice.paid","livemode":false,
        "created":"2026-01-05T00:00:00.000Z","related_object":{"id":"in_1","type":"invoice","url":"/v1/invoices/in_1"}}"#;
    let event = verify_at(SIGNED_AT, &header(body), body).unwrap();
    assert_eq!((event.is_thin, event.object_kind(), event.object_id), (true, None, None));
}

#[test]
fn objects_without_an_id_and_whatever_else_an_event_says_are_events_all_the_same() {
    for (object, id) in [
        (r#"{"object":"balance"}"#, None),
        (r#"{"id":null}"#, None),
        (r#"{"id":"in_1","object":"invoice","customer":{"id":"cus_1"}}"#, Some("in_1")),
    ] {
        let body = format!(
            r#"{{"id":"evt_1","livemode":"perhaps","type":"a.word.of.tomorrow","data":{{"object":{object}}}}}"#
        );
        let event = verify_at(SIGNED_AT, &header(body.as_bytes()), body.as_bytes()).unwrap();
        assert_eq!((event.object_id.as_deref(), event.kind.as_str()), (id, "a.word.of.tomorrow"));
    }
}
