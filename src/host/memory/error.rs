//! Why there is no placement.

use core::fmt;

use crate::device::memory::{PlaceError, Violation};

/// Why a problem got no placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlanError {
    /// The buffers cannot be placed.
    Place(PlaceError),
    /// A placement was found that the verifier rejects: the planner is wrong, not the problem.
    Unsound(Violation),
}

impl From<PlaceError> for PlanError {
    fn from(error: PlaceError) -> Self {
        Self::Place(error)
    }
}

impl From<Violation> for PlanError {
    fn from(violation: Violation) -> Self {
        Self::Unsound(violation)
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(error) => error.fmt(f),
            Self::Unsound(violation) => write!(f, "the planner's answer is unsound: {violation}"),
        }
    }
}

impl core::error::Error for PlanError {}
