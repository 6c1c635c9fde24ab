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

/// What the key of every state begins with.
const PREFIX: &str = "autosave-";
/// What the key begins with that says of a writer that it has not ended in order.
const OPEN: &str = "open-";
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

impl Storage for Box<dyn Storage + Send> {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        (**self).get(key)
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        (**self).put(key, value)
    }

    fn delete(&mut self, key: &str) {
        (**self).delete(key);
    }

    fn list(&self) -> Vec<String> {
        (**self).list()
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its place in the order of states: newer ones have more.
    serial: u64,
    writer: u32,
    /// When it was written, in milliseconds since 1970, by the writer's clock.
    pub time: u64,
}

impl Entry {
    /// The writer that it is of.
    #[must_use]
    pub const fn writer(&self) -> u32 {
        self.writer
    }

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

    /// The storage, for other things that are kept beside the states.
    pub const fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }

    /// The number of this writer.
    pub const fn writer(&self) -> u32 {
        self.writer
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
        self.save_over(state, now, None).map(drop)
    }

    /// Keeps a state and, once it is there, drops an older one that it goes on from. Returns which it
    /// is now; `None` where it is unchanged.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub fn save_over(&mut self, state: &Shared, now: u64, old: Option<&Entry>) -> Result<Option<Entry>, StorageError> {
        let content = state.to_bytes();
        let sum = check_sum(now, &content);
        let unchanged = xxhash_rust::xxh3::xxh3_64(&content);
        if self.last == Some(unchanged) {
            return Ok(None);
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
        let last = self.last_of_each(&keys);
        keys.retain(|at| !last.contains(at));
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
        if let Some(old) = old {
            self.storage.delete(&Entry::key(old.serial, old.writer));
        }
        let mut keys = self.keys();
        let mut surplus = keys.len().saturating_sub(STATES);
        let last = self.last_of_each(&keys);
        // What is the last of nobody goes first.
        keys.sort_by_key(|at| (last.contains(at), *at));
        keys.retain(|at| *at != (serial, self.writer));
        for (serial, writer) in keys {
            if surplus == 0 {
                break;
            }
            surplus -= 1;
            self.storage.delete(&Entry::key(serial, writer));
        }
        Ok(Some(Entry { serial, writer: self.writer, time: now }))
    }

    /// The newest whole state of all, and that of each writer that has not ended in order: until there
    /// is a newer one they are all that there is of that work, and make no room for another's.
    fn last_of_each(&self, keys: &[(u64, u32)]) -> Vec<(u64, u32)> {
        let newest = |mine: &dyn Fn(u32) -> bool| {
            keys.iter()
                .rev()
                .copied()
                .find(|(serial, writer)| mine(*writer) && self.whole((*serial, *writer)).is_some())
        };
        let mut last: Vec<(u64, u32)> = newest(&|_| true).into_iter().collect();
        last.extend(self.open_writers().into_iter().filter_map(|open| newest(&|writer| writer == open)));
        last
    }

    /// Says that this writer has work open, until [`Self::close`].
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn begin(&mut self) -> Result<(), StorageError> {
        self.storage.put(&format!("{OPEN}{:08x}", self.writer), b"1")
    }

    /// Says that a writer has ended in order, or that its last state was offered.
    pub fn close(&mut self, writer: u32) {
        self.storage.delete(&format!("{OPEN}{writer:08x}"));
    }

    /// The writers that began and did not end in order: they run still, or were killed.
    pub fn open_writers(&self) -> Vec<u32> {
        let number = |key: &String| key.strip_prefix(OPEN).and_then(|number| u32::from_str_radix(number, 16).ok());
        self.storage.list().iter().filter_map(number).collect()
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
