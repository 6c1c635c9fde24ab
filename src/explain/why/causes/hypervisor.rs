//! What the hypervisor did, in words: exits, shadow pages and entries, emulated stores.

use super::Chain;
use crate::arch::entry::{D, P, RW};
use crate::arch::{Gfn, Gpa, Level, Mode};
use crate::engine::{AnyVm, Switches};
use crate::explain::why::{Since, Target, last_event};
use crate::explain::{address, hex};
use crate::machine::event::{ExitReason, SpteWhy};
use crate::machine::{Command, Event};
use crate::tr;

impl Chain<'_> {
    pub(super) fn exit(&mut self, at: usize, reason: ExitReason) {
        let (l, question) = (self.language(), self.question);
        let two = matches!(question.before, AnyVm::TwoDim(_));
        if reason == ExitReason::Mmio {
            self.no_memory();
        }
        if reason == ExitReason::EmulatedWrite {
            self.protected(at);
        }
        let text = match reason {
            ExitReason::PageFault if two => tr!(l, "Exit to the hypervisor: the second dimension lacks the page."),
            ExitReason::PageFault => tr!(l, "Exit to the hypervisor: page fault."),
            ExitReason::EmulatedWrite => tr!(l, "Exit to the hypervisor: a store to a protected page."),
            ExitReason::CrAccess => {
                tr!(l, "Exit to the hypervisor: the instruction writes a control register or EFER.")
            }
            ExitReason::Invlpg => tr!(l, "Exit to the hypervisor: the instruction drops cached translations."),
            ExitReason::Mmio => tr!(l, "Exit to the hypervisor: no memory there."),
        };
        self.push(at, text);
        if reason == ExitReason::Mmio {
            let text = tr!(l, "The hypervisor carries the access out, as for a device.");
            self.push(at, text);
        }
    }

    /// The frame without memory behind an MMIO exit.
    fn no_memory(&mut self) {
        let (l, question) = (self.language(), self.question);
        let reached = question.events.iter().find_map(|event| match event {
            Event::Translated { gpa, .. } => Some(*gpa),
            _ => None,
        });
        let target = reached.or(match self.command {
            Command::Poke { pa, .. } => Some(*pa),
            _ => None,
        });
        let Some(gpa) = target.filter(|_| !self.said.mmio) else { return };
        self.said.mmio = true;
        let slots = &question.before.machine().slots;
        let gfn = gpa.gfn();
        if slots.host_frame(gfn).is_some() {
            // A table on the way has no memory, not the page itself.
            let text = tr!(l, "A table on the way lies in no memory slot.").to_owned();
            self.push_to(Target::Page(gfn), text);
            return;
        }
        let text = match self.story() {
            true => tr!(l, "There is no memory at this address: a device may live there.").to_owned(),
            false => tr!(l, "No memory slot holds gfn {gfn}.", gfn = hex(gfn.0)),
        };
        self.push_to(Target::Page(gfn), text);
        if let Since::Step(step) = question.since(|vm| vm.machine().slots.find(gfn).is_some()) {
            let text = tr!(l, "Its memory was taken away at {when}.", when = question.hash(step));
            self.push_to(Target::Step(step), text);
        }
    }

    /// The page table behind an emulated store, and since when it has been protected.
    fn protected(&mut self, at: usize) {
        let (l, question) = (self.language(), self.question);
        let gpa = question.events[at..].iter().find_map(|event| match event {
            Event::Emulate { gpa, .. } => Some(*gpa),
            _ => None,
        });
        let Some(gfn) = gpa.map(Gpa::gfn) else { return };
        let AnyVm::Shadow(vm) = question.before else { return };
        let pool = &vm.engine.pool;
        let level = pool.of_gfn(gfn).map(|id| pool.page(id).role.level).max().unwrap_or(1);
        let table = Mode::table_name(Level(level));
        self.absent_root(gfn);
        let protected =
            last_event(question.lab, question.step.saturating_sub(1), |e| *e == Event::WriteProtect { gfn });
        match protected {
            Some((step, event)) => {
                let text = tr!(
                    l,
                    "Frame {frame} is a guest page table ({table}), write-protected since {when}.",
                    frame = hex(gfn.0),
                    table = table,
                    when = question.hash(step)
                );
                self.push_to(Target::Event(step, event), text);
            }
            None => {
                let text = tr!(l, "Frame {frame} is a guest page table ({table}).", frame = hex(gfn.0), table = table);
                self.push_to(Target::Page(gfn), text);
            }
        }
    }

    /// Q5: a frame is protected because a PDPTE with P = 0 names it.
    fn absent_root(&mut self, gfn: Gfn) {
        let (l, question) = (self.language(), self.question);
        let cpu = &question.before.machine().cpu;
        if !question.before.config().switches.contains(Switches::ABSENT_PDPTE_ROOT) || cpu.mode() != Mode::Pae {
            return;
        }
        let absent = |value: u64| value & P == 0 && crate::arch::entry::frame_4k(value, &cpu.model).gfn() == gfn;
        if let Some(index) = cpu.pdptes.iter().position(|value| absent(*value)) {
            let text = tr!(
                l,
                "Switched on: Q5. PDPTE register {i} has P = 0, yet the frame that it names got a root.",
                i = index
            );
            self.push_to(Target::Register(index), text);
        }
    }

    pub(super) fn hypervisor(&mut self, at: usize) {
        let (l, question) = (self.language(), self.question);
        let deep = self.deep();
        match &question.events[at] {
            Event::ShadowRead { level, index, value, .. } => self.shadow_read(at, *level, *index, value.0),
            Event::NestedRead { level, index, value, .. } if deep => self.push(
                at,
                tr!(
                    l,
                    "The hardware reads the second dimension, level {level}, index {index}: {value}.",
                    level = level,
                    index = index,
                    value = hex(value.0)
                ),
            ),
            Event::NestedRead { .. } if !self.said.nested && !self.story() => {
                self.said.nested = true;
                let all = question.events.iter().filter(|event| matches!(event, Event::NestedRead { .. })).count();
                self.push(at, tr!(l, "The hardware reads {n} entries of the second dimension.", n = all));
            }
            Event::ShadowNew { .. } | Event::ShadowHit { .. } | Event::ShadowZap { .. } => self.pages(at),
            Event::ShadowPin { gfn, .. } if deep => {
                self.push(at, tr!(l, "The shadow of gfn {gfn} becomes a root.", gfn = hex(gfn.0)));
            }
            Event::ShadowUnpin { gfn, .. } if deep => {
                self.push(at, tr!(l, "The shadow of gfn {gfn} is a root no more.", gfn = hex(gfn.0)));
            }
            Event::SpteSet { new, why, level, .. } => self.spte_set(at, *level, new.0, *why),
            Event::SpteClear { level, index, why, .. } if !self.story() => {
                self.spte_clear(at, *level, *index, *why);
            }
            Event::WriteProtect { gfn } if !self.story() => {
                self.push(at, tr!(l, "Gfn {gfn} is a page table now, so no mapping of it may write.", gfn = hex(gfn.0)))
            }
            Event::WriteUnprotect { gfn } => self.push(
                at,
                tr!(l, "A user store to gfn {gfn}: KVM takes it for a page table no more.", gfn = hex(gfn.0)),
            ),
            Event::Emulate { gpa, .. } => self.push(
                at,
                match self.story() {
                    true => tr!(l, "KVM carries the store out and corrects the shadow.").to_owned(),
                    false => tr!(l, "KVM emulates the store to {place}.", place = address("GPA", gpa.0)),
                },
            ),
            Event::Flood { gfn } => self.push(
                at,
                tr!(l, "Gfn {gfn} was written three times in a row: KVM takes it for data.", gfn = hex(gfn.0)),
            ),
            Event::Unsync { gfn } => self
                .push(at, tr!(l, "From now on the guest may write the table in gfn {gfn} unseen.", gfn = hex(gfn.0))),
            Event::Sync { gfn } => self.push(
                at,
                tr!(
                    l,
                    "The shadow of gfn {gfn} is compared with the guest's table and protected again.",
                    gfn = hex(gfn.0)
                ),
            ),
            Event::Reclaim => self.push(at, tr!(l, "Few shadow pages are left: KVM zaps the oldest.")),
            Event::RmapAdd { hfn } if deep => {
                self.push(at, tr!(l, "The reverse map of hfn {hfn} gains an entry.", hfn = hex(hfn.0)));
            }
            Event::RmapRemove { hfn } if deep => {
                self.push(at, tr!(l, "The reverse map of hfn {hfn} loses an entry.", hfn = hex(hfn.0)));
            }
            Event::AuditFailed { invariant, witness } => self.push(
                at,
                tr!(l, "Invariant {invariant} is broken: {witness}.", invariant = invariant, witness = witness),
            ),
            _ => {}
        }
    }

    fn shadow_read(&mut self, at: usize, level: u8, index: usize, value: u64) {
        let l = self.language();
        let absent = value & P == 0;
        let next = self.question.events.get(at + 1);
        let refuses =
            !matches!(next, Some(Event::ShadowRead { .. } | Event::TlbFill { .. } | Event::Translated { .. }));
        if (absent || refuses) && !self.story() && (self.deep() || !self.said.shadow_miss) {
            self.said.shadow_miss = true;
            let text = if absent {
                tr!(l, "The shadow entry was missing: level {level}, index {index}.", level = level, index = index)
            } else if crate::engine::shadow::spte::of_mmio(value).is_some() {
                tr!(l, "The shadow entry is a mark with a reserved bit: no memory there.").to_owned()
            } else if value & RW == 0 {
                tr!(
                    l,
                    "The shadow entry has W = 0: level {level}, index {index}, {value}.",
                    level = level,
                    index = index,
                    value = hex(value)
                )
            } else {
                tr!(
                    l,
                    "The shadow entry denies it: level {level}, index {index}, {value}.",
                    level = level,
                    index = index,
                    value = hex(value)
                )
            };
            self.push(at, text);
        } else if self.deep() {
            self.push(
                at,
                tr!(
                    l,
                    "The hardware reads the shadow, level {level}, index {index}: {value}.",
                    level = level,
                    index = index,
                    value = hex(value)
                ),
            );
        }
    }

    fn pages(&mut self, at: usize) {
        let (l, question) = (self.language(), self.question);
        match &question.events[at] {
            Event::ShadowNew { gfn, role } if self.deep() => self.push(
                at,
                tr!(l, "KVM makes a shadow of gfn {gfn}, level {level}.", gfn = hex(gfn.0), level = role.level),
            ),
            Event::ShadowNew { gfn, .. } if !self.said.pages => {
                self.said.pages = true;
                let all = question.events.iter().filter(|event| matches!(event, Event::ShadowNew { .. })).count();
                let text = match (all, self.story()) {
                    (1, false) => tr!(l, "KVM makes a shadow of gfn {gfn}.", gfn = hex(gfn.0)),
                    (_, true) => tr!(l, "KVM copies the guest's tables into tables of its own.").to_owned(),
                    _ => tr!(l, "KVM makes {n} shadow pages, the first of gfn {gfn}.", n = all, gfn = hex(gfn.0)),
                };
                self.push(at, text);
            }
            Event::ShadowHit { gfn, .. } if !self.story() => self.push(
                at,
                tr!(l, "KVM finds the shadow of gfn {gfn} again: it need not be built anew.", gfn = hex(gfn.0)),
            ),
            Event::ShadowZap { gfn, role } if self.deep() => self.push(
                at,
                tr!(l, "The shadow of gfn {gfn}, level {level}, is zapped.", gfn = hex(gfn.0), level = role.level),
            ),
            Event::ShadowZap { gfn, .. } if !self.said.zapped => {
                self.said.zapped = true;
                let all = question.events.iter().filter(|event| matches!(event, Event::ShadowZap { .. })).count();
                let text = if all == 1 {
                    tr!(l, "The shadow of gfn {gfn} is zapped.", gfn = hex(gfn.0))
                } else {
                    tr!(l, "{n} shadow pages are zapped, the first of gfn {gfn}.", n = all, gfn = hex(gfn.0))
                };
                self.push(at, text);
            }
            _ => {}
        }
    }

    fn spte_set(&mut self, at: usize, level: u8, new: u64, why: SpteWhy) {
        let l = self.language();
        if self.story() && why != SpteWhy::Write {
            return;
        }
        let text = match why {
            SpteWhy::Fill if new & RW == 0 => self.filled_read_only(new),
            SpteWhy::Fill => tr!(l, "The shadow entry is filled in from the guest's."),
            SpteWhy::Write => tr!(l, "KVM grants the write in the shadow entry."),
            SpteWhy::Read => {
                tr!(l, "KVM grants user reads again and takes W away: the trick for CR0.WP = 0 is undone.")
            }
            SpteWhy::Mmio => tr!(l, "KVM marks the shadow entry: no memory there."),
            SpteWhy::Sync => tr!(l, "A shadow entry is brought up to date with the guest's."),
            SpteWhy::DirtyLog => tr!(l, "A shadow entry loses W, so that the next store is seen."),
            SpteWhy::WriteProtect => tr!(l, "A mapping of the frame loses W."),
            SpteWhy::Prefetch if self.deep() => tr!(l, "A neighbour is filled in as well."),
            SpteWhy::Table if self.deep() => {
                let text = tr!(l, "A table is linked at level {level}.", level = level);
                self.push(at, text);
                return;
            }
            _ => return,
        };
        self.push(at, text);
    }

    /// Why KVM filled an entry in without W.
    fn filled_read_only(&self, new: u64) -> &'static str {
        use crate::engine::shadow::spte;
        let l = self.language();
        let write = self.command.access().is_some_and(|(_, access)| access.is_write());
        if new & spte::GUEST_WRITE == 0 {
            tr!(l, "The shadow entry is filled in without W: the guest's entries allow no writes.")
        } else if new & D == 0 {
            tr!(l, "It is filled in without W: the guest's entry has D = 0, so KVM must see the first write to set it.")
        } else if write {
            tr!(l, "It is filled in without W: the frame is a guest page table.")
        } else {
            tr!(l, "The shadow entry is filled in without W.")
        }
    }

    fn spte_clear(&mut self, at: usize, level: u8, index: usize, why: SpteWhy) {
        let l = self.language();
        let text = match why {
            SpteWhy::Write => tr!(
                l,
                "The shadow entry that mirrors it is cleared: level {level}, index {index}.",
                level = level,
                index = index
            ),
            SpteWhy::Invlpg => tr!(l, "The shadow entry of the address is cleared.").to_owned(),
            SpteWhy::Sync => {
                tr!(l, "A stale shadow entry is cleared: level {level}, index {index}.", level = level, index = index)
            }
            SpteWhy::Replaced => {
                tr!(l, "Another table belongs at level {level} now: the old link is cut.", level = level)
            }
            _ if self.deep() => {
                tr!(l, "A shadow entry is cleared: level {level}, index {index}.", level = level, index = index)
            }
            _ => return,
        };
        self.push(at, text);
    }
}
