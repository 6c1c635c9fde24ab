//! Play: time goes on by itself until its end, a fault, or a pause.

use egui::Context;

use crate::language::Language;
use crate::{tr, word};

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Speed {
    /// Event by event, slowly.
    Slow,
    /// Event by event.
    #[default]
    Normal,
    /// Command by command.
    Fast,
}

impl Speed {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slow => word!("slow"),
            Self::Normal => word!("normal"),
            Self::Fast => word!("fast"),
        }
    }

    /// Its sign: times the normal speed.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Slow => "½×",
            Self::Normal => "1×",
            Self::Fast => "2×",
        }
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Slow => Self::Normal,
            Self::Normal => Self::Fast,
            Self::Fast => Self::Slow,
        }
    }

    /// How much longer an animation takes than at normal speed.
    #[must_use]
    pub const fn factor(self) -> f64 {
        match self {
            Self::Slow => 2.0,
            Self::Normal => 1.0,
            Self::Fast => 0.5,
        }
    }

    /// From one step of play to the next, in seconds: the animation and a moment to look.
    #[must_use]
    pub const fn pause(self) -> f64 {
        match self {
            Self::Slow => 1.6,
            Self::Normal => 0.8,
            Self::Fast => 0.4,
        }
    }

    /// The speed in words.
    #[must_use]
    pub fn words(self, language: Language) -> String {
        tr!(language, "Speed: {speed}", speed = language.tr(self.name()))
    }
}

/// Whether time goes on by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Play {
    on: bool,
    /// When the next step is due; none: it is set in the next frame.
    next: Option<f64>,
}

impl Play {
    /// Whether it plays.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// Plays on, or pauses.
    pub const fn set(&mut self, on: bool) {
        (self.on, self.next) = (on, None);
    }

    /// Whether a step is due. Asks for a frame when the next one is.
    pub fn is_due(&mut self, ctx: &Context, speed: Speed) -> bool {
        if !self.on {
            return false;
        }
        let now = ctx.input(|input| input.time);
        let next = *self.next.get_or_insert(now);
        if now + 1e-6 < next {
            ctx.request_repaint_after_secs((next - now) as f32);
            return false;
        }
        self.next = Some(now + speed.pause());
        ctx.request_repaint_after_secs(speed.pause() as f32);
        true
    }
}
