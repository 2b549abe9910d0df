//! The host's planner: a placement as small as it can find, with a certificate of how good it is.
//!
//! Integers only; of the device side it imports `device::memory` alone. What flows in is a
//! [`Problem`](crate::device::memory::Problem); what flows out is a [`Placement`] that
//! [`verify`](crate::device::memory::verify) has accepted. Called by the compiler and by `salto plan`. [`order`] comes before: it
//! finds the order of the steps in which the fewest bytes live.
//!
//! Greedy placement in several orders ends at the lower bound for most networks. What it leaves open goes to the exact search
//! (`exact`), and local search (`search`) lowers what neither can close. `docs/planner.md` describes all of it, with figures.

mod attempt;
mod error;
mod exact;
pub mod order;
mod placement;
mod search;

#[cfg(test)]
mod tests;

pub use error::PlanError;
pub use placement::{Certificate, Goal, Placement, Proof, plan, plan_for};
