//! Unpacks lists that the decoder reads one by one only: dimensions of tensors, and lists of numbers in attributes.
//!
//! Protobuf lets a writer pack a list of numbers into one field or repeat the field for each, and asks readers to take both.
//! Writers of `proto3` pack; ONNX's own are `proto2` and do not, and `rten-onnx` reads these fields as those write them. Flows in:
//! bytes that `frame` has checked; flows out: the same message with these lists repeated.

use super::frame::{Content, Message, take, varint};

/// The model with every such list repeated. `None` if the bytes are not those that `frame` has checked.
pub(super) fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    copy(Message::Model, bytes, &mut out)?;
    Some(out)
}

fn copy(message: Message, mut bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let number = tag >> 3;
        match tag & 7 {
            0 => {
                let value = varint(&mut bytes)?;
                put_varint(out, tag);
                put_varint(out, value);
            }
            1 | 5 => {
                put_varint(out, tag);
                out.extend(take(&mut bytes, if tag & 7 == 1 { 8 } else { 4 })?);
            }
            2 => {
                let len = usize::try_from(varint(&mut bytes)?).ok()?;
                field(message.content(number), number, take(&mut bytes, len)?, out)?;
            }
            _ => return None,
        }
    }
    Some(())
}

/// A length-delimited field.
fn field(content: Content, number: u64, mut bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let whole = |bytes: &[u8], out: &mut Vec<u8>| {
        put_varint(out, number << 3 | 2);
        put_varint(out, u64::try_from(bytes.len()).ok()?);
        out.extend(bytes);
        Some(())
    };
    match content {
        Content::Message(message) => {
            let mut inner = Vec::with_capacity(bytes.len());
            copy(message, bytes, &mut inner)?;
            whole(&inner, out)
        }
        Content::ScatteredVarints => {
            while !bytes.is_empty() {
                put_varint(out, number << 3);
                put_varint(out, varint(&mut bytes)?);
            }
            Some(())
        }
        Content::ScatteredFloats => {
            while !bytes.is_empty() {
                put_varint(out, number << 3 | 5);
                out.extend(take(&mut bytes, size_of::<f32>())?);
            }
            Some(())
        }
        Content::Varints | Content::Fixed(_) | Content::Name | Content::Reference | Content::Bytes => {
            whole(bytes, out)
        }
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use rten_onnx::onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

    use super::*;

    /// A model with a node of two lists and a tensor of three dimensions, long enough for lengths of two bytes.
    fn model() -> ModelProto {
        let ints = AttributeProto { name: Some("i".into()), ints: vec![1, -1, 300], ..Default::default() };
        let floats = AttributeProto { floats: vec![0.5, -2.0], ..Default::default() };
        let node = NodeProto { attribute: vec![ints, floats], ..NodeProto::default() };
        let tensor = TensorProto { dims: vec![2, 0, 129], name: Some("t".repeat(200)), ..Default::default() };
        let graph = GraphProto { node: vec![node], initializer: vec![tensor], ..GraphProto::default() };
        ModelProto { ir_version: Some(8), graph: Some(graph), ..ModelProto::default() }
    }

    #[test]
    fn lists_that_are_not_packed_stay_as_they_are() {
        let bytes = model().write_buf().unwrap();
        assert_eq!(super::super::frame::check(&bytes), Ok(false));
        assert_eq!(unpacked(&bytes).unwrap(), bytes);
    }

    #[test]
    fn packed_lists_are_repeated() {
        // Graph 7, node 1, attribute 5, its integers 8 and floats 7; initialiser 5, its dimensions 1.
        let field = |number: u8, content: &[u8]| {
            let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
            bytes.extend(content);
            bytes
        };
        let integers = field(8, &[1, 0xac, 2]);
        let floats = field(7, &[0, 0, 0, 63, 0, 0, 128, 63]);
        let node = field(1, &field(5, &[integers, floats].concat()));
        let bytes = field(7, &[node, field(5, &field(1, &[2, 3]))].concat());
        assert_eq!(super::super::frame::check(&bytes), Ok(true));
        let model = ModelProto::parse_buf(&unpacked(&bytes).unwrap()).unwrap();
        let graph = model.graph.unwrap();
        let attribute = &graph.node[0].attribute[0];
        assert_eq!((&*attribute.ints, &*attribute.floats), (&[1, 300][..], &[0.5, 1.0][..]));
        assert_eq!(graph.initializer[0].dims, [2, 3]);
    }
}
