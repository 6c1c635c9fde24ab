//! What a view sees and what it may ask for: the contract of everything on the screen.
//!
//! A view is a function of a read-only [`ViewCx`]. What it wants done it sends as an [`AppCommand`];
//! the app applies them all in one place before the next pass. No view mutates the lab and no
//! view knows another view.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Theme;
use super::compare::{CompareView, CompareWish, Runs};
use super::comparison::Comparison;
use super::files::{ExportKind, FileWish, Files};
use super::focus::Zone;
use super::history::History;
use super::lesson::{Desk, LessonWish, Player};
use super::sides::Sides;
use super::stage::lower::TableId;
use super::tables::Structures;
use super::theme::Tokens;
use super::time::{Motion, Named, TimeWish};
use crate::arch::{AccessKind, Gfn, Gpa, Gva, Mode};
use crate::engine::shadow::{PageId, ShadowPage, SpteRef};
use crate::engine::{AnyVm, EngineName};
use crate::explain::Depth;
use crate::lab::{Lab, MicroStep, NodeId};
use crate::language::Language;
use crate::lesson::{self, Lesson, Progress};
use crate::machine::{Caches, Command, Event, Machine};
use crate::scenario::Session;

/// Everything that a view may read.
#[derive(Clone, Copy)]
pub struct ViewCx<'a> {
    /// The scenario, the lab and its time.
    pub session: &'a Session,
    /// The lesson in front, if one is.
    pub lesson: Option<&'a Player>,
    /// Everything that is open.
    pub desk: &'a Desk,
    /// What the learner has done.
    pub progress: &'a Progress,
    /// Files, autosaves and what is around the app.
    pub files: &'a Files,
    /// What is selected, opened and zoomed.
    pub view: &'a ViewState,
    /// The machine to show, under its engine.
    pub vm: &'a AnyVm,
    /// The machine to show: at the cursor, or after the micro-step in focus.
    pub machine: &'a Machine,
    /// The machine before the command in focus, for "just changed" marks.
    pub before: &'a Machine,
    /// The same, under its engine.
    pub before_vm: &'a AnyVm,
    /// Which state is shown.
    pub state: StateId,
    /// What the command before the cursor did, all of it.
    pub events: &'a [Event],
    /// How many of `events` have happened in the state shown.
    pub shown: usize,
    /// The paging structures of the machine to show.
    pub structures: &'a Structures,
    /// How every command of the path ended.
    pub history: &'a History,
    /// The same commands on every engine.
    pub comparison: &'a Comparison,
    /// What moves.
    pub motion: &'a Motion,
    /// Whether time goes on by itself.
    pub playing: bool,
    /// Whether an edit can be undone.
    pub can_undo: bool,
    /// Whether one can be done again.
    pub can_redo: bool,
    /// The engines that are compared side by side.
    pub runs: &'a Runs,
    /// What was explained of the state shown.
    pub explanations: &'a super::why::Memo,
    /// The colours of the theme.
    pub tokens: &'static Tokens,
    /// Whether the app lies in a frame of another page.
    pub embedded: bool,
    /// Where to send what should be done.
    pub tx: &'a CommandSender,
}

impl<'a> ViewCx<'a> {
    /// The command in focus: the last one before the cursor.
    #[must_use]
    pub fn command(&self) -> Option<&'a Command> {
        self.session.lab.command(self.session.lab.cursor())
    }

    /// The events that have happened in the state shown.
    #[must_use]
    pub fn happened(&self) -> &'a [Event] {
        &self.events[..self.shown]
    }

    /// Whether the step of a lesson says which engine there is.
    #[must_use]
    pub fn session_is_set(&self) -> bool {
        self.desk.machine_is_set()
    }

    /// The event that led to the state shown.
    #[must_use]
    pub fn event(&self) -> Option<&'a Event> {
        self.happened().last()
    }

    /// Whether the command in focus is shown in the middle.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.shown < self.events.len()
    }

    /// A shadow page of the state shown, if there is one of that number.
    #[must_use]
    pub fn shadow_page(&self, id: PageId) -> Option<&'a ShadowPage> {
        match self.vm {
            AnyVm::Shadow(vm) => vm.engine.pool.get(id),
            AnyVm::Native(_) | AnyVm::TwoDim(_) => None,
        }
    }

    /// The lessons that are open and not among those that the program carries.
    pub fn other_lessons(&self) -> impl Iterator<Item = &'a Lesson> + use<'a> {
        let open = self.desk.players().map(|player| player.session.lesson());
        open.filter(|open| lesson::by_id(&open.id).is_none())
    }

    /// The language of everything on the screen.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.view.language
    }

    /// A sentence in the language of the screen; see [`tr!`](crate::tr).
    #[must_use]
    pub fn tr(&self, english: &'static str) -> &'static str {
        self.language().tr(english)
    }

    /// A sentence with values in the language of the screen; see [`tr!`](crate::tr).
    #[must_use]
    pub fn fill(&self, english: &'static str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
        self.language().fill(english, values)
    }

    /// Asks for something to be done before the next pass.
    pub fn send(&self, command: AppCommand) {
        self.tx.send(command);
    }
}

/// Collects what the views of a pass want done.
#[derive(Debug, Default)]
pub struct CommandSender(RefCell<Vec<AppCommand>>);

impl CommandSender {
    /// Adds a wish.
    pub fn send(&self, command: AppCommand) {
        self.0.borrow_mut().push(command);
    }

    /// Whether there are no wishes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All wishes, in the order in which they were sent.
    #[must_use]
    pub fn pending(&self) -> Vec<AppCommand> {
        self.0.borrow().clone()
    }

    /// Takes all wishes, in the order in which they were sent.
    #[must_use]
    pub fn take(&self) -> Vec<AppCommand> {
        self.0.take()
    }
}

/// What a view wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum AppCommand {
    /// Give a command to the machine at the cursor.
    Run(Command),
    /// Give several, as one wish (a mode switch).
    RunAll(Vec<Command>),
    /// Perform the instructions that lead to a paging mode.
    SwitchMode(Mode),
    /// Give the access of the composer.
    Access,
    /// Give the access of the composer and show only its first micro-step.
    AccessStep,
    /// Change the composer.
    Compose(Composer),
    /// Move the cursor: so many commands of the path lie before it, all shown in full.
    Seek(usize),
    /// Show only the first so many events of the command before the cursor.
    ShowEvents(usize),
    /// To the end of the command in focus, or to the next one.
    Step,
    /// To the end of the command before.
    StepBack,
    /// One event on.
    MicroStep,
    /// One event back.
    MicroBack,
    /// To the next command that faults or is refused, if there is one.
    NextFault,
    /// To the start of time.
    ToStart,
    /// To the end of the path.
    ToEnd,
    /// Take another branch into view.
    SwitchBranch(NodeId),
    /// Select something; the drawer shows it.
    Select(Selection),
    /// Open a tab of the drawer.
    OpenTab(Tab),
    /// Opens the editor of the selected entry, and the keyboard goes to its bits.
    EditEntry,
    /// The keyboard goes to another zone of the window.
    GoToZone(Zone),
    /// Open a page of the narrow layout.
    OpenPage(Page),
    /// Show a table of the stage as a full list, or folded into runs again.
    ToggleFull(Gpa),
    /// Show a table of the hypervisor as a full list, or folded into runs again.
    ToggleFullLower(TableId),
    /// Zoom of the stage; 1 shows cards at their natural size.
    Zoom(f32),
    /// Moves the stage: steps to the right and down.
    Pan(i8, i8),
    /// Switch the theme.
    SetTheme(Theme),
    /// Switch the language of everything on the screen.
    SetLanguage(Language),
    /// Size of all text and controls; 1 is the standard.
    SetTextScale(f32),
    /// How wide the zones beside the stage are.
    SetSides(Sides),
    /// How deep explanations go.
    SetDepth(Depth),
    /// The same commands on another engine.
    SetEngine(EngineName),
    /// The same commands with other caches.
    SetCaches(Caches),
    /// Say why something cannot be done.
    Notice(String),
    /// Say what was done, where nothing else shows it.
    Said(String),
    /// To the next command that led to the hypervisor, if there is one.
    NextExit,
    /// Sets a bookmark at the cursor, or takes it away.
    ToggleBookmark,
    /// To the next bookmark of the path, around its end.
    NextBookmark,
    /// Opens a preset in place of what is open.
    OpenPreset(String),
    /// Puts a link to what is shown on the clipboard.
    CopyLink,
    /// Something of time.
    Time(TimeWish),
    /// Shows another part of the program; what is selected and the place in time stay.
    Show(Screen),
    /// Something of the Compare view.
    Compare(CompareWish),
    /// Opens what is shown in a page of its own.
    OpenFull,
    /// Something of the lessons.
    Lesson(LessonWish),
    /// Something of files and autosaves.
    Files(FileWish),
    /// Makes a file of what is shown.
    Export(ExportKind),
    /// Opens something over the window, or closes it.
    Overlay(Option<Overlay>),
}

/// A move of the stage by keys, in steps, and how many there were before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pan {
    /// How many moves there were.
    pub count: u32,
    /// To the right.
    pub across: i8,
    /// Down.
    pub down: i8,
}

/// What fills the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Screen {
    /// One machine under one engine, with everything that can be done to it.
    #[default]
    Explore,
    /// The same commands on several engines.
    Compare,
}

/// What may lie over the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The command palette.
    Palette,
    /// The sheet of shortcuts.
    Shortcuts,
    /// The list of presets.
    Presets,
    /// The list of lessons.
    Lessons,
    /// The states that can be opened again.
    States,
    /// The link of what is shown.
    Share,
    /// The import that is being prepared.
    Import,
    /// The card of the first run.
    Welcome,
}

/// What is selected. It is kept while time moves, and shown as absent where it does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Selection {
    /// Nothing: the drawer follows the walk.
    #[default]
    None,
    /// A table, by its level (1 to 5) and first byte.
    Table {
        /// 1 to 5.
        level: u8,
        /// Its first byte.
        base: Gpa,
    },
    /// An entry in memory, by the level of its table (1 to 5) and its first byte.
    Entry {
        /// 1 to 5.
        level: u8,
        /// Its first byte.
        gpa: Gpa,
    },
    /// One of the four PDPTE registers.
    PdpteRegister(usize),
    /// A page of guest memory.
    Page(Gfn),
    /// A shadow page.
    Shadow(PageId),
    /// A shadow entry.
    Spte(SpteRef),
}

/// How a command ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was carried out.
    Done,
    /// An access raised an exception.
    Faulted,
    /// It was refused and changed nothing.
    Refused,
}

impl Ending {
    /// The ending that a command's events tell.
    #[must_use]
    pub fn of(events: &[Event]) -> Self {
        let ending = events.iter().find_map(|event| match event {
            Event::Fault { .. } => Some(Self::Faulted),
            Event::Refused { .. } => Some(Self::Refused),
            _ => None,
        });
        ending.unwrap_or(Self::Done)
    }
}

/// A tab of the drawer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tab {
    /// The entry editor, with Why below it.
    #[default]
    Inspect,
    /// The step of the lesson in front.
    Lesson,
    /// Why the last command ended as it did.
    Why,
    /// Every step with its events.
    Log,
}

/// A page of the narrow layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Page {
    /// Processor strip.
    Processor,
    /// Guest memory.
    Memory,
    /// The stage.
    #[default]
    Stage,
    /// The drawer.
    Drawer,
}

/// The access composer of the processor strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composer {
    /// Linear address.
    pub va: Gva,
    /// Read, write or fetch.
    pub kind: AccessKind,
    /// CPL 3.
    pub user: bool,
    /// RFLAGS.AC.
    pub ac: bool,
}

impl Composer {
    /// The access as a command.
    #[must_use]
    pub const fn command(&self) -> Command {
        let Self { va, kind, user, ac } = *self;
        Command::Access { va, kind, user, ac, stack: false }
    }

    /// The composer as a scenario's first access would set it.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        let accesses = session.lab.commands().filter_map(Command::access);
        let first = accesses.into_iter().next();
        first.map_or(Self { va: Gva(0x1000), kind: AccessKind::Read, user: true, ac: false }, |(va, access)| Self {
            va,
            kind: access.kind,
            user: access.user,
            ac: access.ac,
        })
    }
}

/// The state of the view, apart from the state of the lab: moving in time leaves it alone.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewState {
    /// What fills the window.
    pub screen: Screen,
    /// How engines are compared.
    pub compare: CompareView,
    /// What is selected.
    pub selection: Selection,
    /// The open tab of the drawer.
    pub tab: Tab,
    /// The open page of the narrow layout.
    pub page: Page,
    /// The access composer.
    pub composer: Composer,
    /// Zoom of the stage.
    pub zoom: f32,
    /// How keys moved the stage last.
    pub pan: Pan,
    /// Tables shown as full lists, by their first byte.
    pub full: Vec<Gpa>,
    /// The same of the hypervisor's tables.
    pub full_lower: Vec<TableId>,
    /// Size of all text and controls.
    pub text_scale: f32,
    /// How wide the zones beside the stage are.
    pub sides: Sides,
    /// The theme that was chosen; `None` follows the system.
    pub theme: Option<Theme>,
    /// The language of the screen.
    pub language: Language,
    /// How deep explanations go.
    pub depth: Depth,
    /// Why the last wish could not be granted, in words; gone with the next one.
    pub notice: Option<String>,
    /// What was done, where nothing else shows it; gone with the next wish.
    pub said: Option<String>,
    /// What lies over the window.
    pub overlay: Option<Overlay>,
    /// What is being called by a name.
    pub renaming: Option<Named>,
}

impl ViewState {
    /// The view of a session that was just opened.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        Self {
            screen: Screen::default(),
            compare: CompareView::default(),
            selection: Selection::None,
            tab: Tab::default(),
            page: Page::default(),
            composer: Composer::of(session),
            zoom: 1.0,
            pan: Pan::default(),
            full: Vec::new(),
            full_lower: Vec::new(),
            text_scale: 1.0,
            sides: Sides::default(),
            theme: None,
            language: Language::default(),
            depth: Depth::default(),
            notice: None,
            said: None,
            overlay: None,
            renaming: None,
        }
    }

    /// The same view with the settings of another one: what belongs to the person, not to what is open.
    #[must_use]
    pub fn with_settings_of(self, other: &Self) -> Self {
        let Self { text_scale, sides, theme, language, depth, .. } = *other;
        Self { text_scale, sides, theme, language, depth, ..self }
    }
}

/// Tells one state shown from another: what was made of a state holds until this is another. It is of this run
/// of the program, and of no use outside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateId {
    focus: u64,
    shown: usize,
}

/// The command before the cursor, event by event; computed when the lab moves, not on every pass.
#[derive(Clone, Debug)]
pub struct Focus {
    /// No other focus has it.
    id: u64,
    before: AnyVm,
    micro: Vec<MicroStep>,
    events: Vec<Event>,
    shown: usize,
}

impl Focus {
    /// The focus at a lab's cursor, with every event shown.
    #[must_use]
    pub fn at_cursor(lab: &Lab) -> Self {
        let cursor = lab.cursor();
        let before = lab.state_at(cursor.saturating_sub(1));
        let micro = lab.micro_steps_from(before.clone(), cursor);
        let events: Vec<Event> = micro.iter().map(|step| step.event.clone()).collect();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), before, shown: events.len(), micro, events }
    }

    /// Which state is shown.
    #[must_use]
    pub const fn state(&self) -> StateId {
        StateId { focus: self.id, shown: self.shown }
    }

    /// The machine before the command, under its engine.
    #[must_use]
    pub const fn before(&self) -> &AnyVm {
        &self.before
    }

    /// Everything that the command did.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many events are shown.
    #[must_use]
    pub const fn shown(&self) -> usize {
        self.shown
    }

    /// Shows the first `count` events.
    pub fn show(&mut self, count: usize) {
        self.shown = count.min(self.events.len());
    }

    /// The machine to show, `at_cursor` being the one after the whole command.
    #[must_use]
    pub fn vm<'a>(&'a self, at_cursor: &'a AnyVm) -> &'a AnyVm {
        if self.shown == self.events.len() {
            return at_cursor;
        }
        match self.shown.checked_sub(1) {
            None => &self.before,
            Some(last) => &self.micro[last].vm,
        }
    }
}
