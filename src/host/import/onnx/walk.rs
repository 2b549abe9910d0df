//! One node's import: its operator is found, and its results get their names in the scope.

use rten_onnx::onnx::GraphProto;

use crate::host::{Error, Result};

use super::context::Context;
use super::finite;
use super::model::{self, Node};
use super::operators;
use super::refusal::{all_at_once, invalid, unknown_operator, unsupported};
use super::scope::{Operand, Scope};

/// The one operator that has nodes inside, and is imported here.
pub(super) const IF: &str = "If";

/// Why a node cannot be imported, as far as its operator and attributes tell.
pub(super) fn refuse(node: &Node<'_>) -> Option<Error> {
    let (operator, domain) = (node.operator(), node.domain());
    if operator == IF && domain.is_empty() {
        return None;
    }
    let found = if domain.is_empty() { operators::find(operator) } else { None };
    let refused = match found {
        Some(operator) => (operator.check)(node).err()?,
        None => unknown_operator(operator, domain),
    };
    Some(refused.at_node(&node.name, operator))
}

/// Imports one node; its results stand for nothing if that fails.
///
/// # Errors
/// What is wrong with the node itself; nothing, if only a node before it could not be imported.
pub(super) fn import_node<'m>(scope: &mut Scope<'m>, node: &Node<'m>) -> Result<()> {
    let refused = |name: &&str| scope.operands.get(name).is_some_and(Option::is_none);
    let results = if node.reads().iter().any(refused) { Ok(None) } else { results(scope, node).map(Some) };
    let (results, outcome) = match results {
        Ok(results) => (results, Ok(())),
        Err(error) => (None, Err(error.at_node(&node.name, node.operator()))),
    };
    let mut results = results.unwrap_or_default().into_iter();
    for name in node.outputs().iter().filter(|name| !name.is_empty()) {
        if scope.sequences.contains_key(name.as_str()) {
            continue;
        }
        scope.operands.insert(name, results.next());
    }
    outcome
}

/// The node's results, one for each output that is named.
fn results<'m>(scope: &mut Scope<'m>, node: &Node<'m>) -> Result<Vec<Operand>> {
    let older = scope.graph.values().len();
    finite::check(node, &scope.operands)?;
    let mut results = match operators::find(node.operator()) {
        Some(operator) => (operator.import)(&mut Context::new(node, scope))?,
        None if node.operator() == IF => branch(scope, node)?,
        None => return Err(unknown_operator(node.operator(), "")),
    };
    let is_sequence =
        |i: usize| node.outputs().get(i).is_some_and(|name| scope.sequences.contains_key(name.as_str()));
    if (results.len()..node.outputs().len()).any(|i| node.wants(i) && !is_sequence(i)) {
        let reason = match results.len() {
            1 => "only the first of its results is supported".into(),
            supported => format!("only the first {supported} of its results are supported"),
        };
        return Err(unsupported(reason).remedy("export the model so that the others are not read"));
    }
    for (result, name) in results.iter().zip(node.outputs()) {
        if let Operand::Value(value) | Operand::Mask(value) = result
            && value.index() >= older
            && !name.is_empty()
        {
            scope.graph.value_mut(*value).name = name.clone();
        }
    }
    let mut wanted = (0..).map(|i| node.wants(i));
    results.retain(|_| wanted.next().unwrap_or(false));
    Ok(results)
}

/// The results of the branch that a constant condition chooses: its nodes are imported as if they stood here.
fn branch<'m>(scope: &mut Scope<'m>, node: &Node<'m>) -> Result<Vec<Operand>> {
    let condition = match node.input(0).and_then(|name| scope.operands.get(name)) {
        Some(Some(Operand::Constant(tensor))) => {
            tensor.data().as_i64().and_then(|flags| flags.first().copied())
        }
        Some(Some(Operand::Value(_) | Operand::Mask(_))) => {
            let remedy = "export with fixed shapes, so that the condition is constant";
            return Err(unsupported("its condition depends on the input").remedy(remedy));
        }
        _ => None,
    };
    let condition = condition.ok_or_else(|| invalid("its condition is no boolean"))?;
    let name = if condition == 0 { "else_branch" } else { "then_branch" };
    let graph = node.graph(name)?.ok_or_else(|| invalid(format!("it has no {name}")))?;
    let constants = graph.initializer.iter().filter_map(|proto| proto.name.as_deref());
    let made = graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str));
    let outer = scope.open(constants.chain(made));
    let results = graph_results(scope, graph, node.opset);
    scope.close(outer);
    results
}

/// Imports the nodes of a graph inside a node; its names stand for nothing outside.
fn graph_results<'m>(scope: &mut Scope<'m>, graph: &'m GraphProto, opset: i64) -> Result<Vec<Operand>> {
    for proto in &graph.initializer {
        scope.add_initializer(proto.name.as_deref().unwrap_or(""), proto)?;
    }
    let nodes = model::needed_nodes(graph, opset)?;
    let refused: Vec<Error> = nodes.iter().filter_map(refuse).collect();
    let refused = if refused.is_empty() {
        nodes.iter().filter_map(|node| import_node(scope, node).err()).collect()
    } else {
        refused
    };
    if let Some(error) = all_at_once(refused) {
        return Err(error);
    }
    let result = |name: &str| match scope.operands.get(name) {
        Some(Some(operand)) => Ok(operand.clone()),
        _ => Err(invalid(format!("nothing makes its result '{name}'"))),
    };
    graph.output.iter().map(|output| result(output.name.as_deref().unwrap_or(""))).collect()
}
