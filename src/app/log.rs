//! The log: every command of the path and every event of it. A click goes there.

use std::ops::Range;
use std::sync::Arc;

use egui::{Align2, Color32, Id, Rect, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, pos2};

use super::elide::cut;
use super::history::unwanted_words;
use super::theme::{self, RADIUS_SMALL, TEXT};
use super::view::{AppCommand, Ending, ViewCx};
use super::widgets::caption;
use super::{focus, hover, menu};
use crate::explain;
use crate::lab::NodeId;
use crate::machine::Event;
use crate::tr;

/// Where the text of an event begins, in points from the left.
const EVENT_TEXT: f32 = 88.0;
/// Less wide rows, in points, leave what happened more room.
const NARROW: f32 = 340.0;

/// Draws the log in the room that `ui` has; only the visible lines are made.
pub fn log_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    if cx.history.line_count() == 0 {
        caption(ui, cx.tokens, tr!(cx, "No command yet."));
        return;
    }
    super::transcript::pane_ui(cx, ui);
    ui.spacing_mut().item_spacing.y = 0.0;
    let row = theme::row(ui);
    let mut area = ScrollArea::vertical().auto_shrink(false);
    let (id, line) = (ui.scope_id().with("line in view"), focus_line(cx));
    // The focus is brought into view when it moves, not while somebody scrolls.
    if ui.data(|data| data.get_temp::<usize>(id)) != Some(line) {
        ui.data_mut(|data| data.insert_temp(id, line));
        area = area.vertical_scroll_offset((line as f32 * row - ui.available_height() / 2.0).max(0.0));
    }
    focus::scroll_rows(area, ui, row, cx.history.line_count(), |ui, lines| {
        let (first, _) = cx.history.line(lines.start);
        let (last, _) = cx.history.line(lines.end - 1);
        let known = events_of(cx, ui, first..last + 1);
        for line in lines {
            let (step, _) = cx.history.line(line);
            line_ui(cx, ui, line, known.get(step - first).map_or(&[], Vec::as_slice));
        }
    });
}

type EventsKey = (u64, Range<usize>, Option<NodeId>);
type EventsOfEach = Arc<Vec<Vec<Event>>>;

/// What the commands in view did, found anew only when others are in view.
fn events_of(cx: &ViewCx<'_>, ui: &Ui, steps: Range<usize>) -> EventsOfEach {
    let lab = &cx.session.lab;
    let key: EventsKey = (lab.identity(), steps.clone(), lab.node(steps.end - 1));
    let id = Id::unique("log: events in view");
    let cached = ui.data(|data| data.get_temp::<(EventsKey, EventsOfEach)>(id));
    if let Some((seen, events)) = cached
        && seen == key
    {
        return events;
    }
    let events = Arc::new(lab.events_of_each(steps));
    ui.data_mut(|data| data.insert_temp(id, (key, events.clone())));
    events
}

/// The line of the event that led to the state shown.
fn focus_line(cx: &ViewCx<'_>) -> usize {
    cx.history.line_of(cx.session.lab.cursor()) + cx.shown
}

fn line_ui(cx: &ViewCx<'_>, ui: &mut Ui, line: usize, events: &[Event]) {
    let (step, event) = cx.history.line(line);
    let cursor = cx.session.lab.cursor();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), theme::row(ui)), Sense::click());
    let text = match event {
        None => command_line(cx, ui, rect, step),
        Some(index) => {
            events.get(index).map(|event| event_line(cx, ui, rect, (step, index), event)).unwrap_or_default()
        }
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &text));
    let current = step == cursor && line == focus_line(cx);
    if current || response.hovered() {
        let color = if current { cx.tokens.guest.line } else { cx.tokens.border };
        let mark = Rect::from_min_size(rect.min, Vec2::new(3.0, rect.height()));
        ui.painter().rect_filled(mark, 1, color);
    }
    let about = event.and_then(|index| hover::Pointed::of_event(events.get(index)?));
    if let Some(about) = about {
        if response.hovered() {
            hover::point_at(ui, about);
        } else if about.answers(&hover::pointed_at(ui)) {
            ui.painter().rect_filled(rect, RADIUS_SMALL, cx.tokens.button_hover.gamma_multiply(0.6));
        }
    }
    menu::event_menu(cx, &response, step, event, &text);
    if response.on_hover_text(text).clicked() {
        cx.send(AppCommand::Seek(step));
        if let Some(index) = event {
            cx.send(AppCommand::ShowEvents(index + 1));
        }
    }
}

fn command_line(cx: &ViewCx<'_>, ui: &Ui, rect: Rect, step: usize) -> String {
    let t = cx.tokens;
    let Some(command) = cx.session.lab.command(step) else { return String::new() };
    let mut text = explain::command(command, cx.language());
    let unwanted = unwanted_words(cx, step);
    for sentence in &unwanted {
        text = format!("✕ {text}; {sentence}");
    }
    if step == cx.session.lab.cursor() {
        ui.painter().rect_filled(rect, RADIUS_SMALL, t.selected);
    }
    let future = step > cx.session.lab.cursor();
    let color = match cx.history.ending(step) {
        _ if !unwanted.is_empty() => t.fault.text,
        Ending::Done if future => t.weak,
        Ending::Done => t.strong,
        Ending::Faulted | Ending::Refused => t.fault.text,
    };
    let number = format!("#{}", cx.session.step_number(step));
    let painter = ui.painter();
    let at = pos2(rect.left() + 10.0, rect.center().y);
    let shown = painter.text(at, Align2::LEFT_CENTER, &number, theme::mono(TEXT), t.weak);
    // Numbers of a long history are long.
    let left = 46.0_f32.max(shown.right() - rect.left() + 8.0);
    text_ui(ui, rect, left, &text, color);
    format!("{number} {text}")
}

fn event_line(cx: &ViewCx<'_>, ui: &Ui, rect: Rect, (step, index): (usize, usize), event: &Event) -> String {
    let t = cx.tokens;
    let cursor = cx.session.lab.cursor();
    let line = explain::event(event, cx.session.engine(), cx.language());
    let happened = step < cursor || step == cursor && index < cx.shown;
    let is_stop = matches!(event, Event::Fault { .. } | Event::Refused { .. });
    let color = match (is_stop, happened) {
        (true, _) => t.fault.text,
        (false, true) => t.text,
        (false, false) => t.weak,
    };
    let text = line.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let at = pos2(rect.left() + 14.0, rect.center().y);
    let label = ui.painter().text(at, Align2::LEFT_CENTER, line.label, theme::plain(TEXT), t.weak);
    let column = if rect.width() < NARROW { EVENT_TEXT - 10.0 } else { EVENT_TEXT };
    // A long label moves its text on.
    text_ui(ui, rect, column.max(label.right() - rect.left() + 8.0), &text, color);
    format!("{} {text}", line.label)
}

/// One line of text from `left` to the right end of a row, cut with dots where it is too long.
fn text_ui(ui: &Ui, rect: Rect, left: f32, text: &str, color: Color32) {
    let galley = cut(ui.painter(), text, theme::plain(TEXT), color, rect.width() - left - 6.0);
    let at = pos2(rect.left() + left, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, color);
}
