//! Steps as files write them.

use serde::Serialize;

use super::ExportError;
use super::predicate::flag_names;
use crate::arch::address::Num;
use crate::arch::{AccessKind, Gpa, Gva};
use crate::machine::Command;
use crate::machine::command::{MapSize, Size, SlotAction};
use crate::scenario::file::Text;
use crate::scenario::predicate::Predicate;
use crate::scenario::step::{MAP_FLAGS, Step, StepKind, Want};

/// The size of a store or a load is a number, that of a page a name, that of a slot in hex.
#[derive(Serialize)]
#[serde(untagged)]
enum SizeOut {
    Operand(Size),
    Page(MapSize),
    Slot(Num),
}

/// Every field that a step can have, in the order in which people write them.
#[derive(Default, Serialize)]
struct StepOut<'a> {
    op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<Num>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcid: Option<Num>,
    #[serde(skip_serializing_if = "Option::is_none")]
    va: Option<Gva>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pa: Option<Gpa>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpa: Option<Gpa>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<AccessKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    val: Option<Num>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<SizeOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cr0: Option<Num>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cr3: Option<Num>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cr4: Option<Num>,
    #[serde(skip_serializing_if = "Option::is_none")]
    efer: Option<Num>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<SlotAction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    user: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ac: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    seg: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    compat: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    that: Option<&'a Predicate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    want: Option<Want>,
}

/// A step as one line of JSON; `None` for a note without text.
///
/// # Errors
/// [`ExportError`].
pub(super) fn line(step: &Step) -> Result<Option<String>, ExportError> {
    let out = match &step.kind {
        StepKind::Note(Text::None) => return Ok(None),
        StepKind::Note(text) => StepOut { op: "note", text: Some(text), ..StepOut::default() },
        StepKind::Expect(that) => StepOut { op: "expect", that: Some(that), ..StepOut::default() },
        StepKind::Command(command) => {
            let out = of_command(command)?;
            StepOut { val: step.want_value.or(out.val), want: step.want, ..out }
        }
    };
    Ok(Some(super::json(&out)))
}

/// What the machine takes of a value: the low `size` bytes.
fn low(val: Num, size: Size) -> Num {
    Num(val.0 & u64::MAX >> (64 - 8 * size.bytes()))
}

fn of_command(command: &Command) -> Result<StepOut<'static>, ExportError> {
    let none = StepOut { op: command.op(), ..StepOut::default() };
    Ok(match *command {
        Command::Access { va, kind, user, ac, stack } => {
            let seg = stack.then_some("ss");
            StepOut { va: Some(va), kind: Some(kind), user, ac, seg, ..none }
        }
        Command::Write { va, val, size, user, ac } => {
            let val = Some(low(val, size));
            StepOut { va: Some(va), val, size: Some(SizeOut::Operand(size)), user, ac, ..none }
        }
        Command::Read { va, size, user, ac } => {
            StepOut { va: Some(va), size: Some(SizeOut::Operand(size)), user, ac, ..none }
        }
        Command::Poke { pa, val, size } | Command::Dma { pa, val, size } => {
            let shown = (size != Size::WORD).then_some(SizeOut::Operand(size));
            StepOut { pa: Some(pa), val: Some(low(val, size)), size: shown, ..none }
        }
        Command::MovCr0 { val, compat }
        | Command::MovCr3 { val, compat }
        | Command::MovCr4 { val, compat }
        | Command::WrmsrEfer { val, compat } => StepOut { val: Some(val), compat, ..none },
        Command::Wrpkru { val } => StepOut { val: Some(Num(val.0 & 0xffff_ffff)), ..none },
        Command::Invlpg { va } => StepOut { va: Some(va), ..none },
        Command::Invpcid { kind, pcid, va } => StepOut { r#type: Some(kind), pcid: Some(pcid), va: Some(va), ..none },
        Command::SetSregs { cr0, cr3, cr4, efer } => {
            StepOut { cr0: Some(cr0), cr3: Some(cr3), cr4: Some(cr4), efer: Some(efer), ..none }
        }
        Command::Memslot { gpa, size, action } => {
            let size = (size.0 != 0 || action == SlotAction::Add).then_some(SizeOut::Slot(size));
            StepOut { gpa: Some(gpa), size, action: Some(action), ..none }
        }
        Command::DirtyLog { gpa } => StepOut { gpa: Some(gpa), ..none },
        Command::Map { va, pa, size, flags } => {
            let named = MAP_FLAGS.iter().fold(0, |bits, (_, bit)| bits | bit);
            if flags & !named != 0 {
                return Err(ExportError::Flags(flags & !named));
            }
            let flags = flag_names(flags, &MAP_FLAGS);
            StepOut { va: Some(va), pa: Some(pa), size: Some(SizeOut::Page(size)), flags, ..none }
        }
    })
}
