//! How long an audio file plays, which is what dubbing it is paid by.
//!
//! Files come from customers, so nothing they say about themselves is believed alone:
//! what the container declares is held against the packets that are there.
//! Nothing is decoded, and no length is ever estimated from a bit rate.

use shared::domain::Operation;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::panic;
use std::path::{Path, PathBuf};
use symphonia::core::errors::Error as DemuxError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{
    FORMAT_ID_ADTS, FORMAT_ID_MP1, FORMAT_ID_MP2, FORMAT_ID_MP3, FORMAT_ID_WAVE,
};
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::units::TimeBase;

/// A file whose length cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct AudioError {
    pub path: PathBuf,
    pub reason: Unmeasurable,
}

/// Why a file's length cannot be told, in words that follow its name.
#[derive(Debug, thiserror::Error)]
pub enum Unmeasurable {
    #[error("there is no such file")]
    NotThere,
    #[error("this is a folder or a device, not a file")]
    NotAFile,
    #[error("the file cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("this is not audio in WAV, AIFF, MP3, FLAC, Ogg, M4A or AAC, or it is damaged at its start")]
    NotAudio,
    #[error("there is no audio track in it")]
    NoAudioTrack,
    #[error("it is empty: 0 ms of audio")]
    Empty,
    #[error("it ends in the middle: only {found_ms} ms of audio are there")]
    CutShort { found_ms: i64 },
    #[error("it declares {declared_ms} ms of audio, but {found_ms} ms are there")]
    Contradictory { declared_ms: i64, found_ms: i64 },
    #[error("several recordings follow one another in it; split them into files")]
    Chained,
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it is longer than one operation may be, {} ms", Operation::DURATION_MS_MAX)]
    TooLong,
}

/// The length in whole milliseconds, 1 to [`Operation::DURATION_MS_MAX`].
/// Rounded up, since the price counts every millisecond that was started.
///
/// WAV, AIFF, FLAC, Ogg Vorbis and MP3 with a LAME tag are exact to the sample.
/// M4A, AAC, Ogg Opus and MP3 without such a tag do not say how much of them is the encoder's own padding,
/// and are measured with it: up to three codec frames (of 20 to 48 ms) more than was recorded.
///
/// MP3 without a frame count, AAC without a container, fragmented M4A and WAV written to a pipe say nowhere
/// how long they are: cut off, they are shorter recordings.
///
/// # Errors
/// [`AudioError`] with the file and the reason. Hostile files end here too.
pub fn duration_ms(path: &Path) -> Result<i64, AudioError> {
    // Demuxers add up what crafted tables say, and a build with overflow checks panics on the sum.
    let measured = panic::catch_unwind(|| measure(path));
    measured
        .unwrap_or_else(|_| Err(Unmeasurable::Damaged("its tables make no sense".into())))
        .map_err(|reason| AudioError { path: path.to_owned(), reason })
}

fn measure(path: &Path) -> Result<i64, Unmeasurable> {
    let file_bytes = file_bytes(path)?;
    let mut demuxer = open(path)?;
    let track = demuxer.default_track(TrackType::Audio).ok_or(Unmeasurable::NoAudioTrack)?.clone();
    let time_base = track.time_base.ok_or(Unmeasurable::NotAudio)?;
    let in_ms = |ticks| milliseconds(ticks, time_base);

    let declared = track.duration.map(|duration| duration.get()).filter(|ticks| *ticks > 0);
    let walk = walk(demuxer.as_mut(), &track, file_bytes)?;
    let is_without_end = declared.is_none() && demuxer.format_info().format == FORMAT_ID_WAVE;
    let found = if is_without_end { walk.ticks_by_bytes() } else { walk.ticks };
    if walk.is_cut_short && !is_without_end {
        return Err(Unmeasurable::CutShort { found_ms: in_ms(found) });
    }
    if let Some(declared) = declared.filter(|declared| !walk.agrees_with(*declared, &track)) {
        return Err(Unmeasurable::Contradictory { declared_ms: in_ms(declared), found_ms: in_ms(found) });
    }
    match in_ms(declared.unwrap_or(found)) {
        0 => Err(Unmeasurable::Empty),
        duration_ms if duration_ms > Operation::DURATION_MS_MAX => Err(Unmeasurable::TooLong),
        duration_ms => Ok(duration_ms),
    }
}

fn file_bytes(path: &Path) -> Result<u64, Unmeasurable> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Unmeasurable::NotThere,
        _ => Unmeasurable::Unreadable(error),
    })?;
    match metadata.len() {
        _ if !metadata.is_file() => Err(Unmeasurable::NotAFile),
        0 => Err(Unmeasurable::Empty),
        file_bytes => Ok(file_bytes),
    }
}

fn open(path: &Path) -> Result<Box<dyn FormatReader>, Unmeasurable> {
    let file = || File::open(path).map_err(Unmeasurable::Unreadable);
    let demuxer = probe(Box::new(file()?))?;
    match demuxer.format_info().format {
        // Bare streams of frames. Where they carry no count, a source of known size gets one guessed from
        // the first few frames, which is far off at a variable bit rate; a source without a size gets none.
        FORMAT_ID_ADTS | FORMAT_ID_MP1 | FORMAT_ID_MP2 | FORMAT_ID_MP3 => probe(Box::new(ReadOnlySource::new(file()?))),
        _ => Ok(demuxer),
    }
}

fn probe(source: Box<dyn MediaSource>) -> Result<Box<dyn FormatReader>, Unmeasurable> {
    let stream = MediaSourceStream::new(source, Default::default());
    symphonia::default::get_probe().probe(&Hint::new(), stream, Default::default(), Default::default()).map_err(
        |error| match error {
            DemuxError::IoError(error) if error.kind() != ErrorKind::UnexpectedEof => Unmeasurable::Unreadable(error),
            _ => Unmeasurable::NotAudio,
        },
    )
}

/// What the packets of one track add up to, in ticks of its time base.
#[derive(Default)]
struct Walk {
    ticks: u64,
    bytes: u64,
    longest: Longest,
    /// The file ended where more was promised.
    is_cut_short: bool,
}

#[derive(Clone, Copy, Default)]
struct Longest {
    ticks: u64,
    bytes: u64,
}

impl Walk {
    /// A WAV written to a pipe has no length, and its last packet the ticks that were asked for, not those
    /// that were there. Its bytes per tick never change, so the bytes tell.
    fn ticks_by_bytes(&self) -> u64 {
        let ticks = u128::from(self.bytes).saturating_mul(u128::from(self.longest.ticks));
        let ticks = ticks.checked_div(u128::from(self.longest.bytes)).unwrap_or(0);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// Encoders disagree on whether the frame that carries the count counts itself, hence two packets of tolerance.
    fn agrees_with(&self, declared: u64, track: &Track) -> bool {
        let tolerance = self.longest.ticks.saturating_mul(2);
        let trimmed = u64::from(track.delay.unwrap_or(0)).saturating_add(u64::from(track.padding.unwrap_or(0)));
        let least = declared.saturating_sub(tolerance);
        let most = declared.saturating_add(trimmed).saturating_add(tolerance);
        (least..=most).contains(&self.ticks)
    }
}

fn walk(demuxer: &mut dyn FormatReader, track: &Track, file_bytes: u64) -> Result<Walk, Unmeasurable> {
    let (mut walk, mut packets, mut bytes) = (Walk::default(), 0_u64, 0_u64);
    loop {
        let packet = match demuxer.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(walk),
            Err(DemuxError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return Ok(Walk { is_cut_short: true, ..walk });
            }
            Err(DemuxError::IoError(error)) => return Err(Unmeasurable::Unreadable(error)),
            Err(DemuxError::ResetRequired) => return Err(Unmeasurable::Chained),
            Err(error) => return Err(Unmeasurable::Damaged(error.to_string())),
        };
        let packet_bytes = u64::try_from(packet.data.len()).unwrap_or(u64::MAX);
        (packets, bytes) = (packets.saturating_add(1), bytes.saturating_add(packet_bytes));
        // A table of a few bytes can name the same audio a billion times over.
        if packets.max(bytes) > file_bytes {
            return Err(Unmeasurable::Damaged("its packets overlap".into()));
        }
        if packet.track_id == track.id {
            let ticks = packet.dur.get();
            walk.ticks = walk.ticks.saturating_add(ticks);
            walk.bytes = walk.bytes.saturating_add(packet_bytes);
            if ticks > walk.longest.ticks {
                walk.longest = Longest { ticks, bytes: packet_bytes };
            }
        }
    }
}

/// Rounded up; `i64::MAX` for what does not fit.
fn milliseconds(ticks: u64, time_base: TimeBase) -> i64 {
    let ms = u128::from(ticks).saturating_mul(u128::from(time_base.numer.get())).saturating_mul(1_000);
    i64::try_from(ms.div_ceil(u128::from(time_base.denom.get()))).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/audio").join(name)
    }

    fn bytes_of(name: &str) -> Vec<u8> {
        fs::read(fixture(name)).unwrap()
    }

    /// Measures these bytes under a name that says nothing.
    fn measured(bytes: &[u8]) -> Result<i64, Unmeasurable> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("upload");
        fs::write(&path, bytes).unwrap();
        duration_ms(&path).map_err(|error| error.reason)
    }

    /// Mono, 8 bits, with as many bytes as it says.
    fn wav(sample_rate: u32, samples: u32) -> Vec<u8> {
        let mut wav = bytes_of("pcm.wav")[..44].to_vec();
        wav[4..8].copy_from_slice(&(36 + samples).to_le_bytes());
        wav[24..28].copy_from_slice(&sample_rate.to_le_bytes());
        wav[28..32].copy_from_slice(&sample_rate.to_le_bytes());
        wav[40..44].copy_from_slice(&samples.to_le_bytes());
        wav.resize(44 + samples as usize, 0x80);
        wav
    }

    #[test]
    fn every_format_is_as_long_as_it_was_made() {
        // The last number is how many milliseconds of the encoder's own padding the format cannot tell from audio.
        for (name, samples, sample_rate, padding_ms_max) in [
            ("pcm.wav", 9_877, 8_000, 0),
            ("piped.wav", 9_877, 8_000, 0),
            ("pcm.aiff", 9_877, 8_000, 0),
            ("lossless.flac", 66_001, 16_000, 0),
            ("vorbis.ogg", 145_531, 44_100, 0),
            ("variable-tagged.mp3", 145_531, 44_100, 0),
            ("opus.ogg", 145_531, 44_100, 20),
            ("aac.m4a", 145_531, 44_100, 24),
            ("aac.aac", 145_531, 44_100, 2 * 24),
            ("constant-untagged.mp3", 145_531, 44_100, 2 * 27),
            ("variable-untagged.mp3", 145_531, 44_100, 2 * 27),
        ] {
            let made_ms = (samples * 1_000_i64 + sample_rate - 1) / sample_rate;
            let found_ms = duration_ms(&fixture(name)).unwrap();
            assert!((made_ms..=made_ms + padding_ms_max).contains(&found_ms), "{name}: {found_ms}, made {made_ms}");
        }
    }

    #[test]
    fn a_started_millisecond_counts() {
        for (samples, ms) in [(1, 1), (8, 1), (9, 2), (480_000, 60_000), (480_001, 60_001)] {
            assert_eq!(measured(&wav(8_000, samples)).unwrap(), ms, "{samples} samples");
        }
    }

    #[test]
    fn a_length_guessed_from_the_first_frames_would_be_far_off_and_is_not_used() {
        let path = fixture("variable-untagged.mp3");
        let guessing = probe(Box::new(File::open(&path).unwrap())).unwrap();
        let track = guessing.default_track(TrackType::Audio).unwrap();
        let guess_ms = milliseconds(track.duration.unwrap().get(), track.time_base.unwrap());
        assert!(guess_ms < 2_500, "{guess_ms}");
        assert!(duration_ms(&path).unwrap() > 3_300);
    }

    #[test]
    fn files_that_were_cut_off_are_refused() {
        for name in ["pcm.wav", "pcm.aiff", "lossless.flac", "vorbis.ogg", "opus.ogg", "aac.m4a", "variable-tagged.mp3"]
        {
            let bytes = bytes_of(name);
            for quarters in 1..4 {
                let cut = measured(&bytes[..bytes.len() * quarters / 4]);
                assert!(cut.is_err(), "{quarters} quarters of {name}: {cut:?}");
            }
        }
    }

    #[test]
    fn a_single_missing_sample_is_noticed_where_a_container_counts_them() {
        for name in ["pcm.wav", "pcm.aiff", "lossless.flac", "vorbis.ogg", "opus.ogg", "aac.m4a"] {
            let bytes = bytes_of(name);
            // WAV and AIFF end in a byte that only pads the odd number of samples.
            let cut = measured(&bytes[..bytes.len() - 2]);
            assert!(cut.is_err(), "{name}: {cut:?}");
        }
    }

    #[test]
    fn bare_frames_cut_off_are_a_shorter_recording() {
        for name in ["constant-untagged.mp3", "aac.aac"] {
            let bytes = bytes_of(name);
            let half_ms = measured(&bytes[..bytes.len() / 2]).unwrap();
            assert!((1_640..=1_680).contains(&half_ms), "{name}: {half_ms}");
        }
    }

    #[test]
    fn what_is_not_audio_is_refused_in_plain_words() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("speech.wav");
        for (bytes, words) in [
            (b"Dear customer, please find our speech attached.\n".repeat(99), "this is not audio in WAV, AIFF"),
            (vec![], "it is empty: 0 ms of audio"),
            (wav(8_000, 0), "it is empty: 0 ms of audio"),
            (bytes_of("silent-film.mp4"), "there is no audio track in it"),
            ([bytes_of("vorbis.ogg"), bytes_of("opus.ogg")].concat(), "several recordings follow one another in it"),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = duration_ms(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("speech.wav: {words}")), "{error}");
        }
        let absent = duration_ms(&folder.path().join("gone.wav")).unwrap_err();
        assert!(absent.to_string().ends_with("gone.wav: there is no such file"), "{absent}");
        assert!(matches!(duration_ms(folder.path()).unwrap_err().reason, Unmeasurable::NotAFile));
    }

    #[test]
    fn one_day_is_the_most() {
        assert_eq!(measured(&wav(1, 86_400)).unwrap(), Operation::DURATION_MS_MAX);
        assert!(matches!(measured(&wav(1, 86_401)), Err(Unmeasurable::TooLong)));
    }

    #[test]
    fn a_count_that_the_packets_contradict_is_not_believed() {
        let more = [bytes_of("variable-tagged.mp3"), bytes_of("variable-untagged.mp3")].concat();
        let contradiction = measured(&more);
        assert!(
            matches!(contradiction, Err(Unmeasurable::Contradictory { declared_ms: 3_301, found_ms: 6_600.. })),
            "{contradiction:?}"
        );
    }

    #[test]
    fn a_table_that_overflows_is_an_error_and_no_panic() {
        let mut crafted = bytes_of("aac.m4a");
        let table = crafted.windows(4).position(|window| window == b"stts").unwrap();
        // After the name: version, number of entries, then pairs of sample count and ticks each; the second count.
        crafted[table + 20..table + 24].fill(0xff);
        assert!(measured(&crafted).is_err());
    }

    #[test]
    fn damaged_headers_give_a_possible_length_or_an_error() {
        for name in ["pcm.wav", "pcm.aiff", "lossless.flac", "vorbis.ogg", "aac.m4a", "aac.aac", "variable-tagged.mp3"]
        {
            let bytes = bytes_of(name);
            for position in (0..200).chain(bytes.len() - 200..bytes.len()).step_by(3) {
                let mut damaged = bytes.clone();
                damaged[position] = !damaged[position];
                if let Ok(ms) = measured(&damaged) {
                    assert!((1..=Operation::DURATION_MS_MAX).contains(&ms), "{name} at {position}: {ms}");
                }
            }
        }
    }
}
