//! Tables of weights for `Resize`: which input elements make up each output element of an axis, and with which weights.
//!
//! Formulas: <https://onnx.ai/onnx/operators/onnx__Resize.html> and, for antialiasing, its reference implementation, which
//! stretches the interpolating function by the factor of a reduction.

use crate::host::Result;
use crate::host::graph::Constant;

use super::super::Tensor;
use super::super::number::{narrow, signed, wide};
use super::invalid;

/// The function that weighs input elements by their distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Weighing {
    /// The nearest element, by the rule of `nearest_mode`.
    Nearest(Rounding),
    /// `1 − |t|` up to 1.
    Linear,
    /// Keys' piecewise cubic up to 2, with this coefficient `A`.
    Cubic(f64),
}

/// ONNX `nearest_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
}

/// One axis of a resize by tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// Elements of the input.
    pub(super) input: u32,
    /// Elements of the output.
    pub(super) output: u32,
    /// Output elements for an input element.
    pub(super) factor: f64,
    /// Input elements for a step of the output.
    pub(super) scale: f64,
    /// Input place of output element 0.
    pub(super) offset: f64,
    pub(super) weighing: Weighing,
    /// Does a reduction look at all elements under it?
    pub(super) antialias: bool,
    /// Are elements beyond the input left out, rather than being those of its edge?
    pub(super) exclude_outside: bool,
    /// Do places beyond the input give the fill value?
    pub(super) cropped: bool,
}

/// How far a place may lie beyond the input by rounding alone.
const SLACK: f64 = 1e-6;

impl Axis {
    /// The most input elements that an output element may read.
    pub(super) fn most_taps(&self) -> u32 {
        let taps = signed((2.0 * self.radius()).ceil()).saturating_add(2);
        u32::try_from(taps).unwrap_or(u32::MAX).min(self.input)
    }

    /// The table `[output, 1 + taps]`: first index and weights, with a first index of −1 where nothing is read.
    pub(super) fn table(&self) -> Result<Tensor> {
        let entries: Vec<Entry> = (0..self.output).map(|o| self.entry(f64::from(o))).collect();
        let taps = entries.iter().map(|entry| entry.weights.len()).max().unwrap_or(0).max(1);
        let mut table = Vec::new();
        for entry in entries {
            // The window moves to the front where it would reach behind the input.
            let room = i64::from(self.input) - i64::try_from(taps).unwrap_or(i64::MAX);
            let first = entry.first.min(room);
            let skipped = usize::try_from(entry.first - first).unwrap_or(0);
            let mut row = vec![0.0; taps];
            for (k, weight) in entry.weights.iter().enumerate() {
                row[k + skipped] = narrow(*weight);
            }
            table.push(narrow(wide(if entry.weights.is_empty() { -1 } else { first })));
            table.extend(row);
        }
        let taps = u32::try_from(taps + 1).map_err(|_| invalid("too many taps"))?;
        Tensor::new([self.output, taps], Constant::f32(table))
    }

    /// How much the weighing function is stretched: by a reduction, if it is antialiased.
    fn stretch(&self) -> f64 {
        if self.antialias { self.factor.min(1.0) } else { 1.0 }
    }

    /// How far from its place an output element looks.
    fn radius(&self) -> f64 {
        match self.weighing {
            Weighing::Nearest(_) => 0.5,
            Weighing::Linear => 1.0 / self.stretch(),
            Weighing::Cubic(_) => 2.0 / self.stretch(),
        }
    }

    fn entry(&self, o: f64) -> Entry {
        let place = o * self.scale + self.offset;
        let last = f64::from(self.input) - 1.0;
        if self.cropped && !(-SLACK..=last + SLACK).contains(&place) {
            return Entry { first: 0, weights: Vec::new() };
        }
        if let Weighing::Nearest(rounding) = self.weighing {
            let nearest = signed(rounded(place, rounding).clamp(0.0, last));
            return Entry { first: nearest, weights: vec![1.0] };
        }
        let (stretch, radius) = (self.stretch(), self.radius());
        let (from, to) = (signed((place - radius).ceil()), signed((place + radius).floor()));
        let last = i64::from(self.input) - 1;
        let mut weights: Vec<(i64, f64)> = Vec::new();
        for i in from..=to {
            if self.exclude_outside && !(0..=last).contains(&i) {
                continue;
            }
            let weight = self.weight((wide(i) - place) * stretch);
            let i = i.clamp(0, last);
            match weights.last_mut() {
                Some((same, sum)) if *same == i => *sum += weight,
                _ => weights.push((i, weight)),
            }
        }
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        Entry {
            first: weights.first().map_or(0, |(i, _)| *i),
            weights: weights.into_iter().map(|(_, weight)| weight / total).collect(),
        }
    }

    /// The weight at distance `t`.
    fn weight(&self, t: f64) -> f64 {
        let t = t.abs();
        match self.weighing {
            Weighing::Nearest(_) => 1.0,
            Weighing::Linear => (1.0 - t).max(0.0),
            Weighing::Cubic(a) if t <= 1.0 => ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0,
            Weighing::Cubic(a) if t < 2.0 => a * (((t - 5.0) * t + 8.0) * t - 4.0),
            Weighing::Cubic(_) => 0.0,
        }
    }
}

/// The input elements of an output element.
struct Entry {
    first: i64,
    /// Empty if it reads nothing.
    weights: Vec<f64>,
}

fn rounded(place: f64, rounding: Rounding) -> f64 {
    match rounding {
        Rounding::PreferFloor => (place - 0.5 - SLACK).ceil(),
        Rounding::PreferCeil => (place + 0.5 + SLACK).floor(),
        Rounding::Floor => (place + SLACK).floor(),
        Rounding::Ceil => (place - SLACK).ceil(),
    }
}
