//! CAF, Apple's Core Audio Format. The packet table counts the compressed packets, and says what is padding.

use crate::pcm;
use crate::source::Source;
use crate::tags::Region;
use crate::{Measurement, Unmeasurable};

const CAF: &str = "CAF";

struct Description {
    rate: u64,
    kind: [u8; 4],
    packet_bytes: u64,
    packet_frames: u64,
}

struct PacketTable {
    packets: u64,
    valid_frames: u64,
    priming_frames: u64,
    remainder_frames: u64,
    sizes_at: u64,
    end: u64,
}

pub fn measure(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    let (mut description, mut table, mut data) = (None, None, None);
    let mut at = region.start.saturating_add(8);
    while at.saturating_add(12) <= region.end {
        let kind: [u8; 4] = source.array(at)?;
        let size = source.be64(at.saturating_add(4))?;
        let body = at.saturating_add(12);
        let there = region.end.saturating_sub(body);
        // Only the last chunk, the data, may have an unknown size.
        let size = if kind == *b"data" && size == u64::MAX { there } else { size };
        if size > there {
            return Err(Unmeasurable::CutShort { container: CAF });
        }
        match &kind {
            b"desc" => description = Some(read_description(source, body)?),
            b"pakt" => table = Some(read_table(source, body, size)?),
            // The first four bytes are an edit count.
            b"data" => data = Some(Region { start: body.saturating_add(4), end: body.saturating_add(size) }),
            _ => {}
        }
        at = body.saturating_add(size);
    }
    let description = description.ok_or_else(|| Unmeasurable::damaged(CAF, "it has no format"))?;
    let data = data.ok_or(Unmeasurable::CutShort { container: CAF })?;
    let codec = codec(&description)?;
    let frames = match table.filter(|_| description.packet_bytes == 0) {
        Some(table) => frames_by_table(source, &description, &table, data)?,
        None => constant_frames(&description, data.len())?,
    };
    Ok(Measurement::single(CAF, codec, pcm::length(CAF, frames, description.rate)?))
}

fn read_description(source: &mut Source<'_>, at: u64) -> Result<Description, Unmeasurable> {
    Ok(Description {
        rate: whole(source.be64(at)?).ok_or_else(|| Unmeasurable::damaged(CAF, "its sample rate is not an integer"))?,
        kind: source.array(at.saturating_add(8))?,
        packet_bytes: u64::from(source.be32(at.saturating_add(16))?),
        packet_frames: u64::from(source.be32(at.saturating_add(20))?),
    })
}

/// The integer value of a 64-bit floating-point number, if it has one.
fn whole(bits: u64) -> Option<u64> {
    let exponent = (bits >> 52).checked_sub(1_023)?;
    let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
    let shift = u32::try_from(52_u64.checked_sub(exponent)?).ok()?;
    (exponent < 32 && mantissa.trailing_zeros() >= shift).then(|| mantissa >> shift)
}

fn read_table(source: &mut Source<'_>, at: u64, size: u64) -> Result<PacketTable, Unmeasurable> {
    Ok(PacketTable {
        packets: source.be64(at)?,
        valid_frames: source.be64(at.saturating_add(8))?,
        priming_frames: u64::from(source.be32(at.saturating_add(16))?),
        remainder_frames: u64::from(source.be32(at.saturating_add(20))?),
        sizes_at: at.saturating_add(24),
        end: at.saturating_add(size),
    })
}

fn codec(description: &Description) -> Result<&'static str, Unmeasurable> {
    Ok(match &description.kind {
        b"lpcm" => "PCM",
        b"alaw" => "A-law",
        b"ulaw" => "µ-law",
        b"ima4" => "IMA ADPCM",
        b"alac" => "ALAC",
        b"aac " => "AAC",
        other => {
            let codec = match other {
                b"opus" => "Opus".to_owned(),
                b"flac" => "FLAC".to_owned(),
                b".mp3" => "MP3".to_owned(),
                b"ac-3" => "AC-3".to_owned(),
                b"aach" | b"aacp" | b"aace" | b"aacl" => "HE-AAC or AAC-LD".to_owned(),
                b"QDM2" => "QDesign Music".to_owned(),
                _ => format!("codec {}", other.escape_ascii()),
            };
            return Err(Unmeasurable::Unsupported { container: CAF, codec });
        }
    })
}

fn constant_frames(description: &Description, data_bytes: u64) -> Result<u64, Unmeasurable> {
    let blocks = pcm::Blocks { bytes: description.packet_bytes, frames: description.packet_frames };
    let is_sensible = blocks.frames > 0 && blocks.frames <= blocks.bytes.saturating_mul(8);
    let frames = blocks.frames_in(data_bytes).filter(|_| is_sensible);
    frames.ok_or_else(|| Unmeasurable::damaged(CAF, "its packets have no size"))
}

/// The sizes of the packets follow the table's header, with seven bits per byte, and must add up to the size of the
/// data.
fn frames_by_table(
    source: &mut Source<'_>,
    description: &Description,
    table: &PacketTable,
    data: Region,
) -> Result<u64, Unmeasurable> {
    let contradiction = || Unmeasurable::damaged(CAF, "its packet table contradicts itself");
    if table.packets > data.len() || !(1..=PACKET_FRAMES_MAX).contains(&description.packet_frames) {
        return Err(contradiction());
    }
    let (mut at, mut place, mut frames) = (table.sizes_at, data.start, 0_u64);
    for _ in 0..table.packets {
        let (size, next) = packed_number(source, at, table.end)?.ok_or_else(contradiction)?;
        frames = frames.saturating_add(packet_frames(source, description, place, size)?);
        (at, place) = (next, place.saturating_add(size));
        if size == 0 || place > data.end {
            return Err(contradiction());
        }
    }
    let trimmed = table.priming_frames.saturating_add(table.remainder_frames);
    let is_counted =
        table.valid_frames.saturating_add(trimmed) == table.packets.saturating_mul(description.packet_frames);
    if place != data.end || !is_counted {
        return Err(contradiction());
    }
    // Some writers count an incomplete last packet as a full one.
    let left = frames.checked_sub(table.priming_frames).ok_or_else(contradiction)?;
    Ok(table.valid_frames.min(left))
}

const PACKET_FRAMES_MAX: u64 = 8_192;

fn packed_number(source: &mut Source<'_>, at: u64, end: u64) -> Result<Option<(u64, u64)>, Unmeasurable> {
    let mut value = 0_u64;
    for place in 0..5_u64 {
        let byte_at = at.saturating_add(place);
        if byte_at >= end {
            break;
        }
        let byte = source.byte(byte_at)?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(Some((value, byte_at.saturating_add(1))));
        }
    }
    Ok(None)
}

/// An incomplete ALAC packet states how many frames it holds. After 19 other bits, one bit says that the number is
/// present, then three other bits follow, and then the number.
fn packet_frames(source: &mut Source<'_>, description: &Description, at: u64, size: u64) -> Result<u64, Unmeasurable> {
    if description.kind != *b"alac" || size < 7 {
        return Ok(description.packet_frames);
    }
    let head = source.be64(at).or_else(|_| source.be32(at).map(|head| u64::from(head) << 32))?;
    let is_told = head >> 44 & 1 == 1;
    let told = head >> 9 & 0xffff_ffff;
    Ok(if is_told { told.min(description.packet_frames) } else { description.packet_frames })
}
