//! Texts of bounded length, and how each language puts words into them.

use super::random::Rng;
use super::words;

/// Text in place: making an event allocates nothing.
#[derive(Debug)]
pub(super) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    pub(super) fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends a piece, or nothing where it no longer fits: a piece is never cut, so the text stays UTF-8.
    pub(super) fn push(&mut self, piece: &str) {
        let piece = piece.as_bytes();
        if let Some(free) = self.bytes.get_mut(self.len..self.len + piece.len()) {
            free.copy_from_slice(piece);
            self.len += piece.len();
        }
    }

    pub(super) fn push_number(&mut self, number: u64) {
        let mut divisor = 10_u64.pow(number.checked_ilog10().unwrap_or(0));
        while divisor > 0 {
            self.push(DIGITS[(number / divisor % 10) as usize]);
            divisor /= 10;
        }
    }

    /// Appends so many characters of the kind that addresses of videos and pictures have.
    pub(super) fn push_token(&mut self, len: usize, rng: &mut Rng) {
        for _ in 0..len {
            let at = rng.below(TOKEN.len() as u64) as usize;
            self.push(&TOKEN[at..=at]);
        }
    }

    /// Appends a made-up word of so many syllables: a name, a tag.
    pub(super) fn push_made_up(&mut self, syllables: u64, capital: bool, rng: &mut Rng) {
        for at in 0..syllables {
            let syllable = rng.pick(words::SYLLABLES);
            if at == 0 && capital {
                let first = (syllable.as_bytes()[0] - b'a') as usize;
                self.push(&CAPITALS[first..=first]);
                self.push(&syllable[1..]);
            } else {
                self.push(syllable);
            }
        }
    }

    /// Appends about so many words of a language.
    pub(super) fn push_words(&mut self, language: &words::Language, count: u64, rng: &mut Rng) {
        let mut sentence = rng.between(4, 16);
        let spaced = language.characters.is_empty();
        for at in 0..count {
            if self.len > language.most_bytes {
                break;
            }
            if at > 0 && sentence == 0 {
                self.push(rng.pick_early(language.stops));
                sentence = rng.between(4, 16);
            } else if at > 0 && spaced {
                self.push(if rng.percent(6) { ", " } else { " " });
            }
            sentence = sentence.saturating_sub(1);
            if !rng.percent(language.rare) {
                self.push(rng.pick_early(language.words));
            } else if spaced {
                self.push_made_up(rng.between(2, 4), rng.percent(40), rng);
            } else {
                for _ in 0..rng.between(1, 4) {
                    // All of these are three bytes long.
                    let from = 3 * rng.below(language.characters.len() as u64 / 3) as usize;
                    self.push(&language.characters[from..from + 3]);
                }
            }
        }
    }
}

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const TOKEN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CAPITALS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_cut_within_a_character() {
        let mut text = Text::<7>::new();
        for _ in 0..4 {
            text.push("日本");
            text.push("x");
        }
        assert_eq!(text.as_bytes(), "日本x".as_bytes());
    }

    #[test]
    fn numbers_are_decimals() {
        let mut text = Text::<64>::new();
        for number in [0, 7, 10, 1_999] {
            text.push_number(number);
            text.push(" ");
        }
        assert_eq!(text.as_bytes(), b"0 7 10 1999 ");
    }

    #[test]
    fn characters_of_every_language_are_three_bytes_long() {
        for language in words::LANGUAGES {
            assert!(language.characters.chars().all(|character| character.len_utf8() == 3));
            assert!(!language.words.is_empty() && !language.stops.is_empty());
        }
        assert!(
            words::SYLLABLES.iter().all(|syllable| syllable.bytes().all(|byte| byte.is_ascii_lowercase()))
        );
    }
}
