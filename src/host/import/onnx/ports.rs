//! The network's inputs: free dimensions are bound, bound names become constants.

use std::collections::HashMap;

use rten_onnx::onnx::{DataType, Dimension, GraphProto, ValueInfoProto};

use crate::device::tensor::MAX_RANK;
use crate::host::graph::Constant;
use crate::host::{Error, ErrorKind, Result};

use super::ImportOptions;
use super::number::float;
use super::refusal::{invalid, unsupported};
use super::tensor::Tensor;

/// An input of the network, every dimension known, in the model's own order.
#[derive(Debug, PartialEq)]
pub(super) struct Input<'m> {
    pub(super) name: &'m str,
    pub(super) dims: Vec<u32>,
}

/// An input as the model declares it, before import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredInput {
    /// Its name.
    pub name: String,
    /// Its dimensions in the model's own order; `None` where the model leaves one free.
    pub dims: Vec<Option<u32>>,
}

/// The inputs that are no initialisers, as they are declared.
pub(super) fn declared(graph: &GraphProto) -> Result<Vec<DeclaredInput>> {
    let initialised =
        |name: &str| graph.initializer.iter().any(|tensor| tensor.name.as_deref() == Some(name));
    let all = graph.input.iter().filter(|info| !initialised(info.name.as_deref().unwrap_or("")));
    all.map(|info| {
        let (_, dims) = declaration(info)?;
        check_sizes(info, dims)?;
        let dims = dims.iter().map(fixed).collect();
        Ok(DeclaredInput { name: info.name.clone().unwrap_or_default(), dims })
    })
    .collect()
}

/// The inputs that are neither initialisers nor bound to a constant.
///
/// # Errors
/// If a free dimension stays free, or an option contradicts the model or names no input.
pub(super) fn inputs<'m>(graph: &'m GraphProto, options: &ImportOptions) -> Result<Vec<Input<'m>>> {
    let bound = |name: &str| options.bindings.iter().any(|(bound, _)| bound == name);
    let initialised: std::collections::HashSet<&str> =
        graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()).collect();
    let all = || graph.input.iter().filter(|info| !initialised.contains(info.name.as_deref().unwrap_or("")));
    let names: Vec<&str> = all().filter_map(|info| info.name.as_deref()).collect();
    let mentioned =
        options.shapes.iter().map(|(name, _)| name).chain(options.bindings.iter().map(|(name, _)| name));
    for name in mentioned {
        if !names.contains(&name.as_str()) {
            let reason = format!("no input is named '{name}'; the inputs are {}", listed(&names));
            return Err(Error::new(ErrorKind::Argument, reason));
        }
    }
    let free: Vec<&ValueInfoProto> =
        all().filter(|info| !bound(info.name.as_deref().unwrap_or(""))).collect();
    let symbols = symbols(&free, options)?;
    free.into_iter().map(|info| input(info, options, &symbols)).collect()
}

/// What the options bind each named free dimension to.
fn symbols<'m>(inputs: &[&'m ValueInfoProto], options: &ImportOptions) -> Result<HashMap<&'m str, u32>> {
    let mut symbols = HashMap::new();
    for info in inputs {
        let Some(wanted) = wanted(info, options) else { continue };
        for (dim, &size) in dimensions(info)?.iter().zip(wanted) {
            let Some(symbol) = dim.dim_param.as_deref().filter(|symbol| !symbol.is_empty()) else { continue };
            let first = *symbols.entry(symbol).or_insert(size);
            if first != size {
                let reason = format!("dimension '{symbol}' is to be both {first} and {size}");
                return Err(Error::new(ErrorKind::Argument, reason));
            }
        }
    }
    Ok(symbols)
}

fn input<'m>(
    info: &'m ValueInfoProto,
    options: &ImportOptions,
    symbols: &HashMap<&str, u32>,
) -> Result<Input<'m>> {
    let name = info.name.as_deref().unwrap_or("");
    let wanted = wanted(info, options);
    let declared = dimensions(info)?;
    if declared.len() > MAX_RANK {
        return Err(unsupported(format!(
            "input '{name}' has {} dimensions; at most {MAX_RANK}",
            declared.len()
        )));
    }
    if wanted.is_some_and(|wanted| wanted.len() != declared.len()) {
        let reason = format!("input '{name}' has the dimensions {}", written(declared));
        return Err(Error::new(ErrorKind::Argument, reason));
    }
    let mut dims = Vec::new();
    for (axis, dim) in declared.iter().enumerate() {
        let asked = wanted.and_then(|wanted| wanted.get(axis).copied());
        let symbol = dim.dim_param.as_deref().and_then(|symbol| symbols.get(symbol).copied());
        let size = match (fixed(dim), asked.or(symbol)) {
            (Some(fixed), Some(asked)) if asked != fixed => {
                let reason = format!("input '{name}' has the fixed dimensions {}", written(declared));
                return Err(Error::new(ErrorKind::Argument, reason));
            }
            (Some(size), _) | (None, Some(size)) => size,
            (None, None) if axis == 0 => 1,
            (None, None) => {
                let reason = format!("input '{name}' has a free dimension {axis} in {}", written(declared));
                let remedy = format!("bind it with --shape, as in --shape {name}={}", example(declared));
                return Err(Error::new(ErrorKind::Argument, reason).remedy(remedy));
            }
        };
        if size == 0 {
            return Err(Error::new(ErrorKind::Argument, format!("input '{name}' would be empty")));
        }
        dims.push(size);
    }
    Ok(Input { name, dims })
}

/// The shape that the options give an input.
fn wanted<'o>(info: &ValueInfoProto, options: &'o ImportOptions) -> Option<&'o [u32]> {
    let mut shapes = options.shapes.iter();
    shapes.find(|(name, _)| Some(name.as_str()) == info.name.as_deref()).map(|(_, dims)| dims.as_slice())
}

/// The declared dimensions of an input, which must be of floats.
fn dimensions(info: &ValueInfoProto) -> Result<&[Dimension]> {
    let (dtype, dims) = declaration(info)?;
    if !is_float(dtype) {
        let name = info.name.as_deref().unwrap_or("");
        let remedy = format!("export it with float32 inputs, or fix it with --bind {name}=FILE.npy");
        return Err(unsupported(format!("input '{name}' is of type {dtype}, not float32")).remedy(remedy));
    }
    check_sizes(info, dims)?;
    Ok(dims)
}

/// The declared type and dimensions of an input.
fn declaration(info: &ValueInfoProto) -> Result<(DataType, &[Dimension])> {
    let name = info.name.as_deref().unwrap_or("");
    let tensor = info.r#type.as_ref().and_then(|r#type| r#type.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| unsupported(format!("input '{name}' is no tensor")))?;
    let shape = tensor.shape.as_ref();
    let shape = shape.ok_or_else(|| invalid(format!("input '{name}' has no declared dimensions")))?;
    Ok((tensor.elem_type.unwrap_or(DataType(0)), &shape.dim))
}

const fn is_float(dtype: DataType) -> bool {
    matches!(dtype, DataType::FLOAT | DataType::FLOAT16 | DataType::BFLOAT16 | DataType::DOUBLE)
}

/// The inputs that are bound to constants, each of the type that the model declares.
///
/// # Errors
/// If a constant's dimensions are not the declared ones, or it has floats where the model takes integers.
pub(super) fn constants<'o>(
    graph: &GraphProto,
    options: &'o ImportOptions,
) -> Result<Vec<(&'o str, Tensor)>> {
    let constant = |(name, tensor): &'o (String, Tensor)| {
        let info = graph.input.iter().find(|info| info.name.as_deref() == Some(name));
        let tensor = info.map_or_else(|| Ok(tensor.clone()), |info| constant(info, tensor));
        tensor.map(|tensor| (name.as_str(), tensor))
    };
    options.bindings.iter().map(constant).collect()
}

fn constant(info: &ValueInfoProto, tensor: &Tensor) -> Result<Tensor> {
    let name = info.name.as_deref().unwrap_or("");
    let argument = |reason| Error::new(ErrorKind::Argument, reason);
    // A model may leave the dimensions of an input undeclared: nothing to compare then.
    let Ok((dtype, declared)) = declaration(info) else { return Ok(tensor.clone()) };
    check_sizes(info, declared)?;
    let agrees = |(dim, size): (&Dimension, &u32)| fixed(dim).is_none_or(|fixed| fixed == *size);
    if declared.len() != tensor.dims().len() || !declared.iter().zip(tensor.dims()).all(agrees) {
        let given = format!("{:?}", tensor.dims());
        let reason = format!("input '{name}' is {}, the constant bound to it {given}", written(declared));
        return Err(argument(reason).remedy("bind an array in the model's own layout"));
    }
    match (is_float(dtype), tensor.data()) {
        (false, Constant::F32(_)) => {
            let reason = format!("input '{name}' is of type {dtype}, the constant bound to it has floats");
            Err(argument(reason).remedy("save the array as int64"))
        }
        (true, Constant::I64(data)) => {
            let data = data.iter().map(|&x| float(x)).collect::<Vec<_>>();
            Tensor::new(tensor.dims(), Constant::f32(data))
        }
        _ => Ok(tensor.clone()),
    }
}

/// Refuses a dimension that is too large to be addressed; it must not pass for a free one.
fn check_sizes(info: &ValueInfoProto, dims: &[Dimension]) -> Result<()> {
    let sizes = dims.iter().filter_map(|dim| dim.dim_value);
    let Some(large) = sizes.into_iter().find(|size| *size > i64::from(u32::MAX)) else { return Ok(()) };
    let name = info.name.as_deref().unwrap_or("");
    let reason = format!("input '{name}' has a dimension of {large}; at most {}", u32::MAX);
    Err(Error::new(ErrorKind::Limit, reason).remedy("export it with the sizes that it is to run on"))
}

/// Sizes that fit an input's declared dimensions, for a person to start from: a picture of 224 rows and columns.
fn example(dims: &[Dimension]) -> String {
    let channels_last = matches!(dims, [_, a, _, c] if fixed(a).is_none() && fixed(c).is_some());
    let sides = if channels_last { 1..3 } else { 2..4 };
    let free = |axis| if dims.len() == 4 && sides.contains(&axis) { 224 } else { 1 };
    let sizes =
        dims.iter().enumerate().map(|(axis, dim)| fixed(dim).unwrap_or_else(|| free(axis)).to_string());
    sizes.collect::<Vec<_>>().join(",")
}

/// The size of a dimension that is not free.
fn fixed(dim: &Dimension) -> Option<u32> {
    dim.dim_value.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0)
}

/// Dimensions as a person writes them, free ones by name.
fn written(dims: &[Dimension]) -> String {
    let one = |dim: &Dimension| match (fixed(dim), dim.dim_param.as_deref()) {
        (Some(size), _) => size.to_string(),
        (None, Some(symbol)) if !symbol.is_empty() => symbol.into(),
        (None, _) => "?".into(),
    };
    format!("[{}]", dims.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}
