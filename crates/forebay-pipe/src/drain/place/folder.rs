//! A folder. A record is written beside its place and renamed there, a staged file is renamed into the tree, and each step is on
//! the disk before the next begins.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::super::destination::{DestinationError, io_at};
use super::super::step::{Step, Steps};
use super::{Place, RECORD_BYTES_MAX};

/// A folder with the tree and the records in it.
pub struct FolderPlace {
    root: PathBuf,
}

impl FolderPlace {
    /// One that may not be there yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn at(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// Syncs a folder and those above it, up to the root: who made one of them may have ended before it was synced.
    fn sync_up(&self, path: &Path) -> Result<(), DestinationError> {
        path.ancestors().skip(1).take_while(|above| above.starts_with(&self.root)).try_for_each(sync_folder)
    }
}

impl Place for FolderPlace {
    fn shown(&self, key: &str) -> String {
        self.at(key).display().to_string()
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, DestinationError> {
        let Some(file) = self.open(key)? else { return Ok(None) };
        let (path, mut bytes) = (self.at(key), Vec::new());
        file.take(RECORD_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io_at(&path))?;
        Ok(Some(bytes))
    }

    fn write(&self, key: &str, bytes: &[u8]) -> Result<(), DestinationError> {
        let path = self.at(key);
        make_folder(path.parent().unwrap_or(&self.root))?;
        let temporary = path.with_extension("new");
        let mut file = File::create(&temporary).map_err(io_at(&temporary))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_at(&temporary))?;
        std::fs::rename(&temporary, &path).map_err(io_at(&path))?;
        self.sync_up(&path)
    }

    fn remove(&self, key: &str) -> Result<(), DestinationError> {
        let path = self.at(key);
        match std::fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(io_at(&path)(why)),
            _ => {}
        }
        path.parent().map_or(Ok(()), sync_folder)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DestinationError> {
        let (mut folders, mut keys) = (vec![self.at(folder)], Vec::new());
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
                Err(why) => return Err(io_at(&folder)(why)),
            };
            for entry in entries {
                let entry = entry.map_err(io_at(&folder))?;
                let path = entry.path();
                if entry.file_type().map_err(io_at(&path))?.is_dir() {
                    folders.push(path);
                } else if let Ok(key) = path.strip_prefix(&self.root) {
                    keys.push(key.to_string_lossy().into_owned());
                }
            }
        }
        Ok(keys)
    }

    fn open(&self, key: &str) -> Result<Option<File>, DestinationError> {
        let path = self.at(key);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(io_at(&path)(why)),
        }
    }

    fn publish(&self, staged: &Path, key: &str, steps: &Steps) -> Result<(), DestinationError> {
        let path = self.at(key);
        make_folder(path.parent().unwrap_or(&self.root))?;
        steps.before(Step::Publish)?;
        std::fs::rename(staged, &path).map_err(io_at(&path))?;
        steps.before(Step::SyncTree)?;
        self.sync_up(&path)
    }
}

/// Makes a folder and what is missing above it, each on the disk once its own folder is synced.
pub fn make_folder(folder: &Path) -> Result<(), DestinationError> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.is_dir()).collect();
    std::fs::create_dir_all(folder).map_err(io_at(folder))?;
    let above = missing.iter().filter_map(|made| made.parent());
    // Of a path from where the program is, the first part lies there.
    let named =
        |above: &'_ Path| if above.as_os_str().is_empty() { PathBuf::from(".") } else { above.into() };
    above.map(named).try_for_each(|above| sync_folder(&above))
}

/// What was done in a folder is on the disk.
pub fn sync_folder(folder: &Path) -> Result<(), DestinationError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_at(folder))
}
