//! A problem as the exact search sees it: items over sections in place of buffers over steps.

use alloc::vec::Vec;

use crate::device::memory::{Problem, Separation};

/// The items of a problem and what the search has to know about their surroundings.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) items: Vec<Item>,
    /// Sections: the steps whose live buffers are not a part of another step's. No pair of buffers that live together is lost
    /// by looking at them alone, and they are the steps that can be fullest.
    pub(super) sections: usize,
    pub(super) meetings: Vec<Meeting>,
    /// Every offset is a multiple of it: the smallest alignment.
    pub(super) cell: u64,
}

/// A buffer that has bytes.
#[derive(Debug)]
pub(super) struct Item {
    /// Its number in the problem.
    pub(super) buffer: usize,
    /// Bytes, and the same rounded up to cells.
    pub(super) bytes: u64,
    pub(super) len: u64,
    pub(super) align: u64,
    /// First and last section.
    pub(super) first: usize,
    pub(super) last: usize,
    /// The meeting in which it is written, that is, in its first section.
    pub(super) write: Option<usize>,
    /// The meeting in which it is read, that is, in its last section.
    pub(super) read: Option<Read>,
    /// The items that it may overlap.
    pub(super) links: Vec<Link>,
}

/// An item as an input of a meeting: the least separations of its pairs there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) meeting: usize,
    pub(super) forward: u64,
    pub(super) backward: u64,
}

/// What a separation means to one of its two items when it lies below the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) other: usize,
    pub(super) meeting: usize,
    /// How far above this item's offset the other has to lie: forward, backward.
    pub(super) above: [u64; 2],
}

/// A step that has separations.
#[derive(Debug)]
pub(super) struct Meeting {
    pub(super) step: u32,
    pub(super) section: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl Field {
    /// The view of a problem; `None` if it has fixed offsets, which the search does not know.
    pub(super) fn of(problem: &Problem<'_>) -> Option<Self> {
        let buffers = problem.buffers();
        let numbers: Vec<usize> = (0..buffers.len()).filter(|&number| buffers[number].len > 0).collect();
        if numbers.iter().any(|&number| buffers[number].fixed.is_some()) {
            return None;
        }
        let steps = sections(problem, &numbers);
        let cell = numbers.iter().map(|&number| u64::from(buffers[number].align)).min().unwrap_or(1);
        let item = |&number: &usize| {
            let buffer = &buffers[number];
            Item {
                buffer: number,
                bytes: buffer.len.into(),
                len: u64::from(buffer.len).next_multiple_of(cell),
                align: buffer.align.into(),
                first: steps.partition_point(|&step| step < buffer.first),
                last: steps.partition_point(|&step| step <= buffer.last) - 1,
                write: None,
                read: None,
                links: Vec::new(),
            }
        };
        let items = numbers.iter().map(item).collect();
        let mut field = Self { items, sections: steps.len(), meetings: Vec::new(), cell };
        for separation in problem.separations() {
            let find = |buffer| numbers.binary_search(&buffer).ok();
            if let (Some(input), Some(output)) = (find(separation.input), find(separation.output)) {
                field.link(separation, input, output);
            }
        }
        Some(field)
    }

    fn link(&mut self, separation: &Separation, input: usize, output: usize) {
        let section = self.items[output].first;
        let meeting =
            self.meetings.iter().position(|meeting| meeting.step == separation.step).unwrap_or_else(|| {
                let step = separation.step;
                self.meetings.push(Meeting { step, section, inputs: 0, outputs: 0 });
                self.meetings.len() - 1
            });
        let (in_len, out_len) = (self.items[input].len, self.items[output].len);
        // More than plain disjointness is never asked for.
        let forward = u64::from(separation.forward).next_multiple_of(self.cell).min(out_len);
        let backward = u64::from(separation.backward).next_multiple_of(self.cell).min(in_len);
        if self.items[input].read.is_none() {
            self.meetings[meeting].inputs += 1;
        }
        if self.items[output].write.is_none() {
            self.meetings[meeting].outputs += 1;
        }
        let least = self.items[input]
            .read
            .map_or((forward, backward), |read| (read.forward.min(forward), read.backward.min(backward)));
        self.items[input].read = Some(Read { meeting, forward: least.0, backward: least.1 });
        self.items[output].write = Some(meeting);
        self.items[input].links.push(Link { other: output, meeting, above: [in_len, backward] });
        self.items[output].links.push(Link { other: input, meeting, above: [forward, out_len] });
    }
}

/// The steps where a buffer begins, without those whose buffers all live on until the next begin.
fn sections(problem: &Problem<'_>, numbers: &[usize]) -> Vec<u32> {
    let buffers = problem.buffers();
    let mut begins: Vec<u32> = numbers.iter().map(|&number| buffers[number].first).collect();
    let mut ends: Vec<u32> = numbers.iter().map(|&number| buffers[number].last).collect();
    begins.sort_unstable();
    begins.dedup();
    ends.sort_unstable();
    let is_kept = |rank: &usize| {
        let end = ends.partition_point(|&end| end < begins[*rank]);
        begins.get(rank + 1).is_none_or(|next| ends[end] < *next)
    };
    (0..begins.len()).filter(is_kept).map(|rank| begins[rank]).collect()
}

impl Item {
    /// Do the two live in one section?
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    pub(super) fn covers(&self, section: usize) -> bool {
        self.first <= section && section <= self.last
    }

    /// May the two change places in every solution?
    pub(super) fn is_twin(&self, other: &Self) -> bool {
        let this = (self.first, self.last, self.bytes, self.align);
        this == (other.first, other.last, other.bytes, other.align)
            && self.links.is_empty()
            && other.links.is_empty()
    }
}
