//! A file of the user's that is read whole: a regular one, and no larger than it may be. `/dev/zero` has no end, and a pipe
//! may never give any.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Its text, at most so many bytes.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<String> {
    let failed = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    // At a pipe that nobody writes to, opening it would wait too.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(failed("not a regular file".into()));
    }
    let mut text = String::new();
    file.take(bytes_max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > bytes_max {
        return Err(failed(format!("it has more than {bytes_max} bytes")));
    }
    Ok(text)
}
