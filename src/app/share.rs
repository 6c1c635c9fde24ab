//! What a link tells of the window, besides the machine and its time, and how it is found again.
//!
//! What has no field in [`View`] stands in `more` by name; what is not known there is left alone, so that a
//! link of a later window still opens.

use super::App;
use super::compare::engines::chosen;
use super::view::{Composer, Page, Screen, Selection, Tab, ViewState};
use crate::arch::{AccessKind, Gfn, Gpa, Gva};
use crate::engine::EngineConfig;
use crate::lesson::{self, Lesson};
use crate::scenario::{self, LinkError, View};

/// Names in `more`.
const SELECTION: &str = "selection";
const ACCESS: &str = "access";
const PAGE: &str = "page";
const LESSON: &str = "lesson";
const ENGINES: &str = "engines";

/// The view as a link holds it.
#[must_use]
pub fn of(view: &ViewState, micro_step: Option<u32>) -> View {
    let entry = match view.selection {
        Selection::Entry { gpa, .. } => Some(gpa.0),
        _ => None,
    };
    let tab = match view.tab {
        Tab::Inspect | Tab::Lesson => "inspect",
        Tab::Why => "why",
        Tab::Log => "log",
    };
    let (screen, engines) = match view.screen {
        Screen::Explore => ("explore", None),
        Screen::Compare if view.compare.engines.is_empty() => ("compare", None),
        Screen::Compare => {
            let engines: Vec<String> = view.compare.engines.iter().map(EngineConfig::to_string).collect();
            ("compare", Some(engines.join(",")))
        }
    };
    let mut more = vec![(ACCESS.to_owned(), access_out(&view.composer))];
    if let Some(selection) = selection_out(view.selection) {
        more.push((SELECTION.to_owned(), selection));
    }
    if let Some((_, name)) = PAGES.iter().find(|(page, _)| *page == view.page && *page != Page::default()) {
        more.push((PAGE.to_owned(), (*name).to_owned()));
    }
    more.extend(engines.into_iter().map(|engines| (ENGINES.to_owned(), engines)));
    View {
        entry,
        address: Some(view.composer.va.0),
        micro_step,
        tab: Some(tab.to_owned()),
        view: Some(screen.to_owned()),
        beside: None,
        zoom: Some((view.zoom * 100.0).round() as u16),
        more,
    }
}

/// Shows what a link showed, as far as this window knows how. `view` is that of the session just opened.
pub fn restore(view: &mut ViewState, shown: &View) {
    (view.screen, view.compare.engines) = screen(shown);
    let more = |name: &str| shown.more.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if let Some(va) = shown.address {
        view.composer.va = Gva(va);
    }
    if let Some(access) = more(ACCESS) {
        access_in(access, &mut view.composer);
    }
    if let Some(selection) = more(SELECTION).and_then(selection_in) {
        view.selection = selection;
    }
    match shown.tab.as_deref() {
        Some("why") => view.tab = Tab::Why,
        Some("log") => view.tab = Tab::Log,
        Some("inspect") => view.tab = Tab::Inspect,
        _ => {}
    }
    if let Some((page, _)) = PAGES.iter().find(|(_, name)| more(PAGE) == Some(name)) {
        view.page = *page;
    }
    if let Some(zoom) = shown.zoom {
        view.zoom = (f32::from(zoom) / 100.0).clamp(0.1, 4.0);
    }
}

const PAGES: [(Page, &str); 4] =
    [(Page::Processor, "processor"), (Page::Memory, "memory"), (Page::Stage, "tables"), (Page::Drawer, "drawer")];

/// Kind, privilege and AC: `wu`, `rs`, `xua`.
fn access_out(composer: &Composer) -> String {
    let kind = match composer.kind {
        AccessKind::Read => 'r',
        AccessKind::Write => 'w',
        AccessKind::Fetch => 'x',
    };
    let mut text = String::from(kind);
    text.push(if composer.user { 'u' } else { 's' });
    if composer.ac {
        text.push('a');
    }
    text
}

fn access_in(text: &str, composer: &mut Composer) {
    let mut chars = text.chars();
    match chars.next() {
        Some('r') => composer.kind = AccessKind::Read,
        Some('w') => composer.kind = AccessKind::Write,
        Some('x') => composer.kind = AccessKind::Fetch,
        _ => return,
    }
    composer.user = chars.next() == Some('u');
    composer.ac = chars.next() == Some('a');
}

/// What is selected, as text. Shadow pages and entries are numbered by the run and not by the machine,
/// yet a replay numbers them alike.
fn selection_out(selection: Selection) -> Option<String> {
    Some(match selection {
        Selection::Table { level, base } => format!("table {level} {:x}", base.0),
        Selection::Entry { level, gpa } => format!("entry {level} {:x}", gpa.0),
        Selection::PdpteRegister(index) => format!("pdpte {index} 0"),
        Selection::Page(gfn) => format!("page 0 {:x}", gfn.0),
        Selection::None | Selection::Shadow(_) | Selection::Spte(_) => return None,
    })
}

fn selection_in(text: &str) -> Option<Selection> {
    let mut words = text.split(' ');
    let (kind, small, number) = (words.next()?, words.next()?, words.next()?);
    let small = small.parse::<u8>().ok()?;
    let number = u64::from_str_radix(number, 16).ok()?;
    let level = Some(small).filter(|level| (1..=5).contains(level));
    match kind {
        "table" => Some(Selection::Table { level: level?, base: Gpa(number) }),
        "entry" => Some(Selection::Entry { level: level?, gpa: Gpa(number) }),
        "pdpte" if small < 4 => Some(Selection::PdpteRegister(usize::from(small))),
        "page" => Some(Selection::Page(Gfn(number))),
        _ => None,
    }
}

/// The lesson that a state was kept in, and the step, from 0.
#[must_use]
pub fn lesson_of(view: &View) -> Option<(&'static Lesson, usize)> {
    let (_, place) = view.more.iter().find(|(name, _)| name == LESSON)?;
    let (id, step) = place.split_once(' ')?;
    let (lesson, step) = (lesson::by_id(id)?, step.parse().ok()?);
    (step < lesson.steps.len()).then_some((lesson, step))
}

impl App {
    /// What the window shows, as the autosave ring holds it: with the step of the lesson in front.
    #[must_use]
    pub fn kept_view(&self) -> View {
        let mut view = self.shown_view();
        if let Some(player) = self.session.player().filter(|player| !player.session.in_sandbox()) {
            view.more.push((LESSON.to_owned(), format!("{} {}", player.session.lesson().id, player.session.at())));
        }
        view
    }

    /// What the window shows, as a link holds it.
    #[must_use]
    pub fn shown_view(&self) -> View {
        let micro_step = (self.focus.shown() < self.focus.events().len()).then_some(self.focus.shown() as u32);
        of(&self.view, micro_step)
    }

    /// The link of what is shown, `#m=` and what follows: the machine with its whole time, the view
    /// and the language.
    ///
    /// # Errors
    /// [`LinkError::TooLong`].
    pub fn link(&self) -> Result<String, LinkError> {
        scenario::link(&self.session, &self.shown_view(), self.view.language.id())
    }
}

/// What filled the window of a link, and the engines that were compared there. What is not known is
/// as if it were not there.
fn screen(view: &View) -> (Screen, Vec<EngineConfig>) {
    let screen = match view.view.as_deref() {
        Some("compare") => Screen::Compare,
        _ => Screen::Explore,
    };
    let named = view.more.iter().find(|(name, _)| name == ENGINES);
    let engines: Option<Vec<EngineConfig>> =
        named.and_then(|(_, engines)| engines.split(',').map(|engine| engine.parse().ok()).collect());
    (screen, engines.and_then(|engines| chosen(&engines)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_survives() {
        let selections = [
            Selection::None,
            Selection::Table { level: 2, base: Gpa(0x6000) },
            Selection::Entry { level: 1, gpa: Gpa(0x7008) },
            Selection::PdpteRegister(3),
            Selection::Page(Gfn(0x2b)),
        ];
        for (selection, (page, _)) in selections.into_iter().zip(PAGES.iter().cycle()) {
            let fresh = ViewState::of(&scenario::Session::empty());
            let composer = Composer { va: Gva(0x1234), kind: AccessKind::Fetch, user: false, ac: true };
            let view = ViewState { selection, page: *page, tab: Tab::Why, zoom: 1.25, composer, ..fresh.clone() };
            let mut other = fresh;
            restore(&mut other, &of(&view, None));
            assert_eq!(other, view);
        }
    }

    #[test]
    fn what_is_not_known_is_left_alone() {
        let fresh = ViewState::of(&scenario::Session::empty());
        for (name, value) in [("selection", "entry 9 1"), ("selection", "pdpte 4 0"), ("access", "?"), ("later", "1")] {
            let more = vec![(name.to_owned(), value.to_owned())];
            let mut view = fresh.clone();
            restore(&mut view, &View { more, tab: Some("later".to_owned()), ..View::default() });
            assert_eq!(view, fresh);
        }
    }
}
