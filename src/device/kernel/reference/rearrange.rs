//! The copy with other order.

use std::vec::Vec;

use crate::device::kernel::params::RearrangeParams;
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
            inside &= params.low[axis] <= index && index < params.high[axis];
            place += (i64::from(index) - i64::from(params.low[axis])) * i64::from(params.stride[axis]);
        }
        if inside { input[place as usize] } else { params.fill }
    };
    (0..len).map(element).collect()
}
