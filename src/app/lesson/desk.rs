//! What lies open: what somebody explores, and beside it the lessons, each where it was left. The
//! panels see one session, the one in view.

use std::ops::{Deref, DerefMut};

use crate::app::tables::{Structures, Table};
use crate::app::view::{Composer, Selection, Tab, ViewState};
use crate::arch::{AccessKind, pdpte};
use crate::engine::AnyVm;
use crate::lab::Lab;
use crate::lesson::{self, CannotRun, Focus, Judgement, Lesson, LessonRecord};
use crate::machine::Command;
use crate::scenario::{Predicate, Session, StartError, StepKind};

/// A lesson that is open.
#[derive(Clone, Debug)]
pub struct Player {
    /// Its steps and their machines.
    pub session: lesson::Session,
    /// How the step stands, and the machine as texts see it.
    pub judgement: Judgement,
    /// The machine as texts see it: costs count from the start of the step.
    pub texts: AnyVm,
    /// What was selected and opened in each step when it was left.
    views: Vec<Option<ViewState>>,
}

impl Player {
    fn open(lesson: Lesson, record: LessonRecord, language: &str) -> Result<Self, StartError> {
        let views = lesson.steps.iter().map(|_| None).collect();
        let session = lesson::Session::resume(lesson, record)?;
        let (judgement, texts) = (session.judge(language), session.vm_for_texts());
        Ok(Self { session, judgement, texts, views })
    }

    /// Brings what is kept beside the machine up to it.
    pub fn follow(&mut self, language: &str) {
        self.session.settle();
        self.judgement = self.session.judge(language);
        self.texts = self.session.vm_for_texts();
    }

    /// Keeps the view of the step that is left.
    pub fn keep_view(&mut self, view: &ViewState) {
        let at = self.session.at();
        self.views[at] = Some(view.clone());
    }

    /// Forgets the view of the step.
    pub fn forget_view(&mut self) {
        let at = self.session.at();
        self.views[at] = None;
    }

    /// The view of the step: as it was left, or with what the step is about selected.
    #[must_use]
    pub fn view(&self) -> ViewState {
        let kept = self.views[self.session.at()].clone();
        let view = kept.unwrap_or_else(|| {
            let session = self.session.current();
            let selection = self.selection().unwrap_or_default();
            let composer = self.access().unwrap_or_else(|| Composer::of(session));
            ViewState { selection, composer, ..ViewState::of(session) }
        });
        let screen = crate::app::view::Screen::Explore;
        ViewState { screen, tab: Tab::Lesson, page: crate::app::view::Page::Drawer, overlay: None, ..view }
    }

    /// What the step puts in the spotlight, as far as it can be selected.
    fn selection(&self) -> Option<Selection> {
        let lab = &self.session.current().lab;
        self.session.step().focus.iter().find_map(|focus| match *focus {
            Focus::Entry(gpa) => Some(Selection::Entry { level: level_of(lab, gpa.0 & !0xfff), gpa }),
            Focus::Table(base) => Some(Selection::Table { level: level_of(lab, base.0), base }),
            Focus::Pdpte(index) => Some(Selection::PdpteRegister(usize::from(index))),
            Focus::Frame(base) => Some(Selection::Page(base.gfn())),
            Focus::Place(_) | Focus::Address(_) => None,
        })
    }

    /// A read of the address that the step puts in the spotlight, by whom its solution begins with.
    fn looked_at(&self) -> Option<Composer> {
        let step = self.session.step();
        let va = step.focus.iter().find_map(|focus| match *focus {
            Focus::Address(va) => Some(va),
            _ => None,
        })?;
        let first = step.solution.iter().find_map(|step| match &step.kind {
            StepKind::Command(command) => composer(command),
            _ => None,
        });
        let user = first.is_none_or(|first| first.user);
        Some(Composer { va, user, kind: AccessKind::Read, ac: false })
    }

    /// The access that the step is about: the goal's, or the last of its solution. Of a prediction
    /// the last that was given before: the stage tells how the composed one would end.
    fn access(&self) -> Option<Composer> {
        let step = self.session.step();
        if step.kind == lesson::StepKind::Predict {
            let given: Vec<&Command> = self.session.current().lab.commands().collect();
            return given.into_iter().rev().find_map(composer).or_else(|| self.looked_at());
        }
        let in_solution = || {
            let commands = step.solution.iter().rev().filter_map(|step| match &step.kind {
                StepKind::Command(command) => Some(command),
                _ => None,
            });
            commands.into_iter().find_map(composer)
        };
        let asked = step.goal.as_ref().and_then(access_of).or_else(in_solution);
        let address = step.focus.iter().find_map(|focus| match *focus {
            Focus::Address(va) => Some(va),
            _ => None,
        });
        match (asked, address) {
            (Some(asked), _) => Some(asked),
            (None, Some(va)) => Some(Composer { va, ..Composer::of(self.session.current()) }),
            (None, None) => None,
        }
    }
}

/// The level of the table that begins there: as walks from CR3 find it, or walks from a CR3 that was
/// loaded before (another process's table). Of a place that is no table yet, the root's.
fn level_of(lab: &Lab, base: u64) -> u8 {
    let machine = lab.machine();
    let is_it = |table: &&Table| table.base.0 & !0xfff == base & !0xfff;
    let found = Structures::of(machine, &machine.cpu.pdptes);
    let now = found.tables();
    if let Some(found) = now.iter().find(is_it) {
        return found.level;
    }
    let given: Vec<&Command> = lab.commands().take(lab.cursor()).collect();
    let mut roots: Vec<u64> = Vec::new();
    for command in given.into_iter().rev() {
        if let Command::MovCr3 { val, .. } = command
            && !roots.contains(&val.0)
        {
            roots.push(val.0);
        }
    }
    let start = lab.start().machine().cpu.regs.cr3;
    if !roots.contains(&start) {
        roots.push(start);
    }
    let from_root = |cr3: u64| Structures::from_root(machine, cr3).tables().iter().find(is_it).map(|table| table.level);
    let before = roots.into_iter().find_map(from_root);
    before.or(now.first().map(|table| table.level)).unwrap_or(pdpte::LEVEL.0)
}

fn composer(command: &Command) -> Option<Composer> {
    let (va, access) = command.access()?;
    Some(Composer { va, kind: access.kind, user: access.user, ac: access.ac })
}

fn access_of(goal: &Predicate) -> Option<Composer> {
    match goal {
        Predicate::Access(command, _) => composer(command),
        Predicate::All(parts) | Predicate::Any(parts) => parts.iter().find_map(access_of),
        _ => None,
    }
}

/// Everything that is open. It stands for the session in view.
#[derive(Clone, Debug)]
pub struct Desk {
    explored: Session,
    /// The explorer's view, while a lesson is in front.
    explored_view: Option<ViewState>,
    players: Vec<Player>,
    in_front: Option<usize>,
}

impl Deref for Desk {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.player().map_or(&self.explored, |player| player.session.current())
    }
}

impl DerefMut for Desk {
    fn deref_mut(&mut self) -> &mut Session {
        match self.in_front {
            Some(index) => self.players[index].session.current_mut(),
            None => &mut self.explored,
        }
    }
}

impl Desk {
    /// A desk with something to explore.
    #[must_use]
    pub const fn new(explored: Session) -> Self {
        Self { explored, explored_view: None, players: Vec::new(), in_front: None }
    }

    /// The lesson in front.
    #[must_use]
    pub fn player(&self) -> Option<&Player> {
        self.in_front.map(|index| &self.players[index])
    }

    /// The lesson in front.
    pub fn player_mut(&mut self) -> Option<&mut Player> {
        self.in_front.map(|index| &mut self.players[index])
    }

    /// The lessons that are open, in front or not.
    pub fn players(&self) -> impl Iterator<Item = &Player> {
        self.players.iter()
    }

    /// Puts something to explore in front, in place of what was explored, which is returned.
    pub fn explore(&mut self, session: Session) -> Session {
        (self.explored_view, self.in_front) = (None, None);
        std::mem::replace(&mut self.explored, session)
    }

    /// What is explored, in front or not.
    #[must_use]
    pub const fn explored(&self) -> &Session {
        &self.explored
    }

    /// How it was viewed, while a lesson is in front.
    #[must_use]
    pub const fn explored_view(&self) -> Option<&ViewState> {
        self.explored_view.as_ref()
    }

    /// Puts the lesson aside; returns how what was explored was viewed.
    pub fn put_aside(&mut self) -> Option<ViewState> {
        self.in_front = None;
        self.explored_view.take()
    }

    /// Opens a lesson, or puts it in front if it is open. `view` is that of what was in front.
    ///
    /// # Errors
    /// [`StartError`]; what was in front stays there.
    pub fn play(
        &mut self,
        lesson: &Lesson,
        record: Option<&LessonRecord>,
        view: &ViewState,
        language: &str,
    ) -> Result<(), StartError> {
        let open = self.players.iter().position(|player| player.session.lesson().id == lesson.id);
        let index = match open {
            Some(index) => index,
            None => {
                self.players.push(Player::open(lesson.clone(), record.cloned().unwrap_or_default(), language)?);
                self.players.len() - 1
            }
        };
        match self.player_mut() {
            Some(player) => player.keep_view(view),
            None => self.explored_view = Some(view.clone()),
        }
        self.in_front = Some(index);
        Ok(())
    }

    /// Closes lessons; without an id all of them. Returns whether the one in front was among them.
    pub fn close(&mut self, id: Option<&str>) -> bool {
        let front = self.player().map(|player| player.session.lesson().id.clone());
        self.players.retain(|player| id.is_some_and(|id| player.session.lesson().id != id));
        let place = |front: &String| self.players.iter().position(|player| player.session.lesson().id == *front);
        self.in_front = front.as_ref().and_then(place);
        front.is_some() && self.in_front.is_none()
    }

    /// Tells the open lessons what an import brought.
    pub fn learn_of<'a>(&mut self, record: impl Fn(&str) -> Option<&'a LessonRecord>) {
        for player in &mut self.players {
            if let Some(record) = record(&player.session.lesson().id.clone()) {
                player.session.learn_of(record);
            }
        }
    }

    /// Asks whether commands may be given to what is in front.
    ///
    /// # Errors
    /// [`CannotRun`].
    pub fn admit(&mut self, commands: &[Command]) -> Result<(), CannotRun> {
        self.player_mut().map_or(Ok(()), |player| player.session.admit(commands))
    }

    /// A link to the step in view, where the program carries its lesson.
    #[must_use]
    pub fn link_to_step(&self) -> Option<String> {
        let session = &self.player()?.session;
        let known = lesson::by_id(&session.lesson().id).is_some() && !session.in_sandbox();
        known.then(|| lesson::link_to(&session.lesson().id, session.at()))
    }

    /// Whether the step of a lesson says which engine and caches there are.
    #[must_use]
    pub fn machine_is_set(&self) -> bool {
        self.player().is_some_and(|player| !player.session.in_sandbox())
    }
}
