//! What the search tries first. Every restart has a style of its own; no style changes what is possible.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::field::Field;
use super::table::mix;

/// The order in which the items of a section are tried, and the measure by which the section is chosen.
#[derive(Debug)]
pub(super) struct Style {
    /// The rank of each item: low ones are tried first.
    pub(super) rank: Vec<usize>,
    measure: Measure,
}

/// What makes a section urgent.
#[derive(Clone, Copy, Debug)]
enum Measure {
    /// Few candidates; among equals, little slack.
    Candidates,
    /// Few candidates for the failures it has seen.
    Failures,
    /// Few candidates and little slack for the failures it has seen.
    Slack,
}

impl Style {
    /// The style of a restart.
    pub(super) fn new(field: &Field, restart: u64) -> Self {
        let random = |stream: u64| mix(restart.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(stream));
        let (shape, measure) = (random(u64::MAX) % 8, random(u64::MAX - 1) % 4);
        let key = |item: usize| {
            let Item { width, len } = Item::of(field, item);
            // Up to 60 % of noise, none in the first run.
            let noise = if restart == 0 { 100 } else { 100 + random(item as u64) % 60 };
            let value = match (restart, shape) {
                (0, _) | (_, 0 | 1) => width * len,
                (_, 2 | 3) => len,
                (_, 4..=6) => width << 20,
                _ => width * width * len,
            };
            (value.saturating_mul(u128::from(noise)), len)
        };
        let mut order: Vec<usize> = (0..field.items.len()).collect();
        order.sort_by_cached_key(|&item| (Reverse(key(item)), item));
        let mut rank = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, &item)| rank[item] = place);
        let measure = match (restart, measure) {
            (0, _) | (_, 0) => Measure::Candidates,
            (_, 1) => Measure::Failures,
            _ => Measure::Slack,
        };
        Self { rank, measure }
    }

    /// How urgent a section is: the lowest score is decided first.
    pub(super) fn score(&self, candidates: u64, slack: u64, capacity: u64, failures: u64) -> u64 {
        // Slack has 32 bits at most, and a section fewer than 2²⁰ candidates.
        match self.measure {
            Measure::Candidates => (candidates + u64::from(slack > 0)) << 33 | slack,
            Measure::Failures => (candidates << 33) / (1 + failures),
            Measure::Slack => ((candidates * (slack + capacity / 128 + 1)) << 11) / (1 + failures),
        }
    }
}

struct Item {
    width: u128,
    len: u128,
}

impl Item {
    fn of(field: &Field, item: usize) -> Self {
        let item = &field.items[item];
        Self { width: (item.last - item.first + 1) as u128, len: item.len.into() }
    }
}

/// How often each section had no room.
#[derive(Debug)]
pub(super) struct Weights(Vec<u64>);

impl Weights {
    pub(super) fn new(sections: usize) -> Self {
        Self(vec![0; sections])
    }

    pub(super) fn fail(&mut self, section: usize) {
        self.0[section] += 1;
    }

    pub(super) fn of(&self, section: usize) -> u64 {
        self.0[section]
    }
}
