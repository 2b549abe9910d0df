//! Properties of plans, and the figures of the shared instances.

use alloc::vec::Vec;
use std::eprintln;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::placement::accepted;
use super::{Certificate, Placement, PlanError, Proof, plan};
use crate::device::memory::tests::{Instance, instances};
use crate::device::memory::{Buffer, Direction, Problem, Separation, Violation, lower_bound, verify};

proptest! {
    #[test]
    fn plans_are_sound_and_deterministic(instance in instances(14, 10, 60, true)) {
        let problem = instance.problem();
        let placement = plan(&problem).expect("small");
        prop_assert_eq!(verify(&problem, &placement.offsets, &placement.directions, placement.arena_len), Ok(()));
        prop_assert!(placement.arena_len >= lower_bound(&problem));
        prop_assert_eq!(plan(&problem).expect("small"), placement);
    }

    #[test]
    fn a_step_has_one_direction(instance in instances(14, 10, 60, true)) {
        let problem = instance.problem();
        let placement = plan(&problem).expect("small");
        for (separation, direction) in problem.separations().iter().zip(&placement.directions) {
            prop_assert_eq!(placement.direction(&problem, separation.step), *direction);
        }
    }

    #[test]
    fn certificates_agree_with_brute_force(instance in instances(4, 4, 5, true)) {
        let problem = instance.problem();
        let placement = plan(&problem).expect("small");
        let optimum = (0..=placement.arena_len).find(|&arena_len| fits(&problem, arena_len)).expect("the plan fits");
        match placement.certificate {
            Certificate::Optimal(Proof::BoundReached) => prop_assert_eq!(placement.arena_len, optimum),
            Certificate::Gap { lower, upper } => prop_assert!(lower <= optimum && optimum <= upper),
        }
        if instance.separations.is_empty() {
            prop_assert_eq!(placement.arena_len, optimum);
        }
    }
}

/// What the verifier rejects is an error in every build, never a placement.
#[test]
fn an_unsound_placement_is_refused() {
    let buffers = [Buffer::new(8, 0, 1), Buffer::new(8, 1, 2)];
    let problem = Problem::new(&buffers, &[]).expect("well formed");
    let certificate = Certificate::Gap { lower: 16, upper: 12 };
    let placement = Placement { offsets: [0, 4].into(), directions: Vec::new(), arena_len: 12, certificate };
    let refused = PlanError::Unsound(Violation::Overlap { a: 0, b: 1 });
    assert_eq!(accepted(&problem, placement), Err(refused));
}

/// Tries all offsets and directions.
fn fits(problem: &Problem<'_>, arena_len: u32) -> bool {
    let mut steps: Vec<u32> = problem.separations().iter().map(|separation| separation.step).collect();
    steps.sort_unstable();
    steps.dedup();
    (0u32..1 << steps.len()).any(|choice| {
        let direction = |separation: &Separation| {
            let bit = steps.iter().position(|step| *step == separation.step).expect("listed");
            if choice >> bit & 1 == 0 { Direction::Forward } else { Direction::Backward }
        };
        let directions: Vec<_> = problem.separations().iter().map(direction).collect();
        let mut offsets = Vec::new();
        extend(problem, &directions, arena_len, &mut offsets)
    })
}

/// Places the remaining buffers in every way; a partial placement is checked by giving the others no bytes.
fn extend(problem: &Problem<'_>, directions: &[Direction], arena_len: u32, offsets: &mut Vec<u32>) -> bool {
    let placed = offsets.len();
    let mut buffers: Vec<Buffer> = problem.buffers().to_vec();
    buffers[placed..].iter_mut().for_each(|buffer| buffer.len = 0);
    let partial = Problem::new(&buffers, problem.separations()).expect("still well formed");
    let mut all = offsets.clone();
    all.resize(buffers.len(), 0);
    if verify(&partial, &all, directions, arena_len).is_err() {
        return false;
    }
    if placed == buffers.len() {
        return true;
    }
    (0..=arena_len).any(|offset| {
        offsets.push(offset);
        let found = extend(problem, directions, arena_len, offsets);
        offsets.pop();
        found
    })
}

/// The planner's instances beside the repository, if they are there.
fn shared_nets() -> Option<PathBuf> {
    let shared = std::env::var("SALTO_SHARED")
        .map_or_else(|_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let nets = shared.join("planner/nets");
    if nets.join("manifest.json").exists() {
        return Some(nets);
    }
    eprintln!("skipped: {} is absent", nets.display());
    None
}

fn rows(path: PathBuf) -> Vec<Vec<u32>> {
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(|field| field.parse().expect("number")).collect())
        .collect()
}

/// Reads `id,lower,upper,size` and `in_id,out_id,sep_out_below_in,sep_in_below_out`.
fn read(buffers: PathBuf, separations: Option<PathBuf>) -> Instance {
    let buffers: Vec<_> = rows(buffers).iter().map(|row| Buffer::new(row[3], row[1], row[2] - 1)).collect();
    let pair = |row: Vec<u32>| {
        let (input, output) = (row[0] as usize, row[1] as usize);
        Separation { input, output, step: buffers[output].first, forward: row[2], backward: row[3] }
    };
    let separations = separations.map_or_else(Vec::new, |path| rows(path).into_iter().map(pair).collect());
    Instance { buffers, separations }
}

/// The perfect packings from 80 buffers on need the exact search; every network's instance is solved by greedy or local search.
#[test]
fn shared_instances_reach_their_optimum() {
    let Some(nets) = shared_nets() else { return };
    let manifest = std::fs::read_to_string(nets.join("manifest.json")).expect("readable");
    let manifest: Vec<serde_json::Value> = serde_json::from_str(&manifest).expect("JSON");
    for entry in &manifest {
        let file = entry["file"].as_str().expect("file");
        let figure = |key: &str| entry[key].as_u64().map(|figure| figure as u32);
        let plain = plan_file(&nets, file, None);
        assert_eq!(Some(plain.bound), figure("max_live_lb").or(Some(plain.bound)), "{file}");
        assert!(figure("tflm_greedy").is_none_or(|tflm| plain.arena_len <= tflm), "{file}");
        let is_network = !file.starts_with("synth_perfect");
        if is_network || plain.count < 80 {
            assert_eq!(Some(plain.arena_len), figure("optimum"), "{file}");
        }
        if let Some(relaxations) = entry["relax"].as_str() {
            let relaxed = plan_file(&nets, file, Some(relaxations));
            assert!(relaxed.arena_len <= plain.arena_len, "{relaxations}");
        }
    }
}

struct Figures {
    count: usize,
    bound: u32,
    arena_len: u32,
}

/// Plans an instance, verifies the plan and prints its figures.
fn plan_file(nets: &Path, file: &str, relaxations: Option<&str>) -> Figures {
    let instance = read(nets.join(file), relaxations.map(|file| nets.join(file)));
    let problem = instance.problem();
    let start = std::time::Instant::now();
    let placement = plan(&problem).expect("less than 4 GiB");
    let time = start.elapsed();
    let Placement { offsets, directions, arena_len, certificate } = placement;
    assert_eq!(verify(&problem, &offsets, &directions, arena_len), Ok(()));
    eprintln!("{}: {arena_len} bytes, {certificate}, {time:?}", relaxations.unwrap_or(file));
    Figures { count: offsets.len(), bound: lower_bound(&problem), arena_len }
}
