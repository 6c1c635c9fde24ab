//! The faces for Chinese: files beside the page, fetched when that language is chosen.

use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::text_of;

/// Regular and bold.
const FILES: [&str; 2] = ["mmuscope-zh.otf", "mmuscope-zh-bold.otf"];

/// Fetches the faces and puts them into a context.
pub fn fetch_chinese(ctx: &egui::Context) {
    let ctx = ctx.clone();
    wasm_bindgen_futures::spawn_local(async move {
        let [regular, bold] = FILES.map(fetched);
        match (regular.await, bold.await) {
            (Ok(regular), Ok(bold)) => {
                crate::app::add_chinese(&ctx, [regular, bold]);
                ctx.request_repaint();
            }
            (Err(reason), _) | (_, Err(reason)) => {
                log::error!("the Chinese characters cannot be shown: {}", text_of(&reason));
            }
        }
    });
}

/// The bytes of a file beside the page.
async fn fetched(name: &str) -> Result<Vec<u8>, JsValue> {
    let window = web_sys::window().ok_or("there is no window")?;
    let response = JsFuture::from(window.fetch_with_str(name)).await?;
    if !Reflect::get(&response, &"ok".into())?.is_truthy() {
        return Err(format!("{name} did not arrive").into());
    }
    let read: Function = Reflect::get(&response, &"arrayBuffer".into())?.dyn_into()?;
    let buffer: js_sys::Promise = read.call0(&response)?.dyn_into()?;
    let buffer = JsFuture::from(buffer).await?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec())
}
