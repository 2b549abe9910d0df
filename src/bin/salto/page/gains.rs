//! What each technique saves, as bars.

use maud::{Markup, html};
use salto::host::compile::Gain;
use salto::host::report::Bytes;

use super::{exact, percent};

/// A row for each technique; nothing without figures.
pub(super) fn section(gains: &[Gain]) -> Markup {
    // Every buffer apart is often ten times the rest, whose differences a scale for all would hide.
    let Some(scale) = gains.iter().skip(1).map(|gain| gain.arena_bytes).max() else { return html! {} };
    html! {
        section #gains {
            h2 { "What each technique saves" }
            p.note {
                "The same network, planned with one technique more each time: "
                span.key.activation {} " activations, " span.key.scratch {} " scratch beside them."
            }
            table {
                thead { tr { th { "technique" } th.bars { span.unseen { "share" } } th.number { "activations" } th.number { "with scratch" } th.number { "saves" } } }
                tbody {
                    @for (number, gain) in gains.iter().enumerate() {
                        @let before = number.checked_sub(1).and_then(|before| gains.get(before));
                        (row(gain, before, scale))
                    }
                }
            }
        }
    }
}

fn row(gain: &Gain, before: Option<&Gain>, scale: u64) -> Markup {
    let activations = gain.activation_bytes.min(scale);
    let scratch = gain.arena_bytes.saturating_sub(gain.activation_bytes).min(scale - activations);
    let saved = before.map(|before| saving(before.activation_bytes, gain.activation_bytes));
    let is_idle = saved.as_deref() == Some("–");
    html! {
        tr.idle[is_idle] {
            th scope="row" { (gain.technique) }
            td.bars aria-hidden="true" {
                div.bar.beyond[gain.arena_bytes > scale] {
                    span.activation style={ "width:" (percent(activations, scale)) "%" } {}
                    span.scratch style={ "width:" (percent(scratch, scale)) "%" } {}
                }
            }
            td.number title=(exact(gain.activation_bytes)) { (Bytes(gain.activation_bytes)) }
            td.number title=(exact(gain.arena_bytes)) { (Bytes(gain.arena_bytes)) }
            td.number { (saved.unwrap_or_default()) }
        }
    }
}

/// `−12 %`, or a dash.
fn saving(before: u64, now: u64) -> String {
    if before == now {
        return "–".into();
    }
    let change = 100.0 * (now as f64 / before.max(1) as f64 - 1.0);
    format!("{}{:.1} %", if change < 0.0 { "−" } else { "+" }, change.abs())
}
