//! Tags around the audio: ID3v1, ID3v2, APEv1, APEv2 and Lyrics3. They hold titles and pictures, and never audio.

use crate::Unmeasurable;
use crate::source::Source;

/// The part of a file between its tags, from `start` up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub start: u64,
    pub end: u64,
}

const ID3V1_BYTES: u64 = 128;
const ID3V1_ENHANCED_BYTES: u64 = 227;
const APE_HEADER_BYTES: u64 = 32;
const APE_HAS_HEADER: u32 = 1 << 31;

impl Region {
    pub fn without_tags(source: &mut Source<'_>) -> Result<Self, Unmeasurable> {
        let (mut start, mut end) = (0, source.len());
        while let Some(tag_end) = leading_tag_end(source, start, end)? {
            start = tag_end;
        }
        while let Some(tag_start) = trailing_tag_start(source, start, end)? {
            end = tag_start;
        }
        Ok(Self { start, end })
    }

    pub fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// The end of the tag that begins here, if there is one.
pub fn leading_tag_end(source: &mut Source<'_>, at: u64, end: u64) -> Result<Option<u64>, Unmeasurable> {
    let head = source.up_to(at, 32)?;
    let tag_end = match head {
        [b'I', b'D', b'3', major, minor, flags, size @ ..] if *major < 0xff && *minor < 0xff => {
            let Some(size) = syncsafe(size.get(..4)) else { return Ok(None) };
            let footer = if flags & 0x10 == 0 { 0 } else { 10 };
            at.saturating_add(10).saturating_add(size).saturating_add(footer)
        }
        [b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', _, _, _, _, size @ ..] => {
            let Some(size) = le32(size.get(..4)) else { return Ok(None) };
            at.saturating_add(APE_HEADER_BYTES).saturating_add(u64::from(size))
        }
        [b'T', b'A', b'G', ..] => at.saturating_add(ID3V1_BYTES),
        _ => return Ok(None),
    };
    Ok(Some(tag_end).filter(|tag_end| *tag_end <= end))
}

/// The start of the tag that ends here, if there is one.
fn trailing_tag_start(source: &mut Source<'_>, start: u64, end: u64) -> Result<Option<u64>, Unmeasurable> {
    let tag_start = match source.up_to(end.saturating_sub(ID3V1_BYTES), 3)? {
        b"TAG" if end.saturating_sub(start) >= ID3V1_BYTES => {
            let tag_start = end.saturating_sub(ID3V1_BYTES);
            let enhanced = tag_start.saturating_sub(ID3V1_ENHANCED_BYTES);
            Some(if source.starts_with(enhanced, b"TAG+")? { enhanced } else { tag_start })
        }
        _ => match ape_start(source, end)? {
            Some(tag_start) => Some(tag_start),
            None => lyrics3_start(source, end)?,
        },
    };
    Ok(tag_start.filter(|tag_start| (start..end).contains(tag_start)))
}

fn ape_start(source: &mut Source<'_>, end: u64) -> Result<Option<u64>, Unmeasurable> {
    let footer_at = end.saturating_sub(APE_HEADER_BYTES);
    if !source.starts_with(footer_at, b"APETAGEX")? {
        return Ok(None);
    }
    let size = source.le32(footer_at.saturating_add(12))?;
    let flags = source.le32(footer_at.saturating_add(20))?;
    let header = if flags & APE_HAS_HEADER == 0 { 0 } else { APE_HEADER_BYTES };
    Ok(end.checked_sub(u64::from(size)).and_then(|start| start.checked_sub(header)))
}

fn lyrics3_start(source: &mut Source<'_>, end: u64) -> Result<Option<u64>, Unmeasurable> {
    let mark_at = end.saturating_sub(9);
    if source.starts_with(mark_at, b"LYRICS200")? {
        let digits = source.bytes(mark_at.saturating_sub(6), 6)?;
        let size = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
        let Some(start) = size.and_then(|size| mark_at.checked_sub(6)?.checked_sub(size)) else { return Ok(None) };
        return Ok(source.starts_with(start, b"LYRICSBEGIN")?.then_some(start));
    }
    if !source.starts_with(mark_at, b"LYRICSEND")? {
        return Ok(None);
    }
    // The first version has no size. It has at most 5,100 bytes of text, and 20 bytes around them.
    let from = end.saturating_sub(5_120);
    let text = source.up_to(from, 5_120)?;
    let begin = text.windows(11).rposition(|window| window == b"LYRICSBEGIN");
    Ok(begin.and_then(|begin| from.checked_add(u64::try_from(begin).ok()?)))
}

fn syncsafe(bytes: Option<&[u8]>) -> Option<u64> {
    let bytes = bytes?;
    if bytes.iter().any(|byte| *byte >= 0x80) {
        return None;
    }
    Some(bytes.iter().fold(0, |size, byte| (size << 7) | u64::from(*byte)))
}

fn le32(bytes: Option<&[u8]>) -> Option<u32> {
    Some(u32::from_le_bytes(<[u8; 4]>::try_from(bytes?).ok()?))
}
