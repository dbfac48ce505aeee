//! A graph as an SVG picture, laid out here: the way of data from the outside down to where it lies, and below it who watches.
//!
//! Two pictures in one file: what moves data is the platform, what watches is about it, and together they would hide each
//! other. Who has to do with both is shown in the second one again, as a shadow.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Laid, Task, lay};
use super::{Edge, Graph, LAYERS, Node, Words, colors, ports, words};
use crate::terms::Zone;

/// Sizes in pixels.
const MARGIN: i64 = 24;
const BOX_HEIGHT: i64 = 58;
const ROW_GAP: i64 = 62;
const LABEL_COLUMN: i64 = 120;
const LETTER: i64 = 7;
const SMALL_LETTER: i64 = 6;
const ENTRY: i64 = 34;
const TITLE: i64 = 40;

/// Colours that belong to no zone.
const INK: &str = "#1c2330";
const FAINT: &str = "#5a6472";
const LINE: &str = "#8a94a3";
const BAND: &str = "#f6f7f9";

/// One of the two pictures.
struct Panel<'g> {
    title: &'static str,
    /// Nodes, with whether each is a shadow.
    nodes: Vec<(usize, bool)>,
    edges: Vec<&'g Edge>,
    /// The row of each node, and what stands beside the row.
    rows: Vec<usize>,
    labels: Vec<Option<&'static str>>,
}

/// Draws the picture.
pub(super) fn draw(graph: &Graph) -> String {
    let words = words(graph.locale);
    let mut body = String::new();
    let mut y = MARGIN + TITLE;
    let mut width = 0;
    for panel in [data(graph, words), watching(graph, words)] {
        if panel.nodes.iter().all(|(_, shadow)| *shadow) {
            continue;
        }
        let (text, size) = draw_panel(graph, words, &panel, y);
        body.push_str(&text);
        y += size.1 + MARGIN;
        width = width.max(size.0);
    }
    let (legend, legend_width) = legend(words, y);
    width = width.max(legend_width) + MARGIN;
    let height = y + 40;
    let mut about = graph.target.to_string();
    if !graph.zones.is_empty() {
        about.push_str(&format!(" · {}", graph.zones.join(", ")));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"system-ui, 'Helvetica Neue', Arial, sans-serif\" font-size=\"12\" fill=\"{INK}\">\n\
         <title>{title}</title>\n\
         <defs><marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 0 8 4 0 8z\" fill=\"{FAINT}\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\" font-size=\"20\" font-weight=\"600\">{title} <tspan fill=\"{FAINT}\" font-weight=\"400\">{}</tspan></text>\n\
         {body}{legend}</svg>\n",
        MARGIN + 16,
        escaped(&about),
        title = escaped(&graph.title),
    )
}

/// Gathers what moves data: a row for each layer, and more where members of a layer need each other.
fn data<'g>(graph: &'g Graph, words: &Words) -> Panel<'g> {
    let nodes: Vec<usize> = (0..graph.nodes.len())
        .filter(|at| !graph.watches(*at))
        .filter(|at| *at > 0 || graph.edges.iter().any(|edge| edge.from == 0))
        .collect();
    let inside: BTreeSet<usize> = nodes.iter().copied().collect();
    let edges: Vec<&Edge> = graph
        .drawn()
        .filter(|edge| inside.contains(&edge.from) && inside.contains(&edge.to))
        .collect();
    let layer = |at: usize| graph.nodes[at].place.map(|(layer, _)| layer);
    let groups: Vec<Vec<usize>> = std::iter::once(None)
        .chain(LAYERS.iter().copied().map(Some))
        .map(|group| {
            let members = nodes.iter().copied();
            members.filter(|at| layer(*at) == group).collect()
        })
        .collect();
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    let mut labels = Vec::new();
    for group in groups.iter().filter(|group| !group.is_empty()) {
        let depth = depths(group, &edges);
        let count = depth.values().max().map_or(1, |most| most + 1);
        let first = labels.len();
        rows.extend(depth.into_iter().map(|(at, depth)| (at, first + depth)));
        labels.push(layer(group[0]).map(words.layers));
        labels.extend((1..count).map(|_| None));
    }
    Panel {
        title: words.data,
        rows: nodes.iter().map(|at| rows[at]).collect(),
        nodes: nodes.into_iter().map(|at| (at, false)).collect(),
        edges,
        labels,
    }
}

/// Gathers what watches, with whom it has to do.
fn watching<'g>(graph: &'g Graph, words: &Words) -> Panel<'g> {
    let edges: Vec<&Edge> = graph
        .drawn()
        .filter(|edge| graph.watches(edge.from) || graph.watches(edge.to))
        .collect();
    let mut nodes: BTreeSet<usize> = (0..graph.nodes.len())
        .filter(|at| graph.watches(*at))
        .collect();
    nodes.extend(edges.iter().flat_map(|edge| [edge.from, edge.to]));
    let nodes: Vec<usize> = nodes.into_iter().collect();
    let depth = depths(&nodes, &edges);
    let linked: BTreeSet<usize> = edges.iter().flat_map(|edge| [edge.from, edge.to]).collect();
    // Those that nothing leads to or from stand below the others.
    let last = depth.values().max().map_or(0, |most| most + 1);
    let rows: Vec<usize> = nodes
        .iter()
        .map(|at| if linked.contains(at) { depth[at] } else { last })
        .collect();
    let count = rows.iter().max().map_or(0, |most| most + 1);
    Panel {
        title: words.watching,
        nodes: nodes.iter().map(|at| (*at, !graph.watches(*at))).collect(),
        edges,
        rows,
        labels: vec![None; count],
    }
}

/// Says how many connections lead to each node from within its group, at most; circles end somewhere.
fn depths(group: &[usize], edges: &[&Edge]) -> BTreeMap<usize, usize> {
    let mut depth: BTreeMap<usize, usize> = group.iter().map(|at| (*at, 0)).collect();
    for _ in 0..group.len() {
        let mut changed = false;
        for edge in edges {
            let (Some(from), Some(to)) = (depth.get(&edge.from), depth.get(&edge.to)) else {
                continue;
            };
            if to <= from && from + 1 < group.len() {
                depth.insert(edge.to, from + 1);
                changed = true;
            }
        }
        if !changed {
            return depth;
        }
    }
    // A circle: all of it beside each other.
    group.iter().map(|at| (*at, 0)).collect()
}

/// What stands in a box: its title and the lines below.
fn lines(graph: &Graph, words: &Words, at: usize, shadow: bool) -> (String, Vec<String>) {
    let node = &graph.nodes[at];
    if node.place.is_none() {
        return (words.outside.to_owned(), Vec::new());
    }
    if shadow {
        return (node.name.clone(), Vec::new());
    }
    let mut first = node.version.clone();
    if node.replicas() > 1 {
        first.push_str(&format!("  ×{}", node.replicas()));
    }
    if let Some(profile) = &node.profile {
        first.push_str(&format!("  [{profile}]"));
    }
    let second = match &node.inside {
        Some(host) => format!("{} {host}", words.inside),
        None => where_it_runs(node),
    };
    (node.name.clone(), vec![first, second])
}

/// Names hosts; what they have in common is said once.
fn where_it_runs(node: &Node) -> String {
    let hosts = &node.hosts;
    let Some(first) = hosts.first() else {
        return String::new();
    };
    let prefix = match first.rfind('-') {
        Some(at) if hosts.len() > 1 => &first[..=at],
        _ => return hosts.join(", "),
    };
    let rest: Option<Vec<&str>> = hosts.iter().map(|host| host.strip_prefix(prefix)).collect();
    match rest {
        Some(rest) => format!("{prefix}{}", rest.join(", ")),
        None => hosts.join(", "),
    }
}

fn draw_panel(graph: &Graph, words: &Words, panel: &Panel<'_>, top: i64) -> (String, (i64, i64)) {
    let position: BTreeMap<usize, usize> = panel
        .nodes
        .iter()
        .enumerate()
        .map(|(at, (node, _))| (*node, at))
        .collect();
    let texts: Vec<(String, Vec<String>)> = panel
        .nodes
        .iter()
        .map(|(at, shadow)| lines(graph, words, *at, *shadow))
        .collect();
    let pairs: Vec<(usize, usize)> = panel
        .edges
        .iter()
        .map(|edge| (position[&edge.from], position[&edge.to]))
        .collect();
    let widths: Vec<i64> = texts
        .iter()
        .enumerate()
        .map(|(at, (title, lines))| {
            let letters = |text: &str| text.chars().count() as i64;
            let small = lines.iter().map(|line| letters(line) * SMALL_LETTER).max();
            let text = (letters(title) * (LETTER + 1)).max(small.unwrap_or(0));
            let ends = pairs.iter().filter(|(_, to)| *to == at).count() as i64;
            (text + 30).max(96).max(ends * ENTRY + 10)
        })
        .collect();
    let task = Task {
        boxes: panel
            .rows
            .iter()
            .copied()
            .zip(widths.iter().copied())
            .collect(),
        lines: pairs.clone(),
    };
    let laid = lay(&task);
    let has_labels = panel.labels.iter().any(Option::is_some);
    let left = MARGIN + if has_labels { LABEL_COLUMN } else { 0 };
    let first = top + 44;
    let row_top = |row: usize| first + row as i64 * (BOX_HEIGHT + ROW_GAP);
    let mut text = format!(
        "<text x=\"{MARGIN}\" y=\"{}\" font-size=\"15\" font-weight=\"600\">{}</text>\n",
        top + 16,
        escaped(panel.title)
    );
    // Bands, one for all rows of a layer.
    for (row, label) in panel.labels.iter().enumerate() {
        let Some(label) = label else { continue };
        let rest = &panel.labels[row + 1..];
        let more = rest.iter().take_while(|label| label.is_none()).count() as i64;
        text.push_str(&format!(
            "<rect x=\"{MARGIN}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{BAND}\"/>\n\
             <text x=\"{}\" y=\"{}\" fill=\"{FAINT}\">{}</text>\n",
            row_top(row) - 12,
            laid.width + LABEL_COLUMN + 12,
            BOX_HEIGHT + 24 + more * (BOX_HEIGHT + ROW_GAP),
            MARGIN + 12,
            row_top(row) + BOX_HEIGHT / 2 + 4,
            escaped(label)
        ));
    }
    let ends = Ends::of(&task, &laid, &widths);
    let mut labels = String::new();
    for (at, edge) in panel.edges.iter().enumerate() {
        let (from, to) = pairs[at];
        let (path, label) = connection(&task, &laid, &ends, at, left, &row_top);
        let dash = if panel.nodes[from].1 && panel.nodes[to].1 {
            " stroke-dasharray=\"4 3\""
        } else {
            ""
        };
        text.push_str(&format!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{LINE}\" stroke-width=\"1.3\"{dash} marker-end=\"url(#to)\"/>\n"
        ));
        labels.push_str(&port_label(edge, label));
    }
    for (at, (node, shadow)) in panel.nodes.iter().enumerate() {
        let x = left + laid.left[at];
        let y = row_top(panel.rows[at]);
        text.push_str(&draw_box(
            &graph.nodes[*node],
            *shadow,
            &texts[at],
            (x, y, widths[at]),
        ));
    }
    text.push_str(&labels);
    let rows = panel.labels.len() as i64;
    let height = 44 + rows * (BOX_HEIGHT + ROW_GAP) - ROW_GAP + 16;
    (text, (left + laid.width + 12, height))
}

/// Writes the ports of a connection above its end, one below the other where there are several.
fn port_label(edge: &Edge, (x, y): (i64, i64)) -> String {
    let all = ports(edge);
    let shown: Vec<&str> = all.split(", ").collect();
    let mut text = String::new();
    for (at, port) in shown.iter().rev().enumerate() {
        text.push_str(&format!(
            "<text x=\"{x}\" y=\"{}\" font-size=\"9\" fill=\"{FAINT}\" text-anchor=\"middle\" stroke=\"#ffffff\" stroke-width=\"3\" \
             paint-order=\"stroke\">{port}</text>\n",
            y - 12 - at as i64 * 10
        ));
    }
    text
}

/// Where each line touches the boxes that it connects: in the order of where it comes from, so that none cross there.
struct Ends {
    from: Vec<i64>,
    to: Vec<i64>,
}

impl Ends {
    fn of(task: &Task, laid: &Laid, widths: &[i64]) -> Self {
        let middle = |at: usize| laid.left[at] + widths[at] / 2;
        let mut ends = Self {
            from: vec![0; task.lines.len()],
            to: vec![0; task.lines.len()],
        };
        for (at, width) in widths.iter().enumerate() {
            for upper in [true, false] {
                // Lines at the upper or lower border of this box: their number, and where they go.
                let mut touching: Vec<(i64, usize, bool)> = Vec::new();
                for (line, (from, to)) in task.lines.iter().enumerate() {
                    let other = match (*from == at, *to == at) {
                        (true, _) => *to,
                        (_, true) => *from,
                        _ => continue,
                    };
                    let is_from = *from == at;
                    let level = task.boxes[other].0 == task.boxes[at].0;
                    let above = task.boxes[other].0 < task.boxes[at].0 || level;
                    if above != upper {
                        continue;
                    }
                    let bends = &laid.bends[line];
                    let next = if upper { bends.last() } else { bends.first() };
                    let x = next.map_or(middle(other), |(_, x)| *x);
                    touching.push((x, line, is_from));
                }
                touching.sort_unstable();
                let count = touching.len() as i64;
                for (number, (_, line, is_from)) in touching.into_iter().enumerate() {
                    let step = ((width - 10) / count.max(1)).min(ENTRY);
                    let x = middle(at) + (2 * number as i64 - count + 1) * step / 2;
                    if is_from {
                        ends.from[line] = x;
                    } else {
                        ends.to[line] = x;
                    }
                }
            }
        }
        ends
    }
}

/// Draws a line from box to box, around those between, and says where its label goes.
fn connection(
    task: &Task,
    laid: &Laid,
    ends: &Ends,
    line: usize,
    left: i64,
    row_top: &impl Fn(usize) -> i64,
) -> (String, (i64, i64)) {
    let (from, to) = task.lines[line];
    let (from_row, to_row) = (task.boxes[from].0, task.boxes[to].0);
    let (start, end) = (left + ends.from[line], left + ends.to[line]);
    if from_row == to_row {
        // Over the heads of what stands between.
        let y = row_top(from_row);
        let high = y - 40;
        return (
            format!("M{start} {y}C{start} {high} {end} {high} {end} {}", y - 2),
            (end, y),
        );
    }
    let down = from_row < to_row;
    let leave = if down {
        row_top(from_row) + BOX_HEIGHT
    } else {
        row_top(from_row)
    };
    let arrive = if down {
        row_top(to_row) - 2
    } else {
        row_top(to_row) + BOX_HEIGHT + 2
    };
    // Points in order of the line's way; the layout goes from above to below.
    let mut bends = laid.bends[line].clone();
    if !down {
        bends.reverse();
    }
    let mut path = format!("M{start} {leave}");
    let mut at = (start, leave);
    for (row, x) in bends {
        let (top, bottom) = (row_top(row), row_top(row) + BOX_HEIGHT);
        let x = left + x;
        let (near, far) = if down { (top, bottom) } else { (bottom, top) };
        path.push_str(&format!("{}L{x} {far}", curve(at, (x, near))));
        at = (x, far);
    }
    path.push_str(&curve(at, (end, arrive)));
    let label = if down { arrive } else { arrive + 30 };
    (path, (end, label))
}

/// Continues a path, upright at both ends.
fn curve(from: (i64, i64), to: (i64, i64)) -> String {
    let half = (from.1 + to.1) / 2;
    format!("C{} {half} {} {half} {} {}", from.0, to.0, to.0, to.1)
}

fn draw_box(
    node: &Node,
    shadow: bool,
    (title, lines): &(String, Vec<String>),
    (x, y, width): (i64, i64, i64),
) -> String {
    let middle = x + width / 2;
    let Some((_, zone)) = node.place else {
        return format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"29\" fill=\"#ffffff\" stroke=\"{FAINT}\"/>\n\
             <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            y + BOX_HEIGHT / 2 + 4,
            escaped(title)
        );
    };
    let (line, ground) = colors(zone);
    let (ground, dash) = if shadow {
        ("#ffffff", " stroke-dasharray=\"4 3\"")
    } else {
        (ground, "")
    };
    let mut text = format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"7\" fill=\"{ground}\" stroke=\"{line}\"{dash}/>\n"
    );
    if node.measured && !shadow {
        text.push_str(&format!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"3.5\" fill=\"{line}\"/>\n",
            x + width - 9,
            y + 9
        ));
    }
    let shown: Vec<&String> = lines.iter().filter(|line| !line.is_empty()).collect();
    let mut baseline = y + BOX_HEIGHT / 2 + 5 - shown.len() as i64 * 7;
    text.push_str(&format!(
        "<text x=\"{middle}\" y=\"{baseline}\" text-anchor=\"middle\" font-size=\"13\" font-weight=\"600\">{}</text>\n",
        escaped(title)
    ));
    for line in shown {
        baseline += 14;
        text.push_str(&format!(
            "<text x=\"{middle}\" y=\"{baseline}\" text-anchor=\"middle\" font-size=\"10\" fill=\"{FAINT}\">{}</text>\n",
            escaped(line)
        ));
    }
    text
}

/// Says what colours and signs mean.
fn legend(words: &Words, y: i64) -> (String, i64) {
    let mut text = String::new();
    let mut x = MARGIN;
    for zone in Zone::ALL {
        let (line, ground) = colors(*zone);
        let word = (words.zones)(*zone);
        text.push_str(&format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"16\" height=\"12\" rx=\"3\" fill=\"{ground}\" stroke=\"{line}\"/>\n\
             <text x=\"{}\" y=\"{}\" fill=\"{FAINT}\">{}</text>\n",
            x + 22,
            y + 10,
            escaped(word)
        ));
        x += 40 + word.chars().count() as i64 * LETTER;
    }
    text.push_str(&format!(
        "<circle cx=\"{}\" cy=\"{}\" r=\"3.5\" fill=\"{FAINT}\"/>\n<text x=\"{}\" y=\"{}\" fill=\"{FAINT}\">{}</text>\n",
        x + 4,
        y + 6,
        x + 14,
        y + 10,
        escaped(words.measured)
    ));
    (
        text,
        x + 14 + words.measured.chars().count() as i64 * LETTER,
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
