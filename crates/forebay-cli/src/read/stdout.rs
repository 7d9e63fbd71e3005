//! Where `read` writes to, and when what it wrote may be acknowledged for the consumer.
//!
//! | stdout | `--ack` |
//! |---|---|
//! | a file | after `fdatasync`; before the first, the file's folder is fsynced too, so that a new file keeps its name |
//! | a pipe, a socket, a terminal | refused: nobody can know what arrives. With `--at-most-once`, once it is written |
//! | closed, `/dev/null`, any other device | refused: nothing arrives |

use std::fs::File;
use std::io::{self, IsTerminal as _, Seek as _, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::output;
use forebay_proof::printable::printable;

/// Our own stdout, as the system shows it by name.
const SELF: &str = "/proc/self/fd/1";

/// What else there is, for whoever is refused.
const INSTEAD: &str = "write to a file (>> FILE), give each batch to a command (--exec 'CMD'), or print block ids \
                       (--frames) and acknowledge them with `forebay ack`";

/// Stdout. Not the standard library's: that takes a write to a descriptor that cannot be written for done.
pub(super) struct Stdout {
    file: File,
    kind: OutputKind,
    /// Then what would steer it is shown, and not sent.
    is_terminal: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OutputKind {
    /// Whatever is written there, nothing is acknowledged for it.
    Plain,
    /// A file whose folder is not fsynced yet.
    New,
    /// A file.
    Durable,
    /// What is written may be acknowledged, whether it arrives or not.
    AtMostOnce,
}

impl Stdout {
    /// For events that nobody acknowledges here.
    pub(super) fn plain() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let is_terminal = file.is_terminal();
        Ok(Self { file, kind: OutputKind::Plain, is_terminal })
    }

    /// For events that are acknowledged; an error where they cannot arrive.
    pub(super) fn acknowledged(at_most_once: bool) -> anyhow::Result<Self> {
        let Self { mut file, is_terminal, .. } = Self::plain()?;
        let is = file.metadata()?.file_type();
        if is.is_file() || is.is_block_device() {
            begin_a_line(&mut file)?;
            return Ok(Self { file, kind: OutputKind::New, is_terminal });
        }
        let place = match is {
            is if is.is_fifo() => "a pipe",
            is if is.is_socket() => "a socket",
            _ if is_terminal => "a terminal",
            _ => anyhow::bail!(
                "--ack: stdout is closed, /dev/null or another device that keeps nothing, so nothing would arrive; {INSTEAD}"
            ),
        };
        anyhow::ensure!(
            at_most_once,
            "--ack: stdout is {place}, and nobody can know what arrives there; {INSTEAD}; --at-most-once \
             acknowledges what was written all the same"
        );
        Ok(Self { file, kind: OutputKind::AtMostOnce, is_terminal })
    }

    /// Whether blocks are acknowledged without anybody knowing that they arrived.
    pub(super) fn is_at_most_once(&self) -> bool {
        self.kind == OutputKind::AtMostOnce
    }

    /// Whether nobody is left at the other end.
    pub(super) fn has_no_reader(&self) -> bool {
        let mut ends = [PollFd::new(&self.file, PollFlags::empty())];
        let looked = poll(&mut ends, Some(&Timespec::default()));
        looked.is_ok() && ends[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// What was written is on the disk, where it is to be acknowledged and there is one.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if self.kind == OutputKind::New {
            if !sync_folder(&self.file) {
                output::tell(
                    "forebay: the folder of stdout's file cannot be fsynced here: a power cut may take a new file's name",
                );
            }
            self.kind = OutputKind::Durable;
        }
        if self.kind == OutputKind::Durable { self.file.sync_data() } else { Ok(()) }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_terminal {
            return self.file.write(bytes);
        }
        self.file.write_all(printable(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends a line that a run before may have left half written (a full disk, a kill): else the first event would be glued
/// to it. Where nobody lets us see how the file ends, there may be an empty line.
fn begin_a_line(file: &mut File) -> io::Result<()> {
    let appends = rustix::fs::fcntl_getfl(&*file)?.contains(rustix::fs::OFlags::APPEND);
    let at = if appends { file.metadata()?.len() } else { file.stream_position().unwrap_or(0) };
    let mut last = [0];
    if at > 0 {
        let seen = File::open(SELF).and_then(|file| file.read_exact_at(&mut last, at - 1));
        if seen.is_err() || last != *b"\n" {
            return file.write_all(b"\n");
        }
    }
    Ok(())
}

/// Fsyncs the folder that a file stands in; whether that was done.
fn sync_folder(file: &File) -> bool {
    folder_of(file).is_some_and(|folder| File::open(folder).and_then(|folder| folder.sync_all()).is_ok())
}

/// The folder of our stdout, where the name that the system gives it still leads there.
fn folder_of(file: &File) -> Option<PathBuf> {
    let path = std::fs::read_link(SELF).ok()?;
    let (ours, named) = (file.metadata().ok()?, std::fs::metadata(&path).ok()?);
    let is_same = (ours.dev(), ours.ino()) == (named.dev(), named.ino());
    path.parent().filter(|_| is_same).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_shown_to_a_terminal_and_written_byte_for_byte_elsewhere() {
        let event = b"{\"text\":\"\x1b[2J \xe2\x80\xae\"}\n";
        let written = |is_terminal| {
            let file = tempfile::tempfile().unwrap();
            let mut stdout = Stdout { file, kind: OutputKind::Plain, is_terminal };
            stdout.write_all(event).unwrap();
            let mut bytes = vec![0; stdout.file.metadata().unwrap().len() as usize];
            stdout.file.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        assert_eq!(written(false), event);
        assert_eq!(written(true), b"{\"text\":\"\\u{1b}[2J \\u{202e}\"}\n");
    }
}
