//! Sliding windows: the attributes that convolutions and pools share. Windows of one dimension are windows of one row.

use crate::device::tensor::{Axis, Window};
use crate::host::Result;

use super::super::context::Context;
use super::super::model::Node;
use super::{Operand, count, invalid, unsupported};

/// How padding is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AutoPad {
    /// As the attribute `pads` says.
    Explicit,
    /// None.
    Valid,
    /// So that the output is `⌈input / stride⌉` long, an odd element behind.
    SameUpper,
    /// The same, an odd element before.
    SameLower,
}

/// The attributes of a sliding window.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    /// The attribute `kernel_shape`; convolutions may leave it to their weight.
    kernel: Option<[u32; 2]>,
    strides: [u32; 2],
    dilations: [u32; 2],
    /// Before rows, before columns, behind rows, behind columns.
    pads: [u32; 4],
    pub(super) auto_pad: AutoPad,
}

impl Sliding {
    /// Reads the attributes.
    ///
    /// # Errors
    /// If one is out of range, or there are more than two spatial dimensions.
    pub(super) fn of(node: &Node<'_>) -> Result<Self> {
        let auto_pad = match node.text("auto_pad", "NOTSET")? {
            "NOTSET" | "" => AutoPad::Explicit,
            "VALID" => AutoPad::Valid,
            "SAME_UPPER" => AutoPad::SameUpper,
            "SAME_LOWER" => AutoPad::SameLower,
            other => return Err(unsupported(format!("auto_pad is '{other}'"))),
        };
        let pads = match node.ints("pads")? {
            None | Some([]) => [0; 4],
            Some(&[before, after]) => [0, count(before, "a pad")?, 0, count(after, "a pad")?],
            Some(&[top, left, bottom, right]) => {
                let pad = |pad| count(pad, "a pad");
                [pad(top)?, pad(left)?, pad(bottom)?, pad(right)?]
            }
            Some(other) => return Err(too_many(other.len() / 2)),
        };
        let strides = pair(node, "strides", 1)?.unwrap_or([1; 2]);
        let dilations = pair(node, "dilations", 1)?.unwrap_or([1; 2]);
        Ok(Self { kernel: pair(node, "kernel_shape", 1)?, strides, dilations, pads, auto_pad })
    }

    /// Checks the attributes alone.
    pub(super) fn check(node: &Node<'_>) -> Result<()> {
        Self::of(node).map(drop)
    }

    /// The window of a pool over a picture of these rows and columns.
    pub(super) fn pool(&self, input: [u32; 2]) -> Result<Window> {
        let kernel = self.kernel.ok_or_else(|| invalid("attribute kernel_shape is missing"))?;
        self.over(kernel, input)
    }

    /// The window of a convolution whose weight has these taps, over a picture of these rows and columns.
    pub(super) fn convolution(&self, taps: [u32; 2], input: [u32; 2]) -> Result<Window> {
        self.check_taps(taps)?;
        self.over(taps, input)
    }

    /// The window of a transposed convolution whose weight has these taps, without automatic padding.
    pub(super) fn transposed(&self, taps: [u32; 2]) -> Result<Window> {
        self.check_taps(taps)?;
        Ok(self.explicit(taps))
    }

    fn check_taps(&self, taps: [u32; 2]) -> Result<()> {
        match self.kernel {
            Some(kernel) if kernel != taps => {
                Err(invalid(format!("kernel_shape is {kernel:?}, the weight has {taps:?} taps")))
            }
            _ => Ok(()),
        }
    }

    fn explicit(&self, [height, width]: [u32; 2]) -> Window {
        let ([sy, sx], [dy, dx], [top, left, bottom, right]) = (self.strides, self.dilations, self.pads);
        let y = Axis { kernel: height, stride: sy, dilation: dy, pad_before: top, pad_after: bottom };
        let x = Axis { kernel: width, stride: sx, dilation: dx, pad_before: left, pad_after: right };
        Window { y, x }
    }

    fn over(&self, kernel: [u32; 2], [height, width]: [u32; 2]) -> Result<Window> {
        let mut window = self.explicit(kernel);
        for (axis, input) in [(&mut window.y, height), (&mut window.x, width)] {
            if self.auto_pad != AutoPad::Explicit {
                let total = if self.auto_pad == AutoPad::Valid { 0 } else { same_padding(axis, input) };
                let total = count(total, "automatic padding")?;
                let half = total / 2;
                let before = if self.auto_pad == AutoPad::SameLower { total - half } else { half };
                (axis.pad_before, axis.pad_after) = (before, total - before);
            }
        }
        if kernel[0].checked_mul(kernel[1]).is_none() {
            return Err(invalid(format!("a window of {kernel:?} taps")));
        }
        Ok(window)
    }
}

/// Padding in all that makes the output `⌈input / stride⌉` long.
fn same_padding(axis: &Axis, input: u32) -> i64 {
    let outputs = i64::from(input.div_ceil(axis.stride.max(1)));
    let reach = (outputs - 1) * i64::from(axis.stride) + i64::try_from(axis.span()).unwrap_or(i64::MAX);
    (reach - i64::from(input)).max(0)
}

/// Two numbers for rows and columns; one number is that of columns, and `rows` is put before it.
pub(super) fn pair(node: &Node<'_>, name: &str, rows: u32) -> Result<Option<[u32; 2]>> {
    match node.ints(name)? {
        None | Some([]) => Ok(None),
        Some(&[x]) => Ok(Some([rows, count(x, name)?])),
        Some(&[y, x]) => Ok(Some([count(y, name)?, count(x, name)?])),
        Some(other) => Err(too_many(other.len())),
    }
}

/// An operand `[n, c, w]` or `[n, c, h, w]` as a picture, with its rank. One dimension becomes one row.
pub(super) fn picture(cx: &mut Context<'_, '_>, operand: &Operand) -> Result<(Operand, usize)> {
    match *cx.dims(operand) {
        [n, c, w] => Ok((cx.reshape(operand, &[n, c, 1, w])?, 3)),
        [_, _, _, _] => Ok((operand.clone(), 4)),
        ref other => Err(too_many(other.len().saturating_sub(2))),
    }
}

/// A picture as a tensor of the rank that its operand had.
pub(super) fn unpicture(cx: &mut Context<'_, '_>, picture: Operand, rank: usize) -> Result<Operand> {
    match (rank, &*cx.dims(&picture)) {
        (3, &[n, c, _, w]) => cx.reshape(&picture, &[n, c, w]),
        _ => Ok(picture),
    }
}

fn too_many(spatial: usize) -> crate::host::Error {
    unsupported(format!("{spatial} spatial dimensions; 1 and 2 are supported"))
}
