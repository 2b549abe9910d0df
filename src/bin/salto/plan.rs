//! `salto plan`

use std::path::Path;

use salto::device::memory::{Problem, lower_bound};
use salto::host::memory::{Certificate, PlanError, plan as place};
use salto::host::report::{Bytes, Inspection};
use salto::host::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::{Network, Plan};
use crate::problem::{self, Line};
use crate::{answer, files, model};

/// Plans the buffers of a CSV file, or shows a network's plan.
pub(crate) fn plan(arguments: &Plan) -> Result<String> {
    let path = &arguments.network.path;
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let planned = if is_csv { plan_problem(arguments) } else { plan_network(arguments) };
    planned.map_err(|error| error.in_file(path.display()))
}

fn plan_network(arguments: &Plan) -> Result<String> {
    let threads = arguments.threads.count.into();
    let inspection = model::inspection(&model::load(&arguments.network, threads)?, threads);
    let memory = &inspection.memory;
    check_network(arguments, &inspection)?;
    answer(arguments.json, || format!("{}\n{memory}", memory.table()), memory)
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
    let Network { shapes, low_memory, exact, kept, .. } = &arguments.network;
    if *low_memory || *exact || !shapes.is_empty() || !kept.is_empty() || arguments.threads.count != 1 {
        let reason = "--shape, --low-memory, --exact, --keep and --threads are for networks, this is a list of buffers";
        return Err(Error::new(ErrorKind::Argument, reason).remedy("leave them out"));
    }
    let mut lines = problem::read(path)?;
    let buffers = problem::buffers(&lines);
    let invalid = |reason: String| Error::new(ErrorKind::Invalid, reason);
    let problem = Problem::new(&buffers, &[]).map_err(|error| invalid(error.to_string()))?;
    let placement = place(&problem).map_err(|error| match error {
        PlanError::Place(_) => Error::new(ErrorKind::Limit, error.to_string()),
        _ => invalid(error.to_string()).remedy("please report the problem to salto's maintainers"),
    })?;
    for (line, offset) in lines.iter_mut().zip(&placement.offsets) {
        line.offset = *offset;
    }
    let report = Report {
        arena_bytes: placement.arena_len,
        lower_bound: lower_bound(&problem),
        certificate: placement.certificate,
        buffers: &lines,
    };
    let reached = report.arena_bytes.into();
    check_capacity(arguments.capacity, reached, report.lower_bound.into())
        .map_err(|error| enough(error, reached))?;
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
