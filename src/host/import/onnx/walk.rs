//! One node's import: its operator is found, and its results get their names in the scope.

use crate::host::Result;

use super::context::Context;
use super::finite;
use super::model::Node;
use super::operators;
use super::refusal::{unknown_operator, unsupported};
use super::scope::{Operand, Scope};

/// Imports one node; its results stand for nothing if that fails.
///
/// # Errors
/// What is wrong with the node itself; nothing, if only a node before it could not be imported.
pub(super) fn import_node<'m>(scope: &mut Scope<'m>, node: &Node<'m>) -> Result<()> {
    let refused = |name: &String| scope.operands.get(name.as_str()).is_some_and(Option::is_none);
    let results = if node.inputs().iter().any(refused) { Ok(None) } else { results(scope, node).map(Some) };
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
    let Some(operator) = operators::find(node.operator()) else {
        return Err(unknown_operator(node.operator(), ""));
    };
    finite::check(node, &scope.operands)?;
    let mut results = (operator.import)(&mut Context::new(node, scope))?;
    let is_sequence =
        |i: usize| node.outputs().get(i).is_some_and(|name| scope.sequences.contains_key(name.as_str()));
    if (results.len()..node.outputs().len()).any(|i| node.wants(i) && !is_sequence(i)) {
        return Err(unsupported(format!("only {} of its results are supported", results.len())));
    }
    for (result, name) in results.iter().zip(node.outputs()) {
        if let Operand::Value(value) = result
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
