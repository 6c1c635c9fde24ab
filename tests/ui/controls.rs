//! What can be pressed in a window: where egui lets it be hit, under the name that a screen reader says.

#![allow(dead_code, reason = "each test program uses some of it")]

use std::collections::BTreeMap;

use egui::accesskit::{Action, ActionRequest, NodeId, Role, TreeId};
use egui::{Event, Id, LayerId, Rect};
use egui_kittest::Harness;
use egui_kittest::kittest::NodeT as _;
use mmuscope::app::App;

/// Something that a finger, a pointer or the keyboard can reach.
#[derive(Clone, Debug)]
pub struct Control {
    pub id: Id,
    pub layer: LayerId,
    /// Where it is, scrolled out of view or not.
    pub rect: Rect,
    /// The part of it that is in view.
    pub seen: Rect,
    pub name: String,
    pub role: Role,
    pub enabled: bool,
    /// It can be pressed; else it can only have the keyboard.
    pub pressed: bool,
    pub focusable: bool,
}

/// Everything of that kind, in the order in which it was drawn.
pub fn controls(window: &Harness<'_, App>) -> Vec<Control> {
    let mut names: BTreeMap<NodeId, (Role, String)> = BTreeMap::new();
    let mut queue = vec![window.root()];
    while let Some(node) = queue.pop() {
        let access = node.accesskit_node();
        let name = access.label().or_else(|| access.placeholder().map(str::to_owned)).unwrap_or_default();
        names.insert(access.locate().0, (access.role(), name));
        queue.extend(node.children());
    }
    window.ctx.viewport(|viewport| {
        let mut layers: Vec<_> = viewport.prev_pass.widgets.layers().collect();
        layers.sort_by_key(|(layer, _)| (layer.order, layer.id.value()));
        let widgets = layers.into_iter().flat_map(|(_, widgets)| widgets);
        let found = widgets.filter(|widget| widget.sense.senses_click() || widget.sense.is_focusable());
        let found = found.filter_map(|widget| {
            let (role, name) = names.get(&widget.id.accesskit_id())?;
            Some(Control {
                id: widget.id,
                layer: widget.layer_id,
                rect: widget.rect,
                seen: widget.interact_rect,
                name: name.clone(),
                role: *role,
                enabled: widget.enabled,
                pressed: widget.sense.senses_click(),
                focusable: widget.sense.is_focusable(),
            })
        });
        found.collect()
    })
}

/// Gives a control the keyboard, which brings it into view as well.
pub fn focus(window: &mut Harness<'_, App>, id: Id) {
    ask(window, id, Action::Focus);
}

/// Scrolls to a control that cannot have the keyboard.
pub fn scroll_to(window: &mut Harness<'_, App>, id: Id) {
    ask(window, id, Action::ScrollIntoView);
}

fn ask(window: &mut Harness<'_, App>, id: Id, action: Action) {
    let (target_tree, target_node) = (TreeId::ROOT, id.accesskit_id());
    window.event(Event::AccessKitActionRequest(ActionRequest { action, target_tree, target_node, data: None }));
    window.run_steps(3);
}
