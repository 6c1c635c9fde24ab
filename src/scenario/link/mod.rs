//! Share links: `#m=1.` and the state, deflated, in base64url.
//!
//! A link holds the start state and the whole log with its branches, not only where it ended, and
//! what the window showed. It lives behind the `#`, which browsers do not send to servers.
//!
//! Links are untrusted: a wrong one is refused with a sentence before anything is made of it.

mod wire;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use serde::{Deserialize, Serialize};

use super::file::{Scenario, StartError, State, ram_bytes};
use super::marks::Marks;
use super::predicate::Predicate;
use super::session::{Caption, Session};
use super::step::{Step, StepKind};
use crate::arch::address::{Num, PAGE_SHIFT};
use crate::arch::{CpuModel, Features, Vendor};
use crate::engine::{EngineConfig, EngineName, Switches};
use crate::lab::{Node, NodeId};
use crate::language::Language;
use crate::machine::{Caches, Command};
use crate::tr;
use wire::{Places, Wire, WireCommand, WireNode, WireStep, WireText, WireWant};

/// The version that this program reads and writes.
pub const VERSION: &str = "1";

/// The largest state of a link before compression, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// The largest state of an autosave before compression: ten times what a million commands take.
const MAX_AUTOSAVE_BYTES: usize = 128 << 20;

/// Frames that a link may fill: 128 MiB of guest memory.
const MAX_FRAMES: usize = 32 << 10;

/// Searches of all memory for a free frame (`map`), times the frames to be searched.
const MAX_SEARCH: usize = 4 << 20;

/// What a window showed. A text is an identifier of the window's own; unknown ones are for it to
/// ignore, so that a link of a later window still opens.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct View {
    /// The entry that was selected: its guest-physical address.
    pub entry: Option<u64>,
    /// The linear address that was selected.
    pub address: Option<u64>,
    /// Events of the command at the cursor that were shown; `None`: all.
    pub micro_step: Option<u32>,
    /// The tab of the drawer.
    pub tab: Option<String>,
    /// The view: explore, compare, present, lesson.
    pub view: Option<String>,
    /// The engine that was compared with.
    pub beside: Option<String>,
    /// Zoom in percent.
    pub zoom: Option<u16>,
    /// Whatever else the window wants to find again, by name.
    pub more: Vec<(String, String)>,
}

/// Why a link cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.say(Language::En))]
pub enum LinkError {
    /// The text is no link.
    NoLink,
    /// The version is not known.
    Version(String),
    /// A character that base64url does not have.
    Character(char),
    /// It ends too early.
    Truncated,
    /// Its content is not what was written.
    Damaged,
    /// More than [`MAX_BYTES`].
    TooLarge,
    /// It would take more memory or time than a link may.
    TooMuch,
    /// It holds a machine that cannot be.
    Impossible(String),
    /// A history that does not fit in a link.
    TooLong(usize),
}

impl LinkError {
    /// In words.
    #[must_use]
    pub fn say(&self, language: Language) -> String {
        let most = MAX_BYTES >> 10;
        match self {
            Self::NoLink => tr!(language, "this is no share link: one contains #m=, a version and a dot").to_owned(),
            Self::Version(found) => tr!(
                language,
                "this link has version `{found}`: this program reads version {version}",
                found = found,
                version = VERSION
            ),
            Self::Character(found) => {
                tr!(language, "this link is damaged: `{found}` is not a character of a link", found = found)
            }
            Self::Truncated => tr!(language, "this link is not complete: its end is missing").to_owned(),
            Self::Damaged => tr!(language, "this link is damaged: its parts do not fit together").to_owned(),
            Self::TooLarge => tr!(language, "this link holds more than {most} KiB: it is refused", most = most),
            Self::TooMuch => tr!(language, "this link asks for more memory or work than a link may").to_owned(),
            Self::Impossible(why) => tr!(language, "this link holds a machine that cannot be: {why}", why = why),
            Self::TooLong(size) => tr!(
                language,
                "this history takes {size} KiB, and a link holds at most {most}: save it as a file",
                size = size,
                most = most
            ),
        }
    }
}

/// What a link or an autosave holds, checked but not yet carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The start state and the steps of the file that it began with.
    pub scenario: Scenario,
    /// The engine that ran.
    pub engine: EngineConfig,
    /// The caches that the processor had.
    pub caches: Caches,
    /// Every command that was given.
    pub log: Vec<Node>,
    /// The last command of the branch in view.
    pub tip: Option<NodeId>,
    /// The cursor on it.
    pub cursor: usize,
    /// Captions beside those of the steps.
    pub captions: Vec<Caption>,
    /// What the window showed.
    pub view: View,
    /// The language of the window, such as `en`.
    pub language: String,
}

/// Whether a text, such as an argument of the command line, is meant as a link.
#[must_use]
pub fn is_link(text: &str) -> bool {
    text.contains("#m=") || text.starts_with("m=")
}

/// The link of a session: `#m=1.` and what follows, to stand behind the address of a page.
///
/// # Errors
/// [`LinkError::TooLong`].
pub fn link(session: &Session, view: &View, language: &str) -> Result<String, LinkError> {
    Shared::of(session, view, language).to_link()
}

impl Shared {
    /// What a link of a session holds.
    #[must_use]
    pub fn of(session: &Session, view: &View, language: &str) -> Self {
        let (lab, kept) = (&session.lab, session.lab.kept());
        let mut view = view.clone();
        session.marks.write(lab, &kept, &mut view);
        Self {
            scenario: session.scenario.clone(),
            engine: session.config(),
            caches: session.caches(),
            tip: lab.node(lab.len()).and_then(|tip| kept.id(tip)),
            log: kept.log,
            cursor: lab.cursor(),
            captions: session.added_captions().to_vec(),
            view,
            language: language.to_owned(),
        }
    }

    /// Carries it out: the session that the link was made of.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(self) -> Result<Session, StartError> {
        let Self { scenario, engine, caches, log, tip, cursor, captions, view, .. } = self;
        let mut session = Session::with_log(scenario, (engine, caches), log, (tip, cursor), captions)?;
        session.marks = Marks::read(&view, &session.lab);
        Ok(session)
    }

    /// The link: `#m=1.` and what follows.
    ///
    /// # Errors
    /// [`LinkError::TooLong`].
    pub fn to_link(&self) -> Result<String, LinkError> {
        let state = self.state();
        if state.len() > MAX_BYTES {
            return Err(LinkError::TooLong(state.len() >> 10));
        }
        Ok(format!("#m={VERSION}.{}", URL_SAFE_NO_PAD.encode(deflate(&state, Compression::best()))))
    }

    /// Reads a link: a whole address, or what stands behind its `#`.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn from_link(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        let after = text.split_once("#m=").map(|(_, rest)| rest).or_else(|| text.strip_prefix("m="));
        let fragment = after.ok_or(LinkError::NoLink)?;
        let fragment = fragment.split('&').next().unwrap_or_default();
        let (version, code) = fragment.split_once('.').ok_or(LinkError::NoLink)?;
        if version != VERSION {
            return Err(LinkError::Version(version.chars().filter(|c| !c.is_control()).take(20).collect()));
        }
        if code.len() > 2 * MAX_BYTES {
            return Err(LinkError::TooLarge);
        }
        let packed = URL_SAFE_NO_PAD.decode(code).map_err(|_| {
            let strange = |c: &char| !c.is_ascii_alphanumeric() && !"-_".contains(*c);
            code.chars().find(strange).map_or(LinkError::Truncated, LinkError::Character)
        })?;
        Self::from_state(&inflate(&packed, MAX_BYTES)?, true)
    }

    /// The bytes of an autosave: the state of a link, compressed fast.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        deflate(&self.state(), Compression::fast())
    }

    /// Reads an autosave.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LinkError> {
        Self::from_state(&inflate(bytes, MAX_AUTOSAVE_BYTES)?, false)
    }

    /// The state, and four bytes by which a changed one is found out.
    fn state(&self) -> Vec<u8> {
        let mut state = match postcard::to_allocvec(&self.wire()) {
            Ok(state) => state,
            Err(error) => unreachable!("numbers, texts and lists can be written: {error}"),
        };
        state.extend_from_slice(&check_sum(&state));
        state
    }

    fn from_state(state: &[u8], bounded: bool) -> Result<Self, LinkError> {
        let (content, sum) = state.split_last_chunk::<4>().ok_or(LinkError::Truncated)?;
        if check_sum(content) != *sum {
            return Err(LinkError::Damaged);
        }
        let (wire, rest) = postcard::take_from_bytes::<Wire>(content).map_err(|_| LinkError::Damaged)?;
        if !rest.is_empty() {
            return Err(LinkError::Damaged);
        }
        let shared = Self::from_wire(wire).map_err(|Wrong| LinkError::Damaged)?;
        shared.check()?;
        if bounded && shared.asks_too_much() {
            return Err(LinkError::TooMuch);
        }
        Ok(shared)
    }

    fn check(&self) -> Result<(), LinkError> {
        let impossible = |what: String| LinkError::Impossible(what);
        let Scenario { cpu, ram, mem, .. } = &self.scenario;
        self.scenario.check().map_err(|(path, what)| impossible(format!("{what} (at {path})")))?;
        let enough = ram_bytes(Some(Num(*ram)), cpu, mem).map_err(impossible)?;
        if enough != *ram {
            return Err(impossible(format!("its memory needs {enough:#x} bytes, and it has {ram:#x}")));
        }
        self.log.iter().try_for_each(|node| node.command.check(cpu).map_err(|e| impossible(e.to_string())))
    }

    /// Whether carrying it out could take more memory or time than a page wants to give to a
    /// stranger: every frame that is named counts as filled.
    fn asks_too_much(&self) -> bool {
        let mut frames: BTreeSet<(bool, u64)> = self.scenario.mem.iter().map(|(gpa, _)| (false, gpa.gfn().0)).collect();
        let mut maps = 0;
        for node in &self.log {
            match &node.command {
                Command::Poke { pa, .. } | Command::Dma { pa, .. } => {
                    frames.insert((false, pa.gfn().0));
                }
                Command::Write { va, .. } => {
                    frames.extend([(true, va.0 >> PAGE_SHIFT), (true, va.0.wrapping_add(7) >> PAGE_SHIFT)]);
                }
                Command::Map { .. } => maps += 1,
                _ => {}
            }
        }
        let frames = frames.len() + 4 * maps;
        frames > MAX_FRAMES || maps * frames > MAX_SEARCH
    }

    fn wire(&self) -> Wire {
        let Self { scenario, .. } = self;
        let State { cr0, cr3, cr4, efer, pkru } = scenario.init;
        let mut places = Places::default();
        let node = |(at, node): (usize, &Node)| {
            let back = node.parent.map_or(0, |parent| at as u32 - parent);
            WireNode(back, WireCommand::of(&node.command, &mut places))
        };
        let log = self.log.iter().enumerate().map(node).collect();
        Wire {
            id: scenario.id.clone(),
            title: WireText::of(&scenario.title),
            maxphyaddr: scenario.cpu.maxphyaddr,
            vendor: u8::from(scenario.cpu.vendor == Vendor::Amd),
            features: scenario.cpu.features.bits(),
            engine: engine_out(scenario.engine),
            ram: scenario.ram,
            init: [cr0.0, cr3.0, cr4.0, efer.0, pkru.0],
            mem: wire::words_out(&scenario.mem),
            steps: self.steps_out(),
            mem_after: scenario.mem_after.as_deref().map(wire::words_out),
            ad_may: wire::words_out(&scenario.ad_may),
            running: engine_out(self.engine),
            caches: u8::from(self.caches.tlb) | u8::from(self.caches.structures) << 1,
            log,
            tip: self.tip.map_or(0, |tip| tip + 1),
            cursor: self.cursor as u32,
            captions: self.captions.iter().map(|c| (c.after as u32, WireText::of(&c.text))).collect(),
            view: self.view.clone(),
            language: self.language.clone(),
        }
    }

    /// The steps of the file. Its commands begin the log, unless the log was begun anew.
    fn steps_out(&self) -> Vec<WireStep> {
        let (mut logged, mut same, mut places) = (0, true, Places::default());
        let step = |step: &Step| match &step.kind {
            StepKind::Note(text) => WireStep::Note(WireText::of(text)),
            StepKind::Expect(that) => WireStep::Expect(that.to_json()),
            StepKind::Command(command) => {
                same = same && logged_command(&self.log, logged) == Some(command);
                let value = step.want_value.map(|value| value.0);
                if !same {
                    let want = step.want.as_ref().map(|want| WireWant::of(Some(want)));
                    return WireStep::Own(WireCommand::of(command, &mut places), want, value);
                }
                logged += 1;
                if step.want.is_none() && value.is_none() {
                    return WireStep::Logged;
                }
                WireStep::Judged(WireWant::of(step.want.as_ref()), value)
            }
        };
        self.scenario.steps.iter().map(step).collect()
    }

    fn from_wire(wire: Wire) -> Result<Self, Wrong> {
        let mut places = Places::default();
        let log = wire.log.into_iter().enumerate().map(|(at, WireNode(back, command))| {
            let back = back as usize;
            let parent = if back == 0 { None } else { Some(at.checked_sub(back).ok_or(Wrong)? as NodeId) };
            Ok(Node { parent, command: command.command(&mut places)? })
        });
        let log = log.collect::<Result<Vec<Node>, Wrong>>()?;
        let [cr0, cr3, cr4, efer, pkru] = wire.init.map(Num);
        let features = Features::from_bits(wire.features).ok_or(Wrong)?;
        let vendor = *[Vendor::Intel, Vendor::Amd].get(usize::from(wire.vendor)).ok_or(Wrong)?;
        if wire.caches > 3 || wire.tip as usize > log.len() || wire.cursor as usize > log.len() {
            return Err(Wrong);
        }
        let scenario = Scenario {
            id: wire.id,
            title: wire.title.text(),
            cpu: CpuModel { maxphyaddr: wire.maxphyaddr, vendor, features },
            engine: engine_in(wire.engine)?,
            ram: wire.ram,
            init: State { cr0, cr3, cr4, efer, pkru },
            mem: wire::words_in(wire.mem),
            steps: steps_in(wire.steps, &log)?,
            mem_after: wire.mem_after.map(wire::words_in),
            ad_may: wire::words_in(wire.ad_may),
        };
        let caption = |(after, text): (u32, WireText)| Caption { after: after as usize, text: text.text() };
        Ok(Self {
            scenario,
            engine: engine_in(wire.running)?,
            caches: Caches { tlb: wire.caches & 1 != 0, structures: wire.caches & 2 != 0 },
            log,
            tip: wire.tip.checked_sub(1),
            cursor: wire.cursor as usize,
            captions: wire.captions.into_iter().map(caption).collect(),
            view: wire.view,
            language: wire.language,
        })
    }
}

/// A number or reference of a link that names nothing.
#[derive(Debug, PartialEq, Eq)]
struct Wrong;

/// Command `at` of a log, while it follows the one before it: the log of a session begins with the
/// commands of its file.
fn logged_command(log: &[Node], at: usize) -> Option<&Command> {
    let node = log.get(at)?;
    (node.parent.map_or(0, |parent| parent as usize + 1) == at).then_some(&node.command)
}

fn steps_in(steps: Vec<WireStep>, log: &[Node]) -> Result<Vec<Step>, Wrong> {
    let (mut logged, mut places) = (0, Places::default());
    let mut next = || {
        logged += 1;
        logged_command(log, logged - 1).cloned().ok_or(Wrong)
    };
    let step = |step: WireStep| {
        let (kind, want, value) = match step {
            WireStep::Note(text) => (StepKind::Note(text.text()), None, None),
            WireStep::Expect(json) => (StepKind::Expect(Predicate::from_json(&json).ok_or(Wrong)?), None, None),
            WireStep::Logged => (StepKind::Command(next()?), None, None),
            WireStep::Judged(want, value) => (StepKind::Command(next()?), want.want()?, value),
            WireStep::Own(command, want, value) => {
                let want = want.map(|want| want.want()).transpose()?.flatten();
                (StepKind::Command(command.command(&mut places)?), want, value)
            }
        };
        Ok(Step { kind, want, want_value: value.map(Num) })
    };
    steps.into_iter().map(step).collect()
}

fn engine_out(engine: EngineConfig) -> u32 {
    let place = EngineName::ALL.iter().position(|known| *known == engine.name).unwrap_or_default() as u32;
    place | engine.switches.bits() << 3
}

fn engine_in(number: u32) -> Result<EngineConfig, Wrong> {
    let name = *EngineName::ALL.get(number as usize & 7).ok_or(Wrong)?;
    let switches = Switches::from_bits(number >> 3).ok_or(Wrong)?;
    let known = Switches::of(name).fold(Switches::empty(), |known, switch| known | switch.flag);
    if known.contains(switches) { Ok(EngineConfig { name, switches }) } else { Err(Wrong) }
}

fn check_sum(content: &[u8]) -> [u8; 4] {
    (xxhash_rust::xxh3::xxh3_64(content) as u32).to_le_bytes()
}

fn deflate(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut packed = Vec::with_capacity(bytes.len() / 2 + 64);
    let mut compress = Compress::new(level, false);
    loop {
        let done = compress.total_in() as usize;
        match compress.compress_vec(&bytes[done..], &mut packed, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => return packed,
            Ok(_) => packed.reserve(packed.capacity().max(64)),
            Err(error) => unreachable!("memory can be compressed: {error}"),
        }
    }
}

/// Unpacks, and stops as soon as there is more than `limit`.
fn inflate(packed: &[u8], limit: usize) -> Result<Vec<u8>, LinkError> {
    let mut bytes = Vec::with_capacity((4 * packed.len() + 256).min(limit + 1));
    let mut decompress = Decompress::new(false);
    loop {
        let (read, written) = (decompress.total_in() as usize, bytes.len());
        let status = decompress.decompress_vec(&packed[read..], &mut bytes, FlushDecompress::None);
        let status = status.map_err(|_| LinkError::Damaged)?;
        if bytes.len() > limit {
            return Err(LinkError::TooLarge);
        }
        match status {
            Status::StreamEnd if decompress.total_in() as usize == packed.len() => return Ok(bytes),
            Status::StreamEnd => return Err(LinkError::Damaged),
            _ if bytes.len() == bytes.capacity() => bytes.reserve_exact(bytes.len().min(limit + 1 - bytes.len())),
            // All is read and the end has not come.
            _ if bytes.len() == written => return Err(LinkError::Truncated),
            _ => {}
        }
    }
}
