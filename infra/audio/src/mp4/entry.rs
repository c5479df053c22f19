//! The sample description of an audio track: its codec, and what is known about the length of its packets.

use super::MP4;
use super::boxes::{self, Atom, child};
use crate::source::Source;
use crate::{Unmeasurable, adts, flac};

pub struct Entry {
    pub codec: String,
    pub packets: Packets,
}

/// How long the packets of a track are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packets {
    /// Every packet decodes to the same number of frames.
    Fixed {
        frames: u64,
        rate: u64,
    },
    /// No packet decodes to more frames than this; any packet may decode to fewer.
    AtMost {
        frames: u64,
        rate: u64,
    },
    /// Each packet states its own length.
    Opus,
    /// A sample in the table is a frame of this many bytes.
    Pcm {
        bytes: u64,
        rate: u64,
    },
    /// A sample in the table is a frame, and a block of this many bytes holds this many frames.
    Blocks {
        bytes: u64,
        frames: u64,
        rate: u64,
    },
    Unsupported,
}

struct Head {
    kind: [u8; 4],
    channels: u64,
    bits: u64,
    rate: u64,
    /// The position of the boxes that follow.
    boxes_at: u64,
    end: u64,
}

pub fn read(source: &mut Source<'_>, table: &Atom) -> Result<Entry, Unmeasurable> {
    let stsd = child(source, table, b"stsd")?.ok_or_else(|| Unmeasurable::damaged(MP4, "its box stsd is missing"))?;
    let found = boxes::read(source, stsd.start.saturating_add(8), stsd.end)?;
    let head = read_head(source, &found)?;
    let named = |codec: &str, packets| Ok(Entry { codec: codec.to_owned(), packets });
    let Head { channels, bits, rate, .. } = head;
    let pcm = |bits: u64| Packets::Pcm { bytes: bits.div_ceil(8).saturating_mul(channels), rate };
    match &head.kind {
        b"mp4a" => read_esds(source, &head),
        b"alac" => read_alac(source, &head),
        b"fLaC" => read_flac(source, &head),
        b"Opus" => named("Opus", Packets::Opus),
        b"samr" => {
            named("AMR", Packets::Fixed { frames: read_amr_frames(source, &head)?.saturating_mul(160), rate: 8_000 })
        }
        b"sawb" => named(
            "AMR-WB",
            Packets::Fixed { frames: read_amr_frames(source, &head)?.saturating_mul(320), rate: 16_000 },
        ),
        b"ac-3" => named("AC-3", Packets::Fixed { frames: 1_536, rate }),
        b".mp3" | b"ms\0U" => named("MP3", mp3(rate)),
        b"sowt" | b"twos" | b"raw " | b"NONE" | b"lpcm" | b"ipcm" => named("PCM", pcm(bits)),
        b"in24" => named("PCM", pcm(24)),
        b"in32" => named("PCM", pcm(32)),
        b"fl32" => named("floating-point PCM", pcm(32)),
        b"fl64" => named("floating-point PCM", pcm(64)),
        b"fpcm" => named("floating-point PCM", pcm(bits)),
        b"alaw" => named("A-law", pcm(8)),
        b"ulaw" => named("µ-law", pcm(8)),
        b"ima4" => named("IMA ADPCM", Packets::Blocks { bytes: channels.saturating_mul(34), frames: 64, rate }),
        b"enca" | b"drms" => named("encrypted audio", Packets::Unsupported),
        b"ec-3" => named("E-AC-3", Packets::Unsupported),
        b"ac-4" => named("AC-4", Packets::Unsupported),
        b"mha1" | b"mhm1" => named("MPEG-H", Packets::Unsupported),
        other => named(&format!("codec {}", other.escape_ascii()), Packets::Unsupported),
    }
}

fn read_head(source: &mut Source<'_>, found: &Atom) -> Result<Head, Unmeasurable> {
    let at = |offset: u64| found.start.saturating_add(offset);
    let version = source.be16(at(8))?;
    let mut head = Head {
        kind: found.kind,
        channels: u64::from(source.be16(at(16))?),
        bits: u64::from(source.be16(at(18))?),
        rate: u64::from(source.be16(at(24))?),
        boxes_at: at(28),
        end: found.end,
    };
    match version {
        // QuickTime's second and third versions. The third has its own fields for everything.
        1 => head.boxes_at = at(44),
        2 => {
            let rate = f64::from_be_bytes(source.array(at(32))?);
            head.rate = format!("{rate:.0}").parse().unwrap_or(0);
            head.channels = u64::from(source.be32(at(40))?);
            head.bits = u64::from(source.be32(at(48))?);
            head.boxes_at = at(64);
        }
        _ => {}
    }
    Ok(head)
}

/// The box with this name in the description, or in QuickTime's `wave` box within it.
fn find(source: &mut Source<'_>, head: &Head, kind: &[u8; 4]) -> Result<Option<Atom>, Unmeasurable> {
    let found = boxes::within(source, head.boxes_at, head.end)?;
    if let Some(found) = found.iter().find(|found| found.kind == *kind) {
        return Ok(Some(*found));
    }
    match found.iter().find(|found| found.kind == *b"wave") {
        Some(wave) => child(source, wave, kind),
        None => Ok(None),
    }
}

fn mp3(rate: u64) -> Packets {
    Packets::Fixed { frames: if rate < 32_000 { 576 } else { 1_152 }, rate }
}

/// Encoders write packets of 4,096 frames.
const ALAC_FRAMES_MAX: u64 = 1 << 16;

fn read_alac(source: &mut Source<'_>, head: &Head) -> Result<Entry, Unmeasurable> {
    let Some(cookie) = find(source, head, b"alac")? else {
        return Err(Unmeasurable::damaged(MP4, "its ALAC track has no description"));
    };
    let frames = u64::from(source.be32(cookie.start.saturating_add(4))?);
    let rate = u64::from(source.be32(cookie.start.saturating_add(24))?);
    if frames > ALAC_FRAMES_MAX {
        return Err(Unmeasurable::damaged(MP4, "its ALAC packets are too long"));
    }
    Ok(Entry { codec: "ALAC".to_owned(), packets: Packets::AtMost { frames, rate } })
}

fn read_flac(source: &mut Source<'_>, head: &Head) -> Result<Entry, Unmeasurable> {
    let missing = || Unmeasurable::damaged(MP4, "its FLAC track has no description");
    let description = find(source, head, b"dfLa")?.ok_or_else(missing)?;
    let bytes = source.bytes(description.start.saturating_add(8), flac::StreamInfo::BYTES)?;
    let info = flac::StreamInfo::parse(bytes).ok_or_else(missing)?;
    Ok(Entry { codec: "FLAC".to_owned(), packets: Packets::AtMost { frames: info.block_max, rate: info.rate } })
}

fn read_amr_frames(source: &mut Source<'_>, head: &Head) -> Result<u64, Unmeasurable> {
    let frames = match find(source, head, b"damr")? {
        Some(description) => source.byte(description.start.saturating_add(8))?,
        None => 1,
    };
    Ok(u64::from(frames.max(1)))
}

/// The codecs that have a number in MPEG-4. https://mp4ra.org/registered-types/object-types
fn read_esds(source: &mut Source<'_>, head: &Head) -> Result<Entry, Unmeasurable> {
    let named = |codec: &str, packets| Ok(Entry { codec: codec.to_owned(), packets });
    let Some(esds) = find(source, head, b"esds")? else {
        return Err(Unmeasurable::damaged(MP4, "its codec has no description"));
    };
    let count = usize::try_from(esds.len().min(512)).unwrap_or(0);
    let bytes = source.bytes(esds.start, count)?;
    let Some((object_type, config)) = decoder_config(bytes) else {
        return Err(Unmeasurable::damaged(MP4, "its codec's description is invalid"));
    };
    match object_type {
        0x40 | 0x66..=0x68 => aac(config),
        0x69 | 0x6b => named("MP3", mp3(head.rate)),
        0xa5 => named("AC-3", Packets::Fixed { frames: 1_536, rate: head.rate }),
        0xa6 => named("E-AC-3", Packets::Unsupported),
        0xa9 => named("DTS", Packets::Unsupported),
        0xdd => named("Vorbis", Packets::Unsupported),
        0xe1 => named("QCELP", Packets::Unsupported),
        other => named(&format!("codec 0x{other:02x}"), Packets::Unsupported),
    }
}

/// The object type and the decoder's configuration: descriptors 3, 4 and 5, each nested in the previous one.
fn decoder_config(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (3, stream, _) = descriptor(bytes.get(4..)?)? else { return None };
    let flags = *stream.get(2)?;
    let mut at = 3_usize;
    at = at.saturating_add(if flags & 0x80 == 0 { 0 } else { 2 });
    at = at.saturating_add(if flags & 0x40 == 0 { 0 } else { usize::from(*stream.get(at)?).saturating_add(1) });
    at = at.saturating_add(if flags & 0x20 == 0 { 0 } else { 2 });
    let (4, config, _) = descriptor(stream.get(at..)?)? else { return None };
    let object_type = *config.first()?;
    match config.get(13..).and_then(descriptor) {
        Some((5, specific, _)) => Some((object_type, specific)),
        _ => Some((object_type, &[])),
    }
}

/// A tag, its content and the rest.
fn descriptor(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let mut size = 0_usize;
    for (place, byte) in rest.iter().take(4).enumerate() {
        size = size << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            let content = rest.get(place.checked_add(1)?..)?;
            return Some((*tag, content.get(..size.min(content.len()))?, content.get(size..).unwrap_or_default()));
        }
    }
    None
}

/// The `AudioSpecificConfig` of ISO 14496-3: the object type, the core's sample rate, and whether its frames are short.
fn aac(config: &[u8]) -> Result<Entry, Unmeasurable> {
    let damaged = || Unmeasurable::damaged(MP4, "its AAC description is invalid");
    let mut bits = Bits { bytes: config, at: 0 };
    let object_type = bits.object_type().ok_or_else(damaged)?;
    let rate = bits.rate().ok_or_else(damaged)?;
    bits.read(4).ok_or_else(damaged)?;
    let (name, core_type) = match object_type {
        5 | 29 => {
            // The sample rate of spectral band replication. Frames are counted at the core's rate.
            bits.rate().ok_or_else(damaged)?;
            let core_type = bits.object_type().ok_or_else(damaged)?;
            (if object_type == 5 { "HE-AAC" } else { "HE-AACv2" }, core_type)
        }
        23 => ("AAC-LD", object_type),
        39 => ("AAC-ELD", object_type),
        42 => return Ok(Entry { codec: "xHE-AAC".to_owned(), packets: Packets::Unsupported }),
        1..=4 => ("AAC", object_type),
        other => return Ok(Entry { codec: format!("MPEG-4 audio {other}"), packets: Packets::Unsupported }),
    };
    let is_short = bits.read(1).unwrap_or(0) == 1;
    let frames = match (core_type, is_short) {
        (23 | 39, false) => 512,
        (23 | 39, true) => 480,
        (_, false) => 1_024,
        (_, true) => 960,
    };
    Ok(Entry { codec: name.to_owned(), packets: Packets::Fixed { frames, rate } })
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: usize) -> Option<u64> {
        (0..count).try_fold(0_u64, |value, _| {
            let byte = self.bytes.get(self.at >> 3)?;
            let bit = byte >> 7_usize.checked_sub(self.at & 7)? & 1;
            self.at = self.at.checked_add(1)?;
            Some(value << 1 | u64::from(bit))
        })
    }

    fn object_type(&mut self) -> Option<u64> {
        match self.read(5)? {
            31 => self.read(6)?.checked_add(32),
            object_type => Some(object_type),
        }
    }

    fn rate(&mut self) -> Option<u64> {
        match self.read(4)? {
            15 => self.read(24).filter(|rate| *rate > 0),
            index => adts::RATES.get(usize::try_from(index).ok()?).copied(),
        }
    }
}
