//! Greedy placement: buffer after buffer, each at the lowest offset that those already placed leave it.

use core::fmt;

use super::{Buffer, Direction, Problem, Separation};

/// The order in which greedy placement takes the buffers. Ties go to the lower number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// The longest in bytes first: the order of TensorFlow Lite Micro's planner.
    Size,
    /// The longest life first, then the longest in bytes.
    Life,
    /// The largest product of bytes and life first, then the longest in bytes.
    Area,
    /// The earliest first, then the longest in bytes.
    Start,
}

/// Why greedy placement fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlaceError {
    /// A slice of the caller's has not one element for each buffer (separation), or the order is no permutation.
    Slices,
    /// The buffer would end beyond what 32 bits address.
    Limit {
        /// Which buffer.
        buffer: usize,
    },
    /// The fixed offset of the buffer contradicts that of another.
    Fixed {
        /// Which buffer.
        buffer: usize,
    },
}

impl Order {
    /// All orders.
    pub const ALL: [Self; 4] = [Self::Size, Self::Life, Self::Area, Self::Start];

    /// What the order sorts by, largest first.
    const fn key(self, buffer: &Buffer) -> (u64, u32) {
        let life = (buffer.last - buffer.first) as u64 + 1;
        match self {
            Self::Size => (buffer.len as u64, 0),
            Self::Life => (life, buffer.len),
            Self::Area => (life * buffer.len as u64, buffer.len),
            Self::Start => ((u32::MAX - buffer.first) as u64, buffer.len),
        }
    }
}

/// Fills `order` with the numbers `0..order.len()` of the problem's first buffers, sorted. O(n²), in place.
pub const fn sort(problem: &Problem<'_>, by: Order, order: &mut [usize]) {
    let mut sorted = 0;
    while sorted < order.len() && sorted < problem.buffers().len() {
        let key = by.key(&problem.buffers()[sorted]);
        let mut rank = sorted;
        while rank > 0 {
            let other = by.key(&problem.buffers()[order[rank - 1]]);
            if other.0 > key.0 || (other.0 == key.0 && other.1 >= key.1) {
                break;
            }
            order[rank] = order[rank - 1];
            rank -= 1;
        }
        order[rank] = sorted;
        sorted += 1;
    }
}

/// Places all buffers in the given order, those with a fixed offset first, and returns the bytes of arena that they take.
///
/// `offsets` gets one offset for each buffer. `directions` gets one direction for each separation, the same for all of a step:
/// the one that lets the first buffer for which it matters lie lower. `order` is a permutation of the buffers; behind the call
/// it holds them sorted by offset. O(n²), and O(n³) at worst with separations.
///
/// # Errors
/// See [`PlaceError`]; the slices then hold nothing of use.
pub const fn place(
    problem: &Problem<'_>,
    order: &mut [usize],
    offsets: &mut [u32],
    directions: &mut [Direction],
) -> Result<u32, PlaceError> {
    let count = problem.buffers().len();
    if order.len() != count || offsets.len() != count || directions.len() != problem.separations().len() {
        return Err(PlaceError::Slices);
    }
    clear(offsets, directions);
    let (mut placed, mut arena_len) = (0, 0);
    let mut only_fixed = true;
    loop {
        let mut rank = placed;
        while rank < count {
            let buffer = order[rank];
            if buffer >= count || (offsets[buffer] != UNPLACED) {
                return Err(PlaceError::Slices);
            }
            if problem.buffers()[buffer].fixed.is_some() || !only_fixed {
                let end = match place_one(problem, order.split_at(placed).0, offsets, directions, buffer) {
                    Ok(end) => end,
                    Err(error) => return Err(error),
                };
                arena_len = if end > arena_len { end } else { arena_len };
                insert(order, rank, placed, offsets);
                placed += 1;
            }
            rank += 1;
        }
        if !only_fixed {
            return Ok(arena_len);
        }
        only_fixed = false;
    }
}

/// The offset of a buffer that is not placed; no buffer ends there.
const UNPLACED: u32 = u32::MAX;

const fn clear(offsets: &mut [u32], directions: &mut [Direction]) {
    let mut index = 0;
    while index < offsets.len() {
        offsets[index] = UNPLACED;
        index += 1;
    }
    let mut index = 0;
    while index < directions.len() {
        directions[index] = Direction::Forward;
        index += 1;
    }
}

/// Places one buffer among those of `placed` and returns its end.
const fn place_one(
    problem: &Problem<'_>,
    placed: &[usize],
    offsets: &mut [u32],
    directions: &mut [Direction],
    buffer: usize,
) -> Result<u32, PlaceError> {
    let Buffer { len, first, last, fixed, .. } = problem.buffers()[buffer];
    // A buffer is written in its first step and read in its last: two steps whose direction its offset may depend on.
    let writing = Choice::of(problem, offsets, directions, first);
    let reading = Choice::of(problem, offsets, directions, last);
    let mut best: Option<(u64, Direction, Direction)> = None;
    let mut way = 0;
    while way < 4 {
        let (write, read) = (DIRECTIONS[way % 2], DIRECTIONS[way / 2]);
        if writing.allows(write) && reading.allows(read) && (first < last || way % 2 == way / 2) {
            let ground = Ground { problem, placed, offsets, write, read };
            let offset = match fixed {
                Some(fixed) if ground.is_free(buffer, fixed as u64) => Some(fixed as u64),
                Some(_) => None,
                None => Some(ground.lowest(buffer)),
            };
            best = match (best, offset) {
                (Some(best), Some(offset)) if best.0 <= offset => Some(best),
                (best, None) => best,
                (_, Some(offset)) => Some((offset, write, read)),
            };
        }
        way += 1;
    }
    let Some((offset, write, read)) = best else { return Err(PlaceError::Fixed { buffer }) };
    let end = offset + len as u64;
    if end >= UNPLACED as u64 {
        return Err(PlaceError::Limit { buffer });
    }
    offsets[buffer] = offset as u32;
    decide(problem, offsets, directions, first, write);
    decide(problem, offsets, directions, last, read);
    Ok(end as u32)
}

const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Backward];

/// Which directions a step may still take.
enum Choice {
    /// It has no separations: one try is enough.
    Indifferent,
    /// Both.
    Open,
    /// Two placed buffers overlap by this one.
    Decided(Direction),
}

impl Choice {
    const fn of(problem: &Problem<'_>, offsets: &[u32], directions: &[Direction], step: u32) -> Self {
        let mut choice = Self::Indifferent;
        let mut index = 0;
        while index < directions.len() {
            let separation = &problem.separations()[index];
            if separation.step == step {
                if is_used(problem, offsets, separation) {
                    return Self::Decided(directions[index]);
                }
                choice = Self::Open;
            }
            index += 1;
        }
        choice
    }

    const fn allows(&self, direction: Direction) -> bool {
        let forward = matches!(direction, Direction::Forward);
        match self {
            Self::Indifferent => forward,
            Self::Open => true,
            Self::Decided(decided) => matches!(decided, Direction::Forward) == forward,
        }
    }
}

/// Do the two buffers of a separation share bytes where they are placed?
const fn is_used(problem: &Problem<'_>, offsets: &[u32], separation: &Separation) -> bool {
    let (input, output) = (offsets[separation.input], offsets[separation.output]);
    if input == UNPLACED || output == UNPLACED {
        return false;
    }
    let input_end = input + problem.buffers()[separation.input].len;
    let output_end = output + problem.buffers()[separation.output].len;
    input < output_end && output < input_end
}

/// Writes the direction of a step down if its placed buffers depend on it by now.
const fn decide(
    problem: &Problem<'_>,
    offsets: &[u32],
    directions: &mut [Direction],
    step: u32,
    direction: Direction,
) {
    let mut used = false;
    let mut index = 0;
    while index < directions.len() {
        let separation = &problem.separations()[index];
        used = used || (separation.step == step && is_used(problem, offsets, separation));
        index += 1;
    }
    let mut index = 0;
    while used && index < directions.len() {
        if problem.separations()[index].step == step {
            directions[index] = direction;
        }
        index += 1;
    }
}

/// Where a buffer is to find its place: those already placed, sorted by offset, and the directions of its two steps.
struct Ground<'a> {
    problem: &'a Problem<'a>,
    placed: &'a [usize],
    offsets: &'a [u32],
    write: Direction,
    read: Direction,
}

impl Ground<'_> {
    /// The lowest offset that the placed buffers leave.
    const fn lowest(&self, buffer: usize) -> u64 {
        let Buffer { len, align, .. } = self.problem.buffers()[buffer];
        let mut offset = 0;
        loop {
            let before = offset;
            let mut rank = 0;
            // No buffer that begins behind the end of this one can disturb it.
            while rank < self.placed.len() && self.offsets[self.placed[rank]] as u64 <= offset + len as u64 {
                if let Some(end) = self.obstacle(buffer, self.placed[rank], offset) {
                    offset = end.next_multiple_of(align as u64);
                }
                rank += 1;
            }
            // Pushed up by one buffer, it may have left the slack that a separation gave it with an earlier one.
            if offset == before || self.problem.separations().is_empty() {
                return offset;
            }
        }
    }

    /// May the buffer lie at `offset`?
    const fn is_free(&self, buffer: usize, offset: u64) -> bool {
        let mut rank = 0;
        while rank < self.placed.len() {
            if self.obstacle(buffer, self.placed[rank], offset).is_some() {
                return false;
            }
            rank += 1;
        }
        true
    }

    /// Where the buffer may lie at the lowest, if `other` forbids `offset`.
    const fn obstacle(&self, buffer: usize, other: usize, offset: u64) -> Option<u64> {
        let (this, that) = (&self.problem.buffers()[buffer], &self.problem.buffers()[other]);
        if this.last < that.first || that.last < this.first {
            return None;
        }
        let (mut below, mut above) = (this.len, that.len);
        if let Some((separation, direction)) = self.separation(buffer, other) {
            let this_is_input = separation.input == buffer;
            match (direction, this_is_input) {
                (Direction::Forward, true) => above = min(above, separation.forward),
                (Direction::Forward, false) => below = min(below, separation.forward),
                (Direction::Backward, true) => below = min(below, separation.backward),
                (Direction::Backward, false) => above = min(above, separation.backward),
            }
        }
        // Free are the offsets up to `start − below`, and those from `start + above` on.
        let start = self.offsets[other] as u64;
        let shares = offset < start + that.len as u64 && start < offset + this.len as u64;
        let clear = offset + below as u64 <= start || start + above as u64 <= offset;
        if !shares || clear { None } else { Some(start + above as u64) }
    }

    /// The separation between the two, if there is one, with the direction of its step.
    const fn separation(&self, buffer: usize, other: usize) -> Option<(&Separation, Direction)> {
        let (this, that) = (&self.problem.buffers()[buffer], &self.problem.buffers()[other]);
        let direction = if this.first == that.last {
            self.write
        } else if this.last == that.first {
            self.read
        } else {
            return None;
        };
        let mut index = 0;
        while index < self.problem.separations().len() {
            let separation = &self.problem.separations()[index];
            let same = separation.input == buffer && separation.output == other;
            if same || (separation.input == other && separation.output == buffer) {
                return Some((separation, direction));
            }
            index += 1;
        }
        None
    }
}

/// Moves the element at `from` down among the first `placed`, which are sorted by offset.
const fn insert(order: &mut [usize], from: usize, placed: usize, offsets: &[u32]) {
    let buffer = order[from];
    let mut rank = from;
    while rank > 0 && (rank > placed || offsets[order[rank - 1]] > offsets[buffer]) {
        order[rank] = order[rank - 1];
        rank -= 1;
    }
    order[rank] = buffer;
}

const fn min(a: u32, b: u32) -> u32 {
    if a < b { a } else { b }
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slices => f.write_str("the slices do not match the problem"),
            Self::Limit { buffer } => write!(f, "buffer {buffer} would end beyond 4 GiB"),
            Self::Fixed { buffer } => write!(f, "the fixed offset of buffer {buffer} contradicts another"),
        }
    }
}

impl core::error::Error for PlaceError {}
