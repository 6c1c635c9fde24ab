//! The states that a lab keeps, so that any point of its time is one of them and a short replay.
//!
//! How many are kept follows what they cost. The replay between two of them is bounded by an
//! estimate of its work, the copying of what it touches included; the memory that all of them take by a
//! budget. Where the budget does not suffice, one goes for each that comes: the one that stands closest
//! between its neighbours.
//!
//! Guest memory and the tables of the engine are kept as a whole in few of them ([`super::large`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::NodeId;
use super::large::{Anchors, Part};
use crate::engine::{AnyVm, Tables};
use crate::machine::{Command, Cost, Memory};

/// Work between two snapshots of a branch while there is room: about a quarter of a millisecond of replay.
const FIRST_INTERVAL: u64 = 8192;

/// What a start and all snapshots of a lab may take, in bytes.
const BUDGET: usize = if cfg!(target_arch = "wasm32") { 96 << 20 } else { 720 << 20 };

/// Bytes that may be copied to put a large part of a snapshot in place, while there is room.
const SHORT_PLACING: usize = 1 << 20;
/// The same where room is short: some 4 ms.
const LONG_PLACING: usize = 24 << 20;

/// Commands are looked at in groups of so many, so that a command that costs little stays cheap.
const LOOK_EVERY: usize = 16;

/// Bytes that are copied in the time of a unit of work.
const COPIED: u64 = 64;

/// Work of everything that the counters of a run tell, in units of a command that the TLB answers
/// (some 20 ns): a read by the walker, an exit, a shadow page made or zapped with all its entries.
const fn counted(cost: &Cost) -> u64 {
    cost.memory_reads + 24 * cost.exits.total() + 64 * (cost.shadow_new + cost.shadow_zapped)
}

/// A point on a branch, with the work that leads to it.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    node: Option<NodeId>,
    step: usize,
    counted: u64,
    work: u64,
}

impl Point {
    fn start(start: &AnyVm) -> Self {
        Self { counted: counted(&start.machine().cost), ..Self::default() }
    }
}

/// A state.
#[derive(Clone, Debug)]
struct Kept {
    /// What is small of it: neither memory nor tables.
    vm: Arc<AnyVm>,
    memory: Part<Memory>,
    tables: Part<Tables>,
    /// The snapshot before it on its branch.
    below: Option<NodeId>,
    point: Point,
    /// What the small rest takes beside the one below.
    bytes: usize,
}

/// The snapshots of a lab.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    kept: BTreeMap<NodeId, Kept>,
    memories: Anchors<Memory>,
    tables: Anchors<Tables>,
    interval: u64,
    budget: usize,
    /// What the small rest of all takes.
    bytes: usize,
    /// The last snapshot at or before the cursor.
    base: Point,
    /// Work since then that no counter tells.
    uncounted: u64,
    /// How much work a hundred units that were counted have been lately, with what was copied.
    percent: u64,
    /// The newest command that was looked at.
    newest: Option<NodeId>,
}

impl Snapshots {
    pub(super) fn new(start: &AnyVm) -> Self {
        let (_, memory, tables) = parts(start);
        let live = memory.bytes_beside(&Memory::default());
        let mut snapshots = Self {
            kept: BTreeMap::new(),
            memories: Anchors::new(memory),
            tables: Anchors::new(tables),
            interval: FIRST_INTERVAL,
            budget: BUDGET.saturating_sub(live).max(BUDGET / 4),
            bytes: 0,
            base: Point::default(),
            uncounted: 0,
            percent: 100,
            newest: None,
        };
        snapshots.stand_at(None, start);
        snapshots
    }

    /// The cursor has moved to where this snapshot (`None`: the start) is the nearest.
    pub(super) fn stand_at(&mut self, nearest: Option<NodeId>, start: &AnyVm) {
        let kept = nearest.and_then(|node| self.kept.get(&node));
        self.base = kept.map_or_else(|| Point::start(start), |kept| kept.point);
        self.uncounted = 0;
    }

    /// A command, given when memory had so many pages, has led to the node that is `step` of its
    /// path: keeps the state if the work since the last snapshot asks for it.
    #[inline]
    pub(super) fn passed(
        &mut self,
        node: NodeId,
        step: usize,
        command: &Command,
        pages: usize,
        start: &AnyVm,
        vm: &AnyVm,
    ) {
        let now = vm.machine().memory.page_count();
        let found_frame = now != pages && matches!(command, Command::Map { .. });
        if found_frame {
            // To find a free frame, every word of memory was read.
            self.uncounted += 64 * now as u64;
        }
        if found_frame || step.is_multiple_of(LOOK_EVERY) {
            self.look(node, step, start, vm);
        }
    }

    fn look(&mut self, node: NodeId, step: usize, start: &AnyVm, vm: &AnyVm) {
        let counted = counted(&vm.machine().cost);
        let since = (step - self.base.step) as u64 + counted.saturating_sub(self.base.counted) + self.uncounted;
        // Where room is short, what a jump passes again is no reason to drop another snapshot.
        let again = self.newest.is_some_and(|newest| node <= newest) && self.bytes() > self.budget / 2;
        self.newest = self.newest.max(Some(node));
        let wanted = if again { self.interval * 5 / 2 } else { self.interval };
        if since * self.percent < wanted * 100 {
            return;
        }
        let below = self.base.node;
        if let Some(kept) = self.kept.get(&node) {
            (self.base, self.uncounted) = (kept.point, 0);
            return;
        }
        let copied = self.keep(node, below, start, vm) as u64 / COPIED;
        let work = since + copied;
        self.percent = (work * 100 / since.max(1)).clamp(100, 1000);
        let point = Point { node: Some(node), step, counted, work: self.base.work + work };
        (self.base, self.uncounted) = (point, 0);
        if let Some(kept) = self.kept.get_mut(&node) {
            kept.point = point;
        }
        while self.bytes() > self.budget && self.kept.len() > 1 {
            self.drop_one(start);
        }
    }

    /// Keeps a state, its place in time still to be said; says how many bytes a replay up to here has copied.
    fn keep(&mut self, node: NodeId, below: Option<NodeId>, start: &AnyVm, vm: &AnyVm) -> usize {
        let most = if self.bytes() > self.budget / 4 { LONG_PLACING } else { SHORT_PLACING };
        let few = self.budget / 20;
        let (small, memory, tables) = parts(vm);
        let under = below.and_then(|below| self.kept.get(&below));
        let (memory, copied) = self.memories.keep(&memory, under.map(|under| &under.memory), most, few);
        let (tables, also) = self.tables.keep(&tables, under.map(|under| &under.tables), most, few);
        let bytes = small.bytes_beside(self.state(below, start));
        self.bytes += bytes;
        let (vm, point) = (Arc::new(small), Point::default());
        self.kept.insert(node, Kept { vm, memory, tables, below, point, bytes });
        bytes + copied + also
    }

    fn state<'a>(&'a self, node: Option<NodeId>, start: &'a AnyVm) -> &'a AnyVm {
        node.and_then(|node| self.kept.get(&node)).map_or(start, |kept| &kept.vm)
    }

    /// Drops the snapshot without which the replay to those above it stays shortest.
    #[cold]
    fn drop_one(&mut self, start: &AnyVm) {
        let work_at = |node: Option<NodeId>| node.and_then(|node| self.kept.get(&node)).map_or(0, |k| k.point.work);
        // For each snapshot, the work to the farthest one right above it.
        let mut above: BTreeMap<NodeId, u64> = BTreeMap::new();
        for kept in self.kept.values() {
            if let Some(below) = kept.below {
                let farthest = above.entry(below).or_default();
                *farthest = kept.point.work.max(*farthest);
            }
        }
        let gap = |node: NodeId, kept: &Kept| {
            let end = above.get(&node).copied().unwrap_or(kept.point.work + self.interval);
            end.saturating_sub(work_at(kept.below))
        };
        let all = self.kept.iter().filter(|(node, _)| Some(**node) != self.base.node);
        let Some((gap, node)) = all.map(|(node, kept)| (gap(*node, kept), *node)).min() else { return };
        self.interval = self.interval.max(gap / 2);
        let Some(dropped) = self.kept.remove(&node) else { return };
        self.leave(&dropped);
        let others: Vec<NodeId> =
            self.kept.iter().filter(|(_, kept)| kept.below == Some(node)).map(|(other, _)| *other).collect();
        for other in others {
            let Some(mut kept) = self.kept.remove(&other) else { continue };
            kept.below = dropped.below;
            let under = kept.below.and_then(|below| self.kept.get(&below));
            self.memories.stand_on(&mut kept.memory, under.map(|under| &under.memory));
            self.tables.stand_on(&mut kept.tables, under.map(|under| &under.tables));
            let bytes = kept.vm.bytes_beside(self.state(kept.below, start));
            self.bytes = self.bytes - kept.bytes + bytes;
            kept.bytes = bytes;
            self.kept.insert(other, kept);
        }
    }

    /// The last snapshot at or before `step` of a path, and how many commands lead to it.
    pub(super) fn nearest(&self, path: &[NodeId], step: usize) -> Option<(NodeId, usize)> {
        let last = path.get(step.checked_sub(1)?)?;
        let on_path = |(node, kept): &(&NodeId, &Kept)| path.get(kept.point.step - 1) == Some(*node);
        let (node, kept) = self.kept.range(..=*last).rev().find(on_path)?;
        Some((*node, kept.point.step))
    }

    /// The state of a snapshot.
    pub(super) fn restore(&self, node: NodeId) -> Option<AnyVm> {
        let kept = self.kept.get(&node)?;
        let mut vm = AnyVm::clone(&kept.vm);
        vm.machine_mut().memory = self.memories.restore(&kept.memory)?;
        vm.swap_tables(self.tables.restore(&kept.tables)?);
        Some(vm)
    }

    fn leave(&mut self, kept: &Kept) {
        self.bytes -= kept.bytes;
        self.memories.leave(&kept.memory);
        self.tables.leave(&kept.tables);
    }

    /// Drops the states after commands of this number and above: their numbers will mean others.
    pub(super) fn forget_from(&mut self, first: NodeId, start: &AnyVm) {
        let dropped = self.kept.split_off(&first);
        for kept in dropped.into_values() {
            self.leave(&kept);
        }
        self.newest = self.newest.min(first.checked_sub(1));
        if self.base.node.is_some_and(|node| node >= first) {
            self.stand_at(None, start);
        }
    }

    /// About how many bytes they take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes + self.memories.bytes() + self.tables.bytes()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.kept.len()
    }

    /// Another budget: what tests use to see it run out.
    pub(super) const fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }
}

/// What is small of a state, its memory and its tables.
fn parts(vm: &AnyVm) -> (AnyVm, Memory, Tables) {
    let mut small = vm.clone();
    let memory = std::mem::take(&mut small.machine_mut().memory);
    let tables = small.swap_tables(Tables::default());
    (small, memory, tables)
}

#[cfg(test)]
mod tests {
    use crate::arch::address::Num;
    use crate::arch::{AccessKind, ControlRegs, CpuModel, Gpa, Gva};
    use crate::engine::{AnyVm, EngineName, Quiet};
    use crate::lab::{BrokenLog, Lab, Node};
    use crate::machine::command::{MapSize, Size};
    use crate::machine::{Command, Machine};

    /// 4-level paging with nothing mapped.
    fn lab(engine: EngineName) -> Lab {
        let mut machine = Machine::new(CpuModel::default(), 16 << 20);
        let regs = ControlRegs::set_at_once(&machine.cpu.model, 0x8001_0011, 0x1000, 0xa0, 0xd00);
        machine.cpu.set_regs(regs.expect("a legal state"));
        let mut vm = AnyVm::new(machine, engine.into());
        vm.settle(&mut Quiet);
        Lab::new(vm)
    }

    fn command(number: u64) -> Command {
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let va = Gva((random % 64) << 12);
        let kind = if random & 64 == 0 { AccessKind::Read } else { AccessKind::Write };
        match random >> 7 & 15 {
            0 | 1 => Command::Map { va, pa: Gpa((random % 200) << 12), size: MapSize::Kib4, flags: 6 },
            2 => Command::MovCr3 { val: Num(0x1000), compat: false },
            3 => Command::Poke { pa: Gpa(((random >> 11) % 3000) << 12 | 8), val: Num(number), size: Size::WORD },
            4 => Command::Invlpg { va },
            _ => Command::Access { va, kind, user: true, ac: false, stack: false },
        }
    }

    /// With hardly any room the few states that are kept still lead everywhere, on every branch.
    #[test]
    fn any_point_is_reached_however_small_the_budget() {
        for engine in [EngineName::Native, EngineName::Kvm2007, EngineName::Ept] {
            for budget in [usize::MAX, 2 << 20, 0] {
                let mut lab = lab(engine);
                lab.set_snapshot_budget(budget);
                let mut hashes = vec![lab.state_hash()];
                for number in 0..6000 {
                    lab.execute_with(command(number), &mut Quiet);
                    if number % 500 == 499 {
                        hashes.push(lab.state_hash());
                    }
                }
                let (count, bytes) = lab.snapshot_use();
                assert!(count >= 1 && (bytes <= budget || count == 1), "{engine:?}: {count} take {bytes}");
                for at in [7, 0, 3, 12, 11, 1, 9, 2] {
                    lab.seek(500 * at);
                    assert_eq!(lab.state_hash(), hashes[at], "{engine:?}, budget {budget}, to {at}");
                    assert_eq!(lab.state_at(500).machine().state_hash(), hashes[1]);
                }
                // Another branch from the middle, and back.
                lab.seek(2500);
                let tip = lab.branches()[0].tip;
                for number in 0..2000 {
                    lab.execute_with(command(number ^ 0x5555), &mut Quiet);
                }
                let (other, there) = (lab.state_hash(), lab.branches());
                assert_eq!(there.iter().map(|b| (b.len, b.shared)).collect::<Vec<_>>(), [(6000, 2500), (4500, 4500)]);
                lab.switch_to(tip);
                lab.seek(6000);
                assert_eq!(lab.state_hash(), hashes[12]);
                lab.switch_to(there[1].tip);
                lab.seek(usize::MAX);
                assert_eq!(lab.state_hash(), other);
            }
        }
    }

    /// Expensive commands are not replayed by the hundred: each search for a free frame counts.
    #[test]
    fn searches_for_frames_are_work() {
        let mut lab = lab(EngineName::Native);
        for page in 0..64 {
            let (va, pa) = (Gva(page << 39), Gpa(page << 12));
            lab.execute_with(Command::Map { va, pa, size: MapSize::Kib4, flags: 6 }, &mut Quiet);
        }
        assert!(lab.snapshot_use().0 >= 8, "{:?}", lab.snapshot_use());
    }

    #[test]
    fn a_log_is_taken_over_or_refused() {
        let mut first = lab(EngineName::Native);
        for number in 0..50 {
            first.execute_with(command(number), &mut Quiet);
        }
        first.seek(20);
        first.execute_with(command(1000), &mut Quiet);
        let tip = first.node(first.len());
        let again = Lab::with_log(first.start().clone(), first.log().to_vec(), tip, 20).expect("it is a log");
        assert_eq!((again.cursor(), again.len()), (20, 21));
        assert_eq!(again.branches(), first.branches());
        first.seek(20);
        assert_eq!(again.state_hash(), first.state_hash());
        let node = |parent| Node { parent, command: command(1) };
        let refused = |log, tip| Lab::with_log(first.start().clone(), log, tip, 0).err();
        assert_eq!(refused(vec![node(None), node(Some(1))], None), Some(BrokenLog(2)));
        assert_eq!(refused(vec![node(None), node(Some(7))], None), Some(BrokenLog(2)));
        assert_eq!(refused(vec![node(None)], Some(1)), Some(BrokenLog(2)));
        assert_eq!(refused(vec![node(None), node(None)], Some(1)), None);
    }

    /// The view of a jump's last command costs no replay.
    #[test]
    fn the_state_before_a_jump_is_at_hand() {
        let mut lab = lab(EngineName::Native);
        let mut hashes = Vec::new();
        for number in 0..40 {
            hashes.push(lab.state_hash());
            lab.execute_with(command(number), &mut Quiet);
        }
        for at in [17, 3, 4, 40, 39] {
            lab.seek(at);
            assert_eq!(lab.state_at(at - 1).machine().state_hash(), hashes[at - 1]);
            lab.seek(at - 1);
            assert_eq!(lab.state_hash(), hashes[at - 1]);
        }
        lab.seek(10);
        lab.execute_with(Command::Invlpg { va: Gva(0x1234_5000) }, &mut Quiet);
        assert_eq!(lab.state_at(10).machine().state_hash(), hashes[10]);
        assert_eq!(lab.state_at(9).machine().state_hash(), hashes[9]);
    }
}
