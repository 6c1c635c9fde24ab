//! Shadow pages of a 2006, 2007 or present-day shadow MMU (2.6.20 mmu.c, 6.8 mmu.c).

use super::{EntryId, Lower, LowerCard, LowerEntry, LowerRow, Mark, Rail, RailKind, RootCard, RootSlot, TableId, host};
use crate::app::stage::model::Inputs;
use crate::app::stage::path::{self, Path, Reach};
use crate::app::stage::rows::{self, Class, Line};
use crate::app::stage::words;
use crate::app::view::Selection;
use crate::arch::entry::P;
use crate::arch::walk::TableMemory;
use crate::arch::{Gfn, Gpa, Level, Mode, pdpte};
use crate::engine::shadow::{LEVELS, PageId, Root, Shadow, ShadowPage, SpteRef, spte};
use crate::engine::{AnyVm, Vm};
use crate::language::Language;
use crate::machine::Event;
use crate::machine::table::ENTRIES;
use crate::tr;

/// So many tables of a level are listed at most.
const MOST: usize = 8;

/// What the hardware read in its last attempt at the access.
struct Reads<'a> {
    events: Vec<&'a Event>,
    recorded: bool,
    arrived: bool,
}

impl<'a> Reads<'a> {
    fn of(inputs: &Inputs<'a>, path: &Path) -> Self {
        let mut reads: Vec<&Event> = Vec::new();
        let mut last = 0;
        for event in path::events_in_view(inputs.command, inputs.events) {
            if let Event::ShadowRead { level, .. } = event {
                if *level >= last {
                    reads.clear();
                }
                last = *level;
                reads.push(event);
            } else if matches!(event, Event::VmExit { .. }) {
                last = 0;
            }
        }
        Self { events: reads, recorded: path.recorded, arrived: path.arrived && path.gpa().is_some() }
    }

    fn reach(&self, at: SpteRef) -> Reach {
        let place = at.page.frame().base().0 + 8 * u64::from(at.index);
        let read = self.events.iter().any(|event| matches!(event, Event::ShadowRead { hpa, .. } if hpa.0 == place));
        self.or_passed(read)
    }

    fn or_passed(&self, read: bool) -> Reach {
        match (read, self.recorded && self.arrived) {
            (true, _) => Reach::Read,
            (false, true) => Reach::Cached,
            (false, false) => Reach::Ahead,
        }
    }
}

pub fn build(inputs: &Inputs<'_>, vm: &Vm<Shadow>, path: &Path) -> Lower {
    let reads = Reads::of(inputs, path);
    let walked = if path.begins() { vm.shadow_path(path.gva) } else { Vec::new() };
    let tables = path.tables(&vm.machine);
    let before = before_of(inputs);
    let look = View { inputs, vm, before, reads: &reads };
    let (mut cards, mut left_out) = (Vec::new(), Vec::new());
    let top = if vm.machine.cpu.mode().is_long() { vm.machine.cpu.mode().top_level() } else { 3 };
    let root = root(&look, path);
    let newest = newest(vm);
    for level in Level::down_from(top) {
        let here = walked.iter().find(|at| vm.engine.pool.page(at.page).role.level == level.0).copied();
        let table = tables.iter().find(|(l, _)| *l == level).map(|(_, table)| table.gfn());
        let (others, mut more) = others(vm, &newest, level, here, table);
        let mut rest = others.into_iter().peekable();
        let first = match here {
            Some(at) => Some((at.page, Some(at))),
            // Nothing leads there from the root, but the table on the path still has a shadow.
            None => rest.next_if(|page| shadows(vm, *page, table)).map(|page| {
                more -= 1;
                (page, None)
            }),
        };
        if let Some((page, at)) = first {
            cards.push(card(&look, page, at, true, table));
        }
        cards.extend(rest.take(MOST).map(|page| card(&look, page, None, false, table)));
        if more > MOST {
            left_out.push((level, more - MOST));
        }
    }
    let rails = rails(&look, &tables, &cards, root.is_some());
    let title = tr!(inputs.language, "Shadow — what the CPU really walks").to_owned();
    let name = tr!(inputs.language, "Shadow");
    Lower { title, name, root, cards, left_out, rails, host: host(inputs, path), arrived: reads.arrived }
}

/// What every part is built from.
struct View<'a> {
    inputs: &'a Inputs<'a>,
    vm: &'a Vm<Shadow>,
    before: Option<&'a Vm<Shadow>>,
    reads: &'a Reads<'a>,
}

impl View<'_> {
    /// The page as it was before the command in focus, if it was the same page then.
    fn before(&self, id: PageId) -> Option<&ShadowPage> {
        let now = self.vm.engine.pool.page(id);
        self.before?.engine.pool.get(id).filter(|old| old.gfn == now.gfn && old.role == now.role)
    }
}

/// Of each level the newest pages, as many as may be shown.
fn newest(vm: &Vm<Shadow>) -> [Vec<PageId>; LEVELS] {
    let pool = &vm.engine.pool;
    std::array::from_fn(|level| {
        let level = level as u8;
        pool.newest_of(level).take(pool.live_of(level).min(MOST + 2)).collect()
    })
}

/// Other pages of a level, as many as may be shown: first those of the guest table on the path, then the
/// newest; and how many others there are in all.
fn others(
    vm: &Vm<Shadow>,
    newest: &[Vec<PageId>; LEVELS],
    level: Level,
    here: Option<SpteRef>,
    table: Option<Gfn>,
) -> (Vec<PageId>, usize) {
    let pool = &vm.engine.pool;
    let is_other = |id: &PageId| here.is_none_or(|at| at.page != *id);
    let of_table = table.into_iter().flat_map(|gfn| pool.of_gfn(gfn));
    let mut ids: Vec<PageId> = of_table.filter(|id| pool.page(*id).role.level == level.0 && is_other(id)).collect();
    // A bucket has them oldest first.
    ids.reverse();
    let newest = newest[usize::from(level.0)].iter().filter(|id| is_other(id));
    let rest: Vec<PageId> = newest.filter(|id| !ids.contains(id)).copied().collect();
    ids.extend(rest);
    (ids, pool.live_of(level.0) - usize::from(here.is_some()))
}

fn shadows(vm: &Vm<Shadow>, id: PageId, table: Option<Gfn>) -> bool {
    let page = vm.engine.pool.page(id);
    !page.role.direct && Some(page.gfn) == table
}

fn root(look: &View<'_>, path: &Path) -> Option<RootCard> {
    let Root::Pae(slots) = look.vm.engine.root else { return None };
    let before = look.before.map(|vm| vm.engine.root);
    let slot = |i: usize| {
        let value = slots[i];
        let page = spte::is_present(value).then(|| PageId::of_frame(spte::frame(value)));
        let changed = match before {
            Some(Root::Pae(old)) => old[i] != value,
            _ => true,
        };
        RootSlot { value, page: page.map(|id| (id, look.vm.engine.pool.page(id).root_count)), changed }
    };
    let walked = pdpte::index(path.gva);
    // The four slots are loaded with CR3: the walk uses one as soon as it reads anything.
    let reach = look.reads.or_passed(!look.reads.events.is_empty());
    Some(RootCard { slots: std::array::from_fn(slot), walked, reach })
}

/// `table` is the guest table on the path.
fn card(look: &View<'_>, id: PageId, at: Option<SpteRef>, open: bool, table: Option<Gfn>) -> LowerCard {
    let page = look.vm.engine.pool.page(id);
    let language = look.inputs.language;
    let tag = tag(look.vm, id, language);
    let same_table = !open && shadows(look.vm, id, table);
    let level = Level(page.role.level);
    let marks = [
        (page.unsync, Mark::Unsync),
        (page.invalid, Mark::Invalid),
        (look.before(id).is_none(), Mark::New),
        (page.root_count > 0, Mark::Pinned),
        (page.role.direct, Mark::Direct),
    ];
    let selected = match look.inputs.selection {
        Selection::Shadow(page) => page == id,
        _ => false,
    };
    LowerCard {
        level,
        id: TableId::Shadow(id),
        title: tr!(look.inputs.language, "Shadow {table}", table = Mode::table_name(level)),
        short: Mode::table_name(level).to_owned(),
        frame: id.frame().0,
        rows: if open { table_rows(look, id, at) } else { Vec::new() },
        walked: at.map(|at| (usize::from(at.index), look.reads.reach(at))),
        marks: marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect(),
        note: note(page, tag.as_ref(), same_table, language),
        tag,
        selected,
    }
}

/// `gfn 0x00006`, or what tells a page from another one of the same table.
fn note(page: &ShadowPage, tag: Option<&String>, same_table: bool, language: Language) -> String {
    match tag {
        Some(tag) if same_table => tag.clone(),
        _ if page.role.direct => tr!(language, "from gfn {gfn}", gfn = words::gfn(page.gfn.base())),
        _ => format!("gfn {}", words::gfn(page.gfn.base())),
    }
}

/// The part of a table of 4-byte entries, or the access that the upper entries grant, where that is
/// not everything or another page of the table differs in it.
fn tag(vm: &Vm<Shadow>, id: PageId, language: Language) -> Option<String> {
    let page = vm.engine.pool.page(id);
    if page.role.glevels == 2 && !page.role.direct {
        return Some(tr!(language, "quadrant {quadrant}", quadrant = page.role.quadrant));
    }
    let access = page.role.access;
    let differs = |other: &PageId| vm.engine.pool.page(*other).role.access != access;
    let twin = || !page.role.direct && vm.engine.pool.of_gfn(page.gfn).any(|other| differs(&other));
    if access.write && access.user && access.exec && !twin() {
        return None;
    }
    let letter = |on: bool, letter| if on { letter } else { '-' };
    Some([letter(access.user, 'u'), letter(access.write, 'w'), letter(access.exec, 'x')].iter().collect())
}

fn table_rows(look: &View<'_>, id: PageId, at: Option<SpteRef>) -> Vec<LowerRow> {
    let page = look.vm.engine.pool.page(id);
    let before = look.before(id);
    let old = |i: usize| before.map_or(0, |page| page.spt[i]);
    let leaf_bit = if page.role.level == 1 { P } else { 0 };
    let classes: Vec<Class> = page.spt.iter().map(|entry| Class::of(entry, leaf_bit)).collect();
    let mut pinned: Vec<usize> = (0..ENTRIES).filter(|i| old(*i) != page.spt[*i]).take(6).collect();
    pinned.extend(at.map(|at| usize::from(at.index)));
    if let Root::Pdpt { page, first } = look.vm.engine.root
        && page == id
    {
        pinned.extend(usize::from(first)..usize::from(first) + 4);
    }
    if let Selection::Spte(at) = look.inputs.selection
        && at.page == id
    {
        pinned.push(usize::from(at.index));
    }
    pinned.sort_unstable();
    pinned.dedup();
    let to_row = |line: Line| match line {
        Line::Entry(index) => LowerRow::Entry(entry(look, id, index, at)),
        Line::Run { ref range, class: Some(Class::NotPresent), .. } => LowerRow::Run {
            range: range.clone(),
            words: format!("{} · {}", rows::range_words(range), tr!(look.inputs.language, "not shadowed")),
            short: format!("{} · —", rows::range_words(range)),
        },
        Line::Run { ref range, .. } => LowerRow::Run {
            range: range.clone(),
            words: line.words(look.inputs.language),
            short: rows::range_words(range),
        },
    };
    rows::fold(&classes, &pinned, look.inputs.lower_budget).into_iter().map(to_row).collect()
}

/// An entry of a page, with its marks.
pub fn entry_at(inputs: &Inputs<'_>, vm: &Vm<Shadow>, path: &Path, id: PageId, index: usize) -> LowerEntry {
    let reads = Reads::of(inputs, path);
    let before = before_of(inputs);
    let at = vm.shadow_path(path.gva).into_iter().find(|at| at.page == id);
    entry(&View { inputs, vm, before, reads: &reads }, id, index, at)
}

fn before_of<'a>(inputs: &Inputs<'a>) -> Option<&'a Vm<Shadow>> {
    match inputs.before_vm {
        AnyVm::Shadow(vm) => Some(vm),
        AnyVm::Native(_) | AnyVm::TwoDim(_) => None,
    }
}

fn entry(look: &View<'_>, id: PageId, index: usize, at: Option<SpteRef>) -> LowerEntry {
    let vm = look.vm;
    let page = vm.engine.pool.page(id);
    let place = SpteRef { page: id, index: index as u16 };
    let value = page.spt[index];
    let present = spte::is_present(value);
    let mirrors = vm.mirrored_entry(place);
    let leaf = page.role.level == 1;
    let guest_selected = match look.inputs.selection {
        Selection::Entry { level, gpa } => level == page.role.level && mirrors == Some(gpa),
        Selection::Spte(selected) => selected == place,
        _ => false,
    };
    LowerEntry {
        id: EntryId { table: TableId::Shadow(id), index },
        value,
        target: present.then(|| spte::frame(value).0),
        letters: if present { rows::letters(value, leaf, false, true) } else { Vec::new() },
        words: empty_words(look, page, value, mirrors),
        walked: at.filter(|at| usize::from(at.index) == index).map(|at| look.reads.reach(at)),
        changed: look.before(id).map_or(0, |old| old.spt[index]) ^ value,
        mirrors,
        selected: guest_selected,
        more: more(page, value, look.inputs.language),
    }
}

/// What an entry that leads nowhere says: whether the guest has something there.
fn empty_words(look: &View<'_>, page: &ShadowPage, value: u64, mirrors: Option<Gpa>) -> &'static str {
    let (vm, language) = (look.vm, look.inputs.language);
    if value & spte::IO_MARK != 0 && page.role.level == 1 {
        return tr!(language, "no memory");
    }
    let shift = if page.role.glevels == 2 { 2 } else { 3 };
    match mirrors {
        Some(gpa) if vm.machine.memory.read_entry(gpa, shift) & P != 0 => tr!(language, "not yet"),
        _ => "—",
    }
}

/// Why a present leaf grants less than the guest.
fn more(page: &ShadowPage, value: u64, l: Language) -> String {
    let mut lines: Vec<&str> = Vec::new();
    if page.role.level == 1 && spte::is_present(value) && !spte::is_writable(value) {
        lines.push(if value & spte::GUEST_WRITE == 0 {
            tr!(l, "W = 0: the guest does not allow writes")
        } else {
            tr!(l, "W = 0 although the guest allows writes: KVM must see the first one, or the frame is a page table")
        });
    }
    if page.role.level > 1 && spte::is_present(value) {
        lines.push(tr!(l, "An upper entry grants everything: rights are restricted in leaves"));
        if value & spte::PS_MARK != 0 {
            lines.push(tr!(l, "It leads to a direct page that splits a large guest page"));
        }
    }
    if page.role.level == 1 && !spte::is_present(value) && value & spte::IO_MARK != 0 {
        lines.push(tr!(l, "No memory slot holds this address: every access is emulated"));
    }
    lines.join("\n")
}

/// `tables` are those of the guest on the path.
fn rails(look: &View<'_>, tables: &[(Level, Gpa)], cards: &[LowerCard], pae_root: bool) -> Vec<Rail> {
    let (vm, l) = (look.vm, look.inputs.language);
    let mut rails = Vec::new();
    if pae_root {
        let words = match vm.machine.cpu.mode() {
            Mode::Pae => tr!(l, "special root, not shadowed by hash"),
            Mode::Off => tr!(l, "direct pages, no guest tables"),
            _ => tr!(l, "no guest table of this level"),
        };
        let kind = if vm.machine.cpu.mode() == Mode::Pae { RailKind::SpecialRoot } else { RailKind::Plain };
        rails.push(Rail { level: pdpte::LEVEL, ends: Vec::new(), kind, words: words.to_owned(), nested: Vec::new() });
    }
    let protects = vm.engine.policy.caches_pages;
    for (level, table) in tables.iter().filter(|(level, _)| !(pae_root && *level == pdpte::LEVEL)) {
        let (level, gfn) = (*level, table.gfn());
        let of_table = |id: &PageId| shadows(vm, *id, Some(gfn));
        let pages = cards.iter().filter(|card| card.level == level).filter_map(|card| match card.id {
            TableId::Shadow(id) => Some(id).filter(of_table),
            TableId::Nested(_) => None,
        });
        let ends: Vec<(PageId, bool)> = pages.map(|id| (id, protects && !vm.engine.pool.page(id).unsync)).collect();
        let below = cards.iter().find(|card| card.level == level && card.walked.is_some());
        let words = rail_words(look, &ends, below, protects);
        let kind = match ends.as_slice() {
            [(_, synced)] => rail_kind(protects, *synced),
            _ => RailKind::Plain,
        };
        let ends = ends.into_iter().map(|(id, synced)| (TableId::Shadow(id), synced)).collect();
        rails.push(Rail { level, ends, kind, words, nested: Vec::new() });
    }
    for card in cards.iter().filter(|card| card.walked.is_some() && card.marks.contains(&Mark::Direct)) {
        if rails.iter().all(|rail: &Rail| rail.level != card.level) {
            let words = tr!(l, "direct: no guest table").to_owned();
            let (ends, kind, nested) = (Vec::new(), RailKind::Plain, Vec::new());
            rails.push(Rail { level: card.level, ends, kind, words, nested });
        }
    }
    rails
}

const fn rail_kind(protects: bool, synced: bool) -> RailKind {
    match (protects, synced) {
        (false, _) => RailKind::NotProtected,
        (true, true) => RailKind::Synced,
        (true, false) => RailKind::OutOfSync,
    }
}

fn rail_words(look: &View<'_>, ends: &[(PageId, bool)], below: Option<&LowerCard>, protects: bool) -> String {
    let (vm, l) = (look.vm, look.inputs.language);
    match ends {
        // The hardware goes on through the shadow of another table.
        [] if below.is_some() => {
            tr!(l, "not shadowed; below: {table}", table = below.map_or("", |card| &card.note))
        }
        [] => tr!(l, "not shadowed").to_owned(),
        [(id, synced)] => {
            let page = vm.engine.pool.page(*id);
            let state = match rail_kind(protects, *synced) {
                RailKind::NotProtected => tr!(l, "not protected"),
                RailKind::OutOfSync => tr!(l, "out of sync"),
                _ => tr!(l, "synced"),
            };
            match (page.parents.as_slice().len(), page.root_count) {
                (0, 0) => format!("{state} · {}", tr!(l, "no parent")),
                (0, _) => format!("{state} · {}", tr!(l, "root")),
                (1, _) => format!("{state} · {}", tr!(l, "1 parent")),
                (n, _) => format!("{state} · {}", tr!(l, "{count} parents", count = n)),
            }
        }
        more => tr!(l, "{count} shadow pages", count = more.len()),
    }
}
