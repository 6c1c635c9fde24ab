//! What the views ask for of files, and how it is done.

use super::StateRef;
use crate::app::App;
use crate::app::platform::{Outgoing, Purpose};
use crate::app::view::{AppCommand, Overlay};

/// Something of files that a view wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum FileWish {
    /// Choose a file and open it.
    Open,
    /// Save the branch in view as a scenario.
    Save,
    /// Open what is on the clipboard.
    Paste,
    /// Show the states that can be opened again.
    ShowStates,
    /// Open one of them.
    Restore(StateRef),
    /// Open what is offered after a crash.
    TakeOffer,
    /// Take the offer away.
    DropOffer,
    /// Take the words about what cannot be kept away.
    HideTrouble,
}

impl App {
    /// Does what a view asked for.
    pub(in crate::app) fn apply_files(&mut self, wish: FileWish) {
        let crate::app::files::Files { platform, inbox, .. } = &self.files;
        match wish {
            FileWish::Open => platform.open_file(Purpose::Open, inbox),
            FileWish::Paste => platform.paste(inbox),
            FileWish::Save => self.save_scenario(),
            FileWish::ShowStates => {
                self.list_states();
                self.view.overlay = Some(Overlay::States);
            }
            FileWish::Restore(at) => {
                self.view.overlay = None;
                self.restore(at);
            }
            FileWish::TakeOffer => {
                if let Some(offer) = self.files.offer.clone() {
                    self.restore(offer.at);
                    self.drop_offer();
                }
            }
            FileWish::DropOffer => self.drop_offer(),
            FileWish::HideTrouble => self.files.trouble = None,
        }
    }

    /// Offers the branch in view as a scenario file.
    fn save_scenario(&mut self) {
        let scenario = self.session.to_scenario();
        match scenario.to_json() {
            Ok(json) => {
                let name = format!("{}.json", file_stem(&scenario.id));
                let file = Outgoing { name, mime: "application/json", bytes: json.into_bytes() };
                self.files.platform.save_file(file, &self.files.inbox);
            }
            Err(reason) => self.view.notice = Some(reason.to_string()),
        }
    }
}

/// An id as the beginning of a file's name.
pub(in crate::app) fn file_stem(id: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let stem: String = id.chars().map(plain).take(80).collect();
    let stem = stem.trim_matches(['.', '-']);
    if stem.is_empty() { "machine".to_owned() } else { stem.to_owned() }
}

impl From<FileWish> for AppCommand {
    fn from(wish: FileWish) -> Self {
        Self::Files(wish)
    }
}
