//! What is large in the state of an engine: its tables. Whoever keeps many states keeps of most of them
//! only what makes their tables of older ones.

use std::sync::Arc;

use super::{AnyVm, shadow, twodim};
use crate::machine::blocks::Blocks;
use crate::machine::sparse::{Changes, Sparse};
use crate::machine::table::Entries;

/// The tables of an engine; empty ones go with any.
#[derive(Clone, Debug, Default)]
pub enum Tables {
    /// None: bare hardware.
    #[default]
    None,
    /// Those of a shadow MMU.
    Shadow(Box<shadow::Tables>),
    /// Those of a second dimension.
    Nested(Sparse<Arc<Entries>>),
}

/// What makes newer tables of older ones.
#[derive(Clone, Debug, Default)]
pub enum TablesDelta {
    /// Nothing.
    #[default]
    None,
    /// For a shadow MMU.
    Shadow(Box<shadow::TablesDelta>),
    /// For a second dimension.
    Nested {
        /// The tables that came, without entries, or went.
        tables: Changes<Arc<Entries>>,
        /// Table, index and value of each entry that differs.
        entries: Blocks<(u32, u16, u64)>,
    },
}

impl TablesDelta {
    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Shadow(delta) => delta.bytes(),
            Self::Nested { tables, entries } => {
                let own = |table: &Arc<Entries>| size_of::<Entries>() + table.bytes_beside(None);
                tables.bytes() + tables.values().map(own).sum::<usize>() + entries.bytes()
            }
        }
    }
}

impl Tables {
    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        match (self, older) {
            (Self::Shadow(new), Self::Shadow(old)) => new.bytes_beside(old),
            (Self::Nested(new), Self::Nested(old)) => twodim::table_bytes_beside(new, old),
            _ => 0,
        }
    }

    /// What makes `newer` of these tables, from which it came.
    #[must_use]
    pub fn delta_to(&self, newer: &Self) -> TablesDelta {
        match (self, newer) {
            (Self::Shadow(old), Self::Shadow(new)) => TablesDelta::Shadow(Box::new(old.delta_to(new))),
            (Self::Nested(old), Self::Nested(new)) => {
                let mut tables = old.changes_to(new, |_, _| true);
                tables.values_mut().for_each(|table| *table = Arc::default());
                let mut entries = Blocks::default();
                for (number, old, new) in old.unshared_slots(new) {
                    let (Some(new), none) = (new, Entries::default()) else { continue };
                    let changed = old.map_or(&none, |old| old).changes_to(new);
                    entries.extend(changed.map(|(index, value)| (number as u32, index as u16, value)));
                }
                TablesDelta::Nested { tables, entries }
            }
            _ => TablesDelta::None,
        }
    }

    /// Makes the newer tables of the older ones.
    pub fn apply(&mut self, delta: &TablesDelta) {
        match (self, delta) {
            (Self::Shadow(tables), TablesDelta::Shadow(delta)) => tables.apply(delta),
            (Self::Nested(all), TablesDelta::Nested { tables, entries }) => {
                all.apply(tables);
                for of_table in entries.blocks().flat_map(|block| block.chunk_by(|(a, ..), (b, ..)| a == b)) {
                    if let Some(table) = all.slot_mut(u64::from(of_table[0].0)) {
                        let table = Arc::make_mut(table);
                        of_table.iter().for_each(|(_, index, value)| table.set(usize::from(*index), *value));
                    }
                }
            }
            _ => {}
        }
    }
}

impl AnyVm {
    /// Puts tables in place of the engine's own, which it returns.
    pub(crate) fn swap_tables(&mut self, tables: Tables) -> Tables {
        match self {
            Self::Native(_) => Tables::None,
            Self::Shadow(vm) => {
                let mut tables = if let Tables::Shadow(tables) = tables { tables } else { Box::default() };
                tables.swap(&mut vm.engine);
                Tables::Shadow(tables)
            }
            Self::TwoDim(vm) => {
                let tables = if let Tables::Nested(tables) = tables { tables } else { Sparse::default() };
                Tables::Nested(vm.engine.nested.replace_tables(tables))
            }
        }
    }
}
