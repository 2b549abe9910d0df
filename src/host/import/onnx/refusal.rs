//! What cannot be imported, and how all of it is told at once.

use std::fmt::Write;

use crate::host::{Error, ErrorKind};

/// How many refusals a message lists before it only counts.
const LISTED: usize = 20;

/// Something that ONNX allows and salto does not support.
pub(super) fn unsupported(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, reason)
}

/// Something that contradicts the ONNX specification, or itself.
pub(super) fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, reason)
}

/// One error for all refusals, in the order of the nodes; `None` if there is none.
pub(super) fn all_at_once(mut refusals: Vec<Error>) -> Option<Error> {
    if refusals.len() <= 1 {
        return refusals.pop();
    }
    let kind = refusals.iter().map(Error::kind).find(|kind| *kind == ErrorKind::Unsupported);
    let kind = kind.or(refusals.first().map(Error::kind)).unwrap_or(ErrorKind::Unsupported);
    let mut reason = format!("{} nodes cannot be imported:", refusals.len());
    for refusal in refusals.iter().take(LISTED) {
        // Writing to a string cannot fail.
        let _ = write!(reason, "\n  {refusal}");
    }
    if let Some(more @ 1..) = refusals.len().checked_sub(LISTED) {
        let _ = write!(reason, "\n  and {more} more");
    }
    Some(Error::new(kind, reason))
}

/// An operator that no table knows, with what to do about it.
pub(super) fn unknown_operator(operator: &str, domain: &str) -> Error {
    let reason = match domain {
        "" => "the operator is not supported".into(),
        _ => format!("the domain '{domain}' is not supported"),
    };
    unsupported(reason).remedy(remedy(operator, domain))
}

fn remedy(operator: &str, domain: &str) -> &'static str {
    if !domain.is_empty() {
        return "export with the standard operators of ONNX only";
    }
    match operator {
        "Loop" | "Scan" => {
            "export with fixed input shapes, so that control flow becomes constant (onnxsim folds what is left)"
        }
        "QuantizeLinear"
        | "DequantizeLinear"
        | "DynamicQuantizeLinear"
        | "QLinearConv"
        | "QLinearMatMul"
        | "ConvInteger"
        | "MatMulInteger" => "export the float32 model",
        "LSTM" | "GRU" | "RNN" | "Attention" => "salto runs convolutional networks",
        "NonMaxSuppression" | "TopK" | "RoiAlign" | "NonZero" => {
            "end the export before this post-processing and do it in the application"
        }
        _ => "express it in supported operators (docs/operators.md has them with their limits)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_listed_and_the_rest_is_counted() {
        let one = |k: usize| unsupported("not supported").at_node(&format!("n{k}"), "Foo");
        assert_eq!(all_at_once(Vec::new()), None);
        assert_eq!(all_at_once(vec![one(1)]), Some(one(1)));
        let many = all_at_once((0..23).map(one).collect()).unwrap().to_string();
        assert!(many.starts_with("23 nodes cannot be imported:\n  node 'n0' (Foo): not supported"));
        assert!(many.contains("'n19'") && !many.contains("'n20'") && many.ends_with("and 3 more"));
    }
}
