//! The autosave ring loses nothing that it has said it keeps: killed in the middle of a write, with
//! full storage, with two programs at once, with a clock that goes back.

#[path = "reference/random.rs"]
#[allow(dead_code, reason = "shared with the reference")]
mod random;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use mmuscope::arch::Gva;
use mmuscope::engine::Quiet;
use mmuscope::machine::Command;
use mmuscope::scenario::autosave::{Folder, InMemory, Ring, STATES, Storage, StorageError};
use mmuscope::scenario::{Session, Shared, View};
use random::Random;

/// A state that is told from others by how many commands it has.
fn state(commands: u64) -> Shared {
    let mut session = Session::empty();
    for number in 0..commands {
        session.lab.execute_with(Command::Invlpg { va: Gva(number << 12) }, &mut Quiet);
    }
    Shared::of(&session, &View::default(), "en")
}

fn newest<S: Storage>(ring: &Ring<S>) -> Option<usize> {
    ring.newest().map(|(_, shared)| shared.log.len())
}

fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("autosave-{name}"));
    std::fs::remove_dir_all(&path).ok();
    path
}

#[test]
fn twenty_states_are_kept_and_the_newest_wins() {
    let path = folder("twenty");
    let mut ring = Ring::new(Folder::new(path.clone()), 1);
    assert_eq!(newest(&ring), None);
    for number in 1..=30 {
        ring.save(&state(number), 1000 + number).expect("room");
        assert_eq!(newest(&ring), Some(number as usize));
    }
    let entries = ring.entries();
    assert_eq!(entries.len(), STATES);
    assert_eq!(std::fs::read_dir(&path).expect("the folder").count(), STATES);
    let lens: Vec<usize> = entries.iter().map(|entry| ring.load(entry).expect("whole").log.len()).collect();
    assert_eq!(lens, (11..=30).rev().collect::<Vec<_>>());
    assert_eq!(entries[0].time, 1030);
    // Another program sees the same.
    let other = Ring::new(Folder::new(path), 2);
    assert_eq!(other.entries(), entries);
    assert_eq!(other.newest().expect("one").1, state(30));
}

#[test]
fn an_unchanged_state_is_not_written_again() {
    let mut ring = Ring::new(InMemory::default(), 1);
    for now in 0..5 {
        ring.save(&state(3), now).expect("room");
    }
    assert_eq!(ring.entries().len(), 1);
    ring.clear();
    assert_eq!(ring.entries().len(), 0);
    ring.save(&state(3), 9).expect("room");
    assert_eq!(newest(&ring), Some(3));
}

/// A value of which only the beginning was written, at any length, is not taken for a state; the one
/// before it is.
#[test]
fn a_torn_write_is_found_out() {
    let mut ring = Ring::new(InMemory::default(), 1);
    ring.save(&state(1), 1).expect("room");
    ring.save(&state(2), 2).expect("room");
    let mut storage = ring.into_storage();
    let mut keys = storage.list();
    keys.sort();
    let last = keys.last().expect("two").clone();
    let whole = storage.get(&last).expect("it is there");
    for cut in 0..whole.len() {
        storage.put(&last, &whole[..cut]).expect("room");
        let ring = Ring::new(storage, 1);
        assert_eq!(newest(&ring), Some(1), "cut to {cut} of {} bytes", whole.len());
        storage = ring.into_storage();
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        storage.put(&last, &damaged).expect("room");
        let ring = Ring::new(storage, 1);
        assert_eq!(newest(&ring), Some(1), "byte {at} differs");
        storage = ring.into_storage();
    }
    // The next state stands above the torn one.
    let mut ring = Ring::new(storage, 1);
    ring.save(&state(3), 0).expect("room");
    assert_eq!(newest(&ring), Some(3));
}

/// A program that is killed leaves a file that was not renamed.
#[test]
fn killed_in_the_middle_of_a_write() {
    let path = folder("killed");
    let mut ring = Ring::new(Folder::new(path.clone()), 1);
    ring.save(&state(4), 4).expect("room");
    let whole = std::fs::read_dir(&path).expect("folder").next().expect("a file").expect("entry").path();
    let content = std::fs::read(&whole).expect("readable");
    std::fs::write(path.join("autosave-00000000000000ff-00000001.part"), &content[..content.len() / 2]).expect("room");
    std::fs::write(path.join("autosave-0000000000000100-00000001"), &content[..10]).expect("room");
    std::fs::write(path.join("something else"), "of somebody else").expect("room");
    let mut ring = Ring::new(Folder::new(path.clone()), 7);
    assert_eq!(newest(&ring), Some(4));
    for number in 5..40 {
        ring.save(&state(number), number).expect("room");
        assert_eq!(newest(&ring), Some(number as usize));
    }
    assert!(path.join("something else").exists(), "what others keep there stays");
    assert!(!path.join("autosave-0000000000000100-00000001").exists(), "a torn state goes as others do");
}

/// Full storage drops the oldest and keeps the newest, down to the one that is there when nothing
/// more fits.
#[test]
fn full_storage_drops_the_oldest() {
    let mut probe = Ring::new(InMemory::default(), 1);
    probe.save(&state(50), 1).expect("room");
    let key = probe.storage().list().remove(0);
    let one = key.len() + probe.storage().get(&key).expect("it is there").len();
    let mut ring = Ring::new(InMemory::with_room(3 * one + one / 2), 1);
    for number in 1..60 {
        ring.save(&state(number), number).expect("the oldest make room");
        assert_eq!(newest(&ring), Some(number as usize));
    }
    assert!((2..STATES).contains(&ring.entries().len()));
    // One that can never fit leaves the newest.
    let last = newest(&ring);
    let (mut session, mut random) = (Session::empty(), Random::new(1));
    for _ in 0..2000 {
        let va = Gva(random.next());
        session.lab.execute_with(Command::Invlpg { va }, &mut Quiet);
    }
    let huge = Shared::of(&session, &View::default(), "en");
    assert!(matches!(ring.save(&huge, 99), Err(StorageError::Full)));
    assert_eq!(newest(&ring), last);
    ring.save(&state(10), 100).expect("it fits");
    assert_eq!(newest(&ring), Some(10));
}

/// Storage that two tabs have open, and that fails now and then.
#[derive(Clone, Default)]
struct Tabs {
    shared: Rc<RefCell<InMemory>>,
    random: Option<Rc<RefCell<Random>>>,
}

impl Storage for Tabs {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.shared.borrow().get(key)
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        if let Some(random) = &self.random {
            let mut random = random.borrow_mut();
            if random.one_in(5) {
                // The power fails in the middle.
                let cut = random.below(value.len() as u64) as usize;
                self.shared.borrow_mut().put(key, &value[..cut])?;
                return Err(StorageError::Other("killed".to_owned()));
            }
        }
        self.shared.borrow_mut().put(key, value)
    }

    fn delete(&mut self, key: &str) {
        self.shared.borrow_mut().delete(key);
    }

    fn list(&self) -> Vec<String> {
        self.shared.borrow().list()
    }
}

/// Two tabs with clocks that differ: the state that was written last is the newest, and none of one
/// tab overwrites one of the other.
#[test]
fn two_tabs_at_once() {
    let storage = Tabs::default();
    let mut tabs = [Ring::new(storage.clone(), 0xa), Ring::new(storage.clone(), 0xb)];
    let clocks = [1_700_000_000_000u64, 5];
    for number in 1..100u64 {
        let tab = (number % 3 == 0) as usize;
        tabs[tab].save(&state(number), clocks[tab] + number).expect("room");
        for reader in &tabs {
            assert_eq!(newest(reader), Some(number as usize), "after tab {tab}");
        }
    }
    // Both read the keys before either writes: the same number, other writers, both kept.
    let serials = |ring: &Ring<Tabs>| ring.entries().len();
    assert_eq!(serials(&tabs[0]), STATES);
    let mut a = Ring::new(Frozen(storage.clone(), storage.list()), 0xa);
    let mut b = Ring::new(Frozen(storage.clone(), storage.list()), 0xb);
    a.save(&state(200), 1).expect("room");
    b.save(&state(201), 1).expect("room");
    let lens: Vec<usize> =
        tabs[0].entries().iter().take(2).map(|entry| tabs[0].load(entry).expect("whole").log.len()).collect();
    assert_eq!(lens, [201, 200]);
}

/// A storage whose list was read before others wrote.
struct Frozen(Tabs, Vec<String>);

impl Storage for Frozen {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        self.0.put(key, value)
    }

    fn delete(&mut self, key: &str) {
        self.0.delete(key);
    }

    fn list(&self) -> Vec<String> {
        self.1.clone()
    }
}

/// Whatever fails whenever: the newest is the last state of which a writer was told that it is kept.
#[test]
fn random_failures_never_bring_an_older_state_back() {
    for seed in 0..200 {
        let random = Rc::new(RefCell::new(Random::new(seed)));
        let storage =
            Tabs { shared: Rc::new(RefCell::new(InMemory::with_room(4000))), random: Some(Rc::clone(&random)) };
        let mut tabs = [Ring::new(storage.clone(), 1), Ring::new(storage.clone(), 2)];
        let mut kept = None;
        for number in 1..60u64 {
            let tab = random.borrow_mut().below(2) as usize;
            let now = random.borrow_mut().below(1000);
            if random.borrow_mut().one_in(10) {
                let writer = random.borrow_mut().next() as u32;
                tabs[tab] = Ring::new(storage.clone(), writer);
            }
            if tabs[tab].save(&state(number), now).is_ok() {
                kept = Some(number as usize);
            }
            assert_eq!(newest(&tabs[1 - tab]), kept, "seed {seed}, state {number}");
        }
    }
}
