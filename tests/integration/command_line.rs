//! What `prepaid` prints and how it exits: the demo's books, and quotes.

use prepaid_local::demo;
use prepaid_local::operations::{operation_of_audio, read_operations};
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
