//! The Rust types of elements.

use bytemuck::Pod;
use half::f16;

use super::DType;

/// A type that a tensor's elements may have in Rust; sealed.
pub trait Element: Pod + private::Sealed {
    /// The type in the program format.
    const DTYPE: DType;
}

mod private {
    /// Keeps [`Element`](super::Element) to the types of this module.
    pub trait Sealed {}
}

macro_rules! elements {
    ($($type:ty => $dtype:ident),+) => {
        $(
            impl private::Sealed for $type {}

            impl Element for $type {
                const DTYPE: DType = DType::$dtype;
            }
        )+
    };
}

elements!(f32 => F32, f16 => F16, i8 => I8, u8 => U8, i32 => I32);

#[cfg(test)]
mod tests {
    use super::*;

    fn same_size<T: Element>() -> bool {
        size_of::<T>() == T::DTYPE.bytes()
    }

    #[test]
    fn sizes_are_those_of_the_format() {
        assert!(same_size::<f32>() && same_size::<f16>() && same_size::<i32>());
        assert!(same_size::<i8>() && same_size::<u8>());
    }
}
