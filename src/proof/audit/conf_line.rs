//! One line of a redis.conf: its words, as a server splits them, and whether they are a value that a directive takes.

use super::directives::Kind;
use crate::profile::redis_bytes;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Empty, or a comment.
    Nothing,
    /// A quote that is not closed, or one that something follows.
    Bad,
    /// Its words, without their quotes.
    Words(Vec<String>),
}

/// Splits a line as `sdssplitargs` of Redis does.
pub fn split(line: &str) -> Line {
    let mut rest = line.trim_matches([' ', '\t', '\r', '\n']);
    if rest.is_empty() || rest.starts_with('#') {
        return Line::Nothing;
    }
    let mut words = Vec::new();
    while !rest.is_empty() {
        let Some((word, after)) = word(rest) else { return Line::Bad };
        words.push(word);
        rest = after.trim_start_matches(|c: char| c.is_ascii_whitespace());
    }
    Line::Words(words)
}

/// The first word, and what follows it.
fn word(text: &str) -> Option<(String, &str)> {
    let (mut word, mut chars) = (String::new(), text.char_indices());
    let mut quote = None;
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_ascii_whitespace() => return Some((word, &text[at..])),
            (Some('"'), '\\') => word.push(escaped(&mut chars)?),
            (Some('\''), '\\') if text[at..].starts_with("\\'") => {
                chars.next();
                word.push('\'');
            }
            (Some(open), c) if c == open => {
                let after = &text[at + 1..];
                return (after.is_empty() || after.starts_with([' ', '\t', '\r', '\n']))
                    .then_some((word, after));
            }
            (_, c) => word.push(c),
        }
    }
    // The end of the line ends a word, and is missing in a quote.
    quote.is_none().then_some((word, ""))
}

/// What follows a backslash within double quotes.
fn escaped(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    let (_, c) = chars.next()?;
    Some(match c {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'a' => '\u{7}',
        'x' => {
            let hex = chars.as_str().get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
            let Some(byte) = hex else { return Some('x') };
            chars.nth(1);
            char::from(byte)
        }
        c => c,
    })
}

/// Whether words are a value of that kind; the error says what would be.
pub fn check(kind: Kind, words: &[String]) -> Result<(), String> {
    let text = words.join(" ");
    let single = words.len() == 1;
    let fits = match kind {
        Kind::Bool => single && ["yes", "no"].iter().any(|word| text.eq_ignore_ascii_case(word)),
        Kind::Bytes => single && redis_bytes(&text).is_some(),
        Kind::BytesOrPercent => single && (redis_bytes(&text).is_some() || is_percent(&text)),
        Kind::Integer => single && is_integer(&text),
        Kind::Word(words) => single && words.iter().any(|word| text.eq_ignore_ascii_case(word)),
        Kind::Save => {
            text.is_empty() && single
                || words.len().is_multiple_of(2) && text.split(' ').all(|word| word.parse::<u64>().is_ok())
        }
        Kind::OutputBuffer => !words.is_empty() && super::meaning::classes(&text).is_some(),
        Kind::Flags | Kind::Text => single,
        Kind::Words | Kind::Texts => !words.is_empty(),
    };
    match kind {
        _ if fits => Ok(()),
        // Not quoted: it may be a password.
        Kind::Text | Kind::Texts => Err(format!("takes {}", wanted(kind))),
        _ => Err(format!("{text:?} is not {}", wanted(kind))),
    }
}

/// A whole number as a server reads it: no plus, no leading zero.
fn is_integer(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
}

fn is_percent(text: &str) -> bool {
    text.strip_suffix('%').is_some_and(|number| number.parse::<u8>().is_ok())
}

fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Bool => "yes or no".into(),
        Kind::Bytes | Kind::BytesOrPercent => "a size like 2gb".into(),
        Kind::Integer => "a whole number".into(),
        Kind::Word(words) => format!("one of {}", words.join(", ")),
        Kind::Save => "pairs of seconds and changes, or \"\"".into(),
        Kind::OutputBuffer => "a class, two sizes and seconds".into(),
        Kind::Flags | Kind::Text => "one word; quotes keep several together".into(),
        Kind::Words | Kind::Texts => "a value".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        match split(line) {
            Line::Words(words) => words,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn a_line_is_split_as_a_server_splits_it() {
        assert_eq!(words("  maxmemory\t2gb \r"), ["maxmemory", "2gb"]);
        assert_eq!(
            words(r#"a "b c" 'd e' "\x41\n\"" 'it\'s' "" x#y"#),
            ["a", "b c", "d e", "A\n\"", "it's", "", "x#y"]
        );
        assert_eq!(words(r#"requirepass "é ü" ab"cd""#), ["requirepass", "é ü", "abcd"]);
        assert_eq!(words(r#"a "\xzz""#), ["a", "xzz"]);
        for line in ["", "   ", "# maxmemory 2gb", "\r"] {
            assert_eq!(split(line), Line::Nothing);
        }
        for line in [r#"a "b"#, "a 'b", r#"a "b"c"#, r#"a "b\"#] {
            assert_eq!(split(line), Line::Bad, "{line}");
        }
    }

    #[test]
    fn a_value_that_a_directive_does_not_take_is_told_with_what_it_takes() {
        let check = |kind, text: &str| check(kind, &words(text));
        assert!(check(Kind::Bytes, "2gb").is_ok() && check(Kind::BytesOrPercent, "5%").is_ok());
        assert!(check(Kind::Save, "\"\"").is_ok() && check(Kind::Save, "900 1 300 10").is_ok());
        for (kind, text, says) in [
            (Kind::Bytes, "2 gb", "size"),
            (Kind::Bytes, "5%", "size"),
            (Kind::Integer, "0300", "whole number"),
            (Kind::Text, "a # b", "one word"),
            (Kind::Bool, "on", "yes or no"),
            (Kind::Integer, "ten", "whole number"),
            (Kind::Save, "900", "pairs"),
            (Kind::Word(&["always", "no"]), "never", "always, no"),
            (Kind::OutputBuffer, "normal 0 0", "class"),
        ] {
            assert!(check(kind, text).unwrap_err().contains(says), "{text}");
        }
    }
}
