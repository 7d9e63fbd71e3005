//! Where events go, and whether they got there: stdout, or a command that is given each batch.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::Context;

use super::exec::Exec;
use super::stdout::Stdout;
use crate::output;

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;

/// What failed where a batch for the command could not be written.
const BATCH: &str = "writing a batch for --exec into the temporary folder";

/// Where events go.
pub(super) enum Sink<'a> {
    Stdout(BufWriter<Stdout>),
    Command(Exec<'a>, Option<BufWriter<File>>),
}

impl<'a> Sink<'a> {
    pub(super) fn stdout(stdout: Stdout) -> Self {
        Self::Stdout(BufWriter::with_capacity(WRITE_BYTES, stdout))
    }

    pub(super) fn command(exec: Exec<'a>) -> Self {
        Self::Command(exec, None)
    }

    /// For the next batch.
    pub(super) fn begin(&mut self) -> anyhow::Result<&mut dyn Write> {
        match self {
            Self::Stdout(out) => Ok(out),
            Self::Command(_, batch) => {
                let file = tempfile::tempfile().context(BATCH)?;
                Ok(batch.insert(BufWriter::with_capacity(WRITE_BYTES, file)))
            }
        }
    }

    /// What writing there is called where it fails.
    pub(super) fn doing(&self) -> &'static str {
        if matches!(self, Self::Stdout(_)) { output::STDOUT } else { BATCH }
    }

    /// Delivers the batch; what follows from its having arrived may be done after that. Else why it has not.
    pub(super) fn deliver(&mut self, events: u64) -> anyhow::Result<Result<(), String>> {
        match self {
            Self::Stdout(out) => {
                out.flush().context(output::STDOUT)?;
                out.get_mut().settle().context("fsync of the file on stdout")?;
                Ok(Ok(()))
            }
            Self::Command(exec, batch) => {
                let Some(batch) = batch.take().filter(|_| events > 0) else { return Ok(Ok(())) };
                let mut batch = batch.into_inner().map_err(io::IntoInnerError::into_error).context(BATCH)?;
                Ok(exec.take(&mut batch, events).map_err(|why| format!("--exec: {why}")))
            }
        }
    }

    /// Whether blocks are acknowledged that may never arrive, and now it is known that the reader of stdout has gone.
    pub(super) fn is_abandoned(&self, error: Option<&anyhow::Error>) -> bool {
        let Self::Stdout(out) = self else { return false };
        let stdout = out.get_ref();
        stdout.is_at_most_once() && error.map_or_else(|| stdout.has_no_reader(), output::is_broken_pipe)
    }
}
