//! A graph as a Mermaid flowchart, which forges and editors show where a README has one.
//!
//! Source: Mermaid's documentation, "Flowcharts": subgraphs, classes, quotes for what is not plain text.

use super::{Graph, LAYERS, colors, ports, words};
use crate::terms::Zone;

/// Writes the flowchart.
pub(super) fn write(graph: &Graph) -> String {
    let words = words(graph.locale);
    let mut text = String::from("flowchart TD\n");
    let id = |node: usize| format!("n{node}");
    for (at, node) in graph.nodes.iter().enumerate() {
        if node.place.is_none() && graph.edges.iter().any(|edge| edge.from == at) {
            text.push_str(&format!("    {}([{}])\n", id(at), quoted(words.outside)));
        }
    }
    for layer in LAYERS {
        let mut members = String::new();
        for (at, node) in graph.nodes.iter().enumerate() {
            let Some((_, zone)) = node.place.filter(|(own, _)| own == layer) else {
                continue;
            };
            let mut label = node.name.clone();
            let replicas = node.replicas();
            if replicas > 1 {
                label.push_str(&format!(" ×{replicas}"));
            }
            if let Some(host) = &node.inside {
                label.push_str(&format!(" ({host})"));
            }
            if let Some(profile) = &node.profile {
                label.push_str(&format!(" [{profile}]"));
            }
            members.push_str(&format!(
                "        {}[{}]:::{zone}\n",
                id(at),
                quoted(&label)
            ));
        }
        if !members.is_empty() {
            let title = quoted((words.layers)(*layer));
            text.push_str(&format!(
                "    subgraph {layer} [{title}]\n{members}    end\n"
            ));
        }
    }
    for edge in graph.drawn() {
        text.push_str(&format!(
            "    {} -->|{}| {}\n",
            id(edge.from),
            ports(edge).replace(", ", " "),
            id(edge.to)
        ));
    }
    for zone in Zone::ALL {
        let (line, ground) = colors(*zone);
        text.push_str(&format!(
            "    classDef {zone} stroke:{line},fill:{ground},color:#1c1c1c\n"
        ));
    }
    text
}

/// Writes a text in quotes, with what means something there as entities.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('#', "#35;").replace('"', "#quot;"))
}
