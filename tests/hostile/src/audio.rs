//! Audio files from customers, which are priced by their length.

use audio_length::measure;
use std::io::Cursor;

/// The longest duration that one byte of any format can hold: a FLAC block of 65,536 samples at one sample per second.
const MILLISECONDS_PER_BYTE_MAX: u128 = 65_536_000;

/// Any file: its length is at most what its bytes can hold, its format is named in plain text, a tag at its end changes
/// nothing, and a rejection is one line of plain text.
pub fn audio(data: &[u8]) {
    match measure(Cursor::new(data)) {
        Ok(measured) => {
            let ms = u128::from(measured.length.milliseconds());
            let bytes = u128::try_from(data.len()).expect("a length fits");
            assert!(ms > 0 && ms <= bytes * MILLISECONDS_PER_BYTE_MAX, "{measured:?} in {bytes} bytes");
            assert_eq!(measured.tracks.get(measured.track), Some(&measured.codec));
            assert!(measured.tracks.iter().all(|track| is_plain(track)), "{measured:?}");
            if !ends_as_half_a_tag(data) {
                let tag = [b"TAG".as_slice(), &[b' '; 125]].concat();
                let tagged = measure(Cursor::new([data, &tag].concat())).expect("a tag harms no file");
                assert_eq!(tagged, measured, "a tag holds no audio");
            }
        }
        Err(error) => {
            let words = error.to_string();
            assert!(is_plain(&words), "{words:?}");
        }
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// The extended tag starts 227 bytes before the short one.
fn ends_as_half_a_tag(data: &[u8]) -> bool {
    data.len().checked_sub(227).is_some_and(|start| data[start..].starts_with(b"TAG+"))
}
