//! The map: addresses from left to right, steps from top to bottom, a rectangle for each buffer.
//!
//! Time runs down the page because step names are read in lines, and because a phone scrolls that way. Rows have one height, so
//! that names, rectangles and arcs, which are three columns, stay side by side at any width.

use maud::{Markup, html};
use salto::host::report::{BufferReport, Bytes, MemoryReport, StepReport};

use super::{arcs, dims, exact, percent};

/// Classes of style of buffers, as the legend names them.
const CLASSES: [(&str, &str); 7] = [
    ("input", "input"),
    ("activation", "activation"),
    ("kept", "activation that a skip keeps"),
    ("output", "output"),
    ("state", "state"),
    ("scratch", "scratch"),
    ("buffer", "buffer"),
];

/// The most ticks of the axis.
const TICKS: u64 = 5;

/// The class of a buffer's style: its own, or that of activations that a skip keeps.
pub(super) fn class(number: usize, memory: &MemoryReport) -> &str {
    let class = memory.buffers.get(number).map_or("", |buffer| &buffer.class);
    let is_kept = class == "activation" && memory.skips.iter().any(|skip| skip.buffer == number);
    if is_kept { "kept" } else { class }
}

/// Map, arcs and legend.
pub(super) fn section(memory: &MemoryReport) -> Markup {
    let steps = memory.steps.len();
    let arena = memory.arena_bytes;
    html! {
        section #map {
            h2 { "Map" }
            p.note {
                "Addresses from left to right, steps from top to bottom. Where a buffer is hatched it only waits. "
                @if !memory.skips.is_empty() { "An arc is a skip: from the step that writes it to the last that reads it." }
            }
            (legend(memory))
            div.map.dense[steps > 60].tiny[steps > 400].arcless[memory.skips.is_empty()] style={ "--steps:" (steps) } {
                (axis(arena))
                (step_names(memory))
                div.plane role="list" aria-label="buffers" {
                    @for (number, buffer) in memory.buffers.iter().enumerate() {
                        (rectangle(number, buffer, memory))
                    }
                }
                (arcs::column(memory))
                @if let Some(peak) = &memory.peak {
                    div.peak style={ "--y:" (peak.step) } { span { "peak" } }
                }
            }
        }
    }
}

fn legend(memory: &MemoryReport) -> Markup {
    let is_there = |name: &str| (0..memory.buffers.len()).any(|number| class(number, memory) == name);
    html! {
        ul.legend {
            @for (class, name) in CLASSES.into_iter().filter(|(class, _)| is_there(class)) {
                li { span class={ "key " (class) } {} " " (name) }
            }
            li { span.key.waiting {} " waiting" }
            @if !memory.skips.is_empty() { li { span.key.arc {} " skip" } li { span.key.arc.at_peak {} " skip at the peak" } }
            @if memory.peak.is_some() { li { span.key.frame {} " peak" } }
        }
    }
}

/// Round addresses above the map.
fn axis(arena: u64) -> Markup {
    let mut step = 1;
    while step * TICKS < arena {
        step *= 2;
    }
    // The end of the arena is a tick of its own; one just before it would lie under it.
    let ticks = (0..).map(|tick| tick * step).take_while(|tick| tick * 100 < arena * 85);
    html! {
        div.axis aria-hidden="true" {
            @for tick in ticks {
                // Where the page is narrow, only what stands far from its neighbours is shown.
                @let is_spare = tick * 100 > arena * 48 || (step * 100 < arena * 25 && tick / step % 2 == 1);
                span.spare[is_spare] style={ "left:" (percent(tick, arena)) "%" } { @if tick == 0 { "0" } @else { (Bytes(tick)) } }
            }
            span.end { (Bytes(arena)) }
        }
    }
}

fn step_names(memory: &MemoryReport) -> Markup {
    let row = |(number, step): (usize, &StepReport)| {
        let live = Bytes(step.activation_bytes + step.scratch_bytes);
        html! {
            li id={ "step" (number) } title={ (number) " " (step.name) " " (step.operator) ", " (live) " live" } {
                span.name { span { (step.name) } }
                span.live { (live) }
                span.count { (number) }
            }
        }
    };
    html! {
        ol.steps aria-label="steps" { @for step in memory.steps.iter().enumerate() { (row(step)) } }
    }
}

/// A buffer, with what a pointer over it shows.
fn rectangle(number: usize, buffer: &BufferReport, memory: &MemoryReport) -> Markup {
    let rows = u64::from(buffer.last_step - buffer.first_step) + 1;
    let style = format!(
        "--x:{};--w:{};--y:{};--h:{rows}",
        percent(buffer.offset, memory.arena_bytes),
        percent(buffer.bytes, memory.arena_bytes),
        buffer.first_step
    );
    html! {
        div class={ "buffer " (class(number, memory)) } role="listitem" style=(style) data-buffer=(number) tabindex=(if number == 0 { "0" } else { "-1" }) {
            @for (first, last) in waits(buffer) {
                i.wait style={ "--y:" (first - buffer.first_step as usize) ";--h:" (last + 1 - first) } {}
            }
            @for writer in buffer.writers.iter().skip(1) {
                i.write style={ "--y:" (writer - buffer.first_step as usize) } {}
            }
            b { (label(buffer)) }
            (details(buffer, memory))
        }
    }
}

/// What fits into a rectangle: of a long name the end, which says more.
fn label(buffer: &BufferReport) -> String {
    if buffer.class == "scratch" {
        return "scratch".into();
    }
    let end = |name: &str| {
        let parts: Vec<&str> = name.trim_matches('\'').rsplitn(3, ['.', '/']).take(2).collect();
        parts.into_iter().rev().collect::<Vec<_>>().join(".")
    };
    buffer.holds.split(" … ").map(end).collect::<Vec<_>>().join(" … ")
}

/// All that is known of a buffer.
fn details(buffer: &BufferReport, memory: &MemoryReport) -> Markup {
    let at = |step: Option<&usize>| {
        let step = *step?;
        Some(format!("{} (step {step})", memory.steps.get(step)?.name))
    };
    let BufferReport { holds, class, shape, offset, bytes, first_step, last_step, .. } = buffer;
    html! {
        dl {
            dt { "holds" } dd { (holds) }
            dt { "class" } dd { (class) }
            @if !shape.is_empty() { dt { "shape" } dd { (dims(shape)) } }
            dt { "bytes" } dd { (Bytes(*bytes)) " (" (exact(*bytes)) ")" }
            dt { "offset" } dd { (offset) }
            dt { "steps" } dd { (first_step) "…" (last_step) }
            @if let Some(producer) = at(buffer.writers.first()) { dt { "producer" } dd { (producer) } }
            @if buffer.writers.len() > 1 {
                @if let Some(writer) = at(buffer.writers.last()) { dt { "last writer" } dd { (writer) } }
            }
            @if let Some(reader) = at(buffer.readers.last()) { dt { "last reader" } dd { (reader) } }
        }
    }
}

/// The runs of steps in which a buffer lives but is neither written nor read; none of scratch or of what nobody is known to use.
fn waits(buffer: &BufferReport) -> Vec<(usize, usize)> {
    let mut used: Vec<usize> = buffer.writers.iter().chain(&buffer.readers).copied().collect();
    if used.is_empty() {
        return Vec::new();
    }
    used.sort_unstable();
    let mut waits = Vec::new();
    let mut next = buffer.first_step as usize;
    let end = buffer.last_step as usize + 1;
    for step in used.into_iter().chain([end]) {
        if step > next {
            waits.push((next, step - 1));
        }
        next = next.max(step + 1);
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_waits_where_nobody_uses_it() {
        let buffer = BufferReport {
            holds: String::new(),
            class: "activation".into(),
            shape: Vec::new(),
            offset: 0,
            bytes: 1,
            first_step: 2,
            last_step: 9,
            writers: vec![3, 6],
            readers: vec![4, 6],
        };
        assert_eq!(waits(&buffer), [(2, 2), (5, 5), (7, 9)]);
    }
}
