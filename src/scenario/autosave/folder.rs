//! Autosaves in a folder of the file system.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Storage, StorageError};

/// A folder with one file for each key.
///
/// A value is written to another name, carried to the disk and then renamed, so that a reader sees
/// the whole of it or nothing, even when the program is killed in the middle.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// What the name of a file ends in that is being written.
const UNFINISHED: &str = ".part";

impl Folder {
    /// The folder of this path; it is made when the first value is written.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, key: &str) -> PathBuf {
        self.0.join(key)
    }
}

fn error(error: &std::io::Error) -> StorageError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StorageError::Full,
        _ => StorageError::Other(error.to_string()),
    }
}

impl Storage for Folder {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        fs::read(self.file(key)).ok()
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        let unfinished = self.file(&format!("{key}{UNFINISHED}"));
        let write = || {
            fs::create_dir_all(&self.0)?;
            let mut file = fs::File::create(&unfinished)?;
            file.write_all(value)?;
            file.sync_data()?;
            fs::rename(&unfinished, self.file(key))
        };
        write().map_err(|e| {
            fs::remove_file(&unfinished).ok();
            error(&e)
        })
    }

    fn delete(&mut self, key: &str) {
        fs::remove_file(self.file(key)).ok();
        fs::remove_file(self.file(&format!("{key}{UNFINISHED}"))).ok();
    }

    fn list(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).into_iter().flatten().flatten();
        names.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}
