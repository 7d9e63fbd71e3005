//! What to do about an error of the library, with the flag of the command line that does it: the library knows of none.

use forebay::buffer::error::Error as BufferError;
use forebay::buffer::line_source::LineSourceError;
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::ingest::IngestError;
use forebay_proof::printable::error_chain;
use forebay_proof::verify::Error as VerifyError;
use forebay_rig::load::driver::Error as LoadError;

use crate::arguments::Global;

/// Flags, as remedies name them, and what they are in a pipeline.toml. Longer ones first.
const KEYS: [(&str, &str); 20] = [
    (", or take this one over (--takeover)", ""),
    (
        "--to DIR or s3://BUCKET/PREFIX, or `to` of [sink] in --config FILE",
        "`to` of [sink], a folder or s3://BUCKET/PREFIX",
    ),
    (
        "--source wss://HOST/subscribe names a Jetstream host, as does urls of [source] in --config FILE",
        "urls = [\"wss://HOST/subscribe\"] of [source] names a Jetstream host",
    ),
    ("--source file:PATH", "urls = [\"file:PATH\"]"),
    ("a further --source", "a further one in source.urls"),
    ("--compress (compress = true in a file)", "source.compress = true"),
    ("--compress", "source.compress"),
    ("--dictionary FILE", "source.dictionary"),
    ("--follow", "source.follow"),
    ("--max-event", "source.max_event"),
    ("--buffer NAME", "buffer.name"),
    ("--ack reply", "buffer.ack = \"reply\""),
    ("--overflow", "buffer.overflow"),
    ("--spill-max", "buffer.spill_max"),
    ("--spill", "buffer.spill"),
    ("--staging", "sink.staging"),
    ("--max-file", "sink.max_file"),
    ("--layout", "sink.layout"),
    ("--column", "[sink.columns]"),
    ("--patience", "patience"),
];

/// An error with all that it comes of, and the way out as whoever asked can take it: by flags, or by keys of the file.
pub(super) fn of_program(error: &anyhow::Error, global: &Global) -> String {
    let text = with_remedy(error);
    if !global.is_of_file {
        return text;
    }
    KEYS.iter().fold(text, |text, (flag, key)| text.replace(flag, key))
}

/// An error with all that it comes of, and the way out.
pub(super) fn with_remedy(error: &anyhow::Error) -> String {
    let text = error_chain(error);
    match of_buffer(error).and_then(remedy).or_else(|| of_source(error)) {
        Some(remedy) => format!("{text}; {remedy}"),
        None => text,
    }
}

/// The library's error that an error of the program is about.
pub(super) fn of_buffer(error: &anyhow::Error) -> Option<&BufferError> {
    if let Some(LineSourceError::Buffer(error)) = error.downcast_ref::<LineSourceError>() {
        return Some(error);
    }
    if let Some(IngestError::Buffer(error)) = error.downcast_ref::<IngestError>() {
        return Some(error);
    }
    if let Some(DrainError::Buffer(error)) = error.downcast_ref::<DrainError>() {
        return Some(error);
    }
    if let Some(VerifyError::Buffer(error)) = error.downcast_ref::<VerifyError>() {
        return Some(error);
    }
    if let Some(LoadError::Server(error)) = error.downcast_ref::<LoadError>() {
        return Some(error);
    }
    error.downcast_ref::<BufferError>()
}

/// The same of a source: whatever is not in the buffer is asked for again.
fn of_source(error: &anyhow::Error) -> Option<&'static str> {
    match error.downcast_ref::<IngestError>()? {
        IngestError::Source { .. } => Some(
            "`forebay ingest --check` tries each host once; a further --source is tried in turn; --patience waits longer. \
             Nothing is lost as long as the source keeps it: the next run asks for what is missing",
        ),
        IngestError::Dictionary { .. } => Some("without --compress frames come as text"),
        IngestError::Buffer(_) | IngestError::File { .. } => None,
    }
}

fn remedy(error: &BufferError) -> Option<&'static str> {
    match error {
        BufferError::Login { .. } => Some("in FOREBAY_URL it stays off the command line"),
        BufferError::WrongType { .. } | BufferError::Damaged { .. } => {
            Some("--buffer NAME is for another buffer")
        }
        BufferError::OtherStream { .. } => Some(
            "--buffer NAME names another, --profile FILE says what these events are, and `forebay lanes add` adds lanes",
        ),
        BufferError::Taken { .. } | BufferError::Unheard { .. } => Some(
            "end that writer first, append to another buffer (--buffer NAME), or take this one over (--takeover)",
        ),
        BufferError::NoFsync(why) if why.contains("acknowledge by the reply") => Some("that is --ack reply"),
        BufferError::GroupFull { .. } => Some("without --group nothing is made"),
        _ => None,
    }
}

/// Why a writer is held back, with the flag that would end it where there is one.
pub(super) fn of_trouble(why: &str) -> String {
    let flag = if why.contains("the most it may hold") { " (--spill-max)" } else { "" };
    format!("{why}{flag}")
}

#[cfg(test)]
mod tests {
    use forebay::buffer::error::Cause;

    use super::*;
    use crate::arguments::Colour;

    fn taken() -> BufferError {
        BufferError::Taken { buffer: "b".into(), url: "u".into(), why: "it wrote".into() }
    }

    #[test]
    fn an_error_is_told_once_and_with_its_flag() {
        let text = with_remedy(&anyhow::Error::from(taken()).context("3 events are not acknowledged"));
        assert!(text.starts_with("3 events are not acknowledged: buffer b at u has a writer"), "{text}");
        assert!(text.contains("--takeover"), "{text}");
        assert!(with_remedy(&LineSourceError::Buffer(taken()).into()).contains("--takeover"));
        let refused = std::io::Error::other("refused by the system");
        let error = BufferError::Connect {
            url: "u".into(),
            why: refused.to_string(),
            source: Some(Cause::new(refused)),
        };
        let text = with_remedy(&error.into());
        assert_eq!(text.matches("refused by the system").count(), 1, "{text}");
        let whole = |is_of_file| {
            let global = Global { json: false, quiet: true, verbose: 0, color: Colour::Never, is_of_file };
            of_program(&anyhow::Error::from(taken()), &global)
        };
        assert!(whole(false).contains("--takeover") && !whole(true).contains("--"), "{}", whole(true));
        assert!(whole(true).contains("(buffer.name)"), "{}", whole(true));
        assert!(of_trouble("it holds 1.0 MiB, which is the most it may hold").contains("--spill-max"));
    }
}
