//! The platform as a picture: components by layer and zone, the hosts they run on, who connects to whom.
//!
//! A [`Graph`] is gathered from a platform, and written as Mermaid (which READMEs show), DOT (for Graphviz) or SVG (laid out
//! here, so that nothing has to be installed to see it). It is for people: services of one component are one node, and what
//! watches over everything is told apart from what moves data.

mod dot;
mod layout;
mod mermaid;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

use crate::platform::{FlowReason, Platform};
use crate::terms::{Layer, Locale, Target, Zone};

/// Whoever is outside the platform.
const OUTSIDE: &str = "outside";

/// Layers from the outside inwards: the way that requests go.
const LAYERS: &[Layer] = &[
    Layer::Edge,
    Layer::Presentation,
    Layer::Transformation,
    Layer::Semantic,
    Layer::Ingestion,
    Layer::Storage,
    Layer::Operations,
];

/// Components and what connects them.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Platform and environment.
    pub title: String,
    /// What it compiles to.
    pub target: Target,
    /// Zones that it is spread over.
    pub zones: Vec<String>,
    /// Language of words in the picture.
    pub locale: Locale,
    /// Components, by layer and name.
    pub nodes: Vec<Node>,
    /// Connections, sorted.
    pub edges: Vec<Edge>,
}

/// A component, or what is outside.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its layer and zone; none for what is outside.
    pub place: Option<(Layer, Zone)>,
    /// Its version.
    pub version: String,
    /// Services that run all the time, with how many of each.
    pub services: Vec<(String, u64)>,
    /// Names of the hosts that it runs on, where that is settled.
    pub hosts: Vec<String>,
    /// The component whose cluster it runs in, if it runs in one inside a container.
    pub inside: Option<String>,
    /// Profile that it starts with, if not always.
    pub profile: Option<String>,
    /// Whether somebody collects its metrics.
    pub measured: bool,
}

/// Connections from one component to another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Edge {
    /// Positions of the nodes.
    pub from: usize,
    /// The one that is connected to.
    pub to: usize,
    /// Ports that are connected to, sorted.
    pub ports: Vec<u16>,
    /// Whether all it is there for is to measure.
    pub measures: bool,
}

impl Graph {
    /// Gathers the graph of a platform.
    pub fn of(platform: &Platform) -> Self {
        let mut order: Vec<usize> = (0..platform.components.len())
            .filter(|at| platform.services_of(*at).next().is_some())
            .collect();
        order.sort_by_key(|at| {
            let component = &platform.components[*at];
            let layer = LAYERS.iter().position(|layer| *layer == component.layer);
            (layer, component.name.as_str())
        });
        let outside = Node {
            name: OUTSIDE.to_owned(),
            place: None,
            version: String::new(),
            services: Vec::new(),
            hosts: Vec::new(),
            inside: None,
            profile: None,
            measured: false,
        };
        let nodes = std::iter::once(outside)
            .chain(order.iter().map(|at| node(platform, *at)))
            .collect();
        let position: BTreeMap<usize, usize> = order
            .iter()
            .enumerate()
            .map(|(node, component)| (*component, node + 1))
            .collect();
        Self {
            title: format!("{}: {}", platform.name, platform.environment.name),
            target: platform.environment.target,
            zones: platform.environment.zones.clone(),
            locale: platform.environment.locale,
            nodes,
            edges: edges(platform, &position),
        }
    }

    /// Writes a Mermaid flowchart.
    pub fn mermaid(&self) -> String {
        mermaid::write(self)
    }

    /// Writes a DOT file.
    pub fn dot(&self) -> String {
        dot::write(self)
    }

    /// Draws an SVG.
    pub fn svg(&self) -> String {
        svg::draw(self)
    }

    /// Says whether a node is one of those that watch over the rest.
    fn watches(&self, node: usize) -> bool {
        matches!(self.nodes[node].place, Some((Layer::Operations, _)))
    }

    /// Returns the connections that move data, or that watch: those that only measure are shown at their end.
    fn drawn(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(|edge| !edge.measures)
    }
}

impl Node {
    /// Says how many of it run: the most of any of its services.
    fn replicas(&self) -> u64 {
        let counts = self.services.iter().map(|(_, count)| *count);
        counts.max().unwrap_or(1)
    }
}

fn node(platform: &Platform, at: usize) -> Node {
    let component = &platform.components[at];
    let services: Vec<_> = platform.services_of(at).collect();
    let hosts: BTreeSet<&str> = services
        .iter()
        .filter(|service| service.kind.keeps_running())
        .flat_map(|service| &service.placement)
        .filter_map(|host| Some(platform.environment.hosts.get(*host)?.name.as_str()))
        .collect();
    let inside = services
        .first()
        .and_then(|service| service.inside)
        .map(|host| platform.component_of(&platform.services[host]).name.clone());
    Node {
        name: component.name.clone(),
        place: Some((component.layer, component.zone)),
        version: component.version.clone(),
        services: services
            .iter()
            .filter(|service| service.kind.keeps_running() && !service.is_launched())
            .map(|service| (service.name.clone(), service.replicas.min))
            .collect(),
        hosts: hosts.into_iter().map(str::to_owned).collect(),
        inside,
        profile: component.profile.clone(),
        measured: services.iter().any(|service| !service.scrapes.is_empty()),
    }
}

fn edges(platform: &Platform, position: &BTreeMap<usize, usize>) -> Vec<Edge> {
    let mut ports: BTreeMap<(usize, usize, bool), BTreeSet<u16>> = BTreeMap::new();
    for flow in &platform.flows {
        let (from, to) = (&platform.services[flow.from], &platform.services[flow.to]);
        let ends = (position.get(&from.component), position.get(&to.component));
        let ((Some(from), Some(node)), Some(port)) = (ends, to.ports.get(&flow.port)) else {
            continue;
        };
        let measures = match flow.reason {
            // The mesh reports for every workload.
            FlowReason::Peer | FlowReason::Traces => continue,
            FlowReason::Metrics => true,
            FlowReason::Need(_) | FlowReason::Proxy => false,
        };
        if from != node {
            ports
                .entry((*from, *node, measures))
                .or_default()
                .insert(port.number);
        }
    }
    // People reach the proxy, or what the target's own gateway leads to.
    let edge = platform.edge.as_ref().and_then(|edge| edge.service);
    for endpoint in &platform.endpoints {
        let service = &platform.services[edge.unwrap_or(endpoint.service)];
        let Some(node) = position.get(&service.component) else {
            continue;
        };
        let web = platform.edge.as_ref().map(|edge| edge.port);
        ports
            .entry((0, *node, false))
            .or_default()
            .extend(endpoint.listen.or(web));
    }
    let known: BTreeSet<(usize, usize)> = ports
        .keys()
        .filter(|(.., measures)| !measures)
        .map(|(from, to, _)| (*from, *to))
        .collect();
    ports
        .into_iter()
        .filter(|((from, to, measures), _)| !(*measures && known.contains(&(*from, *to))))
        .map(|((from, to, measures), ports)| Edge {
            from,
            to,
            ports: ports.into_iter().collect(),
            measures,
        })
        .collect()
}

/// Words of the picture, in both languages.
struct Words {
    outside: &'static str,
    data: &'static str,
    watching: &'static str,
    measured: &'static str,
    inside: &'static str,
    layers: fn(Layer) -> &'static str,
    zones: fn(Zone) -> &'static str,
}

const EN: Words = Words {
    outside: "people and clients outside",
    data: "What data passes through",
    watching: "Who watches",
    measured: "measured",
    inside: "in",
    layers: Layer::word,
    zones: Zone::word,
};

const FR: Words = Words {
    outside: "personnes et clients extérieurs",
    data: "Ce que traversent les données",
    watching: "Qui surveille",
    measured: "mesuré",
    inside: "dans",
    layers: |layer| match layer {
        Layer::Ingestion => "ingestion",
        Layer::Storage => "stockage",
        Layer::Transformation => "transformation",
        Layer::Semantic => "sémantique",
        Layer::Presentation => "présentation",
        Layer::Edge => "entrée",
        Layer::Operations => "exploitation",
    },
    zones: |zone| match zone {
        Zone::Dmz => "dmz",
        Zone::Application => "application",
        Zone::Data => "données",
        Zone::Operations => "exploitation",
    },
};

fn words(locale: Locale) -> &'static Words {
    match locale {
        Locale::En => &EN,
        Locale::Fr => &FR,
    }
}

/// The colour of a zone: for its border and, lighter, its ground.
fn colors(zone: Zone) -> (&'static str, &'static str) {
    match zone {
        Zone::Dmz => ("#b54708", "#fff4e5"),
        Zone::Application => ("#1d5fbf", "#eaf2fd"),
        Zone::Data => ("#1a7f4b", "#e8f6ee"),
        Zone::Operations => ("#6b4fa0", "#f2eefa"),
    }
}

/// Writes ports as a label.
fn ports(edge: &Edge) -> String {
    let all: Vec<String> = edge.ports.iter().map(u16::to_string).collect();
    all.join(", ")
}
