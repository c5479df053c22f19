//! Boxes: a size, a name, and a payload, which may consist of boxes.

use super::MP4;
use crate::Unmeasurable;
use crate::source::Source;

/// A box (an atom in QuickTime): its name, its start, and the start and end of its payload.
#[derive(Clone, Copy, Debug)]
pub struct Atom {
    pub kind: [u8; 4],
    pub at: u64,
    pub start: u64,
    pub end: u64,
}

impl Atom {
    pub fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// The most boxes that may be in one box.
const CHILDREN_MAX: usize = 10_000;

pub fn is_name(kind: &[u8; 4]) -> bool {
    kind.iter().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | 0xa9))
}

/// The box that begins here. A box that extends beyond `end` was cut short.
pub fn read(source: &mut Source<'_>, at: u64, end: u64) -> Result<Atom, Unmeasurable> {
    let size = u64::from(source.be32(at)?);
    let kind = source.array(at.saturating_add(4))?;
    let (header, size) = match size {
        0 => (8, end.saturating_sub(at)),
        1 => (16, source.be64(at.saturating_add(8))?),
        size => (8, size),
    };
    if size < header {
        return Err(Unmeasurable::damaged(MP4, format!("the box at byte {at} is smaller than its header")));
    }
    let box_end = at.saturating_add(size);
    if box_end > end {
        return Err(if is_name(&kind) {
            Unmeasurable::CutShort { container: MP4 }
        } else {
            Unmeasurable::damaged(MP4, format!("no box begins at byte {at}"))
        });
    }
    Ok(Atom { kind, at, start: at.saturating_add(header), end: box_end })
}

pub fn children(source: &mut Source<'_>, parent: &Atom) -> Result<Vec<Atom>, Unmeasurable> {
    within(source, parent.start, parent.end)
}

/// The boxes between two positions. QuickTime may leave a few bytes at the end, fewer than a header; they are ignored.
pub fn within(source: &mut Source<'_>, mut at: u64, end: u64) -> Result<Vec<Atom>, Unmeasurable> {
    let mut found = vec![];
    while end.saturating_sub(at) >= 8 {
        if found.len() == CHILDREN_MAX {
            return Err(Unmeasurable::damaged(MP4, "it has too many boxes"));
        }
        let next = read(source, at, end).map_err(|_| {
            Unmeasurable::damaged(MP4, format!("the box at byte {at} extends beyond the box around it"))
        })?;
        at = next.end;
        found.push(next);
    }
    Ok(found)
}

pub fn child(source: &mut Source<'_>, parent: &Atom, kind: &[u8; 4]) -> Result<Option<Atom>, Unmeasurable> {
    Ok(children(source, parent)?.into_iter().find(|found| found.kind == *kind))
}

/// The field after the creation and modification times, which have 32 or 64 bits.
pub fn after_times(source: &mut Source<'_>, found: &Atom) -> Result<u32, Unmeasurable> {
    let version = source.byte(found.start)?;
    source.be32(found.start.saturating_add(if version == 1 { 20 } else { 12 }))
}

/// A table: its number of entries, and where they begin. All entries are within the box.
pub fn table(
    source: &mut Source<'_>,
    found: &Atom,
    count_at: u64,
    entry_bytes: u64,
) -> Result<(u64, u64), Unmeasurable> {
    let count = u64::from(source.be32(found.start.saturating_add(count_at))?);
    let start = found.start.saturating_add(count_at).saturating_add(4);
    if count.saturating_mul(entry_bytes) > found.end.saturating_sub(start) {
        return Err(Unmeasurable::damaged(MP4, "a table is larger than its box"));
    }
    Ok((count, start))
}
