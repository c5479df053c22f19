//! AIFF and AIFF-C.

use crate::pcm::Blocks;
use crate::source::Source;
use crate::tags::Region;
use crate::{Length, Measurement, Unmeasurable};

const AIFF: &str = "AIFF";

struct Common {
    channels: u64,
    frames: u64,
    bits: u64,
    rate: (u64, u64),
    compression: [u8; 4],
}

pub fn measure(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    let is_compressed = source.starts_with(region.start.saturating_add(8), b"AIFC")?;
    let (mut common, mut sound_bytes) = (None, None);
    let mut at = region.start.saturating_add(12);
    while at.saturating_add(8) <= region.end {
        let kind: [u8; 4] = source.array(at)?;
        let size = u64::from(source.be32(at.saturating_add(4))?);
        let body = at.saturating_add(8);
        match &kind {
            b"COMM" => common = Some(read_common(source, body, is_compressed)?),
            b"SSND" => {
                let there = region.end.saturating_sub(body);
                // Written to a pipe, with sizes that were never filled in: the rest of the file is the sound.
                let is_unfilled = size <= 8 && there > 8 && !is_chunk(source, body.saturating_add(8), region.end)?;
                let is_unknown = is_unfilled || size >= 0x7f00_0000 && size > there;
                let size = if is_unknown { there } else { size };
                if size > there {
                    return Err(Unmeasurable::CutShort { container: AIFF });
                }
                let offset = u64::from(source.be32(body)?);
                sound_bytes = Some(size.saturating_sub(8).saturating_sub(offset));
                if is_unknown {
                    // A count that was written before the sound is as unreliable as the size.
                    common = common.map(|common: Common| Common { frames: 0, ..common });
                    break;
                }
            }
            _ => {}
        }
        at = body.saturating_add(size).saturating_add(size & 1);
    }
    let common = common.ok_or_else(|| Unmeasurable::damaged(AIFF, "it has no format"))?;
    let codec_and_blocks = codec_and_blocks(&common)?;
    match sound_bytes {
        Some(bytes) => measure_sound(&common, codec_and_blocks, bytes),
        None if common.frames == 0 => Err(Unmeasurable::Empty),
        None => Err(Unmeasurable::CutShort { container: AIFF }),
    }
}

/// Whether another chunk follows, so that a size of 0 is correct.
fn is_chunk(source: &mut Source<'_>, at: u64, end: u64) -> Result<bool, Unmeasurable> {
    let &[one, two, three, four, _, _, _, _] = source.up_to(at, 8)? else { return Ok(false) };
    let is_named = [one, two, three, four].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b' ');
    let size = u64::from(source.be32(at.saturating_add(4))?);
    Ok(is_named && at.saturating_add(8).saturating_add(size) <= end)
}

fn measure_sound(
    common: &Common,
    (codec, blocks): (&str, Blocks),
    sound_bytes: u64,
) -> Result<Measurement, Unmeasurable> {
    let found = blocks.frames_in(sound_bytes).unwrap_or(u64::MAX);
    // Writers of compressed sound count either packets or frames.
    let declared = common.frames.saturating_mul(blocks.frames);
    let is_packets = declared == found;
    let is_frames = common.frames <= found && found < common.frames.saturating_add(blocks.frames);
    let frames = if is_frames { common.frames } else { found };
    let length = length(frames, common.rate)?;
    if is_packets || is_frames || common.frames == 0 {
        return Ok(Measurement::single(AIFF, codec, length));
    }
    if common.frames > found {
        return Err(Unmeasurable::CutShort { container: AIFF });
    }
    Err(Unmeasurable::contradictory(self::length(declared, common.rate)?, length))
}

fn read_common(source: &mut Source<'_>, at: u64, is_compressed: bool) -> Result<Common, Unmeasurable> {
    Ok(Common {
        channels: u64::from(source.be16(at)?),
        frames: u64::from(source.be32(at.saturating_add(2))?),
        bits: u64::from(source.be16(at.saturating_add(6))?),
        rate: extended(source.be16(at.saturating_add(8))?, source.be64(at.saturating_add(10))?)
            .ok_or_else(|| Unmeasurable::damaged(AIFF, "its sample rate is invalid"))?,
        compression: if is_compressed { source.array(at.saturating_add(18))? } else { *b"NONE" },
    })
}

/// How many fractional bits of a sample rate are kept. Old Macintoshes recorded 22,254.545… samples per second.
const FRACTION_BITS: u16 = 16;

/// The sample rate is an 80-bit floating-point number. It is returned as a numerator and a denominator.
fn extended(exponent: u16, mantissa: u64) -> Option<(u64, u64)> {
    let whole_bits = exponent.checked_sub(16_383)?;
    let fraction_bits =
        if mantissa.trailing_zeros() >= u32::from(63_u16.checked_sub(whole_bits)?) { 0 } else { FRACTION_BITS };
    let shift = 63_u16.checked_sub(whole_bits)?.checked_sub(fraction_bits)?;
    (whole_bits < 32).then(|| (mantissa >> shift, 1 << fraction_bits))
}

fn length(frames: u64, (numerator, denominator): (u64, u64)) -> Result<Length, Unmeasurable> {
    Length::new(frames.saturating_mul(denominator), numerator)
        .ok_or_else(|| Unmeasurable::damaged(AIFF, "its sample rate is 0"))
}

fn codec_and_blocks(common: &Common) -> Result<(&'static str, Blocks), Unmeasurable> {
    let Common { channels, bits, .. } = *common;
    let (codec, blocks) = match &common.compression {
        b"NONE" | b"sowt" | b"twos" | b"raw " | b"in24" | b"in32" => ("PCM", Blocks::packed(channels, bits)),
        b"fl32" | b"FL32" => ("floating-point PCM", Blocks::packed(channels, 32)),
        b"fl64" | b"FL64" => ("floating-point PCM", Blocks::packed(channels, 64)),
        b"alaw" | b"ALAW" => ("A-law", Blocks::packed(channels, 8)),
        b"ulaw" | b"ULAW" => ("µ-law", Blocks::packed(channels, 8)),
        b"ima4" => ("IMA ADPCM", Some(Blocks { bytes: channels.saturating_mul(34), frames: 64 })),
        b"GSM " => ("GSM 6.10", Some(Blocks { bytes: 33, frames: 160 })),
        other => {
            let codec = match other {
                b"MAC3" => "MACE 3:1".to_owned(),
                b"MAC6" => "MACE 6:1".to_owned(),
                b"G722" => "G.722 ADPCM".to_owned(),
                b"QDMC" | b"QDM2" => "QDesign Music".to_owned(),
                b"Qclp" => "QCELP".to_owned(),
                _ => format!("codec {}", other.escape_ascii()),
            };
            return Err(Unmeasurable::Unsupported { container: "AIFF-C", codec });
        }
    };
    let blocks = blocks.filter(|blocks| blocks.bytes > 0);
    Ok((codec, blocks.ok_or_else(|| Unmeasurable::damaged(AIFF, "its format contradicts itself"))?))
}
