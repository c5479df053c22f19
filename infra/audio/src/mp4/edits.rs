//! Edit lists: the parts of a track that are played. What they exclude (an encoder's lead-in, the rest of a movie that
//! was trimmed without encoding it again) is in the file but is not played. The iTunes padding tag is read as an edit
//! list, too.

use super::boxes::{self, Atom, child, children};
use crate::Unmeasurable;
use crate::source::Source;

/// A part of the track that is played, in ticks of the track's own time scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    pub start: u64,
    /// `None` for everything that follows.
    pub ticks: Option<u64>,
    /// The precision of `ticks`: edit lists use the movie's own, coarser time scale.
    pub coarseness: u64,
}

/// Players do not support longer lists.
const EDITS_MAX: u64 = 10_000;

pub fn read(source: &mut Source<'_>, trak: &Atom, movie_scale: u64, timescale: u64) -> Result<Vec<Edit>, Unmeasurable> {
    let Some(edts) = child(source, trak, b"edts")? else { return Ok(vec![]) };
    let Some(list) = child(source, &edts, b"elst")? else { return Ok(vec![]) };
    let is_long = source.byte(list.start)? == 1;
    let entry_bytes = if is_long { 20 } else { 12 };
    let (count, start) = boxes::table(source, &list, 4, entry_bytes)?;
    let mut edits = vec![];
    for number in 0..count.min(EDITS_MAX) {
        let at = start.saturating_add(number.saturating_mul(entry_bytes));
        let (duration, media_time) = if is_long {
            (source.be64(at)?, i64::from_be_bytes(source.array(at.saturating_add(8))?))
        } else {
            (u64::from(source.be32(at)?), i64::from(i32::from_be_bytes(source.array(at.saturating_add(4))?)))
        };
        // A negative time is a pause, which has no audio.
        let Ok(start) = u64::try_from(media_time) else { continue };
        let ticks = (duration != 0).then(|| scaled(duration, timescale, movie_scale)).flatten();
        let coarseness = scaled(1, timescale, movie_scale).unwrap_or(0).saturating_add(1);
        edits.push(Edit { start, ticks, coarseness });
    }
    Ok(edits)
}

fn scaled(ticks: u64, to: u64, from: u64) -> Option<u64> {
    let scaled = u128::from(ticks).checked_mul(u128::from(to))?.checked_div(u128::from(from))?;
    u64::try_from(scaled).ok()
}

/// How many ticks of a track are played.
pub fn shown(edits: &[Edit], ticks: u64) -> u64 {
    if edits.is_empty() {
        return ticks;
    }
    edits.iter().fold(0, |sum, edit| {
        let rest = ticks.saturating_sub(edit.start);
        // An end that differs from the track's own only by the coarser scale is the track's own.
        let shown = edit.ticks.filter(|shown| shown.saturating_add(edit.coarseness) < rest).unwrap_or(rest);
        sum.saturating_add(shown)
    })
}

/// The iTunes tag `iTunSMPB`: lead-in, padding and length in samples, in hexadecimal.
pub fn itunes(source: &mut Source<'_>, moov: &Atom) -> Result<Option<Edit>, Unmeasurable> {
    let Some(udta) = child(source, moov, b"udta")? else { return Ok(None) };
    let Ok(Some(meta)) = child(source, &udta, b"meta") else { return Ok(None) };
    // A full box: its boxes begin after four bytes.
    let inner = Atom { start: meta.start.saturating_add(4), ..meta };
    let Ok(Some(list)) = child(source, &inner, b"ilst") else { return Ok(None) };
    for item in children(source, &list).unwrap_or_default().into_iter().filter(|item| item.kind == *b"----") {
        let Ok(Some(name)) = child(source, &item, b"name") else { continue };
        let Ok(Some(data)) = child(source, &item, b"data") else { continue };
        if source.starts_with(name.start.saturating_add(4), b"iTunSMPB")? {
            let count = usize::try_from(data.len().saturating_sub(8).min(200)).unwrap_or(0);
            return Ok(parse_itunes(source.up_to(data.start.saturating_add(8), count)?));
        }
    }
    Ok(None)
}

fn parse_itunes(text: &[u8]) -> Option<Edit> {
    let text = std::str::from_utf8(text).ok()?;
    let mut numbers = text.split_ascii_whitespace().map(|number| u64::from_str_radix(number, 16).ok());
    let (_, lead_in, _, length) = (numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??);
    (length > 0).then_some(Edit { start: lead_in, ticks: Some(length), coarseness: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_shows_its_parts_and_no_more_than_there_is() {
        let edit = |start, ticks| Edit { start, ticks, coarseness: 45 };
        assert_eq!(shown(&[], 10_000), 10_000);
        assert_eq!(shown(&[edit(1_024, None)], 10_000), 8_976);
        assert_eq!(shown(&[edit(1_024, Some(4_000))], 10_000), 4_000);
        assert_eq!(shown(&[edit(1_024, Some(8_940))], 10_000), 8_976, "rounded in the coarser scale");
        assert_eq!(shown(&[edit(1_024, Some(99_999))], 10_000), 8_976);
        assert_eq!(shown(&[edit(0, Some(1_000)), edit(5_000, Some(2_000))], 10_000), 3_000);
        assert_eq!(shown(&[edit(20_000, Some(1_000))], 10_000), 0);
    }

    #[test]
    fn the_tag_of_itunes_is_read() {
        let text = b" 00000000 00000840 000001CA 00000000003F31F6 00000000 00000000";
        assert_eq!(parse_itunes(text), Some(Edit { start: 0x840, ticks: Some(0x3f_31f6), coarseness: 0 }));
        for text in [&b"nonsense"[..], b" 00000000 00000840 000001CA 0", b" 0 840", b"\xff"] {
            assert_eq!(parse_itunes(text), None);
        }
    }
}
