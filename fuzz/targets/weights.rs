//! What the targets of weights share: every tensor of an accepted file can be read.

use salto::host::import::weights::Weights;

/// Any bytes are weights each of which can be read, or an error.
pub(crate) fn check(data: &[u8]) {
    let Ok(weights) = Weights::from_bytes(data.to_vec()) else { return };
    for name in weights.names() {
        let tensor = weights.tensor(name).expect("a name of the file's");
        let dims = weights.dims(name).expect("a name of the file's");
        assert_eq!(tensor.len(), dims.iter().product::<usize>());
    }
}
