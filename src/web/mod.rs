//! The browser entry: what `mmuscope.js` exports to a page, and what only a page needs.
//!
//! Errors are JavaScript `Error`s with the sentence that the command line prints for the same
//! input. Listeners are called only while the app is not borrowed, so they may call back.

mod faces; // the faces for Chinese
mod listeners; // callbacks
mod motion; // whether the system asks for less of it
mod narrate; // what listeners are told
mod page; // the app on a page
mod platform; // the browser as the app's platform
mod start; // what a lab is asked to open

use std::cell::{Cell, RefMut};
use std::rc::Rc;

use eframe::{WebOptions, WebRunner};
use js_sys::Function;
use wasm_bindgen::prelude::*;
use web_sys::HtmlCanvasElement;

use crate::scenario::state_json;
use listeners::Listeners;
use page::Page;
use start::{Opened, Start};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** How a lab begins. */
export interface LabOptions {
    /** JSON text of a scenario, or the object. Missing: the example. */
    scenario?: string | object;
    /** A share link, in place of a scenario: an address with #m=, or that part alone. */
    link?: string;
    /** A lesson in front: the id of one that the program carries, JSON text, or the object. */
    lesson?: string | object;
    /** Its step, from 1. Missing: where it was left. */
    step?: number;
    /** "full", or "embed": without the bar and the memory panel, for a frame in another page. Missing: full. */
    view?: "full" | "embed";
    /** Missing: as it was left. */
    lang?: "en" | "zh";
    /** Missing: as the system. */
    theme?: "dark" | "light" | "high-contrast" | "projector";
}
/** What a lab opens in place of what is open: one of the three, with the step of a lesson. */
export type LabOpens = Pick<LabOptions, "scenario" | "link" | "lesson" | "step">;
/**
 * What a lab tells: events of commands (JSON text, and in words), goals, progress, failures; the place
 * that an address can name; sentences for those who do not see the canvas; what the keyboard is on.
 */
export type LabEvent = "event" | "goal" | "progress" | "error" | "place" | "say" | "focus";
"#;

/// A laboratory on a canvas.
#[wasm_bindgen]
pub struct Lab {
    runner: WebRunner,
    listeners: Rc<Listeners>,
    destroyed: Cell<bool>,
}

#[wasm_bindgen]
impl Lab {
    /// Opens a lab on a canvas; the promise is kept when it can be used.
    ///
    /// # Errors
    /// One sentence for options that cannot be, and for a browser that cannot draw.
    pub async fn start(
        canvas: HtmlCanvasElement,
        #[wasm_bindgen(unchecked_optional_param_type = "LabOptions")] options: JsValue,
    ) -> Result<Lab, JsError> {
        let start = Start::read(&options).map_err(|sentence| JsError::new(&sentence))?;
        // Fails only where a logger is installed already, by another lab of the page.
        eframe::WebLogger::init(log::LevelFilter::Warn).ok();
        let (runner, listeners) = (WebRunner::new(), Rc::<Listeners>::default());
        let told_by = Rc::clone(&listeners);
        let create: eframe::AppCreator<'static> =
            Box::new(move |cc| Ok(Box::new(Page::new(&cc.egui_ctx, start, told_by)?)));
        prepare(&canvas);
        runner
            .start(canvas, WebOptions { dithering: false, ..WebOptions::default() }, create)
            .await
            .map_err(|reason| JsError::new(&format!("this browser cannot draw the machine: {}", text_of(&reason))))?;
        if let Some(window) = web_sys::window() {
            // The page may not come back from being left.
            let left = runner.add_event_listener(&window, "pagehide", |_: web_sys::Event, runner| runner.save());
            left.map_err(|reason| JsError::new(&text_of(&reason)))?;
        }
        Ok(Self { runner, listeners, destroyed: Cell::new(false) })
    }

    /// Carries out steps, a JSON array as in a scenario, at the cursor. Returns what happened, a
    /// JSON array of events.
    ///
    /// # Errors
    /// One sentence with line, column and JSON path; then no step has been carried out.
    pub fn run(&self, steps: &str) -> Result<String, JsError> {
        let (result, said) = {
            let mut page = self.page()?;
            (page.run(steps), (page.app.session().engine(), page.app.view().language))
        };
        match result {
            Ok(events) => {
                self.listeners.tell(&events, said);
                Ok(serde_json::to_string(&events)?)
            }
            Err(sentence) => {
                self.listeners.call("error", &[&sentence]);
                Err(JsError::new(&sentence))
            }
        }
    }

    /// Opens something in place of what is open, which is kept: a lesson where it was left, anything
    /// else among the autosaves.
    ///
    /// # Errors
    /// One sentence; then everything is as it was.
    pub fn open(&self, #[wasm_bindgen(unchecked_param_type = "LabOpens")] what: JsValue) -> Result<(), JsError> {
        let opened = Opened::read(&what).and_then(|opened| self.page().map_err(|why| why.to_string())?.open(opened));
        opened.map_err(|sentence| {
            if let Ok(mut page) = self.page() {
                page.refuse(&sentence);
            }
            self.listeners.call("error", &[&sentence]);
            JsError::new(&sentence)
        })
    }

    /// The machine at the cursor and what it has cost, as JSON text.
    ///
    /// # Errors
    /// The lab is destroyed or has stopped.
    pub fn state(&self) -> Result<String, JsError> {
        Ok(state_json(self.page()?.app.session()).to_string())
    }

    /// A link that opens this state, `#m=` and what follows: to stand behind a page's address.
    ///
    /// # Errors
    /// The history is longer than a link can be.
    pub fn link(&self) -> Result<String, JsError> {
        Ok(self.page()?.app.link()?)
    }

    /// Calls `callback` from now on: "event" with an event as JSON text and in words, "error" with
    /// a sentence, "goal" with the lesson and the step (from 1) whose goal was reached as JSON text,
    /// "progress" with all that was done in lessons as JSON text, "place" with what an address names
    /// (`#lesson=ID&step=N`, or nothing), "say" with a sentence for those who do not see the canvas,
    /// "focus" with the name of the control that the keyboard is on.
    ///
    /// # Errors
    /// A name that is not one of these.
    pub fn on(
        &self,
        #[wasm_bindgen(unchecked_param_type = "LabEvent")] name: &str,
        callback: Function,
    ) -> Result<(), JsError> {
        self.listeners.add(name, callback).map_err(|sentence| JsError::new(&sentence))
    }

    /// How many frames have been painted. The count rests while nothing changes.
    ///
    /// # Errors
    /// The lab is destroyed or has stopped.
    pub fn frames(&self) -> Result<u32, JsError> {
        Ok(self.page()?.frames)
    }

    /// What stopped the lab, if an error in the program did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.runner.panic_summary().map(|summary| summary.message())
    }

    /// Ends it and frees the canvas.
    pub fn destroy(&self) {
        if let Ok(mut page) = self.page() {
            page.app.keep_all();
        }
        self.destroyed.set(true);
        self.runner.destroy();
    }

    fn page(&self) -> Result<RefMut<'_, Page>, NoPage> {
        if self.destroyed.get() {
            return Err(NoPage::Destroyed);
        }
        self.runner.app_mut::<Page>().ok_or_else(|| self.failure().map_or(NoPage::Busy, NoPage::Stopped))
    }
}

/// Why a lab cannot answer.
#[derive(Debug, thiserror::Error)]
enum NoPage {
    #[error("this lab is destroyed")]
    Destroyed,
    #[error("this lab has stopped: {0}")]
    Stopped(String),
    #[error("this lab is busy drawing")]
    Busy,
}

/// Makes the canvas's graphics context before eframe does, which takes the one that is there. Edges are
/// smoothed as triangles are made, so a second smoothing of four samples a pixel is work for nothing; and
/// the picture covers the canvas, so it need not be blended with the page.
fn prepare(canvas: &HtmlCanvasElement) {
    let attributes = js_sys::Object::new();
    for name in ["antialias", "alpha", "depth", "stencil"] {
        // A new object takes any field.
        js_sys::Reflect::set(&attributes, &name.into(), &JsValue::FALSE).ok();
    }
    // Where there is no such context eframe says so.
    canvas.get_context_with_context_options("webgl2", &attributes).ok();
}

/// What a browser's error value says.
fn text_of(value: &JsValue) -> String {
    value.as_string().unwrap_or_else(|| js_sys::Object::from(value.clone()).to_string().into())
}
