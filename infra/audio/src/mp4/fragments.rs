//! Fragments: samples in `moof` boxes, in one file or in consecutive segments of a stream.

use super::boxes::{self, Atom, child, children};
use super::samples::Samples;
use super::{MP4, Track};
use crate::Unmeasurable;
use crate::source::Source;

/// The defaults for the samples of a fragment.
#[derive(Clone, Copy, Default)]
struct Defaults {
    ticks: u64,
    size: u64,
}

pub fn add(
    source: &mut Source<'_>,
    moov: &Atom,
    moofs: &[Atom],
    track: &Track,
    samples: &mut Samples,
) -> Result<(), Unmeasurable> {
    let defaults = match child(source, moov, b"mvex")? {
        Some(mvex) => track_defaults(source, &mvex, track.id)?,
        None => Defaults::default(),
    };
    for moof in moofs {
        for traf in children(source, moof)?.into_iter().filter(|found| found.kind == *b"traf") {
            add_fragment(source, moof, &traf, defaults, track, samples)?;
        }
    }
    samples.settle(&track.entry);
    Ok(())
}

fn track_defaults(source: &mut Source<'_>, mvex: &Atom, id: u32) -> Result<Defaults, Unmeasurable> {
    for trex in children(source, mvex)?.into_iter().filter(|found| found.kind == *b"trex") {
        if source.be32(trex.start.saturating_add(4))? == id {
            return Ok(Defaults {
                ticks: u64::from(source.be32(trex.start.saturating_add(12))?),
                size: u64::from(source.be32(trex.start.saturating_add(16))?),
            });
        }
    }
    Ok(Defaults::default())
}

const BASE_OFFSET: u32 = 0x1;
const DESCRIPTION: u32 = 0x2;
const DEFAULT_TICKS: u32 = 0x8;
const DEFAULT_SIZE: u32 = 0x10;

fn add_fragment(
    source: &mut Source<'_>,
    moof: &Atom,
    traf: &Atom,
    mut defaults: Defaults,
    track: &Track,
    samples: &mut Samples,
) -> Result<(), Unmeasurable> {
    let head = child(source, traf, b"tfhd")?;
    let head = head.ok_or_else(|| Unmeasurable::damaged(MP4, "a fragment has no header"))?;
    let flags = source.be32(head.start)?;
    if source.be32(head.start.saturating_add(4))? != track.id {
        return Ok(());
    }
    let mut at = head.start.saturating_add(8);
    let mut base = moof.at;
    if flags & BASE_OFFSET != 0 {
        base = source.be64(at)?;
        at = at.saturating_add(8);
    }
    if flags & DESCRIPTION != 0 {
        at = at.saturating_add(4);
    }
    if flags & DEFAULT_TICKS != 0 {
        defaults.ticks = u64::from(source.be32(at)?);
        at = at.saturating_add(4);
    }
    if flags & DEFAULT_SIZE != 0 {
        defaults.size = u64::from(source.be32(at)?);
    }
    let mut next = None;
    for trun in children(source, traf)?.into_iter().filter(|found| found.kind == *b"trun") {
        next = Some(add_run(source, &trun, defaults, base, next, track, samples)?);
    }
    Ok(())
}

const DATA_OFFSET: u32 = 0x1;
const FIRST_FLAGS: u32 = 0x4;
const TICKS: u32 = 0x100;
const SIZE: u32 = 0x200;

/// Adds a run of samples, and returns where the next run begins unless that one states its own position.
fn add_run(
    source: &mut Source<'_>,
    run: &Atom,
    defaults: Defaults,
    base: u64,
    next: Option<u64>,
    track: &Track,
    samples: &mut Samples,
) -> Result<u64, Unmeasurable> {
    let flags = source.be32(run.start)? & 0x00ff_ffff;
    let entry_bytes = u64::from((flags & 0xf00).count_ones()).saturating_mul(4);
    let (count, mut at) = boxes::table(source, run, 4, entry_bytes)?;
    let mut place = next.unwrap_or(base);
    if flags & DATA_OFFSET != 0 {
        let offset = i32::from_be_bytes(source.array(at)?);
        place = base.saturating_add_signed(i64::from(offset));
        at = at.saturating_add(4);
    }
    at = at.saturating_add(if flags & FIRST_FLAGS == 0 { 0 } else { 4 });
    if at.saturating_add(count.saturating_mul(entry_bytes)) > run.end {
        return Err(Unmeasurable::damaged(MP4, "a table is larger than its box"));
    }
    // Each sample takes at least one byte of the file or of the table.
    if entry_bytes == 0 && (defaults.size == 0 || count > source.len()) {
        return Err(Unmeasurable::damaged(MP4, "its packets have no size"));
    }
    for _ in 0..count {
        let mut sample = defaults;
        let mut field = at;
        if flags & TICKS != 0 {
            sample.ticks = u64::from(source.be32(field)?);
            field = field.saturating_add(4);
        }
        if flags & SIZE != 0 {
            sample.size = u64::from(source.be32(field)?);
        }
        at = at.saturating_add(entry_bytes);
        samples.add_packet(source, &track.entry, place, sample.size)?;
        place = place.saturating_add(sample.size);
        samples.ticks = samples.ticks.saturating_add(sample.ticks);
        samples.count = samples.count.saturating_add(1);
    }
    Ok(place)
}
