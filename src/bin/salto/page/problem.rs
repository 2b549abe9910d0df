//! The plan of a CSV file as a memory report, which is what the page shows.

use salto::host::memory::Placement;
use salto::host::report::{BufferReport, MemoryReport, Peak, Resident, StepReport};

use crate::problem::Line;

/// A report on buffers of which nothing is known but their lives. Moments at which nothing begins or ends make no difference: what
/// lies between two others is one step of the report.
pub(crate) fn report(lines: &[Line], placement: &Placement, lower_bound: u32) -> MemoryReport {
    let mut moments: Vec<u32> = lines.iter().flat_map(|line| [line.lower, line.upper]).collect();
    moments.sort_unstable();
    moments.dedup();
    let place = |moment: u32| moments.partition_point(|other| *other < moment);
    let buffer = |line: &Line| BufferReport {
        holds: line.id.clone(),
        class: "buffer".into(),
        shape: Vec::new(),
        offset: line.offset.into(),
        bytes: line.size.into(),
        first_step: place(line.lower) as u32,
        last_step: place(line.upper) as u32 - 1,
        writers: Vec::new(),
        readers: Vec::new(),
    };
    let buffers: Vec<BufferReport> = lines.iter().map(buffer).collect();
    let step = |(number, moment): (usize, &[u32])| {
        let is_one = moment[0] + 1 == moment[1];
        StepReport {
            name: if is_one { moment[0].to_string() } else { format!("{}…{}", moment[0], moment[1] - 1) },
            operator: String::new(),
            activation_bytes: live(&buffers, number).map(|(_, buffer)| buffer.bytes).sum(),
            scratch_bytes: 0,
        }
    };
    let steps: Vec<StepReport> = moments.windows(2).enumerate().map(step).collect();
    let arena_bytes = placement.arena_len.into();
    MemoryReport {
        arena_bytes,
        scratch_bytes: 0,
        threads: 1,
        threads_arena_bytes: arena_bytes,
        activation_bytes: steps.iter().map(|step| step.activation_bytes).max().unwrap_or(0),
        lower_bound: lower_bound.into(),
        certificate: Some(placement.certificate),
        order: None,
        peak: peak(&buffers, &steps, lines),
        steps,
        buffers,
        skips: Vec::new(),
    }
}

fn peak(buffers: &[BufferReport], steps: &[StepReport], lines: &[Line]) -> Option<Peak> {
    // The first of equals: `max_by_key` would take the last.
    let (step, at) = steps.iter().enumerate().rev().max_by_key(|(_, step)| step.activation_bytes)?;
    let resident = |(number, buffer): (usize, &BufferReport)| Resident {
        buffer: number,
        holds: buffer.holds.clone(),
        bytes: buffer.bytes,
        reason: format!("lives from {} to before {}", lines[number].lower, lines[number].upper),
        producer: None,
        last_reader: None,
    };
    let mut residents: Vec<Resident> = live(buffers, step).map(resident).collect();
    residents.sort_by_key(|resident| core::cmp::Reverse(resident.bytes));
    Some(Peak { step, name: at.name.clone(), live_bytes: at.activation_bytes, residents })
}

fn live(buffers: &[BufferReport], step: usize) -> impl Iterator<Item = (usize, &BufferReport)> {
    let lives = move |buffer: &BufferReport| (buffer.first_step..=buffer.last_step).contains(&(step as u32));
    buffers.iter().enumerate().filter(move |(_, buffer)| lives(buffer))
}
