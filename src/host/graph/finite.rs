//! Are weights numbers? Every weight of a file is asked, so this is quick.

/// Are all of these finite?
pub(crate) fn all_finite(floats: &[f32]) -> bool {
    // No branch inside a piece, so that it is a loop over vectors.
    floats.chunks(1024).all(|piece| piece.iter().fold(true, |all, x| all & x.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_not_finite_is_found() {
        let mut floats = alloc::vec![1.0; 3000];
        assert!(all_finite(&floats) && all_finite(&[]));
        floats[2999] = f32::NAN;
        assert!(!all_finite(&floats));
        floats[2999] = 0.0;
        floats[1024] = f32::NEG_INFINITY;
        assert!(!all_finite(&floats));
    }
}
