//! MP3 and its older layers: consecutive frames without a container, each with its own sample rate.
//!
//! The first frame may be a tag instead of audio. It counts the frames and says how many samples the encoder added.

use crate::source::Source;
use crate::tags::{self, Region};
use crate::{Length, Measurement, Unmeasurable, pcm};

const MP3: &str = "MP3";

/// Contiguous frames from the start of a region to its end; tags between them are skipped.
pub struct Frames {
    container: &'static str,
    region: Region,
    at: u64,
    count: u64,
    length: Option<Length>,
    last_is_cut: bool,
}

/// A program or a picture may begin like a frame, or even like two consecutive frames.
const FRAMES_OF_AUDIO: u64 = 4;

impl Frames {
    pub fn new(container: &'static str, region: Region) -> Self {
        Self { container, region, at: region.start, count: 0, length: None, last_is_cut: false }
    }

    /// Where the next frame has to begin, or `None` at the end.
    pub fn next(&mut self, source: &mut Source<'_>) -> Result<Option<u64>, Unmeasurable> {
        let is_padded = !self.last_is_cut && self.count > 0 && source.byte_is_zero(self.at);
        if self.at >= self.region.end || is_padded && source.is_zero(self.at, self.region.end)? {
            return Ok(None);
        }
        Ok(Some(self.at))
    }

    /// Counts the frame that begins here. An incomplete last frame is not counted.
    pub fn add(&mut self, bytes: u64, samples: u64, rate: u64) -> Result<(), Unmeasurable> {
        self.at = self.at.saturating_add(bytes);
        if self.at > self.region.end {
            self.last_is_cut = true;
            return if self.count == 0 { Err(Unmeasurable::NotAudio) } else { Ok(()) };
        }
        let length = pcm::length(self.container, samples, rate)?;
        let sum = self.length.map_or(Some(length), |sum| sum.plus(length));
        self.length = Some(sum.ok_or_else(|| Unmeasurable::damaged(self.container, "it is too long"))?);
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Skips what is not a frame: a tag. Anything else is an error.
    pub fn skip(&mut self, source: &mut Source<'_>) -> Result<(), Unmeasurable> {
        if let Some(tag_end) = tags::leading_tag_end(source, self.at, self.region.end)? {
            self.at = tag_end;
            return Ok(());
        }
        // The last bytes of a file that was cut off within a header.
        if self.count >= FRAMES_OF_AUDIO && self.region.end.saturating_sub(self.at) < 7 {
            self.at = self.region.end;
            self.last_is_cut = true;
            return Ok(());
        }
        if self.count < FRAMES_OF_AUDIO {
            return Err(Unmeasurable::NotAudio);
        }
        Err(Unmeasurable::damaged(self.container, format!("neither a frame nor a tag begins at byte {}", self.at)))
    }

    pub fn length(&self) -> Result<Length, Unmeasurable> {
        // One or two frames with an incomplete last one may be anything.
        if self.last_is_cut && self.count < FRAMES_OF_AUDIO {
            return Err(Unmeasurable::NotAudio);
        }
        self.length.ok_or(Unmeasurable::Empty)
    }
}

/// The sum of a region's frames.
pub struct Count {
    pub codec: &'static str,
    frames: Frames,
    info: Option<Info>,
}

/// What the first frame says about the others, if it is such a tag.
#[derive(Clone, Copy)]
struct Info {
    frames: Option<u64>,
    /// The samples that the encoder added, at the start and at the end.
    added_samples: u64,
    frame_samples: u64,
    rate: u64,
}

struct Header {
    layer: u8,
    is_version_1: bool,
    is_mono: bool,
    rate: u64,
    samples: u64,
    /// `None` for a free format, which does not state the size of its frames.
    bytes: Option<u64>,
}

pub fn measure(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    // Some taggers leave zeros between their tag and the audio.
    let mut start = region.start;
    while start > 0 && start < region.end && source.byte_is_zero(start) {
        start = start.saturating_add(1);
    }
    let count = count(source, Region { start, ..region })?;
    Ok(Measurement::single(count.codec, count.codec, count.length()?))
}

pub fn count(source: &mut Source<'_>, region: Region) -> Result<Count, Unmeasurable> {
    let (mut layer, mut info) = (None, None);
    let mut frames = Frames::new(MP3, region);
    while let Some(at) = frames.next(source)? {
        let Some(header) = header(source, at)?.filter(|header| layer.is_none_or(|layer| layer == header.layer)) else {
            frames.skip(source)?;
            continue;
        };
        let Some(bytes) = header.bytes else {
            return Err(free_format(source, region, &header)?);
        };
        if layer.is_none() {
            layer = Some(header.layer);
            info = read_info(source, at, &header, bytes)?;
            if info.is_some() {
                frames.at = frames.at.saturating_add(bytes);
                continue;
            }
        }
        frames.add(bytes, header.samples, header.rate)?;
    }
    let codec = match layer {
        Some(1) => "MP1",
        Some(2) => "MP2",
        _ => MP3,
    };
    Ok(Count { codec, frames, info })
}

impl Count {
    pub fn length(&self) -> Result<Length, Unmeasurable> {
        let Some(info) = self.info else { return self.frames.length() };
        let found = self.frames.length.ok_or(Unmeasurable::CutShort { container: MP3 })?;
        let count = self.frames.count;
        if let Some(declared) = info.frames {
            // Encoders disagree on whether the tag frame counts itself.
            let counts_itself = !self.frames.last_is_cut && declared == count.saturating_add(1);
            if declared > count && !counts_itself {
                return Err(Unmeasurable::CutShort { container: MP3 });
            }
            if declared < count {
                let declared = pcm::length(MP3, declared.saturating_mul(info.frame_samples), info.rate)?;
                return Err(Unmeasurable::contradictory(declared, found));
            }
        }
        // The added samples are counted at the first frame's rate, so they are subtracted only if all frames have that
        // rate.
        if found.rate() != info.rate {
            return Ok(found);
        }
        let trimmed = found.frames().checked_sub(info.added_samples);
        let trimmed = trimmed.ok_or_else(|| Unmeasurable::damaged(MP3, "its header declares only padding"))?;
        pcm::length(MP3, trimmed, info.rate)
    }
}

/// http://mpgedit.org/mpgedit/mpeg_format/mpeghdr.htm
fn header(source: &mut Source<'_>, at: u64) -> Result<Option<Header>, Unmeasurable> {
    let &[0xff, second, third, fourth] = source.up_to(at, 4)? else { return Ok(None) };
    let version = second >> 3 & 0x03;
    let layer = match second >> 1 & 0x03 {
        3 => 1,
        2 => 2,
        1 => 3,
        _ => return Ok(None),
    };
    let base_rate = [44_100, 48_000, 32_000].get(usize::from(third >> 2 & 0x03)).copied();
    let is_header = second & 0xe0 == 0xe0 && version != 1 && fourth & 0x03 != 2;
    let Some(base_rate) = base_rate.filter(|_| is_header) else { return Ok(None) };
    let is_version_1 = version == 3;
    let rate: u64 = match version {
        3 => base_rate,
        2 => base_rate >> 1,
        _ => base_rate >> 2,
    };
    let samples = match (layer, is_version_1) {
        (1, _) => 384,
        (3, false) => 576,
        _ => 1_152,
    };
    let Some(kilobits) = kilobits(layer, is_version_1, third >> 4) else { return Ok(None) };
    let padding = u64::from(third >> 1 & 1);
    let bytes = (kilobits > 0).then(|| {
        let slot = if layer == 1 { 4 } else { 1 };
        let bits = u64::from(kilobits).saturating_mul(1_000).saturating_mul(samples);
        let slots = bits.checked_div(rate.saturating_mul(8).saturating_mul(slot)).unwrap_or(0);
        slots.saturating_add(padding).saturating_mul(slot)
    });
    let is_mono = fourth >> 6 == 3;
    Ok(Some(Header { layer, is_version_1, is_mono, rate, samples, bytes }))
}

/// 0 for the free format, `None` for an undefined index.
fn kilobits(layer: u8, is_version_1: bool, index: u8) -> Option<u16> {
    const BY_LAYER_1: [u16; 15] = [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
    const BY_LAYER_2: [u16; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
    const BY_LAYER_3: [u16; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const BY_LAYER_1_LOW: [u16; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
    const LOW: [u16; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let table = match (layer, is_version_1) {
        (1, true) => BY_LAYER_1,
        (2, true) => BY_LAYER_2,
        (_, true) => BY_LAYER_3,
        (1, false) => BY_LAYER_1_LOW,
        (_, false) => LOW,
    };
    table.get(usize::from(index)).copied()
}

/// A free format does not state the size of its frames, so it is recognized only if the next frames begin the same way.
fn free_format(source: &mut Source<'_>, region: Region, first: &Header) -> Result<Unmeasurable, Unmeasurable> {
    let [first_byte, second, third, _]: [u8; 4] = source.array(region.start)?;
    let head = [first_byte, second, third & 0xfd];
    let is_alike = |window: &[u8]| matches!(window, [one, two, three, _] if [*one, *two, *three & 0xfd] == head);
    // No frame of a free format is longer than this.
    let bytes = source.up_to(region.start.saturating_add(24), 3 * 8_192)?;
    let mut starts = bytes.windows(4).enumerate().filter(|(_, window)| is_alike(window)).map(|(place, _)| place);
    let (Some(one), Some(two), Some(three)) = (starts.next(), starts.next(), starts.next()) else {
        return Ok(Unmeasurable::NotAudio);
    };
    let is_regular = two.abs_diff(one).abs_diff(three.abs_diff(two)) <= 4 && first.layer == 3;
    Ok(if is_regular {
        Unmeasurable::Unsupported {
            container: MP3,
            codec: "a free format (frames without a standard bit rate)".to_owned(),
        }
    } else {
        Unmeasurable::NotAudio
    })
}

/// The tags of Xing and LAME (`Xing` at a variable, `Info` at a constant bit rate), and Fraunhofer's `VBRI`.
/// http://gabriel.mp3-tech.org/mp3infotag.html
fn read_info(source: &mut Source<'_>, at: u64, header: &Header, bytes: u64) -> Result<Option<Info>, Unmeasurable> {
    let side_bytes = match (header.is_version_1, header.is_mono) {
        (true, false) => 32,
        (true, true) | (false, false) => 17,
        (false, true) => 9,
    };
    let count = usize::try_from(bytes).unwrap_or(0);
    let frame = source.up_to(at, count)?;
    let none = Info { frames: None, added_samples: 0, frame_samples: header.samples, rate: header.rate };
    if header.layer != 3 {
        return Ok(None);
    }
    if let Some(tag) = frame.get(36..).filter(|tag| tag.starts_with(b"VBRI")) {
        return Ok(Some(Info { frames: be32(tag, 14), ..none }));
    }
    let tag = frame.get(4..).and_then(|frame| frame.get(side_bytes..));
    let Some(tag) = tag.filter(|tag| tag.starts_with(b"Xing") || tag.starts_with(b"Info")) else { return Ok(None) };
    let flags = be32(tag, 4).unwrap_or(0);
    let frames = be32(tag, 8).filter(|_| flags & 1 != 0);
    let fields = [(1, 4), (2, 4), (4, 100), (8, 4)];
    let encoder_at =
        fields.iter().filter(|(flag, _)| flags & flag != 0).fold(8_usize, |at, (_, size)| at.saturating_add(*size));
    let encoder = tag.get(encoder_at..).unwrap_or_default();
    let is_named = encoder.get(..4).is_some_and(|name| name.iter().all(u8::is_ascii_alphanumeric));
    let added_samples = match encoder.get(21..24) {
        Some(&[high, middle, low]) if is_named => {
            let delay = u64::from(high) << 4 | u64::from(middle >> 4);
            let padding = u64::from(middle & 0x0f) << 8 | u64::from(low);
            delay.saturating_add(padding)
        }
        _ => 0,
    };
    Ok(Some(Info { frames, added_samples, ..none }))
}

fn be32(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u64::from(u32::from_be_bytes(<[u8; 4]>::try_from(bytes).ok()?)))
}
