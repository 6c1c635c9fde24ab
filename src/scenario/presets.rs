//! The presets: small machines, each of which shows one thing, in groups. They are part of the
//! program, so that the page has them too.

use std::sync::LazyLock;

use serde::Deserialize;

use super::file::{InputError, Scenario, Text};

/// Presets that belong together.
#[derive(Clone, Debug)]
pub struct PresetGroup {
    /// Its name.
    pub id: String,
    /// What it is called.
    pub title: Text,
    /// From the simple to the involved.
    pub presets: Vec<Preset>,
}

/// A small machine with a point.
#[derive(Clone, Debug)]
pub struct Preset {
    /// Its name.
    pub id: String,
    /// Its title.
    pub title: Text,
    /// Its point, in a line.
    pub about: Text,
    json: &'static str,
}

impl Preset {
    /// The scenario.
    ///
    /// # Errors
    /// [`InputError`] for a file that is wrong, which a test excludes.
    pub fn scenario(&self) -> Result<Scenario, InputError> {
        Scenario::from_json(&self.id, self.json)
    }

    /// Its file.
    #[must_use]
    pub const fn json(&self) -> &'static str {
        self.json
    }
}

#[derive(Deserialize)]
struct Index {
    groups: Vec<IndexGroup>,
}

#[derive(Deserialize)]
struct IndexGroup {
    id: String,
    title: Text,
    presets: Vec<IndexPreset>,
}

#[derive(Deserialize)]
struct IndexPreset {
    id: String,
    about: Text,
}

macro_rules! files {
    ($folder:literal: $($id:literal),* $(,)?) => {
        [$(($id, include_str!(concat!("../../assets/", $folder, "/", $id, ".json")))),*]
    };
}

const INDEX: &str = include_str!("../../assets/presets/index.json");
const PRESETS: [(&str, &str); 40] = files!["presets":
        "two-levels", "demand-paging", "accessed-dirty", "one-frame-two-addresses", "tables-that-map-themselves",
        "paging-off-and-on", "four-registers", "a-bad-pdpte", "no-accessed-bit-in-a-pdpte", "cr4-reloads-too",
        "amd-reads-memory", "four-levels", "five-levels", "the-hole", "beyond-maxphyaddr", "write-protect",
        "user-supervisor", "every-level-counts", "no-execute", "smep", "smap", "protection-keys", "two-mebibytes",
        "one-gibibyte", "four-mebibytes", "pse-36", "a-crooked-large-page", "a-stale-translation", "global-pages",
        "two-contexts", "prefixes-are-cached-too", "one-invlpg-for-512-pages", "into-long-mode", "four-refusals",
        "from-32-bits-to-pae", "la57-needs-paging-off", "twenty-four-reads", "no-exit-for-tables",
        "an-old-guest-under-ept", "dirty-log",
];
const SCENARIOS: [(&str, &str); 8] = files!["scenarios":
        "the-register-remembers", "demand-fault", "process-switch-2006", "process-switch-2007", "flood-2007",
        "leaf-burst-now", "invlpg-2007", "invlpg-now",
];

static GROUPS: LazyLock<Vec<PresetGroup>> = LazyLock::new(|| {
    let index = serde_json::from_str::<Index>(INDEX);
    let groups = index.map_or_else(|error| unreachable!("a test reads the index: {error}"), |index| index.groups);
    let preset = |IndexPreset { id, about }: IndexPreset| {
        let (_, json) = PRESETS.iter().chain(&SCENARIOS).find(|(name, _)| *name == id)?;
        let title = Scenario::from_json(&id, json).ok()?.title;
        Some(Preset { id, title, about, json })
    };
    let group = |IndexGroup { id, title, presets }| PresetGroup {
        id,
        title,
        presets: presets.into_iter().filter_map(preset).collect(),
    };
    groups.into_iter().map(group).collect()
});

/// The presets, by group.
#[must_use]
pub fn presets() -> &'static [PresetGroup] {
    &GROUPS
}

/// The preset of that name.
#[must_use]
pub fn preset(id: &str) -> Option<&'static Preset> {
    presets().iter().flat_map(|group| &group.presets).find(|preset| preset.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Caches;
    use crate::scenario::{StepKind, run};

    fn languages(text: &Text) -> bool {
        let whole = |language| {
            let said = text.get(language);
            !said.is_empty() && !said.contains('\n')
        };
        whole("en") && whole("zh") && text.get("en") != text.get("zh")
    }

    #[test]
    fn every_preset_is_in_the_index_once() {
        let index: Index = serde_json::from_str(INDEX).expect("the index can be read");
        let mut named: Vec<&str> = index.groups.iter().flat_map(|g| &g.presets).map(|p| p.id.as_str()).collect();
        let mut there: Vec<&str> = PRESETS.iter().chain(&SCENARIOS).map(|(id, _)| *id).collect();
        named.sort_unstable();
        there.sort_unstable();
        assert_eq!(named, there);
        assert!(named.len() >= 40, "{} presets", named.len());
        assert_eq!(presets().iter().map(|group| group.presets.len()).sum::<usize>(), named.len());
        assert!(presets().iter().all(|group| languages(&group.title)));
    }

    #[test]
    fn every_preset_shows_its_point() {
        for preset in presets().iter().flat_map(|group| &group.presets) {
            let id = &preset.id;
            let scenario = preset.scenario().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(&scenario.id, id);
            assert!(languages(&preset.title) && languages(&preset.about), "{id}: a language is missing");
            assert!(scenario.steps.len() <= 80, "{id} is not small");
            let judged =
                |step: &&crate::scenario::Step| step.want.is_some() || matches!(step.kind, StepKind::Expect(_));
            assert!(scenario.steps.iter().filter(judged).count() >= 2, "{id} shows nothing");
            let verdict = run(&scenario, scenario.engine, Caches::default()).expect("it starts");
            assert!(verdict.passed(), "{id}: {verdict:?}");
        }
        assert_eq!(preset("two-levels").map(|preset| preset.title.get("en").is_empty()), Some(false));
        assert!(preset("none").is_none());
    }
}
