//! The verifier: is a placement sound?
//!
//! It shares no code with the planner, so that one mistake cannot hide the other. O(n²) and without memory of its own, it also
//! runs as a `const` assertion and, through its two predicates, in the program's check on the device.

use core::fmt;

use super::{Direction, Problem};

/// Why a placement is unsound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// There is not one offset for each buffer and one direction for each separation.
    Count,
    /// The buffer's offset is no multiple of its alignment, or not its fixed offset.
    Offset {
        /// Which buffer.
        buffer: usize,
    },
    /// The buffer ends behind the arena.
    Beyond {
        /// Which buffer.
        buffer: usize,
    },
    /// Two buffers that live in one step share bytes, and no separation permits it.
    Overlap {
        /// The one buffer.
        a: usize,
        /// The other.
        b: usize,
    },
    /// The separations of the step do not all have one direction.
    Direction {
        /// Which step.
        step: u32,
    },
}

/// Do two lives, first and last step included, have a step in common?
pub const fn lives_overlap(a_first: u32, a_last: u32, b_first: u32, b_last: u32) -> bool {
    a_first <= b_last && b_first <= a_last
}

/// Do two ranges of memory have a byte in common? Empty ranges have none.
pub const fn ranges_overlap(a_offset: u32, a_len: u32, b_offset: u32, b_len: u32) -> bool {
    let a_end = a_offset as u64 + a_len as u64;
    let b_end = b_offset as u64 + b_len as u64;
    a_len > 0 && b_len > 0 && (a_offset as u64) < b_end && (b_offset as u64) < a_end
}

/// Checks a placement: `offsets[i]` is that of buffer `i`, `directions[j]` that of the step of separation `j`.
///
/// # Errors
/// The first [`Violation`].
pub const fn verify(
    problem: &Problem<'_>,
    offsets: &[u32],
    directions: &[Direction],
    arena_len: u32,
) -> Result<(), Violation> {
    if offsets.len() != problem.buffers().len() || directions.len() != problem.separations().len() {
        return Err(Violation::Count);
    }
    if let Err(violation) = verify_directions(problem, directions) {
        return Err(violation);
    }
    let mut a = 0;
    while a < offsets.len() {
        let buffer = &problem.buffers()[a];
        let moved = match buffer.fixed {
            Some(fixed) => fixed != offsets[a],
            None => false,
        };
        if moved || !offsets[a].is_multiple_of(buffer.align) {
            return Err(Violation::Offset { buffer: a });
        }
        if offsets[a] as u64 + buffer.len as u64 > arena_len as u64 {
            return Err(Violation::Beyond { buffer: a });
        }
        let mut b = 0;
        while b < a {
            let other = &problem.buffers()[b];
            if lives_overlap(buffer.first, buffer.last, other.first, other.last)
                && ranges_overlap(offsets[a], buffer.len, offsets[b], other.len)
                && !is_permitted(problem, offsets, directions, a, b)
            {
                return Err(Violation::Overlap { a: b, b: a });
            }
            b += 1;
        }
        a += 1;
    }
    Ok(())
}

const fn verify_directions(problem: &Problem<'_>, directions: &[Direction]) -> Result<(), Violation> {
    let mut a = 0;
    while a < directions.len() {
        let step = problem.separations()[a].step;
        let mut b = 0;
        while b < a {
            let same =
                matches!(directions[a], Direction::Forward) == matches!(directions[b], Direction::Forward);
            if problem.separations()[b].step == step && !same {
                return Err(Violation::Direction { step });
            }
            b += 1;
        }
        a += 1;
    }
    Ok(())
}

/// Does a separation permit what two buffers share? A [`Problem`] guarantees that such a pair meets in one step only.
const fn is_permitted(
    problem: &Problem<'_>,
    offsets: &[u32],
    directions: &[Direction],
    a: usize,
    b: usize,
) -> bool {
    let mut index = 0;
    while index < directions.len() {
        let separation = &problem.separations()[index];
        let (input, output) = (separation.input, separation.output);
        if (input == a && output == b) || (input == b && output == a) {
            let (input_offset, output_offset) = (offsets[input] as u64, offsets[output] as u64);
            return match directions[index] {
                Direction::Forward => input_offset >= output_offset + separation.forward as u64,
                Direction::Backward => output_offset >= input_offset + separation.backward as u64,
            };
        }
        index += 1;
    }
    false
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => {
                f.write_str("there is not one offset for each buffer and one direction for each separation")
            }
            Self::Offset { buffer } => write!(f, "buffer {buffer} is misaligned or not at its fixed offset"),
            Self::Beyond { buffer } => write!(f, "buffer {buffer} ends behind the arena"),
            Self::Overlap { a, b } => write!(f, "buffers {a} and {b} live at the same time and share bytes"),
            Self::Direction { step } => write!(f, "the separations of step {step} have two directions"),
        }
    }
}

impl core::error::Error for Violation {}
