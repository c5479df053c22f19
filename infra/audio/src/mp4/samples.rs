//! The tables of a track without fragments: how many samples, their duration, and their position in the file.

use super::MP4;
use super::boxes::{self, Atom, child};
use super::entry::{Entry, Packets};
use crate::Unmeasurable;
use crate::ogg::opus_frames;
use crate::source::Source;

/// The sum of a track's samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Samples {
    pub count: u64,
    pub ticks: u64,
    pub bytes: u64,
    /// For Opus, the number of frames that the packets state.
    pub opus_frames: u64,
    /// For PCM and similar codecs, the number of frames that the bytes hold.
    pub frames: u64,
}

impl Samples {
    /// Counts the packet at this position.
    pub fn add_packet(
        &mut self,
        source: &mut Source<'_>,
        entry: &Entry,
        at: u64,
        size: u64,
    ) -> Result<(), Unmeasurable> {
        self.add_bytes(source, at, size)?;
        if entry.packets == Packets::Opus {
            let frames = opus_frames(source.up_to(at, usize::try_from(size.min(2)).unwrap_or(0))?);
            let frames = frames.ok_or_else(|| Unmeasurable::damaged(MP4, "an Opus packet is invalid"))?;
            self.opus_frames = self.opus_frames.saturating_add(frames);
        }
        Ok(())
    }

    /// Counts the bytes at this position. A table of a few bytes could reference the same audio a billion times.
    pub fn add_bytes(&mut self, source: &Source<'_>, at: u64, size: u64) -> Result<(), Unmeasurable> {
        if at.saturating_add(size) > source.len() {
            return Err(Unmeasurable::CutShort { container: MP4 });
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > source.len() {
            return Err(Unmeasurable::damaged(MP4, "its packets overlap"));
        }
        Ok(())
    }

    /// Sets the number of frames that the bytes hold, if the codec determines it.
    pub fn settle(&mut self, entry: &Entry) {
        let (bytes, frames) = match entry.packets {
            Packets::Pcm { bytes, .. } => (bytes, 1),
            Packets::Blocks { bytes, frames, .. } => (bytes, frames),
            _ => return,
        };
        self.frames = self.bytes.checked_div(bytes).unwrap_or(0).saturating_mul(frames);
    }
}

pub fn read(source: &mut Source<'_>, table: &Atom, entry: &Entry) -> Result<Samples, Unmeasurable> {
    let missing = |name: &str| Unmeasurable::damaged(MP4, format!("its box {name} is missing"));
    let mut samples = Samples::default();
    let times = child(source, table, b"stts")?.ok_or_else(|| missing("stts"))?;
    let (count, start) = boxes::table(source, &times, 4, 8)?;
    let mut timed = 0_u64;
    for number in 0..count {
        let at = start.saturating_add(number.saturating_mul(8));
        let (run, ticks) = (u64::from(source.be32(at)?), u64::from(source.be32(at.saturating_add(4))?));
        timed = timed.saturating_add(run);
        samples.ticks = samples.ticks.saturating_add(run.saturating_mul(ticks));
    }
    if timed == 0 {
        return Ok(samples);
    }
    let sizes = Sizes::read(source, table, entry)?;
    let placed = walk_chunks(source, table, entry, &sizes, &mut samples)?;
    if placed != timed || sizes.count != timed {
        return Err(Unmeasurable::damaged(MP4, "its tables disagree on the number of samples"));
    }
    samples.count = timed;
    samples.settle(entry);
    Ok(samples)
}

/// The table of sizes: one common size, or one for each sample.
struct Sizes {
    common: u64,
    count: u64,
    start: u64,
    /// If the common size is that of a frame rather than of a packet: frames per block, and bytes per block.
    blocks: Option<(u64, u64)>,
}

impl Sizes {
    fn read(source: &mut Source<'_>, table: &Atom, entry: &Entry) -> Result<Self, Unmeasurable> {
        let missing = || Unmeasurable::damaged(MP4, "its box stsz is missing");
        let found = child(source, table, b"stsz")?.ok_or_else(missing)?;
        let common = u64::from(source.be32(found.start.saturating_add(4))?);
        let entry_bytes = if common == 0 { 4 } else { 0 };
        let (count, start) = boxes::table(source, &found, 8, entry_bytes)?;
        let blocks = match entry.packets {
            Packets::Pcm { bytes, .. } => Some((1, bytes)),
            Packets::Blocks { bytes, frames, .. } => Some((frames, bytes)),
            _ => None,
        };
        Ok(Self { common, count, start, blocks: blocks.filter(|_| common != 0) })
    }
}

/// The number of samples in the chunks, each of which must be in the file.
fn walk_chunks(
    source: &mut Source<'_>,
    table: &Atom,
    entry: &Entry,
    sizes: &Sizes,
    samples: &mut Samples,
) -> Result<u64, Unmeasurable> {
    let missing = |name: &str| Unmeasurable::damaged(MP4, format!("its box {name} is missing"));
    let runs = child(source, table, b"stsc")?.ok_or_else(|| missing("stsc"))?;
    let (runs, runs_at) = boxes::table(source, &runs, 4, 12)?;
    let (offsets, offset_bytes) = match child(source, table, b"stco")? {
        Some(found) => (found, 4),
        None => (child(source, table, b"co64")?.ok_or_else(|| missing("stco"))?, 8),
    };
    let (chunks, offsets_at) = boxes::table(source, &offsets, 4, offset_bytes)?;
    let (mut run, mut per_chunk, mut sample) = (0_u64, 0_u64, 0_u64);
    for chunk in 1..=chunks {
        let run_at = runs_at.saturating_add(run.saturating_mul(12));
        if run < runs && u64::from(source.be32(run_at)?) == chunk {
            per_chunk = u64::from(source.be32(run_at.saturating_add(4))?);
            run = run.saturating_add(1);
        }
        let offset_at = offsets_at.saturating_add(chunk.saturating_sub(1).saturating_mul(offset_bytes));
        let offset = if offset_bytes == 4 { u64::from(source.be32(offset_at)?) } else { source.be64(offset_at)? };
        add_chunk(source, entry, sizes, samples, Chunk { offset, first: sample, count: per_chunk })?;
        sample = sample.saturating_add(per_chunk);
    }
    Ok(sample)
}

struct Chunk {
    offset: u64,
    first: u64,
    count: u64,
}

fn add_chunk(
    source: &mut Source<'_>,
    entry: &Entry,
    sizes: &Sizes,
    samples: &mut Samples,
    chunk: Chunk,
) -> Result<(), Unmeasurable> {
    let Chunk { offset, first, count } = chunk;
    if let Some((frames, bytes)) = sizes.blocks {
        // The samples in the table are either frames, or packets that are blocks.
        let bytes = if sizes.common >= bytes && frames > 1 {
            count.saturating_mul(sizes.common)
        } else {
            count.div_ceil(frames.max(1)).saturating_mul(bytes)
        };
        return samples.add_bytes(source, offset, bytes);
    }
    if sizes.common > 0 && entry.packets != Packets::Opus {
        return samples.add_bytes(source, offset, count.saturating_mul(sizes.common));
    }
    if first.saturating_add(count) > sizes.count {
        return Err(Unmeasurable::damaged(MP4, "its tables disagree on the number of samples"));
    }
    let mut at = offset;
    for number in 0..count {
        let size_at = sizes.start.saturating_add(first.saturating_add(number).saturating_mul(4));
        let size = if sizes.common > 0 { sizes.common } else { u64::from(source.be32(size_at)?) };
        samples.add_packet(source, entry, at, size)?;
        at = at.saturating_add(size);
    }
    Ok(())
}
