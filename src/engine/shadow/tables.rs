//! What is large in the state of a shadow MMU, and what makes one of an older one.

use std::sync::Arc;

use super::Shadow;
use super::few::Few;
use super::page::{PageId, ShadowPage, SpteRef};
use super::rmap::{Rmap, RmapDelta};
use crate::machine::blocks::Blocks;
use crate::machine::sparse::{Changes, Sparse};

/// Shadow pages, how they are found, and the reverse map.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pages: Sparse<Arc<ShadowPage>>,
    buckets: Sparse<Few<PageId>>,
    rmap: Rmap,
    outside_read_only: Sparse<()>,
}

/// What makes newer tables of older ones.
#[derive(Clone, Debug, Default)]
pub struct TablesDelta {
    /// Pages that came, went or changed beside their entries.
    pages: Vec<(PageId, Option<PageChange>)>,
    /// Entries that differ, once `pages` are in place.
    entries: Blocks<(SpteRef, u64)>,
    buckets: Changes<Few<PageId>>,
    rmap: RmapDelta,
    outside_read_only: Changes<()>,
}

/// A page that came or changed.
#[derive(Clone, Debug)]
struct PageChange {
    /// The page without its entries.
    header: Arc<ShadowPage>,
    /// It stands for another table than the one before it: it begins without entries.
    is_new: bool,
}

impl TablesDelta {
    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let change = |(_, change): &(PageId, Option<PageChange>)| match change {
            Some(change) => change.header.bytes_beside(None),
            None => 0,
        };
        let chains = self.buckets.values().map(|ids| ids.bytes_beside(None)).sum::<usize>();
        let pages = size_of_val(&*self.pages) + self.pages.iter().map(change).sum::<usize>();
        let rest = self.buckets.bytes() + chains + self.rmap.bytes() + self.outside_read_only.bytes();
        pages + self.entries.bytes() + rest
    }
}

impl Tables {
    /// Puts these tables in place of those of a shadow MMU, and takes its own.
    pub fn swap(&mut self, shadow: &mut Shadow) {
        shadow.pool.swap(&mut self.pages, &mut self.buckets);
        std::mem::swap(&mut self.rmap, &mut shadow.rmap);
        std::mem::swap(&mut self.outside_read_only, &mut shadow.outside_read_only);
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        let pages = self.pages.bytes_beside(&older.pages, |new, old| match old {
            Some(old) if Arc::ptr_eq(new, old) => 0,
            old => new.bytes_beside(old.map(|old| &**old)),
        });
        let outside = self.outside_read_only.bytes_beside(&older.outside_read_only, |(), _| 0);
        let buckets = self.buckets.bytes_beside(&older.buckets, Few::bytes_beside);
        pages + buckets + self.rmap.bytes_beside(&older.rmap) + outside
    }

    /// What makes `newer` of these tables, from which it came. What they share costs nothing.
    #[must_use]
    pub fn delta_to(&self, newer: &Self) -> TablesDelta {
        let (mut pages, mut entries) = (Vec::new(), Blocks::default());
        for (id, old, new) in self.pages.unshared_slots(&newer.pages) {
            let page = PageId(id as u32);
            let Some(new) = new else {
                pages.push((page, None));
                continue;
            };
            if old.is_some_and(|old| Arc::ptr_eq(old, new)) {
                continue;
            }
            let same = old.filter(|old| (old.gfn, old.role) == (new.gfn, new.role));
            if !same.is_some_and(|old| old.is_equal_beside_entries(new)) {
                let header = Arc::new(new.without_entries());
                pages.push((page, Some(PageChange { header, is_new: same.is_none() })));
            }
            let at = |index: usize| SpteRef { page, index: index as u16 };
            match same {
                Some(old) => entries.extend(old.spt.changes_to(&new.spt).map(|(index, value)| (at(index), value))),
                None => entries.extend(new.spt.iter_set().map(|(index, value)| (at(index), value))),
            }
        }
        pages.shrink_to_fit();
        TablesDelta {
            pages,
            entries,
            buckets: self.buckets.changes_to(&newer.buckets, Few::eq),
            rmap: self.rmap.delta_to(&newer.rmap),
            outside_read_only: self.outside_read_only.changes_to(&newer.outside_read_only, |(), ()| true),
        }
    }

    /// Makes the newer tables of the older ones.
    pub fn apply(&mut self, delta: &TablesDelta) {
        for (id, change) in &delta.pages {
            let Some(change) = change else {
                self.pages.remove(u64::from(id.0));
                continue;
            };
            let place = self.pages.slot_mut(u64::from(id.0));
            let page = match place {
                Some(old) if !change.is_new => {
                    let mut page = ShadowPage::clone(&change.header);
                    page.spt = old.spt.clone();
                    Arc::new(page)
                }
                _ => Arc::clone(&change.header),
            };
            *place = Some(page);
        }
        let blocks = delta.entries.blocks();
        for of_page in blocks.flat_map(|block| block.chunk_by(|(a, _), (b, _)| a.page == b.page)) {
            if let Some(page) = self.pages.slot_mut(u64::from(of_page[0].0.page.0)) {
                let page = Arc::make_mut(page);
                of_page.iter().for_each(|(at, value)| page.spt.set(usize::from(at.index), *value));
            }
        }
        self.buckets.apply(&delta.buckets);
        self.rmap.apply(&delta.rmap);
        self.outside_read_only.apply(&delta.outside_read_only);
    }
}
