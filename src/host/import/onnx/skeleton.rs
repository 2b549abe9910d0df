//! Reads a model's file without its weights: the bytes of large tensors stay in the file, and the message says where they lie.
//!
//! ONNX can say of a tensor that its data is external. The skeleton says so of every large tensor of the model, with a place in
//! the model's own file, so that one reader (`initializer`) serves both. Flows in: a file; flows out: a message that `frame` checks
//! and the decoder reads, a small part of the file.

use std::io::{BufRead, BufReader, Read};

use rten_onnx::onnx::TensorProto;

use super::frame::{Content, Message, varint_of};
use super::unpack::put_varint;

/// Data of fewer bytes stays in the message.
pub(super) const LARGE: u64 = 1 << 14;

/// The key of the entry that says where in the model's own file a tensor's data lies. No exporter writes it; a file that does can
/// name a place inside itself, which is checked as any other.
const OWN_FILE: &str = "\u{0}in the model's own file";

/// Messages nest no deeper in what `frame` lets pass.
const MAX_DEPTH: usize = 40;

const RAW_DATA: u64 = 9;
const EXTERNAL_DATA: u64 = 13;
const DATA_LOCATION: u64 = 14;

/// The model of `len` bytes without the data of its large tensors. `None` if it is no well-formed message, or cannot be read: to be
/// read whole, then, so that the error says what is wrong.
pub(super) fn skeleton(file: impl Read + std::io::Seek, len: u64) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut cut = Cut { reader: BufReader::new(file), at: 0 };
    cut.message(Message::Model, len, 0, &mut out)?;
    Some(out)
}

/// Where in the model's own file a tensor's data lies: first byte and bytes.
pub(super) fn own_place(tensor: &TensorProto) -> Option<(u64, u64)> {
    let entry = tensor.external_data.iter().find(|entry| entry.key.as_deref() == Some(OWN_FILE))?;
    let (offset, len) = entry.value.as_deref()?.split_once(' ')?;
    Some((offset.parse().ok()?, len.parse().ok()?))
}

/// The walk through the file.
struct Cut<R> {
    reader: BufReader<R>,
    /// Bytes read so far.
    at: u64,
}

impl<R: Read + std::io::Seek> Cut<R> {
    /// Copies a message of `len` bytes.
    fn message(&mut self, message: Message, len: u64, depth: usize, out: &mut Vec<u8>) -> Option<()> {
        let end = self.at.checked_add(len).filter(|_| depth <= MAX_DEPTH)?;
        let mut place = None;
        while self.at < end {
            let tag = self.varint()?;
            let number = tag >> 3;
            match tag & 7 {
                0 => {
                    let value = self.varint()?;
                    put_varint(out, tag);
                    put_varint(out, value);
                }
                1 | 5 => {
                    put_varint(out, tag);
                    self.copy(if tag & 7 == 1 { 8 } else { 4 }, out)?;
                }
                2 => {
                    let len = self.varint()?;
                    // Nothing is asked for that the message cannot have.
                    end.checked_sub(self.at)?.checked_sub(len)?;
                    if message == Message::Tensor && number == RAW_DATA && len >= LARGE {
                        place = Some((self.at, len));
                        self.skip(len)?;
                    } else {
                        self.field(message.content(number), len, depth, (tag, out))?;
                    }
                }
                _ => return None,
            }
        }
        if let Some(place) = place {
            put_place(place, out)?;
        }
        (self.at == end).then_some(())
    }

    /// Copies a length-delimited field.
    fn field(
        &mut self,
        content: Content,
        len: u64,
        depth: usize,
        (tag, out): (u64, &mut Vec<u8>),
    ) -> Option<()> {
        put_varint(out, tag);
        let Content::Message(inner) = content else {
            put_varint(out, len);
            return self.copy(len, out);
        };
        let mut copy = Vec::new();
        self.message(inner, len, depth + 1, &mut copy)?;
        put_bytes(out, &copy)
    }

    fn copy(&mut self, len: u64, out: &mut Vec<u8>) -> Option<()> {
        let read = self.reader.by_ref().take(len).read_to_end(out).ok()?;
        self.at += len;
        (u64::try_from(read) == Ok(len)).then_some(())
    }

    fn skip(&mut self, len: u64) -> Option<()> {
        self.reader.seek_relative(i64::try_from(len).ok()?).ok()?;
        self.at += len;
        Some(())
    }

    /// An integer of 1 to 10 bytes.
    fn varint(&mut self) -> Option<u64> {
        varint_of(|| {
            let byte = *self.reader.fill_buf().ok()?.first()?;
            self.reader.consume(1);
            self.at += 1;
            Some(byte)
        })
    }
}

/// Says where a tensor's data lies.
fn put_place((offset, len): (u64, u64), out: &mut Vec<u8>) -> Option<()> {
    let mut entry = Vec::new();
    for (number, text) in [(1, OWN_FILE), (2, &format!("{offset} {len}"))] {
        put_varint(&mut entry, number << 3 | 2);
        put_bytes(&mut entry, text.as_bytes())?;
    }
    put_varint(out, EXTERNAL_DATA << 3 | 2);
    put_bytes(out, &entry)?;
    put_varint(out, DATA_LOCATION << 3);
    put_varint(out, 1);
    Some(())
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    put_varint(out, u64::try_from(bytes.len()).ok()?);
    out.extend(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use rten_onnx::onnx::{DataLocation, ModelProto};

    use super::*;

    /// A field of bytes.
    fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, number << 3 | 2);
        put_bytes(&mut out, bytes).unwrap();
        out
    }

    #[test]
    fn large_data_stays_in_the_file() {
        let data = vec![7; 20_000];
        let large = [field(8, b"large"), field(9, &data), vec![14 << 3, 0]].concat();
        let small = [field(8, b"small"), field(9, &[1, 2, 3, 4])].concat();
        let graph = [field(5, &large), field(2, b"net"), field(5, &small)].concat();
        let model = [vec![8, 8], field(7, &graph), field(2, b"writer")].concat();
        let len = u64::try_from(model.len()).unwrap();
        let skeleton = skeleton(Cursor::new(&model), len).unwrap();
        assert!(skeleton.len() < 200);
        let graph = ModelProto::parse_buf(&skeleton).unwrap().graph.unwrap();
        let [large, small] = &graph.initializer[..] else { panic!("two tensors") };
        assert_eq!(
            (large.name.as_deref(), large.data_location),
            (Some("large"), Some(DataLocation::EXTERNAL))
        );
        let (offset, len) = own_place(large).unwrap();
        let offset = usize::try_from(offset).unwrap();
        assert_eq!((&model[offset..][..20_000], len), (&data[..], 20_000));
        assert_eq!(small.raw_data.as_ref().unwrap().take(), [1, 2, 3, 4]);
        assert_eq!(own_place(small), None);
    }

    #[test]
    fn what_is_no_message_has_none() {
        let graph = field(7, &field(5, &field(9, &[0; 20_000])));
        for len in [1, 5, graph.len() - 1] {
            let cut = skeleton(Cursor::new(&graph[..len]), u64::try_from(len).unwrap());
            assert_eq!(cut, None, "{len}");
        }
        assert_eq!(skeleton(Cursor::new(&[0xff; 64]), 64), None);
        assert_eq!(skeleton(Cursor::new(&[]), 0), Some(vec![]));
    }
}
