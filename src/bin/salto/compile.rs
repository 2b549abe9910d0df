//! `salto compile`

use salto::host::Result;
use salto::host::report::Bytes;
use serde::Serialize;

use crate::args::Compile;
use crate::output::{self, Output};
use crate::{answer, model, zoo};

/// What was written.
#[derive(Debug, Serialize)]
struct Report {
    output: String,
    program_bytes: u64,
    weight_bytes: u64,
    arena_bytes: u64,
    steps: usize,
}

/// Compiles a network and writes the program.
pub(crate) fn compile(arguments: &Compile) -> Result<String> {
    zoo::check_trained(&arguments.network)?;
    let mut output = Output::create(&arguments.output, "salto", &model::files_read(&arguments.network))?;
    let model = model::load(&arguments.network, 1)?;
    let inspection = model::inspection(&model, 1);
    output.write(model.program_bytes())?;
    output::commit([output])?;
    let report = Report {
        output: arguments.output.display().to_string(),
        program_bytes: model.program_bytes().len() as u64,
        weight_bytes: inspection.weight_bytes,
        arena_bytes: inspection.memory.arena_bytes,
        steps: inspection.layers.len(),
    };
    let text = || {
        format!(
            "{}: {}, {} steps, weights {}, RAM {} on 1 thread\n",
            report.output,
            Bytes(report.program_bytes),
            report.steps,
            Bytes(report.weight_bytes),
            Bytes(report.arena_bytes)
        )
    };
    answer(arguments.json, text, &report)
}
