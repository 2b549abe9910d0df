//! Numbers and tables as text.

use alloc::string::ToString;

use super::{Align, Bytes, Count, Table};

#[test]
fn numbers_take_the_largest_unit_that_they_reach() {
    let bytes = |number| Bytes(number).to_string();
    assert_eq!([bytes(0), bytes(1023), bytes(1024)], ["0 B", "1023 B", "1.0 KiB"]);
    assert_eq!([bytes(1536), bytes(1 << 20), bytes(5 << 30)], ["1.5 KiB", "1.0 MiB", "5.0 GiB"]);
    let count = |number| Count(number).to_string();
    assert_eq!(
        [count(999), count(1000), count(999_960), count(1_814_073_344)],
        ["999", "1.0 k", "1.0 M", "1.8 G"]
    );
}

#[test]
fn columns_line_up() {
    let mut table = Table::new(&[("size", Align::Right), ("name", Align::Left), ("n", Align::Right)]);
    table.push(["3×3".to_string(), "a".to_string(), "1".to_string()]);
    table.push(["10".to_string(), "longer".to_string(), "20".to_string()]);
    assert_eq!(table.to_string(), "size  name     n\n 3×3  a        1\n  10  longer  20\n");
}
