//! Shadow pages, the pool that they come from, the hash that finds them and the active list
//! (KVM 2.6.20 mmu.c `kvm_mmu_alloc_page`, `kvm_mmu_get_page`, `kvm_mmu_zap_page`).
//!
//! A shadow page is a real page table: 512 entries in the processor's format, in a host frame of
//! its own, walked by the hardware.

use std::sync::Arc;

use crate::arch::walk::TableMemory;
use crate::arch::{Gfn, Gpa, Hfn};
use crate::machine::role::Role;
use crate::machine::sparse::Sparse;
use crate::machine::table::Entries;

use super::few::Few;

/// The host frame of the first shadow page.
pub const FIRST_SHADOW_FRAME: u64 = 0x7f100;
pub use crate::machine::table::ENTRIES;

/// Levels of shadow pages, and one for a level 0 that none has.
pub const LEVELS: usize = 6;

/// A shadow page, by its place in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId(pub u32);

impl PageId {
    /// Its host frame.
    #[must_use]
    pub const fn frame(self) -> Hfn {
        Hfn(FIRST_SHADOW_FRAME + self.0 as u64)
    }

    /// The shadow page that a host frame holds.
    #[must_use]
    pub const fn of_frame(frame: Hfn) -> Self {
        Self((frame.0 - FIRST_SHADOW_FRAME) as u32)
    }
}

/// The place of a shadow entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpteRef {
    /// Its page.
    pub page: PageId,
    /// Its index, 0 to 511.
    pub index: u16,
}

/// The entries that point to a shadow page: one pointer, or chains once there are more
/// (`multimapped`).
pub type Parents = Few<SpteRef>;

/// A set of entries of a shadow page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EntrySet([u64; ENTRIES / 64]);

impl EntrySet {
    /// Adds an entry; `true` if it was not in the set.
    pub fn set(&mut self, index: u16) -> bool {
        let (word, bit) = (&mut self.0[usize::from(index / 64)], 1 << (index % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Removes an entry; `true` if it was in the set.
    pub fn clear(&mut self, index: u16) -> bool {
        let (word, bit) = (&mut self.0[usize::from(index / 64)], 1 << (index % 64));
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }

    /// The entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        let words = self.0;
        (0..ENTRIES as u16).filter(move |i| words[usize::from(i / 64)] >> (i % 64) & 1 != 0)
    }
}

/// A shadow page with its header.
#[derive(Clone, Debug)]
pub struct ShadowPage {
    /// The guest frame that it shadows; for a direct page the first frame that it maps.
    pub gfn: Gfn,
    /// What it is.
    pub role: Role,
    /// The entries.
    pub spt: Entries,
    /// Entries of other shadow pages that point here.
    pub parents: Parents,
    /// How many root slots hold it.
    pub root_count: u32,
    /// Every leaf comes from a G = 1 guest entry (before the series: kept over MOV CR3).
    pub global: bool,
    /// Zapped while still a root: never found by a lookup again (2e53d63acba).
    pub invalid: bool,
    /// The guest may write the table that it shadows; entries may be stale.
    pub unsync: bool,
    /// Entries below which something is out of sync; a hint that is cleared lazily.
    pub unsync_child_bitmap: EntrySet,
    /// How many entries are in that set.
    pub unsync_children: u32,
    /// Writes in a row to the table that it shadows (6.x: by page).
    pub write_flooding_count: u32,
    /// Neighbours in the active list: towards the head, towards the tail.
    prev: Option<PageId>,
    next: Option<PageId>,
}

impl ShadowPage {
    fn new(gfn: Gfn, role: Role) -> Self {
        Self {
            gfn,
            role,
            spt: Entries::default(),
            parents: Parents::None,
            root_count: 0,
            global: true,
            invalid: false,
            unsync: false,
            unsync_child_bitmap: EntrySet::default(),
            unsync_children: 0,
            write_flooding_count: 0,
            prev: None,
            next: None,
        }
    }

    /// Whether two pages are equal but for their entries.
    pub(super) fn is_equal_beside_entries(&self, other: &Self) -> bool {
        let Self {
            gfn,
            role,
            spt: _,
            parents,
            root_count,
            global,
            invalid,
            unsync,
            unsync_child_bitmap,
            unsync_children,
            write_flooding_count,
            prev,
            next,
        } = self;
        (*gfn, *role, *prev, *next) == (other.gfn, other.role, other.prev, other.next)
            && (*root_count, *unsync_children, *write_flooding_count)
                == (other.root_count, other.unsync_children, other.write_flooding_count)
            && (*global, *invalid, *unsync) == (other.global, other.invalid, other.unsync)
            && (parents, unsync_child_bitmap) == (&other.parents, &other.unsync_child_bitmap)
    }

    /// The page with no entry set.
    pub(super) fn without_entries(&self) -> Self {
        let mut page = self.clone();
        page.spt = Entries::default();
        page
    }

    /// About how many bytes it takes with its entries and parents, in addition to those of `older`, with
    /// which it shares the rest.
    pub(super) fn bytes_beside(&self, older: Option<&Self>) -> usize {
        let chain = self.parents.bytes_beside(older.map(|older| &older.parents));
        HEADER + self.spt.bytes_beside(older.map(|older| &older.spt)) + chain
    }

    /// The guest frame behind entry `index` of a direct page.
    #[must_use]
    pub const fn direct_gfn(&self, index: usize) -> Gfn {
        Gfn(self.gfn.0 + ((index as u64) << (9 * (self.role.level as u32 - 1))))
    }
}

/// Bytes of a page without its entries.
const HEADER: usize = size_of::<ShadowPage>() + 2 * size_of::<usize>();

/// The shadow pages of a guest.
#[derive(Clone, Debug)]
pub struct Pool {
    pages: Sparse<Arc<ShadowPage>>,
    /// Ids that were used and are free again, last freed first.
    free: Arc<Vec<PageId>>,
    /// Ids below this were used at least once.
    touched: u32,
    capacity: u32,
    live: u32,
    /// How many of them are of each level.
    live_of: [u32; LEVELS],
    /// Those above level 1, which are few, in the order of the active list from its tail.
    upper: Arc<Vec<PageId>>,
    buckets: Sparse<Few<PageId>>,
    bucket_mask: u64,
    head: Option<PageId>,
    tail: Option<PageId>,
}

impl Pool {
    /// A pool of `capacity` pages, found through `buckets` hash buckets (a power of two); more where
    /// the pool is larger than that, so that chains stay short.
    #[must_use]
    pub fn new(capacity: u32, buckets: u64) -> Self {
        let bucket_mask = buckets.max(u64::from(capacity)).next_power_of_two() - 1;
        Self {
            pages: Sparse::default(),
            free: Arc::default(),
            touched: 0,
            capacity,
            live: 0,
            live_of: [0; LEVELS],
            upper: Arc::default(),
            buckets: Sparse::default(),
            bucket_mask,
            head: None,
            tail: None,
        }
    }

    /// How many pages are free.
    #[must_use]
    pub const fn free_count(&self) -> u32 {
        self.capacity - self.live
    }

    /// How many pages are in use.
    #[must_use]
    pub const fn live(&self) -> u32 {
        self.live
    }

    /// How many pages of a level are in use.
    #[must_use]
    pub fn live_of(&self, level: u8) -> usize {
        self.live_of.get(usize::from(level)).map_or(0, |live| *live as usize)
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest, pages and
    /// buckets apart.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        let beside = |new: &Arc<Vec<PageId>>, old| if Arc::ptr_eq(new, old) { 0 } else { size_of_val(new.as_slice()) };
        beside(&self.free, &older.free) + beside(&self.upper, &older.upper)
    }

    /// Exchanges pages and buckets.
    pub(super) const fn swap(&mut self, pages: &mut Sparse<Arc<ShadowPage>>, buckets: &mut Sparse<Few<PageId>>) {
        std::mem::swap(&mut self.pages, pages);
        std::mem::swap(&mut self.buckets, buckets);
    }

    /// A page in use.
    ///
    /// # Panics
    /// If the page is not in use: an entry pointed to a page that was freed.
    #[must_use]
    #[inline]
    pub fn page(&self, id: PageId) -> &ShadowPage {
        self.get(id).unwrap_or_else(|| unreachable!("shadow page {} is not in use", id.0))
    }

    /// A page, if it is in use.
    #[must_use]
    #[inline]
    pub fn get(&self, id: PageId) -> Option<&ShadowPage> {
        self.pages.get(u64::from(id.0)).map(|page| &**page)
    }

    /// A page in use, to change it.
    #[inline]
    pub fn page_mut(&mut self, id: PageId) -> &mut ShadowPage {
        match self.pages.slot_mut(u64::from(id.0)) {
            Some(page) => Arc::make_mut(page),
            None => unreachable!("shadow page {} is not in use", id.0),
        }
    }

    /// An entry.
    #[must_use]
    pub fn spte(&self, at: SpteRef) -> u64 {
        self.page(at.page).spt[usize::from(at.index)]
    }

    /// Pages in use, newest first: the active list.
    pub fn active(&self) -> impl Iterator<Item = (PageId, &ShadowPage)> {
        std::iter::successors(self.head.map(|id| (id, self.page(id))), |(_, page)| {
            page.next.map(|id| (id, self.page(id)))
        })
    }

    /// Pages of a level, newest first.
    pub fn newest_of(&self, level: u8) -> impl Iterator<Item = PageId> + '_ {
        let of_level = move |id: &PageId| self.page(*id).role.level == level;
        let (lowest, upper) = if level == 1 { (self.head, &[][..]) } else { (None, &self.upper[..]) };
        let active = std::iter::successors(lowest, |id| self.page(*id).next);
        active.chain(upper.iter().rev().copied()).filter(of_level)
    }

    /// The oldest page, and the one before it towards the head.
    #[must_use]
    pub const fn tail(&self) -> Option<PageId> {
        self.tail
    }

    /// The neighbour of a page towards the head of the active list.
    #[must_use]
    pub fn towards_head(&self, id: PageId) -> Option<PageId> {
        self.page(id).prev
    }

    const fn bucket(&self, gfn: Gfn) -> u64 {
        gfn.0 & self.bucket_mask
    }

    /// The pages that shadow a guest table in this frame; direct and invalid pages do not.
    pub fn of_gfn(&self, gfn: Gfn) -> impl Iterator<Item = PageId> + '_ {
        let bucket = self.buckets.get(self.bucket(gfn)).map_or(&[][..], Few::as_slice);
        bucket.iter().copied().filter(move |id| {
            let page = self.page(*id);
            page.gfn == gfn && !page.role.direct && !page.invalid
        })
    }

    /// The page of that frame and role.
    #[must_use]
    pub fn find(&self, gfn: Gfn, role: Role) -> Option<PageId> {
        let bucket = self.buckets.get(self.bucket(gfn))?;
        bucket.as_slice().iter().copied().find(|id| {
            let page = self.page(*id);
            page.gfn == gfn && page.role == role && !page.invalid
        })
    }

    /// Takes a free page, at the head of the active list and in the hash.
    ///
    /// # Panics
    /// If none is free: callers reclaim first.
    pub fn allocate(&mut self, gfn: Gfn, role: Role) -> PageId {
        assert!(self.live < self.capacity, "no free shadow page: the caller must reclaim first");
        let id = Arc::make_mut(&mut self.free).pop().unwrap_or_else(|| {
            self.touched += 1;
            PageId(self.touched - 1)
        });
        self.live += 1;
        self.live_of[usize::from(role.level)] += 1;
        self.pages.set(u64::from(id.0), Arc::new(ShadowPage::new(gfn, role)));
        self.link_at_head(id);
        self.buckets.slot_mut(self.bucket(gfn)).get_or_insert_default().add(id);
        id
    }

    /// Gives a page back. Its entries are all zero by then.
    pub fn release(&mut self, id: PageId) {
        self.unlink(id);
        let page = self.page(id);
        let (bucket, level) = (self.bucket(page.gfn), usize::from(page.role.level));
        self.leave_bucket(id, bucket);
        self.live_of[level] -= 1;
        self.pages.remove(u64::from(id.0));
        Arc::make_mut(&mut self.free).push(id);
        self.live -= 1;
    }

    /// Lets a page stand for another frame.
    pub fn set_gfn(&mut self, id: PageId, gfn: Gfn) {
        let (from, to) = (self.bucket(self.page(id).gfn), self.bucket(gfn));
        self.page_mut(id).gfn = gfn;
        if from != to {
            self.leave_bucket(id, from);
            self.buckets.slot_mut(to).get_or_insert_default().add(id);
        }
    }

    fn leave_bucket(&mut self, id: PageId, bucket: u64) {
        if let Some(ids) = self.buckets.slot_mut(bucket) {
            ids.remove_in_order(id);
        }
    }

    /// The shadow walk passed through a page: stores to it are no flood.
    pub fn clear_flooding(&mut self, id: PageId) {
        if self.page(id).write_flooding_count != 0 {
            self.page_mut(id).write_flooding_count = 0;
        }
    }

    /// Moves a page to the head of the active list.
    pub fn move_to_head(&mut self, id: PageId) {
        self.unlink(id);
        self.link_at_head(id);
    }

    fn link_at_head(&mut self, id: PageId) {
        let old = self.head.replace(id);
        let page = self.page_mut(id);
        let is_upper = page.role.level > 1;
        (page.prev, page.next) = (None, old);
        match old {
            Some(old) => self.page_mut(old).prev = Some(id),
            None => self.tail = Some(id),
        }
        if is_upper {
            Arc::make_mut(&mut self.upper).push(id);
        }
    }

    fn unlink(&mut self, id: PageId) {
        let page = self.page(id);
        let (prev, next) = (page.prev, page.next);
        if page.role.level > 1 {
            let place = self.upper.iter().position(|other| *other == id);
            place.map(|place| Arc::make_mut(&mut self.upper).remove(place));
        }
        match prev {
            Some(prev) => self.page_mut(prev).next = next,
            None => self.head = next,
        }
        match next {
            Some(next) => self.page_mut(next).prev = prev,
            None => self.tail = prev,
        }
    }

    /// Every page in use, by id.
    pub fn iter(&self) -> impl Iterator<Item = (PageId, &ShadowPage)> {
        self.pages.iter().map(|(id, page)| (PageId(id as u32), &**page))
    }
}

/// The hardware's view: host-physical addresses of shadow pages.
impl TableMemory for Pool {
    #[inline]
    fn read_u64(&self, hpa: Gpa) -> u64 {
        let frame = hpa.0 >> 12;
        match self.pages.get(frame.wrapping_sub(FIRST_SHADOW_FRAME)) {
            Some(page) => page.spt[(hpa.0 >> 3) as usize & (ENTRIES - 1)],
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::role::AccessBits;

    fn role(level: u8) -> Role {
        Role {
            glevels: 4,
            level,
            quadrant: 0,
            direct: false,
            access: AccessBits::ALL,
            nxe: true,
            cr0_wp: true,
            smep_andnot_wp: false,
            smap_andnot_wp: false,
            cr4_pse: false,
            key: 0,
        }
    }

    #[test]
    fn pages_are_found_by_frame_and_role_and_listed_newest_first() {
        let mut pool = Pool::new(4, 4);
        let a = pool.allocate(Gfn(1), role(1));
        let b = pool.allocate(Gfn(5), role(1));
        let c = pool.allocate(Gfn(1), role(2));
        assert_eq!(pool.find(Gfn(1), role(2)), Some(c));
        assert_eq!(pool.of_gfn(Gfn(1)).collect::<Vec<_>>(), [a, c]);
        let order = |pool: &Pool| pool.active().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(order(&pool), [c, b, a]);
        assert_eq!(pool.tail(), Some(a));
        pool.move_to_head(a);
        assert_eq!((order(&pool), pool.tail()), (vec![a, c, b], Some(b)));
        pool.release(c);
        assert_eq!((order(&pool), pool.live(), pool.free_count()), (vec![a, b], 2, 2));
        assert_eq!(pool.find(Gfn(1), role(2)), None);
        let d = pool.allocate(Gfn(7), role(2));
        let e = pool.allocate(Gfn(8), role(2));
        pool.move_to_head(d);
        let newest = |level| pool.newest_of(level).collect::<Vec<_>>();
        assert_eq!((newest(1), newest(2), newest(3)), (vec![a, b], vec![d, e], vec![]));
    }

    #[test]
    fn parents_grow_into_a_chain_and_back() {
        let at = |index| SpteRef { page: PageId(0), index };
        let mut parents = Parents::None;
        (0..4).for_each(|i| parents.add(at(i)));
        assert_eq!(parents.as_slice().len(), 4);
        [2, 0, 3].into_iter().for_each(|i| parents.remove(at(i)));
        assert_eq!(parents, Parents::One(at(1)));
        parents.remove(at(1));
        assert_eq!(parents, Parents::None);
    }
}
