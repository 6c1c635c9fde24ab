//! The audit: whether the shadow MMU's invariants hold in the state shown, and what breaks the first
//! that does not.

use egui::{Button, Id, RichText, Stroke, Ui, Vec2};

use super::theme::CHIP;
use super::view::ViewCx;
use crate::engine::AnyVm;
use crate::engine::EngineName;
use crate::lab::NodeId;
use crate::machine::Caches;

/// With more shadow pages than this an audit takes longer than a frame, so it waits for a click.
const AT_ONCE: u32 = 512;

type Key = (String, EngineName, Caches, Option<NodeId>, usize);
/// What the audit found: nothing, or the first broken invariant in words.
type Finding = Option<String>;

/// The button with its answer; what is broken, if anything is known to be.
pub fn audit_ui(cx: &ViewCx<'_>, ui: &mut Ui) -> Option<String> {
    let AnyVm::Shadow(vm) = cx.vm else { return None };
    let lab = &cx.session.lab;
    let session = cx.session;
    let key: Key = (session.scenario.id.clone(), session.engine(), session.caches(), lab.node(lab.cursor()), cx.shown);
    let id = Id::unique("audit of the state shown");
    let known = ui.data(|data| data.get_temp::<(Key, Finding)>(id)).filter(|(of, _)| *of == key);
    let mut finding = known.map(|(_, finding)| finding);
    let run = || cx.vm.audit().err().map(|broken| format!("{} is broken: {}", broken.invariant, broken.witness));
    let t = cx.tokens;
    let (text, color, edge) = match &finding {
        None => ("Audit".to_owned(), t.text, t.border),
        Some(None) => ("✓ Audit".to_owned(), t.shadow.text, t.shadow.edge),
        Some(Some(broken)) => {
            (format!("✕ Audit: {}", broken.split(' ').next().unwrap_or("broken")), t.fault.text, t.fault.edge)
        }
    };
    let name = match &finding {
        None => "Audit the shadow pages".to_owned(),
        Some(None) => "Audit: every invariant holds".to_owned(),
        Some(Some(broken)) => format!("Audit: {broken}"),
    };
    let button = Button::new(RichText::new(text).color(color)).stroke(Stroke::new(1.0, edge));
    let button = button.fill(t.panel).min_size(Vec2::new(0.0, CHIP));
    let hint = "Checks the eleven invariants of the shadow MMU: write protection, reverse map, parents, keys, root \
                counts, agreement with the guest, the TLB, pae_root";
    let response = ui.add(button).on_hover_text(hint).accessible_name(name);
    if finding.is_none() && vm.engine.pool.live() <= AT_ONCE || response.clicked() {
        let found = run();
        ui.data_mut(|data| data.insert_temp(id, (key, found.clone())));
        finding = Some(found);
        ui.ctx().request_repaint();
    }
    finding.flatten()
}
