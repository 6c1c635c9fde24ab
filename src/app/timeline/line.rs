//! The line of commands: marks, cursor, captions, branch stubs; click and drag scrub.

use std::sync::Arc;

use egui::{
    Align2, CornerRadius, Id, Key, Pos2, Rangef, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use super::marks::{self, Place, SIDE};
use crate::app::theme::{PAD, plain};
use crate::app::view::{AppCommand, ViewCx};
use crate::engine::Outcome;
use crate::explain;
use crate::lab::{Branch, NodeId};
use crate::language::Language;
use crate::tr;

/// The distance between two marks that is aimed at, and the least, in points.
const WIDE: f32 = 56.0;
const NARROW: f32 = 32.0;
/// Text size of captions, in points.
const CAPTION: f32 = 13.0;

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
    fn new(cursor: usize, len: usize, x: Rangef, y: f32) -> Self {
        let room = x.span() - SIDE;
        let step = (room / len.max(1) as f32).clamp(NARROW, WIDE);
        let fit = ((room / step) as usize).max(1);
        let first = if len <= fit { 1 } else { cursor.saturating_sub(fit / 2).clamp(1, len - fit + 1) };
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

/// Draws the line in the room that is left.
pub fn line_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let lab = &cx.session.lab;
    let room = ui.available_rect_before_wrap();
    let x = room.x_range().shrink(4.0);
    let y = room.top() + 0.5 * SIDE + 8.0;
    let window = Window::new(lab.cursor(), lab.len(), x, y);
    let rect = Rect::from_x_y_ranges(x, Rangef::new(y - 0.5 * SIDE - 5.0, y + 0.5 * SIDE + 5.0));
    let response = ui.interact(rect, ui.scope_id().with("timeline"), Sense::click_and_drag());
    scrub(cx, ui, &window, &response);
    let t = cx.tokens;
    ui.painter().hline(x, y, Stroke::new(2.0, t.border));
    if window.first == 1 {
        let filled = if lab.cursor() == 0 { t.guest.line } else { t.cell_used };
        ui.painter().circle_filled(window.at(0), if lab.cursor() == 0 { 6.0 } else { 4.0 }, filled);
    }
    for step in (window.first - 1..window.end).filter(|step| cx.session.marks.bookmark(lab.node(*step)).is_some()) {
        let at = window.at(step) - vec2(0.0, 0.5 * SIDE + 6.0);
        ui.painter().text(at, Align2::CENTER_CENTER, "★", plain(CAPTION), t.changed.text);
    }
    let failed = failures(cx, ui, &window);
    for step in window.first..window.end {
        let Some(command) = lab.command(step) else { break };
        let place = match step.cmp(&lab.cursor()) {
            std::cmp::Ordering::Less => Place::Past,
            std::cmp::Ordering::Equal => Place::Current,
            std::cmp::Ordering::Greater => Place::Future,
        };
        let failed = failed.get(step - window.first).copied().unwrap_or(false);
        marks::mark_ui(ui, t, window.at(step), command, failed, place);
    }
    let mut below = y + 0.5 * SIDE + 7.0;
    if window.end - 1 < lab.len() || window.first > 1 {
        overview(cx, ui, &window, Rect::from_x_y_ranges(x, Rangef::new(below, below + 5.0)));
        below += 8.0;
    }
    stubs(cx, ui, &window, below, x.max);
    caption(cx, ui, &window, below + 0.5 * CAPTION + 18.0, x);
    describe(cx, ui, &window, response);
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
    }
}

fn describe(cx: &ViewCx<'_>, ui: &Ui, window: &Window, response: Response) {
    let lab = &cx.session.lab;
    let sentence = match cx.command() {
        Some(command) => {
            let number = cx.session.step_number(lab.cursor());
            let (all, what) = (cx.session.step_count(), explain::command(command, cx.language()));
            tr!(cx, "step {step} of {all}, {command}", step = number, all = all, command = what)
        }
        None => tr!(cx, "the start, before {all} steps", all = cx.session.step_count()),
    };
    let name = tr!(cx, "Time: {place}", place = sentence);
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, &name));
    if response.has_focus() {
        let stroke = Stroke::new(2.0, cx.tokens.guest.line);
        ui.painter().rect_stroke(response.rect.expand(2.0), CornerRadius::same(6), stroke, egui::StrokeKind::Inside);
    }
    let Some(pointer) = response.hover_pos() else { return };
    let step = window.cursor_at(pointer.x);
    let near = (pointer.x - window.at(step).x).abs() <= 0.5 * SIDE;
    if let (true, Some(command)) = (near, lab.command(step)) {
        let mut text = format!("#{}  {}", cx.session.step_number(step), explain::command(command, cx.language()));
        for caption in cx.session.captions.iter().filter(|caption| caption.after + 1 == step) {
            text += &format!("\n{}", caption.text.get(cx.language().id()));
        }
        response.on_hover_text_at_pointer(text);
    } else if near && step == 0 {
        response.on_hover_text_at_pointer(tr!(cx, "the start"));
    }
}

/// The whole path as a track, where only a part of it fits.
fn overview(cx: &ViewCx<'_>, ui: &Ui, window: &Window, rect: Rect) {
    let lab = &cx.session.lab;
    let t = cx.tokens;
    let len = lab.len() as f32;
    let x = |step: usize| rect.left() + rect.width() * step as f32 / len;
    let response = ui.interact(rect.expand2(vec2(0.0, 5.0)), ui.scope_id().with("whole path"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, tr!(cx, "The whole path")));
    ui.painter().rect_filled(rect, CornerRadius::same(3), t.cell);
    let shown = Rect::from_x_y_ranges(Rangef::new(x(window.first - 1), x(window.end - 1)), rect.y_range());
    ui.painter().rect_filled(shown, CornerRadius::same(3), t.cell_used);
    ui.painter().circle_filled(pos2(x(lab.cursor()), rect.center().y), 5.0, t.guest.line);
    if (response.clicked() || response.dragged())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        let part = ((pointer.x - rect.left()) / rect.width()).clamp(0.0, 1.0);
        cx.send(AppCommand::Seek((part * len).round() as usize));
    }
}

/// The caption in force, in full, and a dot below each command that one begins with.
fn caption(cx: &ViewCx<'_>, ui: &Ui, window: &Window, y: f32, x: Rangef) {
    let t = cx.tokens;
    for caption in cx.session.captions.iter().filter(|caption| window.shows(caption.after + 1)) {
        let at = window.at(caption.after + 1) + vec2(0.0, 0.5 * SIDE + 5.0);
        ui.painter().circle_filled(at, 2.5, t.weak);
    }
    let Some(caption) = cx.session.caption_in_force() else { return };
    let font = plain(CAPTION + 1.0);
    let mut job =
        egui::text::LayoutJob::simple_singleline(caption.text.get(cx.language().id()).to_owned(), font, t.text);
    job.wrap = egui::text::TextWrapping::truncate_at_width(x.span() - 4.0);
    let galley = ui.painter().layout_job(job);
    let rect = Align2::LEFT_CENTER.anchor_size(pos2(x.min + 2.0, y), galley.size());
    let response = ui.interact(rect, ui.scope_id().with("caption"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, caption.text.get(cx.language().id())));
    ui.painter().galley(rect.min, galley, t.text);
    response.on_hover_text(caption.text.get(cx.language().id()));
}

/// The beginnings of other branches, below the commands that they go on from.
fn stubs(cx: &ViewCx<'_>, ui: &Ui, window: &Window, y: f32, right: f32) {
    let t = cx.tokens;
    let branches = branches(cx, ui);
    let seen: Vec<&Stub> =
        branches.stubs.iter().filter(|stub| window.shows(stub.at + 1) || stub.at + 1 == window.end).collect();
    for (i, stub) in seen.iter().enumerate() {
        let start = pos2(window.at(stub.at).x + 0.25 * window.step, y);
        let end = seen[i + 1..].iter().find(|next| next.at > stub.at).map_or(right, |next| window.at(next.at).x);
        let at = start + vec2(12.0, 0.5 * CAPTION);
        let mut job = egui::text::LayoutJob::simple_singleline(stub.text.clone(), plain(CAPTION), t.weak);
        job.wrap = egui::text::TextWrapping::truncate_at_width((end - at.x - PAD).max(24.0));
        let galley = ui.painter().layout_job(job);
        let rect = Align2::LEFT_CENTER.anchor_size(at, galley.size());
        let response = ui.interact(rect.expand(3.0), ui.scope_id().with(("branch", stub.tip)), Sense::click());
        let name = tr!(cx, "Go to branch: {branch}", branch = stub.text);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
        let color = if response.hovered() || response.has_focus() { t.strong } else { t.weak };
        if response.clicked() {
            cx.send(AppCommand::SwitchBranch(stub.tip));
        }
        let elbow = vec![start - vec2(0.0, 12.0), pos2(start.x, at.y), at - vec2(3.0, 0.0)];
        ui.painter().line(elbow, Stroke::new(1.0, t.weak));
        ui.painter().galley_with_override_text_color(rect.min, galley, color);
    }
}

/// The branches beside the one in view.
#[derive(Clone, Debug, Default)]
pub struct Branches {
    stubs: Vec<Stub>,
    /// Which branch is in view, by age.
    number: usize,
}

#[derive(Clone, Debug)]
struct Stub {
    at: usize,
    text: String,
    tip: NodeId,
}

impl Branches {
    /// The name of the branch in view: the oldest is `main`.
    #[must_use]
    pub fn name(&self, language: Language) -> String {
        if self.number == 0 { tr!(language, "main").to_owned() } else { format!("{}", self.number + 1) }
    }

    /// How many others there are.
    #[must_use]
    pub const fn others(&self) -> usize {
        self.stubs.len()
    }
}

type BranchKey = (usize, Option<NodeId>, String, Language);

/// The branches, found anew only when the path has changed.
pub fn branches(cx: &ViewCx<'_>, ui: &Ui) -> Arc<Branches> {
    let lab = &cx.session.lab;
    let key: BranchKey = (lab.len(), lab.node(lab.len()), cx.session.scenario.id.clone(), cx.language());
    let id = Id::unique("timeline: branches");
    let cached = ui.data(|data| data.get_temp::<(BranchKey, Arc<Branches>)>(id));
    if let Some((seen, branches)) = cached
        && seen == key
    {
        return branches;
    }
    let all = lab.branches();
    let in_view = |branch: &Branch| branch.shared == lab.len() && branch.len >= lab.len();
    let number = all.iter().position(in_view).unwrap_or(0);
    let others = all.iter().filter(|branch| !in_view(branch));
    let stub = |branch: &Branch| {
        let left = branch.len - branch.shared;
        let text = match left {
            1 => tr!(cx, "1 step on another branch").to_owned(),
            left => tr!(cx, "{count} steps on another branch", count = left),
        };
        Stub { at: branch.shared, text, tip: branch.tip }
    };
    let branches = Arc::new(Branches { stubs: others.map(stub).collect(), number });
    ui.data_mut(|data| data.insert_temp(id, (key, branches.clone())));
    branches
}

type FailureKey = (Option<NodeId>, Option<NodeId>, String);

/// Which of the commands shown fault or are refused, found anew only when others are shown.
fn failures(cx: &ViewCx<'_>, ui: &Ui, window: &Window) -> Arc<Vec<bool>> {
    let lab = &cx.session.lab;
    let last = window.end.saturating_sub(1);
    let key: FailureKey = (lab.node(window.first), lab.node(last), cx.session.scenario.id.clone());
    let id = Id::unique("timeline: failures");
    let cached = ui.data(|data| data.get_temp::<(FailureKey, Arc<Vec<bool>>)>(id));
    if let Some((seen, failures)) = cached
        && seen == key
    {
        return failures;
    }
    let mut vm = lab.state_at(window.first - 1);
    let fails = |outcome: Outcome| {
        matches!(outcome, Outcome::Faulted(_) | Outcome::Refused(_) | Outcome::SlotRefused(_) | Outcome::MapRefused(_))
    };
    let commands = (window.first..window.end).filter_map(|step| lab.command(step));
    let failures: Vec<bool> = commands.map(|command| fails(vm.execute(command, &mut crate::engine::Quiet))).collect();
    let failures = Arc::new(failures);
    ui.data_mut(|data| data.insert_temp(id, (key, failures.clone())));
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_path_fits_and_starts_at_the_left() {
        let window = Window::new(3, 6, Rangef::new(0.0, 900.0), 0.0);
        assert_eq!((window.first, window.end), (1, 7));
        assert_eq!(window.cursor_at(window.at(4).x + 3.0), 4);
        assert_eq!(window.cursor_at(-50.0), 0);
        assert_eq!(window.cursor_at(5000.0), 6);
    }

    #[test]
    fn a_long_path_shows_the_cursor() {
        for cursor in [0, 1, 17, 500_000, 999_999, 1_000_000] {
            let window = Window::new(cursor, 1_000_000, Rangef::new(0.0, 900.0), 0.0);
            assert!(window.end - window.first <= 28);
            let x = window.at(cursor).x;
            assert!((0.0..=900.0).contains(&x), "{cursor} stands at {x}");
        }
    }

    #[test]
    fn an_empty_path_has_no_marks() {
        let window = Window::new(0, 0, Rangef::new(0.0, 900.0), 0.0);
        assert_eq!(window.first, window.end);
        assert_eq!(window.cursor_at(400.0), 0);
    }
}
