//! The one rule of layouts: a tensor of four dimensions `[d0, d1, d2, d3]` in the model is stored `[d0, d2, d3, d1]`; every
//! other rank is stored as the model has it.

/// Model axis of each storage axis of a four-dimensional tensor; as a permutation, model order → storage order.
pub(super) const TO_STORAGE: [usize; 4] = [0, 2, 3, 1];

/// Storage axis of each model axis of a four-dimensional tensor; as a permutation, storage order → model order.
pub(super) const TO_MODEL: [usize; 4] = [0, 3, 1, 2];

/// One number for each axis, from model order to storage order.
pub(super) fn stored<T: Copy>(axes: &[T]) -> Vec<T> {
    match *axes {
        [n, c, h, w] => vec![n, h, w, c],
        _ => axes.into(),
    }
}

/// One number for each axis, from storage order to model order.
pub(super) fn modelled<T: Copy>(axes: &[T]) -> Vec<T> {
    match *axes {
        [n, h, w, c] => vec![n, c, h, w],
        _ => axes.into(),
    }
}

/// Where axis `axis` of a tensor of this rank is stored.
pub(super) fn storage_axis(axis: usize, rank: usize) -> usize {
    if rank == 4 { TO_MODEL.get(axis).copied().unwrap_or(axis) } else { axis }
}

/// A transposition in the model's axes as one of stored axes.
pub(super) fn stored_permutation(perm: &[usize]) -> Vec<usize> {
    stored(perm).into_iter().map(|axis| storage_axis(axis, perm.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_orders_are_inverse() {
        assert_eq!(stored(&["n", "c", "h", "w"]), ["n", "h", "w", "c"]);
        assert_eq!(modelled(&stored(&[0, 1, 2, 3])), [0, 1, 2, 3]);
        assert_eq!(stored(&[0, 1, 2]), [0, 1, 2]);
        for axis in 0..4 {
            assert_eq!(stored(&[0, 1, 2, 3])[storage_axis(axis, 4)], axis);
        }
        assert_eq!(stored(&[0, 1, 2, 3]), TO_STORAGE);
        assert_eq!(modelled(&[0, 1, 2, 3]), TO_MODEL);
    }

    #[test]
    fn a_transposition_commutes_with_storage() {
        let dims = [2, 3, 5, 7];
        for perm in [[0, 1, 2, 3], [0, 2, 3, 1], [3, 1, 0, 2], [1, 0, 3, 2]] {
            let transposed = perm.map(|axis| dims[axis]);
            let input = stored(&dims);
            let output: Vec<i32> = stored_permutation(&perm).into_iter().map(|axis| input[axis]).collect();
            assert_eq!(output, stored(&transposed), "{perm:?}");
        }
    }
}
