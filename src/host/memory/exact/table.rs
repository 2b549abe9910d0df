//! The states that are known to lead nowhere.

use alloc::vec;
use alloc::vec::Vec;

use super::field::Field;
use super::{Entry, Hole, Way};

/// A set of state keys that forgets: a key takes the place of another that falls on the same slot.
///
/// Keys have 128 bits, so two states share one with a chance of about 2⁻⁸⁰ in a search of 2²⁴ states.
#[derive(Debug)]
pub(super) struct Table {
    slots: Vec<u128>,
}

impl Table {
    /// A table with `1 << bits` slots.
    pub(super) fn new(bits: u32) -> Self {
        Self { slots: vec![0; 1 << bits] }
    }

    pub(super) fn contains(&self, key: u128) -> bool {
        self.slots[self.slot(key)] == key
    }

    pub(super) fn insert(&mut self, key: u128) {
        let slot = self.slot(key);
        self.slots[slot] = key;
    }

    fn slot(&self, key: u128) -> usize {
        key as usize & (self.slots.len() - 1)
    }
}

/// The key of a state: what is unplaced, its least offsets, the directions of its meetings, the holes that are still to fill.
/// Nothing else decides what the search finds below a state.
pub(super) fn key(field: &Field, list: &[Entry], holes: &[Hole], ways: &[Way]) -> u128 {
    let mut sum = 1u128;
    for entry in list {
        let item = &field.items[entry.item];
        let way = |meeting: Option<usize>| meeting.map_or(0, |meeting| ways[meeting] as u64);
        let state = way(item.write) * 3 + way(item.read.map(|read| read.meeting));
        sum = sum.wrapping_add(scatter(entry.item as u64 * 16 + state, entry.min));
    }
    for hole in holes {
        sum = sum.wrapping_add(scatter(hole.item as u64 * 16 + 15, hole.top));
    }
    sum
}

fn scatter(a: u64, b: u64) -> u128 {
    let low = mix(mix(a.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ b);
    let high = mix(low ^ a.rotate_left(32) ^ b.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
    u128::from(high) << 64 | u128::from(low)
}

/// A bijection of 64 bits that spreads every bit over all: xorshifts and multiplications by odd numbers.
pub(super) const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits = (bits ^ bits >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits ^ bits >> 32
}
