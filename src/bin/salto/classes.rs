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

/// What the values of classes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Values {
    /// From 0 to 1, and 1 all together.
    Probability,
    /// Anything: the larger, the likelier.
    Score,
}

impl Values {
    /// What the values of several pictures are, each with so many classes.
    pub(crate) fn of(values: &[f32], classes: usize) -> Self {
        let is_distribution = |values: &[f32]| {
            let sum: f64 = values.iter().copied().map(f64::from).sum();
            (sum - 1.0).abs() < 1e-3 && values.iter().all(|value| (-1e-6..=1.0 + 1e-3).contains(value))
        };
        let all = values.chunks_exact(classes.max(1)).all(is_distribution);
        if all && !values.is_empty() { Self::Probability } else { Self::Score }
    }
}

/// The probabilities that scores stand for: `exp(x) / Σ exp(x)` in each picture.
pub(crate) fn softmax(scores: &[f32], classes: usize) -> Vec<f32> {
    let one = |scores: &[f32]| {
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f64> = scores.iter().map(|x| f64::from(x - largest).exp()).collect();
        let sum: f64 = exponentials.iter().sum();
        exponentials.into_iter().map(move |x| (x / sum) as f32).collect::<Vec<_>>()
    };
    scores.chunks_exact(classes.max(1)).flat_map(one).collect()
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
        let lines = text.trim_start_matches('\u{feff}').trim_end().lines();
        Ok(Self(lines.map(|line| line.trim().to_string()).collect()))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The name of each of so many classes; none if there are more or fewer names. Lists of 1000 names go with networks of
    /// 1001 classes whose class 0 is the background, and lists that begin with the background with networks without it.
    pub(crate) fn of(&self, classes: usize) -> Option<Vec<String>> {
        let names = &self.0;
        if names.len() == classes {
            Some(names.clone())
        } else if names.len() + 1 == classes && classes > 2 {
            Some([&[String::from("background")], names.as_slice()].concat())
        } else if names.len() == classes + 1 && is_background(&names[0]) {
            Some(names[1..].to_vec())
        } else {
            None
        }
    }
}

/// Is this the name of what is none of the classes?
pub(crate) fn is_background(label: &str) -> bool {
    let word = label.to_lowercase();
    ["background", "dummy", "unlabeled", "unlabelled"].contains(&word.trim_matches(['_', ' ']))
}

/// The `count` largest values, the largest first; of equal ones the lower class. A value that is no number comes last.
pub(crate) fn top(values: &[f32], labels: Option<&[String]>, count: usize) -> Vec<Class> {
    let mut classes: Vec<usize> = (0..values.len()).collect();
    let key = |class: usize| if values[class].is_nan() { f32::NEG_INFINITY } else { values[class] };
    classes.sort_by(|a, b| key(*b).total_cmp(&key(*a)));
    let label = |class: usize| labels.and_then(|labels| labels.get(class).cloned());
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
        let labels = ["a", "b", "c", "d"].map(String::from);
        let classes = top(&[0.1, f32::NAN, 0.7, 0.1], Some(&labels), 3);
        let names: Vec<_> = classes.iter().filter_map(|class| class.label.as_deref()).collect();
        assert_eq!(names, ["c", "a", "d"]);
    }

    #[test]
    fn a_list_fits_with_the_background_or_without() {
        let labels = |names: &[&str]| Labels(names.iter().map(|name| name.to_string()).collect());
        let plain = labels(&["cat", "dog", "owl"]);
        assert_eq!(plain.of(3).map(|names| names[0].clone()), Some("cat".into()));
        assert_eq!(plain.of(4).map(|names| names[0].clone()), Some("background".into()));
        assert_eq!((plain.of(2), plain.of(5)), (None, None));
        assert_eq!(labels(&["__background__", "cat"]).of(1), Some(vec!["cat".into()]));
    }

    #[test]
    fn scores_become_probabilities() {
        let probabilities = softmax(&[1000.0, 1000.0, -1e30, 0.0], 2);
        assert_eq!(probabilities, [0.5, 0.5, 0.0, 1.0]);
        assert_eq!(Values::of(&probabilities, 2), Values::Probability);
        assert_eq!(Values::of(&[0.5, 0.6, 0.1, 0.9], 2), Values::Score);
    }
}
