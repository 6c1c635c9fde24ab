//! The line of commands: marks, cursor, captions, branch stubs; click and drag scrub.

use egui::text::LayoutJob;
use egui::{
    Align2, Event, Id, Key, MouseWheelUnit, Pos2, Rangef, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo, pos2,
    vec2,
};

use super::marks::{self, Place, SIDE};
use super::{branches, notice, overview};
use crate::app::elide::cut;
use crate::app::history::unwanted_words;
use crate::app::menu;
use crate::app::theme::{self, TEXT, plain};
use crate::app::time::{Named, TimeWish, position};
use crate::app::view::{AppCommand, Ending, ViewCx};
use crate::explain;
use crate::tr;

/// The distance between two marks that is aimed at, and the least, in points.
const WIDE: f32 = 56.0;
const NARROW: f32 = 32.0;
/// So many steps are a page.
const PAGE: isize = 10;
/// So many commands around the cursor stay in view while it moves.
const MARGIN: usize = 3;
/// A wheel of a touchpad goes a step on in so many points.
const WHEEL: f32 = 40.0;
/// Text size of names of bookmarks, in points.
const NAME: f32 = 13.0;
/// Height of the marks with what surrounds them, in points.
const MARKS: f32 = SIDE + 15.0;
/// Height of the track of a long path with what surrounds it, in points.
const TRACK: f32 = 8.0;
/// Height of the stubs of other branches, in points.
const STUBS: f32 = 16.0;
/// How much narrower than the zone its words are, in points.
const INSET: f32 = 10.0;
/// A narrow line gives a caption so many rows.
const CAPTION_ROWS: usize = 2;

/// Which commands the line shows, and where.
struct Window {
    /// The first command shown, from 1.
    first: usize,
    /// One past the last.
    end: usize,
    /// Where cursor position `first - 1` stands.
    left: f32,
    step: f32,
    y: f32,
}

impl Window {
    /// The window that shows the cursor, as little moved as may be from the one that began with command
    /// `before`.
    fn new(cursor: usize, len: usize, before: Option<usize>, x: Rangef, y: f32) -> Self {
        let room = x.span() - SIDE;
        let step = (room / len.max(1) as f32).clamp(NARROW, WIDE);
        let fit = ((room / step) as usize).max(1);
        let first = match before {
            _ if len <= fit => 1,
            Some(before) if before <= cursor + fit && cursor < before + 2 * fit => {
                let margin = MARGIN.min(fit / 4);
                before.clamp((cursor + 1 + margin).saturating_sub(fit), (cursor + 1).saturating_sub(margin).max(1))
            }
            _ => cursor.saturating_sub(fit / 2),
        };
        let first = first.clamp(1, len.saturating_sub(fit) + 1);
        Self { first, end: (first + fit).min(len + 1), left: x.min + 0.5 * SIDE, step, y }
    }

    /// Where the state after `cursor` commands stands.
    fn at(&self, cursor: usize) -> Pos2 {
        pos2(self.left + (cursor as f32 - (self.first as f32 - 1.0)) * self.step, self.y)
    }

    fn shows(&self, step: usize) -> bool {
        (self.first..self.end).contains(&step)
    }

    /// The cursor position nearest to a point.
    fn cursor_at(&self, x: f32) -> usize {
        let steps = ((x - self.left) / self.step).round().max(0.0) as usize;
        (self.first - 1 + steps).min(self.end.saturating_sub(1))
    }
}

/// Its height in a room of this width, in points. A track, stubs and a caption have their room whether they are
/// there or not, so that nothing moves when one comes.
pub fn height(cx: &ViewCx<'_>, ui: &Ui, width: f32) -> f32 {
    let words = words_height(cx, ui, width);
    MARKS + TRACK + STUBS + words + notice::more_height(cx, ui, width - INSET, words)
}

/// The room for a caption or for what was just said, in points.
fn words_height(cx: &ViewCx<'_>, ui: &Ui, width: f32) -> f32 {
    let rows = if cx.session.captions.is_empty() { 1 } else { caption_rows(width) };
    rows as f32 * ui.fonts_mut(|fonts| fonts.row_height(&plain(TEXT))).ceil()
}

const fn caption_rows(width: f32) -> usize {
    if width < super::NARROW { CAPTION_ROWS } else { 1 }
}

/// Draws the line in the room that is left.
pub fn line_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let lab = &cx.session.lab;
    let room = ui.available_rect_before_wrap();
    let x = room.x_range().shrink(4.0);
    let y = room.top() + MARKS - 7.0 - 0.5 * SIDE;
    let first = Id::unique("timeline: the first command shown");
    let before = ui.data(|data| data.get_temp::<usize>(first));
    let window = Window::new(lab.cursor(), lab.len(), before, x, y);
    ui.data_mut(|data| data.insert_temp(first, window.first));
    let rect = Rect::from_x_y_ranges(x, Rangef::new(y - 0.5 * SIDE - 5.0, y + 0.5 * SIDE + 5.0));
    let rect = theme::target(ui, rect);
    let response = ui.interact(rect, ui.scope_id().with("timeline"), Sense::click_and_drag());
    scrub(cx, ui, &window, &response);
    wheel(cx, ui, rect);
    let t = cx.tokens;
    ui.painter().hline(x, y, Stroke::new(2.0, t.border));
    if lab.cursor() + 1 > window.first {
        let past = window.at(lab.cursor().min(window.end - 1)).x;
        ui.painter().hline(x.min..=past, y, Stroke::new(2.0, t.weak));
    }
    if window.first == 1 {
        let filled = if lab.cursor() == 0 { t.guest.line } else { t.cell_used };
        ui.painter().circle_filled(window.at(0), if lab.cursor() == 0 { 6.0 } else { 4.0 }, filled);
    }
    for step in window.first..window.end {
        let Some(command) = lab.command(step) else { break };
        let place = match step.cmp(&lab.cursor()) {
            std::cmp::Ordering::Less => Place::Past,
            std::cmp::Ordering::Equal => Place::Current,
            std::cmp::Ordering::Greater => Place::Future,
        };
        let failed = cx.history.ending(step) != Ending::Done;
        marks::mark_ui(ui, t, window.at(step), command, failed, place);
    }
    for step in (window.first - 1..window.end).filter(|step| !cx.history.unwanted(*step).is_empty()) {
        marks::unwanted_ui(ui, t, window.at(step));
    }
    let mut below = room.top() + MARKS;
    if window.end - 1 < lab.len() || window.first > 1 {
        let track = Rect::from_x_y_ranges(x, Rangef::new(below, below + 5.0));
        overview::overview_ui(cx, ui, (window.first - 1, window.end - 1), track);
        below += TRACK;
    }
    bookmarks(cx, ui, &window, x.max);
    let at = |cursor: usize| (window.first - 1..window.end).contains(&cursor).then(|| window.at(cursor).x);
    branches::branches_ui(cx, ui, at, window.step, below, x);
    // What was just said or refused takes the place of the caption.
    let words = below + STUBS;
    let noticed = notice::notice(cx).is_some();
    caption(cx, ui, &window, pos2(x.min + 2.0, words), room.width(), !noticed);
    notice::notice_ui(cx, ui, words, x);
    describe(cx, &window, response);
}

fn scrub(cx: &ViewCx<'_>, ui: &Ui, window: &Window, response: &Response) {
    let lab = &cx.session.lab;
    if (response.clicked() || response.dragged())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        let cursor = window.cursor_at(pointer.x);
        if cursor != lab.cursor() {
            cx.send(AppCommand::Seek(cursor));
        }
    }
    if !response.has_focus() {
        return;
    }
    let filter = egui::EventFilter { horizontal_arrows: true, ..egui::EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let pressed = |key| ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, key));
    if pressed(Key::ArrowLeft) {
        cx.send(AppCommand::StepBack);
    } else if pressed(Key::ArrowRight) {
        cx.send(AppCommand::Step);
    } else if pressed(Key::Home) {
        cx.send(AppCommand::ToStart);
    } else if pressed(Key::End) {
        cx.send(AppCommand::ToEnd);
    } else if pressed(Key::PageUp) {
        cx.send(AppCommand::Time(TimeWish::By(-PAGE)));
    } else if pressed(Key::PageDown) {
        cx.send(AppCommand::Time(TimeWish::By(PAGE)));
    }
}

/// The wheel over the line goes through time: down is on.
fn wheel(cx: &ViewCx<'_>, ui: &Ui, rect: Rect) {
    if !ui.rect_contains_pointer(rect.expand2(vec2(0.0, 12.0))) {
        return;
    }
    let id = Id::unique("timeline: points of the wheel");
    let mut points = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or(0.0);
    ui.input(|input| {
        for event in &input.events {
            if let Event::MouseWheel { unit, delta, modifiers, .. } = event
                && !modifiers.command
                && !modifiers.ctrl
            {
                let far = if delta.y.abs() >= delta.x.abs() { -delta.y } else { -delta.x };
                points += match unit {
                    MouseWheelUnit::Point => far,
                    MouseWheelUnit::Line => far * WHEEL,
                    MouseWheelUnit::Page => far * WHEEL * PAGE as f32,
                };
            }
        }
    });
    let steps = (points / WHEEL).trunc();
    ui.data_mut(|data| data.insert_temp(id, points - steps * WHEEL));
    if steps != 0.0 {
        cx.send(AppCommand::Time(TimeWish::By(steps as isize)));
    }
}

/// Stars above the line, with their names where there is room.
fn bookmarks(cx: &ViewCx<'_>, ui: &Ui, window: &Window, right: f32) {
    let (t, lab, marks) = (cx.tokens, &cx.session.lab, &cx.session.marks);
    let places = marks.bookmarks.iter().filter_map(|bookmark| Some((position(lab, bookmark.at)?, bookmark)));
    let mut places: Vec<_> = places.filter(|(step, _)| (window.first - 1..window.end).contains(step)).collect();
    places.sort_by_key(|(step, _)| *step);
    for (i, (step, bookmark)) in places.iter().enumerate() {
        let at = window.at(*step) - vec2(0.0, 0.5 * SIDE + 7.0);
        ui.painter().text(at, Align2::CENTER_CENTER, "★", plain(NAME), t.changed.text);
        let end = places.get(i + 1).map_or(right, |(next, _)| window.at(*next).x - 10.0);
        let room = end - at.x - 10.0;
        let name = if room < 40.0 { "" } else { &bookmark.name };
        let galley = cut(ui.painter(), name, plain(NAME), t.changed.text, room.min(220.0));
        let named = Align2::LEFT_CENTER.anchor_size(at + vec2(9.0, 0.0), galley.size());
        ui.painter().galley(named.min, galley, t.changed.text);
        // No larger for a finger, which would press it in place of the line: the menu of time has them all.
        let rect = Rect::from_center_size(at, vec2(18.0, 14.0)).union(named);
        let response = ui.interact(rect, ui.scope_id().with(("bookmark", bookmark.at)), Sense::click());
        let number = cx.session.step_number(*step);
        let words = match bookmark.name.as_str() {
            "" => tr!(cx, "Bookmark at step {step}", step = number),
            name => tr!(cx, "Bookmark: {name}", name = name),
        };
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
        let named = Named::Bookmark(bookmark.at);
        let wish = |wish| cx.send(AppCommand::Time(wish));
        if response.double_clicked() {
            wish(TimeWish::Rename(Some(named)));
        } else if response.clicked() {
            cx.send(AppCommand::Seek(*step));
        }
        if response.has_focus() {
            let pressed = |key| ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, key));
            if pressed(Key::F2) {
                wish(TimeWish::Rename(Some(named)));
            } else if pressed(Key::Delete) {
                wish(TimeWish::ToggleBookmark(bookmark.at));
            }
        }
        menu::open(&response, |ui| {
            if ui.button(tr!(cx, "Rename it")).clicked() {
                wish(TimeWish::Rename(Some(named)));
                ui.close();
            }
            if ui.button(tr!(cx, "Remove it")).clicked() {
                wish(TimeWish::ToggleBookmark(bookmark.at));
                ui.close();
            }
        });
        response.on_hover_text(words);
    }
}

fn describe(cx: &ViewCx<'_>, window: &Window, response: Response) {
    let lab = &cx.session.lab;
    let sentence = match cx.command() {
        Some(command) => {
            let number = cx.session.step_number(lab.cursor());
            let (all, what) = (cx.session.step_count(), explain::command(command, cx.language()));
            tr!(
                cx,
                "step {step} of {all}, {command}",
                step = explain::count(number as u64),
                all = explain::count(all as u64),
                command = what
            )
        }
        None => tr!(cx, "the start, before {all} steps", all = explain::count(cx.session.step_count() as u64)),
    };
    let mut name = tr!(cx, "Time: {place}", place = sentence);
    for sentence in unwanted_words(cx, lab.cursor()) {
        name += &format!("; {sentence}");
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, &name));
    // The menu is about the step under the pointer, which comes into focus with it.
    if let (true, Some(pointer)) = (response.secondary_clicked(), response.interact_pointer_pos()) {
        cx.send(AppCommand::Seek(window.cursor_at(pointer.x)));
    }
    if let (Some(command), cursor) = (cx.command(), lab.cursor()) {
        let words = explain::command(command, cx.language());
        menu::event_menu(cx, &response, cursor, None, &words);
    }
    let Some(pointer) = response.hover_pos() else { return };
    let step = window.cursor_at(pointer.x);
    let near = (pointer.x - window.at(step).x).abs() <= 0.5 * SIDE;
    if let (true, Some(command)) = (near, lab.command(step)) {
        let mut text = format!("#{}  {}", cx.session.step_number(step), explain::command(command, cx.language()));
        for caption in cx.session.captions.iter().filter(|caption| caption.after + 1 == step) {
            text += &format!("\n{}", caption.text.get(cx.language().id()));
        }
        for sentence in unwanted_words(cx, step) {
            text += &format!("\n✕ {sentence}");
        }
        response.on_hover_text_at_pointer(text);
    } else if near && step == 0 {
        let mut text = tr!(cx, "the start").to_owned();
        for sentence in unwanted_words(cx, step) {
            text += &format!("\n✕ {sentence}");
        }
        response.on_hover_text_at_pointer(text);
    }
}

/// The caption in force, and a dot below each command that one begins with. What its rows do not hold of it is
/// told under the pointer.
fn caption(cx: &ViewCx<'_>, ui: &Ui, window: &Window, at: Pos2, width: f32, has_room: bool) {
    let t = cx.tokens;
    for caption in cx.session.captions.iter().filter(|caption| window.shows(caption.after + 1)) {
        let at = window.at(caption.after + 1) + vec2(0.0, 0.5 * SIDE + 5.0);
        ui.painter().circle_filled(at, 2.5, t.weak);
    }
    let Some(caption) = cx.session.caption_in_force().filter(|_| has_room) else { return };
    let text = cx.session.told(caption, cx.language());
    let text = text.as_str();
    let mut job = LayoutJob::simple(text.to_owned(), plain(TEXT), t.text, width - INSET);
    job.wrap.max_rows = caption_rows(width);
    job.wrap.break_anywhere = job.wrap.max_rows == 1;
    let galley = ui.painter().layout_job(job);
    let rect = Rect::from_min_size(at, galley.size());
    let response = ui.interact(rect, ui.scope_id().with("caption"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    ui.painter().galley(rect.min, galley, t.text);
    response.on_hover_text(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_path_fits_and_starts_at_the_left() {
        let window = Window::new(3, 6, None, Rangef::new(0.0, 900.0), 0.0);
        assert_eq!((window.first, window.end), (1, 7));
        assert_eq!(window.cursor_at(window.at(4).x + 3.0), 4);
        assert_eq!(window.cursor_at(-50.0), 0);
        assert_eq!(window.cursor_at(5000.0), 6);
    }

    #[test]
    fn a_long_path_shows_the_cursor() {
        for cursor in [0, 1, 17, 500_000, 999_999, 1_000_000] {
            let window = Window::new(cursor, 1_000_000, None, Rangef::new(0.0, 900.0), 0.0);
            assert!(window.end - window.first <= 28);
            let x = window.at(cursor).x;
            assert!((0.0..=900.0).contains(&x), "{cursor} stands at {x}");
        }
    }

    /// A step moves the window by one command at most, and only where the cursor comes near an end.
    #[test]
    fn the_window_follows_without_jumping() {
        let at = |cursor, before| Window::new(cursor, 1000, before, Rangef::new(0.0, 900.0), 0.0);
        let mut first = at(500, None).first;
        let mut moved = 0;
        for cursor in (500..=1000).chain((0..1000).rev()) {
            let window = at(cursor, Some(first));
            assert!(window.first.abs_diff(first) <= 1, "at {cursor}");
            moved += window.first.abs_diff(first);
            let x = window.at(cursor).x;
            assert!((0.0..=900.0).contains(&x), "{cursor} stands at {x}");
            first = window.first;
        }
        assert!(moved < 1500);
        assert!(at(40, Some(900)).first.abs_diff(40) < 30, "a jump brings the cursor to the middle");
    }

    #[test]
    fn an_empty_path_has_no_marks() {
        let window = Window::new(0, 0, None, Rangef::new(0.0, 900.0), 0.0);
        assert_eq!(window.first, window.end);
        assert_eq!(window.cursor_at(400.0), 0);
    }
}
