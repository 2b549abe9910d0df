//! Mutated copies of good files, the same on every machine.

/// Numbers that programs stumble over.
const NUMBERS: [u64; 12] =
    [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];

/// Makes files from seeds.
pub(crate) struct Mutator<'a> {
    seeds: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutator<'a> {
    pub(crate) fn new(name: &str, seeds: &'a [Vec<u8>]) -> Self {
        let state = name.bytes().fold(0x9e37_79b9u64, |state, byte| state.wrapping_mul(31) + u64::from(byte));
        Self { seeds, state }
    }

    /// A seed with one to four changes.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut file = self.seed().to_vec();
        for _ in 0..=self.below(4) {
            self.change(&mut file);
        }
        file
    }

    /// `SplitMix64`.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }

    fn seed(&mut self) -> &'a [u8] {
        let seeds = self.seeds;
        &seeds[self.below(seeds.len())]
    }

    /// A place; half of the time near the beginning or the end, where headers and directories are.
    fn place(&mut self, len: usize) -> usize {
        match self.below(4) {
            0 => self.below(len.min(128)),
            1 => len - 1 - self.below(len.min(128)),
            _ => self.below(len),
        }
    }

    fn change(&mut self, file: &mut Vec<u8>) {
        if file.is_empty() {
            return file.push(self.below(256) as u8);
        }
        let place = self.place(file.len());
        match self.below(10) {
            0 | 1 => file[place] ^= 1 << self.below(8),
            2 => file[place] = self.below(256) as u8,
            3 | 4 => self.number(file, place),
            5 => file.truncate(place),
            6 => drop(file.drain(place..(place + 1 + self.below(16)).min(file.len()))),
            7 => self.digits(file, place),
            8 => {
                // A part of the same or another file, put in or over.
                let other = self.seed();
                let from = self.below(other.len());
                let part = &other[from..(from + 1 + self.below(64)).min(other.len())];
                let end = if self.below(2) == 0 { place } else { (place + part.len()).min(file.len()) };
                drop(file.splice(place..end, part.iter().copied()));
            }
            _ => {
                let part = file[place..(place + 1 + self.below(8)).min(file.len())].to_vec();
                for _ in 0..self.below(40) {
                    drop(file.splice(place..place, part.iter().copied()));
                }
            }
        }
    }

    /// A number of 1, 2, 4 or 8 bytes in either order.
    fn number(&mut self, file: &mut [u8], place: usize) {
        let number = NUMBERS[self.below(NUMBERS.len())].wrapping_add(self.below(3) as u64).wrapping_sub(1);
        let width = 1 << self.below(4);
        let (low, high) = (number.to_le_bytes(), number.to_be_bytes());
        let bytes = if self.below(2) == 0 { &low[..width] } else { &high[8 - width..] };
        file[place..].iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }

    /// The next digits of a text become nines.
    fn digits(&mut self, file: &mut Vec<u8>, place: usize) {
        let Some(first) = file[place..].iter().position(u8::is_ascii_digit) else { return };
        let more = self.below(20);
        file[place + first] = b'9';
        drop(file.splice(place + first..place + first, std::iter::repeat_n(b'9', more)));
    }
}
