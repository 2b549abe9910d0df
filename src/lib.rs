//! *salto* (Italian: a leap): an inference runtime for convolutional networks that skip.
#![cfg_attr(not(any(feature = "std", test)), no_std)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod device;
#[cfg(feature = "alloc")]
pub mod host;
