//! Page faults of the hardware: handed to the guest, repaired, or emulated
//! (2.6.20 paging_tmpl.h `page_fault`, `fix_write_pf`, `fix_read_pf`; 6.8 `FNAME(page_fault)`).

use super::page::SpteRef;
use super::walk::{GuestWalk, set_dirty, walk_addr};
use super::{Shadow, fetch, hw, root, spte, unsync, write, zap};
use crate::arch::entry::{self, P, RW, US};
use crate::arch::fault::Vector;
use crate::arch::rights::{Guard, violations};
use crate::arch::{Access, Fault, FaultReason, Gpa, Gva, Hpa};
use crate::engine::{Sink, Switches, Translation, Vm};
use crate::machine::event::{Event, ExitReason, SpteWhy};
use crate::machine::role::AccessBits;

/// How often an access is started anew after a repair. Two suffice for every case known (build,
/// then grant the write); beyond that the access is carried out in software.
const ROUNDS: usize = 8;

enum Fixed {
    /// Try again: the shadow tables are repaired.
    Retry,
    /// The hypervisor carried the access out.
    Emulated(Translation),
}

/// An access by the guest, until the hardware lets it pass or the guest gets its fault.
pub fn translate<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, access: &Access, sink: &mut S) -> Result<Translation, Fault> {
    for _ in 0..ROUNDS {
        match hw::access(vm, gva, access, sink) {
            Ok(found) => {
                let frame = vm.machine.slots.guest_frame(found.hpa.hfn());
                let gfn = frame.unwrap_or_else(|| unreachable!("a shadow entry maps a frame of no slot"));
                let gpa = Gpa(gfn.base().0 | gva.0 & 0xfff);
                return Ok(Translation { gpa, hpa: found.hpa, page_shift: found.page_shift, emulated: false });
            }
            Err(fault) if fault.vector != Vector::PageFault => return Err(fault),
            Err(fault) => match page_fault(vm, gva, access, &fault, sink)? {
                Fixed::Retry => {}
                Fixed::Emulated(found) => return Ok(found),
            },
        }
    }
    let walk = walk_addr(vm, gva, access, sink)?;
    Ok(in_software(vm, &walk, access))
}

fn page_fault<S: Sink>(
    vm: &mut Vm<Shadow>,
    gva: Gva,
    access: &Access,
    hardware: &Fault,
    sink: &mut S,
) -> Result<Fixed, Fault> {
    if let FaultReason::Reserved { .. } = hardware.reason
        && let Some(gpa) = marked_mmio(vm, gva, access)
    {
        exit(vm, ExitReason::Mmio, sink);
        return Ok(Fixed::Emulated(without_memory(gpa, access)));
    }
    zap::make_room(vm, sink);
    // The processor dropped what it had cached for the address when it faulted.
    hw::drop_address(vm, gva);
    let mut walk = match walk_addr(vm, gva, access, sink) {
        Ok(walk) => walk,
        Err(fault) => {
            vm.engine.last_pt_write = None;
            root::drop_for_fault(vm, gva, sink);
            exit(vm, ExitReason::PageFault, sink);
            vm.machine.cost.injected += 1;
            vm.emit(sink, |_| Event::Inject);
            return Err(fault);
        }
    };
    if root::entries_of(vm, gva).is_none() {
        // The root has no place for the address, because its table has no memory behind it.
        if access.is_write() {
            set_dirty(vm, &mut walk, sink);
        }
        exit(vm, ExitReason::Mmio, sink);
        return Ok(Fixed::Emulated(in_software(vm, &walk, access)));
    }
    if vm.machine.slots.host_frame(walk.target()).is_none() {
        if access.is_write() {
            set_dirty(vm, &mut walk, sink);
        }
        fetch::mark_mmio(vm, gva, &walk, sink);
        exit(vm, ExitReason::Mmio, sink);
        return Ok(Fixed::Emulated(in_software(vm, &walk, access)));
    }
    let fixed = if vm.engine.policy.unsync {
        fix_now(vm, gva, access, &mut walk, sink)
    } else {
        fix_2007(vm, gva, access, &mut walk, sink)
    };
    match fixed {
        Repair::Done => {
            vm.engine.last_pt_write = None;
            exit(vm, ExitReason::PageFault, sink);
            Ok(Fixed::Retry)
        }
        Repair::Emulate => Ok(Fixed::Emulated(in_software(vm, &walk, access))),
    }
}

enum Repair {
    Done,
    /// A store to a protected page; the exit is counted when the store is emulated.
    Emulate,
}

/// Where an address without memory leads, by the mark that an earlier fault left: if the memory
/// slots are the same since and the guest's rights allow the access (6.8 `handle_mmio_page_fault`).
/// Protection keys are in no mark.
fn marked_mmio(vm: &Vm<Shadow>, gva: Gva, access: &Access) -> Option<Gpa> {
    let cpu = &vm.machine.cpu;
    let at = root::leaf_of(vm, gva)?;
    let (page, rights, generation) = spte::of_mmio(vm.engine.pool.spte(at))?;
    let current = generation == vm.engine.generation && !cpu.paging.guard.contains(Guard::PKE);
    let allowed = violations(access, &rights, cpu.paging.guard, cpu.pkru).is_empty();
    (current && allowed && (!access.is_write() || rights.rw)).then_some(Gpa(page.0 | gva.0 & 0xfff))
}

fn without_memory(gpa: Gpa, access: &Access) -> Translation {
    Translation { gpa, hpa: Hpa(gpa.0), page_shift: 12, emulated: access.is_write() }
}

/// Where the access leads, found by the hypervisor itself.
fn in_software(vm: &Vm<Shadow>, walk: &GuestWalk, access: &Access) -> Translation {
    let frame = vm.machine.slots.host_frame(walk.target());
    let hpa = frame.map_or(Hpa(walk.gpa.0), |frame| Hpa(frame.base().0 | walk.gpa.page_offset()));
    Translation { gpa: walk.gpa, hpa, page_shift: 12, emulated: access.is_write() }
}

/// One exit, under the reason that it ended in.
pub fn exit<S: Sink>(vm: &mut Vm<Shadow>, reason: ExitReason, sink: &mut S) {
    vm.machine.cost.exits.count(reason);
    vm.emit(sink, |_| Event::VmExit { reason });
}

/// A kernel write with CR0.WP = 0 to a read-only page succeeds for the guest. The shadow entry then
/// grants W and takes U away, so that user code does not profit. SMAP and protection keys judge by
/// U, so with them such a store is emulated instead.
fn wp_trick_misleads(vm: &Vm<Shadow>, rights_us: bool) -> bool {
    rights_us && vm.machine.cpu.paging.guard.intersects(Guard::SMAP | Guard::PKE)
}

fn fix_2007<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, access: &Access, walk: &mut GuestWalk, sink: &mut S) -> Repair {
    let at = fetch::fetch(vm, gva, walk, AccessBits::of(&walk.rights), sink);
    fetch::set_leaf(vm, at, walk, AccessBits::of(&walk.rights), sink);
    if access.is_write() { fix_write_pf(vm, at, access.user, walk, sink) } else { fix_read_pf(vm, at, walk, sink) }
}

fn fix_write_pf<S: Sink>(vm: &mut Vm<Shadow>, at: SpteRef, user: bool, walk: &mut GuestWalk, sink: &mut S) -> Repair {
    let old = vm.engine.pool.spte(at);
    if spte::is_writable(old) && (!user || old & US != 0) {
        return Repair::Done;
    }
    let gfn = walk.target();
    let mut new = old;
    if !walk.rights.rw {
        // Only a kernel write with WP = 0 comes here: the walk allowed it.
        if wp_trick_misleads(vm, walk.rights.us) {
            set_dirty(vm, walk, sink);
            return Repair::Emulate;
        }
        new &= !US;
        if vm.machine.cpu.paging.guard.contains(Guard::SMEP) && walk.rights.us {
            new |= entry::XD;
        }
    } else if user && walk.rights.us {
        new |= US;
    }
    if write::is_shadowed(vm, gfn) {
        if user && vm.engine.policy.user_write_unprotects && !walk.uses_table(gfn) {
            zap::unprotect(vm, gfn, sink);
            // What was zapped may have been part of this path, or a root that is a table again by now.
            let gone = vm.engine.pool.get(at.page).is_none() || vm.engine.pool.spte(at) & P == 0;
            if gone || write::is_shadowed(vm, gfn) {
                return Repair::Done;
            }
        } else {
            set_dirty(vm, walk, sink);
            return Repair::Emulate;
        }
    }
    set_dirty(vm, walk, sink);
    vm.machine.slots.mark_dirty(gfn);
    fetch::replace(vm, at, new | RW | entry::D, SpteWhy::Write, sink);
    Repair::Done
}

fn fix_read_pf<S: Sink>(vm: &mut Vm<Shadow>, at: SpteRef, walk: &GuestWalk, sink: &mut S) -> Repair {
    let old = vm.engine.pool.spte(at);
    if old & spte::GUEST_USER != 0 && old & US == 0 {
        let xd = if walk.rights.xd { entry::XD } else { 0 };
        let new = (old | US) & !RW & !entry::XD | xd;
        if vm.engine.has(Switches::FIX_READ_KEEPS_RMAP) {
            vm.engine.pool.page_mut(at.page).spt.set(usize::from(at.index), new);
        } else {
            fetch::replace(vm, at, new, SpteWhy::Read, sink);
        }
    }
    Repair::Done
}

fn fix_now<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, access: &Access, walk: &mut GuestWalk, sink: &mut S) -> Repair {
    let gfn = walk.target();
    let write = access.is_write();
    if write {
        set_dirty(vm, walk, sink);
        if write::is_write_tracked(vm, gfn) {
            return Repair::Emulate;
        }
    }
    let mut granted = AccessBits::of(&walk.rights);
    if write && !granted.write {
        if wp_trick_misleads(vm, granted.user) {
            return Repair::Emulate;
        }
        granted.write = true;
        if granted.user && vm.machine.cpu.paging.guard.contains(Guard::SMEP) {
            granted.exec = false;
        }
        granted.user = false;
    }
    let at = fetch::fetch(vm, gva, walk, granted, sink);
    if write && !unsync::try_to_unsync_pages(vm, gfn, sink) {
        fetch::set_leaf(vm, at, walk, granted, sink);
        return Repair::Emulate;
    }
    fetch::set_leaf(vm, at, walk, granted, sink);
    unsync::pte_prefetch(vm, at, sink);
    Repair::Done
}
