//! Puts a deployment's files into a folder; what somebody has changed there is not overwritten unasked.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::files::File;
use crate::whole_file::atomically;

/// Why nothing, or not everything, was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Files there have other contents.
    #[error(
        "{} in {} would be overwritten, which somebody may have changed: name another folder with --out and compare, \
         or overwrite with --force; nothing was written",
        names.join(", "), dir.display()
    )]
    Differs {
        /// The folder.
        dir: PathBuf,
        /// Their paths from there.
        names: Vec<String>,
    },
    /// A file there cannot be read.
    #[error("cannot read {}: {why}; name another folder with --out", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A file cannot be written; the message says which and what to do.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was there, with the same contents.
    Same,
    /// It was not there.
    New,
    /// It was there with other contents, and was overwritten.
    Overwritten,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::New => "new",
            Self::Overwritten => "overwritten",
        }
    }
}

/// Writes all files into `dir`. Where one is there with other contents, none is written unless `force`.
pub fn all(files: &[File], dir: &Path, force: bool) -> Result<Vec<State>, Error> {
    let states = files.iter().map(|file| state(file, dir)).collect::<Result<Vec<_>, _>>()?;
    let differ = files.iter().zip(&states).filter(|(_, state)| **state == State::Overwritten);
    let names: Vec<String> = differ.map(|(file, _)| file.path.clone()).collect();
    if !names.is_empty() && !force {
        return Err(Error::Differs { dir: dir.into(), names });
    }
    for (file, state) in files.iter().zip(&states) {
        if *state != State::Same {
            let path = dir.join(&file.path);
            let folder = path.parent().unwrap_or(dir);
            fs::create_dir_all(folder).map_err(|why| {
                io::Error::new(
                    why.kind(),
                    format!("cannot create {}: {why}; name another folder with --out", folder.display()),
                )
            })?;
            atomically(&path, file.text.as_bytes())?;
        }
    }
    Ok(states)
}

/// What would become of a file.
fn state(file: &File, dir: &Path) -> Result<State, Error> {
    let path = dir.join(&file.path);
    match fs::read(&path) {
        Ok(there) if there == file.text.as_bytes() => Ok(State::Same),
        Ok(_) => Ok(State::Overwritten),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(State::New),
        Err(why) => Err(Error::Read { path, why }),
    }
}
