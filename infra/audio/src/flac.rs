//! FLAC without a container. Frames are found and verified by their own checksums, so the length is what can be
//! decoded.

use crate::source::Source;
use crate::tags::Region;
use crate::{Length, Measurement, Unmeasurable, pcm};
use crc::{CRC_8_SMBUS, CRC_16_UMTS, Crc, Table};

const FLAC: &str = "FLAC";
const HEADER_CRC: Crc<u8, Table<1>> = Crc::<u8, Table<1>>::new(&CRC_8_SMBUS);
const FRAME_CRC: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_UMTS);

/// The stream's description in the first metadata block.
#[derive(Clone, Copy, Debug)]
pub struct StreamInfo {
    pub block_max: u64,
    pub rate: u64,
    /// 0 if it was not known when the header was written, for example to a pipe.
    pub samples: u64,
}

impl StreamInfo {
    pub const BYTES: usize = 34;

    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let block_max = u16::from_be_bytes(<[u8; 2]>::try_from(bytes.get(2..4)?).ok()?);
        let packed = u64::from_be_bytes(<[u8; 8]>::try_from(bytes.get(10..18)?).ok()?);
        let info = Self { block_max: u64::from(block_max), rate: packed >> 44, samples: packed & 0x000f_ffff_ffff };
        (info.rate > 0 && info.block_max >= 16).then_some(info)
    }

    /// The count that was found, unless the header has a different count.
    pub fn hold_against(&self, container: &'static str, found: u64) -> Result<Length, Unmeasurable> {
        if self.samples > found {
            return Err(Unmeasurable::CutShort { container });
        }
        let found = pcm::length(container, found, self.rate)?;
        if self.samples != 0 && self.samples < found.frames() {
            return Err(Unmeasurable::contradictory(pcm::length(container, self.samples, self.rate)?, found));
        }
        Ok(found)
    }
}

pub fn measure(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    let (info, start) = read_metadata(source, region).map_err(|error| error.within(FLAC))?;
    let found = count(source, Region { start, ..region }, &info)?;
    Ok(Measurement::single(FLAC, FLAC, info.hold_against(FLAC, found)?))
}

/// The stream's description, and where the frames begin.
fn read_metadata(source: &mut Source<'_>, region: Region) -> Result<(StreamInfo, u64), Unmeasurable> {
    let mut at = region.start.saturating_add(4);
    let mut info = None;
    loop {
        let head = source.be32(at)?;
        let body = at.saturating_add(4);
        if info.is_none() {
            let bytes = source.bytes(body, StreamInfo::BYTES)?;
            let is_info = head & 0x7fff_ffff == 34;
            let parsed = StreamInfo::parse(bytes).filter(|_| is_info);
            info =
                Some(parsed.ok_or_else(|| Unmeasurable::damaged(FLAC, "it does not begin with a stream description"))?);
        }
        at = body.saturating_add(u64::from(head & 0x00ff_ffff));
        if head >> 31 == 1 || at >= region.end {
            break;
        }
    }
    match info {
        Some(info) if at <= region.end => Ok((info, at)),
        _ => Err(Unmeasurable::CutShort { container: FLAC }),
    }
}

/// How many samples a frame with this header holds, and its sample rate if the header states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    pub samples: u64,
    pub rate: Option<u64>,
    is_variable: bool,
    /// The number of the frame, or of its first sample if the block size varies.
    number: u64,
}

/// https://www.rfc-editor.org/rfc/rfc9639#section-9.1
pub fn frame_header(bytes: &[u8]) -> Option<FrameHeader> {
    let &[0xff, second @ (0xf8 | 0xf9), sizes, shape, ..] = bytes else { return None };
    if shape & 1 == 1 || shape >> 4 > 10 {
        return None;
    }
    let (number, mut at) = coded_number(bytes.get(4..)?)?;
    at = at.checked_add(4)?;
    let mut field = |count: usize| {
        let end = at.checked_add(count)?;
        let value = bytes.get(at..end)?.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        at = end;
        Some(value)
    };
    let samples = match sizes >> 4 {
        0 => return None,
        1 => 192,
        small @ 2..=5 => 144_u64 << small,
        6 => field(1)?.checked_add(1)?,
        7 => field(2)?.checked_add(1)?,
        large => 1_u64 << large,
    };
    let rate = match sizes & 0x0f {
        0 => None,
        12 => Some(field(1)?.checked_mul(1_000)?),
        13 => Some(field(2)?),
        14 => Some(field(2)?.checked_mul(10)?),
        15 => return None,
        index => {
            let rates = [88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
            rates.get(usize::from(index).checked_sub(1)?).copied()
        }
    };
    let is_sound = HEADER_CRC.checksum(bytes.get(..at)?) == *bytes.get(at)?;
    is_sound.then_some(FrameHeader { samples, rate, is_variable: second == 0xf9, number })
}

/// A number of up to 36 bits, encoded as in UTF-8, and how many bytes it takes.
fn coded_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = usize::try_from(first.leading_ones()).ok()?;
    if length == 0 {
        return Some((u64::from(first), 1));
    }
    let rest = bytes.get(1..length).filter(|_| (2..=7).contains(&length))?;
    let head = u64::from(first) & (0x7f_u64 >> length);
    rest.iter()
        .all(|byte| byte >> 6 == 2)
        .then(|| (rest.iter().fold(head, |number, byte| number << 6 | u64::from(byte & 0x3f)), length))
}

/// The longest possible header: 4 bytes, 7 of a number, 4 of sizes, 1 of checksum.
pub const HEADER_BYTES_MAX: usize = 16;

/// Counts the samples of a region's frames, which must be contiguous from its start to its end.
fn count(source: &mut Source<'_>, region: Region, info: &StreamInfo) -> Result<u64, Unmeasurable> {
    let (mut at, mut samples, mut frames) = (region.start, 0_u64, 0_u64);
    let mut first = None;
    while at < region.end {
        let header = frame_header(source.up_to(at, HEADER_BYTES_MAX)?);
        let Some(header) = header.filter(|header| is_next(header, first, frames, samples)) else {
            let what = format!("no frame begins at byte {at}");
            return Err(if first.is_none() {
                Unmeasurable::damaged(FLAC, "it has no frames")
            } else {
                Unmeasurable::damaged(FLAC, what)
            });
        };
        if header.rate.is_some_and(|rate| rate != info.rate) {
            return Err(Unmeasurable::damaged(FLAC, "its frames have another sample rate than its description"));
        }
        first = first.or(Some(header));
        at = frame_end(source, at, region.end, header.is_variable)?;
        samples = samples.saturating_add(header.samples);
        frames = frames.saturating_add(1);
    }
    Ok(samples)
}

/// Frames are numbered, so a missing one is noticed. A recording that was cut out of another does not begin at 0.
fn is_next(header: &FrameHeader, first: Option<FrameHeader>, frames: u64, samples: u64) -> bool {
    first.is_none_or(|first| {
        let step = if header.is_variable { samples } else { frames };
        header.is_variable == first.is_variable && header.number == first.number.wrapping_add(step)
    })
}

/// The end of a frame: where its checksum matches, and the next frame or the end of the file follows.
fn frame_end(source: &mut Source<'_>, start: u64, end: u64, is_variable: bool) -> Result<u64, Unmeasurable> {
    let mut digest = FRAME_CRC.digest();
    let mut at = start;
    // This cannot skip a header: a frame has at least one byte of sound and two of checksum.
    let mut search_from = start.saturating_add(2);
    let sync = [0xff, if is_variable { 0xf9 } else { 0xf8 }];
    while at < end {
        let count = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(STEP_BYTES);
        let chunk = source.bytes(at, count)?.to_vec();
        let (mut done, chunk_at) = (0_usize, at);
        for (place, window) in chunk.windows(2).enumerate() {
            let candidate = chunk_at.saturating_add(u64::try_from(place).unwrap_or(u64::MAX));
            if window != sync || candidate < search_from {
                continue;
            }
            digest.update(chunk.get(done..place).unwrap_or_default());
            done = place;
            let is_end = digest.clone().finalize() == 0;
            if is_end && frame_header(source.up_to(candidate, HEADER_BYTES_MAX)?).is_some() {
                return Ok(candidate);
            }
        }
        // The last byte of a chunk may be the first of a pair, unless the file ends there.
        let is_last = chunk_at.saturating_add(u64::try_from(chunk.len()).unwrap_or(0)) >= end;
        let upto = if is_last { chunk.len() } else { chunk.len().saturating_sub(1) };
        digest.update(chunk.get(done..upto).unwrap_or_default());
        at = chunk_at.saturating_add(u64::try_from(upto).unwrap_or(0));
        search_from = search_from.max(at);
        if is_last {
            break;
        }
    }
    if digest.finalize() == 0 { Ok(end) } else { Err(Unmeasurable::CutShort { container: FLAC }) }
}

/// How many bytes are searched at once.
const STEP_BYTES: usize = 1 << 14;
