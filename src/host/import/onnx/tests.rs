//! Import of small models, family by family, against what the graph should hold.
