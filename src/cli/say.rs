//! What is said, on streams that may have been closed: whoever stops listening ends nothing.

use std::io::{ErrorKind, Write};

use crate::buffer::connect::without_password;

/// What failed where a result could not be written.
pub(super) const STDOUT: &str = "writing to stdout";

/// A remark or an error, as one line on stderr.
pub(super) fn tell(text: &str) {
    // A closed stderr leaves nobody to tell, and no reason to drop what is under way.
    let _ = std::io::stderr().write_all(format!("{}\n", one_line(&masked(text))).as_bytes());
}

/// A result on stdout. That its reader has gone (`| head`) is no error; that the disk is full is one.
pub(super) fn result(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// The text with every URL of the command line or the environment in it shown without its password: a URL may have
/// been put where a file, a buffer or nothing at all is wanted.
pub(super) fn masked(text: &str) -> String {
    let words = std::env::args_os().skip(1).chain(std::env::var_os("FOREBAY_URL"));
    words.fold(text.to_owned(), |text, word| hide(&text, &word.to_string_lossy()))
}

fn hide(text: &str, word: &str) -> String {
    let value = match word.split_once('=') {
        Some((option, value)) if option.starts_with('-') => value,
        _ => word,
    };
    let has_secret = value.contains('@') || value.contains("pass=");
    if !has_secret || !value.contains(':') {
        return text.into();
    }
    let shown = without_password(value);
    // As it came, and as `{:?}` prints it.
    text.replace(value, &shown).replace(&value.escape_debug().to_string(), &shown)
}

/// The text without what would move a terminal's cursor, or turn the direction of what follows: such characters stand there
/// as Rust writes them.
pub(super) fn printable(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_debug()) } else { shown.push(c) }
    }
    shown
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printable_steers_a_terminal() {
        assert_eq!(printable("a\u{1b}[2J\r\u{202e}b\u{9b}\n'c'"), "a\\u{1b}[2J\\r\\u{202e}b\\u{9b}\n'c'");
    }

    #[test]
    fn a_url_with_a_password_is_hidden_wherever_it_was_put() {
        for word in
            ["redis://u:s3@h:1", "--buffer=redis://:s3@h", ":s3@h:1", "redis://s3@h", "unix:///s?pass=s3"]
        {
            let value = word.trim_start_matches("--buffer=");
            let shown = hide(&format!("cannot read {value} or {value:?}: none"), word);
            assert!(!shown.contains("s3") && shown.starts_with("cannot read "), "{shown}");
        }
        assert_eq!(hide("cannot read a@b", "a@b"), "cannot read a@b");
    }

    #[test]
    fn what_has_several_lines_is_told_in_one() {
        assert_eq!(one_line("a\n  b\n\nc\n"), "a; b; c");
    }
}
