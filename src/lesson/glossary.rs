//! The glossary: every term of art with a two-sentence answer in each language.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::file::languages_of;
use crate::scenario::{InputError, Text, from_json};

/// A term of art.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// The term itself.
    pub term: Text,
    /// What it is, in two sentences.
    pub text: Text,
}

/// Every term by its id.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Glossary(BTreeMap<String, Term>);

impl Glossary {
    /// Reads a glossary. `name` is what error messages call it.
    ///
    /// # Errors
    /// [`InputError::Json`].
    pub fn from_json(name: &str, json: &str) -> Result<Self, InputError> {
        from_json(name, json)
    }

    /// The term of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Term> {
        self.0.get(id)
    }

    /// What a chip shows: the term in a language, or the id where there is no such term.
    #[must_use]
    pub fn name<'a>(&'a self, id: &'a str, language: &str) -> &'a str {
        self.get(id).map_or(id, |term| term.term.get(language))
    }

    /// Every id with its term, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Term)> {
        self.0.iter().map(|(id, term)| (id.as_str(), term))
    }

    /// Terms whose name or text contains a word, in any language; for a search box.
    pub fn search<'a>(&'a self, word: &str) -> impl Iterator<Item = (&'a str, &'a Term)> {
        let word = word.to_lowercase();
        self.iter().filter(move |(id, term)| {
            let texts = languages_of(&term.term).into_iter().chain(languages_of(&term.text));
            id.contains(&word) || texts.into_iter().any(|(_, text)| text.to_lowercase().contains(&word))
        })
    }
}

/// The glossary that the program carries.
#[must_use]
pub fn glossary() -> &'static Glossary {
    static GLOSSARY: OnceLock<Glossary> = OnceLock::new();
    GLOSSARY.get_or_init(|| {
        let text = include_str!("../../assets/glossary.json");
        Glossary::from_json("glossary.json", text).unwrap_or_else(|error| {
            log::error!("{error}");
            Glossary::default()
        })
    })
}
