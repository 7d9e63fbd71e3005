//! The texts of a record while it is made, and the small parts that records share.

use super::random::Rng;
use super::text::Text;
use super::words;
use crate::synth::ids::{Cid, Did};
use crate::synth::record::Blob;
use crate::synth::record::feed::{AspectRatio, Facet, Feature};
use crate::synth::record::post::FACETS_MAX;

/// What a stretch of the draft points at; texts are borrowed from the draft only when the record is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Link,
    Tag,
    Mention(Did),
}

/// The texts of a record while it is made.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) text: Text<960>,
    pub(super) link: Text<160>,
    pub(super) title: Text<192>,
    pub(super) description: Text<384>,
    pub(super) facets: [Option<(usize, usize, Target)>; FACETS_MAX],
}

impl Draft {
    pub(super) fn new() -> Self {
        Self {
            text: Text::new(),
            link: Text::new(),
            title: Text::new(),
            description: Text::new(),
            facets: [None; FACETS_MAX],
        }
    }

    /// Marks the text from `start` on.
    pub(super) fn mark(&mut self, start: usize, target: Target) {
        if let Some(free) = self.facets.iter_mut().find(|facet| facet.is_none()) {
            *free = Some((start, self.text.len(), target));
        }
    }

    /// The record's facet for a mark.
    pub(super) fn facet(&self, mark: Option<(usize, usize, Target)>) -> Option<Facet<'_>> {
        mark.map(|(start, end, target)| {
            let feature = match target {
                Target::Link => Feature::Link(self.link.as_bytes()),
                Target::Tag => Feature::Tag(&self.text.as_bytes()[start + 1..end]),
                Target::Mention(did) => Feature::Mention(did),
            };
            Facet { start, end, feature }
        })
    }

    /// An address, with the parts of its site's.
    pub(super) fn write_link(&mut self, rng: &mut Rng) {
        self.link.push("https://");
        match rng.below(10) {
            0..=2 => {
                self.link.push("www.youtube.com/watch?v=");
                self.link.push_token(11, rng);
            }
            3 => {
                self.link.push("youtu.be/");
                self.link.push_token(11, rng);
                self.link.push("?si=");
                self.link.push_token(16, rng);
            }
            _ => {
                self.link.push(rng.pick(words::SITES));
                self.link.push("/");
                if rng.percent(50) {
                    self.link.push_number(rng.between(100_000, 9_999_999));
                    self.link.push("/");
                }
                for _ in 0..rng.between(2, 8) {
                    self.link.push(rng.pick_early(words::LANGUAGES[0].words));
                    self.link.push("-");
                }
                self.link.push_made_up(2, false, rng);
                self.link.push(rng.pick(&["", "", "/", ".html", "?source=share&igsh=2"]));
            }
        }
    }

    pub(super) fn write_gif(&mut self, rng: &mut Rng) {
        self.link.push("https://static.klipy.com/ii/");
        self.link.push_token(22, rng);
        self.link.push("/");
        self.link.push_token(8, rng);
        self.link.push(".gif?hh=498&ww=498&mp4=");
        self.link.push_token(8, rng);
        self.link.push("&webm=");
        self.link.push_token(8, rng);
        self.title.push_made_up(3, true, rng);
        self.title.push(" GIF");
        self.description.push("ALT: ");
        self.description.push_words(&words::LANGUAGES[0], rng.between(3, 10), rng);
    }

    /// The link as clients show it: no scheme, and cut.
    pub(super) fn write_shown_link(&mut self) {
        const SHOWN: usize = 27;
        let start = self.text.len();
        let link = self.link.as_bytes();
        // Addresses are ASCII, so every cut is at a character.
        if let Ok(link) = std::str::from_utf8(link.strip_prefix(b"https://").unwrap_or(link)) {
            if link.len() > SHOWN {
                self.text.push(&link[..SHOWN]);
                self.text.push("...");
            } else {
                self.text.push(link);
            }
        }
        self.mark(start, Target::Link);
    }

    pub(super) fn write_tags(&mut self, rng: &mut Rng) {
        self.text.push("\n\n");
        for at in 0..rng.between(1, FACETS_MAX as u64) {
            if at > 0 {
                self.text.push(" ");
            }
            let start = self.text.len();
            self.text.push("#");
            self.text.push_made_up(rng.between(2, 6), rng.percent(60), rng);
            self.mark(start, Target::Tag);
        }
    }
}

/// A short text in most posts, a long one in some.
pub(super) fn word_count(language: &words::Language, rng: &mut Rng) -> u64 {
    match rng.below(100) {
        0..=29 => rng.between(1, language.most_words / 5),
        30..=71 => rng.between(language.most_words / 5, language.most_words / 2),
        _ => rng.between(language.most_words / 2, language.most_words),
    }
}

pub(super) fn blob(mime_type: &'static str, size_max: u64, rng: &mut Rng) -> Blob {
    let mut digest = [0; 32];
    for part in digest.as_chunks_mut::<8>().0 {
        *part = rng.bits().to_le_bytes();
    }
    Blob { cid: Cid::of_blob_digest(&digest), mime_type, size: rng.between(20_000, size_max) }
}

pub(super) fn aspect_ratio(rng: &mut Rng) -> AspectRatio {
    AspectRatio { height: rng.between(400, 2_400), width: rng.between(400, 2_400) }
}
