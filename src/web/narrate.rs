//! What changed since the last frame, for those who listen: events of commands, goals, progress, the
//! place that an address can name, and in words what a person who does not see the canvas needs.

use egui::accesskit::{Node, Role, Toggled};
use egui::{Context, Id};

use super::listeners::Message;
use crate::app::App;
use crate::language::Language;
use crate::lesson::{self, fill, glossary, parse, plain};
use crate::machine::Event;
use crate::tr;

/// Up to so many commands between two frames are told one by one; a longer jump along the timeline is
/// told by the command that it lands on.
const TOLD_AT_ONCE: usize = 16;

/// Which timeline is in front: a lesson's step, its sandbox, or (`None`) what is explored.
type Front = Option<(String, usize, bool)>;

/// What listeners know.
pub struct Told {
    front: Front,
    /// Commands before the cursor, and how many events of the last one are shown.
    at: (usize, usize),
    lesson: Option<LessonTold>,
    /// What the keyboard is on, and whether it is on or off.
    focus: Option<(Id, Option<Toggled>, String)>,
    /// What the screen says of the last wish.
    answer: Option<String>,
    /// What led to the state shown, in words.
    line: String,
}

/// What listeners know of a lesson.
#[derive(Clone, PartialEq, Eq)]
struct LessonTold {
    id: String,
    step: usize,
    met: bool,
    done: usize,
    choice: Option<usize>,
    hints: usize,
    feedback: Option<String>,
    language: Language,
}

impl Told {
    /// Of an app that was just opened, nothing but where it stands is known.
    #[must_use]
    pub fn at_start(app: &App, ctx: &Context) -> Self {
        Self { front: front(app), at: at(app), lesson: None, focus: None, answer: None, line: app.transcript_line(ctx) }
    }

    /// Everything up to here is known.
    pub fn skip(&mut self, app: &App) {
        (self.front, self.at) = (front(app), at(app));
    }

    /// The events that happened since the last call, as the cursor passed them.
    pub fn events(&mut self, app: &App) -> Vec<Event> {
        let (front, at) = (front(app), at(app));
        let (old_front, old) = (std::mem::replace(&mut self.front, front), std::mem::replace(&mut self.at, at));
        if old_front != self.front || at <= old {
            return Vec::new();
        }
        let lab = &app.session().lab;
        let ((from, shown_before), (to, shown)) = (old, at);
        let happened = &app.focus().events()[..shown];
        if from == to {
            return happened[shown_before..].to_vec();
        }
        if to - from > TOLD_AT_ONCE {
            return happened.to_vec();
        }
        // The rest of the command that was shown in part.
        let rest = lab.events_of(from).into_iter().skip(shown_before);
        let between = (from + 1..to).flat_map(|step| lab.events_of(step));
        rest.chain(between).chain(happened.iter().cloned()).collect()
    }

    /// What else is to be told.
    pub fn messages(&mut self, app: &App, ctx: &Context) -> Vec<Message> {
        let mut messages = Vec::new();
        let line = app.transcript_line(ctx);
        if line != self.line {
            messages.push(("say", line.clone()));
            self.line = line;
        }
        self.tell_of_lesson(app, &mut messages);
        let answer = answers(app);
        if answer != self.answer {
            messages.extend(answer.clone().map(|text| ("say", text)));
            self.answer = answer;
        }
        messages.extend(self.focus(ctx).map(|name| ("focus", name)));
        messages
    }

    /// The name of what has just got the keyboard or was switched there. What is typed into it is not told.
    fn focus(&mut self, ctx: &Context) -> Option<String> {
        let Some(id) = ctx.memory(|memory| memory.focused()) else {
            // Names cost a little in each pass: they are made while somebody uses the keyboard.
            ctx.disable_accesskit();
            return self.focus.take().map(|_| String::new());
        };
        let Some((state, name)) = ctx.accesskit_node_builder(id, |node| (node.toggled(), in_words(node))) else {
            ctx.enable_accesskit();
            ctx.request_repaint();
            return None;
        };
        let new = self.focus.as_ref().is_none_or(|(of, was, _)| (*of, *was) != (id, state));
        let told = new && self.focus.as_ref().is_none_or(|(_, _, old)| *old != name);
        if new {
            self.focus = Some((id, state, name.clone()));
        }
        told.then_some(name)
    }

    fn tell_of_lesson(&mut self, app: &App, messages: &mut Vec<Message>) {
        let now = app.lesson().map(|player| {
            let session = &player.session;
            let record = &session.record().steps[session.at()];
            LessonTold {
                id: session.lesson().id.clone(),
                step: session.at(),
                met: player.judgement.met == Some(true),
                done: session.record().done(),
                choice: record.choice,
                hints: record.hints,
                feedback: player.judgement.feedback.clone(),
                language: app.view().language,
            }
        });
        if now == self.lesson {
            return;
        }
        let before = std::mem::replace(&mut self.lesson, now.clone());
        let place = |told: &Option<LessonTold>| told.as_ref().map(|told| (told.id.clone(), told.step));
        if place(&before) != place(&now) {
            let link = now.as_ref().filter(|now| lesson::by_id(&now.id).is_some());
            messages.push(("place", link.map_or(String::new(), |now| lesson::link_to(&now.id, now.step))));
        }
        let Some(now) = now else { return };
        let before = before.filter(|before| before.id == now.id);
        if before.as_ref().is_none_or(|before| before.step != now.step || before.language != now.language) {
            messages.push(("say", step_in_words(app)));
        }
        let Some(before) = before else { return };
        if before.step == now.step {
            messages.extend(answers_in_words(app, &before, &now).map(|text| ("say", text)));
        }
        if now.met && !(before.met && before.step == now.step) {
            messages.push(("goal", format!(r#"{{"lesson":"{}","step":{}}}"#, now.id, now.step + 1)));
        }
        if now.done != before.done {
            messages.push(("progress", app.progress().export()));
        }
    }
}

/// What the screen says of the last wish, or of what cannot be kept.
fn answers(app: &App) -> Option<String> {
    let view = app.view();
    view.notice.clone().or_else(|| view.said.clone()).or_else(|| {
        let files = app.files();
        let offer =
            files.offer().map(|offer| tr!(view.language, "Restore it: {title}", title = offer.name(view.language)));
        offer.or_else(|| files.trouble().map(str::to_owned))
    })
}

fn front(app: &App) -> Front {
    let session = &app.lesson()?.session;
    Some((session.lesson().id.clone(), session.at(), session.in_sandbox()))
}

fn at(app: &App) -> (usize, usize) {
    (app.session().lab.cursor(), app.focus().shown())
}

/// A control in words: its name, what it holds, whether it is on.
fn in_words(node: &Node) -> String {
    let on = node.toggled().map(|on| if on == Toggled::True { "✓" } else { "–" }.to_owned());
    let number = node.numeric_value().filter(|_| node.role() != Role::TextInput).map(|number| number.to_string());
    let parts = [node.label().map(str::to_owned), node.value().map(str::to_owned), number, on];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// A text of the lesson in front without marks, with the machine's values in it.
fn words(app: &App, text: &str) -> String {
    let Some(player) = app.lesson() else { return String::new() };
    let language = app.view().language;
    plain(&fill(parse(text), &player.texts, language), |id| glossary().name(id, language.id()).to_owned())
}

/// What a step says: its place, its text and what it asks.
fn step_in_words(app: &App) -> String {
    let Some(player) = app.lesson() else { return String::new() };
    let (language, session) = (app.view().language, &player.session);
    let (step, all) = (session.step(), session.lesson().steps.len());
    let place = language.step(session.at() + 1, all, step.kind);
    let text = words(app, step.text.get(language.id()));
    let goal = step.goal.as_ref().map(|_| words(app, step.goal_text.get(language.id())));
    let goal = goal.filter(|goal| !goal.is_empty()).map(|goal| format!("{}: {goal}", tr!(language, "Goal")));
    [Some(place), Some(text), goal].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// What the lesson answers to what the learner did in the step in view.
fn answers_in_words(app: &App, before: &LessonTold, now: &LessonTold) -> impl Iterator<Item = String> + use<> {
    let language = now.language;
    let mut said = Vec::new();
    if let Some(player) = app.lesson() {
        let step = player.session.step();
        let choice = now.choice.filter(|_| now.choice != before.choice).and_then(|index| step.choices.get(index));
        if let Some(choice) = choice {
            let because = words(app, choice.because.get(language.id()));
            let verdict = if choice.right { tr!(language, "Right.") } else { tr!(language, "Not so.") };
            said.push(format!("{verdict} {because}"));
        }
        if now.hints > before.hints {
            said.extend(player.session.hints(language.id()).last().map(|hint| words(app, hint)));
        }
        if now.met && !before.met {
            said.push(tr!(language, "Reached.").to_owned());
        } else if now.feedback != before.feedback {
            said.extend(now.feedback.as_ref().map(|text| words(app, text)));
        }
    }
    said.into_iter()
}
