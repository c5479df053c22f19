use super::*;
use crate::domain::portal::PassHash;
use crate::domain::usage::FlagKind;

fn acme() -> AccountId {
    AccountId::parse("acme").unwrap()
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

fn raised(milliseconds: i64) -> FlagPlace {
    let raised_at = Timestamp::from_millisecond(milliseconds).unwrap();
    FlagPlace { raised_at, account: acme(), date: "1970-01-01".parse().unwrap(), kind: FlagKind::CreditsPerDay }
}

fn pass() -> PassHash {
    PassHash::parse("0".repeat(64)).unwrap()
}

#[test]
fn every_kind_of_item_has_its_own_key() {
    let hex = "00000000000000000000000000000001";
    let date = "2026-01-31".parse().unwrap();
    for (made, partition, sort) in [
        (account(&acme()), "ACCOUNT#acme", "STATE".to_owned()),
        (entry(&acme(), &Origin::Charge(key("job:1"))), "ACCOUNT#acme", "ENTRY#charge:job:1".into()),
        (entry(&acme(), &Origin::Restore(key("job:1"))), "ACCOUNT#acme", "ENTRY#restore:job:1".into()),
        (entry(&acme(), &Origin::Purchase(PurchaseId::mint(1))), "ACCOUNT#acme", format!("ENTRY#purchase:pur_{hex}")),
        (entry(&acme(), &Origin::TopUp(TopUpId::mint(1))), "ACCOUNT#acme", format!("ENTRY#top_up:top_{hex}")),
        (
            entry(&acme(), &Origin::Reversal(PaidFor::Purchase(PurchaseId::mint(1)), 2)),
            "ACCOUNT#acme",
            format!("ENTRY#reversal:pur_{hex}:2"),
        ),
        (entry(&acme(), &Origin::Capture(key("job:1"))), "ACCOUNT#acme", "ENTRY#capture:job:1".into()),
        (entry(&acme(), &Origin::Void(key("job:1"))), "ACCOUNT#acme", "ENTRY#void:job:1".into()),
        (entry(&acme(), &Origin::Expiry(key("job:1"))), "ACCOUNT#acme", "ENTRY#expiry:job:1".into()),
        (entry(&acme(), &Origin::Adjustment(key("case:1"))), "ACCOUNT#acme", "ENTRY#adjustment:case:1".into()),
        (
            entry(&acme(), &Origin::Import(SourceId::parse("row:1").unwrap())),
            "ACCOUNT#acme",
            "ENTRY#import:row:1".into(),
        ),
        (act(&acme(), &ActId::mint(1)), "ACCOUNT#acme", format!("ACT#act_{hex}")),
        (pending_charge(&acme(), &key("job:1")), "ACCOUNT#acme", "PENDING#job:1".into()),
        (usage_row(&acme(), Period::of_date(Granularity::Day, date)), "ACCOUNT#acme", "USAGE#DAY#2026-01-31".into()),
        (usage_row(&acme(), Period::of_date(Granularity::Month, date)), "ACCOUNT#acme", "USAGE#MONTH#2026-01".into()),
        (usage_cursor(&acme()), "ACCOUNT#acme", "USAGE#CURSOR".into()),
        (purchase(&acme(), &PurchaseId::mint(1)), "ACCOUNT#acme", format!("PURCHASE#pur_{hex}")),
        (purchase_key(&acme(), &key("buy:1")), "ACCOUNT#acme", "PURCHASE_KEY#buy:1".into()),
        (top_up_retry(&acme(), &key("again:1")), "ACCOUNT#acme", "TOP_UP_RETRY#again:1".into()),
        (top_up(&acme(), &TopUpId::mint(1)), "ACCOUNT#acme", format!("TOP_UP#top_{hex}")),
        (sweep_log(&acme()), "ACCOUNT#acme", "SWEEP_LOG".into()),
        (claim_log(&acme()), "ACCOUNT#acme", "CLAIM_LOG".into()),
        (portal_link(&acme(), &pass()), "ACCOUNT#acme", format!("PORTAL#LINK#{}", pass())),
        (portal_session(&acme(), &pass()), "ACCOUNT#acme", format!("PORTAL#SESSION#{}", pass())),
        (consent(&acme(), &ConsentId::mint(1)), "ACCOUNT#acme", format!("CONSENT#cns_{hex}")),
        (spending_change(&acme(), Timestamp::UNIX_EPOCH), "ACCOUNT#acme", "SPENDING#0".into()),
        (spender_limits(&acme(), &Spender::parse("a.b:c@d").unwrap()), "ACCOUNT#acme", "LIMIT#a.b:c@d".into()),
        (refusal(&acme(), RefusalPlace::new(29_573_312, 7).unwrap()), "ACCOUNT#acme", "REQUEST#0029573312#07".into()),
        (notice(&acme(), &NoticeId::mint(1)), "ACCOUNT#acme", format!("NOTICE#ntc_{hex}")),
        (flag(&raised(0)), "ACCOUNT#acme", "FLAG#0000000000000#1970-01-01#credits_per_day".into()),
        (flag_of_month(&raised(7)), "FLAGS#1970-01", "FLAG#0000000000007#acme#1970-01-01#credits_per_day".into()),
        (contacts(&acme()), "ACCOUNT#acme", "CONTACTS".into()),
        (alerts(&acme()), "ACCOUNT#acme", "ALERTS#LEVELS".into()),
        (alerts_due(&acme()), "ACCOUNT#acme", "ALERTS#DUE".into()),
        (asked_card(&acme()), "ACCOUNT#acme", "ASKED_CARD".into()),
        (erasure(&acme()), "ACCOUNT#acme", "ERASURE".into()),
        (outbound_event(&acme(), &OutboundEventId::mint(1)), "ACCOUNT#acme", format!("OUTBOX#evo_{hex}")),
        (customer(&CustomerId::parse("cus_1").unwrap()), "STRIPE#cus_1", "ACCOUNT".into()),
        (event(&EventId::parse("evt_1").unwrap()), "EVENT#evt_1", "EVENT".into()),
        (import(&SourceId::parse("row#1").unwrap()), "IMPORT#row#1", "IMPORT".into()),
        (liability_row(date, Shard::of(7)), "LIABILITY#2026-01", "31#07".into()),
        (closed_days(), "LIABILITY", "CLOSED".into()),
        (listed(&acme()), "ACCOUNTS#14", "acme".into()),
        (dispute(&DisputeId::parse("du_1").unwrap()), "DISPUTE#du_1", "DISPUTE".into()),
    ] {
        assert_eq!((made.partition.as_str(), &made.sort), (partition, &sort));
        // So what is exported and erased is known of each.
        let kinds = Kind::ALL.into_iter().filter(|kind| sort.starts_with(kind.name_and_prefix().1));
        assert!(partition != "ACCOUNT#acme" || kinds.count() == 1, "{sort}");
    }
}

/// A new kind of item has to say what is exported of it and what is personal in it.
#[test]
fn every_prefix_of_a_key_belongs_to_a_kind() {
    let declared =
        include_str!("../keys.rs").lines().filter_map(|line| line.strip_prefix("const ")?.split_once(": &str = \""));
    let declared: Vec<_> = declared.map(|(name, prefix)| (name, prefix.trim_end_matches("\";"))).collect();
    assert!(declared.len() > Kind::ALL.len(), "{declared:?}");
    for (name, prefix) in declared {
        // Some begin partitions, and some are only in an index.
        let is_other = ["ACCOUNT", "ACCOUNTS", "ALERT", "CARD", "CHARGE", "DISPUTE", "EVENT", "FAILED", "FLAGS"]
            .contains(&name)
            || ["IMPORT", "LIABILITY", "LOOK", "UNPAID"].contains(&name);
        let is_kind = Kind::ALL.into_iter().any(|kind| kind.name_and_prefix().1 == prefix);
        assert_eq!(is_kind, !is_other, "{name}");
    }
}

#[test]
fn an_origin_is_parsed_from_its_key_and_an_unknown_kind_is_not() {
    for origin in [
        Origin::Charge(key("a:b:c")),
        Origin::Restore(key("charge:x")),
        Origin::Capture(key("void:x")),
        Origin::Void(key("x#y")),
        Origin::Expiry(key("capture:x")),
        Origin::Purchase(PurchaseId::mint(7)),
        Origin::TopUp(TopUpId::mint(7)),
        Origin::Reversal(PaidFor::TopUp(TopUpId::mint(7)), 12),
        Origin::Adjustment(key("purchase:x")),
        Origin::Import(SourceId::parse("a:b#c").unwrap()),
    ] {
        assert_eq!(entry(&acme(), &origin).origin(), Some(origin));
    }
    let unknown = Key { partition: "ACCOUNT#acme".into(), sort: "ENTRY#gift:x".into() };
    assert_eq!(unknown.origin(), None);
}

#[test]
fn a_period_is_parsed_from_its_key_and_nothing_else_is() {
    let date = "2026-01-31".parse().unwrap();
    for granularity in Granularity::ALL {
        let period = Period::of_date(granularity, date);
        assert_eq!(usage_row(&acme(), period).usage_period(), Some(period));
    }
    for sort in ["USAGE#CURSOR", "USAGE#2026-01-31", "USAGE#MONTH#2026-13", "USAGE#DAY#2026-01", "STATE"] {
        assert_eq!(Key { partition: "ACCOUNT#acme".into(), sort: sort.into() }.usage_period(), None, "{sort}");
    }
}

#[test]
fn only_the_key_of_an_entry_is_parsed_as_one() {
    let charge = entry(&acme(), &Origin::Charge(key("job:1")));
    assert_eq!(account_of_entry(&charge.partition, &charge.sort), Some(acme()));
    for other in [account(&acme()), pending_charge(&acme(), &key("job:1")), usage_cursor(&acme())] {
        assert_eq!(account_of_entry(&other.partition, &other.sort), None);
    }
}

#[test]
fn the_keys_of_refused_requests_sort_by_their_place() {
    let places = [(0, 0), (1, 15), (29_573_312, 7), (29_573_312, 15), (9_999_999_999, 0)];
    let keys = places.map(|(minute, slot)| refusal(&acme(), RefusalPlace::new(minute, slot).unwrap()));
    assert!(keys.is_sorted_by_key(|key| &key.sort) && keys[4].sort < newest_refusal(&acme()).sort);
    let parsed = keys.map(|key| key.refusal_place().map(|place| (place.minute(), place.slot())));
    assert_eq!(parsed, places.map(Some));
    assert_eq!(newest_refusal(&acme()).refusal_place(), None);
}

#[test]
fn only_the_key_of_a_notice_is_parsed_as_one() {
    let owed = notice(&acme(), &NoticeId::mint(3));
    assert_eq!(notice_of(&owed.partition, &owed.sort), Some((acme(), NoticeId::mint(3))));
    for other in [account(&acme()), top_up(&acme(), &TopUpId::mint(3))] {
        assert_eq!(notice_of(&other.partition, &other.sort), None);
    }
}

/// The sixteen partitions share the load. The numbers are CRC-32 (ISO-HDLC) modulo 16 and must never change:
/// during a deployment, due accounts would be written to one partition and looked up in another.
#[test]
fn an_account_keeps_its_shard() {
    let shard = |text: &str| Due::TopUp.shard_of(&AccountId::parse(text).unwrap());
    assert_eq!(shard("123456789"), "TOP_UP#6", "0xCBF43926, the check value of CRC-32");
    assert_eq!(Due::Charge.shard_of(&AccountId::parse("123456789").unwrap()), "CHARGE#6");
    assert_eq!(Due::Alerts.shard_of(&AccountId::parse("123456789").unwrap()), "ALERT#6");
    assert_eq!(Due::Card.shard_of(&AccountId::parse("123456789").unwrap()), "CARD#6");
    let spread: std::collections::BTreeSet<_> = (0..500).map(|number| shard(&format!("customer_{number}"))).collect();
    assert_eq!(spread.len(), usize::from(Shard::COUNT));
}
