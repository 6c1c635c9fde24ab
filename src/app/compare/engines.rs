//! The engines as columns: name, meaning, colour; and which are shown at first.

use crate::app::theme::{Hue, Tokens};
use crate::engine::{EngineConfig, EngineName};
use crate::language::Language;
use crate::word;

/// So few columns can be compared, and so many have room.
pub const FEWEST: usize = 2;
/// See [`FEWEST`].
pub const MOST: usize = 4;

/// Its full name.
#[must_use]
pub const fn name(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Native => word!("Hardware only"),
        EngineName::Kvm2006 => word!("KVM shadow, 2006"),
        EngineName::KvmPdpt => word!("KVM shadow, PDPT shadowed"),
        EngineName::Kvm2007 => word!("KVM shadow, 2007"),
        EngineName::KvmNow => word!("KVM shadow, now"),
        EngineName::Ept => word!("Two-dimensional (EPT)"),
        EngineName::Npt => word!("Two-dimensional (NPT)"),
    }
}

/// Its name where there is hardly room.
#[must_use]
pub const fn short(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Native => word!("Hardware"),
        EngineName::Kvm2006 => word!("2006"),
        EngineName::KvmPdpt => word!("PDPT"),
        EngineName::Kvm2007 => word!("2007"),
        EngineName::KvmNow => word!("Now"),
        EngineName::Ept => word!("EPT"),
        EngineName::Npt => word!("NPT"),
    }
}

/// What is particular about it, in one line.
#[must_use]
pub const fn gist(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Native => word!("no hypervisor at all"),
        EngineName::Kvm2006 => word!("MOV CR3 throws the shadow away"),
        EngineName::KvmPdpt => word!("every store beside the PDPT exits"),
        EngineName::Kvm2007 => word!("the PDPT is never shadowed"),
        EngineName::KvmNow => word!("leaf tables may go out of sync"),
        EngineName::Ept => word!("the guest's tables are its own"),
        EngineName::Npt => word!("PDPTEs are read from memory"),
    }
}

/// Its name with what is switched on.
#[must_use]
pub fn title(language: Language, engine: EngineConfig) -> String {
    let switches: String = engine.switches.listed().map(|switch| format!(" + {}", switch.name)).collect();
    format!("{}{switches}", language.tr(name(engine.name)))
}

/// Its colour; the name always stands beside it.
#[must_use]
pub const fn hue(t: &Tokens, engine: EngineName) -> Hue {
    match engine {
        EngineName::Native => Hue { line: t.weak, text: t.strong, tint: t.button_hover, edge: t.rail },
        EngineName::Kvm2006 => t.changed,
        EngineName::KvmPdpt => t.stale,
        EngineName::Kvm2007 => t.shadow,
        EngineName::KvmNow => t.hit,
        EngineName::Ept => t.guest,
        EngineName::Npt => t.other,
    }
}

/// The columns that a machine of this engine begins with: itself and two that differ most from it, in
/// the order of lists.
#[must_use]
pub fn first(own: EngineConfig) -> Vec<EngineConfig> {
    let telling = [EngineName::Kvm2007, EngineName::Ept, EngineName::KvmPdpt];
    let others = telling.into_iter().filter(|other| *other != own.name).take(2);
    let mut engines: Vec<EngineConfig> = others.map(EngineConfig::from).collect();
    engines.push(own);
    engines.sort_by_key(|engine| engine.name);
    engines
}

/// The engines that a column may still be given.
pub fn free(own: EngineConfig, shown: &[EngineConfig]) -> Vec<EngineConfig> {
    let mut all: Vec<EngineConfig> = EngineName::ALL.map(EngineConfig::from).into();
    if !all.contains(&own) {
        all.push(own);
    }
    all.retain(|engine| !shown.contains(engine));
    all
}

/// Takes over a choice that came from outside: engines that are named twice count once, and a choice
/// of too few or too many is none.
#[must_use]
pub fn chosen(engines: &[EngineConfig]) -> Option<Vec<EngineConfig>> {
    let mut chosen: Vec<EngineConfig> = Vec::new();
    for engine in engines {
        if !chosen.contains(engine) {
            chosen.push(*engine);
        }
    }
    (FEWEST..=MOST).contains(&chosen.len()).then_some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_engines_at_first() {
        for own in EngineName::ALL {
            let engines = first(own.into());
            assert_eq!(engines.len(), 3);
            assert!(engines.contains(&own.into()));
            assert!(engines.is_sorted_by_key(|engine| engine.name));
        }
        let picture = [EngineName::KvmPdpt, EngineName::Kvm2007, EngineName::Ept].map(EngineConfig::from);
        assert_eq!(first(EngineName::KvmPdpt.into()), picture);
        assert_eq!(first(EngineName::Kvm2007.into()), picture);
        assert_eq!(first(EngineName::Ept.into()), picture);
    }

    #[test]
    fn a_choice_from_outside_is_checked() {
        let [a, b] = [EngineName::Native, EngineName::Ept].map(EngineConfig::from);
        assert_eq!(chosen(&[a, b, a]), Some(vec![a, b]));
        assert_eq!(chosen(&[a, a]), None);
        assert_eq!(chosen(&EngineName::ALL.map(EngineConfig::from)), None);
        assert_eq!(free(a, &[a, b]).len(), 5);
    }
}
