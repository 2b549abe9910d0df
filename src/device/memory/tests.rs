//! Properties of bound, placement and verification over generated problems.

use proptest::prelude::*;
use std::vec::Vec;

use super::{
    Buffer, Direction, Order, PlaceError, Problem, ProblemError, Separation, Violation, lower_bound, place,
    sort, step_bound, verify,
};

/// A generated problem that owns its parts.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) separations: Vec<Separation>,
}

impl Instance {
    pub(crate) fn problem(&self) -> Problem<'_> {
        Problem::new(&self.buffers, &self.separations).expect("generated well formed")
    }
}

/// Up to `count` buffers in `steps` steps; where `separated`, pairs that meet in one step may overlap.
pub(crate) fn instances(
    count: usize,
    steps: u32,
    len: u32,
    separated: bool,
) -> impl Strategy<Value = Instance> {
    let buffer = (0..=len, 0..3u32, 0..steps, 0..steps)
        .prop_map(|(len, align, a, b)| Buffer::new(len, a.min(b), a.max(b)).aligned(1 << align));
    let gaps = proptest::collection::vec((any::<bool>(), 0..=len, 0..=len), count * count);
    (proptest::collection::vec(buffer, 1..=count), gaps).prop_map(move |(buffers, gaps)| {
        let separations = if separated { separations(&buffers, &gaps) } else { Vec::new() };
        Instance { buffers, separations }
    })
}

fn separations(buffers: &[Buffer], gaps: &[(bool, u32, u32)]) -> Vec<Separation> {
    let mut list = Vec::new();
    let pairs = (0..buffers.len()).flat_map(|input| (0..buffers.len()).map(move |output| (input, output)));
    for ((input, output), &(wanted, forward, backward)) in pairs.zip(gaps.iter().cycle()) {
        let step = buffers[input].last;
        if wanted && input != output && buffers[output].first == step {
            list.push(Separation { input, output, step, forward, backward });
            if Problem::new(buffers, &list).is_err() {
                list.pop();
            }
        }
    }
    list
}

fn place_by(problem: &Problem<'_>, order: Order) -> Result<(Vec<u32>, Vec<Direction>, u32), PlaceError> {
    let count = problem.buffers().len();
    let mut numbers = std::vec![0; count];
    let mut offsets = std::vec![0; count];
    let mut directions = std::vec![Direction::Forward; problem.separations().len()];
    sort(problem, order, &mut numbers);
    let arena_len = place(problem, &mut numbers, &mut offsets, &mut directions)?;
    Ok((offsets, directions, arena_len))
}

proptest! {
    #[test]
    fn every_order_is_sound_and_above_the_bound(instance in instances(24, 12, 40, true)) {
        let problem = instance.problem();
        for order in Order::ALL {
            let (offsets, directions, arena_len) = place_by(&problem, order).expect("small");
            prop_assert_eq!(verify(&problem, &offsets, &directions, arena_len), Ok(()));
            prop_assert!(arena_len >= lower_bound(&problem));
        }
    }

    #[test]
    fn separations_only_lower_the_bound(instance in instances(24, 12, 40, true)) {
        let plain = Problem::new(&instance.buffers, &[]).expect("the same buffers");
        prop_assert!(lower_bound(&instance.problem()) <= lower_bound(&plain));
    }

    #[test]
    fn fixed_offsets_are_kept(instance in instances(12, 8, 40, false), fixed in 0..12usize, offset in 0..20u32) {
        let mut instance = instance;
        let fixed = fixed % instance.buffers.len();
        instance.buffers[fixed] = instance.buffers[fixed].aligned(4).at(offset * 4);
        let problem = instance.problem();
        let (offsets, directions, arena_len) = place_by(&problem, Order::Size).expect("small");
        prop_assert_eq!(offsets[fixed], offset * 4);
        prop_assert_eq!(verify(&problem, &offsets, &directions, arena_len), Ok(()));
    }

    #[test]
    fn the_verifier_sees_every_shared_byte(instance in instances(8, 6, 12, false), moved in 0..8usize, to in 0..40u32) {
        let problem = instance.problem();
        let (mut offsets, _, _) = place_by(&problem, Order::Area).expect("small");
        let moved = moved % offsets.len();
        offsets[moved] = to & !(instance.buffers[moved].align - 1);
        let clash = bytes_clash(&instance.buffers, &offsets);
        prop_assert_eq!(verify(&problem, &offsets, &[], 1000).is_err(), clash);
    }
}

/// The definition: some byte in some step belongs to two buffers.
fn bytes_clash(buffers: &[Buffer], offsets: &[u32]) -> bool {
    (0..6).any(|step| {
        let mut owned = [false; 128];
        buffers.iter().zip(offsets).filter(|(buffer, _)| buffer.lives_in(step)).any(|(buffer, &offset)| {
            (offset..offset + buffer.len).any(|byte| core::mem::replace(&mut owned[byte as usize], true))
        })
    })
}

const CHAIN: [Buffer; 3] = [Buffer::new(100, 0, 1), Buffer::new(60, 1, 2), Buffer::new(30, 2, 3)];

#[test]
fn a_chain_overlaps_as_far_as_its_separations_allow() {
    let separations = [
        Separation { input: 0, output: 1, step: 1, forward: 10, backward: 90 },
        Separation { input: 1, output: 2, step: 2, forward: 0, backward: 0 },
    ];
    let problem = Problem::new(&CHAIN, &separations).expect("well formed");
    assert_eq!(step_bound(&problem, 1), 110);
    let (offsets, directions, arena_len) = place_by(&problem, Order::Size).expect("small");
    assert_eq!(verify(&problem, &offsets, &directions, arena_len), Ok(()));
    assert_eq!(arena_len, 150, "backward, the second buffer begins at 90 in place of 100");
    let (_, directions, arena_len) = place_by(&problem, Order::Start).expect("small");
    assert_eq!((directions[0], arena_len), (Direction::Backward, 150));
}

#[test]
fn one_step_has_one_direction() {
    // Two inputs of one step: each alone would choose its own direction.
    let buffers = [Buffer::new(10, 0, 1), Buffer::new(10, 0, 1), Buffer::new(20, 1, 2)];
    let separations = [
        Separation { input: 0, output: 2, step: 1, forward: 0, backward: 10 },
        Separation { input: 1, output: 2, step: 1, forward: 20, backward: 0 },
    ];
    let problem = Problem::new(&buffers, &separations).expect("well formed");
    for order in Order::ALL {
        let (offsets, directions, arena_len) = place_by(&problem, order).expect("small");
        assert_eq!(directions[0], directions[1]);
        assert_eq!(verify(&problem, &offsets, &directions, arena_len), Ok(()));
    }
    let mixed = [Direction::Forward, Direction::Backward];
    assert_eq!(verify(&problem, &[0, 10, 0], &mixed, 20), Err(Violation::Direction { step: 1 }));
}

#[test]
fn problems_that_contradict_themselves_are_refused() {
    let backwards = [Buffer::new(1, 2, 1)];
    assert_eq!(Problem::new(&backwards, &[]).err(), Some(ProblemError::Life { buffer: 0 }));
    let odd = [Buffer::new(1, 0, 1).aligned(3)];
    assert_eq!(Problem::new(&odd, &[]).err(), Some(ProblemError::Align { buffer: 0 }));
    let apart = [Separation { input: 0, output: 2, step: 1, forward: 0, backward: 0 }];
    assert_eq!(Problem::new(&CHAIN, &apart).err(), Some(ProblemError::Meeting { separation: 0 }));
    let pair = Separation { input: 0, output: 1, step: 1, forward: 0, backward: 0 };
    assert_eq!(Problem::new(&CHAIN, &[pair, pair]).err(), Some(ProblemError::Roles { separation: 1 }));
}

#[test]
fn placement_reports_what_it_cannot_do() {
    let problem = Problem::new(&CHAIN, &[]).expect("well formed");
    let mut offsets = [0; 3];
    assert_eq!(place(&problem, &mut [0, 0, 1], &mut offsets, &mut []), Err(PlaceError::Slices));
    assert_eq!(place(&problem, &mut [0, 1, 9], &mut offsets, &mut []), Err(PlaceError::Slices));
    assert_eq!(place(&problem, &mut [0, 1], &mut offsets, &mut []), Err(PlaceError::Slices));
    let large = [Buffer::new(u32::MAX - 1, 0, 1), Buffer::new(2, 1, 1)];
    let problem = Problem::new(&large, &[]).expect("well formed");
    assert_eq!(lower_bound(&problem), u32::MAX);
    assert_eq!(place_by(&problem, Order::Size).err(), Some(PlaceError::Limit { buffer: 1 }));
    let clash = [Buffer::new(8, 0, 1).at(0), Buffer::new(8, 1, 1).at(4)];
    let problem = Problem::new(&clash, &[]).expect("well formed");
    assert_eq!(place_by(&problem, Order::Size).err(), Some(PlaceError::Fixed { buffer: 1 }));
}
