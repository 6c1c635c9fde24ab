//! The platform of the native window: the system's file dialogs, a folder for autosaves, one thread
//! for work in the background.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use egui::DroppedFileHandle;

use super::{Arrival, Inbox, Job, Outgoing, Platform, Purpose};
use crate::language::Sentence;
use crate::scenario::MAX_FILE_BYTES;
use crate::scenario::autosave::{Folder, Storage};
use crate::word;

/// The name of the folder in that of the user's data.
pub const APP_ID: &str = "mmuscope";
/// What the names of the files of running programs begin and end with.
const RUNNING: (&str, &str) = ("running-", ".lock");

/// The native window's platform.
pub struct Native {
    ctx: egui::Context,
    folder: Option<PathBuf>,
    jobs: Option<Sender<Job>>,
    /// Locked while this program runs: the system frees it however the program ends.
    running: std::cell::RefCell<Option<(File, PathBuf)>>,
}

impl Native {
    /// The platform of the window of this context, with autosaves in the user's data folder.
    #[must_use]
    pub fn new(ctx: &egui::Context) -> Self {
        let folder = eframe::storage_dir(APP_ID).map(|folder| folder.join("autosave"));
        let (jobs, waiting) = mpsc::channel::<Job>();
        let worker = thread::Builder::new().name("background".to_owned()).spawn(move || {
            for job in waiting {
                job();
            }
        });
        if let Err(error) = &worker {
            log::warn!("work in the background is done in the foreground: {error}");
        }
        Self { ctx: ctx.clone(), folder, jobs: worker.is_ok().then_some(jobs), running: Default::default() }
    }
}

/// Waits for a dialog of the system in a thread of its own.
fn in_thread(inbox: &Inbox, work: impl FnOnce() -> Option<Arrival> + Send + 'static) {
    let answer_to = inbox.clone();
    let work = move || {
        if let Some(arrival) = work() {
            answer_to.put(arrival);
        }
    };
    if let Err(error) = thread::Builder::new().spawn(work) {
        inbox.put(failed(Sentence::new(word!("{name} cannot be read: {error}")).with("error", error), "*"));
    }
}

/// Nobody closes a dialog so soon: there was none.
const NO_DIALOG: Duration = Duration::from_millis(150);

/// A name that no file in the folder has yet.
fn free_path(folder: &Path, name: &str) -> PathBuf {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let numbered = (2..).map(|number| folder.join(format!("{stem}-{number}.{ending}")));
    let mut paths = std::iter::once(folder.join(name)).chain(numbered);
    paths.find(|path| !path.exists()).unwrap_or_else(|| folder.join(name))
}

fn failed(sentence: Sentence, name: &str) -> Arrival {
    Arrival::Failed(sentence.with("name", name))
}

fn read(path: &Path, purpose: Purpose) -> Arrival {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => return failed(Sentence::new(word!("{name} is a folder: open a file")), &name),
        Ok(meta) if meta.len() > MAX_FILE_BYTES => {
            let (size, most) = (meta.len() >> 20, MAX_FILE_BYTES >> 20);
            let words = Sentence::new(word!("{name} has {size} MiB: at most {most} MiB are read"));
            return failed(words.with("size", size).with("most", most), &name);
        }
        _ => {}
    }
    match fs::read(path) {
        Ok(bytes) => Arrival::File { name, bytes, purpose },
        Err(error) => failed(Sentence::new(word!("{name} cannot be read: {error}")).with("error", error), &name),
    }
}

/// Writes the whole file or leaves what was there.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or(path.as_os_str()).to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    fs::write(&part, bytes).and_then(|()| fs::rename(&part, path)).inspect_err(|_| {
        fs::remove_file(&part).ok();
    })
}

impl Platform for Native {
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as u64)
    }

    fn draw_number(&self) -> u32 {
        // The keys of a hash map's state are random.
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.finish() as u32
    }

    fn storage(&self) -> Option<Box<dyn Storage + Send>> {
        Some(Box::new(Folder::new(self.folder.clone()?)))
    }

    fn register(&self, number: u32) {
        let Some(folder) = &self.folder else { return };
        let path = folder.join(format!("{}{number:08x}{}", RUNNING.0, RUNNING.1));
        let locked = fs::create_dir_all(folder).and_then(|()| File::create(&path)).and_then(|file| {
            file.lock()?;
            Ok(file)
        });
        match locked {
            Ok(file) => *self.running.borrow_mut() = Some((file, path)),
            Err(error) => log::warn!("other windows cannot see that this one runs: {error}"),
        }
    }

    fn find_running(&self, inbox: &Inbox) {
        let mut running = Vec::new();
        let entries = self.folder.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = name.strip_prefix(RUNNING.0).and_then(|rest| rest.strip_suffix(RUNNING.1));
            let Some(number) = number.and_then(|number| u32::from_str_radix(number, 16).ok()) else { continue };
            let free = File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
            if free {
                fs::remove_file(entry.path()).ok();
            } else {
                running.push(number);
            }
        }
        inbox.put(Arrival::Running(running));
    }

    fn open_file(&self, purpose: Purpose, inbox: &Inbox) {
        in_thread(inbox, move || {
            let asked = Instant::now();
            let dialog = rfd::FileDialog::new().add_filter("*", &["*"]).add_filter("JSON", &["json", "gz"]);
            match dialog.pick_file() {
                Some(path) => Some(read(&path, purpose)),
                None if asked.elapsed() > NO_DIALOG => None,
                None => Some(Arrival::Failed(Sentence::new(word!(
                    "This desktop has no file dialog (xdg-desktop-portal or zenity): drop the file on the window"
                )))),
            }
        });
    }

    fn save_file(&self, file: Outgoing, inbox: &Inbox) {
        in_thread(inbox, move || {
            let ending = Path::new(&file.name).extension().unwrap_or_default().to_string_lossy().into_owned();
            let dialog = rfd::FileDialog::new().set_file_name(&file.name).add_filter(ending.to_uppercase(), &[ending]);
            let asked = Instant::now();
            let path = match dialog.save_file() {
                Some(path) => path,
                None if asked.elapsed() > NO_DIALOG => return None,
                // Without a dialog the file goes where the program was started, over nothing.
                None => free_path(&std::env::current_dir().unwrap_or_default(), &file.name),
            };
            Some(match write(&path, &file.bytes) {
                Ok(()) => Arrival::Saved(path.display().to_string()),
                Err(error) => {
                    let words = Sentence::new(word!("{name} cannot be written: {error}")).with("error", error);
                    failed(words, &path.display().to_string())
                }
            })
        });
    }

    fn read_dropped(&self, file: DroppedFileHandle, purpose: Purpose, inbox: &Inbox) {
        in_thread(inbox, move || Some(read(file.path(), purpose)));
    }

    fn paste(&self, _: &Inbox) {
        self.ctx.send_viewport_cmd(egui::ViewportCommand::RequestPaste);
    }

    fn in_background(&self, job: Job) {
        let Some(jobs) = &self.jobs else { return job() };
        if let Err(mpsc::SendError(job)) = jobs.send(job) {
            job();
        }
    }

    fn settle(&self) {
        let (done, wait) = mpsc::channel();
        self.in_background(Box::new(move || done.send(()).unwrap_or_default()));
        wait.recv().ok();
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        if let Some((file, path)) = self.running.take() {
            drop(file);
            fs::remove_file(path).ok();
        }
    }
}
