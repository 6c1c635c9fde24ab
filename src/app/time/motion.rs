//! Motion: what moves between two states that the screen shows.
//!
//! The state changes at once; only what is painted takes its time. One step or micro-step is one
//! animation. Any key or click ends it, and so does the next step. While nothing moves nothing is
//! painted anew.

use std::cell::Cell;

use egui::{Context, Event};

use super::play::Speed;
use crate::engine::AnyVm;

/// How long a micro-step moves at normal speed, in seconds.
const SECONDS: f64 = 0.4;
/// How long a refused control shakes, in seconds.
const SHAKE: f64 = 0.36;
/// How far it shakes, in points.
const SHAKE_WIDTH: f32 = 4.0;
/// So many things move at once, at most.
pub const AT_ONCE: u8 = 4;

/// Which way time went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Way {
    /// It jumped, or something else changed: nothing moves.
    #[default]
    Jump,
    /// A whole command on.
    Step,
    /// One event on.
    MicroStep,
    /// A whole command back.
    StepBack,
    /// One event back.
    MicroBack,
}

/// A control whose instruction was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Bits of CR0.
    Cr0(u64),
    /// Bits of CR4.
    Cr4(u64),
    /// Bits of EFER.
    Efer(u64),
    /// CR3.
    Cr3,
}

/// Whether things move at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Preference {
    /// As the system says.
    #[default]
    System,
    /// Nothing moves.
    Reduced,
    /// Things move.
    Full,
}

impl Preference {
    /// As it is kept from run to run.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Reduced => "reduced",
            Self::Full => "full",
        }
    }

    /// What was kept.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        [Self::System, Self::Reduced, Self::Full].into_iter().find(|known| known.id() == id)
    }
}

/// What moves now.
#[derive(Debug, Default)]
pub struct Motion {
    /// The number of the state shown: it grows with each change of it.
    id: u64,
    way: Way,
    /// The state before, whose values fade.
    from: Option<Box<AnyVm>>,
    /// When the animation began; none: in the next frame.
    since: Option<f64>,
    /// How much of it is over, 0 to 1, eased.
    part: f32,
    running: bool,
    refused: Option<Refused>,
    shake_since: Option<f64>,
    shake: f32,
    preference: Preference,
    system_reduces: bool,
    speed: Speed,
    moving: Cell<u8>,
}

impl Motion {
    /// The state shown has changed; `from` is what was shown before.
    pub fn begin(&mut self, way: Way, from: AnyVm) {
        self.id += 1;
        self.way = way;
        self.since = None;
        self.part = 0.0;
        self.running = way != Way::Jump && !self.is_reduced();
        self.from = self.running.then(|| Box::new(from));
    }

    /// An instruction was refused: its control shakes once.
    pub fn refuse(&mut self, refused: Refused) {
        self.refused = (!self.is_reduced()).then_some(refused);
        self.shake_since = None;
    }

    /// Ends what moves.
    pub fn finish(&mut self) {
        (self.running, self.from, self.part) = (false, None, 1.0);
        (self.refused, self.shake) = (None, 0.0);
    }

    /// Brings it up to a frame, before anything is painted. Asks for the next frame while something moves.
    pub fn tick(&mut self, ctx: &Context) {
        self.moving.set(0);
        // Another theme brings a style of its own.
        let reduced = self.is_reduced();
        if (ctx.global_style().animation_time == 0.0) != reduced {
            set_style(ctx, reduced);
        }
        if reduced {
            self.finish();
        }
        if !self.running && self.refused.is_none() {
            return;
        }
        if ctx.input(|input| input.events.iter().any(interrupts)) {
            self.finish();
            return;
        }
        let now = ctx.input(|input| input.time);
        if self.running {
            let over = (now - *self.since.get_or_insert(now)) / (SECONDS * self.speed.factor());
            if over >= 1.0 {
                (self.running, self.from, self.part) = (false, None, 1.0);
            } else {
                self.part = egui::emath::easing::cubic_in_out(over.max(0.0) as f32);
            }
        }
        if self.refused.is_some() {
            let over = (now - *self.shake_since.get_or_insert(now)) / SHAKE;
            if over >= 1.0 {
                (self.refused, self.shake) = (None, 0.0);
            } else {
                let over = over.max(0.0) as f32;
                self.shake = SHAKE_WIDTH * (1.0 - over) * (over * 3.0 * std::f32::consts::TAU).sin();
            }
        }
        if self.running || self.refused.is_some() {
            ctx.request_repaint();
        }
    }

    /// The number of the state shown.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Which way time went to the state shown; a jump once everything stands.
    #[must_use]
    pub fn way(&self) -> Way {
        if self.running { self.way } else { Way::Jump }
    }

    /// The state before, while something moves from it.
    #[must_use]
    pub fn from(&self) -> Option<&AnyVm> {
        self.from.as_deref()
    }

    /// Whether something moves.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.running || self.refused.is_some()
    }

    /// How many things move in the frame that was painted last.
    #[must_use]
    pub const fn moving(&self) -> u8 {
        self.moving.get()
    }

    /// Asks to move one thing. How much of the way it has come, from 0 to 1; none if nothing moves, or if
    /// enough moves already: then it stands where it ends.
    #[must_use]
    pub fn claim(&self) -> Option<f32> {
        if !self.running || self.moving.get() >= AT_ONCE {
            return None;
        }
        self.moving.set(self.moving.get() + 1);
        Some(self.part)
    }

    /// How far a control is from its place now, in points to the right.
    #[must_use]
    pub fn shake(&self, is_it: impl Fn(Refused) -> bool) -> f32 {
        if self.refused.is_some_and(is_it) && self.moving.get() < AT_ONCE {
            self.moving.set(self.moving.get() + 1);
            self.shake
        } else {
            0.0
        }
    }

    /// Whether nothing is to move.
    #[must_use]
    pub const fn is_reduced(&self) -> bool {
        match self.preference {
            Preference::System => self.system_reduces,
            Preference::Reduced => true,
            Preference::Full => false,
        }
    }

    /// What was chosen.
    #[must_use]
    pub const fn preference(&self) -> Preference {
        self.preference
    }

    /// Chooses whether things move, egui's own too.
    pub fn prefer(&mut self, preference: Preference) {
        self.preference = preference;
    }

    /// Takes over what the system says.
    pub const fn follow_system(&mut self, reduces: bool) {
        self.system_reduces = reduces;
    }

    /// How fast things move.
    pub const fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
    }

    /// The speed.
    #[must_use]
    pub const fn speed(&self) -> Speed {
        self.speed
    }
}

/// Whether egui moves things itself: its fades, gliding to a place in a list, the blinking place in a field.
fn set_style(ctx: &Context, reduced: bool) {
    ctx.all_styles_mut(|style| {
        style.animation_time = if reduced { 0.0 } else { crate::app::theme::ANIMATION };
        style.scroll_animation =
            if reduced { egui::style::ScrollAnimation::none() } else { egui::style::ScrollAnimation::default() };
        style.visuals.text_cursor.blink = !reduced;
    });
}

/// A key or a click: what ends an animation.
const fn interrupts(event: &Event) -> bool {
    matches!(
        event,
        Event::Key { pressed: true, .. }
            | Event::PointerButton { pressed: true, .. }
            | Event::Text(_)
            | Event::Touch { phase: egui::TouchPhase::Start, .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Session;

    fn frame(ctx: &Context, motion: &mut Motion, time: f64, events: Vec<Event>) {
        let input = egui::RawInput { time: Some(time), events, ..egui::RawInput::default() };
        let mut output = ctx.run_ui(input, |ui| motion.tick(ui.ctx()));
        output.textures_delta.clear();
    }

    fn begun(ctx: &Context) -> Motion {
        let mut motion = Motion::default();
        motion.begin(Way::MicroStep, Session::empty().lab.vm().clone());
        frame(ctx, &mut motion, 10.0, Vec::new());
        motion
    }

    #[test]
    fn a_step_moves_for_350_to_450_ms_with_ease() {
        let ctx = Context::default();
        let mut motion = begun(&ctx);
        let mut parts = Vec::new();
        for ms in (0..350).step_by(10) {
            frame(&ctx, &mut motion, 10.0 + f64::from(ms) / 1000.0, Vec::new());
            parts.push(motion.claim().expect("it moves"));
        }
        assert!(parts.is_sorted() && parts[0] == 0.0);
        assert!(parts[1] - parts[0] < 0.01 && parts[34] - parts[33] < parts[20] - parts[19], "slow at both ends");
        frame(&ctx, &mut motion, 10.45, Vec::new());
        assert!(!motion.is_running() && motion.claim().is_none() && motion.from().is_none());
    }

    #[test]
    fn any_key_or_click_ends_it() {
        let key = |key| Event::Key {
            key,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: egui::Modifiers::NONE,
        };
        let click = |button| Event::PointerButton {
            pos: egui::Pos2::ZERO,
            button,
            pressed: true,
            modifiers: egui::Modifiers::NONE,
        };
        let mut ends: Vec<Event> = egui::Key::ALL.iter().map(|k| key(*k)).collect();
        ends.extend([egui::PointerButton::Primary, egui::PointerButton::Secondary].map(click));
        for event in ends {
            let ctx = Context::default();
            let mut motion = begun(&ctx);
            assert!(motion.is_running());
            motion.refuse(Refused::Cr3);
            frame(&ctx, &mut motion, 10.1, vec![event.clone()]);
            assert!(!motion.is_running(), "{event:?}");
        }
        let ctx = Context::default();
        let mut motion = begun(&ctx);
        frame(&ctx, &mut motion, 10.1, vec![Event::PointerMoved(egui::Pos2::ZERO)]);
        assert!(motion.is_running(), "moving the pointer is no click");
    }

    #[test]
    fn at_most_four_things_move() {
        let motion = begun(&Context::default());
        assert_eq!((0..9).filter(|_| motion.claim().is_some()).count(), usize::from(AT_ONCE));
        assert_eq!(motion.moving(), AT_ONCE);
    }

    #[test]
    fn reduced_motion_is_everything_of_ours_and_of_egui() {
        let ctx = Context::default();
        let mut motion = Motion::default();
        motion.follow_system(true);
        frame(&ctx, &mut motion, 1.0, Vec::new());
        motion.begin(Way::Step, Session::empty().lab.vm().clone());
        motion.refuse(Refused::Cr3);
        assert!(!motion.is_running());
        let style = ctx.global_style();
        assert_eq!((style.animation_time, style.scroll_animation), (0.0, egui::style::ScrollAnimation::none()));
        assert!(!style.visuals.text_cursor.blink);
        motion.prefer(Preference::Full);
        frame(&ctx, &mut motion, 2.0, Vec::new());
        assert!(ctx.global_style().animation_time > 0.0, "what is chosen counts");
        motion.begin(Way::Step, Session::empty().lab.vm().clone());
        assert!(motion.is_running());
    }
}
