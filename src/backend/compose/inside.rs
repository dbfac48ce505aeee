//! Clusters inside services: the objects of what runs in them, mounted as files, and the way in and out.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::Networks;
use crate::backend::docker::{instances, network_of};
use crate::backend::{Files, kubernetes};
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

/// A service cannot be reached from a cluster.
pub static WITHOUT_ADDRESS: Rule = Rule {
    code: "without-address",
    severity: Severity::Error,
    summary: "a service cannot be reached from the cluster inside another",
    why: "Names of services end at the border of a cluster that runs inside one of them. What is reached from there has \
          a fixed address instead, which several containers of one service cannot share, and which needs room in the \
          environment's range of networks.",
    fix: "Run one replica of the service, or give the environment a larger `network`.",
    allowable: false,
};

/// An object file of a cluster.
pub(super) struct Manifest {
    /// Its path in the bundle.
    pub(super) path: String,
    /// Its path in the container.
    pub(super) target: String,
    /// Its text.
    pub(super) text: String,
}

/// Makes the files of all clusters, by the service that each is in.
pub(super) fn hosted(
    platform: &Platform,
    networks: &Networks<'_>,
    files: &mut Files,
) -> BTreeMap<usize, Vec<Manifest>> {
    let mut all = BTreeMap::new();
    for (host, service) in platform.services.iter().enumerate() {
        let Some(hosted) = &service.hosts else {
            continue;
        };
        let component = &platform.component_of(service).name;
        let outside = outside(platform, host, networks, files);
        let manifests = kubernetes::embedded(platform, host, &outside);
        let manifests = manifests.into_iter().map(|(name, text)| Manifest {
            path: format!("{component}/manifests/{name}.yaml"),
            target: format!("{}/{name}.yaml", hosted.manifests),
            text,
        });
        all.insert(host, manifests.collect());
    }
    all
}

/// Finds what lies around a cluster: addresses of those that it connects to, ranges of those that connect to it.
fn outside(
    platform: &Platform,
    host: usize,
    networks: &Networks<'_>,
    files: &mut Files,
) -> kubernetes::Outside {
    let mut outside = kubernetes::Outside::default();
    let hosted = platform.services[host].hosts.as_ref();
    for flow in &platform.flows {
        let (from, to) = (&platform.services[flow.from], &platform.services[flow.to]);
        if (from.inside == Some(host)) == (to.inside == Some(host)) {
            continue;
        }
        let (network, _) = network_of(platform, flow);
        let range = networks.wiring.subnets.get(&network).cloned().flatten();
        let missing = || {
            let guest = if from.inside == Some(host) { from } else { to };
            Finding::new(
                &WITHOUT_ADDRESS,
                platform.component_of(guest).place.clone(),
                format!(
                    "`{}` connects to `{}` across the border of a cluster, where neither name is known",
                    from.name, to.name
                ),
            )
            .component(platform.component_of(guest).name.clone())
        };
        if to.inside == Some(host) {
            match range {
                Some(range) => {
                    outside.sources.insert((flow.from, flow.to), range);
                }
                None => files.report(missing()),
            }
        } else if networks.stack.is_some() {
            // Addresses come and go, but never leave the network.
            let reached = outside.reached.entry(flow.to).or_insert_with(|| {
                let names = hosted.into_iter().flat_map(|hosted| &hosted.outside);
                let names = names.filter(|neighbour| neighbour.service == flow.to);
                kubernetes::Reached {
                    names: names.map(|name| (name.name.clone(), None)).collect(),
                    ranges: Vec::new(),
                }
            });
            match range {
                Some(range) if !reached.ranges.contains(&range) => reached.ranges.push(range),
                Some(_) => {}
                None => files.report(missing()),
            }
        } else if let Entry::Vacant(unknown) = outside.reached.entry(flow.to) {
            let carrier = platform.carrier(flow.to);
            let addresses = instances(to).into_iter().map(|instance| {
                let number = instance.number.filter(|_| carrier == flow.to);
                let key = (carrier, number, network.clone());
                Some((instance.name, *networks.fixed.get(&key)?))
            });
            match addresses.collect::<Option<Vec<_>>>() {
                Some(addresses) => {
                    let ranges = addresses.iter();
                    let ranges = ranges.map(|(_, address)| format!("{address}/32"));
                    unknown.insert(kubernetes::Reached {
                        ranges: ranges.collect(),
                        names: addresses
                            .into_iter()
                            .map(|(name, address)| (name, Some(address)))
                            .collect(),
                    });
                }
                None => files.report(missing()),
            }
        }
    }
    outside
}
