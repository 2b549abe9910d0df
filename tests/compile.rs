//! Compiling and running small networks: numbers by hand, and different compilations of one network against each other.
#![cfg(feature = "alloc")]

use salto::device::kernel::params::{BinaryKind, PoolKind};
use salto::device::tensor::Window;
use salto::host::compile::{CompileOptions, Techniques, compile, gains};
use salto::host::graph::{Builder, ConvLayer, Graph, Seeded, WeightRequest, zoo};
use salto::host::{Error, ErrorKind, Model, Result, SessionOptions};

fn run(graph: &Graph, options: &CompileOptions, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
    Model::from_compiled(compile(graph, options)?).session()?.run(inputs)
}

/// Numbers between −1 and 1 that look random.
fn noise(len: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn a_convolution_by_hand() -> Result<()> {
    // One row [1, 2, 3], taps [1, 10, 100], padding 1, bias 1000.
    let weights = |request: &WeightRequest<'_>| -> Result<Vec<f32>> {
        Ok(if request.name.ends_with("bias") { vec![1000.0] } else { vec![1.0, 10.0, 100.0] })
    };
    let mut net = Builder::new("by hand", weights);
    let x = net.input("x", &[1, 1, 3, 1])?;
    let mut window = Window::new(1, 3);
    (window.x.pad_before, window.x.pad_after) = (1, 1);
    let y = net.conv(x, ConvLayer::new(1, 1).window(window))?;
    net.output(y);
    let outputs = run(&net.finish()?, &CompileOptions::default(), &[&[1.0, 2.0, 3.0]])?;
    assert_eq!(outputs, [[1210.0, 1321.0, 1032.0]]);
    Ok(())
}

/// A residual block with a strided shortcut, a gate and a dense head.
fn residual_net() -> Result<Graph> {
    let mut net = Builder::new("residual", Seeded::new(3).perturbed());
    let x = net.input("x", &[2, 9, 8, 3])?;
    let x = net.conv(x, ConvLayer::new(68, 3))?;
    let x = net.batch_norm(x)?;
    let stem = net.name("stem").relu(x)?;
    let y = net.conv(stem, ConvLayer::new(68, 3))?;
    let y = net.relu(y)?;
    let y = net.conv(y, ConvLayer::new(68, 3))?;
    let sum = net.plus(y, stem)?;
    let x = net.relu(sum)?;
    let gate = net.conv(x, ConvLayer::new(68, 1))?;
    let gate = net.sigmoid(gate)?;
    let x = net.times(x, gate)?;
    let x = net.global_pool(x, PoolKind::Average)?;
    let x = net.flatten(x)?;
    let x = net.dense(x, 5)?;
    let x = net.softmax(x)?;
    net.output(x);
    net.finish()
}

#[test]
fn a_residual_net_runs_and_keeps_any_tensor() -> Result<()> {
    let graph = residual_net()?;
    let input = noise(2 * 9 * 8 * 3);
    let plain = run(&graph, &CompileOptions::default(), &[&input])?;
    assert!((plain[0].iter().sum::<f32>() - 2.0).abs() < 1e-5, "{plain:?}");
    let kept = run(&graph, &CompileOptions::default().keep(&["stem"]), &[&input])?;
    assert_eq!(plain[0], kept[0]);
    assert!(kept[1].len() == 2 * 9 * 8 * 68 && kept[1].iter().all(|&x| x >= 0.0));
    Ok(())
}

#[test]
fn binary_with_every_operand_dying_or_not() -> Result<()> {
    let mut net = Builder::new("binary", Seeded::new(1));
    let a = net.input("a", &[1, 2, 2, 3])?;
    let row = net.constant(&[3], &[1.0, 2.0, 3.0])?;
    let sum = net.binary(BinaryKind::Add, a, row)?;
    let difference = net.binary(BinaryKind::Sub, a, sum)?;
    let twice = net.binary(BinaryKind::Add, difference, difference)?;
    net.output(sum);
    net.output(twice);
    let input = noise(12);
    let outputs = run(&net.finish()?, &CompileOptions::default(), &[&input])?;
    for (i, &x) in input.iter().enumerate() {
        let sum = x + (i % 3 + 1) as f32;
        assert_eq!((outputs[0][i], outputs[1][i]), (sum, 2.0 * (x - sum)));
    }
    Ok(())
}

/// The largest difference, in parts of the largest number.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    a.iter().zip(b).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

#[test]
fn every_way_to_compile_gives_the_same_numbers() -> Result<()> {
    let graph = residual_net()?;
    let input = noise(2 * 9 * 8 * 3);
    let options = CompileOptions::default().keep(&["stem"]);
    let expected = run(&graph, &options.clone().optimize(false).winograd(false), &[&input])?;
    for optimize in [false, true] {
        for winograd in [false, true] {
            let found = run(&graph, &options.clone().optimize(optimize).winograd(winograd), &[&input])?;
            for (expected, found) in expected.iter().zip(&found) {
                let difference = difference(expected, found);
                assert!(difference < 2e-6, "optimize {optimize}, winograd {winograd}: {difference}");
            }
        }
    }
    Ok(())
}

#[test]
fn threads_and_layouts_change_no_bit() -> Result<()> {
    let mut net = Builder::new("layouts", Seeded::new(5)).channels_first();
    let x = net.input("x", &[2, 7, 6, 3])?;
    let y = net.conv(x, ConvLayer::new(17, 3))?;
    net.output(y);
    let model = Model::from_graph(&net.finish()?)?;
    assert_eq!(
        (model.inputs()[0].model_dims(), model.outputs()[0].model_dims()),
        (vec![2, 3, 7, 6], vec![2, 17, 7, 6])
    );
    let planes = noise(2 * 3 * 42);
    let at = |n: usize, p: usize, c: usize| planes[(n * 3 + c) * 42 + p];
    let pixels: Vec<f32> = (0..252).map(|i| at(i / 126, i % 126 / 3, i % 3)).collect();
    let expected = model.session()?.run(&[&planes])?;
    for threads in 1..=4 {
        let options = SessionOptions { threads, as_stored: true, ..SessionOptions::default() };
        let stored = model.session_with(&options)?.run(&[&pixels])?;
        for (i, x) in expected[0].iter().enumerate() {
            let (n, c, p) = (i / (17 * 42), i / 42 % 17, i % 42);
            assert_eq!(x.to_bits(), stored[0][(n * 42 + p) * 17 + c].to_bits());
        }
    }
    Ok(())
}

#[test]
fn the_callers_mistakes_are_told_with_both_numbers() -> Result<()> {
    let graph = residual_net()?;
    let mut session = Model::from_graph(&graph)?.session()?;
    let message = |result: Result<Vec<Vec<f32>>>| result.expect_err("a mistake").to_string();
    let told = message(session.run(&[&[0.0; 7]]));
    assert_eq!(told, "input 'x' has 7 elements, the model's shape 2×9×8×3 432");
    let told = message(session.run(&[]));
    assert_eq!(told, "0 inputs given, the model has 1; pass one slice for each of: x");
    let told = message(run(&graph, &CompileOptions::default().keep(&["nobody"]), &[]));
    assert!(told.starts_with("there is no tensor 'nobody' to keep"), "{told}");
    Ok(())
}

#[test]
fn every_tensor_can_be_kept_under_optimisation() -> Result<()> {
    let graph = residual_net()?;
    let input = noise(2 * 9 * 8 * 3);
    let names: Vec<String> = graph.values().map(|(_, value)| value.name.clone()).collect();
    let plain = compile(&graph, &CompileOptions::default().keep(&names).optimize(false))?;
    let optimised = compile(&graph, &CompileOptions::default().keep(&names))?;
    let (plain, optimised) = (Model::from_compiled(plain), Model::from_compiled(optimised));
    assert_eq!(plain.outputs(), optimised.outputs());
    let outputs = [&plain, &optimised].map(|model| model.session()?.run(&[&input]));
    let [plain_outputs, outputs] = outputs;
    for ((port, expected), found) in plain.outputs().iter().zip(plain_outputs?).zip(outputs?) {
        let difference = difference(&expected, &found);
        assert!(difference < 2e-6 || expected == found, "{}: {difference}", port.name);
        if port.name == "x" {
            assert_eq!(found, input);
        }
    }
    Ok(())
}

#[test]
fn what_32_bits_cannot_address_is_a_limit() -> Result<()> {
    let limit = |height: u32, sum: bool| -> Result<Error> {
        let mut net = Builder::new("large", Seeded::new(1));
        let x = net.input("x", &[1, height, 32768, 1])?;
        let y = net.relu(x)?;
        let y = if sum { net.plus(x, y)? } else { y };
        net.output(y);
        Ok(compile(&net.finish()?, &CompileOptions::default()).expect_err("a limit"))
    };
    let tensor = limit(32768, false)?;
    assert_eq!(tensor.kind(), ErrorKind::Limit);
    assert!(tensor.to_string().starts_with("tensor 'x' needs 4 GiB or more"), "{tensor}");
    let arena = limit(16384, true)?;
    assert_eq!(arena.kind(), ErrorKind::Limit);
    assert!(arena.to_string().starts_with("the arena would need 4 GiB or more"), "{arena}");
    Ok(())
}

#[test]
fn a_constant_beside_a_tensor_is_copied_into_the_arena() -> Result<()> {
    let mut net = Builder::new("beside", Seeded::new(1));
    let x = net.input("x", &[1, 1, 2, 1])?;
    let coordinates = net.constant(&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0])?;
    let y = net.concat(&[x, coordinates])?;
    net.output(y);
    let graph = net.finish()?;
    for optimize in [false, true] {
        let options = CompileOptions::default().optimize(optimize);
        assert_eq!(run(&graph, &options, &[&[8.0, 9.0]])?, [[8.0, 1.0, 2.0, 9.0, 3.0, 4.0]]);
    }
    Ok(())
}

/// Additions, concatenations of both kinds and pre-activations: with each technique fewer bytes, and the same answers.
#[test]
fn techniques_save_memory_and_keep_the_answers() -> Result<()> {
    let options = zoo::Options::default().size(32, 32);
    let design = zoo::DenseNet::new(8, &[3, 2]);
    for graph in [
        zoo::resnet8(&options, Seeded::new(1))?,
        zoo::densenet(&design, &options, Seeded::new(2))?,
        zoo::unet(&zoo::UNet::new(8, 2), &options, Seeded::new(3))?,
    ] {
        let model = Model::from_graph(&graph)?;
        let input = noise(model.inputs()[0].len());
        let expected = model.session()?.run(&[&input])?;
        for (name, techniques) in Techniques::LADDER.into_iter().chain([("none", Techniques::NONE)]) {
            let compiled = run(&graph, &CompileOptions::default().techniques(techniques), &[&input])?;
            for (output, expected) in compiled.iter().flatten().zip(expected.iter().flatten()) {
                assert!(
                    (output - expected).abs() <= 1e-4 * expected.abs().max(1.0),
                    "{name}: {output}, {expected}"
                );
            }
        }
        let gains = gains(&graph, &CompileOptions::default())?;
        assert!(
            gains.is_sorted_by(|before, after| before.activation_bytes >= after.activation_bytes),
            "{gains:?}"
        );
        let arena = gains.last().map(|gain| gain.arena_bytes);
        assert_eq!(arena, Some(model.arena_len() as u64));
    }
    Ok(())
}
