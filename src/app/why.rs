//! Why: the sentence, the causes as links, the change that would help, and where to look it up.

use std::cell::RefCell;
use std::rc::Rc;

use egui::text::{LayoutJob, TextFormat};
use egui::{
    Color32, CornerRadius, CursorIcon, Frame, Id, Margin, RichText, Role, ScrollArea, Sense, Stroke, Ui, Vec2,
    WidgetInfo, vec2,
};

use super::focus;
use super::history::unwanted_words;
use super::theme::{self, PAD, RADIUS, RADIUS_SMALL, TEXT};
use super::view::{AppCommand, Ending, Selection, StateId, Tab, ViewCx};
use super::widgets::{button, primary_button, segmented};
use crate::engine::shadow::SpteRef;
use crate::explain::{self, Cause, Depth, Fix, Question, Target, Why};
use crate::language::Language;
use crate::tr;

/// With less height, in points, the card tells no more than its sentence does alone.
pub const LEAST: f32 = 110.0;
/// The sentence alone has so many rows.
const STRIP_ROWS: usize = 2;
/// Room above and below it, in points.
const STRIP_MARGIN: f32 = 7.0;

/// What an explanation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// The command in focus, so many of its events shown.
    Command(usize),
    /// A shadow entry of the state shown.
    Spte(SpteRef, usize),
    /// How the command in focus ended, so many of its events shown.
    Title(usize),
    /// An event of the command in focus, by its place.
    Event(usize),
}

/// An explanation, and what would help.
#[derive(Debug, Default)]
struct Answer {
    why: Why,
    fixes: Vec<Fix>,
}

/// Explanations of the state shown: kept until the lab moves, for their history is searched.
#[derive(Debug, Default)]
pub struct Memo(RefCell<Vec<(Key, Rc<Answer>)>>);

/// What an answer depends on, besides the state shown.
type Key = (Language, Depth, Subject);

impl Memo {
    /// Forgets everything.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    fn get(&self, key: Key, make: impl FnOnce() -> Answer) -> Rc<Answer> {
        if let Some((_, answer)) = self.0.borrow().iter().find(|(known, _)| *known == key) {
            return Rc::clone(answer);
        }
        let answer = Rc::new(make());
        self.0.borrow_mut().push((key, Rc::clone(&answer)));
        answer
    }
}

/// The tab Why: how deep to explain, and the explanation.
pub fn why_tab_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let depths = Depth::ALL.map(|depth| (depth, cx.tr(depth.name())));
    if let Some(depth) = segmented(ui, cx.tokens, tr!(cx, "Depth"), &depths, cx.view.depth) {
        cx.send(AppCommand::SetDepth(depth));
    }
    ui.add_space(8.0);
    explanation_ui(cx, ui, Offer::Within);
}

/// Draws the explanation below the editor: from its beginning whenever another state is shown. What would help
/// stands below it, in sight however long the chain of causes is.
pub fn why_below_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let id = Id::unique("why: the state that is explained");
    let same = ui.data(|data| data.get_temp::<StateId>(id)) == Some(cx.state);
    ui.data_mut(|data| data.insert_temp(id, cx.state));
    let area = ScrollArea::vertical().id_salt("why").auto_shrink(false);
    let area = if same { area } else { area.vertical_scroll_offset(0.0) };
    let answer = cx.command().map(|_| answer(cx)).filter(|answer| !answer.fixes.is_empty());
    let Some(answer) = answer else {
        focus::scroll_in_place(area, ui, |ui| explanation_ui(cx, ui, Offer::Apart));
        return;
    };
    // As high as it was in the pass before.
    let id = Id::unique("why: height of what would help");
    let known = ui.data(|data| data.get_temp::<f32>(id));
    let room = ui.available_height() - known.unwrap_or(theme::control(ui)) - ui.spacing().item_spacing.y;
    focus::scroll_in_place(area.max_height(room.max(0.0)), ui, |ui| explanation_ui(cx, ui, Offer::Apart));
    let height = ui.horizontal_wrapped(|ui| buttons_ui(cx, ui, &answer.fixes)).response.rect.height();
    if known != Some(height) {
        ui.data_mut(|data| data.insert_temp(id, height));
        ui.ctx().request_repaint();
    }
}

/// The height of the sentence alone, in points.
pub fn strip_height(ui: &Ui) -> f32 {
    let row = ui.fonts_mut(|fonts| fonts.row_height(&theme::plain(TEXT)));
    theme::wide(ui, (STRIP_ROWS as f32 * row + 2.0 * STRIP_MARGIN).ceil())
}

/// The sentence alone, as the way to the tab Why.
pub fn why_strip_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    let text = match cx.command() {
        Some(_) if cx.is_partial() => micro_step(cx),
        Some(_) => title(cx),
        None => tr!(cx, "Nothing has happened yet.").to_owned(),
    };
    let width = ui.available_width() - 34.0;
    let mut job = LayoutJob::simple(text.clone(), theme::plain(TEXT), title_color(cx), width);
    job.wrap.max_rows = STRIP_ROWS;
    let galley = ui.painter().layout_job(job);
    let size = vec2(ui.available_width(), strip_height(ui));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let name = tr!(cx.language(), "Why: {title}", title = text);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    let fill = if response.hovered() { t.button_hover } else { t.stage };
    let stroke = Stroke::new(1.0, t.border);
    ui.painter().rect(rect, RADIUS, fill, stroke, egui::StrokeKind::Inside);
    ui.painter().galley(egui::pos2(rect.left() + 10.0, rect.center().y - 0.5 * galley.size().y), galley, t.strong);
    let at = egui::pos2(rect.right() - 14.0, rect.center().y);
    ui.painter().text(at, egui::Align2::CENTER_CENTER, "▸", theme::plain(TEXT), t.weak);
    if response.clicked() {
        cx.send(AppCommand::OpenTab(Tab::Why));
    }
}

/// Where what would help is offered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// Below the causes.
    Within,
    /// Elsewhere.
    Apart,
}

/// Draws the explanation of the command in focus, and above it that of the shadow entry that is selected.
fn explanation_ui(cx: &ViewCx<'_>, ui: &mut Ui, offer: Offer) {
    if let Selection::Spte(at) = cx.view.selection {
        let answer = cx.explanations.get((cx.language(), cx.view.depth, Subject::Spte(at, cx.shown)), || {
            let why = ask(cx, true, |question| explain::why_spte(question, at)).unwrap_or_default();
            Answer { why, fixes: Vec::new() }
        });
        if !answer.why.title.is_empty() {
            card(cx, ui, |ui| {
                ui.label(RichText::new(&answer.why.title).font(theme::bold(15.0)).color(cx.tokens.shadow.text));
                body_ui(cx, ui, &answer.why);
                sources_ui(cx, ui, &answer.why);
            });
            ui.add_space(10.0);
        }
    }
    card(cx, ui, |ui| {
        if !cx.is_partial() {
            for sentence in unwanted_words(cx, cx.session.lab.cursor()) {
                ui.label(RichText::new(format!("✕ {sentence}")).font(theme::bold(TEXT)).color(cx.tokens.fault.text));
            }
        }
        match cx.command() {
            Some(command) => {
                let step = cx.session.lab.cursor();
                let words = explain::command(command, cx.language());
                let what = format!("#{}  {words}", cx.session.step_number(step));
                ui.label(RichText::new(what).color(cx.tokens.weak));
                command_ui(cx, ui, offer);
            }
            None => beginning_ui(cx, ui),
        }
        captions_ui(cx, ui);
    });
}

fn card(cx: &ViewCx<'_>, ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    let t = cx.tokens;
    let frame = Frame::new()
        .fill(t.stage)
        .stroke(Stroke::new(1.0, t.border))
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(Margin::same(PAD as i8));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 6.0;
        add(ui);
    });
}

/// What is asked about the state shown: why its last command ended so, or why it is as it is.
fn ask<T>(cx: &ViewCx<'_>, state: bool, answer: impl FnOnce(&Question<'_>) -> T) -> T {
    let lab = &cx.session.lab;
    answer(&Question {
        lab,
        step: lab.cursor() + usize::from(state),
        before: if state { cx.vm } else { cx.before_vm },
        events: if state { &[] } else { cx.happened() },
        language: cx.language(),
        depth: cx.view.depth,
        number: &|step| cx.session.step_number(step),
    })
}

fn answer(cx: &ViewCx<'_>) -> Rc<Answer> {
    cx.explanations.get((cx.language(), cx.view.depth, Subject::Command(cx.shown)), || {
        let why = ask(cx, false, explain::why);
        let failed = !cx.is_partial() && Ending::of(cx.happened()) != Ending::Done;
        let fixes = match cx.command() {
            // In a lesson finding it is the learner's.
            Some(command) if failed && cx.lesson.is_none() => {
                explain::fixes(cx.session.lab.vm(), command, cx.language())
            }
            _ => Vec::new(),
        };
        Answer { why, fixes }
    })
}

/// How the command in focus ended, in one sentence.
#[must_use]
pub fn title(cx: &ViewCx<'_>) -> String {
    let told = cx.explanations.get((cx.language(), cx.view.depth, Subject::Title(cx.shown)), || {
        let title = ask(cx, false, explain::title);
        Answer { why: Why { title, ..Why::default() }, fixes: Vec::new() }
    });
    told.why.title.clone()
}

/// An event of the command in focus in one sentence, where it has one.
#[must_use]
pub fn sentence(cx: &ViewCx<'_>, at: usize) -> Option<String> {
    let told = cx.explanations.get((cx.language(), Depth::Engineer, Subject::Event(at)), || {
        let text = ask(cx, false, |question| {
            explain::sentence(&Question { events: cx.events, depth: Depth::Engineer, ..*question }, at)
        });
        Answer { why: Why { title: text.unwrap_or_default(), ..Why::default() }, fixes: Vec::new() }
    });
    Some(told.why.title.clone()).filter(|text| !text.is_empty())
}

/// What the scenario itself says at this point.
fn captions_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    for caption in cx.session.captions_here() {
        ui.separator();
        ui.label(RichText::new(caption.text.get(cx.language().id())).color(cx.tokens.strong));
    }
}

fn title_color(cx: &ViewCx<'_>) -> Color32 {
    match Ending::of(cx.happened()) {
        Ending::Done => cx.tokens.strong,
        Ending::Faulted | Ending::Refused => cx.tokens.fault.text,
    }
}

fn micro_step(cx: &ViewCx<'_>) -> String {
    tr!(cx.language(), "Micro-step {step} of {all}", step = cx.shown, all = cx.events.len())
}

fn command_ui(cx: &ViewCx<'_>, ui: &mut Ui, offer: Offer) {
    let answer = answer(cx);
    let title = if cx.is_partial() { micro_step(cx) } else { answer.why.title.clone() };
    ui.label(RichText::new(title).font(theme::bold(15.0)).color(title_color(cx)));
    body_ui(cx, ui, &answer.why);
    if offer == Offer::Within {
        fixes_ui(cx, ui, &answer.fixes);
    }
    sources_ui(cx, ui, &answer.why);
}

fn body_ui(cx: &ViewCx<'_>, ui: &mut Ui, why: &Why) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        // The numbers stand in a column that has room for the last.
        let last = format!("{}.", why.causes.len());
        let numbers = ui.painter().layout_no_wrap(last, theme::plain(TEXT), cx.tokens.weak).size().x;
        for (number, cause) in why.causes.iter().enumerate() {
            cause_ui(cx, ui, number + 1, cause, numbers + 2.0);
        }
    });
}

/// Where to look it up: the manual, and the functions of the kernel.
fn sources_ui(cx: &ViewCx<'_>, ui: &mut Ui, why: &Why) {
    if cx.is_partial() {
        return;
    }
    for line in [&why.manual, &why.code].into_iter().filter(|line| !line.is_empty()) {
        ui.label(RichText::new(line).color(cx.tokens.weak));
    }
}

/// One cause: the whole of it is the link.
fn cause_ui(cx: &ViewCx<'_>, ui: &mut Ui, number: usize, cause: &Cause, numbers: f32) {
    let t = cx.tokens;
    let width = ui.available_width();
    let indent = numbers + 8.0;
    let mut job = linked(&cause.text, t.text, t.guest.text);
    job.wrap.max_width = width - indent - 4.0;
    let galley = ui.painter().layout_job(job);
    let (rect, response) =
        ui.allocate_exact_size(Vec2::new(width, theme::wide(ui, galley.size().y + 6.0)), Sense::click());
    let name = format!("{number}. {}", cause.text);
    response.widget_info(|| WidgetInfo::labeled(Role::Link, true, &name));
    if response.hovered() {
        ui.painter().rect_filled(rect, RADIUS_SMALL, t.button_hover);
    }
    let top = rect.center().y - 0.5 * galley.size().y;
    let label = format!("{number}.");
    ui.painter().text(
        egui::pos2(rect.left() + numbers, top),
        egui::Align2::RIGHT_TOP,
        label,
        theme::plain(TEXT),
        t.weak,
    );
    ui.painter().galley(egui::pos2(rect.left() + indent, top), galley, t.text);
    let response = response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(leads_to(cx, cause.target));
    if response.clicked() {
        go(cx, cause.target);
    }
}

/// Where a link leads, in words.
fn leads_to(cx: &ViewCx<'_>, target: Target) -> String {
    let l = cx.language();
    match target {
        Target::Step(0) => tr!(l, "Go to the start").to_owned(),
        Target::Step(step) => tr!(l, "Go to #{step}", step = cx.session.step_number(step)),
        Target::Event(step, event) => {
            tr!(l, "Go to #{step}, event {event}", step = cx.session.step_number(step), event = event + 1)
        }
        Target::Entry(..) | Target::Register(_) | Target::Spte(_) => tr!(l, "Select the entry").to_owned(),
        Target::Page(_) => tr!(l, "Select the page").to_owned(),
    }
}

/// Goes where a cause leads: moves time, or selects.
pub fn go(cx: &ViewCx<'_>, target: Target) {
    match target {
        Target::Step(step) => cx.send(AppCommand::Seek(step)),
        Target::Event(step, event) => {
            cx.send(AppCommand::Seek(step));
            cx.send(AppCommand::ShowEvents(event + 1));
        }
        Target::Entry(level, gpa) => cx.send(AppCommand::Select(Selection::Entry { level, gpa })),
        Target::Register(index) => cx.send(AppCommand::Select(Selection::PdpteRegister(index))),
        Target::Page(gfn) => cx.send(AppCommand::Select(Selection::Page(gfn))),
        Target::Spte(at) => cx.send(AppCommand::Select(Selection::Spte(at))),
    }
}

/// A sentence with the names of steps and entries in the colour of links.
fn linked(text: &str, plain: Color32, link: Color32) -> LayoutJob {
    let mut job = LayoutJob::default();
    let format = |color| TextFormat { font_id: theme::plain(TEXT), color, ..TextFormat::default() };
    let mut rest = text;
    while let Some((start, end)) = next_name(rest) {
        job.append(&rest[..start], 0.0, format(plain));
        job.append(&rest[start..end], 0.0, format(link));
        rest = &rest[end..];
    }
    job.append(rest, 0.0, format(plain));
    job
}

/// The next `#12` or `PTE[1]` of a text, as a range of bytes.
fn next_name(text: &str) -> Option<(usize, usize)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    for (at, c) in text.char_indices() {
        if c == '#' {
            let count = digits(&text[at + 1..]);
            if count > 0 {
                return Some((at, at + 1 + count));
            }
        }
        if c == '[' {
            let count = digits(&text[at + 1..]);
            let closed = text[at + 1 + count..].starts_with(']');
            let name = text[..at].bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
            if count > 0 && closed && name > 0 {
                return Some((at - name, at + count + 2));
            }
        }
    }
    None
}

fn fixes_ui(cx: &ViewCx<'_>, ui: &mut Ui, fixes: &[Fix]) {
    if !fixes.is_empty() {
        ui.label(RichText::new(tr!(cx, "The smallest change that helps")).color(cx.tokens.weak));
        ui.horizontal_wrapped(|ui| buttons_ui(cx, ui, fixes));
    }
}

/// The smallest change first.
fn buttons_ui(cx: &ViewCx<'_>, ui: &mut Ui, fixes: &[Fix]) {
    for (index, fix) in fixes.iter().enumerate() {
        if index == 1 {
            ui.label(RichText::new(tr!(cx, "or")).color(cx.tokens.weak));
        }
        let name = tr!(cx, "Do it and try again: {change}", change = fix.text);
        let response = if index == 0 { primary_button(ui, cx.tokens, &fix.text) } else { button(ui, &fix.text) };
        if response.on_hover_text(&name).accessible_name(name).clicked() {
            cx.send(AppCommand::RunAll(fix.commands()));
        }
    }
}

fn beginning_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    ui.label(RichText::new(tr!(cx, "Nothing has happened yet.")).font(theme::bold(15.0)).color(t.strong));
    let text = if cx.session.lab.is_empty() {
        tr!(cx, "Give an access above, or switch a bit of the processor.")
    } else {
        tr!(cx, "Press Step, or the space bar, to carry out the first command.")
    };
    ui.label(RichText::new(text).color(t.text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_sentences() {
        let all = |text: &'static str| {
            let (mut rest, mut found) = (text, Vec::new());
            while let Some((start, end)) = next_name(rest) {
                found.push(&rest[start..end]);
                rest = &rest[end..];
            }
            found
        };
        assert_eq!(all("PDE[9] and PTE[1] allow it since #12."), ["PDE[9]", "PTE[1]", "#12"]);
        assert_eq!(all("自 #4 起 PTE[511] 是 0x0"), ["#4", "PTE[511]"]);
        assert!(all("#PF, #, [3], PTE[x]").is_empty());
    }
}
