//! Addresses for networks: each gets a small range of its own out of the environment's.
//!
//! The place of a range follows from the network's name alone as long as nothing else lies there, so that a new network
//! leaves the others where they are: an engine cannot move a network without stopping what is attached to it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::bundle::Digest;

/// The smallest range: 16 addresses, of which the network, its gateway and its broadcast address take three.
const SMALLEST: u32 = 16;

/// Gives every network a range that holds twice the addresses it needs today; `None` for those that find no room.
pub fn assign(
    range: (u32, u32),
    networks: &BTreeMap<String, u64>,
) -> BTreeMap<String, Option<String>> {
    let (start, prefix) = range;
    let length = u64::from(u32::MAX >> prefix) + 1;
    let mut taken: BTreeMap<u64, u64> = BTreeMap::new();
    let mut left = length;
    networks
        .iter()
        .map(|(name, addresses)| {
            let wanted = u32::try_from(2 * (addresses + 3)).unwrap_or(u32::MAX / 2);
            let block = u64::from(wanted.max(SMALLEST).next_power_of_two());
            let slots = length / block;
            // A nearly full range would be searched for long; the engine then chooses.
            if slots == 0 || left < length / 8 + block {
                return (name.clone(), None);
            }
            let digest = Digest::of(name.as_bytes()).to_string();
            let hash = u64::from_str_radix(&digest[..16], 16).unwrap_or_default();
            let first = hash % slots;
            let free = (0..slots)
                .map(|step| (first + step) % slots * block)
                .find(|offset| {
                    let before = taken.range(..offset + block).next_back();
                    before.is_none_or(|(other, size)| other + size <= *offset)
                });
            let subnet = free.map(|offset| {
                taken.insert(offset, block);
                left -= block;
                let address = Ipv4Addr::from(start + u32::try_from(offset).unwrap_or(0));
                format!("{address}/{}", 32 - block.trailing_zeros())
            });
            (name.clone(), subnet)
        })
        .collect()
}

/// Returns an address of a range, counted from its end: engines hand out addresses from the beginning.
pub fn from_end(subnet: &str, number: u32) -> Option<Ipv4Addr> {
    let (start, prefix) = subnet.split_once('/')?;
    let start = u32::from(start.parse::<Ipv4Addr>().ok()?);
    let length = u32::MAX >> prefix.parse::<u32>().ok()?;
    // The last one is that for all.
    let offset = length.checked_sub(1)?.checked_sub(number)?;
    Some(Ipv4Addr::from(start.checked_add(offset)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> BTreeMap<String, u64> {
        (0..count)
            .map(|at| (format!("network-{at}"), at as u64 % 20))
            .collect()
    }

    #[test]
    fn ranges_do_not_overlap() {
        let assigned = assign((0x0ad5_0000, 16), &names(900));
        let mut ranges: Vec<(u32, u32)> = assigned
            .values()
            .flatten()
            .map(|subnet| {
                let (address, prefix) = subnet.split_once('/').expect("a prefix");
                let start = u32::from(address.parse::<Ipv4Addr>().expect("an address"));
                (
                    start,
                    start + (1 << (32 - prefix.parse::<u32>().expect("a number"))),
                )
            })
            .collect();
        ranges.sort_unstable();
        assert!(ranges.len() > 500);
        assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        assert!(
            ranges
                .iter()
                .all(|(start, end)| *start >= 0x0ad5_0000 && *end <= 0x0ad6_0000)
        );
    }

    #[test]
    fn a_new_network_leaves_the_others_alone() {
        let mut networks = names(30);
        let before = assign((0x0ad5_0000, 16), &networks);
        networks.insert("another".to_owned(), 2);
        let after = assign((0x0ad5_0000, 16), &networks);
        let moved = before
            .iter()
            .filter(|(name, subnet)| after[*name] != **subnet)
            .count();
        assert_eq!(moved, 0);
    }

    #[test]
    fn addresses_are_counted_from_the_end() {
        let address = |number| from_end("10.213.0.16/28", number).map(|found| found.to_string());
        assert_eq!(address(0).as_deref(), Some("10.213.0.30"));
        assert_eq!(address(1).as_deref(), Some("10.213.0.29"));
        assert_eq!(address(15), None);
    }

    #[test]
    fn no_room_is_left_to_the_engine() {
        let assigned = assign((0x0ad5_0000, 24), &names(100));
        assert!(assigned.values().any(Option::is_none));
    }
}
