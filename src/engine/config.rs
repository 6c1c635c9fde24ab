//! An engine with its switches, as files and the command line write it: `kvm-2007`, or
//! `kvm-2007+role-without-access` with a switch on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{EngineName, Switches};
use crate::names::nearest;

/// An engine with its switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EngineConfig {
    /// Which engine.
    pub name: EngineName,
    /// Historical behaviour that is switched on.
    pub switches: Switches,
}

impl From<EngineName> for EngineConfig {
    fn from(name: EngineName) -> Self {
        Self { name, switches: Switches::empty() }
    }
}

impl fmt::Display for EngineConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.id())?;
        self.switches.listed().try_for_each(|switch| write!(f, "+{}", switch.name))
    }
}

impl FromStr for EngineConfig {
    type Err = String;

    /// The error is a sentence that names what is near.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('+');
        let id = parts.next().unwrap_or_default();
        let ids = || EngineName::ALL.into_iter().map(EngineName::id);
        let name = EngineName::by_id(id).ok_or_else(|| {
            let (what, all): (_, Vec<_>) = (nearest("engine", id, ids()), ids().collect());
            // Where no name is near, they are listed already.
            if what.ends_with('?') { format!("{what} (engines are {})", all.join(", ")) } else { what }
        })?;
        let mut config = Self::from(name);
        for part in parts {
            let switch = Switches::of(name).find(|switch| switch.name == part).ok_or_else(|| {
                nearest(&format!("switch of {id}"), part, Switches::of(name).map(|switch| switch.name))
            })?;
            config.switches |= switch.flag;
        }
        Ok(config)
    }
}

impl Serialize for EngineConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EngineConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for EngineConfig {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Engine".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let ids = EngineName::ALL.map(EngineName::id).join("|");
        let switches = Switches::ALL.map(|switch| switch.name).join("|");
        schemars::json_schema!({
            "description": "An engine, with the switches that are on behind plus signs.",
            "type": "string",
            "pattern": format!("^({ids})(\\+({switches}))*$"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_it_is_read() {
        for switch in Switches::ALL {
            for name in switch.engines {
                let config = EngineConfig { name: *name, switches: switch.flag };
                assert_eq!(config.to_string().parse(), Ok(config));
            }
        }
        assert_eq!(Switches::ALL.iter().map(|s| s.flag).fold(Switches::empty(), |a, b| a | b), Switches::all());
    }

    #[test]
    fn what_is_near_is_named() {
        let error = |text: &str| text.parse::<EngineConfig>().unwrap_err();
        assert!(error("kvm2007").contains("unknown engine `kvm2007`: did you mean `kvm-2007`?"));
        let near = "unknown switch of kvm-2007 `role-without-acces`: did you mean `role-without-access`?";
        assert_eq!(error("kvm-2007+role-without-acces"), near);
        assert!(error("native+role-without-access").ends_with("there is none"));
    }
}
