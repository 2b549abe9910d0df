//! The search against all orders, and its properties.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const BUDGET: usize = 100_000;

/// A task of a random network: how far back its operands lie, the size of what it writes, its scratch, may it write in place.
type Choice = (Vec<usize>, u64, u64, bool);

/// Tasks that each write one tensor and read some of those before, the first ones being inputs; what nobody reads is kept.
fn network(inputs: usize, choices: &[Choice]) -> Tasks {
    let mut tensors = vec![Tensor { bytes: 3, kept: false }; inputs];
    let mut tasks = Vec::new();
    for (back, bytes, scratch, in_place) in choices {
        let reads: Vec<usize> = back.iter().map(|back| tensors.len() - 1 - back % tensors.len()).collect();
        let over = reads.iter().filter(|&&read| *in_place && tensors[read].bytes == *bytes);
        let savings = over.map(|&over| Saving { over, bytes: *bytes }).collect();
        tasks.push(Task { reads, writes: vec![tensors.len()], scratch: *scratch, savings });
        tensors.push(Tensor { bytes: *bytes, kept: false });
    }
    for (number, tensor) in tensors.iter_mut().enumerate() {
        tensor.kept = !tasks.iter().any(|task| task.reads.contains(&number));
    }
    Tasks::new(tensors, tasks).expect("well formed")
}

fn networks(tasks: usize) -> impl Strategy<Value = Tasks> {
    let choice = (prop::collection::vec(0usize..5, 1..4), 1u64..9, 0u64..3, any::<bool>());
    (1usize..3, prop::collection::vec(choice, 1..=tasks))
        .prop_map(|(inputs, choices)| network(inputs, &choices))
}

/// The smallest peak, by trying all orders.
fn smallest(tasks: &Tasks, order: &mut Vec<usize>) -> u64 {
    if order.len() == tasks.count() {
        return tasks.peak(order);
    }
    let mut best = u64::MAX;
    for task in 0..tasks.count() {
        let ready = (0..tasks.count()).all(|need| !tasks.needs[task].contains(need) || order.contains(&need));
        if !order.contains(&task) && ready {
            order.push(task);
            best = best.min(smallest(tasks, order));
            order.pop();
        }
    }
    best
}

/// The same network with its tasks given in another order, by which one of those that can run comes next.
fn shuffled(tasks: &Tasks, picks: &[usize]) -> Tasks {
    let mut order: Vec<usize> = Vec::new();
    for pick in picks.iter().cycle().take(tasks.count()) {
        let needs_run = |task: usize| {
            (0..tasks.count()).all(|need| !tasks.needs[task].contains(need) || order.contains(&need))
        };
        let ready: Vec<usize> =
            (0..tasks.count()).filter(|&task| !order.contains(&task) && needs_run(task)).collect();
        order.push(ready[pick % ready.len()]);
    }
    let list = order.iter().map(|&task| tasks.tasks[task].clone()).collect();
    Tasks::new(tasks.tensors.clone(), list).expect("in order")
}

fn check(tasks: &Tasks, ordering: &Ordering) -> Result<(), TestCaseError> {
    let Ordering { order, peaks } = ordering;
    let place = |task: usize| order.iter().position(|other| *other == task).expect("every task");
    prop_assert_eq!(order.len(), tasks.count());
    for task in 0..tasks.count() {
        let needs = (0..tasks.count()).filter(|&need| tasks.needs[task].contains(need));
        prop_assert!(needs.map(place).all(|need| need < place(task)));
    }
    prop_assert_eq!(tasks.peak(order), peaks.chosen);
    prop_assert_eq!(tasks.peak(&tasks.given()), peaks.given);
    prop_assert!(peaks.lower <= peaks.chosen && peaks.chosen <= peaks.given);
    if peaks.chosen == peaks.given {
        prop_assert_eq!(order, &tasks.given());
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_order_is_better(tasks in networks(8)) {
        let ordering = order(&tasks, BUDGET);
        check(&tasks, &ordering)?;
        prop_assert_eq!(ordering.peaks.chosen, smallest(&tasks, &mut Vec::new()));
        prop_assert_eq!(ordering.peaks.lower, ordering.peaks.chosen);
    }

    /// The exact search alone, without what a beam search has found before it.
    #[test]
    fn the_exact_search_needs_no_beam(tasks in networks(8)) {
        let best = smallest(&tasks, &mut Vec::new());
        let mut budget = BUDGET;
        match search::search(&tasks, 0, best + 1, &mut budget) {
            Outcome::Found { order, peak, lower } => {
                prop_assert_eq!((peak, lower), (best, best));
                prop_assert_eq!(tasks.peak(&order), best);
            }
            outcome => return Err(TestCaseError::fail(format!("{outcome:?}"))),
        }
        let below = search::search(&tasks, 0, best, &mut budget);
        prop_assert!(matches!(below, Outcome::NoneBelow));
    }

    /// However small the budget is, the bound holds and the order is not worse than the given one.
    #[test]
    fn a_spent_budget_leaves_a_bound(tasks in networks(8), budget in 0usize..12) {
        let ordering = order(&tasks, budget);
        check(&tasks, &ordering)?;
        prop_assert!(ordering.peaks.lower <= smallest(&tasks, &mut Vec::new()));
    }

    #[test]
    fn the_given_order_does_not_matter(tasks in networks(30), picks in prop::collection::vec(0usize..7, 1..30)) {
        let ordering = order(&tasks, BUDGET);
        check(&tasks, &ordering)?;
        prop_assert_eq!(&order(&tasks, BUDGET), &ordering);
        let other = shuffled(&tasks, &picks);
        let again = order(&other, BUDGET);
        check(&other, &again)?;
        prop_assert_eq!(again.peaks.chosen, ordering.peaks.chosen);
    }
}

#[test]
fn what_no_order_can_mean_is_refused() {
    let tensors = || vec![Tensor { bytes: 4, kept: false }; 2];
    let task = |reads: &[usize], writes: &[usize]| Task {
        reads: reads.into(),
        writes: writes.into(),
        ..Task::default()
    };
    let refused = |list: Vec<Task>| Tasks::new(tensors(), list).err();
    assert_eq!(refused(vec![task(&[2], &[1])]), Some(TasksError::Tensor { task: 0 }));
    assert_eq!(refused(vec![task(&[1], &[0]), task(&[], &[1])]), Some(TasksError::Order { task: 1 }));
    assert_eq!(refused(vec![task(&[0], &[1]), task(&[0], &[1])]), Some(TasksError::Order { task: 1 }));
    assert_eq!(refused(vec![task(&[0], &[0])]), Some(TasksError::Order { task: 0 }));
    for (over, bytes) in [(1, 4), (0, 5)] {
        let saving = Task { savings: vec![Saving { over, bytes }], ..task(&[0], &[1]) };
        assert_eq!(refused(vec![saving]), Some(TasksError::Tensor { task: 0 }));
    }
    assert_eq!(refused(vec![task(&[0], &[1])]), None);
}

/// Two branches that each need much on the way: one after the other, never side by side.
#[test]
fn a_branch_is_finished_before_the_next_begins() {
    let wide = |read, write| Task { reads: vec![read], writes: vec![write], ..Task::default() };
    let join = Task { reads: vec![2, 4], writes: vec![5], ..Task::default() };
    let bytes = [10, 100, 1, 100, 1, 1];
    let tensors = (0..6).map(|number| Tensor { bytes: bytes[number], kept: number == 5 }).collect();
    let tasks = Tasks::new(tensors, vec![wide(0, 1), wide(0, 3), wide(1, 2), wide(3, 4), join]);
    let ordering = order(&tasks.expect("in order"), BUDGET);
    assert_eq!(ordering.peaks, Peaks { given: 210, chosen: 111, lower: 111 });
    assert_eq!(ordering.order, [0, 2, 1, 3, 4]);
}

#[test]
fn no_tasks_have_an_order() {
    let tasks = Tasks::new(vec![Tensor { bytes: 7, kept: true }], Vec::new()).expect("empty");
    assert_eq!(
        order(&tasks, BUDGET),
        Ordering { order: Vec::new(), peaks: Peaks { given: 7, chosen: 7, lower: 7 } }
    );
}
