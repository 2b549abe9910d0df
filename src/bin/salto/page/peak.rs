//! The step where most bytes live, and why each of them does.

use maud::{Markup, html};
use salto::host::report::{Bytes, MemoryReport, Resident};

use super::{exact, map, percent};

/// The peak as a bar and a table; nothing if there is no step.
pub(super) fn section(memory: &MemoryReport) -> Markup {
    let Some(peak) = &memory.peak else { return html! {} };
    let class = |resident: &Resident| map::class(resident.buffer, memory);
    html! {
        section #peak {
            h2 { "Peak at step " (peak.step) " – " (peak.name) }
            p.note {
                strong title=(exact(peak.live_bytes)) { (Bytes(peak.live_bytes)) }
                " live while it runs; in " a href={ "#step" (peak.step) } { "the map" } " it is the framed row."
            }
            div.bar.residents aria-hidden="true" {
                @for resident in &peak.residents {
                    span class=(class(resident)) data-buffer=(resident.buffer)
                        style={ "width:" (percent(resident.bytes, peak.live_bytes)) "%" } {}
                }
            }
            table {
                thead { tr { th.number { "bytes" } th { "holds" } th { "why it lives" } } }
                tbody {
                    @for resident in &peak.residents {
                        tr data-buffer=(resident.buffer) {
                            td.number title=(exact(resident.bytes)) { (Bytes(resident.bytes)) }
                            td.name { span class={ "key " (class(resident)) } {} " " (resident.holds) }
                            td { (resident.reason) }
                        }
                    }
                }
            }
        }
    }
}
