//! The tree search: does a component fit a capacity?

use alloc::vec;
use alloc::vec::Vec;

use super::field::{Field, Item};
use super::load::Load;
use super::style::{Style, Weights};
use super::table::{Table, key};
use super::{Entry, Hole, Outcome, Way};

/// The search for one capacity.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) field: &'a Field,
    pub(super) capacity: u64,
    pub(super) style: Style,
    pub(super) weights: Weights,
    /// Offsets of the placed items.
    pub(super) offsets: Vec<u64>,
    pub(super) ways: Vec<Way>,
    /// Work left, in entries looked at: for the whole search, and until the next restart.
    pub(super) budget: u64,
    pub(super) run: u64,
    load: Load,
    table: Table,
    candidates: Vec<i32>,
    is_listed: Vec<bool>,
}

impl<'a> Search<'a> {
    pub(super) fn new(field: &'a Field, capacity: u64, budget: u64) -> Self {
        // A visit costs an entry for each unplaced item; a slot for every visit, but not more than 64 MiB.
        let visits = budget / (field.items.len() as u64).max(1);
        Self {
            field,
            capacity,
            style: Style::new(field, 0),
            weights: Weights::new(field.sections),
            offsets: vec![0; field.items.len()],
            ways: vec![Way::Open; field.meetings.len()],
            budget,
            run: 0,
            load: Load::new(field),
            table: Table::new(visits.max(2).ilog2().clamp(8, 22)),
            candidates: vec![0; field.sections + 1],
            is_listed: vec![false; field.items.len()],
        }
    }

    /// The components of a list of unplaced items: no item of one lives together with an item of another. The smallest first.
    pub(super) fn components(&mut self, list: &[Entry]) -> Vec<Vec<Entry>> {
        let items = &self.field.items;
        self.candidates.fill(0);
        for entry in list {
            self.candidates[items[entry.item].first] += 1;
            self.candidates[items[entry.item].last] -= 1;
        }
        // Turned into the number of the component that a section belongs to: behind a section that no item crosses, the next begins.
        let (mut crossing, mut component) = (0, 0);
        for section in &mut self.candidates {
            crossing += *section;
            *section = component;
            component += i32::from(crossing == 0);
        }
        let mut parts: Vec<Vec<Entry>> = Vec::new();
        let mut number = vec![usize::MAX; component as usize];
        for entry in list {
            let slot = &mut number[self.candidates[items[entry.item].first] as usize];
            if *slot == usize::MAX {
                *slot = parts.len();
                parts.push(Vec::new());
            }
            parts[*slot].push(*entry);
        }
        parts.sort_by_key(Vec::len);
        parts
    }

    /// Completes a placement. The list is sorted by least offset.
    pub(super) fn complete(&mut self, list: Vec<Entry>, holes: &[Hole]) -> Outcome {
        if let Err(section) = self.load.count(self.field, &list, &self.ways, self.capacity) {
            self.weights.fail(section);
            return Outcome::Impossible;
        }
        if list.is_empty() {
            return Outcome::Found;
        }
        let parts = self.components(&list);
        if parts.len() == 1 {
            return self.visit(&list, holes);
        }
        for part in parts {
            // Counted with the whole list already; the sections may have changed since.
            if self.load.count(self.field, &part, &self.ways, self.capacity).is_err() {
                return Outcome::Impossible;
            }
            let outcome = self.visit(&part, holes);
            if outcome != Outcome::Found {
                return outcome;
            }
        }
        Outcome::Found
    }

    /// One state of one component.
    fn visit(&mut self, list: &[Entry], holes: &[Hole]) -> Outcome {
        let cost = list.len() as u64;
        self.budget = self.budget.saturating_sub(cost);
        self.run = self.run.saturating_sub(cost);
        if self.budget == 0 || self.run == 0 {
            return Outcome::Spent;
        }
        let holes = self.open_holes(list, holes);
        let Some(holes) = holes else { return Outcome::Impossible };
        let key = key(self.field, list, &holes, &self.ways);
        if self.table.contains(key) {
            return Outcome::Impossible;
        }
        let outcome = self.branch(list, &holes);
        if outcome == Outcome::Impossible {
            self.table.insert(key);
        }
        outcome
    }

    /// The holes whose item is still unplaced; `None` if one of them stays empty, so that its item could move down.
    fn open_holes(&mut self, list: &[Entry], holes: &[Hole]) -> Option<Vec<Hole>> {
        if holes.is_empty() {
            return Some(Vec::new());
        }
        let items = &self.field.items;
        list.iter().for_each(|entry| self.is_listed[entry.item] = true);
        let open: Vec<Hole> = holes.iter().copied().filter(|hole| self.is_listed[hole.item]).collect();
        list.iter().for_each(|entry| self.is_listed[entry.item] = false);
        let is_blocked = |hole: &Hole| {
            let mut low = list.iter().take_while(|entry| entry.min < hole.top);
            low.any(|entry| entry.item != hole.item && items[entry.item].meets(&items[hole.item]))
        };
        open.iter().all(is_blocked).then_some(open)
    }

    /// Tries everything that may happen at the lowest place of one section: each item that can lie there does, or none.
    fn branch(&mut self, list: &[Entry], holes: &[Hole]) -> Outcome {
        let Some(section) = self.choose(list) else { return Outcome::Impossible };
        let floor = self.load.floor[section];
        let mut choices = self.choices(list, section, floor);
        choices.sort_unstable_by_key(|&item| self.style.rank[item]);
        for rank in 0..choices.len() {
            let (item, items) = (choices[rank], &self.field.items);
            if choices[..rank].iter().any(|&earlier| items[earlier].is_twin(&items[item])) {
                continue;
            }
            let (writes, reads) = (self.ways_to_write(item), self.ways_to_read(item));
            for &write in writes {
                for &read in reads {
                    let outcome = self.try_place(list, holes, item, floor, (write, read));
                    if outcome != Outcome::Impossible {
                        return outcome;
                    }
                }
            }
        }
        self.try_skip(list, holes, floor, &choices)
    }

    /// The section to decide next: on a plateau of floors that only higher ones bound, so that what is placed there has nothing
    /// unplaced below itself.
    fn choose(&mut self, list: &[Entry]) -> Option<usize> {
        let items = &self.field.items;
        let first = list.iter().map(|entry| items[entry.item].first).min()?;
        let last = list.iter().map(|entry| items[entry.item].last).max()?;
        self.candidates[first..last + 2].fill(0);
        for entry in list {
            let item = &items[entry.item];
            if self.load.floor[item.first] == entry.min {
                self.candidates[item.first] += 1;
                self.candidates[item.last + 1] -= 1;
            }
        }
        let (mut best, mut count) = (None, 0);
        let mut begin = first;
        while begin <= last {
            let floor = self.load.floor[begin];
            let mut end = begin;
            while end < last && self.load.floor[end + 1] == floor {
                end += 1;
            }
            let is_niche = (begin == first || self.load.floor[begin - 1] > floor)
                && (end == last || self.load.floor[end + 1] > floor);
            for section in begin..=end {
                count += self.candidates[section];
                if is_niche {
                    let slack = self.capacity.saturating_sub(floor + self.load.need[section]);
                    let score =
                        self.style.score(count as u64, slack, self.capacity, self.weights.of(section));
                    if best.is_none_or(|(least, _)| score < least) {
                        best = Some((score, section));
                    }
                }
            }
            begin = end + 1;
        }
        best.map(|(_, section)| section)
    }

    /// The items that may lie at a niche's floor in a section, and those that may have to lie there first: at the same offset,
    /// though they do not live in the section, because a separation of no bytes lets them begin where one of the others begins.
    fn choices(&self, list: &[Entry], section: usize, floor: u64) -> Vec<usize> {
        let items = &self.field.items;
        let at_floor = list.iter().filter(|entry| entry.min == floor).map(|entry| entry.item);
        let mut choices: Vec<usize> = at_floor.clone().filter(|&item| items[item].covers(section)).collect();
        let mut rank = 0;
        while rank < choices.len() && !self.field.meetings.is_empty() {
            for link in &items[choices[rank]].links {
                let is_new =
                    !choices.contains(&link.other) && at_floor.clone().any(|item| item == link.other);
                if is_new && self.above(link.other, choices[rank]) == 0 {
                    choices.push(link.other);
                }
            }
            rank += 1;
        }
        choices
    }

    /// How far above `below` an item has to lie that lies above it; the least, if the direction is open.
    fn above(&self, below: usize, item: usize) -> u64 {
        let below = &self.field.items[below];
        let link = below.links.iter().find(|link| link.other == item);
        link.map_or(below.len, |link| match self.ways[link.meeting] {
            Way::Open => link.above[0].min(link.above[1]),
            Way::Forward => link.above[0],
            Way::Backward => link.above[1],
        })
    }

    /// The directions to try when an item is the first of its meeting to be placed. All others will lie above it: an output that
    /// has no rival gains by going forward alone, an input that has none by going backward.
    fn ways_to_write(&self, item: usize) -> &'static [Way] {
        match self.field.items[item].write {
            Some(meeting) if self.ways[meeting] == Way::Open => match self.field.meetings[meeting].outputs {
                1 => &[Way::Forward],
                _ => &[Way::Forward, Way::Backward],
            },
            _ => &[Way::Open],
        }
    }

    fn ways_to_read(&self, item: usize) -> &'static [Way] {
        match self.field.items[item].read {
            Some(read) if self.ways[read.meeting] == Way::Open => {
                match self.field.meetings[read.meeting].inputs {
                    1 => &[Way::Backward],
                    _ => &[Way::Backward, Way::Forward],
                }
            }
            _ => &[Way::Open],
        }
    }

    /// The branch in which an item lies at the floor. `ways` are the directions that it decides for the meetings in which it is
    /// written and read, or open where there is nothing to decide.
    fn try_place(
        &mut self,
        list: &[Entry],
        holes: &[Hole],
        item: usize,
        floor: u64,
        ways: (Way, Way),
    ) -> Outcome {
        let field = self.field;
        let placed = &field.items[item];
        let before = self.ways.clone();
        for (meeting, way) in [(placed.write, ways.0), (placed.read.map(|read| read.meeting), ways.1)] {
            if let (Some(meeting), Way::Forward | Way::Backward) = (meeting, way) {
                self.ways[meeting] = way;
            }
        }
        self.offsets[item] = floor;
        // What lies in a hole keeps the hole's item out of it.
        let is_empty = |hole: &&Hole| hole.top <= floor || !field.items[hole.item].meets(placed);
        let holes: Vec<Hole> = holes.iter().filter(is_empty).copied().collect();
        let lift = |other: &Item| other.meets(placed).then_some(floor + placed.len);
        let mut lifted = Lifted::new(list.len());
        for entry in list.iter().filter(|entry| entry.item != item) {
            let other = &field.items[entry.item];
            let least = match lift(other) {
                None => entry.min,
                Some(least) if other.links.is_empty() || placed.links.is_empty() => least,
                Some(_) => floor + self.above(item, entry.item),
            };
            lifted.push(*entry, least, other.align);
        }
        let outcome = self.complete(lifted.sorted(), &holes);
        if outcome != Outcome::Found {
            self.ways = before;
        }
        outcome
    }

    /// The branch in which none of the choices lies at the floor.
    ///
    /// In a placement that cannot be pushed down every offset is supported: it is another item's, plus what that one keeps
    /// others above itself. So a choice that does not lie at the floor lies above some other item at the least. And something has
    /// to lie in its way: else it could move down to the floor, which is the branch that [`Self::try_place`] has explored.
    fn try_skip(&mut self, list: &[Entry], holes: &[Hole], floor: u64, choices: &[usize]) -> Outcome {
        let items = &self.field.items;
        list.iter().for_each(|entry| self.is_listed[entry.item] = false);
        choices.iter().for_each(|&choice| self.is_listed[choice] = true);
        let others = || list.iter().filter(|entry| !self.is_listed[entry.item]);
        // Above an item that is no choice, and above another choice, which lies at `least` then.
        let supports: Vec<u64> = choices
            .iter()
            .map(|&choice| {
                let meeting = others().filter(|entry| items[entry.item].meets(&items[choice]));
                let above = meeting.map(|entry| entry.min + self.above(entry.item, choice));
                above.min().unwrap_or(u64::MAX)
            })
            .collect();
        let least = supports.iter().copied().min().unwrap_or(u64::MAX);
        let mut holes = holes.to_vec();
        let mut raised = Vec::with_capacity(choices.len());
        for (&choice, &support) in choices.iter().zip(&supports) {
            let meets = |&&other: &&usize| other != choice && items[other].meets(&items[choice]);
            let above = choices.iter().filter(meets).map(|&other| self.above(other, choice)).min();
            let support = support.min(above.map_or(u64::MAX, |above| least.saturating_add(above)));
            raised.push((choice, support.max(floor + 1)));
            holes.push(Hole { item: choice, top: floor + items[choice].len });
        }
        choices.iter().for_each(|&choice| self.is_listed[choice] = false);
        if raised.iter().any(|&(_, support)| support > self.capacity) {
            return Outcome::Impossible;
        }
        let mut lifted = Lifted::new(list.len());
        for entry in list {
            let support = raised.iter().find(|(choice, _)| *choice == entry.item);
            lifted.push(*entry, support.map_or(entry.min, |(_, support)| *support), items[entry.item].align);
        }
        self.complete(lifted.sorted(), &holes)
    }
}

/// A list of entries that is sorted again after some were lifted.
struct Lifted {
    stayed: Vec<Entry>,
    lifted: Vec<Entry>,
}

impl Lifted {
    fn new(count: usize) -> Self {
        Self { stayed: Vec::with_capacity(count), lifted: Vec::with_capacity(count) }
    }

    fn push(&mut self, entry: Entry, least: u64, align: u64) {
        if least > entry.min {
            self.lifted.push(Entry { min: least.next_multiple_of(align), item: entry.item });
        } else {
            self.stayed.push(entry);
        }
    }

    fn sorted(mut self) -> Vec<Entry> {
        self.lifted.sort_unstable();
        let mut merged = Vec::with_capacity(self.stayed.len() + self.lifted.len());
        let mut lifted = self.lifted.into_iter().peekable();
        for entry in self.stayed {
            while let Some(lower) = lifted.next_if(|lifted| *lifted < entry) {
                merged.push(lower);
            }
            merged.push(entry);
        }
        merged.extend(lifted);
        merged
    }
}
