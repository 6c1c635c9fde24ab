//! The faces: Inter for the interface, JetBrains Mono for numbers, Lucide for what both lack.
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

/// Puts the faces into a context.
pub fn install(ctx: &egui::Context) {
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
    ctx.set_fonts(fonts);
}
