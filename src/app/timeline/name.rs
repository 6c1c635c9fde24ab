//! A field for the name of a branch or a bookmark. Enter takes it, Escape leaves the old one.

use egui::text::{CCursor, CCursorRange};
use egui::{Id, Key, Margin, RichText, TextEdit, Ui, vec2};

use crate::app::theme::{TEXT, control};
use crate::app::time::{Named, TimeWish, bookmark_name, branch_name};
use crate::app::view::{AppCommand, ViewCx};
use crate::scenario::MAX_NAME;
use crate::tr;

/// Draws the field.
pub fn name_ui(cx: &ViewCx<'_>, ui: &mut Ui, named: Named) {
    let id = Id::unique("time: a name");
    let draft = ui.data(|data| data.get_temp::<(Named, String)>(id)).filter(|(of, _)| *of == named);
    let is_new = draft.is_none();
    let mut text = draft.map_or_else(|| current(cx, named), |(_, text)| text);
    let name = match named {
        Named::Branch(_) => tr!(cx, "Name of the branch"),
        Named::Bookmark(_) => tr!(cx, "Name of the bookmark"),
    };
    ui.label(RichText::new(tr!(cx, "Name")).size(TEXT).color(cx.tokens.weak));
    let width = ui.available_width().min(280.0);
    let edit = TextEdit::singleline(&mut text)
        .id(id.with("field"))
        .char_limit(MAX_NAME)
        .desired_width(width - 16.0)
        .margin(Margin::symmetric(8, 5))
        .min_size(vec2(width, control(ui)));
    let mut output = edit.show(ui);
    let response = output.response.response.accessible_name(name);
    if is_new {
        response.request_focus();
        // What is typed replaces the old name.
        let all = CCursorRange::two(CCursor::new(0), CCursor::new(text.chars().count()));
        output.state.cursor.set_char_range(Some(all));
        output.state.store(ui.ctx(), response.id);
    }
    let lost = response.lost_focus();
    let (enter, escape) = ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
    if lost || escape {
        ui.data_mut(|data| data.remove::<(Named, String)>(id));
        let wish = if escape && !enter { TimeWish::Rename(None) } else { TimeWish::Name(named, text) };
        cx.send(AppCommand::Time(wish));
    } else {
        ui.data_mut(|data| data.insert_temp(id, (named, text)));
    }
}

fn current(cx: &ViewCx<'_>, named: Named) -> String {
    match named {
        Named::Branch(start) => branch_name(cx.session, start, cx.language()),
        Named::Bookmark(at) => bookmark_name(&cx.session.marks, at).unwrap_or_default().to_owned(),
    }
}
