//! What the views asked for is done here, and nowhere else.

use super::App;
use super::comparison::Comparison;
use super::focus::{self, Wanted};
use super::history::{History, run_until_refused};
use super::theme;
use super::time::motion::Way;
use super::time::undo::What;
use super::time::{TimeWish, no_exit, no_stop};
use super::view::{AppCommand, Focus, Pan, Screen, Selection, Tab, ViewState};
use crate::engine::EngineName;
use crate::lab::mode_switch;
use crate::machine::{Caches, Command};
use crate::scenario::{self, Session};
use crate::tr;

impl App {
    /// Does what the views of the last pass asked for.
    pub fn apply(&mut self, ctx: &egui::Context) {
        let wishes = self.tx.take();
        if !wishes.is_empty() {
            self.touch();
        }
        for wish in wishes {
            (self.view.notice, self.view.said) = (None, None);
            self.interrupt(&wish);
            let way = match wish {
                AppCommand::Step | AppCommand::Run(_) | AppCommand::RunAll(_) | AppCommand::Access => Way::Step,
                AppCommand::SwitchMode(_) => Way::Step,
                AppCommand::StepBack => Way::StepBack,
                AppCommand::MicroStep | AppCommand::AccessStep => Way::MicroStep,
                AppCommand::MicroBack => Way::MicroBack,
                _ => Way::Jump,
            };
            if changes_what_is_shown(&wish) {
                self.moved(way, |app| app.apply_one(ctx, wish));
            } else {
                self.apply_one(ctx, wish);
            }
        }
        self.receive(ctx);
        self.go_on(ctx);
        self.follow_compare(ctx, None);
    }

    fn apply_one(&mut self, ctx: &egui::Context, wish: AppCommand) {
        match wish {
            AppCommand::Run(command) => self.run(vec![command]),
            AppCommand::RunAll(commands) => self.run(commands),
            AppCommand::SwitchMode(mode) => {
                // The plan is for the machine that it will be carried out on.
                if self.session.admit(&[]).is_ok() {
                    self.run(mode_switch::plan(&self.session.lab.machine().cpu, mode));
                }
            }
            AppCommand::Lesson(wish) => self.apply_lesson(ctx, wish),
            AppCommand::Time(wish) => self.apply_time(ctx, wish),
            AppCommand::Compose(composer) => self.compose(composer),
            AppCommand::Compare(wish) => self.apply_compare(wish),
            AppCommand::Files(wish) => self.apply_files(ctx, wish),
            AppCommand::Export(kind) => self.export(ctx, kind),
            AppCommand::Access => self.run(vec![self.view.composer.command()]),
            AppCommand::AccessStep => self.access_step(),
            AppCommand::SetEngine(engine) => self.replay_on(engine, self.session.caches()),
            AppCommand::SetCaches(caches) => self.replay_on(self.session.engine(), caches),
            AppCommand::SwitchBranch(tip) => {
                self.session.lab.switch_to(tip);
                self.lab_changed();
            }
            AppCommand::Seek(_)
            | AppCommand::ShowEvents(_)
            | AppCommand::Step
            | AppCommand::StepBack
            | AppCommand::MicroStep
            | AppCommand::MicroBack
            | AppCommand::NextFault
            | AppCommand::NextExit
            | AppCommand::NextBookmark
            | AppCommand::ToStart
            | AppCommand::ToEnd => self.travel(&wish),
            AppCommand::ToggleBookmark => {
                let lab = &self.session.lab;
                let here = lab.node(lab.cursor());
                self.apply_time(ctx, TimeWish::ToggleBookmark(here));
            }
            AppCommand::OpenPreset(id) => self.open_preset(&id),
            AppCommand::CopyLink => self.copy_link(ctx),
            AppCommand::OpenFull => self.open_full(ctx),
            AppCommand::SetTheme(theme) => {
                self.view.theme = Some(theme);
                theme::choose(ctx, Some(theme));
            }
            AppCommand::SetLanguage(language) => self.speak(language),
            AppCommand::SetTextScale(scale) => {
                self.view.text_scale = scale;
                ctx.set_zoom_factor(scale);
                // The pass after the one that takes it over.
                ctx.request_repaint();
            }
            AppCommand::EditEntry => {
                change_view(&mut self.view, AppCommand::OpenTab(Tab::Inspect));
                focus::ask(ctx, Wanted::Bits);
            }
            AppCommand::GoToZone(zone) => focus::ask(ctx, Wanted::Zone(zone)),
            other => change_view(&mut self.view, other),
        }
    }

    /// Gives commands to the machine, up to the first that is refused.
    fn run(&mut self, commands: Vec<Command>) {
        if let Some(wrong) = commands.iter().find_map(|c| c.check(&self.session.scenario.cpu).err()) {
            self.view.notice = Some(wrong.say(self.view.language));
            return;
        }
        let refused = self.as_edit(|app| {
            let admitted = app.session.admit(&commands);
            admitted.map(|()| run_until_refused(&mut app.session.lab, commands)).err()
        });
        if let Some(reason) = refused {
            self.view.notice = Some(reason.say(self.view.language));
            return;
        }
        self.lab_changed();
        self.shake_if_refused();
    }

    /// The composer's access, event by event: the first press gives it, further ones go on in it.
    fn access_step(&mut self) {
        let lab = &self.session.lab;
        let inside = self.focus.shown() < self.focus.events().len();
        if inside && lab.command(lab.cursor()) == Some(&self.view.composer.command()) {
            self.travel(&AppCommand::MicroStep);
        } else {
            self.run(vec![self.view.composer.command()]);
            self.focus.show(1);
        }
    }

    fn open_preset(&mut self, id: &str) {
        let Some(preset) = scenario::preset(id) else { return };
        let opened = preset.scenario().map_err(|error| error.to_string());
        match opened.and_then(|scenario| Session::open(scenario).map_err(|error| error.say(self.view.language))) {
            Ok(session) => self.open(session),
            Err(reason) => self.view.notice = Some(reason),
        }
    }

    fn copy_link(&mut self, ctx: &egui::Context) {
        if let Some(link) = self.session.link_to_step() {
            self.view.said = Some(tr!(self.view.language, "A link to this step is on the clipboard").to_owned());
            ctx.copy_text(link);
            return;
        }
        match self.link() {
            Ok(link) => {
                self.view.said = Some(tr!(
                    self.view.language,
                    "A link of {count} characters is on the clipboard",
                    count = link.len()
                ));
                ctx.copy_text(link);
            }
            Err(reason) => self.view.notice = Some(reason.say(self.view.language)),
        }
    }

    /// The same commands on another machine.
    fn replay_on(&mut self, engine: EngineName, caches: Caches) {
        if self.session.machine_is_set() {
            self.view.notice = Some(
                tr!(
                    self.view.language,
                    "This step says which engine and caches it runs on. In the sandbox you can choose others."
                )
                .to_owned(),
            );
            return;
        }
        let (other, before) = ((self.session.config(), self.session.caches()), self.session.lab.place());
        if (other.0.name, other.1) == (engine, caches) {
            return;
        }
        match self.session.replay_on(engine, caches) {
            Ok(()) => {
                self.remember(What::Machine { other }, before);
                self.start_changed();
            }
            Err(reason) => self.view.notice = Some(reason.say(self.view.language)),
        }
    }

    /// Moves in time; the machine's commands stay as they are.
    pub(super) fn travel(&mut self, wish: &AppCommand) {
        let (cursor, len) = (self.session.lab.cursor(), self.session.lab.len());
        let (shown, all) = (self.focus.shown(), self.focus.events().len());
        // What a command does that is shown in the middle may lie ahead still.
        let begun = cursor.saturating_sub(usize::from(shown < all));
        match *wish {
            AppCommand::Seek(step) => self.seek(step),
            AppCommand::ShowEvents(count) => self.focus.show(count),
            AppCommand::Step if shown < all => self.focus.show(all),
            AppCommand::Step => self.seek(cursor + 1),
            AppCommand::StepBack => self.seek(cursor.saturating_sub(1)),
            AppCommand::MicroStep if shown < all => self.focus.show(shown + 1),
            AppCommand::MicroStep if cursor < len => {
                self.seek(cursor + 1);
                self.focus.show(1);
            }
            AppCommand::MicroBack if shown > 1 => self.focus.show(shown - 1),
            AppCommand::MicroBack => self.seek(cursor.saturating_sub(1)),
            AppCommand::NextFault => self.seek_if_there(self.history.next_stop(begun), no_stop),
            AppCommand::NextExit => self.seek_if_there(self.history.next_exit(begun), no_exit),
            AppCommand::NextBookmark => self.next_bookmark(),
            AppCommand::ToStart => self.seek(0),
            AppCommand::ToEnd => self.seek(len),
            _ => {}
        }
    }

    pub(super) fn seek(&mut self, step: usize) {
        if step.min(self.session.lab.len()) == self.session.lab.cursor() {
            self.focus.show(usize::MAX);
            return;
        }
        self.session.lab.seek(step);
        self.lab_changed();
    }

    /// Brings what is kept beside the lab up to it.
    pub(super) fn lab_changed(&mut self) {
        self.follow_lesson();
        self.history.follow(&self.session);
        self.comparison.follow(&self.session);
        self.focus = Focus::at_cursor(&self.session.lab);
        self.explanations.clear();
    }

    /// Makes anew what is kept beside the lab: time begins in another state.
    pub(super) fn start_changed(&mut self) {
        (self.history, self.comparison) = (History::default(), Comparison::default());
        self.runs = super::compare::Runs::default();
        self.lab_changed();
    }
}

/// Whether a wish may show another state, or a state anew.
const fn changes_what_is_shown(wish: &AppCommand) -> bool {
    !matches!(
        wish,
        AppCommand::Compose(_)
            | AppCommand::Select(_)
            | AppCommand::OpenTab(_)
            | AppCommand::EditEntry
            | AppCommand::GoToZone(_)
            | AppCommand::OpenPage(_)
            | AppCommand::ToggleFull(_)
            | AppCommand::ToggleFullLower(_)
            | AppCommand::Zoom(_)
            | AppCommand::Pan(..)
            | AppCommand::Show(_)
            | AppCommand::SetTheme(_)
            | AppCommand::SetTextScale(_)
            | AppCommand::SetSides(_)
            | AppCommand::Notice(_)
            | AppCommand::Said(_)
            | AppCommand::Overlay(_)
            | AppCommand::Time(TimeWish::Speed(_) | TimeWish::Motion(_) | TimeWish::Rename(_) | TimeWish::Name(..))
    )
}

/// Changes that the machine does not feel.
fn change_view(view: &mut ViewState, wish: AppCommand) {
    match wish {
        AppCommand::Select(selection) => {
            view.selection = selection;
            if selection != Selection::None {
                view.tab = Tab::Inspect;
            }
        }
        AppCommand::Show(screen) => view.screen = screen,
        AppCommand::OpenTab(tab) => (view.tab, view.screen) = (tab, Screen::Explore),
        AppCommand::SetDepth(depth) => view.depth = depth,
        AppCommand::SetSides(sides) => view.sides = sides,
        AppCommand::OpenPage(page) => view.page = page,
        AppCommand::ToggleFull(base) => toggle(&mut view.full, base),
        AppCommand::ToggleFullLower(table) => toggle(&mut view.full_lower, table),
        AppCommand::Zoom(zoom) => view.zoom = zoom.clamp(0.1, 4.0),
        AppCommand::Pan(across, down) => view.pan = Pan { count: view.pan.count + 1, across, down },
        AppCommand::Notice(text) => view.notice = Some(text),
        AppCommand::Said(text) => view.said = Some(text),
        AppCommand::Overlay(overlay) => view.overlay = overlay,
        _ => {}
    }
}

/// Puts something into a list, or takes it out.
fn toggle<T: PartialEq>(list: &mut Vec<T>, thing: T) {
    match list.iter().position(|other| *other == thing) {
        Some(at) => {
            list.remove(at);
        }
        None => list.push(thing),
    }
}
