//! Two thousand files of this machine that are not audio: programs, libraries, pictures, fonts, archives, texts.
//! None of them is given a length, and neither is any part of one that begins like a frame of MP3 or AAC.

#![expect(clippy::unwrap_used, reason = "a test")]

use audio_length::{Unmeasurable, measure, measure_file};
use std::collections::HashMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

const FILES: usize = 2_000;
/// A limit per kind, so that the files are of many kinds.
const FILES_OF_A_KIND_MAX: usize = 200;
const BYTES_MAX: usize = 1 << 18;
/// The number of parts per file that begin like a frame of MP3 or AAC.
const PARTS_MAX: usize = 4;

/// Collects files from all folders until there are enough.
fn collect(folder: &Path, most: usize, found: &mut Vec<PathBuf>, kinds: &mut HashMap<String, usize>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if found.len() >= most {
            return;
        }
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if metadata.is_dir() {
            collect(&path, most, found, kinds);
        } else if metadata.is_file() && metadata.len() > 0 && !is_audio(&path) {
            let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            let of_kind = kinds.entry(kind).or_default();
            if *of_kind < FILES_OF_A_KIND_MAX {
                *of_kind += 1;
                found.push(path);
            }
        }
    }
}

fn head(path: &Path, count: usize) -> Vec<u8> {
    let mut bytes = vec![];
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(u64::try_from(count).unwrap()).read_to_end(&mut bytes);
    }
    bytes
}

/// Whether the first bytes or the name are those of audio, without using the tested code. MP3 and AAC have no magic
/// bytes, so their names decide.
fn is_audio(path: &Path) -> bool {
    let magics: [&[u8]; 8] = [b"RIFF", b"RF64", b"OggS", b"fLaC", b"ID3", b".snd", b"caff", b"#!AMR"];
    let head = head(path, 12);
    let is_aiff = head.starts_with(b"FORM") && head.get(8..11) == Some(b"AIF");
    let is_mp4 = head.get(4..8) == Some(b"ftyp");
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_named = ["mp3", "aac", "mp2", "mpga"].contains(&extension.as_str());
    magics.iter().any(|magic| head.starts_with(magic)) || is_aiff || is_mp4 || is_named
}

/// Parts of a file that begin like a frame.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = bytes.windows(2).enumerate().filter(|(_, window)| window[0] == 0xff && window[1] & 0xe0 == 0xe0);
    starts.map(|(start, _)| &bytes[start..]).take(PARTS_MAX)
}

#[test]
fn no_other_file_gets_a_length() {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let roots = ["/usr/lib", "/usr/bin", "/usr/share", "/usr/local", "/opt", "/System/Library", "/Library"];
    let (mut files, mut kinds) = (vec![], HashMap::new());
    for root in roots.into_iter().map(PathBuf::from).chain(cargo) {
        // A single root would have too many files of one kind.
        let most = FILES.min(files.len() + FILES / 4);
        collect(&root, most, &mut files, &mut kinds);
    }
    let mut measured = 0;
    for path in &files {
        let outcome = measure_file(path);
        assert!(outcome.is_err(), "{}: {outcome:?}", path.display());
        measured += 1;
        for part in parts(&head(path, BYTES_MAX)) {
            let outcome = measure(Cursor::new(part));
            assert!(outcome.is_err(), "a part of {} of {} bytes: {outcome:?}", path.display(), part.len());
        }
    }
    // A machine with few files also tests parts of them: each file without its first bytes.
    let mut neighbors = files.iter().flat_map(|path| (1..=FILES).map(move |skipped| (path, skipped * 7)));
    while measured < FILES {
        let Some((path, skipped)) = neighbors.next() else { panic!("there are too few files: {}", files.len()) };
        let bytes = head(path, BYTES_MAX);
        let outcome = measure(Cursor::new(bytes.get(skipped..).unwrap_or_default()));
        assert!(outcome.is_err(), "{} without {skipped} bytes: {outcome:?}", path.display());
        measured += 1;
    }
    assert!(measured >= FILES);
    assert!(matches!(measure(Cursor::new(b"")), Err(Unmeasurable::Empty)));
}
