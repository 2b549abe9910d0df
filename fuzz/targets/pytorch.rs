//! Any bytes are weights of PyTorch, each of which can be read, or an error: both containers of `.pth`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use salto::host::import::weights::Weights;

fuzz_target!(|data: &[u8]| {
    let Ok(weights) = Weights::from_bytes(data.to_vec()) else { return };
    for name in weights.names() {
        let tensor = weights.tensor(name).expect("a name of the file's");
        let dims = weights.dims(name).expect("a name of the file's");
        assert_eq!(tensor.len(), dims.iter().product::<usize>());
    }
});
