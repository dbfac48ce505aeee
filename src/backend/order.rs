//! Order: in which waves services start, and how folders and files are numbered so that their names sort the same way.
//!
//! A service stands one wave after the last of those it waits for. Where a target does not wait by itself, the numbers serve
//! whoever applies the bundle, a script or a tool; to people, READMEs show them as stages.

use std::collections::{BTreeMap, BTreeSet};

use crate::platform::Platform;

/// Waves and numbers of a platform's services and components.
pub(crate) struct Order {
    /// Wave of each service, beginning with 0.
    pub(crate) waves: Vec<usize>,
    /// Depth of each service among those of its component.
    pub(crate) within: Vec<usize>,
    /// Depth of each component.
    pub(crate) components: Vec<usize>,
}

impl Order {
    /// Finds the order of a platform.
    pub(crate) fn new(platform: &Platform) -> Self {
        let services = &platform.services;
        let edges = |keep: &dyn Fn(usize, usize) -> bool| -> Vec<BTreeSet<usize>> {
            services
                .iter()
                .map(|service| {
                    let before = service.start_after.iter().map(|after| after.service);
                    before
                        .filter(|other| keep(service.component, services[*other].component))
                        .collect()
                })
                .collect()
        };
        let mut between = vec![BTreeSet::new(); platform.components.len()];
        for service in services {
            for after in &service.start_after {
                let other = services[after.service].component;
                if other != service.component {
                    between[service.component].insert(other);
                }
            }
        }
        Self {
            waves: depths(&edges(&|_, _| true)),
            within: depths(&edges(&|own, other| own == other)),
            components: depths(&between),
        }
    }
}

/// Returns how many steps lie before each node. Where nodes wait for each other in a circle, the first of them does not
/// wait: components may, though no service does.
pub(crate) fn depths(before: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut waiting: Vec<usize> = before.iter().map(BTreeSet::len).collect();
    let mut after: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (node, all) in before.iter().enumerate() {
        for other in all {
            after.entry(*other).or_default().push(node);
        }
    }
    let mut depths = vec![0; before.len()];
    let mut ready: BTreeSet<usize> = (0..before.len())
        .filter(|node| waiting[*node] == 0)
        .collect();
    let mut left: BTreeSet<usize> = (0..before.len()).collect();
    while let Some(node) = ready.pop_first().or_else(|| left.first().copied()) {
        if !left.remove(&node) {
            continue;
        }
        for next in after.get(&node).into_iter().flatten() {
            if !left.contains(next) {
                continue;
            }
            depths[*next] = depths[*next].max(depths[node] + 1);
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                ready.insert(*next);
            }
        }
    }
    depths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_stands_after_the_last_it_waits_for() {
        let before = [
            BTreeSet::new(),
            BTreeSet::from([0]),
            BTreeSet::from([0, 1]),
            BTreeSet::from([0]),
        ];
        assert_eq!(depths(&before), [0, 1, 2, 1]);
    }

    #[test]
    fn a_circle_is_broken_at_its_first_node() {
        let before = [
            BTreeSet::from([1]),
            BTreeSet::from([0]),
            BTreeSet::from([1]),
        ];
        assert_eq!(depths(&before), [0, 1, 2]);
    }
}
