//! Reading scenario files.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::step::{Step, StepKind};
use crate::arch::address::{Num, PAGE_SIZE};
use crate::arch::{ControlRegs, CpuModel, Features, Gpa, Refusal, Vendor};
use crate::engine::{AnyVm, EngineConfig, Quiet};
use crate::language::Language;
use crate::machine::command::check_physical;
use crate::machine::rule::no_such_state;
use crate::machine::{Caches, Machine};
use crate::names::{nearest, shown};
use crate::tr;

/// The format that this version reads.
pub const FORMAT: &str = "mmuscope/1";

/// The largest file that is read, in bytes. A scenario of a million steps has about 80 MB.
pub const MAX_FILE_BYTES: u64 = 128 << 20;

/// The memory that a machine has when its file does not say, in bytes.
const DEFAULT_RAM: u64 = 16 << 20;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be read.
    #[error("{name}: {}", io_sentence(.source))]
    Unreadable {
        /// The file.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is a directory.
    #[error("{name} is a directory: name a file in it")]
    Directory {
        /// The directory.
        name: String,
    },
    /// It is larger than [`MAX_FILE_BYTES`].
    #[error("{name} has {bytes} bytes: a scenario has at most {MAX_FILE_BYTES}")]
    TooLarge {
        /// The file.
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// It is not valid UTF-8 text.
    #[error("{name} is not text in UTF-8 (byte {at})")]
    NotText {
        /// The file.
        name: String,
        /// The first byte that is wrong, from 0.
        at: usize,
    },
    /// It is not JSON, or not a scenario.
    #[error("{name}:{line}:{column}: {what}{}", at_path(.path))]
    Json {
        /// The file.
        name: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// Where in the document, as in `steps[3].val`.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// It is JSON of the right form with content that cannot be.
    #[error("{name}: {what}{}", at_path(.path))]
    Content {
        /// The file.
        name: String,
        /// Where in the document.
        path: String,
        /// What is wrong.
        what: String,
    },
}

impl InputError {
    /// In words. What a parser or a check found is said in English in every language: it is about the
    /// file's own English names.
    #[must_use]
    pub fn say(&self, language: Language) -> String {
        match language {
            Language::En => self.to_string(),
            _ => tr!(language, "This file cannot be used. Details: {details}", details = self),
        }
    }

    /// The same error for a document that is line `number` (from 1) of its file.
    #[must_use]
    pub fn on_line(self, number: usize) -> Self {
        match self {
            Self::Json { name, column, path, what, .. } => Self::Json { name, line: number, column, path, what },
            Self::Content { name, path, what } => Self::Content { name: format!("{name}:{number}"), path, what },
            other => other,
        }
    }
}

fn io_sentence(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this file may not be read".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

fn at_path(path: &str) -> String {
    // A document that is broken off has no place in it.
    if path.is_empty() || path == "." || path == "?" { String::new() } else { format!(" (at {path})") }
}

/// Why a scenario cannot be started: no processor can be in the state that it begins in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.say(Language::En))]
pub struct StartError(#[from] Refusal);

impl StartError {
    /// In words.
    #[must_use]
    pub fn say(&self, language: Language) -> String {
        no_such_state(&self.0, language)
    }
}

/// A text in one or more languages: a plain string is English.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Text {
    /// English.
    Plain(String),
    /// By language code.
    ByLanguage(BTreeMap<String, String>),
    /// None.
    #[default]
    #[serde(skip)]
    None,
}

impl Text {
    /// The text in a language, or in English, or in any.
    #[must_use]
    pub fn get(&self, language: &str) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::ByLanguage(texts) => {
                let found = texts.get(language).or_else(|| texts.get("en")).or_else(|| texts.values().next());
                found.map_or("", String::as_str)
            }
            Self::None => "",
        }
    }
}

/// The processor's registers that a scenario begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// CR0.
    pub cr0: Num,
    /// CR3.
    pub cr3: Num,
    /// CR4.
    pub cr4: Num,
    /// IA32_EFER; LMA follows from LME and CR0.PG.
    pub efer: Num,
    /// PKRU.
    #[serde(default)]
    pub pkru: Num,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawCpu {
    /// 32 to 52.
    maxphyaddr: Option<u8>,
    vendor: Option<Vendor>,
    /// nx, pse, pse36, pge, pcid, smep, smap, pku, la57, 1gb, cet. Missing: all but cet.
    features: Option<Vec<FeatureName>>,
}

struct FeatureName(Features);

impl<'de> Deserialize<'de> for FeatureName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let known = Features::NAMES.iter().map(|(n, _)| *n);
        let feature = Features::by_name(&name).ok_or_else(|| nearest("feature", &name, known));
        feature.map(Self).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for FeatureName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Feature".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = Features::NAMES.iter().map(|(n, _)| *n).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}

/// An aligned 8-byte word of memory: address and value.
type Word = (Gpa, Num);

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Scenario")]
struct RawScenario {
    format: Option<String>,
    id: Option<String>,
    #[serde(default)]
    title: Text,
    cpu: Option<RawCpu>,
    #[serde(default)]
    engine: EngineConfig,
    /// Bytes of guest memory, a multiple of 4096.
    ram: Option<Num>,
    init: State,
    /// Aligned 8-byte words; all else is zero.
    #[serde(default)]
    mem: Vec<Word>,
    #[serde(default)]
    steps: Vec<Step>,
    /// Words that the processor changed, with their values at the end.
    mem_after: Option<Vec<Word>>,
    /// Words with another value that they may have at the end.
    #[serde(default)]
    ad_may: Vec<Word>,
    /// Where the recorded answers come from.
    #[serde(default)]
    #[schemars(with = "serde_json::Value")]
    #[expect(dead_code, reason = "free text for people")]
    agree: Option<serde::de::IgnoredAny>,
}

/// A scenario: a machine's start state and what is done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub id: String,
    /// Its title.
    pub title: Text,
    /// The processor.
    pub cpu: CpuModel,
    /// The engine that it asks for, with what is switched on.
    pub engine: EngineConfig,
    /// Bytes of guest memory.
    pub ram: u64,
    /// The registers.
    pub init: State,
    /// Memory: aligned 8-byte words.
    pub mem: Vec<(Gpa, u64)>,
    /// What is done.
    pub steps: Vec<Step>,
    /// Words that must differ at the end from `mem` and the scenario's own stores; `None`: memory
    /// is not judged.
    pub mem_after: Option<Vec<(Gpa, u64)>>,
    /// Words with another value that they may have.
    pub ad_may: Vec<(Gpa, u64)>,
}

impl Scenario {
    /// An empty machine: 16 MiB, paging off, nothing done.
    #[must_use]
    pub fn empty() -> Self {
        let init = State { cr0: Num(0x11), cr3: Num(0), cr4: Num(0), efer: Num(0), pkru: Num(0) };
        Self {
            id: "empty".to_owned(),
            title: Text::None,
            cpu: CpuModel::default(),
            engine: EngineConfig::default(),
            ram: DEFAULT_RAM,
            init,
            mem: Vec::new(),
            steps: Vec::new(),
            mem_after: None,
            ad_may: Vec::new(),
        }
    }

    /// Reads one scenario from JSON text. `name` is what error messages call it.
    ///
    /// # Errors
    /// [`InputError::Json`], [`InputError::Content`].
    pub fn from_json(name: &str, json: &str) -> Result<Self, InputError> {
        from_json(name, json).and_then(|raw: RawScenario| raw.into_scenario(name))
    }

    /// Its start state, with the registers set as userspace would and PDPTEs loaded where PAE
    /// paging is on.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(&self, engine: impl Into<EngineConfig>, caches: Caches) -> Result<AnyVm, StartError> {
        let (engine, regs) = (engine.into(), self.registers()?);
        let mut machine = Machine::new(self.cpu, self.ram);
        machine.caches = caches;
        machine.cpu.set_regs(regs);
        machine.cpu.pkru = self.init.pkru.0 as u32;
        for (gpa, value) in &self.mem {
            machine.memory.write_u64(*gpa, *value);
        }
        let mut vm = AnyVm::new(machine, engine);
        vm.settle(&mut Quiet);
        Ok(vm)
    }

    /// What is wrong with it, `ram` apart: where, and a sentence.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let width = self.cpu.maxphyaddr;
        if !(CpuModel::MIN_WIDTH..=CpuModel::MAX_WIDTH).contains(&width) {
            let what = format!("{width} is not a width of physical addresses: 32 to 52");
            return Err(("cpu.maxphyaddr".to_owned(), what));
        }
        let after = self.mem_after.as_deref().unwrap_or_default();
        for (field, words) in [("mem", &*self.mem), ("mem_after", after), ("ad_may", &*self.ad_may)] {
            for (i, (gpa, _)) in words.iter().enumerate() {
                word_error(&self.cpu, *gpa).map_or(Ok(()), |what| Err((format!("{field}[{i}]"), what)))?;
            }
        }
        check_steps(&self.cpu, &self.steps)?;
        let pkru = self.init.pkru.0;
        u32::try_from(pkru)
            .map_err(|_| ("init.pkru".to_owned(), format!("{pkru:#x} does not fit in PKRU, 32 bits")))?;
        self.registers().map(|_| ()).map_err(|refusal| ("init".to_owned(), no_such_state(&refusal, Language::En)))
    }

    fn registers(&self) -> Result<ControlRegs, Refusal> {
        let State { cr0, cr3, cr4, efer, .. } = self.init;
        ControlRegs::set_at_once(&self.cpu, cr0.0, cr3.0, cr4.0, efer.0)
    }
}

/// A scenario inside another file. What is wrong with its content names the place inside it.
impl<'de> Deserialize<'de> for Scenario {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawScenario::deserialize(deserializer)?;
        raw.into_scenario("").map_err(|error| match error {
            InputError::Content { path, what, .. } => serde::de::Error::custom(format!("{path}: {what}")),
            other => serde::de::Error::custom(other),
        })
    }
}

impl schemars::JsonSchema for Scenario {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        RawScenario::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        RawScenario::json_schema(generator)
    }
}

impl RawScenario {
    fn into_scenario(self, name: &str) -> Result<Scenario, InputError> {
        let wrong =
            |path: &str, what: String| InputError::Content { name: name.to_owned(), path: path.to_owned(), what };
        if let Some(format) = self.format.as_deref().filter(|f| *f != FORMAT) {
            let shown = shown(format, 40);
            return Err(wrong("format", format!("format `{shown}` is not known: this version reads `{FORMAT}`")));
        }
        let mut cpu = CpuModel::default();
        if let Some(raw) = self.cpu {
            cpu.maxphyaddr = raw.maxphyaddr.unwrap_or(cpu.maxphyaddr);
            cpu.vendor = raw.vendor.unwrap_or_default();
            if let Some(features) = raw.features {
                cpu.features = features.iter().fold(Features::empty(), |all, f| all | f.0);
            }
        }
        let words = |list: Vec<Word>| list.into_iter().map(|(gpa, value)| (gpa, value.0)).collect::<Vec<_>>();
        let mut scenario = Scenario {
            id: self.id.unwrap_or_else(|| stem(name)),
            title: self.title,
            cpu,
            engine: self.engine,
            ram: DEFAULT_RAM,
            init: self.init,
            mem: words(self.mem),
            steps: self.steps,
            mem_after: self.mem_after.map(words),
            ad_may: words(self.ad_may),
        };
        scenario.check().map_err(|(path, what)| wrong(&path, what))?;
        scenario.ram = ram_bytes(self.ram, &cpu, &scenario.mem).map_err(|what| wrong("ram", what))?;
        Ok(scenario)
    }
}

fn stem(name: &str) -> String {
    Path::new(name).file_stem().map_or_else(|| name.to_owned(), |s| s.to_string_lossy().into_owned())
}

fn word_error(cpu: &CpuModel, gpa: Gpa) -> Option<String> {
    if !gpa.0.is_multiple_of(8) {
        return Some(format!("the word at {:#x} is not aligned: its address must be a multiple of 8", gpa.0));
    }
    check_physical(cpu, gpa, 8).err().map(|e| e.to_string())
}

/// 16 MiB, or more where `mem` needs it.
pub(super) fn ram_bytes(ram: Option<Num>, cpu: &CpuModel, mem: &[(Gpa, u64)]) -> Result<u64, String> {
    let used = mem.iter().map(|(gpa, _)| gpa.0 + 8).max().unwrap_or(0).next_multiple_of(PAGE_SIZE);
    let Some(Num(ram)) = ram else { return Ok(used.max(DEFAULT_RAM)) };
    if ram == 0 || !ram.is_multiple_of(PAGE_SIZE) {
        return Err(format!("{ram:#x} is not a multiple of 4096 bytes"));
    }
    check_physical(cpu, Gpa(0), ram)
        .map_err(|_| format!("{ram:#x} bytes are more than {} address bits reach", cpu.maxphyaddr))?;
    Ok(ram.max(used))
}

fn check_steps(cpu: &CpuModel, steps: &[Step]) -> Result<(), (String, String)> {
    for (i, step) in steps.iter().enumerate() {
        if let StepKind::Command(command) = &step.kind {
            command.check(cpu).map_err(|e| (format!("steps[{i}]"), e.to_string()))?;
        }
    }
    Ok(())
}

/// Parses JSON and says where and what went wrong.
pub(crate) fn from_json<'de, T: Deserialize<'de>>(name: &str, json: &'de str) -> Result<T, InputError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let located = |error: &serde_json::Error, path: String| InputError::Json {
        name: name.to_owned(),
        line: error.line(),
        column: error.column(),
        path: shown(&path, 100),
        what: json_sentence(error),
    };
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| located(error.inner(), error.path().to_string()))?;
    reader.end().map_err(|error| located(&error, String::new()))?;
    Ok(value)
}

/// What serde_json says, without its own position, and shorter where it lists every field.
fn json_sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    // The field is anybody's text; the last such words are serde's own.
    let parts = text.strip_prefix("unknown field `").and_then(|rest| rest.rsplit_once("`, expected "));
    if let Some((field, rest)) = parts {
        let known = rest.split('`').skip(1).step_by(2);
        return nearest("field", field, known);
    }
    // Types of this program mean nothing to who writes files.
    if let Some((got, _)) = text.rsplit_once(", expected struct ") {
        let got = match got.strip_prefix("invalid length ") {
            Some(_) => "a list",
            None => got.strip_prefix("invalid type: ").unwrap_or(got),
        };
        return shown(&format!("an object in braces is expected here, not {got}"), 300);
    }
    if text.starts_with("recursion limit") {
        return "nested too deeply".to_owned();
    }
    shown(text, 300)
}

/// The text of a file, decompressed if it ends in `.gz`.
///
/// # Errors
/// [`InputError`] for a missing, unreadable, too large or non-text file.
pub fn read_bytes(path: &Path) -> Result<String, InputError> {
    let name = path.display().to_string();
    let unreadable = |source| InputError::Unreadable { name: name.clone(), source };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if meta.is_dir() {
        return Err(InputError::Directory { name });
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let limit = MAX_FILE_BYTES + 1;
    let read = if path.extension().is_some_and(|ext| ext == "gz") {
        flate2::read::MultiGzDecoder::new(file).take(limit).read_to_end(&mut bytes)
    } else {
        if meta.len() > MAX_FILE_BYTES {
            return Err(InputError::TooLarge { name, bytes: meta.len() });
        }
        file.take(limit).read_to_end(&mut bytes)
    };
    read.map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(InputError::TooLarge { name, bytes: bytes.len() as u64 });
    }
    String::from_utf8(bytes).map_err(|e| InputError::NotText { name, at: e.utf8_error().valid_up_to() })
}

/// Reads a scenario file.
///
/// # Errors
/// [`InputError`].
pub fn read_file(path: &Path) -> Result<Scenario, InputError> {
    let text = read_bytes(path)?;
    Scenario::from_json(&path.display().to_string(), &text)
}

/// Reads a JSON array of steps for a machine of this model: what the page API's `run` takes.
///
/// # Errors
/// [`InputError`].
pub fn read_steps(name: &str, json: &str, cpu: &CpuModel) -> Result<Vec<Step>, InputError> {
    let steps: Vec<Step> = from_json(name, json)?;
    let wrong = |(path, what)| InputError::Content { name: name.to_owned(), path, what };
    check_steps(cpu, &steps).map_err(wrong)?;
    Ok(steps)
}

/// The JSON Schema of a scenario file.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(RawScenario)
}
