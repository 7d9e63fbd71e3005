//! For how long a place is waited for, and since when it has been asked and has not answered: what is in a drain's way is seen
//! while it waits.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use forebay::buffer::lock;

/// How long an answer may take where nobody says otherwise, and at the most where it moves few bytes.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The slowest line that an upload is waited for on, in bytes a second.
const BYTES_PER_SECOND_MIN: u64 = 512 << 10;

/// After so long without an answer that is told.
const TOLD_AFTER: Duration = Duration::from_secs(3);

/// How long a place is waited for, and whether it is.
#[derive(Debug, Clone)]
pub struct Patience {
    most: Duration,
    silence: Silence,
}

impl Default for Patience {
    fn default() -> Self {
        Self { most: ANSWER_MAX, silence: Silence::default() }
    }
}

impl Patience {
    /// No longer than this for any answer; `silence` knows of each that is waited for.
    pub fn new(most: Duration, silence: Silence) -> Self {
        Self { most, silence }
    }

    /// How long the answer to a request may take that moves so many bytes.
    pub(super) fn deadline(&self, bytes: u64) -> Duration {
        self.most.min(ANSWER_MAX + Duration::from_secs(bytes / BYTES_PER_SECOND_MIN))
    }

    /// Who is told of waits.
    pub(super) fn silence(&self) -> &Silence {
        &self.silence
    }
}

/// Since when a place has been asked and has not answered; nothing while it is not asked.
#[derive(Debug, Clone, Default)]
pub struct Silence(Arc<Mutex<Option<Instant>>>);

impl Silence {
    /// It is asked. Where it did not answer before, that is one silence.
    pub(super) fn begins(&self) {
        lock(&self.0).get_or_insert_with(Instant::now);
    }

    /// It has answered, whatever that was.
    pub(super) fn ends(&self) {
        *lock(&self.0) = None;
    }

    /// For how long it has not answered, where it was asked.
    pub fn lasts(&self) -> Option<Duration> {
        lock(&self.0).map(|since| since.elapsed())
    }

    /// The same in words, once it is worth telling.
    pub fn told(&self) -> Option<(String, Duration)> {
        let lasts = self.lasts().filter(|lasts| *lasts >= TOLD_AFTER)?;
        Some((silent_for(lasts), lasts))
    }
}

/// A silence in words.
pub(super) fn silent_for(lasts: Duration) -> String {
    format!("the bucket has not answered for {} s", lasts.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_may_take_longer_than_patience_lasts_and_an_upload_as_long_as_its_bytes_do() {
        let of =
            |seconds, bytes| Patience::new(Duration::from_secs(seconds), Silence::default()).deadline(bytes);
        assert_eq!([of(600, 0), of(5, 0), of(5, 128 << 20)].map(|of| of.as_secs()), [60, 5, 5]);
        assert_eq!(of(600, 112 << 20).as_secs(), 60 + 224);
    }

    #[test]
    fn a_silence_lasts_until_an_answer_comes() {
        let silence = Silence::default();
        assert_eq!(silence.lasts(), None);
        silence.begins();
        let first = silence.lasts().unwrap();
        silence.begins();
        assert!(silence.lasts().unwrap() >= first && silence.told().is_none());
        silence.ends();
        assert_eq!(silence.lasts(), None);
    }
}
