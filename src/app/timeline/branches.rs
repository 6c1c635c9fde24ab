//! The other branches: each a line with its name, hanging from the command that it goes on from.

use std::sync::Arc;

use egui::{Align2, Id, Key, Modifiers, Rangef, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::status::branch_menu;
use crate::app::elide::cut;
use crate::app::theme::{PAD, plain};
use crate::app::time::{Named, TimeWish, branch_name};
use crate::app::view::{AppCommand, ViewCx};
use crate::lab::{Branch, NodeId};
use crate::tr;

/// Text size of the names, in points.
const NAME: f32 = 14.0;
/// A name takes at least so much room, in points; where there is less its branch is in the list alone.
const LEAST: f32 = 40.0;

/// Draws the branches that leave the part of the line that is shown. `at` says where a cursor position
/// stands, if it is shown; `y` is where the names' line begins.
pub fn branches_ui(cx: &ViewCx<'_>, ui: &Ui, at: impl Fn(usize) -> Option<f32>, step: f32, y: f32, x: Rangef) {
    let t = cx.tokens;
    let all = other_branches(cx, ui);
    // One a fork: the youngest; the list beside the name of the branch in view has all.
    let mut seen: Vec<(f32, &Branch, usize)> = Vec::new();
    for branch in all.iter() {
        let Some(left) = at(branch.shared) else { continue };
        let left = left + 0.25 * step;
        match seen.iter_mut().find(|(other, ..)| (*other - left).abs() < 1.0) {
            Some((_, youngest, more)) => {
                *more += 1;
                if branch.start > youngest.start {
                    *youngest = branch;
                }
            }
            None => seen.push((left, branch, 0)),
        }
    }
    seen.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (i, (left, branch, more)) in seen.iter().enumerate() {
        let end = seen.get(i + 1).map_or(x.max, |(next, ..)| *next);
        let start = pos2(*left, y);
        let name_at = start + vec2(12.0, 0.5 * NAME);
        let room = end - name_at.x - 0.5 * PAD;
        let mid = name_at.y;
        let elbow = vec![start - vec2(0.0, 12.0), pos2(start.x, mid), pos2(name_at.x - 3.0, mid)];
        ui.painter().line(elbow, Stroke::new(1.0, t.weak));
        if room < LEAST {
            continue;
        }
        let name = branch_name(cx.session, branch.start, cx.language());
        let text = if *more > 0 { tr!(cx, "{name} and {count} more", name = name, count = more) } else { name };
        let galley = cut(ui.painter(), &text, plain(NAME), t.weak, room);
        let rect = Align2::LEFT_CENTER.anchor_size(name_at, galley.size());
        let id = ui.scope_id().with(("branch", branch.start));
        // No larger for a finger, which would press it in place of the line: the list beside the name of the
        // branch in view, and the menu of time, lead there, too.
        let response = ui.interact(rect.expand(3.0), id, Sense::click());
        let words = tr!(cx, "Go to branch: {branch}", branch = text);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
        let color = if response.hovered() || response.has_focus() { t.strong } else { t.weak };
        ui.painter().galley_with_override_text_color(rect.min, galley, color);
        let rename = AppCommand::Time(TimeWish::Rename(Some(Named::Branch(branch.start))));
        if response.double_clicked() {
            cx.send(rename.clone());
        } else if response.clicked() {
            cx.send(AppCommand::Time(TimeWish::GoTo(branch.tip)));
        }
        if response.has_focus() {
            let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
            if pressed(Key::F2) {
                cx.send(rename);
            } else if pressed(Key::Delete) {
                cx.send(AppCommand::Time(TimeWish::DeleteBranch(branch.start)));
            }
        }
        branch_menu(cx, &response, branch.start, Some(branch.tip));
        let left = branch.len - branch.shared;
        response.on_hover_text(match left {
            1 => tr!(cx, "1 step on another branch").to_owned(),
            left => tr!(cx, "{count} steps on another branch", count = left),
        });
    }
}

/// The tree, how many commands and branches it holds, and which of them is in view.
type Tips = (u64, [usize; 3], Option<NodeId>);

/// The branches beside the one in view, found anew only when time has changed.
pub fn other_branches(cx: &ViewCx<'_>, ui: &Ui) -> Arc<Vec<Branch>> {
    let lab = &cx.session.lab;
    let counts = [lab.log().len(), lab.branch_count(), lab.len()];
    let key: Tips = (lab.identity(), counts, lab.branch_in_view());
    let id = Id::unique("timeline: branches");
    let cached = ui.data(|data| data.get_temp::<(Tips, Arc<Vec<Branch>>)>(id));
    if let Some((_, branches)) = cached.filter(|(seen, _)| *seen == key) {
        return branches;
    }
    let in_view = lab.branch_in_view();
    let others = lab.branches().into_iter().filter(|branch| Some(branch.start) != in_view);
    let branches: Arc<Vec<Branch>> = Arc::new(others.collect());
    ui.data_mut(|data| data.insert_temp(id, (key, branches.clone())));
    branches
}
