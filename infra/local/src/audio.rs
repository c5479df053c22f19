//! How long an audio file plays, which determines the price of dubbing it: the length that `audio-length` measures,
//! within the bounds of an operation.

use audio_length::{Measurement, Unmeasurable};
use shared::domain::Operation;
use std::path::{Path, PathBuf};

/// A file that cannot be priced by its length.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct AudioError {
    pub path: PathBuf,
    pub reason: Unpriceable,
}

/// Why a file cannot be priced by its length, in words that follow its name.
#[derive(Debug, thiserror::Error)]
pub enum Unpriceable {
    #[error(transparent)]
    Unmeasurable(#[from] Unmeasurable),
    #[error("it is longer than one operation may be, {} ms", Operation::DURATION_MS_MAX)]
    TooLong,
}

/// The measurement of a file, and the resulting duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priceable {
    /// 1 to [`Operation::DURATION_MS_MAX`], rounded up, since the price counts every started millisecond.
    pub duration_ms: i64,
    /// The measured track and the number of tracks, if the file has several.
    pub track: Option<String>,
}

/// # Errors
/// [`AudioError`] with the file and the reason.
pub fn priceable(path: &Path) -> Result<Priceable, AudioError> {
    let measured = audio_length::measure_file(path).map_err(Unpriceable::from);
    measured.and_then(within_bounds).map_err(|reason| AudioError { path: path.to_owned(), reason })
}

fn within_bounds(measured: Measurement) -> Result<Priceable, Unpriceable> {
    let duration_ms = i64::try_from(measured.length.milliseconds()).unwrap_or(i64::MAX);
    if duration_ms > Operation::DURATION_MS_MAX {
        return Err(Unpriceable::TooLong);
    }
    let Measurement { track, tracks, .. } = measured;
    let number = track.saturating_add(1);
    let track = (tracks.len() > 1).then(|| format!("audio track {number} of {} ({})", tracks.len(), tracks.join(", ")));
    Ok(Priceable { duration_ms, track })
}

#[cfg(test)]
mod tests {
    use super::*;
    use audio_length::Length;

    fn measured(frames: u64, tracks: &[&str]) -> Measurement {
        let tracks: Vec<String> = tracks.iter().map(|track| (*track).to_owned()).collect();
        let codec = tracks[0].clone();
        Measurement { container: "MP4", codec, track: 0, tracks, length: Length::new(frames, 1_000).unwrap() }
    }

    #[test]
    fn one_day_is_the_most() {
        let day = within_bounds(measured(86_400_000, &["AAC"])).unwrap();
        assert_eq!(day, Priceable { duration_ms: Operation::DURATION_MS_MAX, track: None });
        assert!(matches!(within_bounds(measured(86_400_001, &["AAC"])), Err(Unpriceable::TooLong)));
        assert!(matches!(within_bounds(measured(u64::MAX, &["AAC"])), Err(Unpriceable::TooLong)));
    }

    #[test]
    fn of_several_tracks_the_measured_one_is_named() {
        let track = within_bounds(measured(1_000, &["AAC", "AC-3"])).unwrap().track;
        assert_eq!(track.as_deref(), Some("audio track 1 of 2 (AAC, AC-3)"));
    }

    #[test]
    fn a_reason_follows_the_files_name() {
        let error = priceable(Path::new("gone.wav")).unwrap_err();
        assert_eq!(error.to_string(), "gone.wav: there is no such file");
    }
}
