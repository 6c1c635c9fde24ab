//! The languages of everything that people read. English stands in the code, at the place where it is
//! said; another language is a folder of JSON files, `{"English": "its words"}`, in `assets/strings/`.
//!
//! [`tr!`](crate::tr) says a sentence, [`word!`](crate::word) marks one that is said later.
//! `tests/strings.rs` holds that no sentence lacks its words and that no words are left over.

use std::collections::HashMap;
use std::fmt::{Display, Write as _};
use std::sync::OnceLock;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

/// The files of Simplified Chinese, one an area of the program.
const ZH: &[&str] = &[
    include_str!("../assets/strings/zh/common.json"),
    include_str!("../assets/strings/zh/actions.json"),
    include_str!("../assets/strings/zh/app.json"),
    include_str!("../assets/strings/zh/stage.json"),
    include_str!("../assets/strings/zh/compare.json"),
    include_str!("../assets/strings/zh/explain.json"),
    include_str!("../assets/strings/zh/why.json"),
    include_str!("../assets/strings/zh/time.json"),
    include_str!("../assets/strings/zh/files.json"),
    include_str!("../assets/strings/zh/lessons.json"),
    include_str!("../assets/strings/zh/commands.json"),
    include_str!("../assets/strings/zh/web.json"),
];

impl Language {
    /// Every language, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// Its code in files and links.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// Its name in itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "EN",
            Self::Zh => "中文",
        }
    }

    /// The language of that code.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.id() == id)
    }

    /// A sentence in this language; in English where it has no words for it.
    #[must_use]
    pub fn tr(self, english: &'static str) -> &'static str {
        match self {
            Self::En => english,
            Self::Zh => chinese().get(english).map_or(english, String::as_str),
        }
    }

    /// A sentence in this language, with `{name}` replaced by the value of that name.
    #[must_use]
    pub fn fill(self, english: &'static str, values: &[(&str, &dyn Display)]) -> String {
        let mut rest = self.tr(english);
        let mut text = String::with_capacity(rest.len() + 16 * values.len());
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let Some((name, behind)) = after.split_once('}') else {
                text.push('{');
                text.push_str(after);
                return text;
            };
            match values.iter().find(|(known, _)| *known == name) {
                // Writing to a string cannot fail.
                Some((_, value)) => drop(write!(text, "{value}")),
                None => drop(write!(text, "{{{name}}}")),
            }
            rest = behind;
        }
        text.push_str(rest);
        text
    }
}

/// A sentence that is said in the language of the screen, whichever that is when it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    words: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Sentence {
    /// A sentence; see [`word!`](crate::word).
    #[must_use]
    pub const fn new(words: &'static str) -> Self {
        Self { words, values: Vec::new() }
    }

    /// With the value of a name in braces.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// Its words in a language.
    #[must_use]
    pub fn say(&self, language: Language) -> String {
        let values: Vec<(&str, &dyn Display)> =
            self.values.iter().map(|(name, value)| (*name, value as &dyn Display)).collect();
        language.fill(self.words, &values)
    }
}

impl Display for Sentence {
    /// In English.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}

fn chinese() -> &'static HashMap<String, String> {
    static WORDS: OnceLock<HashMap<String, String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let read = |json| serde_json::from_str::<HashMap<String, String>>(json).expect("tests/strings.rs reads them");
        ZH.iter().copied().flat_map(read).collect()
    })
}

/// Says a sentence in a language, or in that of a view's context: `tr!(cx, "Step")`,
/// `tr!(language, "step {step} of {all}", step = 3, all = 7)`.
#[macro_export]
macro_rules! tr {
    ($language:expr, $english:literal $(,)?) => { $language.tr($english) };
    ($language:expr, $english:literal, $($name:ident = $value:expr),+ $(,)?) => {
        $language.fill($english, &[$((stringify!($name), &$value as &dyn ::std::fmt::Display)),+])
    };
}

/// Marks a sentence that [`Language::tr`] will say later: for constants and tables.
#[macro_export]
macro_rules! word {
    ($english:literal) => {
        $english
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_their_names_were() {
        let (step, all) = (3, 7);
        assert_eq!(tr!(Language::En, "step {step} of {all}", all = all, step = step), "step 3 of 7");
        assert_eq!(Language::En.fill("{a} and {b", &[("a", &1)]), "1 and {b");
        assert_eq!(Language::En.fill("{what} {a}{a}", &[("a", &"x")]), "{what} xx");
    }

    #[test]
    fn languages_have_codes() {
        for language in Language::ALL {
            assert_eq!(Language::by_id(language.id()), Some(language));
        }
        assert_eq!(Language::by_id("xx"), None);
    }
}
