//! How full the sections are: the bound that prunes the search, and the floors that lead it.

use alloc::vec;
use alloc::vec::Vec;

use super::field::{Field, Item};
use super::{Entry, Way};

/// Figures of each section, for the unplaced items of one component.
#[derive(Debug)]
pub(super) struct Load {
    /// The lowest offset that an unplaced item of the section may have.
    pub(super) floor: Vec<u64>,
    /// Bytes that the section's unplaced items need.
    pub(super) need: Vec<u64>,
    meets: Vec<Meet>,
    /// Which of `meets` a section has.
    meeting: Vec<usize>,
}

/// The unplaced items of a meeting so far.
#[derive(Clone, Copy, Debug, Default)]
struct Meet {
    inputs: u64,
    outputs: u64,
    least_forward: u64,
    backward_sum: u64,
    union: u64,
}

const NO_MEETING: usize = usize::MAX;

impl Load {
    pub(super) fn new(field: &Field) -> Self {
        let mut meeting = vec![NO_MEETING; field.sections];
        for (number, meet) in field.meetings.iter().enumerate() {
            meeting[meet.section] = number;
        }
        Self {
            floor: vec![u64::MAX; field.sections],
            need: vec![0; field.sections],
            meets: vec![Meet::default(); field.meetings.len()],
            meeting,
        }
    }

    /// Counts the unplaced items, which are sorted by least offset. The section that has no room, if there is one: its items
    /// that lie at `v` or above need more than what is left above `v`.
    ///
    /// Where items meet that may overlap, the bytes of their union count: see
    /// [`step_bound`](crate::device::memory::step_bound), whose formula this is.
    pub(super) fn count(
        &mut self,
        field: &Field,
        list: &[Entry],
        ways: &[Way],
        capacity: u64,
    ) -> Result<(), usize> {
        for entry in list {
            let item = &field.items[entry.item];
            for section in item.first..=item.last {
                self.floor[section] = u64::MAX;
                self.need[section] = 0;
                if let Some(meet) = self.meets.get_mut(self.meeting[section]) {
                    *meet = Meet { least_forward: u64::MAX, ..Meet::default() };
                }
            }
        }
        let room = capacity.next_multiple_of(field.cell);
        for entry in list.iter().rev() {
            let item = &field.items[entry.item];
            if entry.min + item.bytes > capacity {
                return Err(item.first);
            }
            let room = room - entry.min;
            let first = item.first + usize::from(item.write.is_some());
            let last = item.last + 1 - usize::from(item.read.is_some());
            for section in first..last {
                self.need[section] += item.len;
                self.floor[section] = entry.min;
                if self.need[section] > room {
                    return Err(section);
                }
            }
            for (at_end, section) in [(item.write.is_some(), item.first), (item.read.is_some(), item.last)] {
                if at_end {
                    self.meet(field, item, section, ways);
                    self.floor[section] = entry.min;
                    if self.need[section] > room {
                        return Err(section);
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts an item where it meets others.
    fn meet(&mut self, field: &Field, item: &Item, section: usize, ways: &[Way]) {
        let number = self.meeting[section];
        let meet = &mut self.meets[number];
        match item.read {
            Some(read) if read.meeting == number => {
                meet.inputs += item.len;
                meet.least_forward = meet.least_forward.min(read.forward);
                meet.backward_sum += read.backward;
            }
            _ => meet.outputs += item.len,
        }
        let union = if field.meetings[number].outputs == 1 && meet.inputs > 0 && meet.outputs > 0 {
            let forward = meet.outputs.max(meet.inputs + meet.least_forward);
            let backward = meet.inputs.max(meet.outputs + meet.backward_sum);
            match ways[number] {
                Way::Open => forward.min(backward),
                Way::Forward => forward,
                Way::Backward => backward,
            }
        } else {
            meet.outputs.max(meet.inputs)
        };
        // Another input may lower the least distance, and with it the union.
        self.need[section] = self.need[section] + union - meet.union;
        meet.union = union;
    }
}
