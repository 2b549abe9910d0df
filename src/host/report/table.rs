//! Text tables.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table: a line of titles, then rows. Columns are as wide as their longest cell and two spaces apart.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|(title, align)| (title.to_string(), *align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; cells beyond the columns are not shown.
    pub fn push(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn widths(&self) -> Vec<usize> {
        let width = |(column, (title, _)): (usize, &(String, Align))| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.chain([title]).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        self.columns.iter().enumerate().map(width).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let titles: Vec<String> = self.columns.iter().map(|(title, _)| title.clone()).collect();
        for row in core::iter::once(&titles).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, (_, align)), width) in row.iter().zip(&self.columns).zip(&widths) {
                line.push_str(if line.is_empty() { "" } else { "  " });
                let pad = width - cell.chars().count();
                let (before, after) = if *align == Align::Right { (pad, 0) } else { (0, pad) };
                line.extend(core::iter::repeat_n(' ', before));
                line.push_str(cell);
                line.extend(core::iter::repeat_n(' ', after));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
