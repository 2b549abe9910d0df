//! Planning problems as CSV: `id,lower,upper,size` in, `id,lower,upper,size,offset` out (the format of google/minimalloc).
//!
//! A buffer lives in the steps `lower..upper`, the end excluded; sizes and offsets are bytes.

use std::path::Path;

use salto::device::memory::Buffer;
use salto::host::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::files;

/// A buffer as a line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) lower: u32,
    pub(crate) upper: u32,
    pub(crate) size: u32,
    #[serde(skip_deserializing)]
    pub(crate) offset: u32,
}

/// Reads a problem.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>> {
    let bytes = files::read(path)?;
    parse(&bytes).map_err(|error| {
        error
            .in_file(path.display())
            .remedy("the columns are id,lower,upper,size with lower < upper, in steps and bytes")
    })
}

fn parse(bytes: &[u8]) -> Result<Vec<Line>> {
    let broken = |reason: String| Error::new(ErrorKind::Format, reason);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let mut lines = Vec::new();
    for line in reader.deserialize() {
        let line: Line = line.map_err(|error| broken(error.to_string()))?;
        if line.lower >= line.upper {
            return Err(broken(format!(
                "buffer '{}' has no step in {}..{}",
                line.id, line.lower, line.upper
            )));
        }
        lines.push(line);
    }
    if lines.is_empty() { Err(broken("there is no buffer".into())) } else { Ok(lines) }
}

/// The planner's view of the lines.
pub(crate) fn buffers(lines: &[Line]) -> Vec<Buffer> {
    lines.iter().map(|line| Buffer::new(line.size, line.lower, line.upper - 1)).collect()
}

/// The lines with their offsets as CSV.
pub(crate) fn to_csv(lines: &[Line]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = lines.iter().try_for_each(|line| writer.serialize(line));
    let bytes = written
        .map_err(|error| error.to_string())
        .and_then(|()| writer.into_inner().map_err(|e| e.to_string()));
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(|error| error.to_string()));
    text.map_err(|reason| Error::new(ErrorKind::Invalid, format!("no CSV: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_read_and_written() {
        let mut lines = parse(b"id,lower,upper,size\na,0,2,16\n b , 1,3,8\n").expect("two buffers");
        lines[1].offset = 16;
        assert_eq!(buffers(&lines), [Buffer::new(16, 0, 1), Buffer::new(8, 1, 2)]);
        assert_eq!(to_csv(&lines).expect("CSV"), "id,lower,upper,size,offset\na,0,2,16,0\nb,1,3,8,16\n");
    }

    #[test]
    fn what_is_no_problem_is_an_error() {
        for text in [
            "",
            "id,lower,upper,size\n",
            "id,lower,upper,size\na,2,2,1\n",
            "id,lower,upper,size\na,0,1,-1\n",
            "a,b\n1,2\n",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
