//! The platform of a page: the browser's file picker and downloads, local storage, the clipboard, and
//! locks that tell which other tabs run.

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use egui::DroppedFileHandle;
use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, BlobPropertyBag, File, HtmlElement, HtmlInputElement};

use super::text_of;
use crate::app::platform::{Arrival, Inbox, Outgoing, Platform, Purpose};
use crate::language::Sentence;
use crate::scenario::MAX_FILE_BYTES;
use crate::scenario::autosave::{Storage, StorageError};
use crate::word;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = ["navigator", "locks"], js_name = request, catch)]
    fn request_lock(name: &str, hold: &Closure<dyn FnMut() -> Promise>) -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_namespace = ["navigator", "locks"], js_name = query, catch)]
    fn query_locks() -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_namespace = ["navigator", "clipboard"], js_name = readText, catch)]
    fn read_clipboard() -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_namespace = URL, js_name = createObjectURL, catch)]
    fn address_of(blob: &Blob) -> Result<String, JsValue>;
    #[wasm_bindgen(js_namespace = URL, js_name = revokeObjectURL)]
    fn forget_address(address: &str);
}

/// What the keys of ours in the page's local storage begin with.
const PREFIX: &str = "mmuscope.";
/// What the name of a running tab's lock begins with.
const LOCK: &str = "mmuscope-";

/// What is called when files were picked.
type OnPick = Closure<dyn FnMut()>;

/// The browser around a page.
pub struct Browser {
    /// Whether the page lies in another one: then nothing is kept in the reader's browser.
    embedded: bool,
    /// What an open file picker calls; one picker is open at a time.
    picked: Rc<RefCell<Option<OnPick>>>,
}

impl Browser {
    /// The browser around this page.
    pub fn new(embedded: bool) -> Self {
        Self { embedded, picked: Rc::default() }
    }
}

/// Local storage, as text: bytes are in base64.
struct LocalStorage;

fn local_storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

impl Storage for LocalStorage {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        let text = local_storage()?.get_item(&format!("{PREFIX}{key}")).ok()??;
        STANDARD_NO_PAD.decode(text).ok()
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        let storage = local_storage().ok_or_else(|| StorageError::Other("there is no local storage".to_owned()))?;
        // The only thing that the standard lets this fail for is a lack of room.
        storage.set_item(&format!("{PREFIX}{key}"), &STANDARD_NO_PAD.encode(value)).map_err(|_| StorageError::Full)
    }

    fn delete(&mut self, key: &str) {
        if let Some(storage) = local_storage() {
            // A key that is not there is no error.
            storage.remove_item(&format!("{PREFIX}{key}")).ok();
        }
    }

    fn list(&self) -> Vec<String> {
        let Some(storage) = local_storage() else { return Vec::new() };
        let keys = (0..storage.length().unwrap_or(0)).filter_map(|index| storage.key(index).ok()?);
        keys.filter_map(|key| key.strip_prefix(PREFIX).map(str::to_owned)).collect()
    }
}

/// The numbers of the tabs whose locks are held.
async fn running() -> Result<Vec<u32>, JsValue> {
    let state = JsFuture::from(query_locks()?).await?;
    let held = js_sys::Array::from(&Reflect::get(&state, &"held".into())?);
    let name = |lock: JsValue| Reflect::get(&lock, &"name".into()).ok()?.as_string();
    let number = |name: String| u32::from_str_radix(name.strip_prefix(LOCK)?, 16).ok();
    Ok(held.iter().filter_map(name).filter_map(number).collect())
}

/// Something that went wrong with a file.
fn failed(words: &'static str, name: &str, reason: &JsValue) -> Arrival {
    Arrival::Failed(Sentence::new(words).with("name", name).with("error", text_of(reason)))
}

fn read_file(file: File, purpose: Purpose, inbox: Inbox) {
    let (name, size) = (file.name(), file.size());
    if size > MAX_FILE_BYTES as f64 {
        let words = Sentence::new(word!("{name} has {size} MiB: at most {most} MiB are read"));
        let mib = |bytes: f64| (bytes / f64::from(1 << 20)) as u64;
        let words = words.with("name", name).with("size", mib(size)).with("most", MAX_FILE_BYTES >> 20);
        inbox.put(Arrival::Failed(words));
        return;
    }
    spawn_local(async move {
        inbox.put(match JsFuture::from(file.array_buffer()).await {
            Ok(buffer) => Arrival::File { name, bytes: Uint8Array::new(&buffer).to_vec(), purpose },
            Err(reason) => failed(word!("{name} cannot be read: {error}"), &name, &reason),
        });
    });
}

fn element(name: &str) -> Result<web_sys::Element, JsValue> {
    let document = web_sys::window().and_then(|window| window.document()).ok_or("there is no page")?;
    document.create_element(name)
}

/// Gives a file to the browser's downloads.
fn download(file: &Outgoing) -> Result<(), JsValue> {
    let (parts, kind) = (js_sys::Array::of1(&Uint8Array::from(file.bytes.as_slice())), BlobPropertyBag::new());
    kind.set_type(file.mime);
    let address = address_of(&Blob::new_with_u8_array_sequence_and_options(&parts, &kind)?)?;
    let link: HtmlElement = element("a")?.dyn_into()?;
    link.set_attribute("href", &address)?;
    link.set_attribute("download", &file.name)?;
    link.click();
    forget_address(&address);
    Ok(())
}

/// Lets somebody choose a file; `picked` holds what the picker calls.
fn choose(purpose: Purpose, inbox: &Inbox, picked: &RefCell<Option<Closure<dyn FnMut()>>>) -> Result<(), JsValue> {
    let input: HtmlInputElement = element("input")?.dyn_into()?;
    input.set_type("file");
    let (chooser, inbox) = (input.clone(), inbox.clone());
    let chosen = Closure::<dyn FnMut()>::new(move || {
        if let Some(file) = chooser.files().and_then(|files| files.get(0)) {
            read_file(file, purpose, inbox.clone());
        }
    });
    input.set_onchange(Some(chosen.as_ref().unchecked_ref()));
    *picked.borrow_mut() = Some(chosen);
    input.click();
    Ok(())
}

impl Platform for Browser {
    fn now(&self) -> u64 {
        js_sys::Date::now() as u64
    }

    fn draw_number(&self) -> u32 {
        (js_sys::Math::random() * f64::from(u32::MAX)) as u32
    }

    fn storage(&self) -> Option<Box<dyn Storage + Send>> {
        // Reading it is refused where a browser keeps nothing, as in private windows of some.
        let kept = !self.embedded && local_storage().is_some();
        kept.then(|| Box::new(LocalStorage) as Box<dyn Storage + Send>)
    }

    fn register(&self, number: u32) {
        // Held by a promise that is never kept: the browser frees it when the tab ends, however it does.
        let hold = Closure::<dyn FnMut() -> Promise>::new(|| Promise::new(&mut |_, _| {}));
        match request_lock(&format!("{LOCK}{number:08x}"), &hold) {
            Ok(_) => hold.forget(),
            Err(reason) => log::info!("other tabs cannot see that this one runs: {}", text_of(&reason)),
        }
    }

    fn find_running(&self, inbox: &Inbox) {
        let inbox = inbox.clone();
        spawn_local(async move {
            // Where a browser does not tell, other tabs' work is offered like that of a crash.
            inbox.put(Arrival::Running(running().await.unwrap_or_default()));
        });
    }

    fn open_file(&self, purpose: Purpose, inbox: &Inbox) {
        if let Err(reason) = choose(purpose, inbox, &self.picked) {
            inbox.put(failed(word!("{name} cannot be read: {error}"), "*", &reason));
        }
    }

    fn save_file(&self, file: Outgoing, inbox: &Inbox) {
        inbox.put(match download(&file) {
            Ok(()) => Arrival::Saved(file.name),
            Err(reason) => failed(word!("{name} cannot be written: {error}"), &file.name, &reason),
        });
    }

    fn read_dropped(&self, file: DroppedFileHandle, purpose: Purpose, inbox: &Inbox) {
        if let Some(file) = file.web_file() {
            read_file(file.clone(), purpose, inbox.clone());
        }
    }

    fn paste(&self, inbox: &Inbox) {
        let inbox = inbox.clone();
        spawn_local(async move {
            let text = match read_clipboard() {
                Ok(promise) => JsFuture::from(promise).await,
                Err(reason) => Err(reason),
            };
            inbox.put(match text {
                Ok(text) => Arrival::Text(text.as_string().unwrap_or_default()),
                Err(_) => Arrival::Failed(Sentence::new(word!(
                    "The browser does not give the clipboard to pages: press Ctrl+V instead"
                ))),
            });
        });
    }

    fn page_address(&self) -> String {
        let address = web_sys::window().and_then(|window| window.location().href().ok()).unwrap_or_default();
        // Without what stands behind it, `embed=1` among it.
        address.split(['#', '?']).next().unwrap_or_default().to_owned()
    }
}
