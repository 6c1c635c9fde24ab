//! Names that people type: shown safely in a message, and the nearest known one offered.

/// Text of a file as a message shows it: on one line, at most `limit` characters.
#[must_use]
pub fn shown(text: &str, limit: usize) -> String {
    let mut cut: String = text.chars().take(limit).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(limit).is_some() {
        cut.push('…');
    }
    cut
}

/// So many names a message lists at most: more are no sentence.
const LISTED: usize = 24;

/// The known name that is meant, if one is near.
#[must_use]
pub fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Capitals are no other name.
    let small = shown(name, 40).to_lowercase();
    let best = known.map(|k| (strsim::damerau_levenshtein(&small, &k.to_lowercase()), k)).min();
    best.filter(|(distance, k)| *distance <= 2.max(k.len() / 3)).map(|(_, k)| k)
}

/// "unknown op `pok`, did you mean `poke`?", with all names where none is near.
#[must_use]
pub fn nearest<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let shown = shown(name, 40);
    if let Some(k) = near(name, known.clone()) {
        return format!("unknown {what} `{shown}`: did you mean `{k}`?");
    }
    let names: Vec<_> = known.clone().take(LISTED).collect();
    let more = match known.skip(LISTED).count() {
        _ if names.is_empty() => return format!("unknown {what} `{shown}`: there is none"),
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("unknown {what} `{shown}`: known are {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_offered_else_all() {
        let known = || ["poke", "dma"].into_iter();
        assert_eq!(nearest("op", "pok", known()), "unknown op `pok`: did you mean `poke`?");
        assert_eq!(nearest("op", "POKE", known()), "unknown op `POKE`: did you mean `poke`?");
        assert_eq!(nearest("op", "frobnicate", known()), "unknown op `frobnicate`: known are poke, dma");
        let many: Vec<String> = (0..30).map(|i| format!("a-long-name-{i}")).collect();
        let listed = nearest("op", "x", many.iter().map(String::as_str));
        assert!(listed.ends_with("a-long-name-23 and 6 more"), "{listed}");
        assert_eq!(shown("a\nb", 2), "a\u{fffd}…");
    }
}
