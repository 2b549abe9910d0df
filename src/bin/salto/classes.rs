//! The likeliest classes of an output.

use std::path::Path;

use salto::host::{Error, ErrorKind, Result};

use crate::files;

/// A class and its value.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Class {
    pub(crate) class: usize,
    pub(crate) label: Option<String>,
    pub(crate) value: f32,
}

/// The names of the classes: one a line.
#[derive(Debug)]
pub(crate) struct Labels(Vec<String>);

impl Labels {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = String::from_utf8(files::read(path)?).map_err(|_| {
            Error::new(ErrorKind::Format, "no text in UTF-8")
                .in_file(path.display())
                .remedy("one class name a line")
        })?;
        Ok(Self(text.lines().map(|line| line.trim().to_string()).collect()))
    }

    /// Are there as many as an output has values for each picture?
    pub(crate) fn check(&self, path: &Path, classes: usize) -> Result<()> {
        if self.0.len() == classes {
            return Ok(());
        }
        let reason = format!("{} labels, the output has {classes} values", self.0.len());
        Err(Error::new(ErrorKind::Argument, reason).in_file(path.display()).remedy("one class name a line"))
    }
}

/// The `count` largest values, the largest first; of equal ones the lower class. A value that is no number comes last.
pub(crate) fn top(values: &[f32], labels: Option<&Labels>, count: usize) -> Vec<Class> {
    let mut classes: Vec<usize> = (0..values.len()).collect();
    let key = |class: usize| if values[class].is_nan() { f32::NEG_INFINITY } else { values[class] };
    classes.sort_by(|a, b| key(*b).total_cmp(&key(*a)));
    let label = |class: usize| labels.and_then(|labels| labels.0.get(class).cloned());
    classes
        .into_iter()
        .take(count)
        .map(|class| Class { class, label: label(class), value: values[class] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_what_is_no_number_last() {
        let labels = Labels(vec!["a".into(), "b".into(), "c".into(), "d".into()]);
        let classes = top(&[0.1, f32::NAN, 0.7, 0.1], Some(&labels), 3);
        let names: Vec<_> = classes.iter().filter_map(|class| class.label.as_deref()).collect();
        assert_eq!(names, ["c", "a", "d"]);
    }
}
