//! Small models in few words, for tests.

use rten_onnx::onnx::{
    AttributeProto, DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};

use salto::host::graph::{Graph, Op};
use salto::host::import::onnx::{ImportOptions, import};
use salto::host::{Model, Result};

/// A model that grows, with one output `y`.
pub(super) struct Sketch {
    graph: GraphProto,
    opset: i64,
}

/// The value of an attribute.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Int(i64),
    Float(f32),
    Ints(&'a [i64]),
    Text(&'a str),
}

impl Sketch {
    /// A model whose input `x` has these dimensions.
    pub(super) fn new(opset: i64, dims: &[i64]) -> Self {
        let dims: Vec<Dimension> = dims.iter().map(|dim| fixed(*dim)).collect();
        Self { graph: GraphProto::default(), opset }.input("x", dims).output("y")
    }

    pub(super) fn input(mut self, name: &str, dim: Vec<Dimension>) -> Self {
        let tensor =
            TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape: Some(TensorShapeProto { dim }) };
        let r#type = Some(TypeProto { tensor_type: Some(tensor), sequence: None });
        self.graph.input.push(ValueInfoProto { name: Some(name.into()), r#type });
        self
    }

    pub(super) fn output(mut self, name: &str) -> Self {
        self.graph.output.push(ValueInfoProto { name: Some(name.into()), r#type: None });
        self
    }

    /// A float constant that counts 0, 1, 2, …
    pub(super) fn counting(self, name: &str, dims: &[i64]) -> Self {
        let len = u16::try_from(dims.iter().product::<i64>()).unwrap();
        self.floats(name, dims, &(0..len).map(f32::from).collect::<Vec<_>>())
    }

    pub(super) fn floats(mut self, name: &str, dims: &[i64], data: &[f32]) -> Self {
        let (name, dims, float_data) = (Some(name.into()), dims.into(), data.into());
        let data_type = Some(DataType::FLOAT);
        self.graph.initializer.push(TensorProto {
            name,
            dims,
            float_data,
            data_type,
            ..TensorProto::default()
        });
        self
    }

    /// A float constant as exporters store it: as bytes.
    #[allow(dead_code, reason = "not every test that has this file needs it")]
    pub(super) fn raw(mut self, name: &str, dims: &[i64], data: &[f32]) -> Self {
        let bytes: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.graph.initializer.push(TensorProto {
            name: Some(name.into()),
            dims: dims.into(),
            raw_data: Some(bytes.into()),
            data_type: Some(DataType::FLOAT),
            ..TensorProto::default()
        });
        self
    }

    pub(super) fn integers(mut self, name: &str, data: &[i64]) -> Self {
        let (name, dims, int64_data) = (Some(name.into()), vec![data.len().try_into().unwrap()], data.into());
        let data_type = Some(DataType::INT64);
        self.graph.initializer.push(TensorProto {
            name,
            dims,
            int64_data,
            data_type,
            ..TensorProto::default()
        });
        self
    }

    /// A node without a name; operands and results are separated by spaces, `_` stands for a missing one.
    pub(super) fn node(self, operator: &str, inputs: &str, outputs: &str) -> Self {
        self.node_with(operator, inputs, outputs, &[])
    }

    pub(super) fn node_with(
        mut self,
        operator: &str,
        inputs: &str,
        outputs: &str,
        attributes: &[(&str, Value<'_>)],
    ) -> Self {
        let names = |names: &str| names.split(' ').map(|name| name.replace('_', "")).collect();
        self.graph.node.push(NodeProto {
            op_type: Some(operator.into()),
            input: names(inputs),
            output: names(outputs),
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
            ..NodeProto::default()
        });
        self
    }

    /// Changes the model as no method of this type does.
    pub(super) fn edit(mut self, edit: impl FnOnce(&mut GraphProto)) -> Self {
        edit(&mut self.graph);
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let opset = OperatorSetIdProto { domain: Some(String::new()), version: Some(self.opset) };
        let (ir_version, opset_import) = (Some(8), vec![opset]);
        let graph = Some(self.graph.clone());
        ModelProto { ir_version, graph, opset_import, ..ModelProto::default() }.write_buf().unwrap()
    }

    pub(super) fn import(&self) -> Result<Graph> {
        let graph = import(&self.bytes(), &ImportOptions::default())?;
        graph.validate().unwrap();
        Ok(graph)
    }

    /// The message of the refusal.
    pub(super) fn refusal(&self) -> String {
        self.import().unwrap_err().to_string()
    }

    /// The graph's operators in the order in which they were added.
    pub(super) fn operators(&self) -> Vec<&'static str> {
        self.import().unwrap().nodes().map(|(_, node)| node.op.name()).collect()
    }

    /// The operator of the last node.
    pub(super) fn last(&self) -> Op {
        let graph = self.import().unwrap();
        graph.nodes().last().unwrap().1.op.clone()
    }

    /// The output's dimensions and elements in the model's order, where the input counts 0, 1, 2, …
    pub(super) fn run(&self) -> (Vec<u32>, Vec<f32>) {
        let model = Model::from_graph(&self.import().unwrap()).unwrap();
        let len = u16::try_from(model.inputs()[0].len()).unwrap();
        let input: Vec<f32> = (0..len).map(f32::from).collect();
        let outputs = model.session().unwrap().run(&[&input]).unwrap();
        (model.outputs()[0].model_dims(), outputs.into_iter().next().unwrap())
    }
}

pub(super) fn fixed(size: i64) -> Dimension {
    Dimension { dim_value: Some(size), dim_param: None }
}

pub(super) fn free(name: &str) -> Dimension {
    Dimension { dim_value: None, dim_param: Some(name.into()) }
}

fn attribute(name: &str, value: &Value<'_>) -> AttributeProto {
    let mut attribute = AttributeProto { name: Some(name.into()), ..AttributeProto::default() };
    match value {
        Value::Int(int) => attribute.i = Some(*int),
        Value::Float(float) => attribute.f = Some(*float),
        Value::Ints(ints) => attribute.ints = ints.to_vec(),
        Value::Text(text) => attribute.s = Some(text.to_string()),
    }
    attribute
}
