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

/// The names of the faces for Chinese: regular and bold.
const CHINESE: [&str; 2] = ["chinese", "chinese-bold"];

/// The characters of the lessons in Chinese. A page fetches these files when they are needed: see
/// [`add_chinese`].
#[cfg(not(target_arch = "wasm32"))]
const CHINESE_FACES: [&[u8]; 2] = [
    include_bytes!("../../assets/fonts/NotoSansSC-Lessons.otf"),
    include_bytes!("../../assets/fonts/NotoSansSC-Lessons-Bold.otf"),
];

/// A face as a file that is made of the window needs it.
pub struct Face {
    /// Its name in [`definitions`].
    pub file: &'static str,
    /// The family that it belongs to.
    pub family: &'static str,
    /// How bold it is, as CSS counts.
    pub weight: u16,
    /// The file.
    pub data: &'static [u8],
    /// It is for Chinese.
    pub chinese: bool,
}

/// Every face that is part of the program.
pub fn faces() -> impl Iterator<Item = Face> {
    let names = [("Inter", 400), ("Inter", 600), ("JetBrains Mono", 400), ("JetBrains Mono", 700), ("Lucide", 400)];
    let latin = FACES.into_iter().zip(names).map(|((file, data), (family, weight))| Face {
        file,
        family,
        weight,
        data,
        chinese: false,
    });
    #[cfg(not(target_arch = "wasm32"))]
    let chinese = CHINESE.into_iter().zip(CHINESE_FACES).zip([400, 700]).map(|((file, data), weight)| Face {
        file,
        family: "Noto Sans SC",
        weight,
        data,
        chinese: true,
    });
    #[cfg(target_arch = "wasm32")]
    let chinese = std::iter::empty();
    latin.chain(chinese)
}

/// Puts the faces into a context.
pub fn install(ctx: &egui::Context) {
    #[cfg(not(target_arch = "wasm32"))]
    ctx.set_fonts(definitions(Some(CHINESE_FACES.map(FontData::from_static))));
    #[cfg(target_arch = "wasm32")]
    ctx.set_fonts(definitions(None));
}

/// Adds the faces for Chinese, regular and bold, where they are no part of the program.
#[cfg(target_arch = "wasm32")]
pub fn add_chinese(ctx: &egui::Context, files: [Vec<u8>; 2]) {
    ctx.set_fonts(definitions(Some(files.map(FontData::from_owned))));
}

fn definitions(chinese: Option<[FontData; 2]>) -> FontDefinitions {
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
    if let Some(files) = chinese {
        for (name, face) in CHINESE.into_iter().zip(files) {
            fonts.font_data.insert(name.to_owned(), Arc::new(face));
        }
        // Last, so that Latin letters and figures stay those of the other faces.
        for (family, faces) in &mut fonts.families {
            let bold = matches!(family, FontFamily::Name(name) if [BOLD, MONO_BOLD].contains(&&**name));
            faces.push(CHINESE[usize::from(bold)].to_owned());
        }
    }
    fonts
}
