//! Floats that lie in a file: where, of which type, in which order, times what. They are read when they are packed, a few rows at
//! a time, so that neither the file nor its weights are ever whole in memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use half::{bf16, f16};

use super::finite::all_finite;
use crate::host::{Error, ErrorKind, Result};

/// Bytes that are read at once where the order does not matter.
const PIECE: usize = 1 << 18;

/// An open file that constants lie in. It may not change while a graph refers to it.
#[derive(Debug)]
pub(crate) struct WeightFile {
    path: PathBuf,
    file: Mutex<File>,
    len: u64,
    modified: Option<SystemTime>,
    /// The first read that failed.
    failure: OnceLock<Error>,
}

impl WeightFile {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Self {
            path: path.into(),
            len: metadata.len(),
            modified: metadata.modified().ok(),
            file: Mutex::new(file),
            failure: OnceLock::new(),
        })
    }

    /// Bytes of the file.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Lets `read` read the file from its beginning on.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&File) -> T) -> T {
        read(&self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Fills `bytes` with those from `offset` on.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(bytes));
        read.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.changed(),
            _ => Error::io(&error).in_file(self.path.display()),
        })
    }

    /// Is the file as it was when it was opened, and could all be read that was asked for?
    ///
    /// # Errors
    /// If it has changed, or could not be read.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(failure) = self.failure.get() {
            return Err(failure.clone());
        }
        let file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let metadata = file.metadata().map_err(|error| Error::io(&error).in_file(self.path.display()))?;
        if metadata.len() == self.len && metadata.modified().ok() == self.modified {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    fn changed(&self) -> Error {
        let error = Error::new(ErrorKind::Io, "the file changed while its weights were read");
        error.remedy("load it again when it is complete").in_file(self.path.display())
    }
}

/// The type of a file's floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloatFormat {
    F64,
    F32,
    F16,
    Bf16,
}

impl FloatFormat {
    /// Bytes of one.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The elements that a walk over `bytes` finds.
    fn gather(self, bytes: &[u8], axes: &[Axis], out: &mut [f32]) {
        match self {
            Self::F64 => gather(bytes, axes, out, &|b| f64::from_le_bytes(b) as f32),
            Self::F32 => gather(bytes, axes, out, &f32::from_le_bytes),
            Self::F16 => gather(bytes, axes, out, &|b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => gather(bytes, axes, out, &|b| bf16::from_le_bytes(b).to_f32()),
        }
    }
}

/// An axis of a walk: its length, and elements from one index to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    len: usize,
    stride: usize,
}

/// Floats in a file, in an order and times factors.
#[derive(Clone, Debug)]
pub(crate) struct StoredFloats {
    file: Arc<WeightFile>,
    offset: u64,
    format: FloatFormat,
    /// The order in which they are read, outermost axis first; neighbours that are one run are one axis.
    axes: Vec<Axis>,
    /// Factors, applied one after another: one for each of as many equal runs.
    factors: Vec<Arc<[f32]>>,
    /// What was read because somebody wanted a slice.
    loaded: Arc<OnceLock<Arc<[f32]>>>,
    /// Was every float found to be finite? Orders and factors do not matter.
    finite: Arc<OnceLock<bool>>,
}

impl StoredFloats {
    /// `len` floats from `offset` on, which must lie inside the file.
    pub(crate) fn new(file: Arc<WeightFile>, offset: u64, format: FloatFormat, len: usize) -> Self {
        let axes = Vec::from([Axis { len, stride: 1 }]);
        let (loaded, finite) = (Arc::default(), Arc::default());
        Self { file, offset, format, axes, factors: Vec::new(), loaded, finite }
    }

    pub(super) fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.len).product()
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.loaded.get().is_some()
    }

    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.loaded).addr()
    }

    pub(super) fn check(&self) -> Result<()> {
        self.file.check()
    }

    /// The same floats with their axes in another order; `None` if they are in another order already.
    pub(super) fn transposed(&self, dims: &[u32], perm: &[usize]) -> Option<Self> {
        let is_plain = matches!(self.axes[..], [Axis { stride: 1, .. }]);
        let mut seen = vec![false; dims.len()];
        perm.iter().for_each(|&axis| seen.iter_mut().skip(axis).take(1).for_each(|seen| *seen = true));
        let is_order = perm.len() == dims.len() && seen.iter().all(|seen| *seen);
        let len: usize = dims.iter().map(|&dim| dim as usize).product();
        // Factors belong to runs, which only an order that keeps the first axis keeps.
        let of_first = |factors: &Arc<[f32]>| Some(&(factors.len() as u32)) == dims.first();
        let keeps_runs =
            self.factors.is_empty() || perm.first() == Some(&0) && self.factors.iter().all(of_first);
        if !is_plain || !is_order || len != self.len() || !keeps_runs {
            return None;
        }
        let mut strides = vec![1usize; dims.len()];
        for axis in (1..dims.len()).rev() {
            strides[axis - 1] = strides[axis] * dims[axis] as usize;
        }
        let axes = perm.iter().map(|&axis| Axis { len: dims[axis] as usize, stride: strides[axis] });
        Some(self.revised(joined(axes), self.factors.clone()))
    }

    /// The same floats, each run times its factor; `None` if the factors cannot belong to equal runs.
    pub(super) fn scaled(&self, factors: &[f32]) -> Option<Self> {
        let divides = !factors.is_empty() && self.len().is_multiple_of(factors.len());
        let all = self.factors.iter().cloned().chain([factors.into()]).collect();
        divides.then(|| self.revised(self.axes.clone(), all))
    }

    fn revised(&self, axes: Vec<Axis>, factors: Vec<Arc<[f32]>>) -> Self {
        let (file, finite) = (self.file.clone(), self.finite.clone());
        Self { file, offset: self.offset, format: self.format, axes, factors, loaded: Arc::default(), finite }
    }

    /// All of them, kept in memory from now on.
    pub(super) fn loaded(&self) -> &[f32] {
        self.loaded.get_or_init(|| {
            let mut all = vec![0.0; self.len()];
            self.fill(0, &mut all, |bytes, out| self.format.gather(bytes, &self.axes, out));
            self.multiply(0, &mut all);
            all.into()
        })
    }

    /// Some rows of `row_len` floats, read into `buffer`.
    pub(super) fn rows<'a>(
        &'a self,
        rows: Range<usize>,
        row_len: usize,
        buffer: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        let (start, end) = (rows.start * row_len, (rows.end * row_len).min(self.len()));
        let len = end.saturating_sub(start);
        match self.axes_of_rows(len, row_len) {
            Some(axes) if !self.is_loaded() => {
                buffer.clear();
                buffer.resize(len, 0.0);
                self.fill(start, buffer, |bytes, out| self.format.gather(bytes, &axes, out));
                self.multiply(start, buffer);
                buffer
            }
            _ => self.loaded().get(start..end).unwrap_or_default(),
        }
    }

    /// The walk over `len` floats in rows of `row_len`, if such rows are runs in the file.
    fn axes_of_rows(&self, len: usize, row_len: usize) -> Option<Vec<Axis>> {
        let (first, inner) = self.axes.split_first()?;
        let run: usize = inner.iter().map(|axis| axis.len).product();
        if inner.is_empty() && first.stride == 1 {
            return Some(Vec::from([Axis { len, stride: 1 }]));
        }
        let are_runs = first.stride == run && row_len.is_multiple_of(run.max(1)) && run > 0;
        are_runs.then(|| {
            let first = Axis { len: len / run, ..*first };
            core::iter::once(first).chain(inner.iter().copied()).collect()
        })
    }

    /// Reads as many floats from `start` on as `out` has, and lets `gather` bring them into their order.
    fn fill(&self, start: usize, out: &mut [f32], gather: impl Fn(&[u8], &mut [f32])) {
        let width = self.format.bytes();
        let mut bytes = vec![0; out.len() * width];
        match self.file.read(self.offset + (start * width) as u64, &mut bytes) {
            Ok(()) => gather(&bytes, out),
            Err(error) => drop(self.file.failure.set(error)),
        }
    }

    /// Applies the factors to floats that begin at `start`.
    fn multiply(&self, start: usize, floats: &mut [f32]) {
        for factors in &self.factors {
            let run = self.len() / factors.len();
            let mut rest = floats.iter_mut();
            let mut at = start;
            while rest.len() > 0 {
                let left = run - at % run;
                let factor = factors[at / run];
                at += left;
                rest.by_ref().take(left).for_each(|x| *x *= factor);
            }
        }
    }

    pub(super) fn are_finite(&self) -> bool {
        *self.finite.get_or_init(|| {
            let mut piece = vec![0.0; PIECE.min(self.len())];
            (0..self.len()).step_by(PIECE).all(|start| {
                let len = PIECE.min(self.len() - start);
                let piece = &mut piece[..len];
                let axes = [Axis { len, stride: 1 }];
                self.fill(start, piece, |bytes, out| self.format.gather(bytes, &axes, out));
                all_finite(piece)
            })
        })
    }
}

/// Axes with those made one that are one run.
fn joined(axes: impl Iterator<Item = Axis>) -> Vec<Axis> {
    let mut joined: Vec<Axis> = Vec::new();
    for axis in axes.filter(|axis| axis.len != 1) {
        match joined.last_mut() {
            Some(outer) if outer.stride == axis.len * axis.stride => {
                *outer = Axis { len: outer.len * axis.len, stride: axis.stride };
            }
            _ => joined.push(axis),
        }
    }
    if joined.is_empty() {
        joined.push(Axis { len: 1, stride: 1 });
    }
    joined
}

/// Fills `out` by a walk over elements of `N` bytes.
fn gather<const N: usize>(bytes: &[u8], axes: &[Axis], out: &mut [f32], decode: &impl Fn([u8; N]) -> f32) {
    walk(bytes.as_chunks().0, axes, out, decode);
}

fn walk<const N: usize>(
    elements: &[[u8; N]],
    axes: &[Axis],
    out: &mut [f32],
    decode: &impl Fn([u8; N]) -> f32,
) {
    let Some((axis, inner)) = axes.split_first() else { return };
    if inner.is_empty() {
        let taken = elements.iter().step_by(axis.stride.max(1));
        out.iter_mut().zip(taken).for_each(|(x, element)| *x = decode(*element));
        return;
    }
    let run: usize = inner.iter().map(|axis| axis.len).product();
    for (index, out) in out.chunks_mut(run.max(1)).enumerate() {
        walk(elements.get(index * axis.stride..).unwrap_or_default(), inner, out, decode);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(name: &str, floats: &[f32]) -> (PathBuf, Arc<WeightFile>) {
        let path = std::env::temp_dir().join(format!("salto_stored_{name}_{}", std::process::id()));
        let bytes: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(&path, bytes).unwrap();
        let file = Arc::new(WeightFile::open(&path).unwrap());
        (path, file)
    }

    #[test]
    fn rows_are_those_of_the_whole() {
        let floats: Vec<f32> = (0..5 * 6 * 2 * 3).map(|i| i as f32 - 90.0).collect();
        let (path, file) = file_of("rows", &floats);
        let plain = StoredFloats::new(file, 0, FloatFormat::F32, floats.len());
        assert_eq!(plain.loaded(), floats);
        // [5, 6, 2, 3] as [5, 2, 3, 6]
        let turned = plain.transposed(&[5, 6, 2, 3], &[0, 2, 3, 1]).unwrap();
        let expected = |i: usize| floats[i / 36 * 36 + i % 6 * 6 + i / 6 % 6];
        let factors = [1.0, -1.0, 2.0, 0.5, 3.0];
        let scaled = turned.scaled(&factors).unwrap();
        let mut buffer = Vec::new();
        for rows in [0..5, 1..3, 4..9] {
            let end = rows.end.min(5);
            let wanted: Vec<f32> = (rows.start * 36..end * 36).map(expected).collect();
            assert_eq!(turned.rows(rows.clone(), 36, &mut buffer), wanted);
            let wanted: Vec<f32> =
                (rows.start * 36..end * 36).map(|i| expected(i) * factors[i / 36]).collect();
            assert_eq!(scaled.rows(rows, 36, &mut buffer), wanted);
        }
        assert!(!scaled.is_loaded());
        assert_eq!(scaled.loaded()[40], -expected(40));
        // A matrix the other way round has no rows in the file: it is loaded.
        let columns = plain.transposed(&[30, 6], &[1, 0]).unwrap();
        assert_eq!(columns.rows(1..2, 30, &mut buffer)[..3], [floats[1], floats[7], floats[13]]);
        assert!(columns.transposed(&[6, 30], &[1, 0]).is_none() && columns.is_loaded());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_that_changes_is_an_error_with_its_name() {
        let (path, file) = file_of("changes", &[1.0; 64]);
        let stored = StoredFloats::new(file, 0, FloatFormat::F32, 64);
        assert!(stored.are_finite() && stored.check().is_ok());
        std::fs::write(&path, [0; 8]).unwrap();
        assert_eq!(stored.loaded(), [0.0; 64]);
        let error = stored.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("salto_stored_changes"), "{error}");
        std::fs::remove_file(path).unwrap();
    }
}
