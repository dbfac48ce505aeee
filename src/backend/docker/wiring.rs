//! Networks: who shares one with whom. The engine lets those through that do, and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use super::{EDGE_NETWORK, network_of};
use crate::backend::subnets;
use crate::platform::Platform;

/// Says whether a network leads outside: only the proxy is reached from there, and only what declares it reaches out.
pub(crate) fn is_open(network: &str) -> bool {
    network == EDGE_NETWORK || network.ends_with(EGRESS)
}

/// How the names of networks end that lead outside.
const EGRESS: &str = "-egress";

/// Networks: one for each pair of components that talk, one inside a component whose services do.
pub(crate) struct Wiring {
    /// Services by network.
    pub(crate) members: BTreeMap<String, BTreeSet<usize>>,
    /// What each network is for.
    pub(crate) purpose: BTreeMap<String, String>,
    /// Networks by service.
    pub(crate) of: Vec<BTreeSet<String>>,
    /// Ranges by network.
    pub(crate) subnets: BTreeMap<String, Option<String>>,
    /// What a service is called in a network beside its own name: as those in its cluster, or as its members together.
    pub(crate) aliases: BTreeMap<(usize, String), BTreeSet<String>>,
}

impl Wiring {
    /// Finds out who is in which network. Besides an address for each replica, a network has room for some `more`.
    pub(crate) fn new(platform: &Platform, more: u64) -> Self {
        let mut networks = Self {
            members: BTreeMap::new(),
            purpose: BTreeMap::new(),
            of: vec![BTreeSet::new(); platform.services.len()],
            subnets: BTreeMap::new(),
            aliases: BTreeMap::new(),
        };
        for flow in &platform.flows {
            let (from, to) = (platform.carrier(flow.from), platform.carrier(flow.to));
            // Inside a cluster its own network carries what is said.
            if platform.services[flow.from].inside.is_some() && from == to {
                continue;
            }
            let (name, purpose) = network_of(platform, flow);
            networks.join(from, &name, &purpose);
            networks.join(to, &name, &purpose);
            let reached = &platform.services[flow.to];
            // Members have names of their own; all of them answer to that of the service.
            if to != flow.to || (reached.members && reached.replicas.min > 1) {
                let alias = reached.name.clone();
                let aliases = networks.aliases.entry((to, name)).or_default();
                aliases.insert(alias);
            }
        }
        for (at, service) in platform.services.iter().enumerate() {
            let carrier = platform.carrier(at);
            // What reaches out by itself needs no second way for those in its cluster.
            let open = at != carrier && platform.services[carrier].egress.is_some();
            if service.egress.is_some() && !open {
                let component = &platform.component_of(service).name;
                networks.join(
                    carrier,
                    &format!("{component}-egress"),
                    &format!("{component} to the outside"),
                );
            }
        }
        if let Some(service) = platform.edge.as_ref().and_then(|edge| edge.service) {
            networks.join(service, EDGE_NETWORK, "from outside to the proxy");
        }
        networks.subnets = networks.ranges(platform, more);
        networks
    }

    fn join(&mut self, service: usize, name: &str, purpose: &str) {
        self.members
            .entry(name.to_owned())
            .or_default()
            .insert(service);
        self.purpose
            .entry(name.to_owned())
            .or_insert_with(|| purpose.to_owned());
        self.of[service].insert(name.to_owned());
    }

    fn ranges(&self, platform: &Platform, more: u64) -> BTreeMap<String, Option<String>> {
        let addresses = self
            .members
            .iter()
            .map(|(name, members)| {
                let replicas = members
                    .iter()
                    .map(|service| platform.services[*service].replicas.max);
                (name.clone(), replicas.sum::<u64>() + more)
            })
            .collect();
        subnets::assign(platform.environment.network, &addresses)
    }
}
