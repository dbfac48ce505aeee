//! Networks: an encrypted overlay for every pair of components that talk.

use std::collections::BTreeMap;

use serde_saphyr::DoubleQuoted;

use super::model::{Attachment, Ipam, Network, Stack, Subnet};
use crate::backend::docker::wiring::{Wiring, is_open};
use crate::platform::Platform;

/// The network of what talks to nobody. The engine's own `none` is not for services, and without any, a service would be
/// put into a network of the stack that nothing encrypts.
const NOWHERE: &str = "nowhere";

/// Defines the networks that services of a stack are in.
pub(super) fn definitions(platform: &Platform, wiring: &Wiring) -> BTreeMap<String, Network> {
    wiring
        .members
        .iter()
        .filter_map(|(name, members)| {
            let members = members.iter().map(|at| &platform.services[*at]);
            let beside = members.clone().filter(|service| service.runs_beside());
            let (all, beside) = (members.count(), beside.count());
            // The Swarm makes no network that none of its services is in.
            if beside == all {
                return None;
            }
            let network = Network {
                driver: "overlay",
                driver_opts: encrypted(),
                internal: !is_open(name),
                // Containers beside the stack may only join what says so.
                attachable: beside > 0,
                ipam: wiring.subnets[name].clone().map(|subnet| Ipam {
                    config: vec![Subnet { subnet }],
                }),
                labels: BTreeMap::from([("lakewright.flow", wiring.purpose[name].clone())]),
            };
            Some((name.clone(), network))
        })
        .collect()
}

/// Defines the network of what talks to nobody, if there is such a service.
pub(super) fn add_nowhere(stack: &mut Stack) {
    let mut services = stack.services.values();
    if services.any(|service| service.networks.contains_key(NOWHERE)) {
        let network = Network {
            driver: "overlay",
            driver_opts: encrypted(),
            internal: true,
            labels: BTreeMap::from([("lakewright.flow", "none".to_owned())]),
            ..Network::default()
        };
        stack.networks.insert(NOWHERE.to_owned(), network);
    }
}

/// Returns the option that encrypts a network. The engine asks whether the key is there, whatever it says.
fn encrypted() -> BTreeMap<&'static str, DoubleQuoted<&'static str>> {
    BTreeMap::from([("encrypted", DoubleQuoted("true"))])
}

/// Returns what a service joins.
pub(super) fn joined(wiring: &Wiring, service: usize) -> BTreeMap<String, Attachment> {
    let joined: BTreeMap<String, Attachment> = wiring.of[service]
        .iter()
        .map(|name| {
            let aliases = wiring.aliases.get(&(service, name.clone()));
            let attachment = Attachment {
                aliases: aliases.into_iter().flatten().cloned().collect(),
            };
            (name.clone(), attachment)
        })
        .collect();
    if joined.is_empty() {
        return nowhere();
    }
    joined
}

/// Returns what a service joins that talks to nobody.
pub(super) fn nowhere() -> BTreeMap<String, Attachment> {
    BTreeMap::from([(NOWHERE.to_owned(), Attachment::default())])
}
