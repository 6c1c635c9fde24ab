//! Random programs with stale tables on bare hardware: every access must end as something the
//! processor may still hold says, or as a walk does, and in no other way.
//!
//! `engine_properties` runs such programs on every engine; this is the test of that test: it would
//! notice a processor that forgets any of its invalidations.

mod reference;

use mmuscope::engine::EngineName;
use mmuscope::machine::Command;
use reference::guest::Guest;
use reference::program::Author;

/// Commands in a program.
const STEPS: usize = 120;

/// An invalidation that a broken processor forgets.
type Forgets = fn(&Command) -> bool;

/// Whether the programs of these seeds all pass on a processor that forgets this.
fn passes(seeds: u64, forgets: Forgets) -> bool {
    (0..seeds).all(|seed| {
        let (case, mut author) = Author::begin(seed, false);
        let mut guest = Guest::start(&case, EngineName::Native.into()).expect("a possible state");
        (0..STEPS).all(|_| {
            let command = author.next(guest.cpu());
            if forgets(&command) {
                guest.forget(&command);
                return true;
            }
            guest.step(&command).is_ok()
        })
    })
}

#[test]
fn a_processor_that_forgets_nothing_passes() {
    assert!(passes(5_000, |_| false));
}

#[test]
fn a_forgotten_invalidation_is_noticed() {
    let broken: [(&str, Forgets); 5] = [
        ("INVLPG", |command| matches!(command, Command::Invlpg { .. })),
        ("INVPCID 0", |command| matches!(command, Command::Invpcid { kind, .. } if kind.0 == 0)),
        ("INVPCID 1", |command| matches!(command, Command::Invpcid { kind, .. } if kind.0 == 1)),
        ("INVPCID 2", |command| matches!(command, Command::Invpcid { kind, .. } if kind.0 == 2)),
        ("INVPCID 3", |command| matches!(command, Command::Invpcid { kind, .. } if kind.0 == 3)),
    ];
    for (name, forgets) in broken {
        assert!(!passes(20_000, forgets), "a processor that ignores {name} passes");
    }
}
