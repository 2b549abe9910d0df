//! A profile as a picture: one bar a layer, as long as its time, coloured by how it is computed.
//!
//! What flows in is a profile; what flows out is one SVG document, light or dark as its reader prefers. Called by `profile`.

use svg::Document;
use svg::node::element::{Rectangle, Style, Text, Title};

use crate::profile::{LayerProfile, Report};

/// Sizes in pixels: of a row, of the columns left of the bars and of the longest bar, around all.
const ROW: f64 = 16.0;
const NAMES: f64 = 260.0;
const BARS: f64 = 460.0;
const FIGURES: f64 = 190.0;
const MARGIN: f64 = 16.0;
/// Rows above the first bar: title and legend.
const HEAD: f64 = 4.0;

/// Letters of a name that find room; of a longer one the end says more.
const NAME_LETTERS: usize = 36;

/// A class of style for each way to compute a layer, and what it is called in the legend.
const KINDS: [(&str, &str); 6] = [
    ("winograd", "Winograd"),
    ("im2col", "im2col"),
    ("pointwise", "pointwise"),
    ("depthwise", "depthwise"),
    ("transposed", "transposed"),
    ("other", "other"),
];

/// Colours that can be told apart in either scheme (Okabe & Ito 2008, "Color Universal Design").
const STYLE: &str = "
text { font: 11px system-ui, sans-serif; fill: #222 } .title { font-size: 14px; font-weight: 600 } .figure { fill: #555 }
.ground { fill: #fff } .winograd { fill: #0072b2 } .im2col { fill: #e69f00 } .pointwise { fill: #009e73 }
.depthwise { fill: #cc79a7 } .transposed { fill: #d55e00 } .other { fill: #999 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .figure { fill: #aaa } .ground { fill: #181818 } }
";

/// The picture of a profile.
pub(crate) fn draw(report: &Report) -> String {
    let width = 2.0 * MARGIN + NAMES + BARS + FIGURES;
    let height = 2.0 * MARGIN + ROW * (HEAD + report.layers.len() as f64);
    let title = format!(
        "{}: {:.3} ms, {} thread{}, {}",
        report.model,
        1e3 * report.median_seconds,
        report.threads,
        if report.threads == 1 { "" } else { "s" },
        report.level
    );
    let mut picture = Document::new()
        .set("viewBox", (0, 0, width, height))
        .set("role", "img")
        .add(Title::new(title.clone()))
        .add(Style::new(STYLE))
        .add(Rectangle::new().set("class", "ground").set("width", width).set("height", height))
        .add(text(title, MARGIN, MARGIN + ROW, "title"));
    for (i, (class, name)) in KINDS.into_iter().enumerate() {
        let x = MARGIN + 110.0 * i as f64;
        let y = MARGIN + 2.0 * ROW;
        picture = picture.add(bar(class, [x, y, ROW - 5.0])).add(text(name.into(), x + ROW, y + 10.0, ""));
    }
    let longest = report.layers.iter().map(|layer| layer.time.median_seconds).fold(0.0, f64::max);
    for (row, layer) in report.layers.iter().enumerate() {
        let y = MARGIN + ROW * (HEAD + row as f64);
        let share = if longest > 0.0 { layer.time.median_seconds / longest } else { 0.0 };
        let x = MARGIN + NAMES;
        picture = picture
            .add(text(shortened(&layer.time.name), MARGIN, y + 10.0, ""))
            .add(bar(class(layer), [x, y, BARS * share]).add(Title::new(hint(layer))))
            .add(text(figure(layer), x + BARS * share + 5.0, y + 10.0, "figure"));
    }
    format!("{picture}\n")
}

fn bar(class: &str, [x, y, width]: [f64; 3]) -> Rectangle {
    let rounded = |length: f64| (100.0 * length).round() / 100.0;
    Rectangle::new()
        .set("class", class)
        .set("x", x)
        .set("y", y)
        .set("width", rounded(width))
        .set("height", ROW - 4.0)
}

fn text(content: String, x: f64, y: f64, class: &str) -> Text {
    Text::new(content).set("x", (100.0 * x).round() / 100.0).set("y", y).set("class", class)
}

fn class(layer: &LayerProfile) -> &'static str {
    match (layer.time.operator.as_str(), layer.time.algorithm.as_str()) {
        ("ConvTranspose", _) => "transposed",
        (_, algorithm) if algorithm.starts_with("winograd") => "winograd",
        (_, "im2col") => "im2col",
        (_, "pointwise") => "pointwise",
        (_, "depthwise") => "depthwise",
        _ => "other",
    }
}

/// Beside a bar.
fn figure(layer: &LayerProfile) -> String {
    let time = format!("{:.4} ms", 1e3 * layer.time.median_seconds);
    layer
        .share_of_peak
        .map_or_else(|| time.clone(), |share| format!("{time}, {:.0} % of peak", 100.0 * share))
}

/// What a pointer over a bar shows.
fn hint(layer: &LayerProfile) -> String {
    let words = [&layer.time.name, &layer.time.operator, &layer.time.algorithm].map(String::as_str);
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    format!("{}: {:.1} % of the time", words.join(", "), 100.0 * layer.time.share)
}

/// The end of a long name.
fn shortened(name: &str) -> String {
    let letters = name.chars().count();
    if letters <= NAME_LETTERS {
        return name.into();
    }
    let rest: String = name.chars().skip(letters - NAME_LETTERS + 1).collect();
    format!("…{rest}")
}
