//! What a convolution layer is asked to be.

use crate::device::tensor::Window;

/// A convolution layer, or a transposed one: outputs, window, groups, bias.
///
/// Begins as a square window with stride 1, padding `⌊kernel/2⌋`, one group and a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvLayer {
    /// Output channels.
    pub outputs: u32,
    /// The window.
    pub window: Window,
    /// Rows and columns added behind the output of a transposed convolution.
    pub output_padding: [u32; 2],
    /// Groups.
    pub groups: u32,
    /// Has it a bias?
    pub bias: bool,
}

impl ConvLayer {
    /// `outputs` channels from a window of `kernel × kernel`.
    pub const fn new(outputs: u32, kernel: u32) -> Self {
        let window = Window::new(kernel, kernel).with_padding(kernel / 2);
        Self { outputs, window, output_padding: [0; 2], groups: 1, bias: true }
    }

    /// The same with this window, its stride, dilation and padding.
    #[must_use]
    pub const fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// The same with this stride on both axes.
    #[must_use]
    pub const fn stride(mut self, stride: u32) -> Self {
        self.window = self.window.with_stride(stride);
        self
    }

    /// The same with this padding on all sides.
    #[must_use]
    pub const fn padding(mut self, padding: u32) -> Self {
        self.window = self.window.with_padding(padding);
        self
    }

    /// The same with this dilation on both axes.
    #[must_use]
    pub const fn dilation(mut self, dilation: u32) -> Self {
        self.window = self.window.with_dilation(dilation);
        self
    }

    /// The same with this number of groups.
    #[must_use]
    pub const fn groups(mut self, groups: u32) -> Self {
        self.groups = groups;
        self
    }

    /// The same with rows and columns added behind the output of a transposed convolution.
    #[must_use]
    pub const fn output_padding(mut self, rows: u32, columns: u32) -> Self {
        self.output_padding = [rows, columns];
        self
    }

    /// The same without bias, as before a normalisation.
    #[must_use]
    pub const fn without_bias(mut self) -> Self {
        self.bias = false;
        self
    }
}
