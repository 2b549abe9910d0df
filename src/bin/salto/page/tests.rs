//! What every page must hold.

use salto::Model;
use salto::host::compile::{CompileOptions, gains};
use salto::host::graph::{Seeded, zoo};
use salto::host::report::Inspection;

use super::{Sheet, draw};

fn count(page: &str, text: &str) -> usize {
    page.matches(text).count()
}

#[test]
fn a_page_has_a_rectangle_for_each_buffer_and_an_arc_for_each_skip() {
    let graph = zoo::resnet8(&zoo::Options::default(), Seeded::new(1)).expect("a network");
    let model = Model::from_graph(&graph).expect("compiled");
    let memory = Inspection::new(&model.program(), model.certificate()).memory;
    let gains = gains(&graph, &CompileOptions::default()).expect("planned");
    let page = draw(Sheet { title: "a <b> & \"c\"", memory: &memory, gains: &gains });
    assert_eq!(count(&page, "role=\"listitem\""), memory.buffers.len());
    assert_eq!(count(&page, "<g class=\"arc"), memory.skips.len());
    assert_eq!(count(&page, "<li id=\"step"), memory.steps.len());
    assert_eq!(count(&page, "<th scope=\"row\">"), gains.len());
    assert!(page.contains("<h1>a &lt;b&gt; &amp; &quot;c&quot;</h1>") && !page.contains("<b> &"));
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("@import"));
}
