//! `salto plan`

use std::path::Path;

use salto::device::memory::Problem;
use salto::host::compile::Gain;
use salto::host::memory::{Certificate, Goal, PlanError, plan_for};
use salto::host::report::{Align, Bytes, Inspection, MemoryReport, Table};
use salto::host::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::{Network, Plan};
use crate::output::{self, Output};
use crate::page::{self, Sheet};
use crate::problem::{self, Line};
use crate::{answer, files, model};

/// Plans the buffers of a CSV file, or shows a network's plan.
pub(crate) fn plan(arguments: &Plan) -> Result<String> {
    let path = &arguments.network.path;
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let planned = if is_csv { plan_problem(arguments) } else { plan_network(arguments) };
    planned.map_err(|error| error.in_file(path.display()))
}

/// A network's plan, and what each technique has brought to it.
#[derive(Debug, Serialize)]
struct NetworkReport<'a> {
    #[serde(flatten)]
    memory: &'a MemoryReport,
    /// None for a program.
    gains: Option<Vec<Gain>>,
}

fn plan_network(arguments: &Plan) -> Result<String> {
    if arguments.relax.is_some() {
        let reason = "--relax is for a list of buffers, this is a network";
        return Err(Error::new(ErrorKind::Argument, reason).remedy("leave it out"));
    }
    let threads = arguments.threads.count.into();
    let page = open_page(arguments)?;
    let inspection = model::inspection(&model::load(&arguments.network, threads)?, threads);
    let memory = &inspection.memory;
    check_network(arguments, &inspection)?;
    let report = NetworkReport { memory, gains: model::gains(&arguments.network, threads)? };
    let gains = report.gains.as_deref().unwrap_or_default();
    write_page(page, arguments, memory, gains)?;
    answer(arguments.json, || format!("{}\n{memory}\n{}", memory.table(), gains_text(gains)), &report)
}

/// What each technique saves; a line if nobody knows.
fn gains_text(gains: &[Gain]) -> String {
    if gains.is_empty() {
        return "what each technique saves is known of a model, not of a compiled program\n".into();
    }
    let mut table = Table::new(&[
        ("technique", Align::Left),
        ("activations", Align::Right),
        ("bytes", Align::Right),
        ("with scratch", Align::Right),
        ("plan of activations", Align::Left),
    ]);
    for Gain { technique, activation_bytes, arena_bytes, certificate } in gains {
        table.push([
            technique.to_string(),
            Bytes(*activation_bytes).to_string(),
            activation_bytes.to_string(),
            Bytes(*arena_bytes).to_string(),
            certificate.map_or_else(String::new, |certificate| certificate.to_string()),
        ]);
    }
    table.to_string()
}

/// Opens the page before any work.
fn open_page(arguments: &Plan) -> Result<Option<Output>> {
    let taken = model::files_read(&arguments.network);
    arguments.html.as_ref().map(|path| Output::create(path, "html", &taken)).transpose()
}

/// Writes the page that `--html` asks for.
fn write_page(
    mut page: Option<Output>,
    arguments: &Plan,
    memory: &MemoryReport,
    gains: &[Gain],
) -> Result<()> {
    if let Some(page) = &mut page {
        let title = arguments.network.path.display().to_string();
        page.write(page::draw(Sheet { title: &title, memory, gains }).as_bytes())?;
    }
    output::commit(page)
}

/// Is there room for a network? If not, would there be without Winograd's scratch?
fn check_network(arguments: &Plan, inspection: &Inspection) -> Result<()> {
    let memory = &inspection.memory;
    // Every thread beyond the first has scratch of its own, behind the plan.
    let further = memory.threads_arena_bytes - memory.arena_bytes;
    let reached = memory.threads_arena_bytes;
    let Err(error) = check_capacity(arguments.capacity, reached, memory.lower_bound + further) else {
        return Ok(());
    };
    if !model::has_winograd(inspection) {
        return Err(enough(error, reached));
    }
    Err(match model::low_memory_bytes(&arguments.network, arguments.threads.count.into()) {
        Some(smaller) => {
            error.remedy(format!("with --low-memory {smaller} are enough, without it --capacity {reached}"))
        }
        None => error.remedy("compile the model again with --low-memory"),
    })
}

/// A planned problem.
#[derive(Debug, Serialize)]
struct Report<'a> {
    arena_bytes: u32,
    lower_bound: u32,
    certificate: Certificate,
    buffers: &'a [Line],
}

/// Standard output gets the CSV alone, so that other tools can read it.
fn plan_problem(arguments: &Plan) -> Result<String> {
    let path: &Path = &arguments.network.path;
    let Network { shapes, low_memory, exact, keep_input, f16, kept, .. } = &arguments.network;
    let is_for_networks =
        *low_memory || *exact || *keep_input || *f16 || !shapes.is_empty() || !kept.is_empty();
    if is_for_networks || arguments.threads.count != 1 {
        let reason = "--shape, --low-memory, --exact, --keep-input, --f16, --keep and --threads are for networks, this is a list of buffers";
        return Err(Error::new(ErrorKind::Argument, reason).remedy("leave them out"));
    }
    let page = open_page(arguments)?;
    let mut lines = problem::read(path)?;
    let buffers = problem::buffers(&lines);
    let separations = match &arguments.relax {
        Some(file) => problem::separations(&lines, file)?,
        None => Vec::new(),
    };
    let invalid = |reason: String| Error::new(ErrorKind::Invalid, reason);
    let problem = Problem::new(&buffers, &separations).map_err(|error| invalid(error.to_string()))?;
    let capacity = arguments.capacity.and_then(|capacity| u32::try_from(capacity).ok());
    let goal = Goal { capacity, work: u64::from(arguments.effort) * 1_000_000 };
    let placement = plan_for(&problem, &goal).map_err(|error| match error {
        PlanError::Place(_) => Error::new(ErrorKind::Limit, error.to_string()),
        _ => invalid(error.to_string()).remedy("please report the problem to salto's maintainers"),
    })?;
    for (line, offset) in lines.iter_mut().zip(&placement.offsets) {
        line.offset = *offset;
    }
    let report = Report {
        arena_bytes: placement.arena_len,
        lower_bound: placement.certificate.lower_bound(placement.arena_len),
        certificate: placement.certificate,
        buffers: &lines,
    };
    let reached = report.arena_bytes.into();
    check_capacity(arguments.capacity, reached, report.lower_bound.into())
        .map_err(|error| enough(error, reached))?;
    if page.is_some() {
        let memory = page::report_of_problem(&lines, &placement, report.lower_bound);
        write_page(page, arguments, &memory, &[])?;
    }
    if arguments.json {
        return files::json(&report);
    }
    let text = problem::to_csv(&lines)?;
    let arena_bytes = report.arena_bytes;
    files::tell(&format!("{arena_bytes} bytes ({}): {}", Bytes(arena_bytes.into()), report.certificate));
    Ok(text)
}

/// Is there room? If not, is that proved?
fn check_capacity(capacity: Option<u64>, reached: u64, lower: u64) -> Result<()> {
    let Some(capacity) = capacity.filter(|capacity| *capacity < reached) else { return Ok(()) };
    let reason = if capacity < lower {
        format!("does not fit {capacity} bytes: it needs {lower} at least")
    } else {
        format!("no plan for {capacity} bytes found: the best has {reached}, the lower bound is {lower}")
    };
    Err(Error::new(ErrorKind::Limit, reason))
}

fn enough(error: Error, reached: u64) -> Error {
    error.remedy(format!("--capacity {reached} is enough"))
}
