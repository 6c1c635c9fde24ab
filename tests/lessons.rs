//! The lessons: every one is right and can be played to its end, a broken copy is found out with the
//! reason, and hostile files do no harm.

mod lesson_support;

use lesson_support::{lesson, mutated, text_of};
use mmuscope::lesson::{
    Block, Hints, LANGUAGES, Lesson, Progress, Rule, Session, Span, StepKind, check_all, glossary, is_lesson,
    languages_of, library, parse,
};
use mmuscope::machine::Command;
use mmuscope::scenario::{StepKind as Kind, Text};
use serde_json::{Value, json};

#[test]
fn the_lessons_of_the_program_are_right() {
    let broken = check_all(library());
    assert!(broken.is_empty(), "{}", broken.iter().map(|b| format!("\n{b}")).collect::<String>());
    assert_eq!(library().len(), 12, "a lesson could not be read");
}

#[test]
fn every_lesson_has_what_was_promised() {
    for lesson in library() {
        let id = &lesson.id;
        assert!((5..=12).contains(&lesson.minutes), "{id} takes {} minutes", lesson.minutes);
        let kinds: Vec<StepKind> = lesson.steps.iter().map(|step| step.kind).collect();
        assert!(kinds.contains(&StepKind::Predict), "{id} asks for no prediction");
        assert!(kinds.contains(&StepKind::Change) || kinds.contains(&StepKind::Construct), "{id} gives nothing to do");
        assert_eq!(kinds.last(), Some(&StepKind::Present), "{id} does not end with what to look up");
        let last = &lesson.steps[lesson.steps.len() - 1].text;
        assert!(last.get("en").contains("SDM") || last.get("en").contains("Linux"), "{id} names no source");
        let mut languages: Vec<&str> = languages_of(&lesson.title).into_iter().map(|(language, _)| language).collect();
        languages.sort_unstable();
        assert_eq!(languages, LANGUAGES, "{id}");
    }
}

/// The tour of a first visit: five steps of the first lesson.
#[test]
fn the_first_lesson_begins_with_the_tour() {
    let tour = mmuscope::lesson::tour().expect("a tour");
    assert_eq!((tour.id.as_str(), tour.tour), (library()[0].id.as_str(), 5));
    assert_eq!(library().iter().filter(|lesson| lesson.tour > 0).count(), 1);
}

#[test]
fn the_place_of_an_answer_does_not_give_it_away() {
    let mut places = [0; 8];
    for lesson in library() {
        let right = |step: &mmuscope::lesson::LessonStep| step.choices.iter().position(|choice| choice.right);
        let found: Vec<usize> = lesson.steps.iter().filter_map(right).collect();
        found.iter().for_each(|place| places[*place] += 1);
        assert!(found.len() < 2 || found.iter().any(|place| *place != found[0]), "{}: {found:?}", lesson.id);
    }
    let most = places.iter().max().expect("places");
    assert!(most * 2 < places.iter().sum::<usize>(), "{places:?}");
}

#[test]
fn prerequisites_come_before_what_needs_them() {
    for (rank, lesson) in library().iter().enumerate() {
        for id in &lesson.after {
            let before = library().iter().position(|other| other.id == *id).expect("checked");
            assert!(before < rank, "{} stands before {id}", lesson.id);
            assert!(library()[before].level <= lesson.level, "{id} is harder than {}", lesson.id);
        }
    }
}

#[test]
fn a_term_is_explained_in_two_sentences_in_both_languages() {
    let english = |text: &str| text.split(' ').filter(|word| word.ends_with(['.', '!', '?'])).count();
    let chinese = |text: &str| text.matches(['。', '！', '？']).count();
    let mut terms = 0;
    for (id, term) in glossary().iter() {
        for language in LANGUAGES {
            let known: Vec<&str> = languages_of(&term.text).into_iter().map(|(language, _)| language).collect();
            assert!(known.contains(&language) && !term.term.get(language).is_empty(), "{id} in {language}");
        }
        assert_eq!(english(term.text.get("en")), 2, "{id}: {}", term.text.get("en"));
        assert_eq!(chinese(term.text.get("zh")), 2, "{id}: {}", term.text.get("zh"));
        terms += 1;
    }
    assert!(terms >= 50, "{terms} terms: the glossary was not read");
}

#[test]
fn every_term_of_the_glossary_is_used_as_a_chip_and_every_chip_is_in_the_glossary() {
    let mut used = std::collections::BTreeSet::new();
    for lesson in library() {
        for text in text_of(lesson) {
            for span in parse(&text).iter().flat_map(Block::spans) {
                if let Span::Term { id, .. } = span {
                    assert!(glossary().get(id).is_some(), "{}: `{id}`", lesson.id);
                    used.insert(id.clone());
                }
            }
        }
    }
    let unused: Vec<&str> = glossary().iter().map(|(id, _)| id).filter(|id| !used.contains(*id)).collect();
    assert!(unused.is_empty(), "no lesson uses {unused:?}");
}

/// Commands of a step's solution.
fn solution(session: &Session) -> Vec<Command> {
    let commands = session.step().solution.iter().filter_map(|step| match &step.kind {
        Kind::Command(command) => Some(command.clone()),
        _ => None,
    });
    commands.collect()
}

fn audit(session: &Session) {
    if let Err(broken) = session.current().lab.vm().audit() {
        panic!("{} step {}: {} {}", session.lesson().id, session.at() + 1, broken.invariant, broken.witness);
    }
}

fn play_step(session: &mut Session, language: &str) {
    let place = format!("{} step {}", session.lesson().id, session.at() + 1);
    match session.step().kind {
        StepKind::Predict => {
            let choices = session.step().choices.clone();
            for (i, choice) in choices.iter().enumerate().filter(|(_, choice)| !choice.right) {
                let chosen = session.choose(i, language).expect("a choice");
                assert!(!chosen.right && chosen.because == choice.because.get(language) && !chosen.because.is_empty());
                assert!(!session.record().steps[session.at()].done, "{place}: a wrong answer counts as done");
            }
            let right = choices.iter().position(|choice| choice.right).expect("checked");
            assert!(session.choose(right, language).expect("a choice").right, "{place}");
            assert!(session.choose(choices.len(), language).is_none());
            let wrong = choices.iter().position(|choice| !choice.right);
            assert_eq!(session.record().steps[session.at()].first_choice, wrong, "{place}");
            assert!(!session.play_solution().is_empty(), "{place}: nothing is shown");
        }
        StepKind::Watch => assert!(!session.play_solution().is_empty(), "{place}: nothing is shown"),
        StepKind::Change | StepKind::Construct => {
            let before = session.judge(language);
            assert_eq!(before.met, Some(false), "{place}");
            assert!(before.parts.iter().filter(|part| !part.met).all(|part| part.now.is_some()), "{place}");
            assert!(before.reached() < before.parts.len(), "{place}");
            for _ in 0..Hints::COUNT {
                assert!(session.take_hint(language).is_some(), "{place}");
            }
            assert!(session.take_hint(language).is_none(), "{place}");
            assert_eq!(session.hints(language).len(), Hints::COUNT);
            for command in solution(session) {
                session.run(command).unwrap_or_else(|refused| panic!("{place}: {refused}"));
                audit(session);
            }
            let after = session.judge(language);
            assert_eq!(after.met, Some(true), "{place}");
            assert_eq!(after.reached(), after.parts.len(), "{place}");
            assert_eq!(after.feedback, None, "{place}");
            let par = session.step().par.expect("checked");
            let best = session.record().steps[session.at()].best.expect("a score");
            assert!(best.within(par) && best.over(par) <= 0, "{place}");
        }
        StepKind::Present => {}
    }
    audit(session);
}

#[test]
fn every_lesson_can_be_played_to_its_end_in_both_languages() {
    for language in LANGUAGES {
        for lesson in library() {
            let mut session = Session::open(lesson.clone()).expect("a legal start");
            loop {
                play_step(&mut session, language);
                if session.is_last() {
                    session.finish_if_nothing_is_asked();
                    break;
                }
                session.forward().expect("a legal start");
            }
            assert!(session.finished(), "{}: {:?}", lesson.id, session.record());
        }
    }
}

#[test]
fn every_solution_can_be_shown_instead_of_found() {
    for lesson in library() {
        let mut session = Session::open(lesson.clone()).expect("a legal start");
        for index in 0..lesson.steps.len() {
            session.go(index).expect("a legal start");
            session.play_solution();
            let asks = matches!(session.step().kind, StepKind::Change | StepKind::Construct);
            let record = &session.record().steps[index];
            assert_eq!(record.solution_shown, asks, "{} step {}", lesson.id, index + 1);
            assert_eq!(record.best, None, "a shown solution is no score");
        }
    }
}

fn construct_step() -> Session {
    let mut session = Session::open(lesson("two-levels")).expect("a legal start");
    session.go(4).expect("a legal start");
    assert_eq!(session.step().kind, StepKind::Construct);
    session
}

#[test]
fn going_back_and_forth_loses_nothing() {
    let mut session = construct_step();
    let commands = solution(&session);
    session.run(commands[0].clone()).expect("allowed");
    let (hash, at) = (session.current().lab.state_hash(), session.current().lab.cursor());
    session.back().expect("legal");
    session.back().expect("legal");
    session.forward().expect("legal");
    session.forward().expect("legal");
    assert_eq!((session.current().lab.state_hash(), session.current().lab.cursor()), (hash, at));
    assert_eq!(session.judge("en").progress("en").as_deref(), Some("1 of 2"));
    assert_eq!(session.judge("zh").progress("zh").as_deref(), Some("1/2"));
}

#[test]
fn asking_for_the_goal_does_not_touch_the_machine() {
    let mut session = construct_step();
    session.run(solution(&session)[0].clone()).expect("allowed");
    let before = (session.current().lab.state_hash(), session.current().lab.len(), session.record().clone());
    for language in LANGUAGES {
        let _ = (session.judge(language), session.vm_for_texts());
    }
    assert_eq!(before, (session.current().lab.state_hash(), session.current().lab.len(), session.record().clone()));
}

#[test]
fn the_solution_becomes_a_branch_beside_the_learners_own_work() {
    let mut session = construct_step();
    let own = Command::Poke {
        pa: mmuscope::arch::Gpa(0x8000),
        val: mmuscope::arch::address::Num(1),
        size: mmuscope::machine::command::Size::WORD,
    };
    session.run(own.clone()).expect("allowed");
    session.play_solution();
    assert_eq!(session.judge("en").met, Some(true));
    let lab = &session.current().lab;
    assert_eq!(lab.branches().len(), 2);
    assert!(lab.commands().all(|command| *command != own), "the own command is on the other branch");
}

#[test]
fn a_command_in_the_past_of_the_step_is_carried_out_at_its_start() {
    let mut session = construct_step();
    let first = session.first_own_command();
    assert!(first > 0);
    session.current_mut().lab.seek(0);
    session.run(solution(&session)[0].clone()).expect("allowed");
    assert_eq!(session.current().lab.cursor(), first + 1);
}

#[test]
fn an_op_that_the_step_does_not_take_is_refused_in_words() {
    let mut session = construct_step();
    let hash = session.current().lab.state_hash();
    let refused = session.run(Command::Invlpg { va: mmuscope::arch::Gva(0) }).expect_err("not allowed");
    assert!(refused.to_string().contains("`invlpg`") && refused.to_string().contains("`poke`"), "{refused}");
    assert!(refused.say(mmuscope::language::Language::Zh).contains("`invlpg`"));
    assert_eq!(session.current().lab.state_hash(), hash);
}

#[test]
fn the_sandbox_allows_everything_and_the_way_back_is_open() {
    let mut session = construct_step();
    let inside = session.current().lab.state_hash();
    session.leave_to_sandbox();
    assert!(session.in_sandbox());
    session.run(Command::Invlpg { va: mmuscope::arch::Gva(0) }).expect("everything is allowed");
    let sandbox = session.current().lab.len();
    session.return_to_lesson();
    assert_eq!(session.current().lab.state_hash(), inside);
    assert!(!session.record().steps[session.at()].done);
    session.leave_to_sandbox();
    assert_eq!(session.current().lab.len(), sandbox, "the sandbox is as it was left");
}

#[test]
fn a_step_can_be_done_again_without_losing_what_was_reached() {
    let mut session = construct_step();
    for command in solution(&session) {
        session.run(command).expect("allowed");
    }
    session.take_hint("en");
    let best = session.record().steps[session.at()].best;
    session.redo().expect("legal");
    let record = &session.record().steps[session.at()];
    assert!(record.done && record.best == best && record.hints == 0);
    assert_eq!(session.judge("en").met, Some(false));
    assert_eq!(session.current().lab.cursor(), session.first_own_command());
}

#[test]
fn wrong_turns_are_named() {
    let mut session = Session::open(lesson("four-registers")).expect("a legal start");
    session.go(4).expect("legal");
    assert_eq!(session.judge("en").feedback, None);
    session.run(solution(&session)[0].clone()).expect("allowed");
    let feedback = session.judge("en").feedback.expect("memory is right, the register is not");
    assert!(feedback.contains("register"), "{feedback}");
    assert!(session.judge("zh").feedback.expect("the same").contains("寄存器"));
}

#[test]
fn live_values_count_from_the_start_of_the_step() {
    let mut session = Session::open(lesson("partial-page")).expect("a legal start");
    session.play_solution();
    let text = mmuscope::lesson::fill(
        parse(session.step().text.get("en")),
        &session.vm_for_texts(),
        mmuscope::language::Language::En,
    );
    let plain = mmuscope::lesson::plain(&text, str::to_owned);
    assert!(plain.contains("Exits so far in this step: 1."), "{plain}");
}

#[test]
fn progress_survives_export_import_and_reset() {
    let mut session = construct_step();
    for command in solution(&session) {
        session.run(command).expect("allowed");
    }
    let mut progress = Progress::default();
    progress.set("two-levels", session.record().clone());
    let text = progress.export();
    let mut other = Progress::default();
    let imported = other.import("progress.json", &text).expect("our own export");
    assert_eq!((imported.lessons, imported.newly_done), (1, 1));
    assert_eq!(other, progress);
    let again = Session::resume(lesson("two-levels"), other.get("two-levels").expect("kept").clone()).expect("legal");
    assert_eq!((again.at(), again.record()), (session.at(), session.record()));
    assert_eq!(other.import("progress.json", &text).expect("again").newly_done, 0);
    other.reset("two-levels");
    assert_eq!(other, Progress::default());
    for bad in
        ["", "[]", "{}", r#"{"format":"other/9","lessons":{}}"#, r#"{"format":"mmuscope-progress/1","lesons":{}}"#]
    {
        let before = progress.clone();
        let error = progress.import("progress.json", bad).expect_err("refused").to_string();
        assert!(error.starts_with("progress.json") && !error.contains('\n'), "{error}");
        assert_eq!(progress, before);
    }
}

#[test]
fn the_next_lesson_is_one_whose_prerequisites_are_done() {
    let mut progress = Progress::default();
    let first = progress.next(library()).expect("a lesson");
    assert!(first.after.is_empty());
    let needs = library().iter().find(|lesson| lesson.after.contains(&first.id)).expect("a second lesson");
    assert_eq!(progress.missing_before(needs, library()).len(), 1);
    let mut session = Session::open(first.clone()).expect("legal");
    for index in 0..first.steps.len() {
        session.go(index).expect("legal");
        play_step(&mut session, "en");
        session.finish_if_nothing_is_asked();
    }
    progress.set(&first.id, session.record().clone());
    assert!(progress.finished(first) && progress.missing_before(needs, library()).is_empty());
}

/// A lesson of one step that is right, to be broken.
fn small() -> Value {
    json!({
        "id": "small", "title": {"en": "T", "zh": "题"}, "summary": {"en": "S", "zh": "简"}, "level": 1, "minutes": 5,
        "start": {"init": {"cr0": "0x80010011", "cr3": "0x1000", "cr4": "0x10", "efer": "0x0"}},
        "steps": [
            {"kind": "change", "text": {"en": "Map it. [[tlb]] {{cr3}}", "zh": "映射它。"}, "allow": ["poke", "access"],
             "goal": {"access": {"va": "0x123", "kind": "r"}, "gives": {"pa": "0x400123"}},
             "goal_text": {"en": "0x123 reaches 0x400123", "zh": "0x123 到达 0x400123"},
             "hints": {"en": ["a", "b", "c"], "zh": ["一", "二", "三"]},
             "solution": [{"op": "poke", "pa": "0x1000", "val": "0x400083", "size": 4}],
             "par": {"writes": 1, "steps": 1},
             "when_wrong": [{"if": {"mem": "0x1000", "is": "0x400003"}, "say": {"en": "PS", "zh": "PS"}}]},
            {"kind": "predict", "text": {"en": "Q", "zh": "问"},
             "choices": [{"text": {"en": "A", "zh": "甲"}, "right": true, "because": {"en": "yes", "zh": "对"}},
                         {"text": {"en": "B", "zh": "乙"}, "because": {"en": "no", "zh": "错"}}],
             "solution": [{"op": "access", "va": "0x123", "kind": "r", "want": {"pa": "0x400123"}}]}
        ]
    })
}

fn check(value: &Value) -> Vec<(Rule, String)> {
    let lesson = Lesson::from_json("small.json", &value.to_string()).unwrap_or_else(|error| panic!("{error}"));
    check_all(&[lesson]).into_iter().map(|broken| (broken.rule, broken.to_string())).collect()
}

/// With one value replaced, this rule is the first that is broken (later steps build on earlier
/// ones), and the reason contains these words.
fn breaks(pointer: &str, value: Value, rule: Rule, words: &str) {
    let broken = check(&mutated(&small(), pointer, value));
    assert!(!broken.is_empty(), "{pointer}: {rule:?} was not found");
    assert_eq!(broken[0].0, rule, "{pointer}: {broken:?}");
    assert!(broken.iter().all(|(_, why)| !why.contains('\n') && why.starts_with("small")), "{broken:?}");
    assert!(broken.iter().any(|(_, why)| why.contains(words)), "{words:?} is missing in {broken:?}");
}

#[test]
fn the_small_lesson_is_right() {
    assert_eq!(check(&small()), []);
}

#[test]
fn a_broken_copy_fails_with_the_reason() {
    let poke = |val: &str| json!([{"op": "poke", "pa": "0x1000", "val": val, "size": 4}]);
    breaks("/level", json!(6), Rule::Range, "`level` is 6");
    breaks("/minutes", json!(0), Rule::Range, "`minutes` is 0");
    breaks("/title", json!("T"), Rule::Languages, "title is not in the language `zh`");
    breaks("/steps/0/text", json!({"en": "x"}), Rule::Languages, "steps[0].text");
    breaks("/steps/0/text/zh", json!("  "), Rule::Languages, "steps[0].text");
    breaks("/steps/0/hints", json!({"en": ["a", "b", "c"]}), Rule::Languages, "steps[0].hints");
    breaks("/steps/1/choices/1/because", json!({"zh": "错"}), Rule::Languages, "choices[1].because");
    breaks("/title/fr", json!("T"), Rule::Languages, "language `fr`");
    breaks("/steps/0/text/en", json!("{{cr5}}"), Rule::LiveValues, "did you mean `cr");
    breaks("/steps/0/hints/en/1", json!("{{pdpte.4}}"), Rule::LiveValues, "0 to 3");
    breaks("/steps/0/text/en", json!("[[tbl]]"), Rule::Terms, "did you mean `tlb`?");
    breaks("/steps/0/solution", poke("0x400003"), Rule::SolutionReachesGoal, "does not reach the goal");
    breaks("/steps/0/goal/gives", json!({"exc": "PF", "err": "0x0"}), Rule::GoalUnmetAtStart, "already holds");
    breaks("/steps/0/par", json!({"writes": 0, "steps": 1}), Rule::SolutionWithinPar, "more than its par");
    breaks("/steps/0/hints/en", json!(["a"]), Rule::HintCount, "3 hints");
    breaks("/steps/0/goal_text/en", json!("a\nb\nc"), Rule::GoalLines, "3 lines in `en`");
    breaks("/steps/0/when_wrong/0/if", json!({"mem": "0x1000", "is": "0x0"}), Rule::EarlyFeedback, "already holds");
    breaks("/steps/1/choices/0/right", json!(false), Rule::Kind, "one of them right, not 0");
    breaks("/steps/1/choices/1/right", json!(true), Rule::Kind, "not 2");
    breaks("/steps/1/solution/0/want", json!({"pa": "0x123"}), Rule::SolutionAsWanted, "wanted pa 0x123");
    breaks("/steps/1/solution", json!([{"op": "access", "va": "0x123", "kind": "r"}]), Rule::Kind, "does not judge");
    breaks("/steps/0/allow", json!(["access"]), Rule::SolutionAllowed, "`poke`");
    let dma = json!([{"op": "dma", "pa": "0x1000", "val": "0x400083", "size": 4}]);
    let mut no_control = small();
    (no_control["steps"][0]["solution"], no_control["steps"][0]["allow"]) = (dma, json!(["dma", "access"]));
    let broken = check(&no_control);
    assert!(broken[0].0 == Rule::Control && broken[0].1.contains("`dma`"), "{broken:?}");
    breaks("/tour", json!(1), Rule::Tour, "it is 2 to 2");
    breaks("/tour", json!(3), Rule::Tour, "`tour` is 3");
    breaks("/steps/0/kind", json!("predict"), Rule::Kind, "two or more choices");
    breaks("/steps/1/kind", json!("watch"), Rule::Kind, "only a `predict` step has choices");
    breaks("/steps/1/solution", json!([]), Rule::Kind, "nothing to see");
    breaks("/after", json!(["no-such-lesson"]), Rule::Prerequisite, "no such lesson");
    breaks("/after", json!(["small"]), Rule::Circle, "small → small");
    breaks(
        "/start/steps",
        json!([{"op": "access", "va": "0x0", "kind": "r", "want": {"pa": "0x0"}}]),
        Rule::Start,
        "wanted",
    );
}

#[test]
fn a_par_that_can_be_beaten_is_found_out() {
    let mut value = small();
    value["steps"][0]["solution"] = json!([
        {"op": "poke", "pa": "0x1000", "val": "0x400081", "size": 4},
        {"op": "poke", "pa": "0x1000", "val": "0x400083", "size": 4}
    ]);
    value["steps"][0]["par"] = json!({"writes": 2, "steps": 2});
    let broken = check(&value);
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!(broken[0].0, Rule::ParIsBest);
    assert!(broken[0].1.contains("1 writes and 1 steps: guest stores"), "{}", broken[0].1);
    value["steps"][0]["allow"] = json!(["poke", "access", "invlpg", "mov_cr3", "mov_cr4", "mov_cr0"]);
    assert_eq!(check(&value), [], "six kinds of op are not searched");
}

#[test]
fn missing_parts_of_a_step_to_do_are_named() {
    for (field, words) in
        [("goal", "`goal`"), ("solution", "`solution`"), ("par", "`par`"), ("goal_text", "`goal_text`")]
    {
        let mut value = small();
        value["steps"][0].as_object_mut().expect("an object").remove(field);
        let broken = check(&value);
        assert!(broken.iter().any(|(rule, why)| *rule == Rule::Kind && why.contains(words)), "{field}: {broken:?}");
    }
}

#[test]
fn lessons_of_one_name_and_circles_of_several_are_found() {
    let named = |id: &str, after: &str| {
        let mut value = small();
        (value["id"], value["after"]) = (json!(id), json!([after]));
        Lesson::from_json("x.json", &value.to_string()).expect("readable")
    };
    let broken = check_all(&[named("a", "b"), named("b", "c"), named("c", "a")]);
    assert_eq!(broken.len(), 3, "{broken:?}");
    assert!(broken.iter().all(|b| b.rule == Rule::Circle), "{broken:?}");
    assert!(broken[0].why.contains("a → b → c → a"), "{}", broken[0].why);
    let with_tour = |id: &str| {
        let mut value = small();
        (value["id"], value["tour"]) = (json!(id), json!(2));
        Lesson::from_json("x.json", &value.to_string()).expect("readable")
    };
    let broken = check_all(&[with_tour("a"), with_tour("b")]);
    assert_eq!(broken.iter().map(|b| (b.rule, b.lesson.as_str())).collect::<Vec<_>>(), [(Rule::Tour, "b")]);
    let broken = check_all(&[named("a", "one-table"), named("a", "one-table")]);
    assert_eq!(broken.iter().map(|b| b.rule).collect::<Vec<_>>(), [Rule::Twice]);
}

#[test]
fn a_start_may_be_named() {
    let mut value = small();
    value["start"] = json!("the-register-remembers");
    assert!(Lesson::from_json("x.json", &value.to_string()).is_ok());
    value["start"] = json!("the-register-remember");
    let error = Lesson::from_json("x.json", &value.to_string()).expect_err("unknown").to_string();
    assert!(error.contains("did you mean `the-register-remembers`?") && error.contains("(at start)"), "{error}");
}

#[test]
fn a_plain_text_is_english() {
    assert_eq!(languages_of(&Text::Plain("x".to_owned())), [("en", "x")]);
}

#[test]
fn the_example_of_the_guide_is_right() {
    let guide = include_str!("../docs/lesson.md");
    let (_, rest) = guide.split_once("```json\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let lesson = Lesson::from_json("my-lesson.json", example).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(check_all(&[lesson]), []);
}

#[test]
fn a_lesson_is_told_from_a_scenario() {
    assert!(is_lesson(&small().to_string()));
    assert!(!is_lesson(include_str!("../assets/scenarios/the-register-remembers.json")));
    assert!(!is_lesson("") && !is_lesson("[1]") && !is_lesson("{}"));
}

/// What a term is called in a language, the longest name first: names of one letter are left out, they
/// stand for too much else.
fn names(language: &str) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for (id, term) in glossary().iter() {
        let own = term.term.get(language);
        let latin = term.term.get("en").split(['(', ')', ' ']).filter(|name| !name.contains(char::is_lowercase));
        // `PDPTE register` is no PDPTE, in Chinese text neither.
        let whole = term.term.get("en");
        let whole = Some(whole).filter(|name| name.contains(' ') && name.starts_with(|c: char| c.is_ascii_uppercase()));
        for name in own.split(['（', '）', '(', ')', '，', ',']).map(str::trim).chain(latin).chain(whole) {
            if name.chars().count() > 1 {
                names.push((name.to_owned(), id.to_owned()));
            }
        }
    }
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names.dedup();
    names
}

/// The terms whose names a text says as words.
fn terms_in(text: &str, names: &[(String, String)]) -> Vec<String> {
    let mut rest = text.to_owned();
    let mut found = Vec::new();
    for (name, id) in names {
        let mut from = 0;
        while let Some(at) = rest[from..].find(name.as_str()).map(|at| from + at) {
            let end = at + name.len();
            from = end;
            let joins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '#');
            let (before, after) = (rest[..at].chars().next_back(), rest[end..].chars().next());
            let plural = after == Some('s') && !rest[end + 1..].starts_with(|c: char| c.is_ascii_alphanumeric());
            let word = !name.is_ascii()
                || !before.is_some_and(joins) && (plural || !after.is_some_and(|c| c != '.' && c != '#' && joins(c)));
            if word {
                // A longer name is not read as the shorter one within it.
                rest.replace_range(at..end, &" ".repeat(name.len()));
                found.push(id.clone());
            }
        }
    }
    found
}

/// The texts of a lesson whose chips can be pressed, as a learner comes upon them.
fn read_in_order<'a>(lesson: &'a Lesson, language: &'a str) -> Vec<&'a str> {
    let mut texts = Vec::new();
    for step in &lesson.steps {
        texts.push(step.text.get(language));
        texts.extend(step.choices.iter().map(|choice| choice.because.get(language)));
        texts.extend(step.hints.get(language).iter().map(String::as_str));
        texts.extend(step.when_wrong.iter().map(|wrong| wrong.say.get(language)));
    }
    texts
}

#[test]
fn a_term_is_a_chip_where_a_lesson_first_says_it() {
    let mut missing = Vec::new();
    for language in LANGUAGES {
        let names = names(language);
        for lesson in library() {
            let mut known = std::collections::BTreeSet::new();
            for text in read_in_order(lesson, language) {
                let blocks = parse(text);
                let spans = || blocks.iter().flat_map(Block::spans);
                known.extend(spans().filter_map(|span| match span {
                    Span::Term { id, .. } => Some(id.clone()),
                    _ => None,
                }));
                for span in spans() {
                    let Span::Plain(plain) = span else { continue };
                    let new = terms_in(plain, &names).into_iter().filter(|id| known.insert(id.clone()));
                    missing.extend(new.map(|id| format!("{} in {language}: {id} in `{plain}`", lesson.id)));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{} terms are said before their chip:\n{}", missing.len(), missing.join("\n"));
}

/// Chinese kernel writers read English: the English term stands in brackets where a lesson first says the
/// Chinese one.
#[test]
fn the_english_term_stands_beside_the_first_chinese_one() {
    let ideograph = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    let (mut missing, mut beside) = (Vec::new(), 0);
    for lesson in library() {
        let mut known = std::collections::BTreeSet::new();
        for text in read_in_order(lesson, "zh") {
            for block in parse(text) {
                let spans = block.spans();
                for (index, span) in spans.iter().enumerate() {
                    let Span::Term { id, shown } = span else { continue };
                    let name = shown.clone().unwrap_or_else(|| glossary().name(id, "zh").to_owned());
                    if !known.insert(id.clone())
                        || !name.contains(ideograph)
                        || name.starts_with(|c: char| c.is_ascii())
                    {
                        continue;
                    }
                    let after = match spans.get(index + 1) {
                        Some(Span::Plain(text)) => text.as_str(),
                        _ => "",
                    };
                    let english = after
                        .strip_prefix(['（', '，'])
                        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
                    beside += usize::from(english);
                    if !english {
                        missing.push(format!("{}: {name}{after}", lesson.id));
                    }
                }
            }
        }
    }
    assert!(missing.is_empty(), "no English term beside:\n{}", missing.join("\n"));
    assert!(beside > 80, "only {beside} terms were found");
}
