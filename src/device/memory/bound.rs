//! Lower bounds: what no placement can undercut.

use super::Problem;

/// Bytes that every placement needs: the largest [`step_bound`], or the end of a buffer at a fixed offset if that lies higher.
///
/// Without separations and alignment it is the maximum of live bytes. `u32::MAX` if it is more: then there is no placement. O(n·(n + m)) for n
/// buffers and m separations.
pub const fn lower_bound(problem: &Problem<'_>) -> u32 {
    let mut bound = 0;
    let mut index = 0;
    while index < problem.buffers().len() {
        let buffer = &problem.buffers()[index];
        // The set of live buffers only grows where one begins, so its maximum is found there.
        bound = max(bound, step_bound(problem, buffer.first));
        if let Some(offset) = buffer.fixed {
            bound = max(bound, offset as u64 + buffer.len as u64);
        }
        index += 1;
    }
    if bound > u32::MAX as u64 { u32::MAX } else { bound as u32 }
}

/// Bytes that every placement needs in a step: the live buffers that no separation of the step names, and the union of those
/// that one names.
///
/// Let an output meet inputs `i`. Forward, the first `minᵢ forwardᵢ` bytes of the output hold no input, so the union has at
/// least `max(out, Σ in + min forward)` bytes. Backward, the first `backwardᵢ` bytes of each input hold no output: at least
/// `max(Σ in, out + Σ backward)`. The step may choose, so the smaller one counts. Several outputs in one step are disjoint from
/// each other, as the inputs are: `max(Σ out, Σ in)`.
///
/// All that is counted in cells as long as the smallest alignment, because no two buffers share one unless they overlap; of the
/// last cell only the bytes that some buffer leaves there are needed.
pub const fn step_bound(problem: &Problem<'_>, step: u32) -> u64 {
    let grid = Grid::of(problem, step);
    let meeting = Meeting::of(problem, step, &grid);
    let (mut apart, mut input_sum, mut output_sum, mut outputs) = (0, 0, 0, 0);
    let mut index = 0;
    while index < problem.buffers().len() {
        let buffer = &problem.buffers()[index];
        if buffer.lives_in(step) {
            let cells = grid.cells(buffer.len);
            match if meeting.pairs > 0 { role(problem, index, step) } else { Role::Apart } {
                Role::Apart => apart += cells,
                Role::Input => input_sum += cells,
                Role::Output => {
                    output_sum += cells;
                    outputs += 1;
                }
            }
        }
        index += 1;
    }
    let union = if outputs == 1 {
        let forward = max(output_sum, input_sum + meeting.least_forward);
        let backward = max(input_sum, output_sum + meeting.backward_sum);
        if forward < backward { forward } else { backward }
    } else {
        max(output_sum, input_sum)
    };
    grid.bytes(apart + union)
}

/// The cells that the buffers of a step occupy.
struct Grid {
    /// Bytes of a cell.
    cell: u32,
    /// Bytes that the buffer with the fewest occupies of its last cell.
    last: u32,
}

impl Grid {
    const fn of(problem: &Problem<'_>, step: u32) -> Self {
        let mut cell = 1 << 31;
        let mut index = 0;
        while index < problem.buffers().len() {
            let buffer = &problem.buffers()[index];
            if buffer.lives_in(step) && buffer.len > 0 && buffer.align < cell {
                cell = buffer.align;
            }
            index += 1;
        }
        let mut last = cell;
        let mut index = 0;
        while index < problem.buffers().len() {
            let buffer = &problem.buffers()[index];
            if buffer.lives_in(step) && buffer.len > 0 && (buffer.len - 1) % cell + 1 < last {
                last = (buffer.len - 1) % cell + 1;
            }
            index += 1;
        }
        Self { cell, last }
    }

    const fn cells(&self, len: u32) -> u64 {
        len.div_ceil(self.cell) as u64
    }

    const fn bytes(&self, cells: u64) -> u64 {
        if cells == 0 { 0 } else { (cells - 1) * self.cell as u64 + self.last as u64 }
    }
}

/// The separations of one step in sum, in cells.
struct Meeting {
    pairs: usize,
    least_forward: u64,
    backward_sum: u64,
}

impl Meeting {
    const fn of(problem: &Problem<'_>, step: u32, grid: &Grid) -> Self {
        let mut meeting = Self { pairs: 0, least_forward: u64::MAX, backward_sum: 0 };
        let mut index = 0;
        while index < problem.separations().len() {
            let separation = &problem.separations()[index];
            if separation.step == step {
                // More than plain disjointness is never asked for.
                let forward = min(separation.forward, problem.buffers()[separation.output].len);
                let backward = min(separation.backward, problem.buffers()[separation.input].len);
                let forward = grid.cells(forward);
                meeting.pairs += 1;
                if forward < meeting.least_forward {
                    meeting.least_forward = forward;
                }
                meeting.backward_sum += grid.cells(backward);
            }
            index += 1;
        }
        meeting
    }
}

/// What a buffer is to the separations of a step.
enum Role {
    Apart,
    Input,
    Output,
}

const fn role(problem: &Problem<'_>, buffer: usize, step: u32) -> Role {
    let mut index = 0;
    while index < problem.separations().len() {
        let separation = &problem.separations()[index];
        if separation.step == step && separation.input == buffer {
            return Role::Input;
        }
        if separation.step == step && separation.output == buffer {
            return Role::Output;
        }
        index += 1;
    }
    Role::Apart
}

const fn max(a: u64, b: u64) -> u64 {
    if a > b { a } else { b }
}

const fn min(a: u32, b: u32) -> u32 {
    if a < b { a } else { b }
}
