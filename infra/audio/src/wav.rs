//! WAV, and its 64-bit forms RF64 and BW64.
//!
//! The sizes may be wrong in one way: a program that writes to a pipe, or that crashed, left a placeholder or zero in
//! them.
//! Then the length is what the file actually contains.

use crate::pcm::{self, Blocks};
use crate::source::Source;
use crate::tags::Region;
use crate::{Measurement, Unmeasurable, mpeg};

const WAV: &str = "WAV";

struct Format {
    tag: u16,
    channels: u64,
    rate: u64,
    block_bytes: u64,
    bits: u64,
    /// For ADPCM, the number of frames in a block.
    block_frames: Option<u64>,
}

pub fn measure(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    let (mut format, mut fact, mut data_size_64) = (None, None, None);
    let mut at = region.start.saturating_add(12);
    while at.saturating_add(8) <= region.end {
        let kind: [u8; 4] = source.array(at)?;
        let size = source.le32(at.saturating_add(4))?;
        let body = at.saturating_add(8);
        match &kind {
            b"data" => {
                let format = format.ok_or_else(|| Unmeasurable::damaged(WAV, "it has no format"))?;
                let bytes = data_bytes(source, size, data_size_64, body, region.end)?;
                return measure_data(source, &format, fact, Region { start: body, end: body.saturating_add(bytes) });
            }
            b"fmt " => format = Some(read_format(source, body, size)?),
            b"fact" if size >= 4 => fact = Some(u64::from(source.le32(body)?)),
            b"ds64" if size >= 24 => data_size_64 = Some(source.le64(body.saturating_add(8))?),
            _ => {}
        }
        at = body.saturating_add(u64::from(size)).saturating_add(u64::from(size & 1));
    }
    Err(Unmeasurable::CutShort { container: WAV })
}

fn read_format(source: &mut Source<'_>, at: u64, size: u32) -> Result<Format, Unmeasurable> {
    if size < 14 {
        return Err(Unmeasurable::damaged(WAV, "its format is too short"));
    }
    let mut tag = source.le16(at)?;
    let bits = if size >= 16 { source.le16(at.saturating_add(14))? } else { 8 };
    let mut block_frames = None;
    if tag == 0xfffe && size >= 40 {
        tag = source.le16(at.saturating_add(24))?;
    } else if size >= 20 {
        block_frames = Some(u64::from(source.le16(at.saturating_add(18))?));
    }
    Ok(Format {
        tag,
        channels: u64::from(source.le16(at.saturating_add(2))?),
        rate: u64::from(source.le32(at.saturating_add(4))?),
        block_bytes: u64::from(source.le16(at.saturating_add(12))?),
        bits: u64::from(bits),
        block_frames,
    })
}

/// How many bytes of audio there are.
fn data_bytes(
    source: &mut Source<'_>,
    size: u32,
    size_64: Option<u64>,
    body: u64,
    end: u64,
) -> Result<u64, Unmeasurable> {
    let there = end.saturating_sub(body);
    if size == u32::MAX
        && let Some(size) = size_64.filter(|size| *size != 0 && *size != u64::MAX)
    {
        return if size <= there { Ok(size) } else { Err(Unmeasurable::CutShort { container: WAV }) };
    }
    match size {
        0 if is_chunk(source, body, end)? => Ok(0),
        0 => Ok(there),
        size if u64::from(size) <= there => Ok(u64::from(size)),
        size if is_mark_of_unknown(size) => Ok(there),
        _ => Err(Unmeasurable::CutShort { container: WAV }),
    }
}

/// Programs that write to a pipe use the greatest size they know, some of them minus the size of the header: ffmpeg 32
/// bits, lame 31 bits, sox a round number below that.
fn is_mark_of_unknown(size: u32) -> bool {
    matches!(size, 0x7fff_0000..=0x8000_ffff | 0xffff_0000..)
}

/// Whether another chunk follows, so that a size of 0 is correct.
fn is_chunk(source: &mut Source<'_>, at: u64, end: u64) -> Result<bool, Unmeasurable> {
    if at == end {
        return Ok(true);
    }
    let Ok(kind) = source.array::<4>(at) else { return Ok(false) };
    let Ok(size) = source.le32(at.saturating_add(4)) else { return Ok(false) };
    let is_named = kind.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b' ');
    Ok(is_named && at.saturating_add(8).saturating_add(u64::from(size)) <= end)
}

fn measure_data(
    source: &mut Source<'_>,
    format: &Format,
    fact: Option<u64>,
    data: Region,
) -> Result<Measurement, Unmeasurable> {
    let Format { channels, block_bytes, bits, .. } = *format;
    let samples_of = |bytes_per_channel: u64, bits: u64| {
        let bytes = block_bytes.checked_sub(channels.saturating_mul(bytes_per_channel))?;
        bytes.saturating_mul(8).checked_div(channels.saturating_mul(bits))
    };
    let (codec, blocks) = match format.tag {
        1 => ("PCM", Blocks::pcm(block_bytes, channels, bits)),
        3 => ("floating-point PCM", Blocks::pcm(block_bytes, channels, bits)),
        6 => ("A-law", Blocks::pcm(block_bytes, channels, 8)),
        7 => ("µ-law", Blocks::pcm(block_bytes, channels, 8)),
        // A block begins with one sample of each channel in IMA ADPCM, and with two in Microsoft ADPCM.
        0x11 => ("IMA ADPCM", adpcm_blocks(format, samples_of(4, 4).map(|samples| samples.saturating_add(1)))),
        2 => ("Microsoft ADPCM", adpcm_blocks(format, samples_of(7, 4).map(|samples| samples.saturating_add(2)))),
        0x31 => ("GSM 6.10", Some(Blocks { bytes: 65, frames: 320 }).filter(|_| block_bytes == 65)),
        0x55 | 0x50 => {
            let walk = mpeg::count(source, data).map_err(|error| error.within(WAV))?;
            return Ok(Measurement::single(WAV, walk.codec, walk.length()?));
        }
        tag => return Err(Unmeasurable::Unsupported { container: WAV, codec: codec_name(tag) }),
    };
    let blocks = blocks.ok_or_else(|| Unmeasurable::damaged(WAV, "its format contradicts itself"))?;
    let is_compressed = blocks.frames > 1;
    let mut frames = blocks.frames_in(data.len()).unwrap_or(u64::MAX);
    if let Some(fact) = fact.filter(|fact| is_compressed && *fact > 0) {
        frames = counted(fact, frames, blocks, format.rate)?;
    }
    Ok(Measurement::single(WAV, codec, pcm::length(WAV, frames, format.rate)?))
}

fn adpcm_blocks(format: &Format, samples: Option<u64>) -> Option<Blocks> {
    let samples = samples.filter(|samples| *samples > 1 && format.bits == 4)?;
    let declared = format.block_frames.filter(|declared| *declared != 0).unwrap_or(samples);
    (declared <= samples).then_some(Blocks { bytes: format.block_bytes, frames: declared })
}

/// Compressed blocks are padded. The `fact` chunk counts the recorded frames, which exclude at most a part of the last
/// block.
fn counted(fact: u64, frames: u64, blocks: Blocks, rate: u64) -> Result<u64, Unmeasurable> {
    // An incomplete last block also holds frames.
    if fact <= frames.saturating_add(blocks.frames) && frames < fact.saturating_add(blocks.frames.saturating_mul(2)) {
        return Ok(fact);
    }
    Err(Unmeasurable::contradictory(pcm::length(WAV, fact, rate)?, pcm::length(WAV, frames, rate)?))
}

/// https://www.rfc-editor.org/rfc/rfc2361 and later registrations.
fn codec_name(tag: u16) -> String {
    let name = match tag {
        0x0022 => "TrueSpeech",
        0x0028 | 0x0092 | 0x2000 => "AC-3",
        0x0040 | 0x0064 | 0x0014 | 0x0045 => "G.726 ADPCM",
        0x0042 => "G.723.1",
        0x0065 | 0x028f => "G.722 ADPCM",
        0x0160..=0x0163 => "WMA",
        0x00ff | 0x1600 | 0x1602 | 0xa106 => "AAC",
        0x2001 => "DTS",
        0x674f..=0x6771 => "Vorbis",
        0x704f => "Opus",
        0xf1ac => "FLAC",
        0xa109 => "Speex",
        _ => return format!("codec 0x{tag:04x}"),
    };
    name.to_owned()
}
