//! The stage along the example.

use super::super::path::{Composed, Hit};
use super::*;
use crate::arch::{Access, AccessKind, Gva};
use crate::scenario::{Scenario, Session};

const VA: Gva = Gva(0x4120_1abc);
const USER_READ: Access = Access { kind: AccessKind::Read, user: true, implicit: false, ac: false, stack: false };

fn session() -> Session {
    session_on(EngineName::Native)
}

fn session_on(engine: EngineName) -> Session {
    let json = include_str!("../../../../assets/scenarios/the-register-remembers.json");
    let scenario = Scenario::from_json("the-register-remembers", json).expect("the file is a scenario");
    Session::open_on(scenario, engine, crate::machine::Caches::default()).expect("it can be started")
}

/// The stage in the middle of command `step`, after `shown` of its events.
fn stage_at(session: &Session, step: usize, shown: usize) -> Stage {
    let lab = &session.lab;
    let before = lab.state_at(step.saturating_sub(1));
    let micro = lab.micro_steps(step);
    let events: Vec<Event> = micro.iter().take(shown).map(|step| step.event.clone()).collect();
    let vm = match shown.min(micro.len()) {
        0 => &before,
        last => &micro[last - 1].vm,
    };
    Stage::new(&Inputs {
        vm,
        before_vm: &before,
        machine: vm.machine(),
        before: before.machine(),
        engine: vm.engine(),
        command: lab.command(step),
        events: &events,
        coming: &[],
        composed: Composed { gva: VA, access: USER_READ, events: &[] },
        untold: false,
        selected_entry: None,
        selected_register: None,
        selected_table: None,
        language: Language::En,
        selection: Selection::None,
        row_budget: 10,
        lower_budget: 8,
    })
}

fn reaches(stage: &Stage) -> Vec<Reach> {
    stage.path.hops.iter().map(|hop| hop.reach).collect()
}

fn walked_entry(card: &TableCard) -> &Entry {
    let walked = card.rows.iter().find_map(|row| match row {
        Row::Entry(entry) if entry.index == card.walked => Some(entry),
        _ => None,
    });
    walked.expect("the walked entry stays open")
}

#[test]
fn before_any_access_the_path_is_what_an_access_would_do() {
    let stage = stage_at(&session(), 0, 0);
    assert!(!stage.path.recorded && !stage.path.arrived);
    assert_eq!(reaches(&stage), [Reach::Ahead; 3]);
    assert_eq!(stage.path.gpa(), Some(Gpa(0x2babc)));
    let pd = &stage.tables[0];
    assert_eq!((pd.base, pd.walked), (Some(Gpa(0x6000)), 9));
    let words: Vec<String> = pd
        .rows
        .iter()
        .map(|row| match row {
            Row::Entry(entry) => entry.index.to_string(),
            Row::Run { words, .. } => words.clone(),
        })
        .collect();
    assert_eq!(words, ["0–8 · not present", "9", "10–511 · not present"]);
    assert!(stage.tlb.is_empty() && stage.ghost.is_none());
}

#[test]
fn a_walk_comes_as_far_as_the_shown_events() {
    let session = session();
    assert_eq!(reaches(&stage_at(&session, 1, 0)), [Reach::Ahead; 3]);
    assert_eq!(reaches(&stage_at(&session, 1, 2)), [Reach::Read, Reach::Read, Reach::Ahead]);
    let done = stage_at(&session, 1, usize::MAX);
    assert_eq!(reaches(&done), [Reach::Read; 3]);
    assert!(done.path.arrived);
    assert_eq!(walked_entry(&done.tables[1]).changed, entry::A, "A was set by the walk");
    assert_eq!(done.page.page.map(|page| page.gpa), Some(Gpa(0x2babc)));
    assert!(done.tlb.len() == 1 && done.tlb[0].new && !done.tlb[0].stale);
}

#[test]
fn a_store_to_the_table_leaves_the_register_stale_and_a_ghost() {
    let stage = stage_at(&session(), 2, usize::MAX);
    let card = stage.pdptes.as_ref().expect("PAE paging is on");
    let row = &card.rows[1];
    assert_eq!((row.register, row.memory, row.status), (0x6001, 0x9001, PdpteStatus::Stale));
    assert_eq!((row.changed_register, row.changed_memory), (0, 0x6001 ^ 0x9001));
    let fault = Some(FaultReason::NotPresent { level: Level(2) });
    assert_eq!(stage.ghost, Some(Ghost::Leads { table: Gpa(0x9000), page: None, fault }));
    assert_eq!(stage.path.gpa(), Some(Gpa(0x2babc)), "the register leads on");
}

#[test]
fn after_the_load_the_walk_ends_in_a_fault() {
    let stage = stage_at(&session(), 6, usize::MAX);
    let entry = walked_entry(&stage.tables[0]);
    assert_eq!(entry.fault, Some(FaultReason::NotPresent { level: Level(2) }));
    assert_eq!(stage.tables[1].base, None, "the walk never comes to the PT");
    assert!(stage.page.page.is_none() && stage.page.arrived);
    assert!(stage.ghost.is_none());
}

#[test]
fn a_tlb_hit_passes_every_table_over() {
    let mut session = session();
    session.lab.seek(1);
    let again = session.lab.command(1).cloned().expect("an access");
    session.lab.execute(again);
    let stage = stage_at(&session, 2, usize::MAX);
    assert_eq!(stage.path.hit, Some(Hit::Tlb(Gva(0x4120_1000))));
    assert_eq!(reaches(&stage), [Reach::Cached; 3]);
    assert!(stage.tlb[0].hit && stage.path.arrived);
}

#[test]
fn a_structure_cache_hit_starts_below_it() {
    let mut session = session();
    session.lab.seek(1);
    session.lab.execute(Command::Access {
        va: Gva(0x4120_2000),
        kind: AccessKind::Read,
        user: true,
        ac: false,
        stack: false,
    });
    let stage = stage_at(&session, 2, usize::MAX);
    assert_eq!(stage.path.hit, Some(Hit::Structure(Level(2))));
    assert_eq!(reaches(&stage), [Reach::Cached, Reach::Cached, Reach::Read]);
    assert!(stage.structures[0].rows.is_empty(), "the fault dropped it");
    let hit = stage_at(&session, 2, 1);
    assert!(hit.structures[0].rows.iter().any(|row| row.hit));
}

#[test]
fn memory_that_must_not_be_loaded_says_so() {
    let mut session = session();
    session.lab.seek(1);
    let size = crate::machine::command::Size::WORD;
    session.lab.execute(Command::Poke { pa: Gpa(0x3038), val: crate::arch::address::Num(0x7007), size });
    let stage = stage_at(&session, 2, usize::MAX);
    let card = stage.pdptes.expect("PAE paging is on");
    assert_eq!(card.rows[3].status, PdpteStatus::Refused { bits: 0b110 });
}

#[test]
fn an_empty_machine_has_one_column() {
    let session = Session::empty();
    let stage = stage_at(&session, 0, 0);
    assert_eq!(stage.mode, Mode::Off);
    assert!(stage.tables.is_empty() && stage.pdptes.is_none());
    assert_eq!(stage.path.gpa(), Some(Gpa(VA.0)));
}
