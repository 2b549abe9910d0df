//! A memory plan as a page to look at: one self-contained HTML document, in light or dark as its reader prefers.
//!
//! What flows in is a plan; what flows out is the page: totals, what each technique saves, the peak and why, a map of addresses
//! and steps with an arc for each skip, and the same as tables. It asks for nothing: style and script are part of it, and its
//! policy forbids the browser to fetch anything. Names come from files and are escaped by the template. Called by `plan`.

mod arcs;
mod gains;
mod map;
mod peak;
mod problem;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use salto::host::compile::Gain;
use salto::host::report::{Bytes, MemoryReport};

pub(crate) use problem::report as report_of_problem;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What the browser may load: nothing but what is in the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// What a page shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sheet<'a> {
    /// What is planned: a network or a file.
    pub(crate) title: &'a str,
    pub(crate) memory: &'a MemoryReport,
    /// What each technique saves; empty if nobody knows.
    pub(crate) gains: &'a [Gain],
}

/// The page of a plan.
pub(crate) fn draw(sheet: Sheet<'_>) -> String {
    let Sheet { title, memory, gains } = sheet;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (title) " – memory plan" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.kind { "memory plan" }
                    h1 { (title) }
                    (totals(memory))
                }
                main {
                    (gains::section(gains))
                    (peak::section(memory))
                    (map::section(memory))
                    (tables::section(memory))
                }
                footer { "made by salto " (env!("CARGO_PKG_VERSION")) }
                div #tip role="status" hidden {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string() + "\n"
}

/// The figures at the top.
fn totals(memory: &MemoryReport) -> Markup {
    let proof = memory
        .certificate
        .map_or_else(|| "whether there is a smaller plan is not known".into(), |known| known.to_string());
    let threads = memory.threads;
    html! {
        dl.totals {
            (total("RAM", memory.arena_bytes, html! { "on 1 thread, scratch included" }))
            @if threads > 1 {
                (total("RAM", memory.threads_arena_bytes, html! { "on " (threads) " threads" }))
            }
            (total("activations", memory.activation_bytes, html! { "at most at one time" }))
            (total("scratch", memory.scratch_bytes, html! { "at most, for each thread" }))
            (total("lower bound", memory.lower_bound, html! { (proof) }))
        }
    }
}

fn total(name: &str, bytes: u64, note: Markup) -> Markup {
    html! {
        div {
            dt { (name) }
            dd { strong title=(exact(bytes)) { (Bytes(bytes)) } span { (note) } }
        }
    }
}

/// `1024 bytes`.
fn exact(bytes: u64) -> String {
    format!("{bytes} bytes")
}

/// `1×32×32×16`.
fn dims(shape: &[u32]) -> String {
    shape.iter().map(u32::to_string).collect::<Vec<_>>().join("×")
}

/// A part of a whole in percent, as CSS takes it.
fn percent(part: u64, whole: u64) -> String {
    format!("{:.3}", 100.0 * part as f64 / whole.max(1) as f64)
}

#[cfg(test)]
mod tests;
