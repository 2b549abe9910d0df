//! Who takes which band: each worker its own share first, then what others have left.
//!
//! What flows in is the number of bands and of workers, what flows out is each band's number, once. Called by the engine for steps
//! whose bands run side by side.
//!
//! Worker 0 begins with the first rows of every step, worker 1 with the next. So what a worker reads is mostly what it wrote a
//! step before, and still lies in its own core's cache: on a server's mesh a line that another core wrote takes longer than a
//! small layer's arithmetic on it.

use core::sync::atomic::{AtomicUsize, Ordering};

/// Shares at most; further workers begin with the shares of others.
const MAX_SHARES: usize = 16;

/// The bands of one step, each handed out once.
pub(super) struct Shares {
    shares: [Share; MAX_SHARES],
    count: usize,
}

impl Shares {
    /// `bands` bands in equal shares for `workers` workers.
    pub(super) fn new(bands: usize, workers: usize) -> Self {
        let count = workers.clamp(1, MAX_SHARES);
        let mut shares = [const { Share::empty() }; MAX_SHARES];
        let (each, more) = (bands / count, bands % count);
        let mut first = 0;
        for (i, share) in shares.iter_mut().take(count).enumerate() {
            (share.first, share.len) = (first, each + usize::from(i < more));
            first += share.len;
        }
        Self { shares, count }
    }

    /// The next band for a worker: from the front of its own share, else from the back of another's. `None` when all are taken.
    ///
    /// Any number will do as `worker`, also one that several workers have: it only says where to begin.
    pub(super) fn take(&self, worker: usize) -> Option<usize> {
        let own = worker % self.count;
        let (before, from_own) = self.shares.get(..self.count)?.split_at(own);
        let (own, behind) = from_own.split_first()?;
        own.take_first().or_else(|| behind.iter().chain(before).find_map(Share::take_last))
    }
}

/// Neighbouring bands. A cache line of its own, which its worker's core keeps as long as nobody comes to help.
#[repr(align(64))]
struct Share {
    first: usize,
    len: usize,
    /// Claims so far; those below `len` are good for one band each.
    claims: AtomicUsize,
    /// Bands taken from the front.
    front: AtomicUsize,
    /// Bands taken from the back.
    back: AtomicUsize,
}

impl Share {
    const fn empty() -> Self {
        Self {
            first: 0,
            len: 0,
            claims: AtomicUsize::new(0),
            front: AtomicUsize::new(0),
            back: AtomicUsize::new(0),
        }
    }

    /// Good claims are at most `len`, and each moves one end by one: the ends cannot cross.
    fn claim(&self) -> bool {
        // Looked at first, since a claim that is too late must not count for ever, nor take the line from who works here.
        self.claims.load(Ordering::Relaxed) < self.len
            && self.claims.fetch_add(1, Ordering::Relaxed) < self.len
    }

    fn take_first(&self) -> Option<usize> {
        self.claim().then(|| self.first + self.front.fetch_add(1, Ordering::Relaxed))
    }

    fn take_last(&self) -> Option<usize> {
        self.claim().then(|| self.first + self.len - 1 - self.back.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_band_is_taken_once_whoever_asks() {
        for bands in 0..40 {
            for workers in 1..20 {
                let shares = Shares::new(bands, workers);
                let mut taken = vec![0; bands];
                // Turns as unequal as they can be: a worker takes as many bands as its number says.
                for worker in (0..workers).cycle() {
                    let turn: Vec<usize> = (0..=worker).map_while(|_| shares.take(worker)).collect();
                    turn.iter().for_each(|&band| taken[band] += 1);
                    if turn.len() <= worker {
                        break;
                    }
                }
                assert!(taken.iter().all(|count| *count == 1), "{bands} bands, {workers} workers");
                assert_eq!(shares.take(0), None);
            }
        }
    }

    #[test]
    fn workers_begin_with_neighbouring_bands_of_their_own() {
        let shares = Shares::new(8, 2);
        assert_eq!([0, 1, 0, 1].map(|worker| shares.take(worker)), [0, 4, 1, 5].map(Some));
        // The second helps the first from its far end.
        assert_eq!([1, 1, 1].map(|worker| shares.take(worker)), [6, 7, 3].map(Some));
        assert_eq!(shares.take(0), Some(2));
    }

    #[test]
    fn threads_take_each_band_once() {
        const BANDS: usize = if cfg!(miri) { 20 } else { 10_000 };
        let shares = Shares::new(BANDS, 3);
        let take_all = |worker| core::iter::from_fn(|| shares.take(worker)).collect::<Vec<usize>>();
        let mut all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|i| scope.spawn(move || take_all(i))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<usize>>()
        });
        all.sort_unstable();
        assert!(all.into_iter().eq(0..BANDS));
    }
}
