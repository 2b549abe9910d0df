//! Planning problems as CSV: `id,lower,upper,size` in, `id,lower,upper,size,offset` out (the format of google/minimalloc).
//!
//! A buffer lives in the steps `lower..upper`, the end excluded; sizes and offsets are bytes. A second file may list the pairs
//! that need not be disjoint, `in_id,out_id,sep_out_below_in,sep_in_below_out`: in the one step that reads `in` last and writes
//! `out` first, `in` may begin `sep_out_below_in` bytes above `out`, or `out` begin `sep_in_below_out` bytes above `in`.

use std::collections::HashMap;
use std::path::Path;

use salto::device::memory::{Buffer, Separation};
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

/// A pair of buffers as a line of the file.
#[derive(Clone, Debug, Deserialize)]
struct Pair {
    in_id: String,
    out_id: String,
    sep_out_below_in: u32,
    sep_in_below_out: u32,
}

/// Reads the pairs of the buffers of `lines` that may overlap.
pub(crate) fn separations(lines: &[Line], path: &Path) -> Result<Vec<Separation>> {
    parse_pairs(lines, &files::read(path)?).map_err(|error| {
        error
            .in_file(path.display())
            .remedy("the columns are in_id,out_id,sep_out_below_in,sep_in_below_out, in bytes")
    })
}

fn parse_pairs(lines: &[Line], bytes: &[u8]) -> Result<Vec<Separation>> {
    let broken = |reason: String| Error::new(ErrorKind::Format, reason);
    let ids: HashMap<&str, usize> =
        lines.iter().enumerate().map(|(number, line)| (line.id.as_str(), number)).collect();
    let find = |id: &str| {
        ids.get(id)
            .copied()
            .ok_or_else(|| broken(format!("there is no buffer '{id}' in the list of buffers")))
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let mut separations = Vec::new();
    for pair in reader.deserialize() {
        let pair: Pair = pair.map_err(|error| broken(error.to_string()))?;
        let (input, output) = (find(&pair.in_id)?, find(&pair.out_id)?);
        let step = lines[output].lower;
        if lines[input].upper.checked_sub(1) != Some(step) {
            let (in_id, out_id) = (&pair.in_id, &pair.out_id);
            let reason = format!(
                "the last step of '{in_id}' is not the first of '{out_id}', so they must not overlap"
            );
            return Err(broken(reason));
        }
        let (forward, backward) = (pair.sep_out_below_in, pair.sep_in_below_out);
        separations.push(Separation { input, output, step, forward, backward });
    }
    Ok(separations)
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
    fn pairs_are_read_and_what_does_not_meet_is_an_error() {
        let lines = parse(b"id,lower,upper,size\na,0,2,16\nb,1,3,8\n").expect("two buffers");
        let header = "in_id,out_id,sep_out_below_in,sep_in_below_out\n";
        let pairs = |line: &str| parse_pairs(&lines, format!("{header}{line}").as_bytes());
        let expected = Separation { input: 0, output: 1, step: 1, forward: 4, backward: 0 };
        assert_eq!(pairs("a,b,4,0\n").expect("a pair"), [expected]);
        for line in ["b,a,4,0\n", "a,c,4,0\n", "a,b,-1,0\n", "a,b\n"] {
            assert!(pairs(line).is_err(), "{line:?}");
        }
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
