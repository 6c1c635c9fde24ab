//! Which entry of the guest's tables decided, and since when it has been so.

use super::words::{bit_list, command as command_words};
use super::{Cause, Depth, Question, Since, Target, last_event};
use crate::arch::entry::{self, P, RW, US, XD};
use crate::arch::walk::TableMemory as _;
use crate::arch::{Gpa, Gva, Level, Mode, pdpte};
use crate::engine::{AnyVm, EngineName, Switches};
use crate::explain::{address, hex};
use crate::language::Language;
use crate::machine::event::{EntrySource, FaultWhy};
use crate::machine::{Event, Machine};
use crate::tr;

/// An entry on the way of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Level of its table.
    pub level: u8,
    /// Its index.
    pub index: usize,
    /// Where it lies in memory.
    pub gpa: Gpa,
    /// Its value.
    pub value: u64,
    /// It is a PDPTE register.
    pub register: bool,
}

impl Hop {
    /// `PTE[1]`.
    pub fn name(&self) -> String {
        format!("{}[{}]", Mode::entry_name(Level(self.level)), self.index)
    }

    /// Where it is to be seen.
    pub const fn target(&self) -> Target {
        if self.register { Target::Register(self.index) } else { Target::Entry(self.level, self.gpa) }
    }
}

/// Whether the guest's PDPTEs are read from memory at each walk.
pub fn pdptes_from_memory(vm: &AnyVm) -> bool {
    let config = vm.config();
    match config.name {
        EngineName::Kvm2007 => config.switches.contains(Switches::PDPTES_FROM_MEMORY),
        name => name.reads_pdptes_from_memory() && !config.switches.contains(Switches::PDPTE_REGISTERS),
    }
}

/// The entries that an address selects in memory, from the top to the leaf or the first that ends it.
pub fn path(machine: &Machine, from_memory: bool, va: Gva) -> Vec<Hop> {
    let cpu = &machine.cpu;
    let mode = cpu.mode();
    let (gva, mut table) = (mode.linear(va), cpu.paging.root);
    let mut hops = Vec::new();
    for level in Level::down_from(mode.top_level()) {
        let index = mode.index(level, gva);
        let register = mode == Mode::Pae && level == pdpte::LEVEL;
        let gpa = if register {
            pdpte::address(table, index)
        } else {
            Gpa(table.gfn().base().0 + ((index as u64) << mode.entry_shift()))
        };
        let value = match register && !from_memory {
            true => cpu.pdptes[index],
            false => machine.memory.read_entry(gpa, mode.entry_shift()),
        };
        hops.push(Hop { level: level.0, index, gpa, value, register: register && !from_memory });
        let leaf = value & entry::PS != 0 && entry::page_size_bit_counts(mode, level, cpu.regs.cr4);
        if value & P == 0 || leaf && !register {
            break;
        }
        table = entry::frame_4k(value, &cpu.model);
    }
    hops
}

/// The entries that a command's walk used: those that its events tell, and above them those in memory.
pub fn used_path(question: &Question<'_>, va: Gva) -> Vec<Hop> {
    let begun = question.events.iter().rposition(|event| matches!(event, Event::Translated { .. }));
    // Of an access that crosses a page the second piece counts, if it came so far.
    let events = match begun {
        Some(at) if at + 1 < question.events.len() && faulted(&question.events[at..]) => &question.events[at + 1..],
        _ => question.events,
    };
    let read = |event: &Event| match event {
        Event::WalkRead { level, from, index, gpa, value } => Some(Hop {
            level: *level,
            index: *index,
            gpa: *gpa,
            value: value.0,
            register: *from == EntrySource::PdpteRegister,
        }),
        _ => None,
    };
    let mut hops = path(question.before.machine(), pdptes_from_memory(question.before), va);
    let reads: Vec<Hop> = events.iter().filter_map(read).collect();
    if let Some(lowest) = reads.iter().map(|hop| hop.level).min() {
        for read in reads {
            hops.retain(|hop| hop.level != read.level);
            hops.push(read);
        }
        hops.retain(|hop| hop.level >= lowest);
        hops.sort_by_key(|hop| std::cmp::Reverse(hop.level));
    }
    hops
}

fn faulted(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Fault { .. }))
}

/// The causes of a fault in the guest's own tables and registers.
pub fn fault_causes(question: &Question<'_>, at: usize, va: Gva, why: &FaultWhy) -> Vec<Cause> {
    let l = question.language;
    let hops = used_path(question, va);
    let mut causes = register_causes(question, &hops);
    if causes.is_empty() && question.depth > Depth::Story {
        causes.extend(fresh_register(question, &hops));
    }
    match why {
        FaultWhy::NotPresent { level } => {
            if let Some(hop) = hops.iter().find(|hop| hop.level == *level) {
                let text = match question.depth {
                    Depth::Story if hop.register => {
                        tr!(l, "The processor's copy of entry {i} is switched off: P = 0.", i = hop.index)
                    }
                    Depth::Story => tr!(l, "{entry} is switched off: P = 0.", entry = hop.name()),
                    // Memory may hold another entry of that name.
                    _ if hop.register => {
                        tr!(l, "PDPTE register {i} is {value}: P = 0.", i = hop.index, value = hex(hop.value))
                    }
                    _ => tr!(l, "{entry} is {value}: P = 0.", entry = hop.name(), value = hex(hop.value)),
                };
                causes.push(Cause { text, target: hop.target() });
                causes.extend(since_entry(question, hop, P));
            }
        }
        FaultWhy::Reserved { level, bits } => {
            if let Some(hop) = hops.iter().find(|hop| hop.level == *level) {
                let list = bit_list(bits.0, l);
                let text = tr!(l, "{entry} has reserved {bits} set.", entry = hop.name(), bits = list);
                causes.push(Cause { text, target: hop.target() });
                causes.extend(reserved_because(question, at, hop, bits.0));
                causes.extend(since_entry(question, hop, bits.0));
            }
        }
        FaultWhy::Rights { broken } => {
            for name in broken.names() {
                causes.extend(denied(question, &hops, name));
            }
        }
        FaultWhy::NonCanonical { width } => {
            let high = width - 1;
            let text =
                tr!(l, "Bits 63:{high} of {address} are not all equal.", high = high, address = address("GVA", va.0));
            causes.push(Cause { text, target: Target::Event(question.step, at) });
        }
    }
    causes
}

/// Whether the PDPTE of a path is a register whose memory says something else.
pub fn stale_register(question: &Question<'_>, hops: &[Hop]) -> Option<(Hop, u64)> {
    let machine = question.before.machine();
    let hop = hops.iter().find(|hop| hop.register)?;
    let memory = machine.memory.read_u64(hop.gpa);
    (machine.cpu.mode() == Mode::Pae && memory != hop.value).then_some((*hop, memory))
}

/// Where a PDPTE register got its content, and since when memory says something else.
pub fn register_causes(question: &Question<'_>, hops: &[Hop]) -> Vec<Cause> {
    let l = question.language;
    let Some((hop, memory)) = stale_register(question, hops) else { return Vec::new() };
    let mut causes = Vec::new();
    let loaded = last_event(question.lab, question.step.saturating_sub(1), |e| matches!(e, Event::PdpteLoad { .. }));
    let (i, value) = (hop.index, hex(hop.value));
    causes.push(match loaded {
        Some((step, event)) => Cause {
            text: match question.depth {
                Depth::Story => {
                    tr!(
                        l,
                        "The processor keeps its own copy of entry {i}, loaded at {when}.",
                        i = i,
                        when = question.hash(step)
                    )
                }
                _ => tr!(
                    l,
                    "PDPTE register {i} holds {value}, loaded at {when}.",
                    i = i,
                    value = value,
                    when = question.hash(step)
                ),
            },
            target: Target::Event(step, event),
        },
        None => Cause {
            text: tr!(l, "PDPTE register {i} holds {value}, as at the start.", i = i, value = value),
            target: Target::Register(i),
        },
    });
    let changed = question.since(|vm| vm.machine().memory.read_u64(hop.gpa));
    let (now, place) = (hex(memory), address("GPA", hop.gpa.0));
    causes.push(match changed {
        Since::Step(step) => Cause {
            text: match question.depth {
                Depth::Story => {
                    tr!(l, "Memory changed at {when}; nothing has loaded it since.", when = question.hash(step))
                }
                _ => tr!(
                    l,
                    "Memory at {place} holds {now} since {when}; no load since, so the walk goes by the register.",
                    place = place,
                    now = now,
                    when = question.hash(step)
                ),
            },
            target: Target::Step(step),
        },
        _ => Cause {
            text: tr!(l, "Memory at {place} holds {now}; the walk goes by the register.", place = place, now = now),
            target: Target::Entry(hop.level, hop.gpa),
        },
    });
    causes
}

/// The load that gave a PDPTE register what led here, where it was no load of the start.
fn fresh_register(question: &Question<'_>, hops: &[Hop]) -> Option<Cause> {
    let l = question.language;
    let hop = hops.iter().find(|hop| hop.register && hop.value & P != 0)?;
    let index = hop.index;
    let loaded = |event: &Event| matches!(event, Event::PdpteLoad { old, new, .. } if old[index] != new[index]);
    let (step, event) = last_event(question.lab, question.step.saturating_sub(1), loaded)?;
    let (value, when) = (hex(hop.value), question.hash(step));
    let text = tr!(l, "PDPTE register {i} holds {value}, loaded at {when}.", i = index, value = value, when = when);
    Some(Cause { text, target: Target::Event(step, event) })
}

/// Since when the bits of an entry have been as they are, and which command made them so.
pub fn since_entry(question: &Question<'_>, hop: &Hop, mask: u64) -> Option<Cause> {
    let l = question.language;
    if hop.register {
        if stale_register(question, std::slice::from_ref(hop)).is_some() {
            return None;
        }
        let (step, event) =
            last_event(question.lab, question.step.saturating_sub(1), |e| matches!(e, Event::PdpteLoad { .. }))?;
        let text = tr!(l, "The register was loaded at {when}.", when = question.hash(step));
        return Some(Cause { text, target: Target::Event(step, event) });
    }
    let size = question.before.machine().cpu.mode().entry_size() as u32;
    said_since(question, question.since(|vm| vm.machine().memory.read(hop.gpa, size) & mask))
}

/// A history in words.
pub fn said_since(question: &Question<'_>, since: Since) -> Option<Cause> {
    let l = question.language;
    match since {
        Since::Step(step) => {
            let command = question.lab.command(step).map(|command| command_words(command, l)).unwrap_or_default();
            let when = question.hash(step);
            let text = match question.depth {
                Depth::Story => tr!(l, "It has been so since {when}.", when = when),
                _ => tr!(l, "It has been so since {when}: {command}.", when = when, command = command),
            };
            Some(Cause { text, target: Target::Step(step) })
        }
        Since::Start if question.depth > Depth::Story => {
            let text = tr!(l, "It has been so from the start.").to_owned();
            Some(Cause { text, target: Target::Step(0) })
        }
        _ => None,
    }
}

/// What makes the bits reserved.
fn reserved_because(question: &Question<'_>, at: usize, hop: &Hop, bits: u64) -> Option<Cause> {
    let l = question.language;
    let cpu = &question.before.machine().cpu;
    let width = cpu.model.maxphyaddr;
    let above = bits & (u64::MAX << width) & !XD;
    let target = Target::Event(question.step, at);
    if bits & XD != 0 && cpu.mode() != Mode::Bits32 {
        let text = tr!(l, "EFER.NXE = 0: bit 63 is reserved, not XD.").to_owned();
        return Some(Cause { text, target });
    }
    if above == bits {
        let text = tr!(l, "MAXPHYADDR is {width}: no physical address has bits from {width} on.", width = width);
        return Some(Cause { text, target });
    }
    let large = hop.level > 1 && hop.value & entry::PS != 0;
    let text = if bits & entry::PS != 0 && hop.level == pdpte::LEVEL.0 {
        tr!(l, "This processor has no pages of 1 GiB: {entry} must have PS = 0.", entry = hop.name())
    } else if large && bits & entry::PS == 0 && cpu.mode() != Mode::Bits32 {
        tr!(l, "PS = 1: {entry} maps a large page, whose low address bits must be 0.", entry = hop.name())
    } else {
        tr!(l, "The format of {entry} keeps these bits for later processors.", entry = hop.name())
    };
    (question.depth > Depth::Story).then_some(Cause { text, target })
}

/// The entry that denies a right, the guard that makes it count, and their history.
fn denied(question: &Question<'_>, hops: &[Hop], rule: &str) -> Vec<Cause> {
    let l = question.language;
    let entries = || hops.iter().filter(|hop| !(hop.register || hop.level == 3 && is_pae(question)));
    let mut causes = Vec::new();
    let mut entry = |hop: Option<&Hop>, mask: u64, text: &dyn Fn(&Hop) -> String| {
        if let Some(hop) = hop {
            causes.push(Cause { text: text(hop), target: hop.target() });
            causes.extend(since_entry(question, hop, mask));
        }
    };
    match rule {
        "write" => entry(entries().find(|hop| hop.value & RW == 0), RW, &|hop| {
            denial(l, hop, hops, tr!(l, "R/W = 0: it allows no writes"))
        }),
        "user" => entry(entries().find(|hop| hop.value & US == 0), US, &|hop| {
            denial(l, hop, hops, tr!(l, "U/S = 0: it is the kernel's"))
        }),
        "execute" => entry(entries().find(|hop| hop.value & XD != 0), XD, &|hop| {
            denial(l, hop, hops, tr!(l, "XD = 1: it forbids execution"))
        }),
        "smep" | "smap" => entry(entries().next_back(), US, &|_| {
            tr!(l, "U/S = 1 in every entry of the path: this is a user page.").to_owned()
        }),
        _ => entry(entries().next_back(), 0xf << entry::KEY_SHIFT, &|hop| {
            tr!(
                l,
                "{entry} gives the page protection key {key}.",
                entry = hop.name(),
                key = entry::protection_key(hop.value)
            )
        }),
    }
    causes.extend(guard(question, rule));
    causes
}

fn is_pae(question: &Question<'_>) -> bool {
    question.before.machine().cpu.mode() == Mode::Pae
}

/// `PDE[9] has R/W = 0: …`; said of the first entry from the top, with a word where that is not the leaf.
fn denial(l: Language, hop: &Hop, hops: &[Hop], what: &str) -> String {
    let leaf = hops.last().is_some_and(|last| last.level == hop.level);
    if leaf {
        tr!(l, "{entry} has {what}.", entry = hop.name(), what = what)
    } else {
        tr!(l, "{entry} has {what}, whatever the entries below say.", entry = hop.name(), what = what)
    }
}

/// The control bit that makes a denial count.
fn guard(question: &Question<'_>, rule: &str) -> Option<Cause> {
    use crate::arch::{Cr0, Cr4, Efer};
    let l = question.language;
    let user = question.command().and_then(|command| command.access()).is_some_and(|(_, access)| access.user);
    let said = |text: &str, probe: &dyn Fn(&AnyVm) -> u64| {
        let since = question.since(probe);
        match since {
            Since::Step(step) => Cause {
                text: tr!(l, "{fact}, since {when}.", fact = text, when = question.hash(step)),
                target: Target::Step(step),
            },
            _ => Cause { text: tr!(l, "{fact}.", fact = text), target: Target::Step(0) },
        }
    };
    let cr4 = |bit: Cr4| move |vm: &AnyVm| (vm.machine().cpu.regs.cr4 & bit).bits();
    match rule {
        "write" if !user => Some(said(tr!(l, "CR0.WP = 1: the kernel, too, must keep to R/W"), &|vm| {
            (vm.machine().cpu.regs.cr0 & Cr0::WP).bits()
        })),
        "execute" if question.depth > Depth::Story => {
            Some(said(tr!(l, "EFER.NXE = 1: XD counts"), &|vm| (vm.machine().cpu.regs.efer & Efer::NXE).bits()))
        }
        "smep" => Some(said(tr!(l, "CR4.SMEP = 1: the kernel must not execute user pages"), &cr4(Cr4::SMEP))),
        "smap" => Some(said(tr!(l, "CR4.SMAP = 1 and AC = 0: the kernel must not touch user pages"), &cr4(Cr4::SMAP))),
        "key_access" | "key_write" => {
            let pkru = question.before.machine().cpu.pkru;
            let text = tr!(l, "PKRU is {value}: it denies the access to this key", value = hex(u64::from(pkru)));
            Some(said(&text, &|vm| u64::from(vm.machine().cpu.pkru)))
        }
        _ => None,
    }
}
