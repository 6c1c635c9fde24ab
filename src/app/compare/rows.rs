//! Events into deeds: what belongs together becomes one row.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::deeds::{Data, Deed, End, FaultKind, From, Tlb, Walk, Walker};
use crate::arch::entry::P;
use crate::arch::{Gfn, Gpa, pdpte};
use crate::engine::{AnyVm, EngineConfig, EngineName};
use crate::machine::Event;
use crate::machine::event::{EntrySource, ExitReason, SpteWhy, StoreBy};

/// A row of a column: a deed and the events that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What was done.
    pub deed: Deed,
    /// Which events of the command, by their place.
    pub events: Vec<u32>,
}

impl Row {
    /// Whether it has begun when so many events have happened.
    #[must_use]
    pub fn begun(&self, shown: usize) -> bool {
        self.events.iter().any(|event| (*event as usize) < shown)
    }
}

/// Whether an engine has a shadow, so that the guest's tables are walked by KVM.
#[must_use]
pub const fn has_shadow(engine: EngineConfig) -> bool {
    !matches!(engine.name, EngineName::Native | EngineName::Ept | EngineName::Npt)
}

/// The rows of a command's events.
#[must_use]
pub fn rows(engine: EngineConfig, events: &[Event]) -> Vec<Row> {
    let mut builder = Builder { shadow: has_shadow(engine), ..Builder::default() };
    for (at, event) in events.iter().enumerate() {
        builder.at = at as u32;
        builder.add(event);
    }
    builder.rows
}

/// A number that equal collections of deeds share, and others do not but by chance (2^-64).
#[must_use]
pub fn digest(rows: &[Row]) -> u64 {
    let one = |row: &Row| {
        let mut hasher = DefaultHasher::new();
        row.deed.hash(&mut hasher);
        hasher.finish()
    };
    // A sum does not know an order; each term is mixed already.
    rows.iter().map(one).fold(0x9e37_79b9_7f4a_7c15, u64::wrapping_add)
}

/// The rows of the command that this machine is about to carry out.
pub fn rows_of(vm: &mut AnyVm, command: &crate::machine::Command, events: &mut Vec<Event>) -> Vec<Row> {
    events.clear();
    vm.execute(command, events);
    rows(vm.config(), events)
}

#[derive(Default)]
struct Builder {
    rows: Vec<Row>,
    at: u32,
    shadow: bool,
    /// Where an exit belongs that is told now: behind the last thing that the hardware did.
    work: usize,
    /// The same before the access arrived, for an access that turns out to be emulated.
    before_reach: usize,
    tlb: (Tlb, Vec<u32>),
    emulated: Option<Gpa>,
}

impl Builder {
    fn push(&mut self, deed: Deed) {
        self.rows.push(Row { deed, events: vec![self.at] });
    }

    /// Something that the hardware did: an exit after it does not belong before it.
    fn push_hardware(&mut self, deed: Deed) {
        self.push(deed);
        self.work = self.rows.len();
    }

    /// Lets the event join the last row where `join` takes it.
    fn joins(&mut self, join: impl FnOnce(&mut Deed) -> bool) -> bool {
        let at = self.at;
        self.rows.last_mut().is_some_and(|row| {
            let joined = join(&mut row.deed);
            if joined {
                row.events.push(at);
            }
            joined
        })
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::WalkRead { level, from, gpa, value, .. } => {
                self.walk_read(*from, End { level: *level, gpa: *gpa, present: value.0 & P != 0 });
            }
            Event::PscHit { .. } => self.push(Deed::Walk(Walk { from: From::Cached, ..self.walk() })),
            Event::NestedRead { value, .. } => self.nested_read(value.0 == 0),
            Event::SetAccessed { .. } => self.mark(1, 0),
            Event::SetDirty { .. } => self.mark(0, 1),
            Event::ShadowRead { level, value, .. } => self.shadow_read(*level, value.0 & P == 0),
            Event::TlbHit { .. } => self.tlb_event(Tlb::Hit),
            Event::TlbFill { .. } => self.tlb_event(Tlb::Fill),
            Event::Translated { gpa, .. } => self.reach(*gpa),
            Event::Store { gpa, by, .. } => self.store(*gpa, *by),
            Event::Load { gpa, value, .. } => {
                if !self.data(*gpa, Data::Load(*value)) {
                    self.push(Deed::Reach { tlb: Tlb::None, gpa: *gpa, data: Data::Load(*value) });
                }
            }
            Event::VmExit { reason } => self.exit(*reason),
            Event::Inject => self.inject(),
            Event::Fault { vector, err, why, .. } => {
                self.push(Deed::Fault { vector: *vector, err: *err, why: *why });
            }
            Event::Refused { why } => self.push(Deed::Refused(*why)),
            Event::Register { name, new, .. } => self.push(Deed::Register { name: *name, value: *new }),
            Event::PdpteLoad { old, new, .. } => {
                let changed = old.iter().zip(new).filter(|(old, new)| old != new).count() as u32;
                self.push(Deed::Pdptes { changed });
            }
            Event::PdpteReject { index, bits, .. } => self.push(Deed::PdpteReject { index: *index, bits: *bits }),
            Event::TlbFlush { scope, cause, .. } => self.push(Deed::Flush { scope: *scope, cause: *cause }),
            Event::Memslot { gpa, action } => self.push(Deed::Memslot { gpa: *gpa, action: *action }),
            Event::DirtyLog { frames, .. } => self.push(Deed::DirtyLog { frames: frames.clone() }),
            Event::AuditFailed { invariant, .. } => self.push(Deed::Audit(invariant.clone())),
            other => self.add_shadow(other),
        }
    }

    /// What only a shadow MMU does.
    fn add_shadow(&mut self, event: &Event) {
        match event {
            Event::ShadowNew { gfn, role } => self.page(*gfn, role.level, false),
            Event::ShadowHit { gfn, role } => self.page(*gfn, role.level, true),
            Event::ShadowZap { gfn, role } => self.zap(*gfn, role.level),
            Event::ShadowPin { gfn, role } => self.root(*gfn, role.level, true),
            Event::ShadowUnpin { gfn, role } => self.root(*gfn, role.level, false),
            Event::SpteSet { why, .. } => self.entry(*why, false),
            Event::SpteClear { why, .. } => self.entry(*why, true),
            Event::WriteProtect { gfn } => self.write_protect(*gfn),
            Event::WriteUnprotect { gfn } => self.push(Deed::WriteUnprotect(*gfn)),
            Event::Emulate { gpa, .. } => {
                self.emulated = Some(*gpa);
                self.push(Deed::Emulate { gpa: *gpa });
            }
            Event::Flood { gfn } => self.push(Deed::Flood(*gfn)),
            Event::Unsync { gfn } => self.push(Deed::Unsync(*gfn)),
            Event::Sync { gfn } => self.push(Deed::Sync(*gfn)),
            Event::Reclaim => self.push(Deed::Reclaim),
            // The reverse map is an engine's own book-keeping.
            _ => {}
        }
    }

    const fn walk(&self) -> Walk {
        let by = if self.shadow { Walker::Kvm } else { Walker::Hardware };
        let (from, end) = (From::Root, None);
        Walk { by, from, reads: 0, nested: 0, nested_missing: false, accessed: 0, dirty: 0, end }
    }

    fn walk_read(&mut self, from: EntrySource, end: End) {
        let reads = u32::from(from == EntrySource::Memory);
        let first = |walk: &Walk| walk.from == From::Root && walk.end.is_none();
        let begins_at_pdpte = end.level == pdpte::LEVEL.0;
        let joined = self.joins(|deed| match deed {
            Deed::Walk(walk) if walk.end.is_none_or(|last| end.level < last.level) => {
                if first(walk) && begins_at_pdpte {
                    walk.from = From::Pdpte(from);
                }
                walk.reads += reads;
                walk.end = Some(end);
                true
            }
            _ => false,
        });
        if !joined {
            let start = if begins_at_pdpte { From::Pdpte(from) } else { From::Root };
            self.push(Deed::Walk(Walk { from: start, reads, end: Some(end), ..self.walk() }));
        }
    }

    fn nested_read(&mut self, missing: bool) {
        let joined = self.joins(|deed| match deed {
            Deed::Walk(walk) => {
                walk.nested += 1;
                walk.nested_missing = missing;
                true
            }
            _ => false,
        });
        if !joined {
            self.push(Deed::Walk(Walk { nested: 1, nested_missing: missing, ..self.walk() }));
        }
    }

    fn mark(&mut self, accessed: u32, dirty: u32) {
        let joined = self.joins(|deed| match deed {
            Deed::Walk(Walk { accessed: a, dirty: d, .. }) | Deed::Marks { accessed: a, dirty: d } => {
                (*a, *d) = (*a + accessed, *d + dirty);
                true
            }
            _ => false,
        });
        if !joined {
            self.push(Deed::Marks { accessed, dirty });
        }
    }

    fn shadow_read(&mut self, to: u8, nothing: bool) {
        let joined = self.joins(|deed| match deed {
            Deed::ShadowWalk { reads, level, missing } if to < *level => {
                (*reads, *level, *missing) = (*reads + 1, to, nothing);
                true
            }
            _ => false,
        });
        if !joined {
            self.push_hardware(Deed::ShadowWalk { reads: 1, level: to, missing: nothing });
        }
    }

    fn tlb_event(&mut self, tlb: Tlb) {
        self.tlb.0 = tlb;
        self.tlb.1.push(self.at);
    }

    fn reach(&mut self, gpa: Gpa) {
        let (tlb, mut events) = std::mem::take(&mut self.tlb);
        events.push(self.at);
        self.before_reach = self.work;
        self.rows.push(Row { deed: Deed::Reach { tlb, gpa, data: Data::None }, events });
        self.work = self.rows.len();
    }

    /// Gives what moved to the access that arrived there.
    fn data(&mut self, to: Gpa, moved: Data) -> bool {
        let at = self.at;
        let arrived = self.rows.iter_mut().find_map(|row| match &mut row.deed {
            Deed::Reach { gpa, data, .. } if *gpa == to && *data == Data::None => Some((data, &mut row.events)),
            _ => None,
        });
        let Some((data, events)) = arrived else { return false };
        *data = moved;
        events.push(at);
        true
    }

    fn store(&mut self, to: Gpa, who: StoreBy) {
        let at = self.at;
        if self.emulated.take_if(|gpa| *gpa == to).is_some() {
            let emulation = self.rows.iter_mut().rfind(|row| matches!(row.deed, Deed::Emulate { .. }));
            emulation.into_iter().for_each(|row| row.events.push(at));
            self.work = self.rows.len();
            return;
        }
        if who == StoreBy::Guest && self.data(to, Data::Store) {
            return;
        }
        let joined = self.joins(|deed| match deed {
            Deed::Stores { by, count, .. } if *by == who => {
                *count += 1;
                true
            }
            _ => false,
        });
        if !joined {
            self.push_hardware(Deed::Stores { by: who, gpa: to, count: 1 });
        }
    }

    fn exit(&mut self, reason: ExitReason) {
        let mut events = vec![self.at];
        let mut place = self.rows.len();
        match reason {
            ExitReason::EmulatedWrite => {
                // KVM itself found where the store goes: the processor did not arrive.
                if matches!(self.rows.last(), Some(Row { deed: Deed::Reach { data: Data::None, .. }, .. })) {
                    events.extend(self.rows.pop().into_iter().flat_map(|row| row.events));
                    place = self.before_reach;
                }
            }
            ExitReason::PageFault | ExitReason::Mmio if self.shadow => place = self.work,
            // MOV to a control register is trapped before anything of it is done.
            ExitReason::CrAccess => place = 0,
            ExitReason::PageFault | ExitReason::Mmio | ExitReason::Invlpg => {}
        }
        let place = place.min(self.rows.len());
        let kind = (reason == ExitReason::PageFault).then(|| match self.rows[..place].last() {
            _ if !self.shadow => FaultKind::Nested,
            Some(Row { deed: Deed::ShadowWalk { missing: false, .. }, .. }) => FaultKind::Denied,
            _ => FaultKind::Missing,
        });
        // It begins with what the hypervisor does in it.
        events.extend(self.rows[place..].first().and_then(|row| row.events.first()));
        self.rows.insert(place, Row { deed: Deed::Exit { reason, kind }, events });
        self.work = self.rows.len();
    }

    fn inject(&mut self) {
        let at = self.at;
        let fault = self.rows.iter_mut().rev().find_map(|row| match &mut row.deed {
            Deed::Exit { kind: Some(kind), .. } => Some((kind, &mut row.events)),
            _ => None,
        });
        match fault {
            Some((kind, events)) => {
                *kind = FaultKind::Guest;
                events.push(at);
            }
            None => self.push(Deed::Inject),
        }
    }

    fn page(&mut self, gfn: Gfn, level: u8, found: bool) {
        self.push(Deed::Page { gfn, level, found, root: false, protected: false });
    }

    fn write_protect(&mut self, frame: Gfn) {
        let joined = self.joins(|deed| match deed {
            Deed::Page { gfn, protected, .. } if *gfn == frame => {
                *protected = true;
                true
            }
            _ => false,
        });
        if !joined {
            self.push(Deed::WriteProtect(frame));
        }
    }

    fn root(&mut self, frame: Gfn, of: u8, on: bool) {
        let joined = self.joins(|deed| match deed {
            Deed::Page { gfn, level, root, .. } if on && (*gfn, *level) == (frame, of) => {
                *root = true;
                true
            }
            _ => false,
        });
        if !joined {
            self.push(Deed::Root { gfn: frame, level: of, on });
        }
    }

    fn zap(&mut self, frame: Gfn, of: u8) {
        let joined = self.joins(|deed| {
            let root = match deed {
                Deed::Root { gfn, level, on: false } if (*gfn, *level) == (frame, of) => true,
                Deed::Entries { why: SpteWhy::Zap, .. } => false,
                _ => return false,
            };
            *deed = Deed::Zap { gfn: frame, level: of, root, pinned: false };
            true
        });
        if !joined {
            self.push(Deed::Zap { gfn: frame, level: of, root: false, pinned: false });
        }
        self.pin_earlier(frame, of);
    }

    /// A page that is zapped once more after it ceased to be a root was pinned the first time.
    fn pin_earlier(&mut self, frame: Gfn, of: u8) {
        let Some((last, earlier)) = self.rows.split_last_mut() else { return };
        if !matches!(last.deed, Deed::Zap { root: true, .. }) {
            return;
        }
        for row in earlier {
            if let Deed::Zap { gfn, level, root: false, pinned } = &mut row.deed
                && (*gfn, *level) == (frame, of)
            {
                *pinned = true;
            }
        }
    }

    fn entry(&mut self, reason: SpteWhy, to_nothing: bool) {
        let joined = self.joins(|deed| match deed {
            // A page is linked when it comes into use.
            Deed::Page { .. } => reason == SpteWhy::Table,
            Deed::Entries { why, cleared, count } if (*why, *cleared) == (reason, to_nothing) => {
                *count += 1;
                true
            }
            _ => false,
        });
        if !joined {
            self.push(Deed::Entries { why: reason, cleared: to_nothing, count: 1 });
        }
    }
}
