//! What leads in and out of the window, and that nothing is lost on the way: driven by accessible names,
//! on a platform that keeps everything in memory.

#[path = "ui/support.rs"]
mod support;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use egui::{DroppedFileHandle, Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use mmuscope::app::platform::{Arrival, Inbox, Outgoing, Platform, Purpose};
use mmuscope::app::view::{Overlay, Tab};
use mmuscope::app::{App, Options, Theme, theme};
use mmuscope::arch::address::Num;
use mmuscope::arch::{Gpa, Gva};
use mmuscope::language::Language;
use mmuscope::machine::Command;
use mmuscope::machine::command::Size;
use mmuscope::scenario::autosave::{InMemory, Ring, Storage, StorageError};
use mmuscope::scenario::{Scenario, Session, Shared, Step, StepKind};
use support::{Cpu, SIZES};

const EXAMPLE: &str = include_str!("../assets/scenarios/the-register-remembers.json");

/// A file's name and bytes.
type NamedFile = (String, Vec<u8>);

/// The world around windows: they share a storage and a clock.
#[derive(Clone)]
struct World {
    storage: Arc<Mutex<InMemory>>,
    clock: Rc<RefCell<u64>>,
    /// Files that will be chosen, one after the other.
    to_open: Rc<RefCell<VecDeque<NamedFile>>>,
    saved: Rc<RefCell<Vec<Outgoing>>>,
    clipboard: Rc<RefCell<String>>,
    /// Programs that run, and the last number that was drawn.
    running: Rc<RefCell<Vec<u32>>>,
    drawn: Rc<RefCell<u32>>,
}

#[derive(Clone)]
struct SharedStorage(Arc<Mutex<InMemory>>);

impl Storage for SharedStorage {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.lock().expect("no other thread failed").get(key)
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        self.0.lock().expect("no other thread failed").put(key, value)
    }

    fn delete(&mut self, key: &str) {
        self.0.lock().expect("no other thread failed").delete(key);
    }

    fn list(&self) -> Vec<String> {
        self.0.lock().expect("no other thread failed").list()
    }
}

impl World {
    fn with_room(room: usize) -> Self {
        Self {
            storage: Arc::new(Mutex::new(InMemory::with_room(room))),
            clock: Rc::new(RefCell::new(1_000_000)),
            to_open: Rc::default(),
            saved: Rc::default(),
            clipboard: Rc::default(),
            running: Rc::default(),
            drawn: Rc::default(),
        }
    }

    fn new() -> Self {
        Self::with_room(usize::MAX)
    }

    fn pass(&self, milliseconds: u64) {
        *self.clock.borrow_mut() += milliseconds;
    }

    /// A window on a session.
    fn window(&self, session: Session, options: Options) -> Harness<'static, App> {
        self.window_of(SIZES.laptop, session, options)
    }

    fn window_of(&self, size: [f32; 2], session: Session, options: Options) -> Harness<'static, App> {
        let world = self.clone();
        let mut window =
            Harness::builder().with_size(size).with_max_steps(12).renderer(Cpu::default()).build_eframe(move |cc| {
                let app = App::new(&cc.egui_ctx, session, options.clone());
                app.on_platform(&cc.egui_ctx, Box::new(world), &options)
            });
        window.run();
        window
    }

    /// A window on the example.
    fn example(&self) -> Harness<'static, App> {
        self.window(example(), Options::default())
    }

    /// The states of the ring, the newest first.
    fn states(&self) -> Vec<Shared> {
        let ring = Ring::new(SharedStorage(Arc::clone(&self.storage)), 0);
        ring.entries().iter().map(|entry| ring.load(entry).expect("whole")).collect()
    }

    /// A program was killed: it runs no longer, and said nothing.
    fn kill(&self, window: Harness<'static, App>) {
        drop(window);
        self.running.borrow_mut().clear();
    }
}

impl Platform for World {
    fn now(&self) -> u64 {
        *self.clock.borrow()
    }

    fn draw_number(&self) -> u32 {
        *self.drawn.borrow_mut() += 1;
        *self.drawn.borrow()
    }

    fn storage(&self) -> Option<Box<dyn Storage + Send>> {
        Some(Box::new(SharedStorage(Arc::clone(&self.storage))))
    }

    fn register(&self, number: u32) {
        self.running.borrow_mut().push(number);
    }

    fn find_running(&self, inbox: &Inbox) {
        inbox.put(Arrival::Running(self.running.borrow().clone()));
    }

    fn open_file(&self, purpose: Purpose, inbox: &Inbox) {
        if let Some((name, bytes)) = self.to_open.borrow_mut().pop_front() {
            inbox.put(Arrival::File { name, bytes, purpose });
        }
    }

    fn save_file(&self, file: Outgoing, inbox: &Inbox) {
        inbox.put(Arrival::Saved(file.name.clone()));
        self.saved.borrow_mut().push(file);
    }

    fn read_dropped(&self, file: DroppedFileHandle, purpose: Purpose, inbox: &Inbox) {
        let name = file.path().display().to_string();
        inbox.put(Arrival::File { name, bytes: file.bytes().expect("bytes"), purpose });
    }

    fn paste(&self, inbox: &Inbox) {
        inbox.put(Arrival::Text(self.clipboard.borrow().clone()));
    }

    fn page_address(&self) -> String {
        "https://example.org/".to_owned()
    }
}

#[derive(Debug)]
struct Dropped(PathBuf, Vec<u8>);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Ok(self.1.clone())
    }
}

fn example() -> Session {
    Session::open(Scenario::from_json("example", EXAMPLE).expect("a scenario")).expect("it begins")
}

fn press(window: &mut Harness<'static, App>, name: &str) {
    window.get_by_label(name).click();
    window.run();
}

fn drop_file(window: &mut Harness<'static, App>, name: &str, bytes: &[u8]) {
    window.input_mut().dropped_files.push(Arc::new(Dropped(name.into(), bytes.to_vec())));
    window.run();
}

fn paste(window: &mut Harness<'static, App>, text: &str) {
    window.event(egui::Event::Paste(text.to_owned()));
    window.run();
}

fn key(window: &mut Harness<'static, App>, key: Key) {
    window.key_press(key);
    window.run();
}

fn command_key(window: &mut Harness<'static, App>, key: Key) {
    window.key_press_modifiers(Modifiers::COMMAND, key);
    window.run();
}

fn give(window: &mut Harness<'static, App>, command: Command) {
    window.state_mut().run_steps(&[Step { kind: StepKind::Command(command), want: None, want_value: None }]);
}

/// Everything that a session is, but where it came from.
fn told(session: &Session) -> (u64, Vec<mmuscope::lab::Node>, usize, usize) {
    let lab = &session.lab;
    (lab.state_hash(), lab.log().to_vec(), lab.cursor(), lab.branches().len())
}

#[test]
fn what_was_saved_is_what_is_opened() {
    let world = World::new();
    let mut window = world.example();
    for _ in 0..4 {
        key(&mut window, Key::Space);
    }
    // A branch of its own.
    press(&mut window, "CR0.WP");
    let hash = window.state().session().lab.state_hash();
    command_key(&mut window, Key::S);
    let file = world.saved.borrow_mut().pop().expect("a file was saved");
    assert_eq!((file.name.as_str(), file.mime), ("the-register-remembers.json", "application/json"));
    assert!(window.query_by_label_contains("Saved as the-register-remembers.json").is_some());
    world.to_open.borrow_mut().push_back((file.name, file.bytes));
    let mut other = world.window(Session::empty(), Options::default());
    command_key(&mut other, Key::O);
    key(&mut other, Key::End);
    assert_eq!(other.state().session().lab.state_hash(), hash, "the same state after the same steps");
    assert_eq!(other.state().session().lab.len(), 5);
}

#[test]
fn a_link_opens_the_machine_with_its_branches_and_what_the_window_showed() {
    let world = World::new();
    let mut window = world.example();
    for _ in 0..4 {
        key(&mut window, Key::Space);
    }
    press(&mut window, "CR0.WP");
    key(&mut window, Key::Home);
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    window.run();
    press(&mut window, "Access: W");
    press(&mut window, "Log");
    press(&mut window, "Language: 中文");
    press(&mut window, "分享");
    let link = window.state().files().link().expect("it is shared").clone().expect("it fits");
    assert!(link.starts_with("https://example.org/#m=1."), "{link}");
    let mut other = world.window(Session::empty(), Options::default());
    paste(&mut other, &link);
    let (old, new) = (window.state(), other.state());
    assert_eq!(told(new.session()), told(old.session()));
    assert_eq!(new.session().lab.branches().len(), 2, "a branch beside the one in view");
    assert_eq!(new.focus().shown(), old.focus().shown());
    assert!(new.focus().shown() < new.focus().events().len(), "in the middle of a command");
    assert_eq!(new.view().composer, old.view().composer);
    assert_eq!((new.view().tab, new.view().language), (Tab::Log, Language::Zh));
    assert_eq!(new.view().selection, old.view().selection);
    assert_eq!(new.view().zoom, old.view().zoom);
}

#[test]
fn a_wrong_link_is_refused_with_a_sentence_and_nothing_changes() {
    let world = World::new();
    let mut window = world.example();
    let before = told(window.state().session());
    paste(&mut window, "#m=9.abc");
    assert!(window.query_all_by_label_contains("this link has version `9`").next().is_some());
    paste(&mut window, "#m=1.abc");
    assert!(window.state().view().notice.as_deref().is_some_and(|notice| notice.contains("link")));
    assert_eq!(told(window.state().session()), before);
}

#[test]
fn files_are_dropped_by_what_they_are() {
    let world = World::new();
    let mut window = world.window(Session::empty(), Options::default());
    drop_file(&mut window, "x.json", EXAMPLE.as_bytes());
    assert_eq!(window.state().session().scenario.id, "the-register-remembers");
    // Packed.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let partial = include_str!("../assets/scenarios/demand-fault.json");
    std::io::Write::write_all(&mut packed, partial.as_bytes()).expect("memory");
    drop_file(&mut window, "y.json.gz", &packed.finish().expect("memory"));
    assert_eq!(window.state().session().scenario.id, "demand-fault");
    // A lesson.
    drop_file(&mut window, "z.json", include_bytes!("../lessons/one-table.json"));
    assert_eq!(window.state().lesson().map(|player| player.session.lesson().id.as_str()), Some("one-table"));
    // What is wrong is refused with line and column.
    drop_file(&mut window, "wrong.json", b"{\"format\":\n 3}");
    assert!(window.state().view().notice.as_deref().is_some_and(|notice| notice.starts_with("wrong.json:2")));
    drop_file(&mut window, "nothing.json", b"");
    assert_eq!(window.state().view().notice.as_deref(), Some("nothing.json is empty"));
    drop_file(&mut window, "broken.gz", &[0x1f, 0x8b, 1, 2]);
    assert_eq!(window.state().view().notice.as_deref(), Some("broken.gz is damaged: it cannot be unpacked"));
}

#[test]
fn pasting_into_a_field_stays_there() {
    let world = World::new();
    let mut window = world.example();
    window.get_by_label("Linear address").focus();
    window.run();
    paste(&mut window, EXAMPLE);
    assert_eq!(told(window.state().session()), told(&example()));
    assert!(world.states().is_empty());
}

const REGISTERS: &str = "(qemu) info registers\n\
    CR0=80050033 CR2=0000000000000000 CR3=0000000000003000 CR4=000000a0\n\
    EFER=0000000000000d01\n";
const MEMORY: &str = "(qemu) xp /2gx 0x3000\n\
    0000000000003000: 0x0000000000004067 0x0000000000000000\n";

#[test]
fn a_listing_is_shown_before_it_replaces_anything() {
    let world = World::new();
    let mut window = world.example();
    key(&mut window, Key::Space);
    paste(&mut window, REGISTERS);
    assert_eq!(window.state().view().overlay, Some(Overlay::Import));
    assert_eq!(window.state().session().scenario.id, "the-register-remembers", "still there");
    assert!(window.query_by_label_contains("No page is reached from this CR3").is_some());
    // Another part.
    *world.clipboard.borrow_mut() = MEMORY.to_owned();
    press(&mut window, "Add the clipboard");
    assert!(window.query_by_label_contains("words that are not zero: 1").is_some());
    let part = MEMORY.replace("3000", "4000").replace("4067", "0083");
    drop_file(&mut window, "more.txt", part.as_bytes());
    assert!(window.query_by_label_contains("1 PML4, 1 PDPT").is_some());
    assert_eq!(window.query_all_by_label("Paging: 4-level").count(), 2, "in the strip and in the dialog");
    press(&mut window, "Open this machine");
    let machine = window.state().session().lab.machine();
    assert_eq!(machine.memory.read(Gpa(0x4000), 8), 0x83);
    assert_eq!(machine.cpu.regs.cr3, 0x3000);
    assert_eq!(window.state().view().overlay, None);
    assert_eq!(world.states()[0].scenario.id, "the-register-remembers", "what was open was kept");
}

#[test]
fn an_image_is_read_at_its_place() {
    let world = World::new();
    let mut window = world.example();
    // A PML4 at 0x10_0000 whose first entry leads to a PDPT with a page of 1 GiB.
    let mut image = vec![0u8; 4 << 20];
    image[..8].copy_from_slice(&0x10_1067_u64.to_le_bytes());
    image[0x1000..0x1008].copy_from_slice(&0xe7_u64.to_le_bytes());
    drop_file(&mut window, "ram.bin", &image);
    assert!(window.query_by_label_contains("No page is reached").is_some(), "its tables lead elsewhere");
    window.get_by_label("First byte of the image").focus();
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.get_by_label("First byte of the image").type_text("0x100000");
    window.run();
    key(&mut window, Key::Enter);
    assert!(window.query_by_label_contains("1 PML4, 1 PDPT; pages mapped: 1").is_some());
    press(&mut window, "Open this machine");
    let session = window.state().session();
    assert_eq!((session.scenario.id.as_str(), session.lab.machine().cpu.regs.cr3), ("ram.bin", 0x10_0000));
}

#[test]
fn an_import_can_be_given_up_and_what_is_no_listing_is_refused() {
    let world = World::new();
    let mut window = world.example();
    drop_file(&mut window, "notes.txt", b"nothing of interest\n");
    assert_eq!(window.state().view().overlay, None);
    assert!(window.state().view().notice.as_deref().is_some_and(|n| n.starts_with("notes.txt: neither memory")));
    paste(&mut window, REGISTERS);
    press(&mut window, "Cancel");
    assert!(window.state().files().import().is_none());
    assert_eq!(told(window.state().session()), told(&example()));
}

#[test]
fn what_is_done_is_kept_within_two_seconds_and_never_an_older_state() {
    let world = World::new();
    let mut window = world.example();
    assert!(world.states().is_empty(), "nothing was done yet");
    key(&mut window, Key::Space);
    assert_eq!(world.states()[0].cursor, 1, "the first change is written at once");
    for _ in 0..3 {
        world.pass(100);
        key(&mut window, Key::Space);
    }
    assert_eq!(world.states()[0].cursor, 1, "the next ones wait");
    let delay = window.output().viewport_output.values().map(|viewport| viewport.repaint_delay).min();
    assert!(delay.is_some_and(|delay| delay.as_millis() <= 2000), "{delay:?}: it will be called again");
    world.pass(1700);
    window.step();
    assert_eq!(world.states()[0].cursor, 4);
    assert_eq!(world.states().len(), 1, "the states of a minute take one place");
    // A clock that goes back makes nothing older.
    *world.clock.borrow_mut() = 5_000;
    window.state_mut().keep_all();
    key(&mut window, Key::Space);
    window.state_mut().keep_all();
    assert_eq!(world.states()[0].cursor, 5);
}

#[test]
fn opening_loses_nothing_and_every_state_can_be_opened_again() {
    let world = World::new();
    let mut window = world.example();
    for at in 0..23_u64 {
        world.pass(61_000);
        window.state_mut().open(Session::empty());
        for number in 0..=at {
            give(&mut window, Command::Invlpg { va: Gva(number << 12) });
        }
        window.run();
    }
    let lens: Vec<usize> = world.states().iter().map(|state| state.log.len()).collect();
    assert_eq!(lens, (4..=23).rev().collect::<Vec<_>>(), "the last twenty");
    press(&mut window, "File ▾");
    press(&mut window, "Earlier states");
    assert_eq!(window.state().files().states().map(<[_]>::len), Some(20));
    let row = window.query_all_by_label_contains("Empty machine 7 commands").next().expect("a row");
    row.click();
    window.run();
    assert_eq!(window.state().session().lab.len(), 7);
    assert_eq!(window.state().view().overlay, None);
}

#[test]
fn a_crash_is_offered_once() {
    let world = World::new();
    let mut window = world.example();
    for _ in 0..3 {
        world.pass(3000);
        key(&mut window, Key::Space);
    }
    let before = told(window.state().session());
    world.kill(window);
    let mut window = world.window(Session::empty(), Options::default());
    assert!(window.query_by_label_contains("The last run did not end in order. Kept: The register").is_some());
    press(&mut window, "Restore it");
    assert_eq!(told(window.state().session()), before);
    assert!(window.query_by_label("Restore it").is_none());
    window.state_mut().end_in_order();
    drop(window);
    let window = world.window(Session::empty(), Options::default());
    assert!(window.query_by_label("Restore it").is_none(), "an end in order offers nothing");
}

#[test]
fn an_offer_can_be_refused_and_the_state_stays_in_the_list() {
    let world = World::new();
    let mut window = world.example();
    key(&mut window, Key::Space);
    world.kill(window);
    let mut window = world.window(Session::empty(), Options::default());
    press(&mut window, "Not now");
    world.kill(window);
    let window = world.window(Session::empty(), Options::default());
    assert!(window.query_by_label("Restore it").is_none());
    assert_eq!(world.states().len(), 1);
}

#[test]
fn two_windows_at_once_do_not_destroy_each_others_work() {
    let world = World::new();
    let mut quiet = world.example();
    key(&mut quiet, Key::Space);
    let kept = told(quiet.state().session());
    let mut busy = world.window(Session::empty(), Options::default());
    assert!(busy.query_by_label("Restore it").is_none(), "the other window runs: nothing is offered");
    for number in 0..40 {
        world.pass(61_000);
        busy.state_mut().open(Session::empty());
        give(&mut busy, Command::Invlpg { va: Gva(number << 12) });
        busy.run();
    }
    assert!(world.states().iter().any(|state| state.scenario.id == "the-register-remembers"));
    world.kill(quiet);
    let mut third = world.window(Session::empty(), Options::default());
    // Both were killed; the newest is offered, the other stands in the list.
    press(&mut third, "Show all states");
    let row = third.query_all_by_label_contains("The register remembers").next().expect("a row");
    row.click();
    third.run();
    assert_eq!(told(third.state().session()), kept);
}

#[test]
fn full_storage_says_so_and_loses_nothing() {
    let world = World::with_room(2_000);
    let mut window = world.example();
    key(&mut window, Key::Space);
    window.state_mut().open(Session::empty());
    // Addresses that cannot be told in few bytes.
    let mut state = 1_u64;
    for _ in 0..400 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        give(&mut window, Command::Invlpg { va: Gva(state & 0x7fff_ffff_f000) });
    }
    world.pass(5000);
    window.run();
    let before = told(window.state().session());
    assert_eq!(window.state().files().trouble(), Some("there is no room left for an autosave"));
    assert!(window.query_by_label_contains("What you do is not kept: there is no room left").is_some());
    window.state_mut().open(Session::empty());
    window.run();
    assert_eq!(window.state().files().held(), 1);
    press(&mut window, "File ▾");
    press(&mut window, "Earlier states");
    let row = window.query_all_by_label_contains("only in this window").next().expect("a row");
    row.click();
    window.run();
    assert_eq!(told(window.state().session()), before);
}

#[test]
fn the_card_of_the_first_run_comes_once() {
    let world = World::new();
    let welcome = || Options { welcome: true, ..Options::default() };
    let mut window = world.window(example(), welcome());
    assert_eq!(window.state().view().overlay, Some(Overlay::Welcome));
    press(&mut window, "Tour of 2 minutes");
    assert_eq!(window.state().lesson().map(|player| player.session.lesson().id.as_str()), Some("one-table"));
    world.kill(window);
    let mut window = world.window(example(), welcome());
    assert_eq!(window.state().view().overlay, None);
    press(&mut window, "File ▾");
    press(&mut window, "Show the ways to begin");
    press(&mut window, "Empty machine");
    assert_eq!(window.state().session().scenario.id, "empty");
    for name in ["Lessons", "Look around by myself"] {
        let world = World::new();
        let mut window = world.window(example(), welcome());
        window.query_all_by_label(name).last().expect("a choice").click();
        window.run();
        let lessons = (name == "Lessons").then_some(Overlay::Lessons);
        assert_eq!(window.state().view().overlay, lessons);
        // Escape, too, has seen it.
        let mut other = World::new().window(example(), welcome());
        key(&mut other, Key::Escape);
        assert!(other.state().files().welcomed());
    }
    assert_eq!(World::new().example().state().view().overlay, None, "a file on the command line: no card");
}

#[test]
fn the_layout_is_reset_and_the_work_stays() {
    let world = World::new();
    let mut window = world.example();
    for _ in 0..2 {
        key(&mut window, Key::Space);
    }
    for _ in 0..5 {
        press(&mut window, "Larger text");
    }
    key(&mut window, Key::Plus);
    key(&mut window, Key::L);
    assert_eq!(window.state().view().text_scale, 1.5);
    let before = told(window.state().session());
    command_key(&mut window, Key::K);
    window.get_by_label("Search or run a command").type_text("reset the layout");
    window.run();
    key(&mut window, Key::Enter);
    let view = window.state().view();
    assert_eq!((view.text_scale, view.zoom, view.tab, view.overlay), (1.0, 1.0, Tab::Inspect, None));
    assert_eq!(window.ctx.zoom_factor(), 1.0);
    assert_eq!(told(window.state().session()), before);
    // On the command line the flag does so before anything is drawn.
    press(&mut window, "Larger text");
    world.pass(3000);
    window.run();
    let window = world.window(example(), Options { reset_layout: true, ..Options::default() });
    assert_eq!((window.state().view().text_scale, window.ctx.zoom_factor()), (1.0, 1.0));
}

#[test]
fn settings_are_known_to_the_next_run() {
    let world = World::new();
    let mut window = world.example();
    press(&mut window, "Larger text");
    press(&mut window, "Dark theme; next: Light");
    press(&mut window, "Language: 中文");
    world.pass(3000);
    window.run();
    world.kill(window);
    let window = world.window(example(), Options::default());
    let view = window.state().view();
    assert_eq!((view.text_scale, view.theme, view.language), (1.1, Some(Theme::Light), Language::Zh));
    assert_eq!(window.ctx.zoom_factor(), 1.1);
    // The harness chooses a theme of its own after the app was made: here there is none.
    let (ctx, options) = (egui::Context::default(), Options::default());
    let _app = App::new(&ctx, example(), options.clone()).on_platform(&ctx, Box::new(world), &options);
    ctx.begin_pass(egui::RawInput::default());
    assert_eq!(theme::tokens(&ctx).stage, theme::Tokens::of(Theme::Light).stage);
}

/// Chooses an item of the menu and returns the file that came of it.
fn exported(world: &World, window: &mut Harness<'static, App>, item: &str) -> Outgoing {
    press(window, "File ▾");
    press(window, item);
    world.saved.borrow_mut().pop().expect("a file")
}

/// What lights up under the pointer is no part of the picture.
#[test]
fn a_picture_has_no_pointer() {
    use mmuscope::app::files::ExportKind;
    use mmuscope::app::view::AppCommand;
    let world = World::new();
    let mut window = world.example();
    let picture = |window: &mut Harness<'static, App>| {
        window.state().ask(AppCommand::Export(ExportKind::Png(1)));
        window.run();
        world.saved.borrow_mut().pop().expect("a file").bytes
    };
    let without = picture(&mut window);
    let shown = window.render().expect("a picture");
    window.get_by_label_contains("PTE 1: ").hover();
    window.run();
    assert_ne!(window.render().expect("a picture"), shown, "it lights up in the window");
    assert!(picture(&mut window) == without);
}

#[test]
fn the_view_is_exported_as_a_picture() {
    let world = World::new();
    let mut window = world.example();
    for _ in 0..4 {
        key(&mut window, Key::Space);
    }
    let one = exported(&world, &mut window, "Export the view as PNG");
    assert_eq!((one.name.as_str(), one.mime), ("the-register-remembers.png", "image/png"));
    let picture = image::load_from_memory(&one.bytes).expect("a picture").to_rgba8();
    assert_eq!(picture.dimensions(), (1280, 720));
    window.remove_cursor();
    window.run();
    let shown = window.render().expect("a picture");
    let differing = picture.pixels().zip(shown.pixels()).filter(|(a, b)| a != b).count();
    // The window says where the file went; the picture does not.
    assert!(differing < 12_000, "{differing} pixels differ from the window");
    let two = exported(&world, &mut window, "Export the view as PNG, 2 times as fine");
    let picture = image::load_from_memory(&two.bytes).expect("a picture").to_rgba8();
    assert_eq!(picture.dimensions(), (2560, 1440));
    let svg = exported(&world, &mut window, "Export the view as SVG");
    assert_eq!((svg.name.as_str(), svg.mime), ("the-register-remembers.svg", "image/svg+xml"));
    let text = String::from_utf8(svg.bytes).expect("text");
    for part in ["width=\"1280\" height=\"720\"", ">PDPTE registers<", "STALE", "font-family:Inter", "@font-face"] {
        assert!(text.contains(part), "{part}");
    }
    assert_eq!(text.matches("<g").count(), text.matches("</g>").count());
    assert!(!text.contains("Noto Sans SC\";font-weight"), "no Chinese face for English");
}

#[test]
fn the_log_is_exported() {
    let world = World::new();
    let mut window = world.example();
    let text = exported(&world, &mut window, "Export the log as text");
    assert_eq!((text.name.as_str(), text.mime), ("the-register-remembers.txt", "text/plain"));
    let text = String::from_utf8(text.bytes).expect("text");
    assert!(text.starts_with("The register remembers\n   1  "), "{text}");
    let lines = exported(&world, &mut window, "Export the log as JSON Lines");
    assert_eq!(lines.name, "the-register-remembers.jsonl");
    let lines = String::from_utf8(lines.bytes).expect("text");
    let events: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let session = example();
    let wanted: usize = (1..=session.lab.len()).map(|step| session.lab.events_of(step).len()).sum();
    assert_eq!(events.len(), wanted);
    assert_eq!(events.last().and_then(|event| event["event"].as_str()), Some("fault"));
    assert_eq!(events.last().and_then(|event| event["step"].as_u64()), Some(6));
}

#[test]
fn presets_are_reached_in_two_clicks() {
    let world = World::new();
    let all = mmuscope::scenario::presets().iter().flat_map(|group| &group.presets);
    assert!(all.clone().count() >= 40);
    let mut window = world.example();
    for preset in all.step_by(7) {
        press(&mut window, "Presets ▾");
        window.query_all_by_label_contains(preset.title.get("en")).last().expect("a row").click();
        window.run();
        assert_eq!(window.state().session().scenario.id, preset.scenario().expect("a scenario").id);
    }
}

#[test]
fn work_in_a_lesson_is_found_again_in_its_step() {
    let world = World::new();
    let mut window = world.example();
    let lesson = mmuscope::lesson::by_id("one-table").expect("it is there");
    window.state_mut().open_lesson(lesson, Some(3)).expect("it begins");
    give(&mut window, Command::Poke { pa: Gpa(0x3000), val: Num(0x83), size: Size::WORD });
    world.pass(3000);
    window.run();
    let before = told(window.state().session());
    world.kill(window);
    let mut window = world.example();
    press(&mut window, "Restore it");
    let app = window.state();
    let player = app.lesson().expect("the lesson is in front");
    assert_eq!((player.session.lesson().id.as_str(), player.session.at()), ("one-table", 3));
    assert_eq!(told(app.session()), before);
    // Redone, the step begins as it does.
    assert!(player.session.first_own_command() < before.1.len());
}

#[test]
fn windows_add_to_each_others_progress() {
    let world = World::new();
    let (mut one, mut other) = (world.example(), world.example());
    for (window, id) in [(&mut one, "one-table"), (&mut other, "two-levels")] {
        let lesson = mmuscope::lesson::by_id(id).expect("it is there");
        window.state_mut().open_lesson(lesson, Some(1)).expect("it begins");
        window.run();
        world.pass(3000);
        window.state_mut().keep_all();
    }
    let third = world.example();
    for id in ["one-table", "two-levels"] {
        assert!(third.state().progress().get(id).is_some(), "{id}");
    }
}
