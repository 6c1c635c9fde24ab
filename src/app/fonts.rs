//! The faces: Inter for the interface, JetBrains Mono for numbers, Lucide for what both lack, Noto Sans
//! for Chinese.
//!
//! They are subsets (`assets/fonts/subset.sh`), part of the program, so that it looks the same
//! everywhere and needs no network.

use std::sync::Arc;

use egui::{FontData, FontDefinitions, FontFamily};

use super::theme::{BOLD, MONO_BOLD};

const FACES: [(&str, &[u8]); 5] = [
    ("inter", include_bytes!("../../assets/fonts/Inter-Regular.otf")),
    ("inter-semibold", include_bytes!("../../assets/fonts/Inter-SemiBold.otf")),
    ("mono", include_bytes!("../../assets/fonts/JetBrainsMono-Regular.ttf")),
    ("mono-bold", include_bytes!("../../assets/fonts/JetBrainsMono-Bold.ttf")),
    ("lucide", include_bytes!("../../assets/fonts/Lucide.ttf")),
];

/// The name of the face for Chinese.
const CHINESE: &str = "chinese";

/// The characters of the lessons in Chinese. A page fetches the file when it is needed: see
/// [`add_chinese`].
#[cfg(not(target_arch = "wasm32"))]
const CHINESE_FACE: &[u8] = include_bytes!("../../assets/fonts/NotoSansSC-Lessons.otf");

/// Puts the faces into a context.
pub fn install(ctx: &egui::Context) {
    #[cfg(not(target_arch = "wasm32"))]
    ctx.set_fonts(definitions(Some(FontData::from_static(CHINESE_FACE))));
    #[cfg(target_arch = "wasm32")]
    ctx.set_fonts(definitions(None));
}

/// Adds the face for Chinese, where it is no part of the program.
#[cfg(target_arch = "wasm32")]
pub fn add_chinese(ctx: &egui::Context, file: Vec<u8>) {
    ctx.set_fonts(definitions(Some(FontData::from_owned(file))));
}

fn definitions(chinese: Option<FontData>) -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    for (name, file) in FACES {
        let mut data = FontData::from_static(file);
        if name == "lucide" {
            // Its icons fill the line; a little smaller they sit with the letters.
            data.tweak.scale = 0.95;
            data.tweak.y_offset_factor = 0.08;
        }
        fonts.font_data.insert(name.to_owned(), Arc::new(data));
    }
    let families = [
        (FontFamily::Proportional, ["inter", "mono", "lucide"]),
        (FontFamily::Name(BOLD.into()), ["inter-semibold", "mono-bold", "lucide"]),
        (FontFamily::Monospace, ["mono", "inter", "lucide"]),
        (FontFamily::Name(MONO_BOLD.into()), ["mono-bold", "inter-semibold", "lucide"]),
    ];
    for (family, faces) in families {
        fonts.families.insert(family, faces.map(str::to_owned).to_vec());
    }
    if let Some(face) = chinese {
        fonts.font_data.insert(CHINESE.to_owned(), Arc::new(face));
        // Last, so that Latin letters and figures stay those of the other faces.
        fonts.families.values_mut().for_each(|faces| faces.push(CHINESE.to_owned()));
    }
    fonts
}
