//! One line of a redis.conf: its words, as a server splits them, and a setting as such a line.

use forebay_rig::server::Conf;

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

/// A setting as a line of redis.conf; several lines where the server wants them apart, as it does for `save`.
pub fn conf_line(directive: &str, value: &str) -> String {
    let text = Conf::from_iter([(directive, value)]).render();
    text.trim_end().to_owned()
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
}
