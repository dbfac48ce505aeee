//! Networks: an encrypted overlay for every pair of components that talk.

use std::collections::BTreeMap;

use serde_saphyr::DoubleQuoted;

use super::model::{Attachment, Ipam, Network, Subnet};
use crate::backend::docker::wiring::{Wiring, is_open};
use crate::platform::Platform;

/// The network of what talks to nobody. The engine knows it by this name; without any, a stack's service would be put
/// into a network of the stack that nothing encrypts.
const NONE: &str = "none";

/// Defines the networks that services of a stack are in.
pub(super) fn definitions(platform: &Platform, wiring: &Wiring) -> BTreeMap<String, Network> {
    let mut networks: BTreeMap<String, Network> = wiring
        .members
        .iter()
        .map(|(name, members)| {
            let mut members = members.iter().map(|at| &platform.services[*at]);
            let network = Network {
                driver: Some("overlay"),
                // The engine asks whether the key is there, whatever it says.
                driver_opts: BTreeMap::from([("encrypted", DoubleQuoted("true"))]),
                internal: !is_open(name),
                // Containers beside the stack may only join what says so.
                attachable: members.any(super::is_beside),
                ipam: wiring.subnets[name].clone().map(|subnet| Ipam {
                    config: vec![Subnet { subnet }],
                }),
                labels: BTreeMap::from([("lakewright.flow", wiring.purpose[name].clone())]),
                ..Network::default()
            };
            (name.clone(), network)
        })
        .collect();
    networks.insert(
        NONE.to_owned(),
        Network {
            name: Some(NONE),
            external: true,
            ..Network::default()
        },
    );
    networks
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
    BTreeMap::from([(NONE.to_owned(), Attachment::default())])
}
