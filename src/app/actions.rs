//! Everything that can be asked for, once: its words, its key and its sign. The palette, the sheet of
//! shortcuts, the keyboard and the menus are views of this list.

use egui::{Key, KeyboardShortcut, Modifiers};

use super::Theme;
use super::compare::CompareWish;
use super::engines;
use super::files::{ExportKind, FileWish};
use super::focus::Zone;
use super::lesson::LessonWish;
use super::processor_strip::{BIT_COUNT, bit_name, flip_bit};
use super::stage::ZOOMS;
use super::time::TimeAction;
use super::view::{AppCommand, Overlay, Page, Screen, Selection, Tab, ViewCx};
use crate::arch::address::Num;
use crate::arch::{Gva, Mode};
use crate::engine::EngineName;
use crate::explain::{self, Depth};
use crate::language::Language;
use crate::lesson::library;
use crate::machine::{Caches, Command};
use crate::scenario::{self, Preset};
use crate::tr;

/// So many answers of a lesson's question have a key.
const ANSWERS: u8 = 4;

/// Something that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// One step on.
    Step,
    /// One step back.
    StepBack,
    /// One event on.
    MicroStep,
    /// One event back.
    MicroBack,
    /// To the start of time.
    ToStart,
    /// To the end of the path.
    ToEnd,
    /// To the next step that faults or is refused.
    NextFault,
    /// To the next step that leads to the hypervisor.
    NextExit,
    /// To the next step at which the engines that are compared part.
    NextDifference,
    /// To the one before.
    PreviousDifference,
    /// Sets or takes away a bookmark.
    Bookmark,
    /// To the next bookmark.
    NextBookmark,
    /// The composed access.
    Access,
    /// The composed access, event by event.
    AccessStep,
    /// MOV CR3 with the value that it has.
    LoadCr3,
    /// INVLPG of the composed address.
    Invlpg,
    /// INVPCID of all contexts.
    FlushAll,
    /// The instructions that lead to a paging mode.
    Mode(Mode),
    /// Flips a control bit, by its place in the strip.
    Bit(u8),
    /// The same commands on another engine.
    Engine(EngineName),
    /// The same commands with or without a TLB.
    Tlb,
    /// The same commands with or without paging-structure caches.
    Structures,
    /// The same commands on several engines, side by side.
    Compare,
    /// One more engine to compare.
    AddEngine(EngineName),
    /// Back to the machine that is explored.
    Explore,
    /// A tab of the drawer.
    Tab(Tab),
    /// The keyboard goes to the next zone of the window.
    NextZone,
    /// And to the one before.
    PreviousZone,
    /// Nothing selected: the drawer follows the walk.
    Deselect,
    /// Larger cards on the stage.
    ZoomIn,
    /// Smaller ones.
    ZoomOut,
    /// As large as fits.
    ZoomFit,
    /// Moves the stage: to the right, down.
    Pan(i8, i8),
    /// A theme.
    Theme(Theme),
    /// A language.
    Language(Language),
    /// Larger text.
    LargerText,
    /// Smaller text.
    SmallerText,
    /// Text of the usual size.
    NormalText,
    /// How deep explanations go.
    Depth(Depth),
    /// Opens a preset, by its place among all.
    Preset(u16),
    /// The list of presets.
    Presets,
    /// Copies a link to what is shown.
    CopyLink,
    /// The list of lessons.
    Lessons,
    /// Opens a file.
    Open,
    /// Opens what is on the clipboard.
    Paste,
    /// Saves the branch in view as a scenario.
    Save,
    /// The states that can be opened again.
    States,
    /// The tour of a first visit.
    Tour,
    /// Opens a lesson of the program, from 0.
    OpenLesson(u16),
    /// What leads on in the step of the lesson in view.
    LessonOn,
    /// The next hint of that step.
    LessonHint,
    /// An answer to its question, from 0.
    LessonAnswer(u8),
    /// Makes a file of what is shown.
    Export(ExportKind),
    /// Shows the link of what is shown.
    Share,
    /// Opens what is offered after a crash.
    TakeOffer,
    /// The card of the first run.
    Welcome,
    /// Everything of the window where it was at first.
    ResetLayout,
    /// Closes the window.
    Quit,
    /// The command palette.
    Palette,
    /// The sheet of shortcuts.
    Shortcuts,
    /// Something of time.
    Time(TimeAction),
    /// Puts an address into the composer: not listed, made from what is typed.
    Compose(Gva),
}

/// What an action is about, for headings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Moving in time.
    Time,
    /// Instructions and accesses.
    Processor,
    /// Who runs the guest.
    Engine,
    /// What is shown.
    View,
    /// In and out.
    Files,
    /// The step of a lesson.
    Lesson,
    /// Machines to begin with.
    Presets,
}

impl Group {
    /// Every group, in order.
    pub const ALL: [Self; 7] =
        [Self::Time, Self::Processor, Self::Engine, Self::View, Self::Lesson, Self::Files, Self::Presets];

    /// Its heading.
    #[must_use]
    pub fn name(self, language: Language) -> &'static str {
        match self {
            Self::Time => tr!(language, "Time"),
            Self::Processor => tr!(language, "Processor"),
            Self::Engine => tr!(language, "Engine"),
            Self::View => tr!(language, "View"),
            Self::Lesson => tr!(language, "Lesson"),
            Self::Files => tr!(language, "File"),
            Self::Presets => tr!(language, "Preset"),
        }
    }
}

impl Action {
    /// Every action that is listed.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Step,
            Self::StepBack,
            Self::MicroStep,
            Self::MicroBack,
            Self::ToStart,
            Self::ToEnd,
            Self::NextFault,
            Self::NextExit,
            Self::NextDifference,
            Self::PreviousDifference,
            Self::Bookmark,
            Self::NextBookmark,
        ];
        all.extend(TimeAction::ALL.map(Self::Time));
        all.extend([Self::Access, Self::AccessStep, Self::LoadCr3, Self::Invlpg, Self::FlushAll]);
        all.extend(Mode::ALL.map(Self::Mode));
        all.extend((0..BIT_COUNT as u8).map(Self::Bit));
        all.extend(EngineName::ALL.map(Self::Engine));
        all.extend([Self::Tlb, Self::Structures, Self::Compare]);
        all.extend(EngineName::ALL.map(Self::AddEngine));
        all.push(Self::Explore);
        all.extend([Tab::Inspect, Tab::Why, Tab::Log].map(Self::Tab));
        all.extend([Self::NextZone, Self::PreviousZone]);
        all.extend([Self::Deselect, Self::ZoomIn, Self::ZoomOut, Self::ZoomFit]);
        all.extend([(0, -1), (0, 1), (-1, 0), (1, 0)].map(|(across, down)| Self::Pan(across, down)));
        all.extend(Theme::ALL.map(Self::Theme));
        all.extend(Depth::ALL.map(Self::Depth));
        all.extend(Language::ALL.map(Self::Language));
        all.extend([Self::LargerText, Self::SmallerText, Self::NormalText, Self::CopyLink]);
        all.extend([Self::Share, Self::Open, Self::Paste, Self::Save, Self::States, Self::TakeOffer]);
        all.extend(ExportKind::ALL.map(Self::Export));
        all.extend([Self::Welcome, Self::ResetLayout]);
        if !cfg!(target_arch = "wasm32") {
            all.push(Self::Quit);
        }
        all.extend([Self::Presets, Self::Lessons, Self::Palette, Self::Shortcuts]);
        all.extend([Self::Tour, Self::LessonOn, Self::LessonHint]);
        all.extend((0..ANSWERS).map(Self::LessonAnswer));
        all.extend((0..library().len() as u16).map(Self::OpenLesson));
        all.extend((0..presets().count() as u16).map(Self::Preset));
        all
    }

    /// What it is about.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::Step | Self::StepBack | Self::MicroStep | Self::MicroBack | Self::ToStart | Self::ToEnd => {
                Group::Time
            }
            Self::NextDifference | Self::PreviousDifference => Group::Time,
            Self::Time(TimeAction::ReduceMotion) => Group::View,
            Self::NextFault | Self::NextExit | Self::Bookmark | Self::NextBookmark | Self::Time(_) => Group::Time,
            Self::Access | Self::AccessStep | Self::LoadCr3 | Self::Invlpg | Self::FlushAll => Group::Processor,
            Self::Mode(_) | Self::Bit(_) | Self::Compose(_) => Group::Processor,
            Self::Engine(_) | Self::Tlb | Self::Structures | Self::Compare | Self::AddEngine(_) => Group::Engine,
            Self::Preset(_) => Group::Presets,
            Self::Open | Self::Paste | Self::Save | Self::States | Self::CopyLink => Group::Files,
            Self::Tour | Self::LessonOn | Self::LessonHint | Self::LessonAnswer(_) | Self::OpenLesson(_) => {
                Group::Lesson
            }
            Self::Share | Self::Export(_) | Self::TakeOffer | Self::Quit => Group::Files,
            _ => Group::View,
        }
    }

    /// What it does, in words.
    #[must_use]
    pub fn text(self, language: Language) -> String {
        let l = language;
        match self {
            Self::Step => tr!(l, "Step").into(),
            Self::StepBack => tr!(l, "Step back").into(),
            Self::MicroStep => tr!(l, "One event on").into(),
            Self::MicroBack => tr!(l, "One event back").into(),
            Self::ToStart => tr!(l, "To the start of time").into(),
            Self::ToEnd => tr!(l, "To the end").into(),
            Self::NextFault => tr!(l, "To the next fault or refusal").into(),
            Self::NextExit => tr!(l, "To the next exit to the hypervisor").into(),
            Self::NextDifference => tr!(l, "To the next difference between engines").into(),
            Self::PreviousDifference => tr!(l, "To the difference before").into(),
            Self::Bookmark => tr!(l, "Set or remove a bookmark here").into(),
            Self::NextBookmark => tr!(l, "To the next bookmark").into(),
            Self::Time(action) => action.text(l).into(),
            Self::Access => tr!(l, "Give the composed access").into(),
            Self::AccessStep => tr!(l, "Step into the composed access").into(),
            Self::LoadCr3 => tr!(l, "MOV CR3 with the same value").into(),
            Self::Invlpg => tr!(l, "INVLPG of the composed address").into(),
            Self::FlushAll => tr!(l, "INVPCID, type 2: empty the TLB and all caches").into(),
            Self::Mode(mode) => tr!(l, "Paging: {mode}", mode = explain::mode(mode, l)),
            Self::Bit(index) => {
                let (name, meaning) = bit_name(usize::from(index));
                tr!(l, "Flip {name}: {meaning}", name = name, meaning = l.tr(meaning))
            }
            Self::Engine(engine) => {
                let (name, meaning) = (engines::label(engine, l), engines::meaning(engine, l));
                tr!(l, "Engine: {name}, {meaning}", name = name, meaning = meaning)
            }
            Self::Tlb => tr!(l, "TLB on or off").into(),
            Self::Structures => tr!(l, "Paging-structure caches on or off").into(),
            Self::Compare => tr!(l, "Compare engines side by side").into(),
            Self::AddEngine(engine) => tr!(l, "Compare: add engine {name}", name = engines::label(engine, l)),
            Self::Explore => tr!(l, "Explore: back to the machine as it was left").into(),
            Self::Tab(Tab::Inspect) => tr!(l, "Edit the entry: drawer Inspect").into(),
            Self::Tab(Tab::Lesson) => tr!(l, "Drawer: Lesson").into(),
            Self::Tab(Tab::Why) => tr!(l, "Drawer: Why").into(),
            Self::Tab(Tab::Log) => tr!(l, "Drawer: Log").into(),
            Self::NextZone => tr!(l, "Keyboard: to the next zone").into(),
            Self::PreviousZone => tr!(l, "Keyboard: to the zone before").into(),
            Self::Deselect => tr!(l, "Select nothing: follow the walk; leave Compare").into(),
            Self::ZoomIn => tr!(l, "Stage: larger").into(),
            Self::ZoomOut => tr!(l, "Stage: smaller").into(),
            Self::ZoomFit => tr!(l, "Stage: fit all").into(),
            Self::Pan(_, -1) => tr!(l, "Stage: move up").into(),
            Self::Pan(_, 1) => tr!(l, "Stage: move down").into(),
            Self::Pan(-1, _) => tr!(l, "Stage: move left").into(),
            Self::Pan(..) => tr!(l, "Stage: move right").into(),
            Self::Theme(theme) => tr!(l, "Theme: {name}", name = theme.name(l)),
            Self::Language(language) => tr!(l, "Language: {name}", name = language.name()),
            Self::LargerText => tr!(l, "Larger text").into(),
            Self::SmallerText => tr!(l, "Smaller text").into(),
            Self::NormalText => tr!(l, "Normal text size").into(),
            Self::Depth(depth) => tr!(l, "Explanations: {depth}", depth = l.tr(depth.name())),
            Self::Preset(index) => {
                let title = presets().nth(usize::from(index)).map_or("", |preset| preset.title.get(l.id()));
                tr!(l, "Preset: {title}", title = title)
            }
            Self::Presets => tr!(l, "Open a preset").into(),
            Self::Lessons => tr!(l, "Open a lesson").into(),
            Self::Tour => tr!(l, "The tour: two minutes for a first visit").into(),
            Self::LessonOn => tr!(l, "Lesson: go on").into(),
            Self::LessonHint => tr!(l, "Lesson: take a hint").into(),
            Self::LessonAnswer(0) => tr!(l, "Lesson: the first answer").into(),
            Self::LessonAnswer(1) => tr!(l, "Lesson: the second answer").into(),
            Self::LessonAnswer(2) => tr!(l, "Lesson: the third answer").into(),
            Self::LessonAnswer(_) => tr!(l, "Lesson: the fourth answer").into(),
            Self::OpenLesson(index) => {
                let title = library().get(usize::from(index)).map_or("", |lesson| lesson.title.get(l.id()));
                tr!(l, "Lesson: {title}", title = title)
            }
            Self::CopyLink => tr!(l, "Copy a link to this state").into(),
            Self::Open => tr!(l, "Open a file").into(),
            Self::Paste => tr!(l, "Paste a scenario, a link or a listing").into(),
            Self::Save => tr!(l, "Save as a scenario").into(),
            Self::States => tr!(l, "Earlier states").into(),
            Self::Share => tr!(l, "Share a link to what is shown").into(),
            Self::Export(kind) => kind.name(l),
            Self::TakeOffer => tr!(l, "Restore what was kept before a crash").into(),
            Self::Welcome => tr!(l, "Show the ways to begin").into(),
            Self::Quit => tr!(l, "Close the window").into(),
            Self::ResetLayout => tr!(l, "Reset the layout of the window").into(),
            Self::Palette => tr!(l, "Search or run a command").into(),
            Self::Shortcuts => tr!(l, "Show the shortcuts").into(),
            Self::Compose(gva) => tr!(l, "Next access at {address}", address = explain::address("GVA", gva.0)),
        }
    }

    /// The name that it goes by in files and in the terminal: it is found by that, too.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Preset(index) => presets().nth(usize::from(index)).map_or("", |preset| preset.id.as_str()),
            Self::OpenLesson(index) => library().get(usize::from(index)).map_or("", |lesson| lesson.id.as_str()),
            _ => "",
        }
    }

    /// Its sign.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Step | Self::MicroStep => "▶",
            Self::StepBack | Self::MicroBack => "◀",
            Self::ToStart => "|◀",
            Self::ToEnd => "▶|",
            Self::Time(action) => action.sign(),
            Self::NextFault => "✕",
            Self::NextExit => "⇥",
            Self::NextDifference | Self::PreviousDifference | Self::Compare => "≠",
            Self::Bookmark | Self::NextBookmark => "★",
            Self::Access | Self::AccessStep | Self::Compose(_) => "→",
            Self::LoadCr3 | Self::Invlpg | Self::FlushAll => "↻",
            Self::Mode(_) | Self::Bit(_) => "■",
            Self::Engine(_) | Self::Tlb | Self::Structures | Self::AddEngine(_) => "◆",
            Self::Theme(_) => "◔",
            Self::Preset(_) | Self::Presets | Self::Lessons | Self::OpenLesson(_) => "▸",
            Self::Tour | Self::LessonOn | Self::LessonHint | Self::LessonAnswer(_) => "▸",
            _ => "●",
        }
    }

    /// Its key.
    #[must_use]
    pub const fn shortcut(self) -> Option<KeyboardShortcut> {
        match self {
            Self::Step => key(Modifiers::NONE, Key::ArrowRight),
            Self::StepBack => key(Modifiers::NONE, Key::ArrowLeft),
            Self::MicroStep => key(Modifiers::SHIFT, Key::ArrowRight),
            Self::MicroBack => key(Modifiers::SHIFT, Key::ArrowLeft),
            Self::ToStart => key(Modifiers::NONE, Key::Home),
            Self::ToEnd => key(Modifiers::NONE, Key::End),
            Self::NextFault => key(Modifiers::NONE, Key::F),
            Self::NextExit => key(Modifiers::NONE, Key::E),
            Self::NextDifference => key(Modifiers::NONE, Key::D),
            Self::PreviousDifference => key(Modifiers::SHIFT, Key::D),
            Self::Compare => key(Modifiers::SHIFT, Key::C),
            Self::Bookmark => key(Modifiers::NONE, Key::B),
            Self::NextBookmark => key(Modifiers::NONE, Key::N),
            Self::Time(action) => action.shortcut(),
            Self::Access => key(Modifiers::NONE, Key::A),
            Self::AccessStep => key(Modifiers::SHIFT, Key::A),
            Self::LoadCr3 => key(Modifiers::NONE, Key::C),
            Self::Tab(Tab::Inspect) => key(Modifiers::NONE, Key::I),
            Self::Tab(Tab::Why) => key(Modifiers::NONE, Key::W),
            Self::Tab(Tab::Log) => key(Modifiers::NONE, Key::L),
            Self::NextZone => key(Modifiers::NONE, Key::F6),
            Self::PreviousZone => key(Modifiers::SHIFT, Key::F6),
            Self::Deselect => key(Modifiers::NONE, Key::Escape),
            Self::ZoomIn => key(Modifiers::NONE, Key::Plus),
            Self::ZoomOut => key(Modifiers::NONE, Key::Minus),
            Self::ZoomFit => key(Modifiers::NONE, Key::Num0),
            Self::Pan(_, -1) => key(Modifiers::NONE, Key::PageUp),
            Self::Pan(_, 1) => key(Modifiers::NONE, Key::PageDown),
            Self::Pan(-1, _) => key(Modifiers::SHIFT, Key::PageUp),
            Self::Pan(..) => key(Modifiers::SHIFT, Key::PageDown),
            Self::Presets => key(Modifiers::NONE, Key::P),
            Self::Lessons => key(Modifiers::SHIFT, Key::L),
            Self::Open => key(Modifiers::COMMAND, Key::O),
            Self::Save => key(Modifiers::COMMAND, Key::S),
            Self::Quit => key(Modifiers::COMMAND, Key::Q),
            Self::LessonOn => key(Modifiers::NONE, Key::Enter),
            Self::LessonHint => key(Modifiers::NONE, Key::H),
            Self::LessonAnswer(0) => key(Modifiers::NONE, Key::Num1),
            Self::LessonAnswer(1) => key(Modifiers::NONE, Key::Num2),
            Self::LessonAnswer(2) => key(Modifiers::NONE, Key::Num3),
            Self::LessonAnswer(3) => key(Modifiers::NONE, Key::Num4),
            Self::Palette => key(Modifiers::COMMAND, Key::K),
            Self::Shortcuts => key(Modifiers::NONE, Key::Questionmark),
            _ => None,
        }
    }

    /// Another key for it, which no list shows.
    #[must_use]
    pub const fn other_shortcut(self) -> Option<KeyboardShortcut> {
        match self {
            Self::Time(action) => action.other_shortcut(),
            _ => None,
        }
    }

    /// Its key in words, as keyboards name it.
    #[must_use]
    pub fn key_text(self, ctx: &egui::Context) -> String {
        let text = self.shortcut().map(|key| ctx.format_shortcut(&key)).unwrap_or_default();
        let names = [
            ("Questionmark", "?"),
            ("Plus", "+"),
            ("Minus", "−"),
            ("Escape", "Esc"),
            ("PageUp", "PgUp"),
            ("PageDown", "PgDn"),
        ];
        let arrows = [("Right", "→"), ("Left", "←")];
        names.iter().chain(&arrows).fold(text, |text, (name, sign)| text.replace(name, sign))
    }

    /// What it does, and its key: to be shown beside a control.
    #[must_use]
    pub fn tip(self, ctx: &egui::Context, language: Language) -> String {
        match self.key_text(ctx) {
            key if key.is_empty() => self.text(language),
            key => format!("{} ({key})", self.text(language)),
        }
    }

    /// What it asks for, given what is shown.
    #[must_use]
    pub fn command(self, cx: &ViewCx<'_>) -> AppCommand {
        let caches = cx.session.caches();
        let scale =
            |by: f32| AppCommand::SetTextScale(((cx.view.text_scale + by) * 10.0).round().clamp(8.0, 20.0) / 10.0);
        match self {
            Self::Step => AppCommand::Step,
            Self::StepBack => AppCommand::StepBack,
            Self::MicroStep => AppCommand::MicroStep,
            Self::MicroBack => AppCommand::MicroBack,
            Self::ToStart => AppCommand::ToStart,
            Self::ToEnd => AppCommand::ToEnd,
            Self::NextFault => AppCommand::NextFault,
            Self::NextExit => AppCommand::NextExit,
            Self::NextDifference => AppCommand::Compare(CompareWish::NextDifference),
            Self::PreviousDifference => AppCommand::Compare(CompareWish::PreviousDifference),
            // The same key leads back.
            Self::Compare if cx.view.screen == Screen::Compare => AppCommand::Show(Screen::Explore),
            Self::Compare => AppCommand::Show(Screen::Compare),
            Self::AddEngine(engine) => AppCommand::Compare(CompareWish::Add(engine.into())),
            Self::Explore if cx.lesson.is_some() => AppCommand::Lesson(LessonWish::Explore),
            Self::Explore => AppCommand::Show(Screen::Explore),
            Self::Bookmark => AppCommand::ToggleBookmark,
            Self::NextBookmark => AppCommand::NextBookmark,
            Self::Time(action) => action.command(cx),
            Self::Access => AppCommand::Access,
            Self::AccessStep => AppCommand::AccessStep,
            Self::LoadCr3 => AppCommand::Run(Command::MovCr3 { val: Num(cx.machine.cpu.regs.cr3), compat: false }),
            Self::Invlpg => AppCommand::Run(Command::Invlpg { va: cx.view.composer.va }),
            Self::FlushAll => AppCommand::Run(Command::Invpcid { kind: Num(2), pcid: Num(0), va: Gva(0) }),
            Self::Mode(mode) => AppCommand::SwitchMode(mode),
            Self::Bit(index) => AppCommand::Run(flip_bit(cx, usize::from(index))),
            Self::Engine(engine) => AppCommand::SetEngine(engine),
            Self::Tlb => AppCommand::SetCaches(Caches { tlb: !caches.tlb, ..caches }),
            Self::Structures => AppCommand::SetCaches(Caches { structures: !caches.structures, ..caches }),
            // Who asks for it by name wants to edit, not only to see.
            Self::Tab(Tab::Inspect) => AppCommand::EditEntry,
            Self::Tab(tab) => AppCommand::OpenTab(tab),
            Self::NextZone => AppCommand::GoToZone(Zone::Next),
            Self::PreviousZone => AppCommand::GoToZone(Zone::Before),
            // Escape leads out of where one is.
            Self::Deselect if cx.view.screen == Screen::Compare => AppCommand::Show(Screen::Explore),
            Self::Deselect => AppCommand::Select(Selection::None),
            Self::ZoomIn => AppCommand::Zoom((cx.view.zoom * 1.25).clamp(*ZOOMS.start(), *ZOOMS.end())),
            Self::ZoomOut => AppCommand::Zoom((cx.view.zoom * 0.8).clamp(*ZOOMS.start(), *ZOOMS.end())),
            Self::ZoomFit => AppCommand::Zoom(1.0),
            Self::Pan(across, down) => AppCommand::Pan(across, down),
            Self::Theme(theme) => AppCommand::SetTheme(theme),
            Self::Language(language) => AppCommand::SetLanguage(language),
            Self::LargerText => scale(0.1),
            Self::SmallerText => scale(-0.1),
            Self::NormalText => AppCommand::SetTextScale(1.0),
            Self::Depth(depth) => AppCommand::SetDepth(depth),
            Self::Preset(index) => match presets().nth(usize::from(index)) {
                Some(preset) => AppCommand::OpenPreset(preset.id.clone()),
                None => AppCommand::Notice(tr!(cx, "There is no such preset").to_owned()),
            },
            Self::OpenLesson(index) => match library().get(usize::from(index)) {
                Some(lesson) => AppCommand::Lesson(LessonWish::Open(lesson.id.clone())),
                None => super::lesson::open_list(),
            },
            Self::Presets => AppCommand::Overlay(Some(Overlay::Presets)),
            Self::Lessons => super::lesson::open_list(),
            Self::Tour => AppCommand::Lesson(LessonWish::Tour),
            Self::LessonOn => match super::lesson::on_wish(cx) {
                Ok(wish) => AppCommand::Lesson(wish),
                Err(reason) => AppCommand::Notice(reason.to_owned()),
            },
            Self::LessonHint => AppCommand::Lesson(LessonWish::Hint),
            Self::LessonAnswer(index) => AppCommand::Lesson(LessonWish::Choose(usize::from(index))),
            Self::CopyLink => AppCommand::CopyLink,
            Self::Open => FileWish::Open.into(),
            Self::Paste => FileWish::Paste.into(),
            Self::Save => FileWish::Save.into(),
            Self::States => FileWish::ShowStates.into(),
            Self::Export(kind) => AppCommand::Export(kind),
            Self::TakeOffer => FileWish::TakeOffer.into(),
            Self::Share => AppCommand::Overlay(Some(Overlay::Share)),
            Self::Welcome => AppCommand::Overlay(Some(Overlay::Welcome)),
            Self::ResetLayout => FileWish::ResetLayout.into(),
            Self::Quit => FileWish::Quit.into(),
            Self::Palette => AppCommand::Overlay(Some(Overlay::Palette)),
            Self::Shortcuts => AppCommand::Overlay(Some(Overlay::Shortcuts)),
            Self::Compose(va) => AppCommand::Compose(super::view::Composer { va, ..cx.view.composer }),
        }
    }

    /// Asks for it.
    pub fn send(self, cx: &ViewCx<'_>) {
        if let Self::Tab(_) = self {
            cx.send(AppCommand::OpenPage(Page::Drawer));
        }
        cx.send(self.command(cx));
        // Out of a lesson, and out of Compare.
        if self == Self::Explore {
            cx.send(AppCommand::Show(Screen::Explore));
        }
    }
}

/// Every preset, in the order of its groups.
fn presets() -> impl Iterator<Item = &'static Preset> {
    scenario::presets().iter().flat_map(|group| &group.presets)
}

const fn key(modifiers: Modifiers, key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(modifiers, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_words_and_no_two_share_a_key() {
        let all = Action::all();
        for (i, action) in all.iter().enumerate() {
            assert!(!action.sign().is_empty(), "{action:?}");
            let same = |other: &&Action| action.shortcut().is_some() && other.shortcut() == action.shortcut();
            assert_eq!(all[i + 1..].iter().find(same), None, "{action:?}");
            for language in Language::ALL {
                let text = action.text(language);
                assert!(text.chars().count() > 1, "{action:?}");
                assert!(all[i + 1..].iter().all(|other| other.text(language) != text), "{action:?}: {text}");
            }
        }
    }
}
