//! What a pool of shadow pages differs in from an older one.

use std::sync::Arc;

use super::{ENTRIES, EntrySet, PageId, Parents, Pool, ShadowPage};
use crate::arch::Gfn;
use crate::machine::role::Role;

/// A shadow page: its header, and the entries that differ from those of the page that was in its
/// place if that had the same frame and role, from zero if not.
#[derive(Clone, Debug)]
struct PageDelta {
    gfn: Gfn,
    role: Role,
    parents: Parents,
    root_count: u32,
    global: bool,
    invalid: bool,
    unsync: bool,
    unsync_child_bitmap: EntrySet,
    unsync_children: u32,
    write_flooding_count: u32,
    prev: Option<PageId>,
    next: Option<PageId>,
    entries: Box<[(u16, u64)]>,
}

fn same_page(old: Option<&Arc<ShadowPage>>, gfn: Gfn, role: Role) -> Option<&ShadowPage> {
    old.map(|page| &**page).filter(|page| page.gfn == gfn && page.role == role)
}

impl PageDelta {
    fn new(page: &ShadowPage, old: Option<&Arc<ShadowPage>>) -> Self {
        let base = same_page(old, page.gfn, page.role).map_or(&[0; ENTRIES], |old| &old.spt);
        let differ = |(index, (new, old)): (usize, (&u64, &u64))| (new != old).then_some((index as u16, *new));
        let ShadowPage { gfn, role, root_count, global, invalid, unsync, .. } = *page;
        let ShadowPage { unsync_child_bitmap, unsync_children, write_flooding_count, prev, next, .. } = *page;
        Self {
            gfn,
            role,
            parents: page.parents.clone(),
            root_count,
            global,
            invalid,
            unsync,
            unsync_child_bitmap,
            unsync_children,
            write_flooding_count,
            prev,
            next,
            entries: page.spt.iter().zip(base).enumerate().filter_map(differ).collect(),
        }
    }

    fn page(&self, old: Option<&Arc<ShadowPage>>) -> ShadowPage {
        let mut spt = same_page(old, self.gfn, self.role).map_or([0; ENTRIES], |old| old.spt);
        for (index, value) in &self.entries {
            spt[usize::from(*index)] = *value;
        }
        let Self { gfn, role, root_count, global, invalid, unsync, .. } = *self;
        let Self { unsync_child_bitmap, unsync_children, write_flooding_count, prev, next, .. } = *self;
        ShadowPage {
            gfn,
            role,
            spt,
            parents: self.parents.clone(),
            root_count,
            global,
            invalid,
            unsync,
            unsync_child_bitmap,
            unsync_children,
            write_flooding_count,
            prev,
            next,
        }
    }
}

/// What a pool differs in from an older one.
#[derive(Clone, Debug)]
pub struct PoolDelta {
    pages: Vec<(u64, Option<PageDelta>)>,
    buckets: Vec<(u64, Option<Arc<Vec<PageId>>>)>,
}

impl PoolDelta {
    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let entries =
            |(_, page): &(u64, Option<PageDelta>)| page.as_ref().map_or(0, |page| size_of_val(&*page.entries));
        let chains =
            self.buckets.iter().map(|(_, chain)| chain.as_ref().map_or(0, |chain| 48 + size_of_val(&***chain)));
        size_of_val(&*self.pages)
            + self.pages.iter().map(entries).sum::<usize>()
            + size_of_val(&*self.buckets)
            + chains.sum::<usize>()
    }
}

impl Pool {
    /// Takes pages and buckets out; returns what they differ in from an older pool.
    pub fn take_delta_from(&mut self, older: &Self) -> PoolDelta {
        let (pages, buckets) = (std::mem::take(&mut self.pages), std::mem::take(&mut self.buckets));
        let page =
            |(index, old, new): (u64, _, Option<&Arc<ShadowPage>>)| (index, new.map(|page| PageDelta::new(page, old)));
        PoolDelta {
            pages: pages.changes_since(&older.pages).map(page).collect(),
            buckets: buckets.changes_since(&older.buckets).map(|(index, _, new)| (index, new.cloned())).collect(),
        }
    }

    /// The opposite of [`Pool::take_delta_from`].
    pub fn put_delta(&mut self, older: Self, delta: &PoolDelta) {
        (self.pages, self.buckets) = (older.pages, older.buckets);
        for (index, page) in &delta.pages {
            let slot = self.pages.slot_mut(*index);
            *slot = page.as_ref().map(|page| Arc::new(page.page(slot.as_ref())));
        }
        for (index, chain) in &delta.buckets {
            *self.buckets.slot_mut(*index) = chain.clone();
        }
    }
}
