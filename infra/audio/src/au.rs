//! AU, the format of Sun and NeXT.

use crate::pcm::{self, Blocks};
use crate::source::Source;
use crate::tags::Region;
use crate::{Measurement, Unmeasurable};

const AU: &str = "AU";
/// A file that was written to a pipe has one of these sizes. Nothing follows the sound.
const UNKNOWN_SIZES: [u32; 2] = [0, u32::MAX];

pub fn measure(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    let field = |source: &mut Source<'_>, number: u64| {
        source.be32(region.start.saturating_add(number.saturating_mul(4))).map_err(|error| error.within(AU))
    };
    let start = u64::from(field(source, 1)?);
    let size = field(source, 2)?;
    let encoding = field(source, 3)?;
    let rate = u64::from(field(source, 4)?);
    let channels = u64::from(field(source, 5)?);
    let (codec, bits) = match encoding {
        1 => ("µ-law", 8),
        2 => ("PCM", 8),
        3 => ("PCM", 16),
        4 => ("PCM", 24),
        5 => ("PCM", 32),
        6 => ("floating-point PCM", 32),
        7 => ("floating-point PCM", 64),
        27 => ("A-law", 8),
        _ => {
            let codec = match encoding {
                23 | 25 | 26 => "G.726 ADPCM".to_owned(),
                24 => "G.722 ADPCM".to_owned(),
                _ => format!("codec {encoding}"),
            };
            return Err(Unmeasurable::Unsupported { container: AU, codec });
        }
    };
    let there = region.end.saturating_sub(start);
    let bytes = if UNKNOWN_SIZES.contains(&size) { there } else { u64::from(size) };
    if start < 24 || bytes > there {
        return Err(Unmeasurable::CutShort { container: AU });
    }
    let blocks = Blocks::packed(channels, bits).ok_or_else(|| Unmeasurable::damaged(AU, "it has no channels"))?;
    let frames = blocks.frames_in(bytes).unwrap_or(u64::MAX);
    Ok(Measurement::single(AU, codec, pcm::length(AU, frames, rate)?))
}
