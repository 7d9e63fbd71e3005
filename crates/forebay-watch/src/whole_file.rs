//! Files that are written whole or not at all, and an error that says which path and what to do.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Puts `content` at `path` in one step, so that no reader ever meets half a report and a failed
/// run leaves the report of the last one alone.
pub fn atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".forebay-report-");
        #[cfg(unix)]
        {
            // A temporary file is for its owner alone; a report is for whom the umask lets read.
            use std::os::unix::fs::PermissionsExt as _;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(dir)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error).map(drop)
    };
    write().map_err(|error| explain(&error, "write", path))
}

/// The error with what was to be done, the path, and the remedy.
pub fn explain(error: &io::Error, what: &str, path: &Path) -> io::Error {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "name a folder you may write to with --out"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there, or name another folder with --out"
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            "something of that name is in the way: move it, or name another folder with --out"
        }
        _ => "name another folder with --out",
    };
    io::Error::new(error.kind(), format!("cannot {what} {}: {error}; {remedy}", path.display()))
}
