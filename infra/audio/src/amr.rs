//! AMR, which phones record: a magic number and frames of 20 ms.

use crate::source::Source;
use crate::tags::Region;
use crate::{Measurement, Unmeasurable, pcm};

/// The size of a frame by its type, in bytes, including its header; 0 for undefined types (RFC 4867, 5.3).
const NARROW_BYTES: [u64; 16] = [13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1];
const WIDE_BYTES: [u64; 16] = [18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1];

pub fn measure(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    let (codec, magic_bytes, sizes, samples, rate) = if source.starts_with(region.start, b"#!AMR\n")? {
        ("AMR", 6, NARROW_BYTES, 160, 8_000)
    } else if source.starts_with(region.start, b"#!AMR-WB\n")? {
        ("AMR-WB", 9, WIDE_BYTES, 320, 16_000)
    } else if source.starts_with(region.start, b"#!AMR")? {
        return Err(Unmeasurable::Unsupported { container: "AMR", codec: "several channels".to_owned() });
    } else {
        return Err(Unmeasurable::NotAudio);
    };
    let (mut at, mut frames) = (region.start.saturating_add(magic_bytes), 0_u64);
    while at < region.end {
        let kind = usize::from(source.byte(at)? >> 3 & 0x0f);
        let bytes = sizes.get(kind).copied().unwrap_or(0);
        if bytes == 0 {
            return Err(Unmeasurable::damaged("AMR", format!("no frame begins at byte {at}")));
        }
        at = at.saturating_add(bytes);
        frames = frames.saturating_add(samples);
    }
    if at > region.end {
        return Err(Unmeasurable::CutShort { container: "AMR" });
    }
    Ok(Measurement::single("AMR", codec, pcm::length("AMR", frames, rate)?))
}
