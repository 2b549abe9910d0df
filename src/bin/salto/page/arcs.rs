//! Skips as arcs beside the map, from the row that writes to the row that reads.

use maud::{Markup, PreEscaped, html};
use salto::host::report::{MemoryReport, Skip};

/// The column's width in units of its own: it is stretched to the width that the page has, strokes are not.
const WIDTH: f64 = 100.0;

/// The column; empty without skips.
pub(super) fn column(memory: &MemoryReport) -> Markup {
    let longest = memory.skips.iter().map(span).fold(1.0, f64::max);
    let heaviest = memory.skips.iter().map(|skip| bytes(memory, skip)).max().unwrap_or(1);
    let peak = memory.peak.as_ref().map(|peak| peak.step);
    // Long arcs first, so that short ones lie above them and can be pointed at.
    let mut skips: Vec<&Skip> = memory.skips.iter().collect();
    skips.sort_by(|a, b| span(b).total_cmp(&span(a)));
    html! {
        svg.arcs viewBox={ "0 0 " (WIDTH) " " (memory.steps.len()) } preserveAspectRatio="none" aria-hidden="true" {
            @for skip in skips {
                @let curve = curve(skip, longest);
                @let weight = (bytes(memory, skip) as f64 / heaviest.max(1) as f64).sqrt();
                g.arc.at_peak[peak.is_some_and(|peak| lives_at(skip, peak))] data-buffer=(skip.buffer)
                    data-from=(skip.from.map_or_else(String::new, |from| from.to_string())) data-to=(skip.to) {
                    path.hit d=(curve) {}
                    path.line d=(curve) stroke-width=(format!("{:.2}", 1.0 + 2.0 * weight)) {}
                    path.end d=(PreEscaped(format!("M0,{:.1}h0", row(skip.to)))) {}
                }
            }
        }
    }
}

/// Does it wait, or is it read, in this step?
fn lives_at(skip: &Skip, step: usize) -> bool {
    skip.from.is_none_or(|from| from < step) && step <= skip.to
}

/// From the middle of a row to the middle of another, the farther out the longer.
fn curve(skip: &Skip, longest: f64) -> String {
    let (from, to) = (skip.from.map_or(0.0, row), row(skip.to));
    // A cubic reaches three quarters of the way to its control points.
    let out = WIDTH * (0.25 + (span(skip) / longest).sqrt()) / 1.25 * 1.3;
    format!("M0,{from:.1}C{out:.1},{from:.1} {out:.1},{to:.1} 0,{to:.1}")
}

fn row(step: usize) -> f64 {
    step as f64 + 0.5
}

fn span(skip: &Skip) -> f64 {
    (skip.to - skip.from.unwrap_or(0)) as f64
}

fn bytes(memory: &MemoryReport, skip: &Skip) -> u64 {
    memory.buffers.get(skip.buffer).map_or(0, |buffer| buffer.bytes)
}
