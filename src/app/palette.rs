//! What lies over the window: the command palette, the sheet of shortcuts, the presets.

use egui::{
    Align2, Area, Color32, Context, Frame, Id, Key, Margin, Modifiers, Order, Rect, RichText, Role, ScrollArea, Sense,
    Stroke, TextEdit, Ui, Vec2, WidgetInfo, vec2,
};

use super::actions::{Action, Group};
use super::theme::{self, RADIUS, RADIUS_SMALL, TEXT};
use super::view::{AppCommand, Overlay, ViewCx};
use super::widgets::heading;
use super::{files, focus, lesson, presets};
use crate::app::elide::cut;
use crate::arch::Gva;
use crate::arch::address::number_from_text;
use crate::language::Language;
use crate::tr;

/// Width of the palette and of the sheet, in points, at most.
const PALETTE: f32 = 620.0;
const SHEET: f32 = 760.0;
const PRESETS: f32 = 1180.0;
const LESSONS: f32 = 760.0;
const CARD: f32 = 520.0;
/// So many actions are in view at once.
const ROWS: usize = 12;

/// What the palette remembers while it is open.
#[derive(Clone, Debug, Default)]
struct Search {
    text: String,
    chosen: usize,
}

/// Draws what is open.
pub fn overlay_ui(cx: &ViewCx<'_>, ctx: &Context) {
    let Some(overlay) = cx.view.overlay else { return };
    let width = match overlay {
        Overlay::Palette => PALETTE,
        Overlay::Shortcuts => SHEET,
        Overlay::Presets => PRESETS,
        Overlay::Lessons | Overlay::States | Overlay::Import => LESSONS,
        Overlay::Share | Overlay::Welcome => CARD,
    };
    let width = width.min(ctx.content_rect().width() - 24.0);
    let t = cx.tokens;
    let room = vec2(width, ctx.content_rect().height() - 64.0);
    let area = Area::new(Id::unique("overlay")).order(Order::Foreground).default_size(room);
    let area = match overlay {
        // Below its button.
        Overlay::Share => area.anchor(Align2::RIGHT_TOP, vec2(-12.0, 48.0)),
        _ => area.anchor(Align2::CENTER_TOP, vec2(0.0, 48.0)),
    };
    let shown = area.show(ctx, |ui| {
        let frame = Frame::new().fill(t.card).stroke(Stroke::new(1.0, t.guest.edge)).corner_radius(RADIUS);
        frame.shadow(ui.visuals().window_shadow).inner_margin(Margin::same(12)).show(ui, |ui| {
            ui.set_width(width - 24.0);
            // The area remembers how high it was when it was small.
            ui.set_max_height(ctx.content_rect().height() - 88.0);
            match overlay {
                Overlay::Palette => palette_ui(cx, ui),
                Overlay::Shortcuts => sheet_ui(cx, ui),
                Overlay::Lessons => {
                    if lesson::list_ui(cx, ui) {
                        close(cx, ui.ctx());
                    }
                }
                Overlay::States => files::states_ui(cx, ui),
                Overlay::Share => files::share_ui(cx, ui),
                Overlay::Import => files::import_ui(cx, ui),
                Overlay::Welcome => files::welcome_ui(cx, ui),
                Overlay::Presets => {
                    if let Some(command) = presets::presets_ui(cx, ui) {
                        close(cx, ui.ctx());
                        cx.send(command);
                    }
                }
            }
        });
    });
    focus::keep_in(ctx, shown.response.layer_id);
    let escape = ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
    // What somebody is in the middle of is not given up by a click beside it.
    let held = overlay == Overlay::Import;
    if escape || !held && shown.response.clicked_elsewhere() && !just_opened(ctx, overlay) {
        close(cx, ctx);
    }
}

/// The click that opened it is no click beside it.
fn just_opened(ctx: &Context, overlay: Overlay) -> bool {
    let id = Id::unique("overlay: open since");
    let key = overlay as u8;
    let pass = ctx.cumulative_pass_nr();
    let since = ctx.data_mut(|data| *data.get_temp_mut_or_insert_with(id, || (key, pass)));
    since.0 != key || pass <= since.1 + 1
}

fn close(cx: &ViewCx<'_>, ctx: &Context) {
    cx.send(AppCommand::Overlay(None));
    ctx.data_mut(|data| {
        data.remove::<Search>(Id::unique("palette: search"));
        data.remove::<(u8, u64)>(Id::unique("overlay: open since"));
    });
}

/// The field of the palette.
fn field() -> Id {
    Id::unique("palette: field")
}

fn palette_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let id = Id::unique("palette: search");
    let mut search = ui.data(|data| data.get_temp::<Search>(id)).unwrap_or_default();
    let up = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::ArrowUp));
    let down = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::ArrowDown));
    let enter = ui.input(|input| input.key_pressed(Key::Enter));
    let before = search.text.clone();
    let edit = TextEdit::singleline(&mut search.text)
        .id(field())
        .lock_focus(true)
        .hint_text(tr!(cx, "Search or run a command; a hex number is an address"))
        .desired_width(f32::INFINITY)
        .margin(Margin::symmetric(10, 8))
        .align(Align2::LEFT_CENTER)
        .min_size(Vec2::new(0.0, theme::control(ui)));
    let response = ui.add(edit).accessible_name(tr!(cx, "Search or run a command"));
    // Once: what asks again gives up that it keeps the Tab key.
    if !response.has_focus() {
        response.request_focus();
    }
    let found = matching(&search.text, cx.language());
    if before != search.text {
        search.chosen = 0;
    }
    let last = found.len().saturating_sub(1);
    search.chosen = match (up, down) {
        (true, _) => search.chosen.saturating_sub(1),
        (_, true) => (search.chosen + 1).min(last),
        _ => search.chosen.min(last),
    };
    ui.add_space(6.0);
    ui.spacing_mut().item_spacing.y = 0.0;
    let mut wanted = found.get(search.chosen).copied().filter(|_| enter);
    let area = ScrollArea::vertical().max_height(ROWS as f32 * theme::ROW).auto_shrink([false, true]);
    focus::scroll(area, ui, |ui| {
        for (i, action) in found.iter().enumerate() {
            let response = row_ui(cx, ui, *action, i == search.chosen);
            if i == search.chosen && (up || down) {
                response.scroll_to_me(None);
            }
            if response.clicked() {
                wanted = Some(*action);
            }
        }
    });
    if found.is_empty() {
        ui.label(RichText::new(tr!(cx, "Nothing of that name.")).color(cx.tokens.weak));
    }
    ui.data_mut(|data| data.insert_temp(id, search));
    if let Some(action) = wanted {
        close(cx, ui.ctx());
        action.send(cx);
    }
}

/// The actions whose words hold every word of the search: first those that begin with it, then those of which
/// every word begins one of theirs. English is understood in every language, and so are names of files.
fn matching(search: &str, language: Language) -> Vec<Action> {
    let search = search.trim().to_lowercase();
    let mut found: Vec<(usize, Action)> = Vec::new();
    let digits = search.trim_start_matches("0x");
    let number = number_from_text(&format!("0x{digits}")).ok();
    if let Some(number) = number.filter(|_| !digits.is_empty() && digits.starts_with(|c: char| c.is_ascii_digit())) {
        found.push((0, Action::Compose(Gva(number))));
    }
    for action in Action::all().into_iter().filter(|action| *action != Action::Palette) {
        let texts = [language, Language::En].map(|language| {
            let (text, group) = (action.text(language), action.group().name(language));
            format!("{text} {group} {}", action.id()).to_lowercase()
        });
        if let Some(rank) = texts.iter().filter_map(|text| rank(text, &search)).min() {
            found.push((rank, action));
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, action)| action).collect()
}

/// How well a text answers a search, 1 the best; `None` where it does not hold every word of it.
fn rank(text: &str, search: &str) -> Option<usize> {
    if !search.split_whitespace().all(|word| text.contains(word)) {
        return None;
    }
    let begins = |word: &str| {
        let before = |at: usize| text[..at].chars().next_back();
        text.match_indices(word).any(|(at, _)| before(at).is_none_or(|c| !c.is_alphanumeric()))
    };
    Some(match () {
        () if text.starts_with(search) => 1,
        () if search.split_whitespace().all(begins) => 2,
        () => 3,
    })
}

fn row_ui(cx: &ViewCx<'_>, ui: &mut Ui, action: Action, chosen: bool) -> egui::Response {
    let t = cx.tokens;
    // The keyboard stays in the field, which tells which row Enter runs: no row is a stop of the Tab key.
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), theme::row(ui)), Sense::CLICK);
    let text = action.text(cx.language());
    let name = tr!(cx, "Run: {action}", action = text);
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, chosen, &name));
    if chosen {
        let row = response.id.accesskit_id();
        ui.ctx().accesskit_node_builder(field(), |node| node.set_active_descendant(row));
    }
    let fill = match (chosen, response.hovered()) {
        (true, _) => t.selected,
        (false, true) => t.button_hover,
        (false, false) => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, RADIUS_SMALL, fill);
    let mid = rect.center().y;
    let painter = ui.painter();
    painter.text(egui::pos2(rect.left() + 18.0, mid), Align2::CENTER_CENTER, action.sign(), theme::plain(TEXT), t.weak);
    let key = action.key_text(ui.ctx());
    let right = egui::pos2(rect.right() - 8.0, mid);
    let shown = painter.text(right, Align2::RIGHT_CENTER, key, theme::mono(TEXT), t.weak);
    let room = (shown.left() - rect.left() - 46.0).max(20.0);
    let galley = cut(painter, &text, theme::plain(TEXT), t.strong, room);
    painter.galley(egui::pos2(rect.left() + 36.0, mid - 0.5 * galley.size().y), galley, t.strong);
    response
}

fn sheet_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    ui.label(RichText::new(tr!(cx, "Shortcuts")).font(theme::bold(18.0)).color(t.strong));
    ui.add_space(4.0);
    let columns = if ui.available_width() > 560.0 { 2 } else { 1 };
    let keyed = |group: Group| Action::all().into_iter().filter(move |a| a.group() == group && a.shortcut().is_some());
    let mut groups: Vec<Group> = Group::ALL.into_iter().filter(|group| keyed(*group).next().is_some()).collect();
    // In a lesson its keys are what is looked for.
    let learns = cx.lesson.is_some();
    groups.sort_by_key(|group| !(learns && *group == Group::Lesson));
    let is_left = |group: Group| group == Group::Time || learns && group == Group::Lesson;
    let room = ui.ctx().content_rect().height() - 150.0;
    focus::scroll(ScrollArea::vertical().max_height(room).auto_shrink([false, true]), ui, |ui| {
        ui.columns(columns, |uis| {
            for group in &groups {
                let ui = &mut uis[usize::from(columns > 1 && !is_left(*group))];
                heading(ui, t, group.name(cx.language()));
                ui.scope(|ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    keyed(*group).for_each(|action| shortcut_ui(cx, ui, action));
                });
                ui.add_space(8.0);
            }
        });
        let words = tr!(
            cx,
            "Space steps, too. I leads to the bits of an entry: there arrows move, Space toggles, P W U A D G S X jump to a \
             flag. Tab reaches every control, F6 the next zone."
        );
        ui.label(RichText::new(words).color(t.weak));
    });
}

/// A line of the sheet: a click does what the key does.
fn shortcut_ui(cx: &ViewCx<'_>, ui: &mut Ui, action: Action) {
    let t = cx.tokens;
    let text = action.text(cx.language());
    let room = (ui.available_width() - 136.0).max(40.0);
    let words = ui.painter().layout(text.clone(), theme::plain(TEXT), t.text, room);
    let height = theme::row(ui).max(words.size().y + 6.0);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::click());
    let key = action.key_text(ui.ctx());
    let name = tr!(cx, "{what}: {why}", what = text, why = key);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    if response.hovered() {
        ui.painter().rect_filled(rect, RADIUS_SMALL, t.button_hover);
    }
    let painter = ui.painter();
    let galley = painter.layout_no_wrap(key, theme::mono(TEXT), t.strong);
    let cap = Rect::from_min_size(
        egui::pos2(rect.left() + 2.0, rect.center().y - 11.0),
        vec2(galley.size().x.max(16.0) + 12.0, 22.0),
    );
    painter.rect(cap, RADIUS_SMALL, t.button, Stroke::new(1.0, t.border), egui::StrokeKind::Inside);
    painter.galley(cap.center() - 0.5 * galley.size(), galley, t.strong);
    painter.galley(egui::pos2(rect.left() + 132.0, rect.center().y - 0.5 * words.size().y), words, t.text);
    if response.clicked() {
        close(cx, ui.ctx());
        action.send(cx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_find_actions_in_any_order() {
        let english = |search| matching(search, Language::En);
        assert_eq!(english("ept engine").first(), Some(&Action::Engine(crate::engine::EngineName::Ept)));
        assert_eq!(english("0x4120_1abc").first(), Some(&Action::Compose(Gva(0x4120_1abc))));
        assert_eq!(english("step").first(), Some(&Action::Step));
        assert_eq!(english("edit").first(), Some(&Action::Tab(crate::app::view::Tab::Inspect)));
        for search in ["one table", "one-table"] {
            assert!(english(search).contains(&Action::OpenLesson(0)), "{search}");
        }
        assert_eq!(english("explore").first(), Some(&Action::Explore));
        let ept_to_compare = Action::AddEngine(crate::engine::EngineName::Ept);
        assert!(english("add engine").contains(&ept_to_compare) && english("add ept").contains(&ept_to_compare));
        for action in [Action::Tlb, Action::FlushAll] {
            assert!(english("tlb").contains(&action), "{action:?}");
        }
        let ept = english("ept");
        assert_eq!(ept.iter().position(|action| *action == Action::TakeOffer), Some(ept.len() - 1), "kept holds ept");
        assert!(english("nothing like that").is_empty());
        assert_eq!(english("").len(), Action::all().len() - 1);
    }

    #[test]
    fn chinese_finds_by_its_own_words_and_by_english_ones() {
        let chinese = |search| matching(search, Language::Zh);
        assert_eq!(chinese("ept 引擎").first(), Some(&Action::Engine(crate::engine::EngineName::Ept)));
        assert_eq!(chinese("step").first(), Some(&Action::Step));
        assert_eq!(chinese("language en").first(), Some(&Action::Language(Language::En)));
    }
}
