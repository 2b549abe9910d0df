//! Where a builder's weights come from: the caller's data, or a seeded initialiser.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::device::tensor::Shape;
use crate::host::Result;

/// What a weight is for. Decides how [`Seeded`] draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightRole {
    /// Weights of a convolution or a dense layer.
    Kernel {
        /// Products that sum up to one output.
        fan_in: u32,
        /// Outputs that one input reaches.
        fan_out: u32,
    },
    /// A summand of each channel.
    Bias,
    /// Factor of a batch normalisation.
    Scale,
    /// Mean of a batch normalisation.
    Mean,
    /// Variance of a batch normalisation.
    Variance,
}

/// A weight that a layer needs.
#[derive(Clone, Copy, Debug)]
pub struct WeightRequest<'a> {
    /// Its name: the layer's, a dot, and `weight`, `bias`, `running_mean` or `running_var` (as PyTorch's state dictionaries).
    pub name: &'a str,
    /// Its shape in storage order: `[out, kh, kw, in/groups]` of a convolution, `[in, kh, kw, out/groups]` of a transposed
    /// one, `[out, in]` of a dense layer, `[c]` else.
    pub shape: Shape,
    /// What it is for.
    pub role: WeightRole,
}

/// Supplies a builder's weights. A closure is one.
pub trait WeightSource {
    /// The elements of a weight, in storage order.
    ///
    /// # Errors
    /// If the source has no such weight.
    fn weight(&mut self, request: &WeightRequest<'_>) -> Result<Vec<f32>>;

    /// The network is complete: all its weights have been asked for.
    ///
    /// # Errors
    /// If the source holds weights that such a network has no use for.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

impl WeightSource for Box<dyn WeightSource + '_> {
    fn weight(&mut self, request: &WeightRequest<'_>) -> Result<Vec<f32>> {
        (**self).weight(request)
    }

    fn finish(&mut self) -> Result<()> {
        (**self).finish()
    }
}

impl<F: FnMut(&WeightRequest<'_>) -> Result<Vec<f32>>> WeightSource for F {
    fn weight(&mut self, request: &WeightRequest<'_>) -> Result<Vec<f32>> {
        self(request)
    }
}

/// How [`Seeded`] draws kernels: uniform in `±limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `limit = √(6 / fan_in)` (He et al. 2015): keeps the variance through ReLU.
    He,
    /// `limit = √(6 / (fan_in + fan_out))` (Glorot & Bengio 2010).
    Xavier,
}

/// Weights drawn from a seed. A weight depends on the seed and its own name alone, so one layer more or less changes no other.
#[derive(Clone, Debug)]
pub struct Seeded {
    seed: u64,
    scheme: Scheme,
    perturbed: bool,
}

impl Seeded {
    /// As for the beginning of training: kernels by He's scheme, biases and means 0, scales and variances 1.
    pub const fn new(seed: u64) -> Self {
        Self { seed, scheme: Scheme::He, perturbed: false }
    }

    /// The same with another scheme for kernels.
    #[must_use]
    pub const fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// The same with biases and means within ±0.1, scales and variances within 1 ± 0.2: as after some training, so that no
    /// normalisation is the identity.
    #[must_use]
    pub const fn perturbed(mut self) -> Self {
        self.perturbed = true;
        self
    }
}

impl WeightSource for Seeded {
    fn weight(&mut self, request: &WeightRequest<'_>) -> Result<Vec<f32>> {
        let (centre, limit) = match (request.role, self.scheme) {
            (WeightRole::Kernel { fan_in, .. }, Scheme::He) => (0.0, root_of_six_over(fan_in, 0)),
            (WeightRole::Kernel { fan_in, fan_out }, Scheme::Xavier) => {
                (0.0, root_of_six_over(fan_in, fan_out))
            }
            (WeightRole::Bias | WeightRole::Mean, _) => (0.0, if self.perturbed { 0.1 } else { 0.0 }),
            (WeightRole::Scale | WeightRole::Variance, _) => (1.0, if self.perturbed { 0.2 } else { 0.0 }),
        };
        let mut stream = SplitMix::new(self.seed ^ name_hash(request.name));
        Ok((0..request.shape.len()).map(|_| centre + limit * stream.next_signed()).collect())
    }
}

/// `√(6 / (a + b))`
fn root_of_six_over(a: u32, b: u32) -> f32 {
    libm::sqrtf(6.0 / (a as f32 + b as f32).max(1.0))
}

/// FNV-1a of a name.
fn name_hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The generator `SplitMix64` (Steele, Lea & Flood 2014): small, and the same on every machine.
struct SplitMix(u64);

impl SplitMix {
    const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A multiple of 2⁻²³ in −1…1 (1 excluded), exact in `f32`.
    fn next_signed(&mut self) -> f32 {
        (self.next_bits() >> 40) as f32 / 8_388_608.0 - 1.0
    }
}
