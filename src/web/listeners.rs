//! Callbacks of the page, by the name of what they wait for.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::prelude::*;

use super::text_of;
use crate::engine::EngineName;
use crate::explain;
use crate::language::Language;
use crate::machine::Event;
use crate::names::nearest;

/// What can be waited for. The first four are the contract; the others serve the page around the
/// canvas: its address, and those who do not see it.
const NAMES: [&str; 7] = ["event", "goal", "progress", "error", "place", "say", "focus"];

/// Something to be told: to whom, and what.
pub type Message = (&'static str, String);

/// Callbacks by the name of what they wait for.
#[derive(Default)]
pub struct Listeners(RefCell<Vec<(String, Function)>>);

impl Listeners {
    /// Adds one.
    ///
    /// # Errors
    /// A sentence for a name that nothing has.
    pub fn add(&self, name: &str, callback: Function) -> Result<(), String> {
        if !NAMES.contains(&name) {
            let shown: String = name.chars().take(40).collect();
            return Err(nearest("event", &shown, NAMES.into_iter()));
        }
        self.0.borrow_mut().push((name.to_owned(), callback));
        Ok(())
    }

    /// Whether somebody waits for that.
    pub fn wait_for(&self, name: &str) -> bool {
        self.0.borrow().iter().any(|(n, _)| n == name)
    }

    /// Calls the listeners of that name. They may add others, and what they throw is theirs.
    pub fn call(&self, name: &str, arguments: &[&str]) {
        let callbacks: Vec<Function> =
            self.0.borrow().iter().filter(|(n, _)| n == name).map(|(_, callback)| callback.clone()).collect();
        let arguments: js_sys::Array = arguments.iter().map(|text| JsValue::from_str(text)).collect();
        for callback in callbacks {
            if let Err(thrown) = callback.apply(&JsValue::NULL, &arguments) {
                log::error!("a listener of `{name}` failed: {}", text_of(&thrown));
            }
        }
    }

    /// Tells of events, each as JSON text and in words.
    pub fn tell(&self, events: &[Event], (engine, language): (EngineName, Language)) {
        if !self.wait_for("event") {
            return;
        }
        for event in events {
            let line = explain::event(event, engine, language);
            let words = format!("{}: {}", line.label, line.text);
            if let Ok(json) = serde_json::to_string(event) {
                self.call("event", &[&json, &words]);
            }
        }
    }

    /// Tells of what happened in a frame, after it: listeners may call back.
    pub fn tell_after_this_frame(
        self: &Rc<Self>,
        events: Vec<Event>,
        messages: Vec<Message>,
        said: (EngineName, Language),
    ) {
        if events.is_empty() && messages.is_empty() {
            return;
        }
        let listeners = Rc::clone(self);
        wasm_bindgen_futures::spawn_local(async move {
            listeners.tell(&events, said);
            for (name, text) in messages {
                listeners.call(name, &[&text]);
            }
        });
    }
}
