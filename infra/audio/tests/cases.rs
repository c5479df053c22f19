//! Files that audio readers often get wrong, each with its correct length or the text of its refusal:
//! `fixtures/cases.csv`.

use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The exact length, because a rounded one could hide an error.
fn milliseconds(length: audio_length::Length) -> f64 {
    length.frames() as f64 * 1_000.0 / length.rate() as f64
}

#[test]
fn every_case_is_measured_right_or_refused_in_the_right_words() {
    let mut table = csv::Reader::from_path(fixtures().join("cases.csv")).unwrap();
    let mut files = 0;
    for row in table.records() {
        let row = row.unwrap();
        let [file, expected_ms, tolerance_ms, refusal] = [0, 1, 2, 3].map(|column| row[column].to_owned());
        files += 1;
        match audio_length::measure_file(&fixtures().join(&file)) {
            Ok(measured) if refusal.is_empty() => {
                let found_ms = milliseconds(measured.length);
                let (expected_ms, tolerance_ms): (f64, f64) =
                    (expected_ms.parse().unwrap(), tolerance_ms.parse().unwrap());
                assert!((found_ms - expected_ms).abs() <= tolerance_ms, "{file}: {found_ms}, not {expected_ms}");
            }
            Ok(measured) => panic!("{file}: {measured:?}, not {refusal:?}"),
            Err(error) => {
                let words = error.to_string();
                assert!(!refusal.is_empty() && words.starts_with(&refusal), "{file}: {words}");
            }
        }
    }
    let there = std::fs::read_dir(fixtures()).unwrap().count();
    assert_eq!(files + 1, there, "every file in the directory is in the table");
}
