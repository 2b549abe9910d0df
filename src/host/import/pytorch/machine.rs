//! The restricted pickle machine: it builds tensors, containers, numbers and texts, and refuses every other name.
//!
//! Opcodes: Python's `pickletools`, protocols 2 to 5, as far as PyTorch's two writers use them. Nothing is ever called: of the few
//! names in [`Global`], each has its own arm in [`Machine::reduce`]. The machine has no recursion, and everything it makes is paid for by
//! bytes of the pickle (`FREE_CELLS`, `BYTES_PER_CELL`).

use std::collections::HashMap;

use crate::host::{Error, ErrorKind, Result};

use super::bytes::{Cursor, size};
use super::damaged;
use super::global::Global;
use super::object::{Heap, Id, Storage, Tensor, Value};

/// Values on the stack, containers and remembered values that any pickle may have.
const FREE_CELLS: usize = 1 << 12;

/// Bytes of pickle that each further one costs: real ones spend ten and more.
const BYTES_PER_CELL: usize = 4;

/// Runs one pickle at the cursor and leaves the cursor behind it.
///
/// # Errors
/// If it is damaged, or names something that is no part of a state dictionary.
pub(super) fn run<'a>(cursor: &mut Cursor<'a>) -> Result<(Heap<'a>, Value<'a>)> {
    let len = cursor.rest().len();
    let mut machine = Machine {
        cursor: *cursor,
        heap: Heap::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        cells: FREE_CELLS + len / BYTES_PER_CELL,
        copied: 0,
    };
    let root = loop {
        let place = len - machine.cursor.rest().len();
        match machine.step() {
            Some(Step::Next) => {}
            Some(Step::Stop(root)) => break root,
            Some(Step::Refuse(error)) => return Err(error),
            None => return Err(damaged(format!("its pickle is damaged at byte {place}"))),
        }
    };
    *cursor = machine.cursor;
    Ok((machine.heap, root))
}

/// What one opcode leads to.
enum Step<'a> {
    Next,
    Stop(Value<'a>),
    Refuse(Error),
}

struct Machine<'a> {
    cursor: Cursor<'a>,
    heap: Heap<'a>,
    stack: Vec<Value<'a>>,
    /// Where marks stand on the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    /// The most values on the stack, remembered values, containers, and copied items, each.
    cells: usize,
    /// Items copied from one container into another: a few bytes of pickle name a list of any length again.
    copied: usize,
}

impl<'a> Machine<'a> {
    /// One opcode; `None` if the pickle is damaged.
    fn step(&mut self) -> Option<Step<'a>> {
        let opcode = self.cursor.u8()?;
        match opcode {
            b'.' => return self.stack.pop().map(Step::Stop),
            b'c' => {
                let (module, name) = (self.cursor.line()?, self.cursor.line()?);
                return self.global(core::str::from_utf8(module).ok()?, core::str::from_utf8(name).ok()?);
            }
            0x93 => {
                let (Value::Text(name), Value::Text(module)) = (self.stack.pop()?, self.stack.pop()?) else {
                    return None;
                };
                return self.global(module, name);
            }
            // Protocol, frame.
            0x80 => drop(self.cursor.u8()?),
            0x95 => drop(self.cursor.u64()?),
            b'(' => self.mark()?,
            b'0' => drop(self.stack.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => self.push(*self.stack.last()?)?,
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.remember(opcode)?,
            b'N' | 0x88 | 0x89 | b'J' | b'K' | b'M' | 0x8a | 0x8b | b'G' => self.number(opcode)?,
            b'X' | 0x8c | 0x8d | b'U' | b'T' | b'B' | b'C' => self.text(opcode)?,
            b')' | b't' | 0x85..=0x87 | b']' | b'l' | b'}' | b'd' => self.container(opcode)?,
            b'a' | b'e' | b's' | b'u' => self.extend(opcode)?,
            b'Q' => self.persistent()?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            _ => return None,
        }
        Some(Step::Next)
    }

    fn global(&mut self, module: &str, name: &str) -> Option<Step<'a>> {
        match Global::find(module, name) {
            Some(global) => {
                self.push(Value::Global(global))?;
                Some(Step::Next)
            }
            None => Some(Step::Refuse(refused(module, name))),
        }
    }

    fn push(&mut self, value: Value<'a>) -> Option<()> {
        (self.stack.len() < self.cells).then(|| self.stack.push(value))
    }

    fn mark(&mut self) -> Option<()> {
        (self.marks.len() < self.cells).then(|| self.marks.push(self.stack.len()))
    }

    /// The values since the last mark.
    fn pop_mark(&mut self) -> Option<Vec<Value<'a>>> {
        let mark = self.marks.pop()?;
        (mark <= self.stack.len()).then(|| self.stack.split_off(mark))
    }

    /// Adds a container to the heap.
    fn add(&mut self, items: Vec<Value<'a>>) -> Option<Id> {
        if self.heap.len() < self.cells { self.heap.add(items) } else { None }
    }

    /// The memo: what was named once can be pushed again.
    fn remember(&mut self, opcode: u8) -> Option<()> {
        let number = match opcode {
            b'q' | b'h' => self.cursor.u8()?.into(),
            b'r' | b'j' => self.cursor.u32()?,
            _ => u32::try_from(self.memo.len()).ok()?,
        };
        if matches!(opcode, b'h' | b'j') {
            return self.push(*self.memo.get(&number)?);
        }
        if self.memo.len() >= self.cells {
            return None;
        }
        self.memo.insert(number, *self.stack.last()?);
        Some(())
    }

    fn number(&mut self, opcode: u8) -> Option<()> {
        let value = match opcode {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'J' => Value::Int(i32::from_le_bytes(self.cursor.array()?).into()),
            b'K' => Value::Int(self.cursor.u8()?.into()),
            b'M' => Value::Int(self.cursor.u16()?.into()),
            b'G' => {
                self.cursor.take(8)?;
                Value::Opaque
            }
            // Integers of any length, two's complement.
            _ => {
                let len = if opcode == 0x8a { self.cursor.u8()?.into() } else { self.cursor.u32()? };
                long(self.cursor.take(size(len)?)?)
            }
        };
        self.push(value)
    }

    fn text(&mut self, opcode: u8) -> Option<()> {
        let len = match opcode {
            b'X' | b'T' | b'B' => size(self.cursor.u32()?)?,
            0x8d => size(self.cursor.u64()?)?,
            _ => self.cursor.u8()?.into(),
        };
        let bytes = self.cursor.take(len)?;
        match (opcode, core::str::from_utf8(bytes)) {
            (b'B' | b'C', _) => self.push(Value::Opaque),
            (_, Ok(text)) => self.push(Value::Text(text)),
            // Python 2's strings of bytes.
            (b'U' | b'T', Err(_)) => self.push(Value::Opaque),
            _ => None,
        }
    }

    fn container(&mut self, opcode: u8) -> Option<()> {
        let items = match opcode {
            b')' | b']' | b'}' => Vec::new(),
            b't' | b'l' | b'd' => self.pop_mark()?,
            _ => {
                let count = usize::from(opcode) - 0x84;
                self.stack.split_off(self.stack.len().checked_sub(count)?)
            }
        };
        let whole = items.len().is_multiple_of(2);
        let id = self.add(items)?;
        match opcode {
            b']' | b'l' => self.push(Value::List(id)),
            b'}' | b'd' if whole => self.push(Value::Dict(id)),
            b'}' | b'd' => None,
            _ => self.push(Value::Tuple(id)),
        }
    }

    /// Adds items to the list or dictionary below them.
    fn extend(&mut self, opcode: u8) -> Option<()> {
        let items = match opcode {
            b'e' | b'u' => self.pop_mark()?,
            b'a' => self.stack.split_off(self.stack.len().checked_sub(1)?),
            _ => self.stack.split_off(self.stack.len().checked_sub(2)?),
        };
        match (opcode, *self.stack.last()?) {
            (b'a' | b'e', Value::List(id)) => self.heap.items_mut(id)?.extend(items),
            (b's' | b'u', Value::Dict(id)) if items.len().is_multiple_of(2) => {
                self.heap.items_mut(id)?.extend(items);
            }
            _ => return None,
        }
        Some(())
    }

    /// `('storage', class, key, device, elements, …)`: a storage of the file.
    fn persistent(&mut self) -> Option<()> {
        let Value::Tuple(id) = self.stack.pop()? else { return None };
        let (element, key, len) = match *self.heap.items(id) {
            [
                Value::Text("storage"),
                Value::Global(Global::Storage(element)),
                Value::Text(key),
                _,
                Value::Int(len),
                ..,
            ] => (element, key, size(len)?),
            _ => return None,
        };
        let id = self.heap.add_storage(Storage { element, key, len })?;
        self.push(Value::Storage(id))
    }

    /// What a name makes of its arguments.
    fn reduce(&mut self) -> Option<()> {
        let (Value::Tuple(arguments), Value::Global(global)) = (self.stack.pop()?, self.stack.pop()?) else {
            return None;
        };
        let value = match (global, self.heap.items(arguments)) {
            (Global::OrderedDict, []) => Value::Dict(self.add(Vec::new())?),
            (Global::OrderedDict, &[Value::List(pairs)]) => Value::Dict(self.ordered(pairs)?),
            (
                Global::Tensor,
                &[Value::Storage(storage), Value::Int(offset), Value::Tuple(dims), Value::Tuple(strides), ..],
            ) => {
                let storage = self.heap.storage(storage)?;
                let tensor = Tensor { storage, offset: size(offset)?, dims, strides };
                Value::Tensor(self.heap.add_tensor(tensor)?)
            }
            (Global::Parameter, &[tensor @ Value::Tensor(_), ..]) => tensor,
            (Global::Size, &[tuple @ Value::Tuple(_)]) => tuple,
            (Global::Opaque, _) => Value::Opaque,
            _ => return None,
        };
        self.push(value)
    }

    /// A dictionary of a list of pairs, as Python 2 wrote them.
    fn ordered(&mut self, pairs: Id) -> Option<Id> {
        let mut items = Vec::new();
        self.copied += self.heap.items(pairs).len();
        if self.copied > self.cells {
            return None;
        }
        for pair in self.heap.items(pairs) {
            let (Value::List(pair) | Value::Tuple(pair)) = *pair else { return None };
            let [key, value] = *self.heap.items(pair) else { return None };
            items.extend([key, value]);
        }
        self.add(items)
    }

    /// Attributes of a dictionary (`_metadata`) say nothing about tensors.
    fn build(&mut self) -> Option<()> {
        let _attributes = self.stack.pop()?;
        matches!(self.stack.last()?, Value::Dict(_)).then_some(())
    }
}

/// An integer of any length; one that needs more than 64 bits is never read.
fn long(bytes: &[u8]) -> Value<'static> {
    if bytes.len() > 8 {
        return Value::Opaque;
    }
    let sign = bytes.last().is_some_and(|byte| *byte >= 0x80);
    let mut wide = [if sign { 0xff } else { 0 }; 8];
    wide.iter_mut().zip(bytes).for_each(|(wide, byte)| *wide = *byte);
    Value::Int(i64::from_le_bytes(wide))
}

fn refused(module: &str, name: &str) -> Error {
    let reason = format!("it holds a {module}.{name}; only tensors and containers are read, never code");
    Error::new(ErrorKind::Unsupported, reason)
        .remedy("in Python, save the tensors alone: torch.save(model.state_dict(), path)")
}
