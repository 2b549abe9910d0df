//! The engine: runs a checked program in an arena.
