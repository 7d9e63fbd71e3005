//! Text from outside, without what would steer a terminal or turn the direction of what follows: server answers, events,
//! names of files and groups, whatever a command line holds. Every output goes through here.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a terminal may do something else with it than draw it: control characters but for the ends of lines and tabs,
/// and those that turn the direction of writing.
fn steers(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with what steers as Rust writes it.
pub fn printable(text: &str) -> Cow<'_, str> {
    replaced(text, |c, shown| shown.extend(c.escape_debug()))
}

/// An error and what it comes of, each said once: the text of an error of the library has its cause in it.
pub fn error_chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// A JSON document with what steers as JSON writes it: the document's value is the same.
pub fn json(document: &str) -> Cow<'_, str> {
    replaced(document, |c, shown| {
        // Proof: a String takes all; none of those that steer has more than 16 bits.
        let _ = write!(shown, "\\u{:04x}", u32::from(c));
    })
}

/// What begins a colour, in text that [`paint`] has painted.
const PAINT: &str = "\u{1b}[";

/// What ends one.
const PLAIN: &str = "\u{1b}[0m";

/// The colours of words: bold or not, or turned round, in a colour.
const COLOURS: [&str; 6] = ["1;31", "1;32", "1;33", "1;36", "1;7;31", "32"];

/// What is of less weight.
pub const DIM: &str = "2";

/// A word in a colour, for [`painted`].
pub fn paint(word: &str, code: &str) -> String {
    debug_assert!(code == DIM || COLOURS.contains(&code), "{code} is no colour of ours");
    format!("{PAINT}{code}m{word}{PLAIN}")
}

/// The text as [`printable`] has it, but for the colours that [`paint`] gives.
pub fn painted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        shown += &printable(&rest[..at]);
        rest = &rest[at..];
        let known = COLOURS.iter().copied().chain([DIM, "0"]).find_map(|code| {
            rest.strip_prefix(PAINT)?
                .strip_prefix(code)?
                .starts_with('m')
                .then_some(PAINT.len() + code.len() + 1)
        });
        let taken = known.unwrap_or(1);
        if known.is_some() {
            shown += &rest[..taken];
        } else {
            shown += &printable(&rest[..taken]);
        }
        rest = &rest[taken..];
    }
    shown + &printable(rest)
}

fn replaced(text: &str, replace: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(steers) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) { replace(c, &mut shown) } else { shown.push(c) }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\r\u{202e}b\u{9b}\u{7}\n'c'\t\u{1b}]0;t\u{7}";

    #[test]
    fn nothing_printable_steers_a_terminal() {
        assert_eq!(printable(HOSTILE), "a\\u{1b}[2J\\r\\u{202e}b\\u{9b}\\u{7}\n'c'\t\\u{1b}]0;t\\u{7}");
        assert!(matches!(printable("plain\n"), Cow::Borrowed("plain\n")));
    }

    #[test]
    fn a_json_document_keeps_its_value() {
        let document = serde_json::to_string_pretty(&[HOSTILE, "größe"]).unwrap();
        let shown = json(&document);
        assert!(!shown.contains(steers), "{shown}");
        assert_eq!(serde_json::from_str::<[String; 2]>(&shown).unwrap(), [HOSTILE, "größe"]);
    }

    #[test]
    fn only_colours_of_ours_are_left() {
        let ours = paint("PROVEN", "1;32");
        assert_eq!(painted(&format!("{ours} {}", paint("x", DIM))), format!("{ours} {}", paint("x", DIM)));
        for theirs in ["\u{1b}[8mhidden", "\u{1b}[2J", "\u{1b}[32;5m", "\u{1b}", "\u{1b}[", "\u{1b}]0;x\u{7}"]
        {
            assert!(!painted(&format!("{ours}{theirs}")).replace(&ours, "").contains('\u{1b}'), "{theirs:?}");
        }
    }
}
