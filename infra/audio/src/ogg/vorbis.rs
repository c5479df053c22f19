//! Vorbis in Ogg. Each packet has one of two sizes, and half of it overlaps the next packet.

use super::{Codec, OGG, Timeline};
use crate::{Length, Unmeasurable, pcm};

pub struct Vorbis {
    rate: u64,
    short_block: u64,
    long_block: u64,
    headers: u8,
    /// For each mode, whether its blocks are long.
    modes: Vec<bool>,
    previous: Option<u64>,
}

impl Vorbis {
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let rate = u32::from_le_bytes(<[u8; 4]>::try_from(packet.get(12..16)?).ok()?);
        let sizes = *packet.get(28)?;
        let (short, long) = (sizes & 0x0f, sizes >> 4);
        ((6..=13).contains(&short) && short <= long && long <= 13 && rate > 0).then(|| Self {
            rate: u64::from(rate),
            short_block: 1 << short,
            long_block: 1 << long,
            headers: 0,
            modes: vec![],
            previous: None,
        })
    }
}

impl Codec for Vorbis {
    fn name(&self) -> &'static str {
        "Vorbis"
    }

    fn frames_of(&mut self, packet: &[u8]) -> Option<u64> {
        if self.headers < 3 {
            self.headers = self.headers.saturating_add(1);
            if self.headers == 3 {
                self.modes = modes(packet)?;
            }
            return Some(0);
        }
        // An empty packet repeats the previous one and adds nothing.
        let Some(first) = packet.first() else { return Some(0) };
        let mode_bits = usize::BITS.saturating_sub(self.modes.len().saturating_sub(1).leading_zeros());
        let mode = usize::from(first >> 1) & 1_usize.checked_shl(mode_bits)?.checked_sub(1)?;
        if first & 1 != 0 {
            return None;
        }
        let block = if *self.modes.get(mode)? { self.long_block } else { self.short_block };
        let frames = self.previous.map_or(0, |previous| previous.saturating_add(block) >> 2);
        self.previous = Some(block);
        Some(frames)
    }

    fn length(&self, timeline: &Timeline) -> Result<Length, Unmeasurable> {
        let length = |frames| pcm::length(OGG, frames, self.rate);
        match timeline.frames_by_pages() {
            Some(counted) => length(counted),
            None => Err(Unmeasurable::contradictory(length(timeline.last.0)?, length(timeline.frames)?)),
        }
    }
}

/// The modes are the last part of the setup header, 41 bits each: a flag, two 16-bit types that are 0, and an 8-bit
/// mapping. Their count precedes the first one. They can be read backwards from the last bit that is set, without
/// parsing the rest of the header; all demuxers that need Vorbis timing do the same.
fn modes(packet: &[u8]) -> Option<Vec<bool>> {
    if !packet.starts_with(b"\x05vorbis") {
        return None;
    }
    let bits = packet.len().checked_mul(8)?;
    let bit = |at: usize| packet.get(at >> 3).map(|byte| byte >> (at & 7) & 1 == 1);
    let value = |at: usize, count: usize| {
        (0..count).rev().try_fold(0_u64, |value, place| Some(value << 1 | u64::from(bit(at.checked_add(place)?)?)))
    };
    let end = (0..bits).rev().find(|at| bit(*at) == Some(true))?;
    let (mut modes, mut found, mut at) = (vec![], None, end);
    while modes.len() < 64 {
        let Some(start) = at.checked_sub(MODE_BITS) else { break };
        let is_mode = value(start.checked_add(1)?, 32) == Some(0) && value(start.checked_add(33)?, 8)? < 64;
        if !is_mode {
            break;
        }
        modes.push(bit(start)?);
        at = start;
        let count = at.checked_sub(6).and_then(|count_at| value(count_at, 6))?.checked_add(1)?;
        if u64::try_from(modes.len()).ok()? == count {
            found = Some(modes.len());
        }
    }
    modes.truncate(found?);
    modes.reverse();
    Some(modes)
}

const MODE_BITS: usize = 41;
