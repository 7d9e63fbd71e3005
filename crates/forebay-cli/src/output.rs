//! What is said, on streams that may have been closed: whoever stops listening ends nothing.

use std::io::{ErrorKind, Write};

use anyhow::Context as _;
use forebay::buffer::secret;
use forebay_proof::printable::{self, painted, printable};

/// What failed where a result could not be written.
pub(super) const STDOUT: &str = "writing to stdout";

/// A remark or an error, as one line on stderr.
pub(super) fn tell(text: &str) {
    raw(&format!("{}\n", one_line(text)));
}

/// Text on stderr, as it may be shown.
pub(super) fn raw(text: &str) {
    // A closed stderr leaves nobody to tell, and no reason to drop what is under way.
    let _ = std::io::stderr().write_all(printable(&masked(text)).as_bytes());
}

/// stderr for the log: a line at a time.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        raw(&String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A result for people on stdout.
pub(super) fn result(text: &str) -> std::io::Result<()> {
    out(painted(text).as_bytes())
}

/// A JSON document on stdout.
pub(super) fn document(json: &str) -> std::io::Result<()> {
    out(printable::json(json).as_bytes())
}

/// A result on stdout, as JSON or for people.
pub(super) fn told(as_json: bool, json: &serde_json::Value, text: &str) -> anyhow::Result<()> {
    let told = if as_json { document(&format!("{json}\n")) } else { result(&format!("{text}\n")) };
    told.context(STDOUT)
}

/// That the reader of stdout has gone (`| head`) is no error; that the disk is full is one.
fn out(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
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
    // A source and a bucket have a path, which is no secret, and no login: one that has is hidden like any other.
    let is_place = ["ws://", "wss://", "s3://"].iter().any(|scheme| value.starts_with(scheme))
        && !value.contains(['@', '?', '#']);
    let is_url = !is_place && (value.contains("://") || value.contains('@') && value.contains(':'));
    let shown = if is_url { secret::url(value) } else { value.to_owned() };
    if shown == value {
        return text.into();
    }
    // As it came, and as `{:?}` prints it.
    text.replace(value, &shown).replace(&value.escape_debug().to_string(), &shown)
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Whether whoever read our output has gone (`| head`).
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_a_password_is_hidden_wherever_it_was_put() {
        for word in [
            "redis://u:s3@h:1",
            "--buffer=redis://:s3@h",
            ":s3@h:1",
            "redis://s3@h",
            "unix:///s?pass=s3",
            "redis://h:s3",
            "redis://h?PASS=s3",
            "redis://h:1/s3",
        ] {
            let value = word.trim_start_matches("--buffer=");
            let shown = hide(&format!("cannot read {value} or {value:?}: none"), word);
            assert!(!shown.contains("s3") && shown.starts_with("cannot read "), "{shown}");
        }
        assert_eq!(hide("cannot read a@b", "a@b"), "cannot read a@b");
        assert_eq!(
            hide("wss://host/subscribe: closed", "wss://host/subscribe"),
            "wss://host/subscribe: closed"
        );
        assert_eq!(hide("s3://lake/raw: 403", "--to=s3://lake/raw"), "s3://lake/raw: 403");
        assert!(!hide("s3://u:s3cret@lake/raw", "s3://u:s3cret@lake/raw").contains("s3cret"));
        assert!(!hide("wss://host:s3@h/subscribe", "wss://host:s3@h/subscribe").contains("s3"));
    }

    #[test]
    fn what_has_several_lines_is_told_in_one() {
        assert_eq!(one_line("a\n  b\n\nc\n"), "a; b; c");
    }
}
