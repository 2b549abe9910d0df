//! The frame check: are the bytes a well-formed protobuf message of ONNX's shape, and of bounded size once decoded?
//!
//! The decoder (`rten-onnx`) believes the lengths that it reads and descends as deep as messages nest. This pass walks the same
//! fields first, so that afterwards every length lies inside its message, nesting is shallow, and the number of messages is in
//! proportion to the file. Wire format: <https://protobuf.dev/programming-guides/encoding/>; fields: onnx.proto.

/// Why bytes cannot be an ONNX model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// No protobuf message, or none of ONNX's shape.
    Malformed,
    /// The top-level message ends inside a field.
    CutOff,
    /// Messages nest deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More messages than a real model of this size has.
    TooMany,
    /// A name longer than [`MAX_NAME`].
    LongName,
    /// An attribute stands for one of a call (`ref_attr_name`), and is in no function.
    Reference,
}

/// Real models nest about ten messages; each `If` or `Loop` inside another adds three.
const MAX_DEPTH: usize = 32;

/// The most bytes of a name. Exporters write some hundred; an import repeats the name of a node in all that it becomes.
pub(super) const MAX_NAME: usize = 4096;

/// The largest networks have some ten thousand nodes with a few attributes each.
const MAX_MESSAGES: usize = 1 << 18;

/// A message costs at least this many bytes of file on average (a name, a type).
const BYTES_PER_MESSAGE: usize = 6;

/// Messages that need no proportion: tiny models.
const FREE_MESSAGES: usize = 1 << 10;

/// The message types that the decoders read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Model,
    Graph,
    Function,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Sequence,
    Shape,
    /// A message without messages inside: dimension, operator set, key and value.
    Leaf,
}

/// What a length-delimited field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Message(Message),
    /// Packed integers.
    Varints,
    /// Packed numbers of this many bytes.
    Fixed(usize),
    /// Packed integers that the decoder reads one by one only.
    ScatteredVarints,
    /// Packed floats that the decoder reads one by one only.
    ScatteredFloats,
    /// A name.
    Name,
    /// The name of an attribute of the call, in the body of a function.
    Reference,
    /// A string, bytes, or a field that the decoder skips.
    Bytes,
}

impl Message {
    /// What field `number` of this message holds.
    pub(super) const fn content(self, number: u64) -> Content {
        use Content::{Fixed, ScatteredFloats, ScatteredVarints, Varints};
        match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6) => Content::Message(Self::Graph),
            (Self::Model, 8 | 14) | (Self::Tensor, 13) | (Self::Shape, 1) => Content::Message(Self::Leaf),
            (Self::Model, 25) => Content::Message(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Content::Message(Self::Node),
            (Self::Function, 9) => Content::Message(Self::Leaf),
            (Self::Function, 11) => Content::Message(Self::Attribute),
            (Self::Graph, 5) | (Self::Attribute, 5) => Content::Message(Self::Tensor),
            (Self::Graph, 11..=13) => Content::Message(Self::ValueInfo),
            (Self::Node, 5) => Content::Message(Self::Attribute),
            (Self::ValueInfo, 2) | (Self::Sequence, 1) => Content::Message(Self::Type),
            (Self::Type, 1) => Content::Message(Self::TensorType),
            (Self::Type, 4) => Content::Message(Self::Sequence),
            (Self::TensorType, 2) => Content::Message(Self::Shape),
            (Self::Tensor, 4) => Fixed(4),
            (Self::Tensor, 10) => Fixed(8),
            (Self::Tensor, 5 | 7) => Varints,
            (Self::Tensor, 1) | (Self::Attribute, 8) => ScatteredVarints,
            (Self::Attribute, 7) => ScatteredFloats,
            (Self::Attribute, 21) => Content::Reference,
            (Self::Node, 1..=4 | 7 | 8)
            | (Self::Function, 1 | 4..=6 | 10 | 13)
            | (Self::Attribute | Self::ValueInfo, 1)
            | (Self::Graph, 2)
            | (Self::Tensor, 8) => Content::Name,
            _ => Content::Bytes,
        }
    }
}

/// Checks that `bytes` are a `ModelProto` that can be decoded. `true` if that wants lists unpacked first
/// ([`unpacked`](super::unpack::unpacked)).
pub(super) fn check(bytes: &[u8]) -> Result<bool, Flaw> {
    let messages = MAX_MESSAGES.min(FREE_MESSAGES + bytes.len() / BYTES_PER_MESSAGE);
    let mut walk = Walk { messages, is_packed: false, is_body: false };
    walk.message(Message::Model, bytes, 0)?;
    Ok(walk.is_packed)
}

/// The walk over all messages.
struct Walk {
    /// How many more there may be.
    messages: usize,
    /// Was there a packed list that the decoder cannot read?
    is_packed: bool,
    /// Is this the body of a function?
    is_body: bool,
}

impl Walk {
    fn message(&mut self, message: Message, mut bytes: &[u8], depth: usize) -> Result<(), Flaw> {
        self.messages = self.messages.checked_sub(1).ok_or(Flaw::TooMany)?;
        if depth > MAX_DEPTH {
            return Err(Flaw::TooDeep);
        }
        while !bytes.is_empty() {
            let tag = varint(&mut bytes).ok_or(Flaw::Malformed)?;
            let number = tag >> 3;
            if number == 0 {
                return Err(Flaw::Malformed);
            }
            match tag & 7 {
                0 => varint(&mut bytes).map(drop).ok_or(Flaw::Malformed)?,
                1 => take(&mut bytes, 8).map(drop).ok_or(Flaw::Malformed)?,
                5 => take(&mut bytes, 4).map(drop).ok_or(Flaw::Malformed)?,
                2 => {
                    let len = varint(&mut bytes).ok_or(Flaw::Malformed)?;
                    let content = usize::try_from(len).ok().and_then(|len| take(&mut bytes, len));
                    let cut = if depth == 0 { Flaw::CutOff } else { Flaw::Malformed };
                    // Functions do not nest.
                    self.is_body = (message, number) == (Message::Function, 7) || self.is_body && depth > 1;
                    self.content(message.content(number), content.ok_or(cut)?, depth)?;
                }
                // Groups (3, 4) are not part of ONNX; 6 and 7 do not exist.
                _ => return Err(Flaw::Malformed),
            }
        }
        Ok(())
    }

    fn content(&mut self, content: Content, mut bytes: &[u8], depth: usize) -> Result<(), Flaw> {
        match content {
            Content::Message(message) => self.message(message, bytes, depth + 1),
            Content::Fixed(size) if bytes.len().is_multiple_of(size) => Ok(()),
            Content::Fixed(_) => Err(Flaw::Malformed),
            Content::Bytes => Ok(()),
            Content::Reference if !self.is_body && !bytes.is_empty() => Err(Flaw::Reference),
            Content::Name | Content::Reference if bytes.len() > MAX_NAME => Err(Flaw::LongName),
            Content::Name | Content::Reference => Ok(()),
            Content::ScatteredFloats => {
                self.is_packed = true;
                self.content(Content::Fixed(size_of::<f32>()), bytes, depth)
            }
            Content::ScatteredVarints => {
                self.is_packed = true;
                self.content(Content::Varints, bytes, depth)
            }
            Content::Varints => {
                while !bytes.is_empty() {
                    varint(&mut bytes).ok_or(Flaw::Malformed)?;
                }
                Ok(())
            }
        }
    }
}

/// Takes an integer of 1 to 10 bytes off the front.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    varint_of(|| take(bytes, 1)?.first().copied())
}

/// An integer of 1 to 10 bytes, wherever they come from.
pub(super) fn varint_of(mut next: impl FnMut() -> Option<u8>) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = next()?;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Takes `len` bytes off the front.
pub(super) fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (front, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(front)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A length-delimited field.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut len = content.len();
        while len >= 0x80 {
            bytes.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
            len >>= 7;
        }
        bytes.push(u8::try_from(len).unwrap());
        bytes.extend(content);
        bytes
    }

    #[test]
    fn lengths_must_lie_inside_their_message() {
        assert_eq!(check(&field(7, &field(1, b""))), Ok(false));
        assert_eq!(check(&[7 << 3 | 2, 5, 0]), Err(Flaw::CutOff));
        assert_eq!(check(&field(7, &[1 << 3 | 2, 5, 0])), Err(Flaw::Malformed));
        let endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        let mut huge = vec![2 << 3 | 2];
        huge.extend(endless);
        assert_eq!(check(&huge), Err(Flaw::CutOff));
        assert_eq!(check(&field(7, &huge)), Err(Flaw::Malformed));
    }

    #[test]
    fn packed_numbers_must_be_whole() {
        let floats = |bytes: &[u8]| field(7, &field(5, &field(4, bytes)));
        assert_eq!(check(&floats(&[0; 8])), Ok(false));
        assert_eq!(check(&floats(&[0; 7])), Err(Flaw::Malformed));
        assert_eq!(check(&field(7, &field(5, &field(7, &[0x80])))), Err(Flaw::Malformed));
    }

    #[test]
    fn nesting_is_bounded() {
        let mut graph = Vec::new();
        for _ in 0..40 {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        assert_eq!(check(&field(7, &graph)), Err(Flaw::TooDeep));
    }

    #[test]
    fn empty_messages_are_bounded() {
        let nodes: Vec<u8> = [1 << 3 | 2, 0].repeat(10_000);
        assert_eq!(check(&field(7, &nodes)), Err(Flaw::TooMany));
    }
}
