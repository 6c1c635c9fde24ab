//! What leaves the program besides scenarios and links: the view as a picture, the log as text.

use egui::Context;

use super::wish::file_stem;
use crate::app::App;
use crate::app::platform::Outgoing;
use crate::language::Language;
use crate::tr;

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// The view as a PNG with so many pixels for a point.
    Png(u8),
    /// The view as an SVG.
    Svg,
    /// The log in words.
    LogText,
    /// The log as JSON Lines, an event to the line.
    LogJson,
}

impl ExportKind {
    /// Every kind, in the order in which they are offered.
    pub const ALL: [Self; 6] = [Self::Png(1), Self::Png(2), Self::Png(4), Self::Svg, Self::LogText, Self::LogJson];

    /// What it is called.
    #[must_use]
    pub fn name(self, language: Language) -> String {
        match self {
            Self::Png(1) => tr!(language, "Export the view as PNG").to_owned(),
            Self::Png(scale) => tr!(language, "Export the view as PNG, {scale} times as fine", scale = scale),
            Self::Svg => tr!(language, "Export the view as SVG").to_owned(),
            Self::LogText => tr!(language, "Export the log as text").to_owned(),
            Self::LogJson => tr!(language, "Export the log as JSON Lines").to_owned(),
        }
    }
}

impl App {
    /// Makes a file of what is shown and offers it to be saved.
    pub(in crate::app) fn export(&mut self, ctx: &Context, kind: ExportKind) {
        let language = self.view.language;
        let title = match self.session.scenario.title.get(language.id()) {
            "" => self.session.scenario.id.clone(),
            title => title.to_owned(),
        };
        let stem = file_stem(&self.session.scenario.id);
        let (ending, mime, bytes) = match kind {
            ExportKind::Png(scale) => match self.draw_once_more(ctx, f32::from(scale)).png() {
                Ok(bytes) => ("png", "image/png", bytes),
                Err(reason) => {
                    self.view.notice = Some(reason.to_string());
                    return;
                }
            },
            ExportKind::Svg => ("svg", "image/svg+xml", self.draw_once_more(ctx, 1.0).svg(&title).into_bytes()),
            ExportKind::LogText => ("txt", "text/plain", self.session.log_text(language).into_bytes()),
            ExportKind::LogJson => ("jsonl", "application/jsonl", self.session.log_json().into_bytes()),
        };
        let file = Outgoing { name: format!("{stem}.{ending}"), mime, bytes };
        self.files.platform.save_file(file, &self.files.inbox);
    }
}
