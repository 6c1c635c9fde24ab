//! The audit: whether the shadow MMU's invariants hold in the state shown, and what breaks the first
//! that does not.

use egui::{Button, Id, RichText, Stroke, Ui, Vec2};

use super::theme::{self, CHIP};
use super::view::ViewCx;
use crate::engine::shadow::Broken;
use crate::engine::{AnyVm, EngineName};
use crate::lab::NodeId;
use crate::language::Language;
use crate::machine::Caches;
use crate::tr;

/// With more shadow pages than this an audit takes longer than a frame, so it waits for a click.
const AT_ONCE: u32 = 512;

type Key = (String, EngineName, Caches, Option<NodeId>, usize, Language);
/// What the audit found: nothing, or the first broken invariant with its witness.
type Finding = Option<Broken>;

/// The button with its answer; what is broken, if anything is known to be.
pub fn audit_ui(cx: &ViewCx<'_>, ui: &mut Ui) -> Option<String> {
    let AnyVm::Shadow(vm) = cx.vm else { return None };
    let lab = &cx.session.lab;
    let session = cx.session;
    let (node, language) = (lab.node(lab.cursor()), cx.language());
    let key: Key = (session.scenario.id.clone(), session.engine(), session.caches(), node, cx.shown, language);
    let id = Id::unique("audit of the state shown");
    let known = ui.data(|data| data.get_temp::<(Key, Finding)>(id)).filter(|(of, _)| *of == key);
    let mut finding = known.map(|(_, finding)| finding);
    let run = || cx.vm.audit_in(language).err();
    let say = |broken: &Broken| {
        tr!(cx, "{invariant} is broken: {witness}", invariant = broken.invariant, witness = broken.witness)
    };
    let t = cx.tokens;
    let (text, color, edge) = match &finding {
        None => (tr!(cx, "Audit").to_owned(), t.text, t.border),
        Some(None) => (format!("✓ {}", tr!(cx, "Audit")), t.shadow.text, t.shadow.edge),
        Some(Some(broken)) => {
            (format!("✕ {}", tr!(cx, "Audit: {what}", what = broken.invariant)), t.fault.text, t.fault.edge)
        }
    };
    let name = match &finding {
        None => tr!(cx, "Audit the shadow pages").to_owned(),
        Some(None) => tr!(cx, "Audit: every invariant holds").to_owned(),
        Some(Some(broken)) => tr!(cx, "Audit: {what}", what = say(broken)),
    };
    let button = Button::new(RichText::new(text).color(color)).stroke(Stroke::new(1.0, edge));
    let button = button.fill(t.panel).min_size(Vec2::new(0.0, theme::wide(ui, CHIP - 2.0)));
    let hint = tr!(
        cx,
        "Checks the eleven invariants of the shadow MMU: write protection, reverse map, parents, keys, root counts, \
         agreement with the guest, the TLB, pae_root"
    );
    let response = ui.add(button).on_hover_text(hint).accessible_name(name);
    if finding.is_none() && vm.engine.pool.live() <= AT_ONCE || response.clicked() {
        let found = run();
        ui.data_mut(|data| data.insert_temp(id, (key, found.clone())));
        finding = Some(found);
        ui.ctx().request_repaint();
    }
    finding.flatten().map(|broken| say(&broken))
}
