//! The role card: what a shadow page is, besides the frame that it shadows
//! (2.6.20 kvm.h `kvm_mmu_page`, 6.8 mmu_internal.h `kvm_mmu_page`).

use egui::{RichText, Ui, vec2};

use super::theme::{TEXT, bold, mono};
use super::view::{AppCommand, Selection, ViewCx};
use crate::arch::{Level, Mode};
use crate::engine::shadow::{PageId, ShadowPage, SpteRef, spte};
use crate::explain;
use crate::tr;

/// Parents listed by name; the rest is counted.
const PARENTS: usize = 4;

/// Draws the card of a shadow page of the state shown.
pub fn role_ui(cx: &ViewCx<'_>, ui: &mut Ui, id: PageId) {
    if let Some(page) = title_ui(cx, ui, id) {
        facts_ui(cx, ui, id, page);
    }
}

/// The name of the page, if it exists.
fn title_ui<'a>(cx: &ViewCx<'a>, ui: &mut Ui, id: PageId) -> Option<&'a ShadowPage> {
    let t = cx.tokens;
    let page = cx.shadow_page(id);
    match page {
        Some(page) => {
            let title = tr!(
                cx,
                "Shadow {table} {frame}",
                table = Mode::table_name(Level(page.role.level)),
                frame = format!("{:05x}", id.frame().0)
            );
            ui.label(RichText::new(title).font(bold(15.0)).color(t.shadow.text));
        }
        None => {
            ui.label(RichText::new(tr!(cx, "This shadow page does not exist here.")).color(t.weak));
        }
    }
    page
}

fn facts_ui(cx: &ViewCx<'_>, ui: &mut Ui, id: PageId, page: &ShadowPage) {
    let t = cx.tokens;
    egui::Grid::new(("role", id)).num_columns(2).spacing(vec2(14.0, 3.0)).show(ui, |ui| {
        for (name, value) in facts(cx, id, page) {
            ui.label(RichText::new(name).color(t.weak));
            ui.label(RichText::new(value).font(mono(TEXT)).color(t.strong));
            ui.end_row();
        }
    });
}

fn facts(cx: &ViewCx<'_>, id: PageId, page: &ShadowPage) -> Vec<(&'static str, String)> {
    let role = &page.role;
    let yes = |on: bool| if on { "1" } else { "0" }.to_owned();
    let access = [(role.access.user, 'u'), (role.access.write, 'w'), (role.access.exec, 'x')];
    let access: String = access.iter().map(|(on, letter)| if *on { *letter } else { '-' }).collect();
    let mut facts = vec![
        (if role.direct { tr!(cx, "maps from gfn") } else { tr!(cx, "shadows gfn") }, format!("{:#x}", page.gfn.0)),
        ("glevels", role.glevels.to_string()),
        ("level", role.level.to_string()),
        ("quadrant", role.quadrant.to_string()),
        ("direct", yes(role.direct)),
        ("access", access),
        ("nxe", yes(role.nxe)),
        ("cr0_wp", yes(role.cr0_wp)),
        ("smep_andnot_wp", yes(role.smep_andnot_wp)),
        ("smap_andnot_wp", yes(role.smap_andnot_wp)),
        (tr!(cx, "role word, 2.6.20"), format!("{:#07x}", role.word_2007())),
        (tr!(cx, "role word, 6.x"), format!("{:#07x}", role.word_now())),
        ("root_count", page.root_count.to_string()),
        ("unsync", yes(page.unsync)),
        ("unsync_children", page.unsync_children.to_string()),
        (tr!(cx, "parents"), parents(cx, page)),
    ];
    let leaf = role.level == 1;
    let used = page.spt.iter_set().filter(|(_, entry)| spte::is_present(*entry)).count();
    facts.push((if leaf { tr!(cx, "pages mapped") } else { tr!(cx, "tables linked") }, used.to_string()));
    if page.invalid {
        facts.push(("invalid", "1".to_owned()));
    }
    facts.push((tr!(cx, "host frame"), format!("{:05x}", id.frame().0)));
    facts
}

fn parents(cx: &ViewCx<'_>, page: &ShadowPage) -> String {
    let all = page.parents.as_slice();
    let name = |at: &SpteRef| {
        let level = cx.shadow_page(at.page).map_or(0, |page| page.role.level);
        format!("{:05x}[{}] L{level}", at.page.frame().0, at.index)
    };
    let mut words: Vec<String> = all.iter().take(PARENTS).map(name).collect();
    if all.is_empty() {
        words.push(tr!(cx, "none").to_owned());
    } else if all.len() > PARENTS {
        words.push(tr!(cx, "and {count} more", count = all.len() - PARENTS));
    }
    words.join("\n")
}

/// A shadow page in the drawer: the way to the guest table that it shadows, and its card.
pub fn page_ui(cx: &ViewCx<'_>, ui: &mut Ui, id: PageId) {
    let Some(page) = title_ui(cx, ui, id) else { return };
    if page.role.direct {
        let words =
            tr!(cx, "A direct page mirrors no guest table, so the frame that it begins with is not write-protected.");
        ui.label(RichText::new(words).color(cx.tokens.text));
    } else {
        let (level, base) = (page.role.level, page.gfn.base());
        let name = tr!(cx, "→ guest {table}", table = Mode::table_name(Level(level)));
        let tip = tr!(cx, "Select the guest table that it shadows");
        if ui.button(name).on_hover_text(tip).accessible_name(tip).clicked() {
            cx.send(AppCommand::Select(Selection::Table { level, base }));
        }
    }
    facts_ui(cx, ui, id, page);
}

/// A shadow entry in the drawer: its value bit by bit beside the guest entry that it mirrors.
pub fn spte_ui(cx: &ViewCx<'_>, ui: &mut Ui, at: SpteRef) {
    let t = cx.tokens;
    let Some(page) = cx.shadow_page(at.page) else {
        ui.label(RichText::new(tr!(cx, "This shadow entry does not exist here.")).color(t.weak));
        return;
    };
    let value = page.spt[usize::from(at.index)];
    let level = Level(page.role.level);
    let title = tr!(
        cx,
        "Shadow {table} {frame}",
        table = Mode::table_name(level),
        frame = format!("{:05x} [{}]", at.page.frame().0, at.index)
    );
    ui.label(RichText::new(title).font(bold(15.0)).color(t.shadow.text));
    let hex = format!("0x{}", explain::hex_digits(value, 16));
    ui.label(RichText::new(hex).font(mono(TEXT)).color(t.strong));
    let leaf = page.role.level == 1;
    let mut lines = vec![super::stage::words::entry_bits(value, leaf, false, cx.language())];
    if leaf && spte::is_present(value) {
        let words = match value & spte::GUEST_WRITE != 0 {
            true => tr!(cx, "Soft bit 10: the guest allows writes"),
            false => tr!(cx, "Soft bit 10: the guest forbids writes"),
        };
        lines.push(words.to_owned());
        let words = match value & spte::GUEST_USER != 0 {
            true => tr!(cx, "Soft bit 11: the guest allows user accesses"),
            false => tr!(cx, "Soft bit 11: the guest forbids user accesses"),
        };
        lines.push(words.to_owned());
    }
    if !leaf && value & spte::PS_MARK != 0 {
        lines.push(tr!(cx, "Soft bit 9: a direct page below splits a large guest page").to_owned());
    }
    if leaf && !spte::is_present(value) && value & spte::IO_MARK != 0 {
        lines.push(tr!(cx, "Soft bit 9: no memory slot behind it, every access is emulated").to_owned());
    }
    for line in lines {
        ui.label(RichText::new(line).color(t.text));
    }
    ui.label(RichText::new(tr!(cx, "Only the hypervisor writes this entry.")).color(t.weak));
    ui.horizontal_wrapped(|ui| {
        if ui.button(tr!(cx, "→ its page")).accessible_name(tr!(cx, "Select the shadow page")).clicked() {
            cx.send(AppCommand::Select(Selection::Shadow(at.page)));
        }
        if let crate::engine::AnyVm::Shadow(vm) = cx.vm
            && let Some(gpa) = vm.mirrored_entry(at)
        {
            let name = tr!(cx, "Select the guest entry that it mirrors");
            if ui.button(tr!(cx, "→ guest entry")).on_hover_text(name).accessible_name(name).clicked() {
                cx.send(AppCommand::Select(Selection::Entry { level: page.role.level, gpa }));
            }
        }
    });
}
