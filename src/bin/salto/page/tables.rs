//! What the map shows, as tables: for whom cannot see it, and to search and copy.

use maud::{Markup, html};
use salto::host::report::{BufferReport, MemoryReport, Skip};

use super::dims;

/// Buffers and skips, folded away.
pub(super) fn section(memory: &MemoryReport) -> Markup {
    let name = |step: usize| memory.steps.get(step).map_or("", |step| step.name.as_str());
    html! {
        section #tables {
            h2 { "As tables" }
            details {
                summary { (memory.buffers.len()) " buffers" }
                div.scroll { (buffers(memory)) }
            }
            @if !memory.skips.is_empty() {
                details {
                    summary { (memory.skips.len()) " skips" }
                    div.scroll { (skips(memory, name)) }
                }
            }
        }
    }
}

fn buffers(memory: &MemoryReport) -> Markup {
    let list = |steps: &[usize]| steps.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let row = |(number, buffer): (usize, &BufferReport)| {
        html! {
            tr {
                td.number { (number) }
                td.name { (buffer.holds) }
                td { (buffer.class) }
                td { (dims(&buffer.shape)) }
                td.number { (buffer.bytes) }
                td.number { (buffer.offset) }
                td.number { (buffer.first_step) "…" (buffer.last_step) }
                td { (list(&buffer.writers)) }
                td { (list(&buffer.readers)) }
            }
        }
    };
    html! {
        table {
            thead { tr {
                th.number { "buffer" } th { "holds" } th { "class" } th { "shape" } th.number { "bytes" } th.number { "offset" }
                th.number { "steps" } th { "written in" } th { "read in" }
            } }
            tbody { @for buffer in memory.buffers.iter().enumerate() { (row(buffer)) } }
        }
    }
}

fn skips<'m>(memory: &'m MemoryReport, name: impl Fn(usize) -> &'m str) -> Markup {
    let row = |skip: &Skip| {
        html! {
            tr {
                td { @match skip.from { Some(from) => { (from) " " (name(from)) } None => "input" } }
                td { (skip.to) " " (name(skip.to)) }
                td.number { (memory.buffers.get(skip.buffer).map_or(0, |buffer| buffer.bytes)) }
                td.number { (skip.buffer) }
            }
        }
    };
    html! {
        table {
            thead { tr { th { "from step" } th { "to step" } th.number { "bytes" } th.number { "buffer" } } }
            tbody { @for skip in &memory.skips { (row(skip)) } }
        }
    }
}
