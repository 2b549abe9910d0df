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

impl AutoPad {
    fn of(node: &Node<'_>) -> Result<Self> {
        match node.text("auto_pad", "NOTSET")? {
            "NOTSET" | "" => Ok(Self::Explicit),
            "VALID" => Ok(Self::Valid),
            "SAME_UPPER" => Ok(Self::SameUpper),
            "SAME_LOWER" => Ok(Self::SameLower),
            other => Err(unsupported(format!("auto_pad is '{other}'"))),
        }
    }
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
        let auto_pad = AutoPad::of(node)?;
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

    /// Reads the attributes of a pool over three spatial dimensions that does not slide along all of them.
    ///
    /// # Errors
    /// If one is out of range, or the window slides along all three.
    pub(super) fn of_solid(node: &Node<'_>) -> Result<(Self, Folding)> {
        let auto_pad = AutoPad::of(node)?;
        let [d, h, w] = solid_axes(node)?;
        let is_still =
            |axis: &Axis| (axis.kernel, axis.stride) == (1, 1) && (axis.pad_before, axis.pad_after) == (0, 0);
        let (folding, y, x) = match [is_still(&d), is_still(&h), is_still(&w)] {
            [_, true, true] => (Folding::Plane, d, h),
            [true, _, _] => (Folding::Channels(0), h, w),
            [_, true, _] => (Folding::Channels(1), d, w),
            [_, _, true] => (Folding::Channels(2), d, h),
            [false, false, false] => return Err(too_many(3)),
        };
        let sliding = Self {
            kernel: Some([y.kernel, x.kernel]),
            strides: [y.stride, x.stride],
            dilations: [y.dilation, x.dilation],
            pads: [y.pad_before, x.pad_before, y.pad_after, x.pad_after],
            auto_pad,
        };
        Ok((sliding, folding))
    }

    /// Checks the attributes of a pool alone.
    pub(super) fn check_pool(node: &Node<'_>) -> Result<()> {
        if is_solid(node)? { Self::of_solid(node).map(drop) } else { Self::check(node) }
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

/// How a tensor `[n, c, d, h, w]` becomes a picture whose rows and columns are what a window slides along. The other spatial
/// dimensions go to where the window is one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folding {
    /// `[n, c, d, h·w]`: the window slides along `d` alone.
    Plane,
    /// Spatial dimension 0, 1 or 2 joins the channels: `[n, c·d, h, w]`, `[n, c·h, d, w]` or `[n, c·w, d, h]`.
    Channels(usize),
}

impl Folding {
    /// The picture, and the tensor's dimensions in the order in which [`Self::unfold`] wants them.
    pub(super) fn fold(self, cx: &mut Context<'_, '_>, operand: &Operand) -> Result<(Operand, [u32; 5])> {
        let ordered = match self {
            Self::Plane | Self::Channels(0) => operand.clone(),
            Self::Channels(1) => cx.transpose(operand, &[0, 1, 3, 2, 4])?,
            Self::Channels(_) => cx.transpose(operand, &[0, 1, 4, 2, 3])?,
        };
        let &[n, c, a, y, x] = &*cx.dims(&ordered) else {
            return Err(invalid(format!("a window of 3 dimensions over {:?}", cx.dims(operand))));
        };
        let product =
            |a: u32, b: u32| a.checked_mul(b).ok_or_else(|| invalid(format!("{a}·{b} elements in a row")));
        let dims = match self {
            Self::Plane => [n, c, a, product(y, x)?],
            Self::Channels(_) => [n, product(c, a)?, y, x],
        };
        Ok((cx.reshape(&ordered, &dims)?, [n, c, a, y, x]))
    }

    /// The tensor of a picture that was folded from these dimensions, whatever its rows and columns have become.
    pub(super) fn unfold(
        self,
        cx: &mut Context<'_, '_>,
        picture: &Operand,
        [n, c, a, y, x]: [u32; 5],
    ) -> Result<Operand> {
        let &[_, _, rows, columns] = &*cx.dims(picture) else { return Err(invalid("it makes no picture")) };
        let dims = match self {
            Self::Plane => [n, c, rows, y, x],
            Self::Channels(_) => [n, c, a, rows, columns],
        };
        let tensor = cx.reshape(picture, &dims)?;
        match self {
            Self::Plane | Self::Channels(0) => Ok(tensor),
            Self::Channels(1) => cx.transpose(&tensor, &[0, 1, 3, 2, 4]),
            Self::Channels(_) => cx.transpose(&tensor, &[0, 1, 3, 4, 2]),
        }
    }
}

/// Whether the attributes are those of a window of three dimensions.
fn is_solid(node: &Node<'_>) -> Result<bool> {
    Ok(node.ints("kernel_shape")?.is_some_and(|kernel| kernel.len() == 3))
}

/// Depth, rows and columns of a window of three dimensions.
fn solid_axes(node: &Node<'_>) -> Result<[Axis; 3]> {
    let triple = |name: &str| match node.ints(name)? {
        None | Some([]) => Ok([1; 3]),
        Some(&[d, h, w]) => Ok([count(d, name)?, count(h, name)?, count(w, name)?]),
        Some(other) => Err(invalid(format!("{name} is {other:?}; the window has 3 dimensions"))),
    };
    let (kernel, strides, dilations) = (triple("kernel_shape")?, triple("strides")?, triple("dilations")?);
    let pads = match node.ints("pads")? {
        None | Some([]) => [[0; 2]; 3],
        Some(&[d, h, w, behind_d, behind_h, behind_w]) => {
            let pair = |before, behind| Ok([count(before, "a pad")?, count(behind, "a pad")?]);
            [pair(d, behind_d)?, pair(h, behind_h)?, pair(w, behind_w)?]
        }
        Some(other) => return Err(invalid(format!("pads is {other:?}; the window has 3 dimensions"))),
    };
    let axis = |kernel, stride, dilation, [pad_before, pad_after]: [u32; 2]| Axis {
        kernel,
        stride,
        dilation,
        pad_before,
        pad_after,
    };
    let ([kd, kh, kw], [sd, sh, sw], [dd, dh, dw], [pd, ph, pw]) = (kernel, strides, dilations, pads);
    Ok([axis(kd, sd, dd, pd), axis(kh, sh, dh, ph), axis(kw, sw, dw, pw)])
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
    unsupported(format!("{spatial} spatial dimensions; 1 and 2 are supported")).remedy(
        "slide along at most two dimensions in one operator: others may join the batch or the channels",
    )
}
