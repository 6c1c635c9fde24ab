//! The machine at the cursor as JSON: what the page API's `state` returns, the same on every
//! platform.

use serde::Serialize;
use serde_json::Value;

use super::session::Session;
use crate::arch::address::Num;
use crate::arch::{Gva, Mode, pdpte};
use crate::engine::EngineName;
use crate::machine::{Cost, Machine};

#[derive(Serialize)]
struct Snapshot {
    /// How many commands lie before the machine.
    cursor: usize,
    /// How many commands the path in view has.
    commands: usize,
    engine: EngineName,
    mode: Mode,
    regs: Registers,
    cr2: Gva,
    pdptes: [PdpteRow; pdpte::COUNT],
    cost: Cost,
    /// 16 hex digits.
    state_hash: String,
}

#[derive(Serialize)]
struct Registers {
    cr0: Num,
    cr3: Num,
    cr4: Num,
    efer: Num,
    pkru: Num,
}

/// A PDPTE register beside the memory that it was or would be loaded from.
#[derive(Serialize)]
struct PdpteRow {
    register: Num,
    /// `null` outside PAE paging, where CR3 does not point at PDPTEs.
    memory: Option<Num>,
    stale: bool,
}

/// Registers, PDPTE registers, cost and hash of the machine at the cursor.
#[must_use]
pub fn state_json(session: &Session) -> Value {
    let (lab, machine) = (&session.lab, session.lab.machine());
    let snapshot = Snapshot {
        cursor: lab.cursor(),
        commands: lab.len(),
        engine: session.engine(),
        mode: machine.cpu.mode(),
        regs: registers(machine),
        cr2: machine.cpu.cr2,
        pdptes: pdpte_rows(machine),
        cost: machine.cost,
        state_hash: format!("{:016x}", lab.state_hash()),
    };
    match serde_json::to_value(snapshot) {
        Ok(value) => value,
        Err(error) => unreachable!("strings, numbers and lists are JSON: {error}"),
    }
}

fn registers(machine: &Machine) -> Registers {
    let (regs, pkru) = (&machine.cpu.regs, machine.cpu.pkru);
    Registers {
        cr0: Num(regs.cr0.bits()),
        cr3: Num(regs.cr3),
        cr4: Num(regs.cr4.bits()),
        efer: Num(regs.efer.bits()),
        pkru: Num(u64::from(pkru)),
    }
}

fn pdpte_rows(machine: &Machine) -> [PdpteRow; pdpte::COUNT] {
    let in_memory = (machine.cpu.mode() == Mode::Pae).then(|| machine.pdptes_in_memory());
    std::array::from_fn(|i| PdpteRow {
        register: Num(machine.cpu.pdptes[i]),
        memory: in_memory.map(|table| Num(table[i])),
        stale: machine.pdpte_is_stale(i),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::EngineName;
    use crate::machine::Caches;
    use crate::scenario::Scenario;

    fn example() -> Session {
        let text = include_str!("../../assets/scenarios/the-register-remembers.json");
        let scenario = Scenario::from_json("example", text).expect("valid");
        Session::open_on(scenario, EngineName::Native, Caches::default()).expect("legal")
    }

    #[test]
    fn the_stale_register_shows_beside_memory() {
        let mut session = example();
        session.lab.seek(2);
        let state = state_json(&session);
        assert_eq!(state["cursor"], 2);
        assert_eq!(state["commands"], 6);
        assert_eq!(state["mode"], "pae");
        assert_eq!(state["regs"]["cr3"], "0x3020");
        assert_eq!(state["pdptes"][0], json!({"register": "0x5001", "memory": "0x5001", "stale": false}));
        assert_eq!(state["pdptes"][1], json!({"register": "0x6001", "memory": "0x9001", "stale": true}));
        assert_eq!(state["cost"]["tlb.misses"], 1);
        assert_eq!(state["state_hash"], format!("{:016x}", session.lab.state_hash()));
    }

    #[test]
    fn outside_pae_paging_no_memory_belongs_to_the_registers() {
        let state = state_json(&Session::empty());
        assert_eq!(state["mode"], "off");
        assert_eq!(state["pdptes"][3], json!({"register": "0x0", "memory": null, "stale": false}));
    }
}
