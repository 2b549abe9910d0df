//! Functions as they stand in a file. The ONNX decoder does not know them, nor attributes that stand for one of the call
//! (`ref_attr_name`), so both are read here, with its own field reader. Fields: onnx.proto.

use rten_onnx::onnx::{AttributeProto, NodeProto};
use rten_onnx::protobuf::{DecodeMessage, Fields, OwnedValues, ProtobufError, ReadValue, ValueReader};

use super::cost_of_node;

type Result<T> = std::result::Result<T, ProtobufError>;

/// A function's name: domain and operator.
pub(super) type Key = (String, String);

/// A function.
#[derive(Default)]
pub(super) struct Function {
    pub(super) key: Key,
    pub(super) overload: String,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    /// Attributes that a call may leave out.
    pub(super) defaults: Vec<AttributeProto>,
    pub(super) body: Vec<BodyNode>,
}

/// A node of a body, with the names of the call's attributes that some of its own, or of the nodes inside, stand for.
pub(super) struct BodyNode {
    pub(super) node: NodeProto,
    pub(super) references: References,
    /// Bytes that a copy takes, names that it gets aside.
    pub(super) cost: usize,
}

/// What an attribute stands for.
#[derive(Default)]
pub(super) struct Reference {
    /// The call's attribute that it stands for.
    pub(super) outer: Option<String>,
    /// What the attributes of nodes stand for, if this one is a graph.
    pub(super) inside: Vec<References>,
}

/// What the attributes of a node stand for, one after the other.
pub(super) type References = List<5, Reference>;

/// The messages in one repeated field of a message; its other fields are left out.
pub(super) struct List<const FIELD: u64, T> {
    pub(super) list: Vec<T>,
}

/// The functions in the bytes of a model.
pub(super) fn functions(bytes: &[u8]) -> Result<Vec<Function>> {
    Ok(List::<25, Function>::decode(ValueReader::from_buf(bytes))?.list)
}

impl<const FIELD: u64, T: DecodeMessage<Types = OwnedValues>> DecodeMessage for List<FIELD, T> {
    type Types = OwnedValues;

    fn decode_fields<R: ReadValue<Types = Self::Types>>(mut fields: Fields<'_, R>) -> Result<Self> {
        let mut list = Vec::new();
        while let Some(mut field) = fields.next()? {
            if field.number() == FIELD {
                list.push(T::decode_field(&mut field)?);
            } else {
                field.skip()?;
            }
        }
        Ok(Self { list })
    }
}

impl DecodeMessage for Function {
    type Types = OwnedValues;

    fn decode_fields<R: ReadValue<Types = Self::Types>>(mut fields: Fields<'_, R>) -> Result<Self> {
        let mut function = Self::default();
        while let Some(mut field) = fields.next()? {
            match field.number() {
                1 => function.key.1 = field.read_string()?,
                4 => function.inputs.push(field.read_string()?),
                5 => function.outputs.push(field.read_string()?),
                7 => function.body.push(body_node(&field.read_bytes()?)?),
                10 => function.key.0 = field.read_string()?,
                11 => function.defaults.push(AttributeProto::decode_field(&mut field)?),
                13 => function.overload = field.read_string()?,
                _ => field.skip()?,
            }
        }
        Ok(function)
    }
}

/// A node of a body: its bytes are read twice, by the ONNX decoder and for what that leaves out.
fn body_node(bytes: &[u8]) -> Result<BodyNode> {
    let node = NodeProto::decode(ValueReader::from_buf(bytes))?;
    let references = References::decode(ValueReader::from_buf(bytes))?;
    let cost = cost_of_node(&node);
    Ok(BodyNode { node, references, cost })
}

impl DecodeMessage for Reference {
    type Types = OwnedValues;

    fn decode_fields<R: ReadValue<Types = Self::Types>>(mut fields: Fields<'_, R>) -> Result<Self> {
        let mut reference = Self::default();
        while let Some(mut field) = fields.next()? {
            match field.number() {
                6 => reference.inside = List::<1, References>::decode_field(&mut field)?.list,
                21 => reference.outer = Some(field.read_string()?).filter(|outer| !outer.is_empty()),
                _ => field.skip()?,
            }
        }
        Ok(reference)
    }
}
