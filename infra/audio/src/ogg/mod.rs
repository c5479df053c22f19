//! Ogg: pages, which are verified by their checksums, and the packets of one of the streams that they interleave.

mod opus;
mod vorbis;

pub use opus::frames_of as opus_frames;

use crate::flac::{self, StreamInfo};
use crate::source::Source;
use crate::tags::Region;
use crate::{Length, Measurement, Unmeasurable};
use crc::{CRC_32_CKSUM, Crc, Table};

const OGG: &str = "Ogg";
/// Ogg's CRC. The CRC catalog's algorithm with the same polynomial differs only in its last step.
const PAGE_CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_CKSUM);
const PAGE_HEADER_BYTES: usize = 27;
/// The most bytes that are kept of a packet. Headers are read whole, audio packets only in part.
const PACKET_BYTES_MAX: usize = 1 << 20;
const STREAMS_MAX: usize = 64;
const NO_GRANULE: u64 = u64::MAX;

/// A page of any stream.
struct Page {
    is_continued: bool,
    is_first: bool,
    is_last: bool,
    granule: u64,
    serial: u32,
    number: u32,
    /// The sizes of the packet pieces on the page, and whether each piece is the last of its packet.
    pieces: Vec<(usize, bool)>,
    body: Vec<u8>,
    end: u64,
}

/// The codec of a stream.
trait Codec {
    fn name(&self) -> &'static str;

    /// The number of frames that this packet adds; `None` for an invalid packet.
    fn frames_of(&mut self, packet: &[u8]) -> Option<u64>;

    /// The length for the sum of the packets.
    fn length(&self, stream: &Timeline) -> Result<Length, Unmeasurable>;
}

/// The timing information in a stream's pages and packets.
#[derive(Default)]
struct Timeline {
    /// The frames of all audio packets.
    frames: u64,
    /// For the first page on which an audio packet ends: its end position, and the frames of the packets that end on
    /// it.
    first: Option<(u64, u64)>,
    /// For the last page: its end position, and the frames of the packets that end on it.
    last: (u64, u64),
    first_is_last: bool,
    is_finished: bool,
}

impl Timeline {
    /// The number of frames between the start and the end by the pages' own positions, if no packets are missing.
    /// `None` if packets are missing or the positions run backwards.
    fn frames_by_pages(&self) -> Option<u64> {
        let (first_end, first_frames) = self.first?;
        let (end, last_frames) = self.last;
        // A page that is both first and last may end before its packets do. Otherwise, a page position above its
        // packets is where the recording began, and one below means that the start was cut off.
        let start = first_end.saturating_sub(first_frames);
        let counted = end.checked_sub(start)?;
        let least = self.frames.saturating_sub(last_frames).saturating_sub(first_frames);
        (counted <= self.frames && counted >= least).then_some(counted)
    }
}

pub fn measure(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    let streams = first_pages(source, region)?;
    let names: Vec<String> = streams.iter().filter_map(|(_, packet)| audio_name(packet)).map(str::to_owned).collect();
    let mut audio = streams.iter().filter(|(_, packet)| audio_name(packet).is_some());
    let Some((serial, packet)) = audio.next() else { return Err(Unmeasurable::NoAudioTrack) };
    let mut codec = codec_of(packet)?;
    let timeline = walk(source, region, *serial, codec.as_mut())?;
    if timeline.frames == 0 {
        return Err(Unmeasurable::Empty);
    }
    let length = codec.length(&timeline)?;
    if !timeline.is_finished {
        return Err(Unmeasurable::Unfinished { found: length });
    }
    Ok(Measurement { container: OGG, codec: codec.name().to_owned(), track: 0, tracks: names, length })
}

fn audio_name(packet: &[u8]) -> Option<&'static str> {
    [
        (&b"\x01vorbis"[..], "Vorbis"),
        (b"OpusHead", "Opus"),
        (b"\x7fFLAC", "FLAC"),
        (b"Speex   ", "Speex"),
        (b"PCM     ", "PCM"),
        (b"CELT    ", "CELT"),
    ]
    .into_iter()
    .find_map(|(magic, name)| packet.starts_with(magic).then_some(name))
}

fn codec_of(packet: &[u8]) -> Result<Box<dyn Codec>, Unmeasurable> {
    let name = audio_name(packet).unwrap_or_default();
    let codec: Option<Box<dyn Codec>> = match name {
        "Vorbis" => vorbis::Vorbis::parse(packet).map(|codec| -> Box<dyn Codec> { Box::new(codec) }),
        "Opus" => opus::Opus::parse(packet).map(|codec| -> Box<dyn Codec> { Box::new(codec) }),
        "FLAC" => OggFlac::parse(packet).map(|codec| -> Box<dyn Codec> { Box::new(codec) }),
        _ => return Err(Unmeasurable::Unsupported { container: OGG, codec: name.to_owned() }),
    };
    codec.ok_or_else(|| Unmeasurable::damaged(OGG, format!("its {name} header is invalid")))
}

/// All streams begin together, each with a page that holds only its first packet.
fn first_pages(source: &mut Source<'_>, region: Region) -> Result<Vec<(u32, Vec<u8>)>, Unmeasurable> {
    let (mut streams, mut at) = (vec![], region.start);
    while at < region.end && streams.len() < STREAMS_MAX {
        let page = read_page(source, at, region.end)?;
        if !page.is_first {
            break;
        }
        at = page.end;
        streams.push((page.serial, page.body));
    }
    Ok(streams)
}

fn read_page(source: &mut Source<'_>, at: u64, end: u64) -> Result<Page, Unmeasurable> {
    let cut_short = || Unmeasurable::CutShort { container: OGG };
    if end.saturating_sub(at) < 27 {
        return Err(cut_short());
    }
    let header: [u8; PAGE_HEADER_BYTES] = source.array(at)?;
    let [b'O', b'g', b'g', b'S', 0, flags, rest @ ..] = header else {
        return Err(Unmeasurable::damaged(OGG, format!("no page begins at byte {at}")));
    };
    let field = |from: usize, to: usize| {
        let bytes = rest.get(from..to).unwrap_or_default();
        bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
    };
    let low = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let (granule, serial, number, checksum) = (field(0, 8), low(field(8, 12)), low(field(12, 16)), low(field(16, 20)));
    let laces_at = at.saturating_add(27);
    let laces = source.up_to(laces_at, usize::try_from(field(20, 21)).unwrap_or(0))?.to_vec();
    let body_bytes = laces.iter().map(|lace| usize::from(*lace)).fold(0, usize::saturating_add);
    let body_at = laces_at.saturating_add(field(20, 21));
    let page_end = body_at.saturating_add(u64::try_from(body_bytes).unwrap_or(u64::MAX));
    if page_end > end {
        return Err(cut_short());
    }
    let body = source.bytes(body_at, body_bytes)?.to_vec();
    let mut digest = PAGE_CRC.digest_with_initial(0);
    digest.update(header.get(..22).unwrap_or_default());
    digest.update(&[0; 4]);
    digest.update(header.get(26..).unwrap_or_default());
    digest.update(&laces);
    digest.update(&body);
    if digest.finalize() != !checksum {
        return Err(Unmeasurable::damaged(OGG, format!("the checksum of the page at byte {at} is wrong")));
    }
    Ok(Page {
        is_continued: flags & 1 != 0,
        is_first: flags & 2 != 0,
        is_last: flags & 4 != 0,
        granule,
        serial,
        number,
        pieces: pieces(&laces),
        body,
        end: page_end,
    })
}

fn pieces(laces: &[u8]) -> Vec<(usize, bool)> {
    let (mut pieces, mut size) = (vec![], 0_usize);
    for lace in laces {
        size = size.saturating_add(usize::from(*lace));
        if *lace < 255 {
            pieces.push((size, true));
            size = 0;
        }
    }
    if laces.last() == Some(&255) {
        pieces.push((size, false));
    }
    pieces
}

fn walk(source: &mut Source<'_>, region: Region, serial: u32, codec: &mut dyn Codec) -> Result<Timeline, Unmeasurable> {
    let (mut timeline, mut at, mut number) = (Timeline::default(), region.start, None);
    let (mut packet, mut is_within_packet, mut beginnings_are_over) = (vec![], false, false);
    while at < region.end {
        let page = read_page(source, at, region.end)?;
        at = page.end;
        if page.is_first && beginnings_are_over {
            return Err(Unmeasurable::Chained);
        }
        beginnings_are_over |= !page.is_first;
        if page.serial != serial {
            continue;
        }
        if number.is_some_and(|number: u32| page.number != number.wrapping_add(1)) || timeline.is_finished {
            return Err(Unmeasurable::damaged(OGG, "pages are missing"));
        }
        if page.is_continued != is_within_packet {
            return Err(Unmeasurable::damaged(OGG, "a packet is incomplete"));
        }
        number = Some(page.number);
        let frames_before = timeline.frames;
        let mut place = 0_usize;
        for (size, is_end) in &page.pieces {
            let next = place.saturating_add(*size);
            let room = PACKET_BYTES_MAX.saturating_sub(packet.len());
            packet.extend(page.body.get(place..next).unwrap_or_default().iter().take(room));
            place = next;
            is_within_packet = !is_end;
            if *is_end {
                let frames = codec.frames_of(&packet);
                let frames = frames.ok_or_else(|| Unmeasurable::damaged(OGG, "a packet is invalid"))?;
                timeline.frames = timeline.frames.saturating_add(frames);
                packet.clear();
            }
        }
        let frames = timeline.frames.saturating_sub(frames_before);
        timeline.is_finished = page.is_last;
        if page.granule == NO_GRANULE {
            continue;
        }
        if timeline.first.is_none() && timeline.frames > 0 {
            timeline.first = Some((page.granule, timeline.frames));
            timeline.last = (page.granule, timeline.frames);
            timeline.first_is_last = page.is_last;
        } else if timeline.first.is_some() {
            if page.granule < timeline.last.0 && !page.is_last {
                return Err(Unmeasurable::damaged(OGG, "its time runs backwards"));
            }
            timeline.last = (page.granule, frames.max(1));
        }
    }
    Ok(timeline)
}

/// FLAC in Ogg, with one frame per packet. https://xiph.org/flac/ogg_mapping.html
struct OggFlac {
    info: StreamInfo,
}

impl OggFlac {
    fn parse(packet: &[u8]) -> Option<Self> {
        let info = packet.get(13 + 4..)?;
        Some(Self { info: StreamInfo::parse(info)? })
    }
}

impl Codec for OggFlac {
    fn name(&self) -> &'static str {
        "FLAC"
    }

    fn frames_of(&mut self, packet: &[u8]) -> Option<u64> {
        // All other packets are metadata.
        if packet.first() != Some(&0xff) {
            return Some(0);
        }
        Some(flac::frame_header(packet)?.samples)
    }

    fn length(&self, timeline: &Timeline) -> Result<Length, Unmeasurable> {
        self.info.hold_against(OGG, timeline.frames)
    }
}
