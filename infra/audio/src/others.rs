//! Containers that are recognized but not measured, so that the error can name the file's format.

use crate::Unmeasurable;
use crate::source::Source;
use crate::tags::Region;

/// The name of a container and of its codec.
type Named = (&'static str, String);

/// The file's format, if it is one of them.
pub fn recognize(source: &mut Source<'_>, region: Region) -> Result<Option<Named>, Unmeasurable> {
    let head = source.up_to(region.start, 64)?.to_vec();
    let head = head.as_slice();
    let at = |place: usize, magic: &[u8]| head.get(place..).is_some_and(|rest| rest.starts_with(magic));
    let same = |container: &'static str, codec: &str| Ok(Some((container, codec.to_owned())));
    match head {
        [0x1a, 0x45, 0xdf, 0xa3, ..] => matroska(source, region),
        [b'R', b'I', b'F', b'F', ..] if at(8, b"AVI ") => Ok(Some(("AVI", avi_codec(source, region)?))),
        [b'w', b'v', b'p', b'k', ..] => same("WavPack", "WavPack"),
        [b'M', b'A', b'C', b' ', ..] => same("Monkey's Audio", "Monkey's Audio"),
        [b'M', b'P', b'C', b'K', ..] | [b'M', b'P', b'+', ..] => same("Musepack", "Musepack"),
        [b'T', b'T', b'A', b'1' | b'2', ..] => same("TTA", "True Audio"),
        [b't', b'B', b'a', b'K', ..] => same("TAK", "TAK"),
        [b'O', b'F', b'R', b' ', ..] => same("OptimFROG", "OptimFROG"),
        [b'D', b'S', b'D', b' ', ..] if at(28, b"fmt ") => same("DSF", "DSD"),
        [b'F', b'R', b'M', b'8', ..] if at(12, b"DSD ") => same("DSDIFF", "DSD"),
        [b'F', b'O', b'R', b'M', ..] if at(8, b"8SVX") || at(8, b"16SV") => same("IFF", "8SVX"),
        [b'r', b'i', b'f', b'f', 0x2e, 0x91, 0xcf, 0x11, ..] => same("Wave64", "PCM"),
        [b'M', b'T', b'h', b'd', 0, 0, 0, 6, ..] => same("MIDI", "notes, which are not audio"),
        [b'C', b'r', b'e', b'a', ..] if at(0, b"Creative Voice File\x1a") => same("VOC", "PCM"),
        [b'F', b'L', b'V', 1, ..] => Ok(Some(("FLV", flv_codec(source, region)?))),
        [0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11, ..] => same("ASF", "WMA"),
        [b'.', b'R', b'M', b'F', ..] | [b'.', b'r', b'a', 0xfd, ..] => same("RealMedia", "RealAudio"),
        [0x0b, 0x77, _, _, _, id, ..] if id >> 3 <= 16 && second_frame_of_ac3(source, region)? => {
            same(if id >> 3 <= 10 { "AC-3" } else { "E-AC-3" }, if id >> 3 <= 10 { "AC-3" } else { "E-AC-3" })
        }
        [0x7f, 0xfe, 0x80, 0x01, ..] => same("DTS", "DTS"),
        [0x56, second, ..] if second & 0xe0 == 0xe0 && is_loas(source, region)? => same("LOAS", "AAC in LATM"),
        [0, 0, 1, 0xba, ..] => same("MPEG program stream", "MPEG audio, AC-3 or PCM"),
        [0x47, ..] => transport_stream(source, region, 0, 188),
        [_, _, _, _, 0x47, ..] => transport_stream(source, region, 4, 192),
        _ => Ok(None),
    }
}

/// AC-3 frame sizes need a separate table. To recognize the format, it is enough that another frame begins within the
/// largest size.
fn second_frame_of_ac3(source: &mut Source<'_>, region: Region) -> Result<bool, Unmeasurable> {
    let bytes = source.up_to(region.start.saturating_add(64), 4_096)?;
    Ok(bytes.windows(2).any(|window| window == [0x0b, 0x77]))
}

fn is_loas(source: &mut Source<'_>, region: Region) -> Result<bool, Unmeasurable> {
    let size = u64::from(source.be16(region.start.saturating_add(1))? & 0x1fff);
    source.starts_with(region.start.saturating_add(3).saturating_add(size), &[0x56])
}

fn avi_codec(source: &mut Source<'_>, region: Region) -> Result<String, Unmeasurable> {
    let head = source.up_to(region.start, 1 << 14)?;
    let after_header = head.windows(8).position(|window| window == b"strhauds");
    let rest = after_header.and_then(|place| head.get(place..)).unwrap_or_default();
    // Some writers put the header's size between its name and its type.
    let audio = head.windows(4).position(|window| window == b"auds").and_then(|place| head.get(place..));
    let rest = if rest.is_empty() { audio.unwrap_or_default() } else { rest };
    let format =
        rest.windows(4).position(|window| window == b"strf").and_then(|place| rest.get(place.checked_add(8)?..));
    Ok(match format {
        None => "no audio".to_owned(),
        Some([0x01, 0, ..]) => "PCM".to_owned(),
        Some([0x50, 0, ..]) => "MP2".to_owned(),
        Some([0x55, 0, ..]) => "MP3".to_owned(),
        Some([0x00, 0x20, ..]) => "AC-3".to_owned(),
        Some([0xff, 0, ..]) => "AAC".to_owned(),
        Some([low, high, ..]) => format!("codec 0x{high:02x}{low:02x}"),
        Some(_) => "audio".to_owned(),
    })
}

fn flv_codec(source: &mut Source<'_>, region: Region) -> Result<String, Unmeasurable> {
    let mut at = region.start.saturating_add(u64::from(source.be32(region.start.saturating_add(5))?)).saturating_add(4);
    for _ in 0..64 {
        let Ok(head) = source.be32(at) else { break };
        if head >> 24 & 0x1f == 8 {
            let format = source.byte(at.saturating_add(11)).unwrap_or(0) >> 4;
            let name = match format {
                0 | 3 => "PCM",
                1 => "ADPCM",
                2 | 14 => "MP3",
                4..=6 => "Nellymoser",
                7 | 8 => "G.711",
                10 => "AAC",
                11 => "Speex",
                _ => "audio",
            };
            return Ok(name.to_owned());
        }
        at = at.saturating_add(15).saturating_add(u64::from(head & 0x00ff_ffff));
    }
    Ok("no audio".to_owned())
}

/// The EBML elements that contain a codec's name: segment, tracks, track, codec.
const PATH: [u64; 4] = [0x1853_8067, 0x1654_ae6b, 0xae, 0x86];

fn matroska(source: &mut Source<'_>, region: Region) -> Result<Option<Named>, Unmeasurable> {
    let head = source.up_to(region.start, 1 << 12)?;
    let container = if head.windows(4).any(|window| window == b"webm") { "WebM" } else { "Matroska" };
    let mut names = vec![];
    let after_head = element(source, region.start)?.map_or(region.end, |(_, _, end)| end);
    codecs(source, after_head, region.end, 0, &mut names)?;
    let audio = names.iter().find_map(|name| name.strip_prefix("A_"));
    let codec = audio.map_or_else(
        || "no audio track".to_owned(),
        |name| match name.split('/').next() {
            Some("MPEG") => "MPEG audio".to_owned(),
            Some("VORBIS") => "Vorbis".to_owned(),
            Some("OPUS") => "Opus".to_owned(),
            Some(name) => name.to_owned(),
            None => "audio".to_owned(),
        },
    );
    Ok(Some((container, codec)))
}

fn codecs(
    source: &mut Source<'_>,
    mut at: u64,
    end: u64,
    depth: usize,
    names: &mut Vec<String>,
) -> Result<(), Unmeasurable> {
    let Some(wanted) = PATH.get(depth) else { return Ok(()) };
    for _ in 0..256 {
        if at >= end {
            break;
        }
        let Some((id, start, element_end)) = element(source, at)? else { break };
        let element_end = element_end.min(end);
        if id == *wanted && depth == 3 {
            let count = usize::try_from(element_end.saturating_sub(start).min(32)).unwrap_or(0);
            names.push(source.up_to(start, count)?.escape_ascii().to_string());
        } else if id == *wanted {
            codecs(source, start, element_end, depth.saturating_add(1), names)?;
        }
        at = element_end;
    }
    Ok(())
}

/// An element's id, and the start and end of its content.
fn element(source: &mut Source<'_>, at: u64) -> Result<Option<(u64, u64, u64)>, Unmeasurable> {
    let bytes = source.up_to(at, 12)?;
    let number = |bytes: &[u8], keeps_mark: bool| {
        let first = *bytes.first()?;
        let length = usize::try_from(first.leading_zeros()).ok()?.checked_add(1)?;
        let rest = bytes.get(1..length).filter(|_| length <= 8)?;
        let head =
            if keeps_mark { u64::from(first) } else { u64::from(first) & (0x7f_u64 >> length.saturating_sub(1)) };
        let value = rest.iter().fold(head, |value, byte| value << 8 | u64::from(*byte));
        let is_unknown = !keeps_mark && value == (1_u64 << length.saturating_mul(7)).saturating_sub(1);
        Some((if is_unknown { u64::MAX } else { value }, length))
    };
    let Some((id, id_bytes)) = number(bytes, true) else { return Ok(None) };
    let Some((size, size_bytes)) = number(bytes.get(id_bytes..).unwrap_or_default(), false) else { return Ok(None) };
    let header = u64::try_from(id_bytes.saturating_add(size_bytes)).unwrap_or(u64::MAX);
    let start = at.saturating_add(header);
    Ok(Some((id, start, start.saturating_add(size))))
}

/// Packets of a fixed size with the same first byte. The program map names the codecs.
fn transport_stream(
    source: &mut Source<'_>,
    region: Region,
    offset: u64,
    packet_bytes: u64,
) -> Result<Option<Named>, Unmeasurable> {
    let place = |number: u64| region.start.saturating_add(offset).saturating_add(number.saturating_mul(packet_bytes));
    let packets = region.len().checked_div(packet_bytes).unwrap_or(0);
    for number in 0..packets.min(8) {
        if !source.starts_with(place(number), &[0x47])? {
            return Ok(None);
        }
    }
    if packets < 3 {
        return Ok(None);
    }
    let mut map = None;
    for number in 0..packets.min(2_000) {
        let packet = source.up_to(place(number), 188)?.to_vec();
        let Some((pid, section)) = section(&packet) else { continue };
        if pid == 0 {
            map =
                section.get(10..12).map(|bytes| bytes.iter().fold(0, |pid, byte| pid << 8 | u16::from(*byte)) & 0x1fff);
        } else if Some(pid) == map {
            return Ok(Some(("MPEG transport stream", stream_codec(section))));
        }
    }
    Ok(Some(("MPEG transport stream", "unknown audio".to_owned())))
}

/// The stream number of a packet, and the table section that begins in it.
fn section(packet: &[u8]) -> Option<(u16, &[u8])> {
    let &[_, high, low, flags, ..] = packet else { return None };
    let pid = u16::from(high & 0x1f) << 8 | u16::from(low);
    let adaptation = if flags & 0x20 == 0 { 0 } else { usize::from(*packet.get(4)?).checked_add(1)? };
    let payload = packet.get(4_usize.checked_add(adaptation)?..)?;
    let pointer = usize::from(*payload.first()?);
    (high & 0x40 != 0).then_some((pid, payload.get(pointer.checked_add(1)?..)?))
}

fn stream_codec(section: &[u8]) -> String {
    let codec = || {
        let information = usize::from(*section.get(10)? & 0x0f) << 8 | usize::from(*section.get(11)?);
        let mut rest = section.get(information.checked_add(12)?..)?;
        while let &[kind, _, _, high, low, ..] = rest {
            let name = match kind {
                0x03 | 0x04 => "MPEG audio",
                0x0f => "AAC",
                0x11 => "AAC in LATM",
                0x81 => "AC-3",
                0x87 => "E-AC-3",
                0x82 | 0x85 | 0x8a => "DTS",
                // Private streams name their codec in a descriptor.
                0x06 => "AC-3, Opus or another private stream",
                _ => "",
            };
            if !name.is_empty() {
                return Some(name.to_owned());
            }
            rest = rest.get((usize::from(high & 0x0f) << 8 | usize::from(low)).checked_add(5)?..)?;
        }
        None
    };
    codec().unwrap_or_else(|| "no audio".to_owned())
}
