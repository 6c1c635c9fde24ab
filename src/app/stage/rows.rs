//! The rows of a table card: 512 or 1024 entries folded into what is worth a line.
//!
//! Identical neighbours become one run ("11–511 not present"). What is walked, selected or changed
//! stays open, with its neighbours if there is room; when there is none, more is folded, never cut.

use std::ops::RangeInclusive;

use crate::arch::entry::{self, P, RW, US, XD};
use crate::language::Language;
use crate::tr;

/// What an entry does, as far as folding is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// P = 0.
    NotPresent,
    /// It leads to a table or page with these rights of its own.
    Present {
        /// It maps a page.
        leaf: bool,
        /// R/W.
        rw: bool,
        /// U/S.
        us: bool,
        /// XD.
        xd: bool,
    },
}

impl Class {
    /// The class of an entry; `leaf_bit` is PS where it counts, P at the last level, else 0.
    #[must_use]
    pub const fn of(value: u64, leaf_bit: u64) -> Self {
        if value & P == 0 {
            return Self::NotPresent;
        }
        Self::Present { leaf: value & leaf_bit != 0, rw: value & RW != 0, us: value & US != 0, xd: value & XD != 0 }
    }

    /// The class in words: `not present`, `RW user`, `R kernel, no execute`.
    #[must_use]
    pub fn words(self, language: Language) -> String {
        match self {
            Self::NotPresent => tr!(language, "not present").to_owned(),
            Self::Present { rw, us, xd, .. } => {
                let access = if rw { "RW" } else { "R" };
                let who = if us { tr!(language, "user") } else { tr!(language, "kernel") };
                let execute = if xd { " XD" } else { "" };
                format!("{access} {who}{execute}")
            }
        }
    }
}

/// One line of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// One entry.
    Entry(usize),
    /// Neighbours in one class, or of several if `class` is none.
    Run {
        /// Their indices.
        range: RangeInclusive<usize>,
        /// What they have in common.
        class: Option<Class>,
        /// How many of them are present.
        present: usize,
    },
}

impl Line {
    /// How many entries the line stands for.
    #[must_use]
    pub fn entries(&self) -> usize {
        match self {
            Self::Entry(_) => 1,
            Self::Run { range, .. } => range.end() + 1 - range.start(),
        }
    }

    /// What a run says: `11–511 · not present`, `3–510 · 508 × RW user`.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        match self {
            Self::Entry(index) => index.to_string(),
            Self::Run { range, class, present } => {
                let (first, last) = (range.start(), range.end());
                match class {
                    Some(Class::NotPresent) => format!("{first}–{last} · {}", tr!(language, "not present")),
                    Some(class) => format!("{first}–{last} · {} × {}", self.entries(), class.words(language)),
                    None => format!("{first}–{last} · {}", tr!(language, "{count} present", count = present)),
                }
            }
        }
    }

    /// The same where there is little room: `11–511 · P = 0`, `2–5 · 4` for four that are present.
    #[must_use]
    pub fn short_words(&self) -> String {
        match self {
            Self::Run { range, class: Some(Class::NotPresent), .. } => format!("{} · P = 0", range_words(range)),
            Self::Run { range, present, .. } => format!("{} · {present}", range_words(range)),
            Self::Entry(index) => index.to_string(),
        }
    }
}

/// `11–511`.
#[must_use]
pub fn range_words(range: &RangeInclusive<usize>) -> String {
    format!("{}–{}", range.start(), range.end())
}

/// A run of fewer entries than this is written out.
const SHORTEST_RUN: usize = 3;

/// Folds a table. `pinned` (sorted) stays open; at most `budget` lines come back unless the pinned
/// entries alone need more.
#[must_use]
pub fn fold(classes: &[Class], pinned: &[usize], budget: usize) -> Vec<Line> {
    let natural = natural_lines(classes, pinned);
    if natural.len() <= budget {
        return unfold(natural, budget);
    }
    // Too long: keep the lines nearest to a pinned entry and fold the rest, whatever it holds.
    let is_pinned = |line: &Line| matches!(line, Line::Entry(index) if pinned.binary_search(index).is_ok());
    let mut keep: Vec<bool> = natural.iter().map(is_pinned).collect();
    if pinned.is_empty() {
        keep[0] = true;
    }
    let anchors: Vec<usize> = (0..natural.len()).filter(|i| keep[*i]).collect();
    let distance = |i: usize| anchors.iter().map(|a| a.abs_diff(i)).min().unwrap_or(i);
    let mut order: Vec<usize> = (0..natural.len()).filter(|i| !keep[*i]).collect();
    order.sort_by_key(|i| (distance(*i), *i));
    for i in order.into_iter().take(4 * budget) {
        keep[i] = true;
        if lines_with(&keep) > budget {
            keep[i] = false;
        }
    }
    merge(classes, natural, &keep)
}

/// Writes runs of present entries out where there is room, the shortest first.
fn unfold(mut lines: Vec<Line>, budget: usize) -> Vec<Line> {
    loop {
        let spare = budget - lines.len();
        let fits =
            |line: &Line| matches!(line, Line::Run { present, .. } if *present > 0) && line.entries() <= spare + 1;
        let runs = lines.iter().enumerate().filter(|(_, line)| fits(line));
        let Some((at, _)) = runs.min_by_key(|(_, line)| line.entries()) else { return lines };
        if let Line::Run { range, .. } = lines[at].clone() {
            lines.splice(at..=at, range.map(Line::Entry));
        }
    }
}

fn natural_lines(classes: &[Class], pinned: &[usize]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut first = 0;
    while first < classes.len() {
        let mut end = first + 1;
        if pinned.binary_search(&first).is_err() {
            let same = |i: usize| classes[i] == classes[first] && pinned.binary_search(&i).is_err();
            // A present entry at either end of the table stays open: it is a landmark.
            let at_edge = |i: usize| classes[i] != Class::NotPresent && (i == 0 || i == classes.len() - 1);
            while end < classes.len() && same(end) && !at_edge(end) && !at_edge(first) {
                end += 1;
            }
        }
        push_run(classes, first..=end - 1, &mut lines);
        first = end;
    }
    lines
}

/// A run, or its entries one by one where that takes hardly more room.
fn push_run(classes: &[Class], range: RangeInclusive<usize>, lines: &mut Vec<Line>) {
    let (first, last) = (*range.start(), *range.end());
    let class = classes[first];
    let shortest = if class == Class::NotPresent { 2 } else { SHORTEST_RUN };
    if last + 1 - first < shortest {
        lines.extend(range.map(Line::Entry));
    } else {
        let present = if class == Class::NotPresent { 0 } else { last + 1 - first };
        lines.push(Line::Run { range, class: Some(class), present });
    }
}

/// How many lines there are if all that is not kept is folded.
fn lines_with(keep: &[bool]) -> usize {
    let kept = keep.iter().filter(|kept| **kept).count();
    let gaps = (0..keep.len()).filter(|i| !keep[*i] && (*i == 0 || keep[i - 1])).count();
    kept + gaps
}

fn merge(classes: &[Class], natural: Vec<Line>, keep: &[bool]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    let close = |open: &mut Option<(usize, usize)>, lines: &mut Vec<Line>| {
        if let Some((first, last)) = open.take() {
            lines.push(run(classes, first, last));
        }
    };
    for (line, kept) in natural.into_iter().zip(keep) {
        if *kept {
            close(&mut open, &mut lines);
            lines.push(line);
            continue;
        }
        let (first, last) = match &line {
            Line::Entry(index) => (*index, *index),
            Line::Run { range, .. } => (*range.start(), *range.end()),
        };
        open = Some((open.map_or(first, |(start, _)| start), last));
    }
    close(&mut open, &mut lines);
    lines
}

fn run(classes: &[Class], first: usize, last: usize) -> Line {
    if first == last {
        return Line::Entry(first);
    }
    let members = &classes[first..=last];
    let class = members.iter().all(|class| *class == members[0]).then_some(members[0]);
    let present = members.iter().filter(|class| **class != Class::NotPresent).count();
    Line::Run { range: first..=last, class, present }
}

/// A flag of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What the row shows: `·` for a right that is missing.
    pub text: &'static str,
    /// The bit that it stands for.
    pub bit: u64,
}

/// The flags of a present entry as a row shows them: rights always in their place, the rest only if
/// set.
#[must_use]
pub fn letters(value: u64, leaf: bool, large: bool, has_xd: bool) -> Vec<Letter> {
    let right = |bit, text| Letter { text: if value & bit != 0 { text } else { "·" }, bit };
    let mut letters = vec![Letter { text: "P", bit: P }, right(RW, "W"), right(US, "U")];
    let others = [
        (true, entry::A, "A"),
        (leaf, entry::D, "D"),
        (large, entry::PS, "PS"),
        (leaf, entry::G, "G"),
        (has_xd, XD, "XD"),
    ];
    let set = others.into_iter().filter(|(counts, bit, _)| *counts && value & bit != 0);
    letters.extend(set.map(|(_, bit, text)| Letter { text, bit }));
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    const RW_USER: Class = Class::Present { leaf: true, rw: true, us: true, xd: false };
    const R_USER: Class = Class::Present { leaf: true, rw: false, us: true, xd: false };

    fn words(classes: &[Class], pinned: &[usize], budget: usize) -> Vec<String> {
        let lines = fold(classes, pinned, budget);
        assert_eq!(lines.iter().map(Line::entries).sum::<usize>(), classes.len(), "no entry is lost");
        lines.iter().map(|line| line.words(Language::En)).collect()
    }

    #[test]
    fn a_sparse_directory() {
        let mut classes = [Class::NotPresent; 512];
        classes[9] = RW_USER;
        classes[10] = R_USER;
        assert_eq!(words(&classes, &[9], 12), ["0–8 · not present", "9", "10", "11–511 · not present"]);
    }

    #[test]
    fn a_full_table_keeps_its_ends() {
        let mut classes = [RW_USER; 512];
        classes[2] = R_USER;
        assert_eq!(words(&classes, &[1], 12), ["0", "1", "2", "3–510 · 508 × RW user", "511"]);
    }

    #[test]
    fn short_runs_are_written_out_where_there_is_room() {
        let mut classes = [Class::NotPresent; 512];
        classes[..4].fill(RW_USER);
        assert_eq!(words(&classes, &[0], 4), ["0", "1–3 · 3 × RW user", "4–511 · not present"]);
        assert_eq!(words(&classes, &[0], 5), ["0", "1", "2", "3", "4–511 · not present"]);
    }

    #[test]
    fn too_many_lines_fold_around_the_pinned_ones() {
        let classes: Vec<Class> = (0..512).map(|i| if i % 2 == 0 { RW_USER } else { Class::NotPresent }).collect();
        let lines = words(&classes, &[100, 300], 9);
        assert!(lines.len() <= 9, "{lines:?}");
        assert!(lines.contains(&"100".to_owned()) && lines.contains(&"300".to_owned()));
        assert!(lines[0].ends_with("present"));
    }

    #[test]
    fn pinned_entries_outweigh_the_budget() {
        let classes = [Class::NotPresent; 512];
        let lines = words(&classes, &[1, 100, 200, 300], 3);
        for index in ["1", "100", "200", "300"] {
            assert!(lines.contains(&index.to_owned()), "{lines:?}");
        }
    }

    #[test]
    fn an_empty_table_is_one_line() {
        assert_eq!(words(&[Class::NotPresent; 1024], &[], 8), ["0–1023 · not present"]);
    }

    #[test]
    fn flags_of_entries() {
        let flags = |value, leaf, large, has_xd| {
            letters(value, leaf, large, has_xd).iter().map(|letter| letter.text).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(flags(0x27, true, false, true), "P W U A");
        assert_eq!(flags(0x25 | entry::D | XD, true, false, true), "P · U A D XD");
        assert_eq!(flags(0xa3, true, true, false), "P W · A PS");
    }
}
