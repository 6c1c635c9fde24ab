//! The whole path as a track, where only a part of it fits: where the cursor is, which part is shown,
//! and, a point wide each, where something faulted, was bookmarked or branched off.

use std::sync::Arc;

use egui::{CornerRadius, Id, Mesh, Rangef, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::branches::other_branches;
use crate::app::theme;
use crate::app::time::position;
use crate::app::view::{AppCommand, ViewCx};
use crate::lab::NodeId;
use crate::tr;

/// Draws the track. `shown` are the cursor positions of the part that is shown.
pub fn overview_ui(cx: &ViewCx<'_>, ui: &Ui, shown: (usize, usize), rect: Rect) {
    let lab = &cx.session.lab;
    let t = cx.tokens;
    let len = lab.len() as f32;
    let x = |step: usize| rect.left() + rect.width() * step as f32 / len;
    let response = ui.interact(
        theme::target(ui, rect.expand2(vec2(0.0, 5.0))),
        ui.scope_id().with("whole path"),
        Sense::click_and_drag(),
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, tr!(cx, "The whole path")));
    let painter = ui.painter();
    painter.rect_filled(rect, CornerRadius::same(3), t.cell);
    let part = Rect::from_x_y_ranges(Rangef::new(x(shown.0), x(shown.1)), rect.y_range());
    painter.rect_filled(part, CornerRadius::same(3), t.cell_used);
    // There may be one for each point of the track: all are one shape.
    let mut ticks = Mesh::default();
    let below = Rangef::new(rect.center().y, rect.bottom());
    let mut tick = |x: f32, color| {
        ticks.add_colored_rect(Rect::from_x_y_ranges(Rangef::new(x - 0.75, x + 0.75), below), color);
    };
    for step in faults(cx, ui, rect.width().max(1.0) as usize).iter() {
        tick(x(*step), t.fault.line);
    }
    for branch in other_branches(cx, ui).iter() {
        tick(x(branch.shared), t.weak);
    }
    for bookmark in &cx.session.marks.bookmarks {
        if let Some(step) = position(lab, bookmark.at) {
            tick(x(step), t.changed.line);
        }
    }
    painter.add(ticks);
    painter.circle_filled(pos2(x(lab.cursor()), rect.center().y), 5.0, t.guest.line);
    if (response.clicked() || response.dragged())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        let part = ((pointer.x - rect.left()) / rect.width()).clamp(0.0, 1.0);
        let step = (part * len).round() as usize;
        if step != lab.cursor() {
            cx.send(AppCommand::Seek(step));
        }
    }
}

/// The tree, how many commands it holds, the last of the path in view, and how many points the track has.
type Key = (u64, usize, Option<NodeId>, usize);

/// The first command of each point of the track that faulted or was refused, found anew only when the
/// path has changed.
fn faults(cx: &ViewCx<'_>, ui: &Ui, points: usize) -> Arc<Vec<usize>> {
    let lab = &cx.session.lab;
    let key: Key = (lab.identity(), lab.log().len(), lab.node(lab.len()), points);
    let id = Id::unique("timeline: faults of the whole path");
    let cached = ui.data(|data| data.get_temp::<(Key, Arc<Vec<usize>>)>(id));
    if let Some((_, faults)) = cached.filter(|(seen, _)| *seen == key) {
        return faults;
    }
    let (mut faults, mut step) = (Vec::new(), 0);
    while let Some(next) = cx.history.next_stop(step) {
        faults.push(next);
        // On to the last command of that point.
        let point = next * points / lab.len().max(1);
        step = ((point + 1) * lab.len() / points).max(next);
    }
    let faults = Arc::new(faults);
    ui.data_mut(|data| data.insert_temp(id, (key, faults.clone())));
    faults
}
