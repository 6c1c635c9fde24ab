//! `mmuscope lesson`: what lessons there are, and whether a lesson is right.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{CliError, Held, language_arg, output};
use crate::explain;
use crate::language::Language;
use crate::lesson::{self, Lesson, LessonStep, Session, check_all, glossary, library};
use crate::names::nearest;
use crate::scenario::StepKind;
use crate::tr;

/// Arguments of `lesson`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(clap::Subcommand)]
enum Subcommands {
    /// List the lessons: level, minutes, title, what to do first
    List {
        /// Language of the titles
        #[arg(long, value_name = "L", default_value = "en", value_parser = language_arg())]
        lang: Language,
    },
    /// Tell a lesson as text, answers and solutions included
    Show {
        /// Id of a lesson of the program, or a lesson file
        lesson: String,

        /// Language of the texts
        #[arg(long, value_name = "L", default_value = "en", value_parser = language_arg())]
        lang: Language,
    },
    /// Check lessons: goals, solutions, pars, languages, prerequisites
    #[command(after_help = "\
Exit status: 0 every lesson is right, 1 one breaks a rule (each is named with its reason), 2 a file cannot be read.

Examples:
  mmuscope lesson check                  the lessons of the program
  mmuscope lesson check my-lesson.json
  mmuscope lesson check lessons/         every .json file of a folder")]
    Check {
        /// Lesson files or folders; the lessons of the program where there is none
        paths: Vec<PathBuf>,
    },
}

/// Runs the subcommand.
pub fn run(args: &Args) -> Result<Held, CliError> {
    match &args.command {
        Subcommands::List { lang } => list(*lang),
        Subcommands::Show { lesson, lang } => show(lesson, *lang),
        Subcommands::Check { paths } => check(paths),
    }
}

/// Tells a lesson in English.
pub(super) fn tell_in_english(lesson: Lesson) -> Result<(), CliError> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    tell(&mut out, lesson, Language::En)?;
    Ok(out.flush()?)
}

fn list(language: Language) -> Result<Held, CliError> {
    let mut out = anstream::stdout().lock();
    let longest = library().iter().map(|lesson| lesson.id.len()).max().unwrap_or(0);
    for lesson in library() {
        let Lesson { id, level, minutes, .. } = lesson;
        let after = match lesson.after.join(tr!(language, ", ")) {
            before if before.is_empty() => before,
            before => format!("  ({})", tr!(language, "after {numbers}", numbers = before)),
        };
        let title = lesson.title.get(language.id());
        let level = tr!(language, "Level {level}", level = level);
        let minutes = tr!(language, "{minutes} min", minutes = format!("{minutes:>2}"));
        writeln!(out, "{level}  {minutes}  {id:<longest$}  {title}{after}")?;
    }
    Ok(Held::Yes)
}

fn show(name: &str, language: Language) -> Result<Held, CliError> {
    let lesson = match lesson::by_id(name) {
        Some(lesson) => lesson.clone(),
        None if !Path::new(name).exists() && Path::new(name).extension().is_none() => {
            let known = library().iter().map(|lesson| lesson.id.as_str());
            let what = nearest("lesson", name, known);
            return Err(CliError::Usage(format!("{what} (`mmuscope lesson list` lists them)")));
        }
        None => lesson::read_file(Path::new(name))?,
    };
    let mut out = BufWriter::new(anstream::stdout().lock());
    tell(&mut out, lesson, language)?;
    out.flush()?;
    Ok(Held::Yes)
}

/// A lesson as text: each step with its answers, and what its solution does.
fn tell(out: &mut impl Write, lesson: Lesson, language: Language) -> Result<(), CliError> {
    let all = lesson.steps.len();
    let title = lesson.title.get(language.id()).to_owned();
    writeln!(out, "{}{title}{}\n{}", output::BOLD, output::RESET, lesson.summary.get(language.id()))?;
    let mut session = Session::open(lesson).map_err(|error| CliError::Usage(error.to_string()))?;
    for index in 0..all {
        session.go(index).map_err(|error| CliError::Usage(error.to_string()))?;
        let step = session.step();
        let kind = step.kind.word(language);
        writeln!(out, "\n{}{}/{all}  {kind}{}", output::BOLD, index + 1, output::RESET)?;
        let text = lesson::fill(lesson::parse(step.text.get(language.id())), &session.vm_for_texts(), language);
        writeln!(out, "{}", plain(&text, language))?;
        questions(out, step, language)?;
        solution(out, &session, language)?;
    }
    Ok(())
}

fn plain(text: &[lesson::Block], language: Language) -> String {
    lesson::plain(text, |id| glossary().name(id, language.id()).to_owned())
}

fn questions(out: &mut impl Write, step: &LessonStep, language: Language) -> Result<(), CliError> {
    let read = |text: &str| plain(&lesson::parse(text), language);
    for choice in &step.choices {
        let mark = if choice.right { "●" } else { "○" };
        writeln!(out, "  {mark} {}", read(choice.text.get(language.id())))?;
        writeln!(out, "      {}", read(choice.because.get(language.id())))?;
    }
    for line in step.goal_text.get(language.id()).lines() {
        writeln!(out, "  → {line}")?;
    }
    for (number, hint) in step.hints.get(language.id()).iter().enumerate() {
        writeln!(out, "  {}. {}", number + 1, read(hint))?;
    }
    for wrong in &step.when_wrong {
        writeln!(out, "  ! {}", read(wrong.say.get(language.id())))?;
    }
    Ok(())
}

fn solution(out: &mut impl Write, session: &Session, language: Language) -> Result<(), CliError> {
    let mut lab = session.current().lab.clone();
    for step in &session.step().solution {
        let StepKind::Command(command) = &step.kind else { continue };
        writeln!(out, "     {}", explain::command(command, language))?;
        for event in lab.execute(command.clone()) {
            let line = explain::event(&event, lab.vm().config().name, language);
            writeln!(out, "       {}{} {}{}", output::DIM, explain::padded(line.label, 10), line.text, output::RESET)?;
        }
    }
    Ok(())
}

fn check(paths: &[PathBuf]) -> Result<Held, CliError> {
    let mut lessons = Vec::new();
    if paths.is_empty() {
        lessons.extend(library().iter().cloned());
    }
    for path in paths {
        for file in files(path)? {
            lessons.push(lesson::read_file(&file)?);
        }
    }
    let broken = check_all(&lessons);
    let mut out = anstream::stdout().lock();
    for broken in &broken {
        writeln!(out, "{}FAILED{} {broken}", output::BAD, output::RESET)?;
    }
    let failed = lessons.iter().filter(|lesson| broken.iter().any(|b| b.lesson == lesson.id)).count();
    let steps: usize = lessons.iter().map(|lesson| lesson.steps.len()).sum();
    let plural = if lessons.len() == 1 { "" } else { "s" };
    writeln!(out, "{} lesson{plural}, {steps} steps, {failed} failed", lessons.len())?;
    Ok(if broken.is_empty() { Held::Yes } else { Held::No })
}

/// The file itself, or the `.json` files of a folder by name.
fn files(path: &Path) -> Result<Vec<PathBuf>, CliError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |error| CliError::Usage(format!("{} cannot be read: {error}", path.display()));
    let entries = std::fs::read_dir(path).map_err(unreadable)?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(CliError::Usage(format!("{} has no .json file", path.display())));
    }
    Ok(files)
}
