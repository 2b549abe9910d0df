//! Two networks made twice: as an ONNX file, node by node as PyTorch exports them, and by the builder. Same numbers.
//!
//! Both take their weights from one source by PyTorch's names, the file in PyTorch's order (`[out, in, kh, kw]`).
#![allow(clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(feature = "std")]

use rten_onnx::onnx::{
    AttributeProto, DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};
use salto::device::tensor::Shape;
use salto::host::graph::{Graph, Seeded, WeightRequest, WeightRole, WeightSource, zoo};
use salto::host::{Model, Result};

/// An ONNX file in the making.
struct File {
    graph: GraphProto,
    weights: Seeded,
}

impl File {
    /// A file with one input `[1, 3, 100, 100]`.
    fn new() -> Self {
        let mut graph = GraphProto::default();
        let dim = [1, 3, 100, 100].map(|size| Dimension { dim_value: Some(size), dim_param: None }).into();
        let tensor =
            TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape: Some(TensorShapeProto { dim }) };
        let r#type = Some(TypeProto { tensor_type: Some(tensor), sequence: None });
        graph.input.push(ValueInfoProto { name: Some("input".into()), r#type });
        Self { graph, weights: Seeded::new(11).perturbed() }
    }

    fn bytes(mut self, output: &str) -> Vec<u8> {
        self.graph.output.push(ValueInfoProto { name: Some(output.into()), r#type: None });
        let opset = OperatorSetIdProto { domain: Some(String::new()), version: Some(13) };
        let (graph, opset_import) = (Some(self.graph), vec![opset]);
        let model = ModelProto { ir_version: Some(8), graph, opset_import, ..ModelProto::default() };
        model.write_buf().expect("a model that can be written")
    }

    fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, &[i64])]) -> String {
        let output = format!("{}_{operator}", self.graph.node.len());
        let attribute = |&(name, ints): &(&str, &[i64])| {
            let mut attribute = AttributeProto { name: Some(name.into()), ..AttributeProto::default() };
            match ints {
                [int] => attribute.i = Some(*int),
                _ => attribute.ints = ints.to_vec(),
            }
            attribute
        };
        self.graph.node.push(NodeProto {
            op_type: Some(operator.into()),
            input: inputs.iter().map(|name| name.to_string()).collect(),
            output: vec![output.clone()],
            attribute: attributes.iter().map(attribute).collect(),
            ..NodeProto::default()
        });
        output
    }

    /// Writes a weight under its name; `data` comes in storage order.
    fn initializer(&mut self, name: &str, shape: Shape, role: WeightRole) {
        let data = self.weights.weight(&WeightRequest { name, shape, role }).expect("a weight");
        let (dims, float_data) = match *shape.dims() {
            [o, h, w, i] => {
                let (h, w, i) = (h as usize, w as usize, i as usize);
                let at = |k: usize| {
                    let (rest, x) = (k / w, k % w);
                    let (rest, y) = (rest / h, rest % h);
                    data[((rest / i * h + y) * w + x) * i + rest % i]
                };
                (vec![o.into(), i as i64, h as i64, w as i64], (0..data.len()).map(at).collect())
            }
            ref dims => (dims.iter().map(|&dim| dim.into()).collect(), data),
        };
        let (name, data_type) = (Some(name.into()), Some(DataType::FLOAT));
        let tensor = TensorProto { name, dims, float_data, data_type, ..TensorProto::default() };
        self.graph.initializer.push(tensor);
    }

    /// `nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)`
    fn conv(&mut self, name: &str, x: &str, [inputs, outputs]: [u32; 2], kernel: u32, stride: i64) -> String {
        let weight = format!("{name}.weight");
        let role =
            WeightRole::Kernel { fan_in: kernel * kernel * inputs, fan_out: kernel * kernel * outputs };
        self.initializer(&weight, Shape::nhwc(outputs, kernel, kernel, inputs), role);
        let pad = i64::from(kernel / 2);
        self.node("Conv", &[x, &weight], &[("strides", &[stride; 2]), ("pads", &[pad; 4])])
    }

    /// `nn.BatchNorm2d(channels)`
    fn norm(&mut self, name: &str, x: &str, channels: u32) -> String {
        let roles = [
            ("weight", WeightRole::Scale),
            ("bias", WeightRole::Bias),
            ("running_mean", WeightRole::Mean),
            ("running_var", WeightRole::Variance),
        ];
        let names = roles.map(|(part, role)| {
            let name = format!("{name}.{part}");
            self.initializer(&name, Shape::vector(channels), role);
            name
        });
        self.node("BatchNormalization", &[x, &names[0], &names[1], &names[2], &names[3]], &[])
    }

    fn norm_relu(&mut self, name: &str, x: &str, channels: u32) -> String {
        let x = self.norm(name, x, channels);
        self.node("Relu", &[&x], &[])
    }

    fn max_pool(&mut self, x: &str, pad: i64) -> String {
        self.node("MaxPool", &[x], &[("kernel_shape", &[3, 3]), ("strides", &[2, 2]), ("pads", &[pad; 4])])
    }
}

/// conv1, bn1, relu, maxpool, layer1 and layer2 of torchvision's `resnet34`.
fn resnet34_front() -> Vec<u8> {
    let mut file = File::new();
    let x = file.conv("conv1", "input", [3, 64], 7, 2);
    let x = file.norm_relu("bn1", &x, 64);
    let mut x = file.max_pool(&x, 1);
    for (layer, blocks, inputs, outputs) in [(1, 3, 64, 64), (2, 4, 64, 128)] {
        for block in 0..blocks {
            let name = |part: &str| format!("layer{layer}.{block}.{part}");
            let is_first = block == 0 && layer > 1;
            let (inputs, stride) = if is_first { (inputs, 2) } else { (outputs, 1) };
            let y = file.conv(&name("conv1"), &x, [inputs, outputs], 3, stride);
            let y = file.norm_relu(&name("bn1"), &y, outputs);
            let y = file.conv(&name("conv2"), &y, [outputs, outputs], 3, 1);
            let y = file.norm(&name("bn2"), &y, outputs);
            if is_first {
                x = file.conv(&name("downsample.0"), &x, [inputs, outputs], 1, stride);
                x = file.norm(&name("downsample.1"), &x, outputs);
            }
            let sum = file.node("Add", &[&y, &x], &[]);
            x = file.node("Relu", &[&sum], &[]);
        }
    }
    file.bytes(&x)
}

/// conv0, norm0, relu0, pool0 (without padding) and denseblock1 of torchvision's `densenet121`.
fn densenet_front() -> Vec<u8> {
    let mut file = File::new();
    let x = file.conv("features.conv0", "input", [3, 64], 7, 2);
    let x = file.norm_relu("features.norm0", &x, 64);
    let mut features = vec![file.max_pool(&x, 0)];
    for layer in 1..=6 {
        let name = |part: &str| format!("features.denseblock1.denselayer{layer}.{part}");
        let parts: Vec<&str> = features.iter().map(String::as_str).collect();
        let channels = 64 + 32 * (layer - 1);
        let y = file.node("Concat", &parts, &[("axis", &[1])]);
        let y = file.norm_relu(&name("norm1"), &y, channels);
        let y = file.conv(&name("conv1"), &y, [channels, 128], 1, 1);
        let y = file.norm_relu(&name("norm2"), &y, 128);
        features.push(file.conv(&name("conv2"), &y, [128, 32], 3, 1));
    }
    let parts: Vec<&str> = features.iter().map(String::as_str).collect();
    let x = file.node("Concat", &parts, &[("axis", &[1])]);
    file.bytes(&x)
}

fn check(file: &[u8], graph: &Graph, dims: &[u32]) -> Result<()> {
    let input: Vec<f32> = (0..3 * 100 * 100).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    let (imported, built) = (Model::from_onnx(file)?, Model::from_graph(graph)?);
    assert_eq!(
        (imported.outputs()[0].model_dims(), built.outputs()[0].model_dims()),
        (dims.into(), dims.into())
    );
    let imported = imported.session()?.run(&[&input])?;
    let built = built.session()?.run(&[&input])?;
    assert!(imported[0].iter().any(|&x| x > 0.1), "the output is not all zeros");
    assert_eq!(imported, built);
    Ok(())
}

#[test]
fn five_layers_of_resnet_34() -> Result<()> {
    let graph = zoo::resnet34_front(Seeded::new(11).perturbed())?;
    check(&resnet34_front(), &graph, &[1, 128, 13, 13])
}

#[test]
fn stem_and_dense_block() -> Result<()> {
    let graph = zoo::densenet_front(Seeded::new(11).perturbed())?;
    check(&densenet_front(), &graph, &[1, 256, 24, 24])
}
