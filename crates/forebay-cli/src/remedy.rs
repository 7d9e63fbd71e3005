//! What to do about an error of the library, with the flag of the command line that does it: the library knows of none.

use forebay::buffer::error::Error as BufferError;
use forebay::buffer::line_source::LineSourceError;
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::ingest::IngestError;
use forebay_proof::printable::error_chain;
use forebay_proof::verify::Error as VerifyError;
use forebay_rig::load::driver::Error as LoadError;

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

    #[test]
    fn an_error_is_told_once_and_with_its_flag() {
        let error = || BufferError::Taken { buffer: "b".into(), url: "u".into(), why: "it wrote".into() };
        let text = with_remedy(&anyhow::Error::from(error()).context("3 events are not acknowledged"));
        assert!(text.starts_with("3 events are not acknowledged: buffer b at u has a writer"), "{text}");
        assert!(text.contains("--takeover"), "{text}");
        assert!(with_remedy(&LineSourceError::Buffer(error()).into()).contains("--takeover"));
        let refused = std::io::Error::other("refused by the system");
        let error = BufferError::Connect {
            url: "u".into(),
            why: refused.to_string(),
            source: Some(Cause::new(refused)),
        };
        let text = with_remedy(&error.into());
        assert_eq!(text.matches("refused by the system").count(), 1, "{text}");
        assert!(of_trouble("it holds 1.0 MiB, which is the most it may hold").contains("--spill-max"));
    }
}
