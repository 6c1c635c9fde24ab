//! Every `when_wrong` of our lessons can be reached, by the wrong turn that it speaks of: there is no
//! feedback that nobody can ever get.

mod lesson_support;

use std::collections::BTreeSet;

use lesson_support::lesson;
use mmuscope::lesson::{LANGUAGES, Session, library};
use mmuscope::scenario::{StepKind as Kind, read_steps};

/// Lesson, step and feedback (both from 0), and what a learner did.
const WRONG_TURNS: [(&str, usize, usize, &str); 38] = [
    ("one-table", 3, 0, r#"{"op":"poke","pa":"0x1004","val":"0xc00003","size":4}"#),
    ("one-table", 3, 1, r#"{"op":"poke","pa":"0x1004","val":"0xc00081","size":4}"#),
    ("one-table", 3, 2, r#"{"op":"poke","pa":"0x1004","val":"0xe00083","size":4}"#),
    ("one-table", 3, 3, r#"{"op":"poke","pa":"0x1004","val":"0x400083","size":4}"#),
    ("one-table", 5, 0, r#"{"op":"poke","pa":"0x1ff8","val":"0x83","size":4}"#),
    ("one-table", 5, 1, r#"{"op":"poke","pa":"0x1ffc","val":"0x3","size":4}"#),
    ("two-levels", 3, 0, r#"{"op":"poke","pa":"0x3010","val":"0x8003","size":4}"#),
    ("two-levels", 3, 1, r#"{"op":"poke","pa":"0x2010","val":"0x8007","size":4}"#),
    ("two-levels", 4, 0, r#"{"op":"poke","pa":"0x1800","val":"0x4003","size":4}"#),
    ("two-levels", 4, 1, r#"{"op":"poke","pa":"0x1800","val":"0x4005","size":4}"#),
    ("reading-a-fault", 4, 0, r#"{"op":"mov_cr0","val":"0x11"}"#),
    ("reading-a-fault", 5, 0, r#"{"op":"poke","pa":"0x2128","val":"0x8005","size":4}"#),
    ("reading-a-fault", 5, 1, r#"{"op":"poke","pa":"0x2120","val":"0x5007","size":4}"#),
    ("accessed-and-dirty", 3, 0, r#"{"op":"invlpg","va":"0x401abc"}"#),
    ("pae-and-nx", 1, 0, r#"{"op":"poke","pa":"0x3010","val":"0x7","size":4}"#),
    ("pae-and-nx", 1, 1, r#"{"op":"poke","pa":"0x3008","val":"0x100000007"}"#),
    ("pae-and-nx", 3, 0, r#"{"op":"mov_cr4","val":"0x30"}"#),
    ("pae-and-nx", 5, 0, r#"{"op":"poke","pa":"0x3018","val":"0x7007"}"#),
    ("pae-and-nx", 5, 1, r#"{"op":"poke","pa":"0x3020","val":"0x8007"}"#),
    ("four-registers", 4, 0, r#"{"op":"poke","pa":"0x3038","val":"0x9001"}"#),
    ("four-registers", 4, 1, r#"{"op":"poke","pa":"0x3038","val":"0x9007"},{"op":"mov_cr3","val":"0x3020"}"#),
    ("four-registers", 4, 2, r#"{"op":"poke","pa":"0x3018","val":"0x9001"},{"op":"mov_cr3","val":"0x3020"}"#),
    ("stale-registers", 3, 0, r#"{"op":"mov_cr3","val":"0x3000"}"#),
    ("stale-registers", 3, 1, r#"{"op":"invlpg","va":"0x41201abc"}"#),
    ("stale-registers", 5, 0, r#"{"op":"poke","pa":"0x3028","val":"0x0"}"#),
    ("stale-registers", 5, 1, r#"{"op":"poke","pa":"0x6048","val":"0x0"}"#),
    ("into-long-mode", 2, 0, r#"{"op":"wrmsr_efer","val":"0x0"},{"op":"mov_cr0","val":"0x80000011"}"#),
    ("into-long-mode", 6, 0, r#"{"op":"mov_cr0","val":"0x80000011"}"#),
    ("into-long-mode", 6, 1, r#"{"op":"mov_cr4","val":"0x0"},{"op":"mov_cr0","val":"0x80000011"}"#),
    ("why-shadow", 4, 0, r#"{"op":"invlpg","va":"0x0"},{"op":"invlpg","va":"0x1000"}"#),
    ("why-shadow", 5, 0, r#"{"op":"invlpg","va":"0x2000"},{"op":"poke","pa":"0x13010","val":"0x105007"}"#),
    ("shadow-cache", 4, 0, r#"{"op":"poke","pa":"0x13000","val":"0x0"},{"op":"invlpg","va":"0x0"}"#),
    ("shadow-cache", 4, 1, r#"{"op":"poke","pa":"0x13008","val":"0x0"},{"op":"invlpg","va":"0x1000"}"#),
    ("shadow-cache", 4, 2, r#"{"op":"poke","pa":"0x13100","val":"0x0"}"#),
    ("partial-page", 3, 0, r#"{"op":"mov_cr3","val":"0x105000"}"#),
    ("partial-page", 3, 1, r#"{"op":"poke","pa":"0x105018","val":"0x102001"},{"op":"mov_cr3","val":"0x105000"}"#),
    ("stale-by-right", 4, 0, r#"{"op":"mov_cr3","val":"0x10000"}"#),
    ("stale-by-right", 6, 0, r#"{"op":"invlpg","va":"0x1000"}"#),
];

#[test]
fn every_wrong_turn_gets_its_feedback() {
    for (id, index, which, steps) in WRONG_TURNS {
        let place = format!("{id}, step {index}, feedback {which}");
        let mut session = Session::open(lesson(id)).expect("a legal start");
        session.go(index).expect("a legal start");
        let steps = read_steps(&place, &format!("[{steps}]"), &session.lesson().start.cpu).expect("steps");
        for step in steps {
            let Kind::Command(command) = step.kind else { panic!("{place}: only commands") };
            session.run(command).unwrap_or_else(|refused| panic!("{place}: {refused}"));
        }
        for language in LANGUAGES {
            let judgement = session.judge(language);
            assert_eq!(judgement.met, Some(false), "{place}");
            let wanted = session.step().when_wrong[which].say.get(language);
            assert_eq!(judgement.feedback.as_deref(), Some(wanted), "{place}");
        }
        assert!(!session.record().steps[index].done, "{place}");
    }
}

#[test]
fn no_feedback_is_left_out() {
    let tried: BTreeSet<(&str, usize, usize)> = WRONG_TURNS.into_iter().map(|(id, i, k, _)| (id, i, k)).collect();
    for lesson in library() {
        for (i, step) in lesson.steps.iter().enumerate() {
            for k in 0..step.when_wrong.len() {
                assert!(tried.contains(&(lesson.id.as_str(), i, k)), "{}, step {i}, feedback {k}", lesson.id);
            }
        }
    }
}
