//! The real program, killed while somebody works in it: what was done more than two seconds before is
//! there after the next start, and no older state in its place. Runs under Xvfb, keys by xdotool.
#![cfg(all(feature = "gui", target_os = "linux"))]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmuscope::scenario::autosave::{Folder, Ring};
use mmuscope::scenario::{Scenario, Session, Shared};

/// A slow machine needs so long to show a window.
const PATIENCE: Duration = Duration::from_secs(60);
/// At most so much work is lost; a little more for a machine with other things to do.
const LOST: Duration = Duration::from_millis(2_500);

/// A display without a screen.
struct Display {
    server: Child,
    name: String,
    _turn: MutexGuard<'static, ()>,
}

/// One at a time: each takes a processor for itself.
static TURN: Mutex<()> = Mutex::new(());

impl Display {
    fn open() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts: Debian has it in the package xvfb, and `cargo xtask test` installs it");
        let mut number = String::new();
        let pipe = server.stdout.take().expect("a pipe");
        BufReader::new(pipe).read_line(&mut number).expect("the number of the display");
        Self { server, name: format!(":{}", number.trim()), _turn: turn }
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let output = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.name)
            .output()
            .expect("xdotool runs: Debian has it in a package of its name, and `cargo xtask test` installs it");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// The program in a window of its own.
struct Window<'a> {
    display: &'a Display,
    program: Child,
    home: PathBuf,
    id: String,
}

impl<'a> Window<'a> {
    fn open(display: &'a Display, home: &Path, arguments: &[&str]) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mmuscope"))
            .args(arguments)
            .env("DISPLAY", &display.name)
            .env("XDG_DATA_HOME", home)
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env_remove("WAYLAND_DISPLAY")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let begin = Instant::now();
        let pid = program.id().to_string();
        let id = loop {
            let found = display.xdotool(&["search", "--all", "--onlyvisible", "--pid", &pid, "--name", "mmuscope"]);
            if let Some(id) = found.lines().next() {
                break id.to_owned();
            }
            if program.try_wait().expect("a child").is_some() || begin.elapsed() > PATIENCE {
                program.kill().ok();
                let mut said = String::new();
                program.stderr.take().expect("a pipe").read_to_string(&mut said).ok();
                panic!("no window: {said}");
            }
            sleep(Duration::from_millis(100));
        };
        Self { display, program, home: home.to_owned(), id }
    }

    fn key(&self, key: &str) {
        self.display.xdotool(&["windowfocus", "--sync", &self.id, "key", key]);
    }

    /// Presses a key until the newest state tells of it: a window that has just come may not hear the
    /// first.
    fn key_until(&self, key: &str, wanted: impl Fn(&Shared) -> bool) {
        let begin = Instant::now();
        while !self.states().first().is_some_and(&wanted) {
            let newest = self.states().first().map(|state| (state.cursor, state.log.len()));
            assert!(begin.elapsed() < PATIENCE, "{key} does nothing: the newest state is {newest:?}");
            self.key(key);
            let pressed = Instant::now();
            while !self.states().first().is_some_and(&wanted) && pressed.elapsed() < Duration::from_secs(4) {
                sleep(Duration::from_millis(50));
            }
        }
    }

    /// kill -9.
    fn kill(mut self) {
        self.program.kill().expect("it runs");
        self.program.wait().expect("it ends");
    }

    /// Closes the window as its owner does, and waits for the program's end.
    fn close(mut self) {
        self.key("ctrl+q");
        let begin = Instant::now();
        while self.program.try_wait().expect("a child").is_none() {
            if begin.elapsed() > PATIENCE {
                self.program.kill().ok();
                panic!("the program does not end");
            }
            sleep(Duration::from_millis(50));
        }
    }

    fn states(&self) -> Vec<Shared> {
        states(&self.home)
    }

    /// Waits until the newest state is as wanted.
    fn wait_for(&self, what: &str, wanted: impl Fn(&Shared) -> bool) {
        let begin = Instant::now();
        while !self.states().first().is_some_and(&wanted) {
            let newest = self.states().first().map(|state| (state.cursor, state.log.len()));
            assert!(begin.elapsed() < PATIENCE, "{what}: the newest state is {newest:?}");
            sleep(Duration::from_millis(50));
        }
    }
}

fn folder(home: &Path) -> PathBuf {
    home.join("mmuscope/autosave")
}

/// What the next run finds, the newest first.
fn states(home: &Path) -> Vec<Shared> {
    let ring = Ring::new(Folder::new(folder(home)), 0);
    ring.entries().iter().filter_map(|entry| ring.load(entry).ok()).collect()
}

fn home(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{name}"));
    fs::remove_dir_all(&path).ok();
    fs::create_dir_all(&path).expect("a folder");
    path
}

fn open_marks(home: &Path) -> usize {
    let names = fs::read_dir(folder(home)).into_iter().flatten().flatten();
    names.filter(|entry| entry.file_name().to_string_lossy().starts_with("open-")).count()
}

const EXAMPLE: &str = "assets/scenarios/the-register-remembers.json";

/// Killed six times in the middle of work, each time a little later.
#[test]
fn a_kill_loses_at_most_two_seconds_and_never_leaves_an_older_state() {
    let (display, home) = (Display::open(), home("kill"));
    for round in 0..6_u64 {
        let window = Window::open(&display, &home, &[EXAMPLE]);
        // Each press loads CR3 once more: one command longer.
        window.key_until("c", |state| state.log.len() > 6 && state.cursor <= 2);
        let (begin, mut given) = (Instant::now(), Vec::new());
        while begin.elapsed() < Duration::from_millis(2_600 + 170 * round) {
            window.key("c");
            given.push(begin.elapsed());
            sleep(Duration::from_millis(60));
        }
        let end = begin.elapsed();
        window.kill();
        let kept = states(&home);
        let newest = kept.first().expect("a state");
        let (certain, all) = (given.iter().filter(|at| **at + LOST < end).count(), given.len());
        // The example has six commands; the cursor stood before them, so the first key begins a branch.
        let commands = newest.cursor;
        assert!(commands > certain.saturating_sub(1), "round {round}: {commands} of {certain} ({all} given)");
        assert!(commands <= 2 + all, "round {round}: {commands} of {all}");
        assert!(open_marks(&home) >= 1, "a killed program did not end in order");
        for state in &kept {
            state.clone().open().expect("every state can be opened");
        }
    }
}

#[test]
fn what_was_killed_is_offered_and_restored() {
    let (display, home) = (Display::open(), home("offer"));
    let window = Window::open(&display, &home, &[EXAMPLE]);
    for step in 1..=3 {
        window.key_until("Right", |state| state.cursor == step);
    }
    window.kill();
    let window = Window::open(&display, &home, &[]);
    // The note at the foot of the stage has the keyboard's way: the palette restores by name.
    sleep(Duration::from_millis(500));
    window.key("ctrl+k");
    sleep(Duration::from_millis(300));
    window.display.xdotool(&["type", "--delay", "40", "restore what was kept"]);
    sleep(Duration::from_millis(300));
    window.key("Return");
    let begin = Instant::now();
    while open_marks(&home) > 0 && begin.elapsed() < PATIENCE {
        sleep(Duration::from_millis(50));
    }
    assert_eq!(open_marks(&home), 0, "the offer was taken");
    window.key("Right");
    window.wait_for("one step further in what was restored", |state| {
        state.cursor == 4 && state.scenario.id == "the-register-remembers"
    });
    window.close();
    assert_eq!(open_marks(&home), 0, "it ended in order");
    assert_eq!(states(&home)[0].cursor, 4);
}

/// Two programs at once: the one that is killed is offered while the other one goes on.
#[test]
fn two_windows_keep_their_own() {
    let (display, home) = (Display::open(), home("two"));
    let first = Window::open(&display, &home, &[EXAMPLE]);
    first.key_until("Right", |state| state.cursor == 1);
    let second = Window::open(&display, &home, &["assets/scenarios/demand-fault.json"]);
    second.key_until("Right", |state| state.scenario.id == "demand-fault" && state.cursor == 1);
    first.kill();
    for step in 2..=3 {
        second.key_until("Right", |state| state.scenario.id == "demand-fault" && state.cursor == step);
    }
    second.kill();
    let mut ids: Vec<String> = states(&home).into_iter().map(|state| state.scenario.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids, ["demand-fault", "the-register-remembers"]);
    let scenario = Scenario::from_json("example", &fs::read_to_string(EXAMPLE).expect("readable")).expect("a scenario");
    let mut whole = Session::open(scenario).expect("it begins");
    whole.lab.seek(1);
    let kept = states(&home).into_iter().find(|state| state.scenario.id == "the-register-remembers").expect("kept");
    assert_eq!(kept.open().expect("it opens").lab.state_hash(), whole.lab.state_hash());
}
