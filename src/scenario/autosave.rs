//! The autosave ring: the last twenty states of the work, in whatever keeps small files.
//!
//! Each state lies under a key of its own, which names its age, so that writing one never touches
//! another: a write that is cut off costs that state alone. A state counts only if its check sum is
//! right. The newest wins; two programs at once write side by side, because a key also names its
//! writer. Where storage is full, the oldest states make room.
//!
//! A [`Storage`] is a map from keys to bytes: a folder, a browser's local storage, or memory.

mod folder;

use std::collections::BTreeMap;

use super::link::{LinkError, Shared};

pub use folder::Folder;

/// States that are kept.
pub const STATES: usize = 20;

/// What every key begins with.
const PREFIX: &str = "autosave-";
/// What every state begins with: name and version of the layout.
const MAGIC: &[u8; 8] = b"mmuscop1";
/// Magic, time, check sum.
const HEADER: usize = 24;

/// Why something could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no room.
    #[error("there is no room left for an autosave")]
    Full,
    /// Anything else.
    #[error("the autosave cannot be written: {0}")]
    Other(String),
}

/// A place that keeps bytes under keys. Keys are lower-case letters, digits and hyphens.
///
/// `put` need not be atomic: a torn value is found out by its check sum.
pub trait Storage {
    /// What lies under a key.
    fn get(&self, key: &str) -> Option<Vec<u8>>;

    /// Puts a value under a key, in place of what lay there.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), StorageError>;

    /// Removes a key, if it is there.
    fn delete(&mut self, key: &str);

    /// Every key, in any order; keys that others put there may be among them.
    fn list(&self) -> Vec<String>;
}

/// Storage in memory, with room for so many bytes.
#[derive(Clone, Debug)]
pub struct InMemory {
    values: BTreeMap<String, Vec<u8>>,
    room: usize,
}

impl InMemory {
    /// Room for `room` bytes, keys and values together.
    #[must_use]
    pub fn with_room(room: usize) -> Self {
        Self { values: BTreeMap::new(), room }
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::with_room(usize::MAX)
    }
}

impl Storage for InMemory {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.values.get(key).cloned()
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        let others = self.values.iter().filter(|(k, _)| *k != key).map(|(k, v)| k.len() + v.len());
        if others.sum::<usize>().saturating_add(key.len() + value.len()) > self.room {
            return Err(StorageError::Full);
        }
        self.values.insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, key: &str) {
        self.values.remove(key);
    }

    fn list(&self) -> Vec<String> {
        self.values.keys().cloned().collect()
    }
}

/// A kept state: which, and from when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its place in the order of states: newer ones have more.
    serial: u64,
    writer: u32,
    /// When it was written, in milliseconds since 1970, by the writer's clock.
    pub time: u64,
}

impl Entry {
    fn key(serial: u64, writer: u32) -> String {
        format!("{PREFIX}{serial:016x}-{writer:08x}")
    }

    fn parse(key: &str) -> Option<(u64, u32)> {
        let (serial, writer) = key.strip_prefix(PREFIX)?.split_once('-')?;
        let lower = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let well_formed = serial.len() == 16 && writer.len() == 8 && lower(serial) && lower(writer);
        let number = |digits| u64::from_str_radix(digits, 16).ok();
        well_formed.then_some((number(serial)?, number(writer)? as u32))
    }
}

/// The ring, as one program writes it.
#[derive(Debug)]
pub struct Ring<S> {
    storage: S,
    writer: u32,
    /// What was written last, so that an unchanged state is not written again.
    last: Option<u64>,
}

impl<S: Storage> Ring<S> {
    /// The ring in a storage. `writer` is a number of this program's own (a random one will do), so
    /// that two programs at once never write the same key.
    pub const fn new(storage: S, writer: u32) -> Self {
        Self { storage, writer, last: None }
    }

    /// The storage.
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// The storage, to be read by another.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Keeps a state. An unchanged one is not written again. `now` is in milliseconds since 1970; a
    /// clock that was set back makes no state older than those that are there.
    ///
    /// # Errors
    /// [`StorageError::Full`] when it has no room beside the newest state, which is still there then.
    pub fn save(&mut self, state: &Shared, now: u64) -> Result<(), StorageError> {
        let content = state.to_bytes();
        let sum = check_sum(now, &content);
        let unchanged = xxhash_rust::xxh3::xxh3_64(&content);
        if self.last == Some(unchanged) {
            return Ok(());
        }
        let mut value = Vec::with_capacity(HEADER + content.len());
        value.extend_from_slice(MAGIC);
        value.extend_from_slice(&now.to_le_bytes());
        value.extend_from_slice(&sum.to_le_bytes());
        value.extend_from_slice(&content);
        let mut keys = self.keys();
        // Newer than everything that any writer has put there, torn ones included.
        let serial = keys.last().map_or(0, |(serial, _)| serial.saturating_add(1)).max(now);
        let key = Entry::key(serial, self.writer);
        // The newest whole state is all there is until this one is written: it never makes room.
        let newest = keys.iter().rposition(|at| self.whole(*at).is_some()).map(|at| keys.remove(at));
        loop {
            match self.storage.put(&key, &value) {
                Ok(()) => break,
                Err(StorageError::Full) if !keys.is_empty() => {
                    let (serial, writer) = keys.remove(0);
                    self.storage.delete(&Entry::key(serial, writer));
                }
                Err(error) => {
                    self.storage.delete(&key);
                    return Err(error);
                }
            }
        }
        self.last = Some(unchanged);
        keys.extend(newest);
        keys.push((serial, self.writer));
        keys.sort_unstable();
        let surplus = keys.len().saturating_sub(STATES);
        for (serial, writer) in keys.drain(..surplus) {
            self.storage.delete(&Entry::key(serial, writer));
        }
        Ok(())
    }

    /// The states that can be restored, the newest first. Torn ones are not among them.
    pub fn entries(&self) -> Vec<Entry> {
        let keys = self.keys().into_iter().rev();
        keys.filter_map(|at| self.whole(at)).collect()
    }

    /// What lies at a key, if it is whole.
    fn whole(&self, (serial, writer): (u64, u32)) -> Option<Entry> {
        let (time, _) = read(&self.storage.get(&Entry::key(serial, writer))?)?;
        Some(Entry { serial, writer, time })
    }

    /// A state.
    ///
    /// # Errors
    /// [`LinkError`] when another program has dropped it, or it was made by another version.
    pub fn load(&self, entry: &Entry) -> Result<Shared, LinkError> {
        let value = self.storage.get(&Entry::key(entry.serial, entry.writer)).ok_or(LinkError::Truncated)?;
        let (_, content) = read(&value).ok_or(LinkError::Damaged)?;
        Shared::from_bytes(content)
    }

    /// The newest state that can be opened: what is offered after a crash.
    pub fn newest(&self) -> Option<(Entry, Shared)> {
        self.entries().into_iter().find_map(|entry| {
            let shared = self.load(&entry).ok()?;
            Some((entry, shared))
        })
    }

    /// Forgets every state.
    pub fn clear(&mut self) {
        for (serial, writer) in self.keys() {
            self.storage.delete(&Entry::key(serial, writer));
        }
        self.last = None;
    }

    /// What lies there, the oldest first.
    fn keys(&self) -> Vec<(u64, u32)> {
        let mut keys: Vec<(u64, u32)> = self.storage.list().iter().filter_map(|key| Entry::parse(key)).collect();
        keys.sort_unstable();
        keys
    }
}

fn check_sum(time: u64, content: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(content, time)
}

/// Time and content of a value that is whole.
fn read(value: &[u8]) -> Option<(u64, &[u8])> {
    let (magic, rest) = value.split_first_chunk::<8>()?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (sum, content) = rest.split_first_chunk::<8>()?;
    let time = u64::from_le_bytes(*time);
    (magic == MAGIC && check_sum(time, content) == u64::from_le_bytes(*sum)).then_some((time, content))
}
