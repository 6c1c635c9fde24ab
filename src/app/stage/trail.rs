//! The arrows of walks in motion: a token travels them, from register to table to page, and back the
//! same way.

use egui::{Color32, Id, Pos2, Ui};

use super::Look;
use super::arrows::stroke;
use crate::app::time::motion::Way;

/// The token's radius, in points.
const TOKEN: f32 = 6.0;

/// An arrow that the walk has taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Which.
    pub key: u8,
    /// Whose walk it belongs to: arrows of one lane are travelled one after the other.
    pub lane: u8,
    /// Its way.
    pub points: Vec<Pos2>,
    /// Its colour.
    pub color: Color32,
}

/// The arrows of the state shown, and of the one before.
#[derive(Clone, Debug, Default)]
struct Memory {
    state: u64,
    before: Vec<Taken>,
    now: Vec<Taken>,
}

/// Draws the arrows that were taken, those that are in motion as far as they have come.
pub fn trail_ui(look: &Look<'_>, ui: &Ui, now: Vec<Taken>) {
    let motion = look.cx.motion;
    let id = Id::unique("stage: arrows that were taken");
    let mut memory = ui.data_mut(|data| data.remove_temp::<Memory>(id)).unwrap_or_default();
    if memory.state != motion.id() {
        memory.before = std::mem::take(&mut memory.now);
        memory.state = motion.id();
    }
    let way = motion.way();
    let new = |arrow: &&Taken| match way {
        Way::Step => true,
        Way::MicroStep => memory.before.iter().all(|old| old.key != arrow.key),
        Way::Jump | Way::StepBack | Way::MicroBack => false,
    };
    let gone = |arrow: &&Taken| match way {
        Way::StepBack => true,
        Way::MicroBack => now.iter().all(|other| other.key != arrow.key),
        Way::Jump | Way::Step | Way::MicroStep => false,
    };
    now.iter().filter(|arrow| !new(arrow)).for_each(|arrow| stroke(ui, &arrow.points, arrow.color, 2.0));
    for lane in 0..=LANES {
        let moving: Vec<&Taken> = now.iter().filter(|arrow| arrow.lane == lane && new(arrow)).collect();
        travel(look, ui, &moving, false);
        let moving: Vec<&Taken> = memory.before.iter().filter(|arrow| arrow.lane == lane && gone(arrow)).collect();
        travel(look, ui, &moving, true);
    }
    memory.now = now;
    ui.data_mut(|data| data.insert_temp(id, memory));
}

/// The guest's walk, the hypervisor's, and what a cache answered.
pub const GUEST: u8 = 0;
/// See [`GUEST`].
pub const LOWER: u8 = 1;
/// See [`GUEST`].
pub const CACHE: u8 = 2;
const LANES: u8 = CACHE;

/// One token on its way along arrows, one after the other.
fn travel(look: &Look<'_>, ui: &Ui, arrows: &[&Taken], back: bool) {
    if arrows.is_empty() {
        return;
    }
    let Some(part) = look.cx.motion.claim() else {
        // Too much moves already: these arrows stand where they end.
        if !back {
            arrows.iter().for_each(|arrow| stroke(ui, &arrow.points, arrow.color, 2.0));
        }
        return;
    };
    let part = if back { 1.0 - part } else { part };
    let way = part * arrows.len() as f32;
    for (i, arrow) in arrows.iter().enumerate() {
        let share = (way - i as f32).clamp(0.0, 1.0);
        if share <= 0.0 && i > 0 {
            return;
        }
        let points = along(&arrow.points, share);
        if share > 0.02 {
            stroke(ui, &points, arrow.color, 2.0);
        }
        if let (Some(tip), true) = (points.last(), share < 1.0 || i + 1 == arrows.len()) {
            ui.painter().circle_filled(*tip, 1.9 * TOKEN, arrow.color.gamma_multiply(0.25));
            ui.painter().circle_filled(*tip, TOKEN, arrow.color);
        }
    }
}

/// The first part of a way.
fn along(points: &[Pos2], part: f32) -> Vec<Pos2> {
    let length = |pair: &[Pos2]| pair[0].distance(pair[1]);
    let mut left = part * points.windows(2).map(length).sum::<f32>();
    let mut way: Vec<Pos2> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let long = length(pair);
        if long >= left {
            if left > 0.0 {
                way.push(pair[0].lerp(pair[1], left / long.max(0.01)));
            }
            break;
        }
        way.push(pair[1]);
        left -= long;
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::pos2;

    #[test]
    fn a_part_of_a_way() {
        let way = [pos2(0.0, 0.0), pos2(10.0, 0.0), pos2(10.0, 10.0)];
        assert_eq!(along(&way, 0.0), [pos2(0.0, 0.0)]);
        assert_eq!(along(&way, 0.25), [pos2(0.0, 0.0), pos2(5.0, 0.0)]);
        assert_eq!(along(&way, 0.75), [pos2(0.0, 0.0), pos2(10.0, 0.0), pos2(10.0, 5.0)]);
        assert_eq!(along(&way, 1.0).last(), Some(&pos2(10.0, 10.0)));
    }
}
