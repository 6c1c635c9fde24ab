//! Where the zones lie: top the processor, left memory, middle tables, right explanation, bottom
//! time. Under [`NARROW`] points the zones become pages and time stays below. Larger text makes the
//! window smaller in points, so it leads through the same layouts.

use egui::{CentralPanel, Frame, Margin, Panel, Rect, ScrollArea, Stroke, Ui};

use super::lesson::spot_zone;
use super::processor_strip::Rows;
use super::sides::{self, Edge};
use super::theme::{PAD, Tokens, control};
use super::view::{AppCommand, Page, Screen, ViewCx};
use super::widgets::segmented;
use super::{bar, compare, cost_meter, drawer, focus, host, memory_panel, processor_strip, stage, timeline};
use crate::tr;

/// Windows less wide than this, in points, are laid out as pages: the stage would have no room.
pub const NARROW: f32 = 900.0;
/// From this width on the processor strip fits in two rows; below it wraps.
const TWO_ROWS: f32 = 1160.0;

/// Room above and below the line of time, in points.
const TIME_MARGIN: f32 = 10.0;

/// Height of a bar with one row of controls.
fn bar_height(ui: &Ui) -> f32 {
    control(ui) + 14.0
}

/// Height of the processor strip in two rows.
fn strip_height(ui: &Ui) -> f32 {
    2.0 * control(ui) + 26.0
}

/// Height of the zone of time, of which what it draws is so wide.
fn time_height(cx: &ViewCx<'_>, ui: &Ui, width: f32) -> f32 {
    timeline::height(cx, ui, width) + 2.0 * TIME_MARGIN
}

fn zone(t: &Tokens, x: f32, y: f32) -> Frame {
    Frame::new().fill(t.panel).inner_margin(Margin::symmetric(x as i8, y as i8))
}

/// Draws every zone.
pub fn layout_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let width = ui.max_rect().width();
    match cx.view.screen {
        Screen::Compare => compare_ui(cx, ui, width < NARROW),
        Screen::Explore if width < NARROW => narrow_ui(cx, ui),
        Screen::Explore => wide_ui(cx, ui, width),
    }
}

fn compare_ui(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    let t = cx.tokens;
    zone_ui(fixed(Panel::top("bar"), bar_height(ui), zone(t, PAD, 0.0)), ui, |ui| bar::bar_ui(cx, ui, narrow));
    let height = compare::transport::height(ui, narrow);
    let margin = if narrow { Margin::symmetric(PAD as i8, 10) } else { Margin::symmetric(22, 18) };
    let frame = Frame::new().fill(t.stage).inner_margin(margin);
    above(ui, height, frame, |ui| {
        focus::zone(ui.ctx(), ui.max_rect());
        compare::compare_ui(cx, ui);
    });
    let time = fixed(Panel::bottom("time of all engines"), height, zone(t, PAD, 0.5 * (height - 30.0).min(26.0)));
    zone_ui(time, ui, |ui| compare::transport::transport_ui(cx, ui, narrow));
}

/// What stands above the zone of time, which takes `below` points of height. It is drawn first, because the
/// Tab key goes from zone to zone in the order in which they are drawn.
fn above(ui: &mut Ui, below: f32, frame: Frame, add: impl FnOnce(&mut Ui)) {
    let height = (ui.available_height() - below).max(0.0);
    fixed(Panel::top("above time"), height, frame).show_separator_line(false).show(ui, add);
}

fn wide_ui(cx: &ViewCx<'_>, ui: &mut Ui, width: f32) {
    let t = cx.tokens;
    let (left, right) = cx.view.sides.widths(width);
    bar_panel(cx, ui, false);
    strip_panel(cx, ui, width >= TWO_ROWS);
    let below = time_height(cx, ui, width - right - 2.0 * PAD);
    above(ui, below, Frame::new(), |ui| tables_ui(cx, ui, left, right));
    zone_ui(fixed(Panel::bottom("time"), below, zone(t, 0.0, 0.0)), ui, |ui| time_ui(cx, ui, right));
}

/// Memory, the stage and the drawer, in the order of the Tab key.
fn tables_ui(cx: &ViewCx<'_>, ui: &mut Ui, left: f32, right: f32) {
    let (t, room) = (cx.tokens, ui.max_rect());
    // A frame in another page has no room to spare: the tables are what it is for.
    if !cx.embedded {
        let panel = fixed(Panel::left("memory"), left, zone(t, PAD, 10.0));
        let memory = zone_ui(panel, ui, |ui| memory_panel::memory_panel_ui(cx, ui));
        spot_zone(cx, ui, &["memory", "engines"], memory);
    }
    let (ground, width) = (Frame::new().fill(t.stage), (ui.available_width() - right).max(0.0));
    let stage = fixed(Panel::left("stage"), width, ground).show_separator_line(false);
    zone_ui(stage, ui, |ui| stage::stage_ui(cx, ui));
    zone_ui(fixed(Panel::right("drawer"), right, zone(t, PAD, 10.0)), ui, |ui| drawer::drawer_ui(cx, ui));
    if !cx.embedded {
        sides::edge_ui(cx, ui, Edge::Memory, room);
    }
    sides::edge_ui(cx, ui, Edge::Drawer, room);
}

fn bar_panel(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    let panel = fixed(Panel::top("bar"), bar_height(ui), zone(cx.tokens, PAD, 0.0));
    zone_ui(panel, ui, |ui| match cx.embedded {
        true => host::bar_ui(cx, ui),
        false => bar::bar_ui(cx, ui, narrow),
    });
}

fn strip_panel(cx: &ViewCx<'_>, ui: &mut Ui, fits: bool) {
    let frame = zone(cx.tokens, PAD, 9.0);
    if fits {
        let panel = fixed(Panel::top("strip"), strip_height(ui), frame);
        zone_ui(panel, ui, |ui| processor_strip::processor_strip_ui(cx, ui, Rows::Two));
    } else {
        let panel = Panel::top("wrapped strip").resizable(false).frame(frame);
        zone_ui(panel, ui, |ui| processor_strip::processor_strip_ui(cx, ui, Rows::Wrapped));
    }
}

/// Draws a zone to which the keyboard can go at once; where it lies.
fn zone_ui(panel: Panel, ui: &mut Ui, add: impl FnOnce(&mut Ui)) -> Rect {
    let rect = panel.show(ui, add).response.rect;
    focus::zone(ui.ctx(), rect);
    rect
}

fn fixed(panel: Panel, size: f32, frame: Frame) -> Panel {
    panel.resizable(false).exact_size(size).frame(frame)
}

fn time_ui(cx: &ViewCx<'_>, ui: &mut Ui, meter: f32) {
    let t = cx.tokens;
    let cost = fixed(Panel::right("meter"), meter, zone(t, PAD, 10.0))
        .show_separator_line(false)
        .show(ui, |ui| cost_meter::cost_meter_ui(cx, ui));
    let time = CentralPanel::default().frame(zone(t, PAD, TIME_MARGIN)).show(ui, |ui| timeline::timeline_ui(cx, ui));
    spot_zone(cx, ui, &["cost"], cost.response.rect);
    spot_zone(cx, ui, &["timeline"], time.response.rect);
}

fn narrow_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    bar_panel(cx, ui, true);
    zone_ui(fixed(Panel::top("pages"), bar_height(ui), zone(t, PAD, 0.0)), ui, |ui| {
        ui.horizontal_centered(|ui| pages_ui(cx, ui));
    });
    let width = ui.max_rect().width();
    let below = time_height(cx, ui, width - 2.0 * PAD);
    let fill = if cx.view.page == Page::Stage { t.stage } else { t.panel };
    let margin = if cx.view.page == Page::Stage { 0 } else { PAD as i8 };
    let frame = Frame::new().fill(fill).stroke(Stroke::NONE).inner_margin(Margin::same(margin));
    above(ui, below, frame, |ui| {
        focus::zone(ui.ctx(), ui.max_rect());
        page_ui(cx, ui);
    });
    zone_ui(fixed(Panel::bottom("time"), below, zone(t, PAD, TIME_MARGIN)), ui, |ui| timeline::timeline_ui(cx, ui));
}

fn page_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    match cx.view.page {
        Page::Processor => {
            focus::scroll(ScrollArea::vertical().auto_shrink(false), ui, |ui| {
                processor_strip::processor_strip_ui(cx, ui, Rows::Narrow);
                ui.add_space(12.0);
                cost_meter::cost_meter_ui(cx, ui);
            });
        }
        Page::Memory => memory_panel::memory_panel_ui(cx, ui),
        Page::Stage => stage::stage_ui(cx, ui),
        Page::Drawer => drawer::drawer_ui(cx, ui),
    }
}

fn pages_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let drawer = if cx.lesson.is_some() { tr!(cx, "Lesson") } else { tr!(cx, "Why") };
    let pages = [
        (Page::Processor, tr!(cx, "Processor")),
        (Page::Memory, tr!(cx, "Memory")),
        (Page::Stage, tr!(cx, "Tables")),
        (Page::Drawer, drawer),
    ];
    if let Some(page) = segmented(ui, cx.tokens, tr!(cx, "Page"), &pages, cx.view.page) {
        cx.send(AppCommand::OpenPage(page));
    }
}
