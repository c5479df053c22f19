//! What `prepaid` prints and how it exits: the demo's books, and quotes.

use crate::support::TestCloud;
use prepaid_local::demo;
use prepaid_local::operations::{operation_of_audio, read_operations};
use prepaid_local::support::{self, SupportArguments};
use shared::domain::PriceBook;
use std::io::Write;
use std::path::Path;
use tempfile::NamedTempFile;

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

#[tokio::test]
async fn the_demo_plays_to_its_end_and_its_books_balance() {
    let operations = read_operations(&fixture("operations.csv"), &PriceBook::reference()).unwrap();
    let mut story = vec![];

    let is_balanced = demo::play(&operations, &mut story).await.unwrap();

    let story = String::from_utf8(story).unwrap();
    assert!(is_balanced, "{story}");
    for line in [
        "sweep: due 1, paid 1",
        "sweep: declined 1, due 1",
        "sweep: action_required 1, due 1",
        "Automatic top-ups are paused (declined)",
        "Automatic top-ups are paused (action_required)",
        "melodia: sum of",
    ] {
        assert!(story.contains(line), "{line} is missing:\n{story}");
    }
    assert_eq!(story.matches("Receipt for your automatic top-up").count(), 3, "{story}");
    assert_eq!(story.matches("Action needed").count(), 2, "{story}");
}

/// An hour of audio, 8,000 samples of one byte per second: a WAV header, and a hole in the file instead of samples.
fn an_hour_of_audio() -> NamedTempFile {
    const SAMPLES: u32 = 8_000 * 3_600;
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"RIFF").unwrap();
    file.write_all(&(SAMPLES + 36).to_le_bytes()).unwrap();
    file.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data").unwrap();
    file.write_all(&SAMPLES.to_le_bytes()).unwrap();
    file.as_file().set_len(u64::from(SAMPLES) + 44).unwrap();
    file
}

#[tokio::test]
async fn a_single_audio_file_is_enough_for_the_demo() {
    let audio = an_hour_of_audio();
    let file = operation_of_audio(audio.path(), &PriceBook::reference()).unwrap();
    let mut story = vec![];
    assert!(demo::play(&[file], &mut story).await.unwrap(), "{}", String::from_utf8_lossy(&story));
}

#[tokio::test]
async fn a_demo_without_operations_says_that_it_cannot_run_low() {
    let error = demo::play(&[], &mut vec![]).await.unwrap_err();
    assert!(error.to_string().contains("the operations leave 5000 credits"), "{error}");
}

/// Runs `prepaid support` against the API of this cloud, and answers its question.
pub async fn support(cloud: &TestCloud, words: &[&str], answer: &str) -> Result<String, String> {
    let token = cloud.support_token();
    let target = ["support", "--url", &cloud.cloud.urls.api, "--token", &token];
    let arguments = SupportArguments::of(target.iter().chain(words).copied()).map_err(|error| error.to_string())?;
    let mut out = vec![];
    let ran = support::run(&arguments, &mut answer.as_bytes(), &mut out).await;
    ran.map(|()| String::from_utf8(out).unwrap()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_operator_works_from_the_command_line_and_is_asked_before_a_change() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let adjust = ["adjust", "acme", "40", "--key", "case-7", "--reason", "The upload failed."];
    for answer in ["", "n\n", "no\n", "\n"] {
        let error = support(&cloud, &adjust, answer).await.unwrap_err();
        assert_eq!(error, "nothing was changed", "{answer:?}");
    }
    assert_eq!(cloud.balance("acme").await, 0);
    let printed = support(&cloud, &adjust, "y\n").await.unwrap();
    assert!(
        printed.starts_with("Move 40 credits of acme? [y/N] {") && printed.contains("\"balance\": 40"),
        "{printed}"
    );
    let again = support(&cloud, &[&adjust[..], &["--yes"]].concat(), "").await.unwrap();
    assert!(again.starts_with('{'), "{again}");
    assert_eq!(cloud.balance("acme").await, 40, "the same key moves credits once");

    let take = ["adjust", "acme", "-41", "--key", "case-8", "--reason", "Given twice.", "--yes"];
    let error = support(&cloud, &take, "").await.unwrap_err();
    assert!(error.starts_with("the API answered 409") && error.contains("balance_below_zero"), "{error}");
    support(&cloud, &[&take[..], &["--allow-negative"]].concat(), "").await.unwrap();
    assert_eq!(cloud.balance("acme").await, -1);

    let until = (cloud.now() + jiff::SignedDuration::from_hours(1)).to_string();
    let restrict = ["restrict", "acme", "--until", &until, "--reason", "Unusual consumption.", "--yes"];
    support(&cloud, &restrict, "").await.unwrap();
    support(&cloud, &["lift", "acme", "--reason", "Looked into & fine.", "--yes"], "").await.unwrap();
    let checked = support(&cloud, &["check-top-up", "acme", "--reason", "She asks.", "--yes"], "").await.unwrap();
    assert!(checked.contains("turned_on"), "{checked}");
    for (words, expected) in [
        (&["show", "acme"][..], "owner@acme.example"),
        (&["find", "--email", "owner@acme.example"], "\"account\": \"acme\""),
        (&["find", "--account", "acme", "--charge", "none"], "\"data\": []"),
        (&["acts", "acme"], "Looked into & fine."),
        (&["notices", "acme"], "\"data\": []"),
    ] {
        let printed = support(&cloud, words, "").await.unwrap();
        assert!(printed.contains(expected), "{words:?}: {printed}");
    }
    let resend = ["resend", "acme", "ntc_00000000000000000000000000000001", "--reason", "Lost.", "--yes"];
    assert!(support(&cloud, &resend, "").await.unwrap_err().starts_with("the API answered 404"));
}

#[tokio::test]
async fn a_file_of_any_length_is_imported_from_the_command_line_and_goes_on_where_it_stopped() {
    let cloud = TestCloud::start().await;
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "account,email,credits,source_id").unwrap();
    for number in 0..120 {
        writeln!(file, "customer-{number},owner-{number}@acme.example,{number},row-{number}").unwrap();
    }
    let path = file.path().to_str().unwrap().to_owned();
    let shown = support(&cloud, &["import", &path], "").await.unwrap();
    assert!(shown.contains("would_open") && shown.contains("120 lines") && shown.contains("7140 credits"), "{shown}");
    assert!(shown.contains("Nothing was changed"), "{shown}");
    let apply = ["import", &path, "--apply", "--reason", "Moved to us."];
    assert!(support(&cloud, &apply[..3], "y\n").await.is_err(), "a reason is needed");
    assert_eq!(support(&cloud, &apply, "n\n").await.unwrap_err(), "nothing was changed");
    let done = support(&cloud, &apply, "y\n").await.unwrap();
    assert!(done.contains("opened") && done.contains("Import these lines, 7140 credits in all?"), "{done}");
    assert_eq!(cloud.balance("customer-119").await, 119);
    let again = support(&cloud, &apply, "y\n").await.unwrap();
    assert!(again.contains("already_imported") && again.contains("Import these lines, 0 credits in all?"), "{again}");

    writeln!(file, "customer-7,owner-7@acme.example,8,row-7").unwrap();
    let refused = support(&cloud, &["import", &path], "").await;
    assert_eq!(refused.unwrap_err(), "1 lines were not imported");
}

#[tokio::test]
async fn the_liability_is_printed_for_a_day_and_as_a_table() {
    let cloud = TestCloud::start().await;
    cloud.cloud.close_days().await.unwrap();
    let yesterday = cloud.now().to_zoned(jiff::tz::TimeZone::UTC).date().yesterday().unwrap();
    cloud.cloud.clock.advance(jiff::SignedDuration::from_mins(31)).unwrap();
    cloud.cloud.close_days().await.unwrap();
    let shown = support(&cloud, &["liability", "--on", &yesterday.to_string()], "").await.unwrap();
    assert!(shown.contains("\"outstanding\": 0"), "{shown}");
    let table = support(&cloud, &["liability", "--csv"], "").await.unwrap();
    assert!(table.starts_with("month,accounts,opening,"), "{table}");
}
