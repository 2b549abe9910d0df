//! What cannot be imported, and how all of it is told at once.

use std::fmt::Write;

use crate::host::{Error, ErrorKind};

use super::frame::MAX_NAME;

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

/// What avoids the operator: an option of the export where there is one.
fn remedy(operator: &str, domain: &str) -> &'static str {
    match domain {
        "" => {}
        "com.microsoft" | "com.microsoft.nchwc" | "com.ms.internal.nhwc" => {
            return "take the model as it was before onnxruntime optimised or quantised it";
        }
        "org.pytorch.aten" | "aten" => {
            return "export with torch.onnx.export(…, dynamo=True), or write it in operators that ONNX has";
        }
        "ai.onnx.ml" => return "leave trees, scalers and maps of labels to the application",
        _ => return "export with the standard operators of ONNX only",
    }
    match operator {
        "If" | "Loop" | "Scan" => {
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
        "NonMaxSuppression" | "TopK" | "RoiAlign" | "MaxRoiAlign" | "NonZero" | "Unique" | "Compress" => {
            "end the export before this post-processing and do it in the application"
        }
        "ArgMax" | "ArgMin" => "export the scores: `salto run` prints the largest, --overlay draws them",
        "RandomNormal" | "RandomNormalLike" | "RandomUniform" | "RandomUniformLike" | "Bernoulli"
        | "Multinomial" => "export in evaluation mode, after model.eval()",
        "Einsum" => "write it as products and transpositions: torch.matmul, permute",
        "ScatterND" | "ScatterElements" | "Scatter" => {
            "write assignments to parts of a tensor as torch.cat or torch.where"
        }
        "STFT" | "DFT" | "MelWeightMatrix" => "compute the spectrum before the network, and pass it as input",
        _ => "express it in supported operators (docs/operators.md has them with their limits)",
    }
}

/// A name longer than any exporter writes.
pub(super) fn long_name() -> Error {
    let reason = format!("a name in it has more than {MAX_NAME} bytes");
    Error::new(ErrorKind::Limit, reason).remedy("rename what bears it, and export the model again")
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

    #[test]
    fn what_has_a_way_round_is_told_it() {
        let told = |operator, domain| unknown_operator(operator, domain).to_string();
        for (operator, domain, word) in [
            ("Loop", "", "fixed input shapes"),
            ("QLinearConv", "", "float32"),
            ("NonMaxSuppression", "", "post-processing"),
            ("RandomNormalLike", "", "model.eval()"),
            ("ArgMax", "", "--overlay"),
            ("FusedConv", "com.microsoft", "before onnxruntime"),
            ("ATen", "org.pytorch.aten", "dynamo=True"),
            ("TreeEnsembleClassifier", "ai.onnx.ml", "application"),
            ("Frobnicate", "my.own", "standard operators"),
            ("Frobnicate", "", "docs/operators.md"),
        ] {
            assert!(told(operator, domain).contains(word), "{operator}: {}", told(operator, domain));
        }
    }
}
