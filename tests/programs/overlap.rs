//! A program whose outputs lie over the inputs that they are computed from, as close as rows allow. The distances are counted by hand.

use salto::device::kernel::conv_f32_scratch_len;
use salto::device::kernel::params::{
    ConvAlgorithm, ConvParams, PoolKind, PoolParams, ResizeKind, ResizeParams,
};
use salto::device::program::record::{FLAG_BACKWARD, OpCode};
use salto::device::tensor::{Activation, Extent, Window};

use super::Writer;
use super::network::weights;

/// The buffers, in the order of their numbers.
pub const INPUT: usize = 0;
pub const CONVOLVED: usize = 1;
pub const SCRATCH: usize = 2;
pub const RESIZED: usize = 3;
pub const POOLED: usize = 4;

/// The steps.
pub const CONV: usize = 0;
pub const RESIZE: usize = 1;
pub const POOL: usize = 2;

const PICTURE: Extent = Extent::new(1, 8, 8, 4);
const LARGE: Extent = Extent::new(1, 16, 16, 4);

fn draft() -> Writer {
    let mut w = Writer::default();
    let input = w.input("input", PICTURE);
    let conv = ConvParams {
        input: PICTURE,
        output: PICTURE,
        window: Window::new(3, 3).with_padding(1),
        groups: 1,
        algorithm: ConvAlgorithm::Im2col as u32,
        activation: Activation::IDENTITY,
        prologue: Activation::IDENTITY,
    };
    let places = weights(&mut w, &conv);
    let scratch_len = conv_f32_scratch_len(&conv);
    let convolved = w.step(OpCode::Conv, conv, &[&[input]], PICTURE, &places, scratch_len);
    let (kind, half) = (ResizeKind::NearestFloor as u32, 0.5);
    let resize = ResizeParams {
        input: PICTURE,
        output: LARGE,
        kind,
        scale_y: half,
        scale_x: half,
        offset_y: 0.0,
        offset_x: 0.0,
    };
    let resized = w.step(OpCode::Resize, resize, &[&[convolved]], LARGE, &[], None);
    let pool = PoolParams {
        input: LARGE,
        output: PICTURE,
        window: Window::new(2, 2).with_stride(2),
        kind: PoolKind::Max as u32,
        activation: Activation::IDENTITY,
    };
    let pooled = w.step(OpCode::Pool, pool, &[&[resized]], PICTURE, &[], None);
    w.output("output", pooled);
    w
}

/// The same network with every buffer apart.
pub fn apart() -> Vec<u8> {
    draft().finish()
}

/// Forwards, backwards, forwards: the input lies two rows (of 128 bytes) above the convolution's output, the resized picture one row
/// above that, the output a row below it.
pub fn overlapping() -> Vec<u8> {
    let mut w = draft();
    for (step, flags) in [(CONV, 0), (RESIZE, FLAG_BACKWARD), (POOL, 0)] {
        w.steps[step].flags = flags;
    }
    let scratch_len = w.buffers[SCRATCH].len;
    w.finish_at(&[256, 0, 4224, 128, 0], 4224 + scratch_len)
}
