//! Design tokens: every colour, radius and text style that the views use, for each theme.
//!
//! Hues follow Okabe and Ito, so that they stay apart for people who see colours differently; a
//! view doubles each of them by a glyph, hatching or a word. Text colours keep a contrast of at
//! least 4.5:1 on every surface that they are used on (a test holds this).

use std::collections::BTreeMap;

use egui::style::{WidgetVisuals, Widgets};
use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, TextStyle, Vec2};

use super::Theme;

/// A colour with a meaning, in the four ways that it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hue {
    /// Lines, arrows and filled marks.
    pub line: Color32,
    /// Text on any surface, on `tint` too.
    pub text: Color32,
    /// Background of a head, a row or a badge.
    pub tint: Color32,
    /// Border of something tinted.
    pub edge: Color32,
}

/// The colours of a theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Which theme this is.
    pub theme: Theme,
    /// Panels: bar, strip, left, right, bottom.
    pub panel: Color32,
    /// The stage, text fields, the explanation box.
    pub stage: Color32,
    /// Cards of tables and registers.
    pub card: Color32,
    /// Rails between a guest table and its shadow.
    pub rail: Color32,
    /// Hairlines between zones and around cards.
    pub border: Color32,
    /// Buttons at rest.
    pub button: Color32,
    /// Buttons under the pointer.
    pub button_hover: Color32,
    /// The selected tab, row or list item.
    pub selected: Color32,
    /// An untouched cell of the page map or the bit strip.
    pub cell: Color32,
    /// A cell in use.
    pub cell_used: Color32,
    /// Headings and values.
    pub strong: Color32,
    /// Running text.
    pub text: Color32,
    /// Labels and what is less important; still readable.
    pub weak: Color32,
    /// Fill of the primary button.
    pub primary: Color32,
    /// Text on `primary`.
    pub on_primary: Color32,
    /// The guest: its tables, walks and stores.
    pub guest: Hue,
    /// The shadow: what the processor really walks under a hypervisor.
    pub shadow: Hue,
    /// A register that differs from memory.
    pub stale: Hue,
    /// Faults and refusals.
    pub fault: Hue,
    /// A hit in a translation cache.
    pub hit: Hue,
    /// Just changed.
    pub changed: Hue,
    /// A seventh engine beside six others.
    pub other: Hue,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

const fn hue(line: u32, text: u32, tint: u32, edge: u32) -> Hue {
    Hue { line: rgb(line), text: rgb(text), tint: rgb(tint), edge: rgb(edge) }
}

/// Light on dark.
pub static DARK: Tokens = Tokens {
    theme: Theme::Dark,
    panel: rgb(0x15_1b_23),
    stage: rgb(0x0d_11_17),
    card: rgb(0x1b_22_2c),
    rail: rgb(0x5b_67_77),
    border: rgb(0x2b_34_40),
    button: rgb(0x21_2a_35),
    button_hover: rgb(0x2b_36_44),
    selected: rgb(0x24_34_47),
    cell: rgb(0x1d_25_2f),
    cell_used: rgb(0x3c_44_4e),
    strong: rgb(0xe6_ed_f3),
    text: rgb(0xc4_ce_d9),
    weak: rgb(0x95_a1_b0),
    primary: rgb(0x58_a6_e8),
    on_primary: rgb(0x0d_11_17),
    guest: hue(0x58_a6_e8, 0x6c_b2_ee, 0x12_29_3d, 0x2f_4d_6a),
    shadow: hue(0x2f_c4_9a, 0x2f_c4_9a, 0x0e_2f_28, 0x22_57_50),
    stale: hue(0xf0_b4_29, 0xf0_b4_29, 0x3a_2c_0a, 0x7a_5c_17),
    fault: hue(0xef_6f_4d, 0xf5_84_65, 0x3a_1b_14, 0x83_3c_2a),
    hit: hue(0x8a_d6_f7, 0x8a_d6_f7, 0x12_2f_3b, 0x2d_5f_74),
    changed: hue(0xe2_9a_c4, 0xe2_9a_c4, 0x38_20_30, 0x7d_4c_69),
    other: hue(0xb4_a0_e8, 0xb9_a6_ec, 0x25_1f_3c, 0x57_4a_8a),
};

/// Dark on light.
pub static LIGHT: Tokens = Tokens {
    theme: Theme::Light,
    panel: rgb(0xff_ff_ff),
    stage: rgb(0xf6_f7_f8),
    card: rgb(0xff_ff_ff),
    rail: rgb(0x9a_a4_b0),
    border: rgb(0xd9_de_e4),
    button: rgb(0xee_f1_f4),
    button_hover: rgb(0xe2_e7_ec),
    selected: rgb(0xdb_e9_f6),
    cell: rgb(0xf0_f2_f4),
    cell_used: rgb(0xc9_cd_d1),
    strong: rgb(0x1b_21_28),
    text: rgb(0x33_3c_46),
    weak: rgb(0x58_63_70),
    primary: rgb(0x00_67_a8),
    on_primary: rgb(0xff_ff_ff),
    guest: hue(0x00_67_a8, 0x00_63_a1, 0xe3_f0_fa, 0xaa_cc_e2),
    shadow: hue(0x00_80_5c, 0x00_73_53, 0xe0_f4_ee, 0xaa_d5_c9),
    stale: hue(0xb6_7a_00, 0x86_58_00, 0xfd_f1_d4, 0xe3_c2_7c),
    fault: hue(0xc8_4b_14, 0xb0_3d_0a, 0xfb_e8_df, 0xe8_b4_9c),
    hit: hue(0x00_7c_a8, 0x00_69_8f, 0xdf_f2_fa, 0x9d_d2_e6),
    changed: hue(0xb0_4a_86, 0x9c_3a_74, 0xf8_e4_f0, 0xdd_ac_c9),
    other: hue(0x6a_4f_b0, 0x5b_3f_a3, 0xed_e8_f8, 0xc2_b4_e4),
};

/// White on black.
pub static HIGH_CONTRAST: Tokens = Tokens {
    theme: Theme::HighContrast,
    panel: rgb(0x00_00_00),
    stage: rgb(0x00_00_00),
    card: rgb(0x0a_0a_0a),
    rail: rgb(0xc0_c0_c0),
    border: rgb(0x8a_8a_8a),
    button: rgb(0x17_17_17),
    button_hover: rgb(0x33_33_33),
    selected: rgb(0x00_2a_4d),
    cell: rgb(0x1a_1a_1a),
    cell_used: rgb(0x6a_6a_6a),
    strong: rgb(0xff_ff_ff),
    text: rgb(0xf2_f2_f2),
    weak: rgb(0xcf_cf_cf),
    primary: rgb(0x8a_cf_ff),
    on_primary: rgb(0x00_00_00),
    guest: hue(0x8a_cf_ff, 0x9f_d8_ff, 0x00_1d_33, 0x6f_b4_e6),
    shadow: hue(0x4f_e8_bb, 0x5f_f0_c4, 0x00_24_1a, 0x3c_b8_93),
    stale: hue(0xff_c9_3c, 0xff_d0_55, 0x2e_20_00, 0xd8_a4_28),
    fault: hue(0xff_93_72, 0xff_a5_88, 0x33_0f_04, 0xe0_70_4c),
    hit: hue(0xa8_e4_ff, 0xb4_e8_ff, 0x00_24_30, 0x7a_bf_da),
    changed: hue(0xff_b0_de, 0xff_bc_e3, 0x30_0a_22, 0xd8_84_b6),
    other: hue(0xc9_b6_ff, 0xd3_c4_ff, 0x1b_10_38, 0xa0_8a_d8),
};

/// Black on white, for projectors that show greys as white.
pub static PROJECTOR: Tokens = Tokens {
    theme: Theme::Projector,
    panel: rgb(0xff_ff_ff),
    stage: rgb(0xff_ff_ff),
    card: rgb(0xff_ff_ff),
    rail: rgb(0x55_55_55),
    border: rgb(0x8c_94_9c),
    button: rgb(0xee_f1_f4),
    button_hover: rgb(0xdb_e1_e7),
    selected: rgb(0xd3_e6_f8),
    cell: rgb(0xe6_e9_ec),
    cell_used: rgb(0xa4_aa_b0),
    strong: rgb(0x00_00_00),
    text: rgb(0x12_16_1b),
    weak: rgb(0x36_3e_47),
    primary: rgb(0x00_4a_80),
    on_primary: rgb(0xff_ff_ff),
    guest: hue(0x00_58_96, 0x00_45_78, 0xe3_f0_fa, 0x4d_8f_bd),
    shadow: hue(0x00_6b_4c, 0x00_4f_39, 0xe0_f4_ee, 0x4a_9c_82),
    stale: hue(0x9a_62_00, 0x5c_3b_00, 0xfd_f1_d4, 0xb8_86_2a),
    fault: hue(0xb8_3a_06, 0x84_28_00, 0xfb_e8_df, 0xcc_76_52),
    hit: hue(0x00_66_8c, 0x00_48_63, 0xdf_f2_fa, 0x4d_9c_bb),
    changed: hue(0xa0_36_76, 0x78_20_55, 0xf8_e4_f0, 0xbb_72_9e),
    other: hue(0x5a_3e_a6, 0x40_24_8a, 0xed_e8_f8, 0x8f_7c_c8),
};

impl Tokens {
    /// The tokens of a theme.
    #[must_use]
    pub const fn of(theme: Theme) -> &'static Self {
        match theme {
            Theme::Dark => &DARK,
            Theme::Light => &LIGHT,
            Theme::HighContrast => &HIGH_CONTRAST,
            Theme::Projector => &PROJECTOR,
        }
    }
}

/// The tokens of the theme in force.
#[must_use]
pub fn tokens(ctx: &egui::Context) -> &'static Tokens {
    let of_system = Theme::from(ctx.theme());
    let chosen = ctx.data(|data| data.get_temp::<Theme>(chosen_id())).filter(|theme| {
        // What was chosen counts for as long as it is light or dark as the context is.
        egui::Theme::from(*theme) == ctx.theme()
    });
    Tokens::of(chosen.unwrap_or(of_system))
}

fn chosen_id() -> egui::Id {
    egui::Id::unique("the chosen theme")
}

/// Corners of cards and fields, in points.
pub const RADIUS: u8 = 8;
/// Corners of chips, rows and list items, in points.
pub const RADIUS_SMALL: u8 = 5;
/// Height of a row of a table card or of a list, in points.
pub const ROW: f32 = 26.0;
/// Height of a button, chip or field, in points.
pub const CONTROL: f32 = 30.0;
/// Height of a chip, in points.
pub const CHIP: f32 = 26.0;
/// The least side of what a finger presses, in points.
pub const TOUCH: f32 = 44.0;
/// Windows less wide than this, in points, are those of telephones.
const TELEPHONE: f32 = 700.0;
/// Distance from a zone's border to its content, in points.
pub const PAD: f32 = 14.0;
/// How long a control takes to change, in seconds.
pub const ANIMATION: f32 = 0.12;
/// The size of running text, in points; running text of Explore is no smaller.
pub const TEXT: f32 = 14.0;

/// The heavier weight of the interface's face.
pub const BOLD: &str = "bold";
/// The heavier weight of the numbers' face.
pub const MONO_BOLD: &str = "mono-bold";

/// Interface text in the heavier weight.
#[must_use]
pub fn bold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(BOLD.into()))
}

/// Interface text.
#[must_use]
pub const fn plain(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Numbers: digits of equal width, zero apart from O.
#[must_use]
pub const fn mono(size: f32) -> FontId {
    FontId::new(size, FontFamily::Monospace)
}

/// Numbers in the heavier weight.
#[must_use]
pub fn mono_bold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(MONO_BOLD.into()))
}

/// Whether controls are to be large enough for a finger: on a telephone, and wherever a finger has
/// been seen.
#[must_use]
pub fn is_touch(ctx: &egui::Context) -> bool {
    ctx.data(|data| data.get_temp::<bool>(touch_id())).unwrap_or_default()
}

fn touch_id() -> egui::Id {
    egui::Id::unique("controls for a finger")
}

/// Notices the first finger, and windows that become as narrow as a telephone or wider again.
pub fn follow_touch(ctx: &egui::Context) {
    let seen = egui::Id::unique("a finger was seen");
    let touched = ctx.input(|input| input.events.iter().any(|event| matches!(event, egui::Event::Touch { .. })));
    let finger = ctx.data_mut(|data| {
        let seen = data.get_temp_mut_or_default::<bool>(seen);
        *seen |= touched;
        *seen
    });
    let touch = finger || ctx.content_rect().width() < TELEPHONE;
    if touch != is_touch(ctx) {
        ctx.data_mut(|data| data.insert_temp(touch_id(), touch));
        for theme in [egui::Theme::Dark, egui::Theme::Light] {
            ctx.style_mut_of(theme, |style| for_finger(style, touch));
        }
        ctx.request_repaint();
    }
}

/// What a style has otherwise while controls are for a finger.
fn for_finger(style: &mut egui::Style, touch: bool) {
    style.spacing.interact_size.y = least(touch, CONTROL);
    // A finger moves what is beside the bar, which lies on no control then.
    let scroll = egui::style::ScrollStyle::thin();
    style.spacing.scroll.bar_width = if touch { scroll.floating_allocated_width } else { scroll.bar_width };
}

const fn least(touch: bool, height: f32) -> f32 {
    if touch { height.max(TOUCH) } else { height }
}

/// Height of a button or a field, in points.
#[must_use]
pub fn control(ui: &egui::Ui) -> f32 {
    least(is_touch(ui.ctx()), CONTROL)
}

/// Height of a chip, in points.
#[must_use]
pub fn chip(ui: &egui::Ui) -> f32 {
    least(is_touch(ui.ctx()), CHIP)
}

/// Height of a row of a list, in points.
#[must_use]
pub fn row(ui: &egui::Ui) -> f32 {
    least(is_touch(ui.ctx()), ROW)
}

/// The least width of what is `width` wide for a mouse, in points.
#[must_use]
pub fn wide(ui: &egui::Ui, width: f32) -> f32 {
    least(is_touch(ui.ctx()), width)
}

/// The least size of a button that is as wide as its words, in points.
#[must_use]
pub fn button_size(ui: &egui::Ui) -> Vec2 {
    if is_touch(ui.ctx()) { Vec2::splat(TOUCH) } else { Vec2::new(0.0, CONTROL) }
}

/// What becomes the place of something pressed: as it is painted, or as large as a finger needs.
#[must_use]
pub fn target(ui: &egui::Ui, painted: egui::Rect) -> egui::Rect {
    let size = if is_touch(ui.ctx()) { painted.size().max(Vec2::splat(TOUCH)) } else { painted.size() };
    egui::Rect::from_center_size(painted.center(), size)
}

/// The same of something that lies in `room`, which it does not leave.
#[must_use]
pub fn target_in(ui: &egui::Ui, painted: egui::Rect, room: egui::Rect) -> egui::Rect {
    let target = target(ui, painted);
    let inside = |low: f32, high: f32, least: f32, most: f32| (least - low).max(0.0) + (most - high).min(0.0);
    let by = Vec2::new(
        inside(target.left(), target.right(), room.left(), room.right()),
        inside(target.top(), target.bottom(), room.top(), room.bottom()),
    );
    target.translate(by)
}

/// Puts fonts and styles into a context. `None` follows the system's theme.
pub fn install(ctx: &egui::Context, theme: Option<Theme>) {
    super::fonts::install(ctx);
    for theme in [Theme::Dark, Theme::Light] {
        set_style(ctx, theme);
    }
    choose(ctx, theme);
}

/// Switches the theme. `None` follows the system.
pub fn choose(ctx: &egui::Context, theme: Option<Theme>) {
    if let Some(theme) = theme {
        ctx.data_mut(|data| data.insert_temp(chosen_id(), theme));
        set_style(ctx, theme);
    }
    ctx.set_theme(match theme {
        None => egui::ThemePreference::System,
        Some(theme) => egui::Theme::from(theme).into(),
    });
}

fn set_style(ctx: &egui::Context, theme: Theme) {
    let mut style = style(Tokens::of(theme));
    for_finger(&mut style, is_touch(ctx));
    ctx.set_style_of(theme.into(), style);
}

fn style(t: &Tokens) -> egui::Style {
    let mut style = egui::Style {
        visuals: visuals(t),
        text_styles: text_styles(),
        animation_time: ANIMATION,
        ..egui::Style::default()
    };
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::new(8.0, 6.0);
    spacing.button_padding = Vec2::new(12.0, 5.0);
    spacing.interact_size = Vec2::new(30.0, CONTROL);
    spacing.window_margin = Margin::same(12);
    spacing.menu_margin = Margin::same(8);
    spacing.scroll = egui::style::ScrollStyle::thin();
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.35;
    style
}

fn text_styles() -> BTreeMap<TextStyle, FontId> {
    BTreeMap::from([
        (TextStyle::Small, plain(TEXT)),
        (TextStyle::Body, plain(TEXT)),
        (TextStyle::Button, plain(TEXT)),
        (TextStyle::Heading, bold(16.0)),
        (TextStyle::Monospace, mono(TEXT)),
    ])
}

fn visuals(t: &Tokens) -> egui::Visuals {
    let mut visuals = match t.theme {
        Theme::Dark | Theme::HighContrast => egui::Visuals::dark(),
        Theme::Light | Theme::Projector => egui::Visuals::light(),
    };
    let radius = CornerRadius::same(RADIUS_SMALL + 1);
    let widget = |fill: Color32, edge: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, edge),
        corner_radius: radius,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    visuals.widgets = Widgets {
        noninteractive: widget(t.panel, t.border, t.text),
        inactive: widget(t.button, t.border, t.strong),
        hovered: widget(t.button_hover, t.guest.edge, t.strong),
        active: widget(t.selected, t.guest.line, t.strong),
        open: widget(t.button_hover, t.guest.edge, t.strong),
    };
    visuals.selection.bg_fill = t.selected;
    visuals.selection.stroke = Stroke::new(1.5, t.guest.line);
    visuals.weak_text_color = Some(t.weak);
    visuals.hyperlink_color = t.guest.text;
    visuals.faint_bg_color = t.cell;
    visuals.extreme_bg_color = t.stage;
    visuals.text_edit_bg_color = Some(t.stage);
    visuals.code_bg_color = t.cell;
    visuals.warn_fg_color = t.stale.text;
    visuals.error_fg_color = t.fault.text;
    visuals.window_fill = t.card;
    visuals.window_stroke = Stroke::new(1.0, t.border);
    visuals.window_corner_radius = CornerRadius::same(RADIUS);
    visuals.menu_corner_radius = CornerRadius::same(RADIUS);
    visuals.panel_fill = t.panel;
    let shadow = Shadow { offset: [0, 4], blur: 16, spread: 0, color: Color32::from_black_alpha(72) };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    // A disabled control stays readable: its tooltip explains why it is disabled.
    visuals.disabled_alpha = 0.75;
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(color: Color32) -> f32 {
        let channel = |value: u8| {
            let v = f32::from(value) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(color.r()) + 0.7152 * channel(color.g()) + 0.0722 * channel(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_is_readable_everywhere() {
        for (t, least) in [(&DARK, 4.5), (&LIGHT, 4.5), (&HIGH_CONTRAST, 7.0), (&PROJECTOR, 7.0)] {
            let surfaces = [t.panel, t.stage, t.card, t.button, t.selected, t.cell];
            let hues = [t.guest, t.shadow, t.stale, t.fault, t.hit, t.changed, t.other];
            for surface in surfaces {
                for text in [t.strong, t.text, t.weak].into_iter().chain(hues.map(|hue| hue.text)) {
                    let ratio = contrast(text, surface);
                    assert!(ratio >= least, "{:?}: {text:?} on {surface:?} has {ratio:.2}", t.theme);
                }
            }
            for hue in hues {
                for text in [hue.text, t.strong, t.weak] {
                    let ratio = contrast(text, hue.tint);
                    assert!(ratio >= least, "{:?}: {text:?} on tint {:?} has {ratio:.2}", t.theme, hue.tint);
                }
            }
            assert!(contrast(t.on_primary, t.primary) >= least);
        }
    }
}
