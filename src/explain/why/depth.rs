//! How deep an explanation goes.

use crate::word;

/// How much an explanation tells: one setting for everything that explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// What happened, in words that need no manual.
    Story,
    /// Addresses, entries, bits, and the section of the manual.
    #[default]
    Standard,
    /// Everything: each event, the functions of the kernel, the shadow's own bits.
    Engineer,
}

impl Depth {
    /// Every depth, from the surface down.
    pub const ALL: [Self; 3] = [Self::Story, Self::Standard, Self::Engineer];

    /// Its name in files and links.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Standard => "standard",
            Self::Engineer => "engineer",
        }
    }

    /// The depth of that name.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|depth| depth.id() == id)
    }

    /// Its name on screen, to be said in a language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Story => word!("Story"),
            Self::Standard => word!("Standard"),
            Self::Engineer => word!("Engineer"),
        }
    }
}
