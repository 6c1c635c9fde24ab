//! What the Compare view asks for, and how it is done.

use super::engines;
use crate::app::App;
use crate::app::view::{Screen, ViewState};
use crate::engine::EngineConfig;
use crate::scenario::Session;
use crate::tr;

/// Events that all engines together carry out between two passes.
const BUDGET: usize = if cfg!(target_arch = "wasm32") { 1 << 14 } else { 1 << 15 };

/// What the Compare view wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareWish {
    /// One more engine.
    Add(EngineConfig),
    /// One less, by its place.
    Remove(usize),
    /// Another in its place.
    Change(usize, EngineConfig),
    /// Brings a column into view where they do not fit side by side.
    Page(usize),
    /// To the next step at which not all engines do the same.
    NextDifference,
    /// To the one before.
    PreviousDifference,
}

/// How engines are compared.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CompareView {
    /// The engines chosen, from left to right; empty: [`engines::first`].
    pub engines: Vec<EngineConfig>,
    /// The column in view where they do not fit side by side.
    pub page: usize,
    /// A difference that is being looked for: from which step, and whether on from there.
    pub wanted: Option<(usize, bool)>,
}

/// The engines that are compared, from left to right.
#[must_use]
pub fn columns(view: &ViewState, session: &Session) -> Vec<EngineConfig> {
    if view.compare.engines.is_empty() { engines::first(session.config()) } else { view.compare.engines.clone() }
}

impl App {
    /// Does what the Compare view asked for.
    pub(in crate::app) fn apply_compare(&mut self, wish: CompareWish) {
        let mut columns = columns(&self.view, &self.session);
        let compare = &mut self.view.compare;
        compare.wanted = None;
        match wish {
            CompareWish::Add(engine) if columns.len() < engines::MOST && !columns.contains(&engine) => {
                columns.push(engine);
                compare.page = columns.len() - 1;
                self.view.screen = Screen::Compare;
            }
            CompareWish::Add(engine) => {
                let (l, name) = (self.view.language, engines::title(self.view.language, engine));
                self.view.notice = Some(match columns.contains(&engine) {
                    true => tr!(l, "{engine} is compared already", engine = name),
                    false => {
                        tr!(
                            l,
                            "{count} engines have room: close one of them to add {engine}",
                            count = engines::MOST,
                            engine = name
                        )
                    }
                });
                return;
            }
            CompareWish::Remove(at) if columns.len() > engines::FEWEST && at < columns.len() => {
                columns.remove(at);
                compare.page = compare.page.min(columns.len() - 1);
            }
            CompareWish::Change(at, engine) if at < columns.len() && !columns.contains(&engine) => {
                columns[at] = engine;
            }
            CompareWish::Page(page) => {
                compare.page = page.min(columns.len() - 1);
                return;
            }
            CompareWish::NextDifference | CompareWish::PreviousDifference => {
                let forward = wish == CompareWish::NextDifference;
                compare.wanted = Some((self.session.lab.cursor(), forward));
                self.view.screen = Screen::Compare;
                return;
            }
            CompareWish::Remove(_) | CompareWish::Change(..) => return,
        }
        compare.engines = columns;
    }

    /// Lets the engines go on along the path while they are compared.
    pub(in crate::app) fn follow_compare(&mut self, ctx: &egui::Context, budget: Option<usize>) {
        if self.view.screen != Screen::Compare {
            return;
        }
        let columns = columns(&self.view, &self.session);
        let done = self.runs.follow(&self.session, &columns, budget.unwrap_or(BUDGET));
        if let Some((from, forward)) = self.view.compare.wanted {
            self.find_difference(from, forward, done);
            self.runs.follow(&self.session, &columns, 0);
        }
        if !done {
            ctx.request_repaint();
        }
    }

    fn find_difference(&mut self, from: usize, forward: bool, done: bool) {
        let known = done || self.runs.done() >= from;
        let found = match forward {
            true => self.runs.next_difference(from),
            false if known => self.runs.previous_difference(from),
            false => None,
        };
        if found.is_none() && !(done || known && !forward) {
            return;
        }
        self.view.compare.wanted = None;
        match found {
            Some(step) => self.seek(step),
            None => {
                let language = self.view.language;
                let sentence = match forward {
                    true => tr!(language, "These engines do the same in every later step"),
                    false => tr!(language, "These engines do the same in every earlier step"),
                };
                self.view.notice = Some(sentence.to_owned());
            }
        }
    }

    /// Carries the path out on every engine that is compared, however long it takes: for pictures.
    pub(in crate::app) fn finish_compare(&mut self, ctx: &egui::Context) {
        self.follow_compare(ctx, Some(usize::MAX));
    }
}
