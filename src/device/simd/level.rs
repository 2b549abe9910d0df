//! Levels: which instruction set, chosen at run time.

use super::portable::Portable;

/// An instruction set that this CPU has.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Level {
    /// No instructions beyond those of the compilation target.
    Portable(Portable),
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(super::Avx2),
    /// AVX-512 (F, VL, BW, DQ).
    #[cfg(target_arch = "x86_64")]
    Avx512(super::Avx512),
    /// NEON.
    #[cfg(target_arch = "aarch64")]
    Neon(super::Neon),
    /// One lane after the other, fused: what tests compare the others with.
    #[cfg(test)]
    Scalar(super::Scalar),
}

impl Level {
    /// The best level of this CPU. Without std, the best that the compilation target promises.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(token) = super::Avx512::new() {
                return Self::Avx512(token);
            }
            if let Some(token) = super::Avx2::new() {
                return Self::Avx2(token);
            }
        }
        #[cfg(target_arch = "aarch64")]
        return Self::Neon(super::Neon::new());
        #[cfg(not(target_arch = "aarch64"))]
        Self::Portable(Portable)
    }

    /// The names of all levels that this build knows, from the simplest on; tests print `skipped` for those that the CPU lacks.
    pub const NAMES: &'static [&'static str] = &[
        "portable",
        #[cfg(target_arch = "x86_64")]
        "avx2",
        #[cfg(target_arch = "x86_64")]
        "avx512",
        #[cfg(target_arch = "aarch64")]
        "neon",
        #[cfg(test)]
        "scalar",
    ];

    /// The level of this name, if the CPU has it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "portable" => Some(Self::Portable(Portable)),
            #[cfg(target_arch = "x86_64")]
            "avx2" => super::Avx2::new().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            "avx512" => super::Avx512::new().map(Self::Avx512),
            #[cfg(target_arch = "aarch64")]
            "neon" => Some(Self::Neon(super::Neon::new())),
            #[cfg(test)]
            "scalar" => Some(Self::Scalar(super::Scalar)),
            _ => None,
        }
    }

    /// The level's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => "neon",
            #[cfg(test)]
            Self::Scalar(_) => "scalar",
        }
    }
}

/// Evaluates an expression with a [`Level`]'s token: `dispatch!(level, s => kernel(s, …))`.
#[macro_export]
macro_rules! dispatch {
    ($level:expr, $s:ident => $body:expr) => {
        match $level {
            $crate::device::simd::Level::Portable($s) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::device::simd::Level::Avx2($s) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::device::simd::Level::Avx512($s) => $body,
            #[cfg(target_arch = "aarch64")]
            $crate::device::simd::Level::Neon($s) => $body,
            #[allow(unreachable_patterns, reason = "outside the crate the enum is non-exhaustive")]
            other => $crate::dispatch_other!(other, $s => $body),
        }
    };
}

/// The levels of [`dispatch!`](crate::dispatch) that only the crate's own tests have: a `cfg` inside that macro would ask
/// whether its caller is a test.
#[cfg(test)]
#[macro_export]
macro_rules! dispatch_other {
    ($level:expr, $s:ident => $body:expr) => {
        match $level {
            $crate::device::simd::Level::Scalar($s) => $body,
            _ => unreachable!(),
        }
    };
}

/// The levels of [`dispatch!`](crate::dispatch) that only the crate's own tests have: none.
#[cfg(not(test))]
#[doc(hidden)]
#[macro_export]
macro_rules! dispatch_other {
    ($level:expr, $s:ident => $body:expr) => {{
        let _ = $level;
        unreachable!()
    }};
}
