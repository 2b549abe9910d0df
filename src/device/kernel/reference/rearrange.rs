//! The copy with other order.

use std::vec::Vec;

use crate::device::kernel::params::{Beyond, RearrangeParams};
use crate::device::tensor::MAX_RANK;

/// Every output element.
pub(crate) fn rearrange(params: &RearrangeParams, input: &[f32]) -> Vec<f32> {
    let len: u32 = params.dims.iter().product();
    let element = |o: u32| {
        let mut rest = o;
        let mut place = i64::from(params.base);
        let mut inside = true;
        for axis in (0..MAX_RANK).rev() {
            let index = rest % params.dims[axis];
            rest /= params.dims[axis];
            let (low, high) = (i64::from(params.low[axis]), i64::from(params.high[axis]));
            let found = read(params.beyond[axis], i64::from(index) - low, high - low);
            inside &= found.is_some();
            place += found.unwrap_or(0) * i64::from(params.stride[axis]);
        }
        if inside { input[place as usize] } else { params.fill }
    };
    (0..len).map(element).collect()
}

/// The index that `i` reads on an axis of `len` elements, found step by step.
fn read(beyond: u32, mut i: i64, len: i64) -> Option<i64> {
    while i < 0 || i >= len {
        i = match Beyond::from_code(beyond).unwrap() {
            Beyond::Fill => return None,
            Beyond::Edge => i.clamp(0, len - 1),
            Beyond::Wrap if i < 0 => i + len,
            Beyond::Wrap => i - len,
            Beyond::Reflect if len == 1 => 0,
            Beyond::Reflect if i < 0 => -i,
            Beyond::Reflect => 2 * (len - 1) - i,
        };
    }
    Some(i)
}
