//! A graph in DOT, the language of Graphviz.
//!
//! Source: Graphviz's documentation, "DOT Language": clusters, and quoted strings in which only `"` has to be escaped.

use super::{Graph, LAYERS, colors, ports, words};

/// Writes the file.
pub(super) fn write(graph: &Graph) -> String {
    let words = words(graph.locale);
    let mut text = format!(
        "digraph {} {{\n  label={}\n  labelloc=t\n  rankdir=TB\n  node [shape=box style=\"rounded,filled\" fontname=\"sans-serif\"]\n  \
         edge [fontname=\"sans-serif\" fontsize=9 color=\"#5a6472\"]\n",
        quoted(&graph.title),
        quoted(&graph.title)
    );
    if graph.edges.iter().any(|edge| edge.from == 0) {
        text.push_str(&format!(
            "  n0 [label={} shape=oval]\n",
            quoted(words.outside)
        ));
    }
    for layer in LAYERS {
        let mut members = String::new();
        for (at, node) in graph.nodes.iter().enumerate() {
            let Some((_, zone)) = node.place.filter(|(own, _)| own == layer) else {
                continue;
            };
            let (line, ground) = colors(zone);
            let mut label = vec![format!("{} {}", node.name, node.version)];
            if node.replicas() > 1 {
                label.push(format!("×{}", node.replicas()));
            }
            label.extend(
                node.inside
                    .as_ref()
                    .map(|host| format!("{} {host}", words.inside)),
            );
            if !node.hosts.is_empty() {
                label.push(node.hosts.join(", "));
            }
            members.push_str(&format!(
                "    n{at} [label={} color=\"{line}\" fillcolor=\"{ground}\"]\n",
                quoted(&label.join("\n"))
            ));
        }
        if !members.is_empty() {
            text.push_str(&format!(
                "  subgraph cluster_{layer} {{\n    label={}\n    style=dotted\n{members}  }}\n",
                quoted((words.layers)(*layer))
            ));
        }
    }
    for edge in &graph.edges {
        let style = if edge.measures {
            " style=dotted constraint=false"
        } else {
            ""
        };
        text.push_str(&format!(
            "  n{} -> n{} [label={}{style}]\n",
            edge.from,
            edge.to,
            quoted(&ports(edge))
        ));
    }
    text.push_str("}\n");
    text
}

/// Writes a text in quotes; a line break is the label's own `\n`.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}
