//! Files of known length: complete, cut off, damaged and joined.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use audio_length::{Measurement, Unmeasurable};
use std::io::Cursor;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/audio").join(name);
    if made.exists() { made } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name) }
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn measure(bytes: &[u8]) -> Result<Measurement, Unmeasurable> {
    audio_length::measure(Cursor::new(bytes))
}

fn frames(bytes: &[u8]) -> u64 {
    measure(bytes).unwrap().length.frames()
}

/// Mono, 8 bits, with as many bytes as its header says.
fn wav(sample_rate: u32, samples: u32) -> Vec<u8> {
    let mut wav = bytes_of("pcm.wav")[..44].to_vec();
    wav[4..8].copy_from_slice(&(36 + samples).to_le_bytes());
    wav[24..28].copy_from_slice(&sample_rate.to_le_bytes());
    wav[28..32].copy_from_slice(&sample_rate.to_le_bytes());
    wav[40..44].copy_from_slice(&samples.to_le_bytes());
    wav.resize(44 + samples as usize, 0x80);
    wav
}

#[test]
fn every_format_is_as_long_as_it_was_made() {
    // The last number is the most frames of the encoder's padding that the format cannot distinguish from audio.
    for (name, samples, sample_rate, padding_max) in [
        ("pcm.wav", 9_877, 8_000, 0),
        ("piped.wav", 9_877, 8_000, 0),
        ("pcm.aiff", 9_877, 8_000, 0),
        ("lossless.flac", 66_001, 16_000, 0),
        ("vorbis.ogg", 145_531, 44_100, 0),
        ("variable-tagged.mp3", 145_531, 44_100, 0),
        ("opus.ogg", 158_402, 48_000, 0),
        ("aac.m4a", 145_531, 44_100, 0),
        ("aac.aac", 145_531, 44_100, 2 * 1_024),
        ("constant-untagged.mp3", 145_531, 44_100, 2 * 1_152),
        ("variable-untagged.mp3", 145_531, 44_100, 2 * 1_152),
    ] {
        let length = measure(&bytes_of(name)).unwrap().length;
        assert_eq!(length.rate(), sample_rate, "{name}");
        assert!((samples..=samples + padding_max).contains(&length.frames()), "{name}: {length:?}");
    }
}

#[test]
fn what_is_measured_is_named() {
    for (name, container, codec) in [
        ("pcm.wav", "WAV", "PCM"),
        ("pcm.aiff", "AIFF", "PCM"),
        ("lossless.flac", "FLAC", "FLAC"),
        ("vorbis.ogg", "Ogg", "Vorbis"),
        ("opus.ogg", "Ogg", "Opus"),
        ("aac.m4a", "MP4", "AAC"),
        ("aac.aac", "AAC", "AAC"),
        ("variable-tagged.mp3", "MP3", "MP3"),
        ("b11-amr.3gp", "MP4", "AMR"),
    ] {
        let measured = measure(&bytes_of(name)).unwrap();
        assert_eq!((measured.container, measured.codec.as_str()), (container, codec), "{name}");
        assert_eq!((measured.track, measured.tracks), (0, vec![codec.to_owned()]), "{name}");
    }
}

#[test]
fn files_that_were_cut_off_are_refused() {
    for name in ["pcm.wav", "pcm.aiff", "lossless.flac", "vorbis.ogg", "opus.ogg", "aac.m4a", "variable-tagged.mp3"] {
        let bytes = bytes_of(name);
        for sixteenths in 1..16 {
            let cut = measure(&bytes[..bytes.len() * sixteenths / 16]);
            assert!(cut.is_err(), "{sixteenths} sixteenths of {name}: {cut:?}");
        }
    }
}

#[test]
fn a_single_missing_sample_is_noticed_where_a_container_counts_them() {
    for name in ["pcm.wav", "pcm.aiff", "lossless.flac", "vorbis.ogg", "opus.ogg", "aac.m4a", "variable-tagged.mp3"] {
        let bytes = bytes_of(name);
        // The last byte of WAV and AIFF is only padding for the odd number of samples.
        let cut = measure(&bytes[..bytes.len() - 2]);
        assert!(cut.is_err(), "{name}: {cut:?}");
    }
}

#[test]
fn sizes_that_were_never_filled_in_are_what_is_there() {
    let place = |bytes: &[u8], name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
    for (size, frames_declared) in [(0, 0), (u32::MAX, u32::MAX), (0x7f00_0008, 0x1fc0_0000)] {
        let mut aiff = bytes_of("pcm.aiff");
        let (common, sound) = (place(&aiff, b"COMM"), place(&aiff, b"SSND"));
        aiff[common + 10..common + 14].copy_from_slice(&u32::to_be_bytes(frames_declared));
        aiff[sound + 4..sound + 8].copy_from_slice(&u32::to_be_bytes(size));
        // The padding byte for the odd number of samples then cannot be distinguished from a sample.
        assert_eq!(frames(&aiff), 9_878, "AIFF with a size of {size}");
    }
    for size in [0, u32::MAX, 0x7fff_ffff, 0x7fff_f000] {
        let mut wav = wav(8_000, 9_877);
        wav[40..44].copy_from_slice(&u32::to_le_bytes(size));
        assert_eq!(frames(&wav), 9_877, "WAV with a size of {size}");
    }
    assert!(matches!(measure(&[&wav(8_000, 0)[..], b"LIST\x04\0\0\0INFO"].concat()), Err(Unmeasurable::Empty)));
}

#[test]
fn bare_frames_cut_off_are_a_shorter_recording() {
    for name in ["constant-untagged.mp3", "aac.aac"] {
        let bytes = bytes_of(name);
        let half_ms = measure(&bytes[..bytes.len() / 2]).unwrap().length.milliseconds();
        assert!((1_620..=1_680).contains(&half_ms), "{name}: {half_ms}");
    }
}

#[test]
fn frames_have_to_follow_one_another_from_the_start_to_the_end() {
    for name in ["constant-untagged.mp3", "aac.aac"] {
        let bytes = bytes_of(name);
        let begun_late = measure(&bytes[1..]);
        assert!(matches!(begun_late, Err(Unmeasurable::NotAudio)), "{name}: {begun_late:?}");
        let with_junk = [&bytes[..], &b"junk".repeat(99)].concat();
        let with_junk = measure(&with_junk);
        assert!(matches!(with_junk, Err(Unmeasurable::Damaged { .. })), "{name}: {with_junk:?}");
        assert_eq!(frames(&bytes.repeat(3)), frames(&bytes) * 3, "{name}");
        assert_eq!(frames(&[&bytes[..], &[0; 512]].concat()), frames(&bytes), "{name}");
    }
    let one_frame = bytes_of("b10-mp3-one-frame.mp3");
    assert!(matches!(measure(&one_frame[..one_frame.len() - 1]), Err(Unmeasurable::NotAudio)));
    assert!(matches!(measure(&[&one_frame[..], b"x"].concat()), Err(Unmeasurable::NotAudio)));
}

fn id3v2(size: usize) -> Vec<u8> {
    let digits = [21, 14, 7, 0].map(|shift| u8::try_from(size >> shift & 0x7f).unwrap());
    [b"ID3\x04\0\0", &digits[..], &vec![0xff; size]].concat()
}

/// A tag whose content looks like frames of MP3.
fn ape(size: usize, has_header: bool) -> Vec<u8> {
    let flags: u32 = if has_header { 1 << 31 } else { 0 };
    let mark = |is_header: u32| {
        let size = u32::try_from(size + 32).unwrap();
        let numbers = [2_000, size, 1, flags | is_header << 29].map(u32::to_le_bytes).concat();
        [b"APETAGEX", &numbers[..], &[0; 8]].concat()
    };
    let items = [0xff, 0xfb, 0x90, 0x00].repeat(size / 4);
    if has_header { [mark(1), items, mark(0)].concat() } else { [items, mark(0)].concat() }
}

fn id3v1() -> Vec<u8> {
    [b"TAG", &[b' '; 125][..]].concat()
}

fn lyrics3() -> Vec<u8> {
    let lyrics = b"LYRICSBEGININD0000200LYR00004la la".to_vec();
    let size = format!("{:06}", lyrics.len());
    [&lyrics[..], size.as_bytes(), b"LYRICS200"].concat()
}

#[test]
fn tags_hold_no_audio_wherever_they_are() {
    for name in ["constant-untagged.mp3", "variable-tagged.mp3", "aac.aac", "lossless.flac"] {
        let bytes = bytes_of(name);
        for (before, after) in [
            (id3v2(3_000), vec![]),
            ([id3v2(9), id3v2(300)].concat(), id3v1()),
            (vec![], ape(40_000, true)),
            (vec![], ape(40_000, false)),
            (vec![], [ape(4_000, true), lyrics3(), id3v1()].concat()),
            (id3v2(1), [lyrics3(), id3v1()].concat()),
        ] {
            let tagged = [&before[..], &bytes, &after].concat();
            assert_eq!(frames(&tagged), frames(&bytes), "{name}, {} before, {} after", before.len(), after.len());
        }
    }
    // Joined files have tags in their middle.
    let bytes = bytes_of("constant-untagged.mp3");
    let joined = [&bytes[..], &id3v1(), &id3v2(5_000), &bytes, &ape(4_000, true), &bytes].concat();
    assert_eq!(frames(&joined), frames(&bytes) * 3);
}

#[test]
fn what_is_not_audio_is_refused_in_plain_words() {
    for (bytes, words) in [
        (b"Dear customer, please find our speech attached.\n".repeat(99), "this is not audio in WAV, AIFF"),
        (vec![], "it is empty: 0 ms of audio"),
        (wav(8_000, 0), "it is empty: 0 ms of audio"),
        (bytes_of("silent-film.mp4"), "there is no audio track in it"),
        ([bytes_of("vorbis.ogg"), bytes_of("opus.ogg")].concat(), "several recordings follow one another in it"),
        ([bytes_of("aac.m4a"), bytes_of("aac.m4a")].concat(), "several recordings follow one another in it"),
        (bytes_of("aac.m4a")[..2_000].to_vec(), "it ends in the middle: the MP4 file declares more"),
    ] {
        let error = measure(&bytes).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let absent = audio_length::measure_file(&folder.join("gone.wav")).unwrap_err();
    assert_eq!(absent.to_string(), "there is no such file");
    assert!(matches!(audio_length::measure_file(folder), Err(Unmeasurable::NotAFile)));
}

#[test]
fn a_count_that_the_packets_contradict_is_not_believed() {
    let more = [bytes_of("variable-tagged.mp3"), bytes_of("variable-untagged.mp3")].concat();
    let contradiction = measure(&more);
    assert!(
        matches!(contradiction, Err(Unmeasurable::Contradictory { declared_ms: 3_344, found_ms: 6_600.. })),
        "{contradiction:?}"
    );
}

#[test]
fn a_table_that_promises_more_than_the_packets_hold_is_refused() {
    for entry in [&[0xff; 4][..], &[0, 0, 8, 0]] {
        let mut crafted = bytes_of("aac.m4a");
        let table = crafted.windows(4).position(|window| window == b"stts").unwrap();
        // After the name: version, number of entries, then pairs of sample count and ticks each.
        crafted[table + 16..table + 20].copy_from_slice(entry);
        assert!(matches!(measure(&crafted), Err(Unmeasurable::Contradictory { .. })), "{entry:?}");
    }
}

#[test]
fn times_that_drift_from_the_packets_yield_to_them() {
    let mut drifting = bytes_of("aac.m4a");
    let table = drifting.windows(4).position(|window| window == b"stts").unwrap();
    drifting[table + 16..table + 20].copy_from_slice(&1_040_u32.to_be_bytes());
    let edits = drifting.windows(4).position(|window| window == b"edts").unwrap();
    drifting[edits..edits + 4].copy_from_slice(b"free");
    assert_eq!(frames(&drifting), 144 * 1_024);
}

#[test]
fn of_several_tracks_the_first_that_is_enabled_is_measured_and_all_are_named() {
    let bytes = bytes_of("aac.m4a");
    let place = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap() - 4;
    let (moov, trak) = (place(b"moov"), place(b"trak"));
    let size = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut first = bytes[trak..trak + size(trak) as usize].to_vec();
    let flags = first.windows(4).position(|window| window == b"tkhd").unwrap() + 4;
    first[flags + 3] = 0;
    let codec = first.windows(4).position(|window| window == b"mp4a").unwrap();
    first[codec..codec + 4].copy_from_slice(b"enca");
    let mut two = bytes.clone();
    two.splice(trak..trak, first.iter().copied());
    two[moov..moov + 4].copy_from_slice(&(size(moov) + size(trak)).to_be_bytes());
    let measured = measure(&two).unwrap();
    assert_eq!(measured.tracks, ["encrypted audio", "AAC"]);
    assert_eq!((measured.track, measured.length), (1, measure(&bytes).unwrap().length));
}

#[test]
fn a_page_that_was_changed_is_noticed() {
    for name in ["vorbis.ogg", "opus.ogg", "lossless.flac"] {
        let mut bytes = bytes_of(name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let damaged = measure(&bytes);
        assert!(damaged.is_err(), "{name}: {damaged:?}");
    }
}

#[test]
fn damaged_bytes_give_a_possible_length_or_an_error() {
    for name in [
        "pcm.wav",
        "pcm.aiff",
        "lossless.flac",
        "vorbis.ogg",
        "aac.m4a",
        "aac.aac",
        "variable-tagged.mp3",
        "a8-wav-ima-adpcm.wav",
        "b1-dash-init-and-segments.mp4",
        "b9-wav-rf64.wav",
        "c2-video-2s.ts",
        "c4-flac-in.mka",
    ] {
        let bytes = bytes_of(name);
        for position in (0..600.min(bytes.len())).chain(bytes.len().saturating_sub(1_200)..bytes.len()) {
            for value in [0, !bytes[position]] {
                let mut damaged = bytes.clone();
                damaged[position] = value;
                if let Ok(measured) = measure(&damaged) {
                    assert!(!measured.length.is_zero(), "{name} at {position}");
                }
            }
        }
    }
}
