use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn token(unpredictable: u128) -> PassToken {
    PassToken::new(AccountId::parse("acme").unwrap(), unpredictable)
}

fn link(unpredictable: u128) -> PortalLink {
    let visit = Visit { flow: PortalFlow::Buy, return_url: None, is_read_only: false, visitor: None };
    PortalLink::new(&token(unpredictable), visit, at(0))
}

#[test]
fn a_token_is_read_as_it_was_made_and_in_no_other_form() {
    let token = token(0xabc);
    let text = token.reveal();
    assert_eq!(text, "acme.00000000000000000000000000000abc");
    assert_eq!(PassToken::parse(&text), Ok(token));
    for other in [
        "",
        "acme",
        "acme.",
        ".00000000000000000000000000000abc",
        "acme.abc",
        "acme.00000000000000000000000000000ABC",
        "acme.00000000000000000000000000000abc.",
        "acme.00000000000000000000000000000abg",
        "a cme.00000000000000000000000000000abc",
    ] {
        assert!(PassToken::parse(other).is_err(), "{other}");
    }
}

#[test]
fn what_is_stored_and_what_is_in_forms_do_not_tell_the_secret_or_each_other() {
    let (one, other) = (token(1), token(2));
    assert_ne!(one.hash(), other.hash());
    assert_ne!(one.form_token(), other.form_token());
    assert_ne!(one.hash().to_string(), one.form_token());
    let another = PassToken::new(AccountId::parse("globex").unwrap(), 1);
    assert_ne!(one.hash(), another.hash());
    let shown = format!("{one:?} {:?} {}", one.hash(), one.form_token());
    assert!(!shown.contains(&one.secret), "{shown}");
    assert_eq!(PassHash::parse(one.hash().to_string()), Ok(one.hash()));
}

#[test]
fn a_link_is_exchanged_until_the_instant_it_expires_and_only_for_its_own_account() {
    let link = link(1);
    let session = link.exchanged_for(&token(2), at(299)).unwrap();
    assert_eq!((session.started_at, session.seen_at, &session.visit), (at(299), at(299), &link.visit));
    assert_eq!(session.hash, token(2).hash());
    assert_eq!(link.exchanged_for(&token(2), at(300)), None);
    let another = PassToken::new(AccountId::parse("globex").unwrap(), 2);
    assert_eq!(link.exchanged_for(&another, at(0)), None);
}

#[test]
fn a_session_ends_after_half_an_hour_without_use_and_after_twelve_hours_in_any_case() {
    let mut session = link(1).exchanged_for(&token(2), at(0)).unwrap();
    assert!(!session.is_over_at(at(30 * 60 - 1)) && session.is_over_at(at(30 * 60)));
    assert_eq!(session.seen(at(59)), None);
    for minute in 1.. {
        let now = at(minute * 60);
        if session.is_over_at(now) {
            assert_eq!(minute, 12 * 60);
            break;
        }
        session = session.seen(now).expect("a minute has passed");
        assert_eq!((session.started_at, session.seen_at), (at(0), now));
    }
}

#[test]
fn every_flow_has_a_name_of_its_own() {
    for flow in PortalFlow::ALL {
        assert_eq!(PortalFlow::of_name(flow.name()), Some(flow));
    }
    assert_eq!(PortalFlow::of_name("Buy"), None);
}
