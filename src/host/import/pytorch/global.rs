//! The names that a pickle may call: classes of containers and storages, and what makes a tensor of a storage.

use super::super::stored::Element;

/// A name that the machine knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`: storage, offset, size, stride, …
    Tensor,
    /// `torch._utils._rebuild_parameter`: a tensor, …
    Parameter,
    /// `torch.Size`: a tuple.
    Size,
    /// The class of a storage, with the type of its elements if they can be weights.
    Storage(Option<Element>),
    /// `torch.float32`, `torch.device` and the like: carried about, never read.
    Opaque,
}

impl Global {
    /// The name, if it is one that a state dictionary needs.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_parameter") => Self::Parameter,
            ("torch", "Size") => Self::Size,
            ("torch" | "torch.cuda", name) if name.ends_with("Storage") => Self::Storage(element(name)?),
            (
                "torch",
                "device" | "float64" | "float32" | "float16" | "bfloat16" | "int64" | "int32" | "int16"
                | "int8" | "uint8" | "bool",
            ) => Self::Opaque,
            _ => return None,
        })
    }
}

/// The elements of a class of storages; none, if they cannot be weights.
fn element(class: &str) -> Option<Option<Element>> {
    Some(Some(match class {
        "DoubleStorage" => Element::F64,
        "FloatStorage" => Element::F32,
        "HalfStorage" => Element::F16,
        "BFloat16Storage" => Element::Bf16,
        "LongStorage" => Element::I64,
        "IntStorage" => Element::I32,
        "ShortStorage" => Element::I16,
        "CharStorage" => Element::I8,
        "ByteStorage" => Element::U8,
        "BoolStorage" => Element::Bool,
        "ComplexFloatStorage"
        | "ComplexDoubleStorage"
        | "QInt8Storage"
        | "QUInt8Storage"
        | "QInt32Storage" => {
            return Some(None);
        }
        _ => return None,
    }))
}
