//! A bundle as one file: a tar archive, compressed with Zstandard, that is the same bytes everywhere; and back again, held
//! against its own inventory.
//!
//! Source: POSIX.1-1988, "ustar"; RFC 8878. Entries are sorted, belong to nobody and are as old as time itself. What is read
//! is never unpacked to disk, and anything but plain files below one folder is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::compare::Difference;
use super::digest::Digest;
use super::inventory::Inventory;
use super::path::BundlePath;
use super::{CHECKSUMS, File, INVENTORY, Sealed, checksums};

/// The first bytes of everything that Zstandard compressed.
pub const MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The most that an archive may hold, in bytes: a small file can become a very large one.
const LARGEST: u64 = 256 * 1024 * 1024;

const BLOCK: usize = 512;

/// Packs a bundle into a folder of this name.
///
/// # Errors
/// A path that the format has no room for.
pub fn pack(sealed: &Sealed, folder: &str) -> Result<Vec<u8>, String> {
    let mut tar = Vec::new();
    for (path, file) in sealed.files() {
        let name = format!("{folder}/{path}");
        tar.extend_from_slice(
            &header(&name, file).ok_or_else(|| format!("`{name}` is too long for an archive"))?,
        );
        tar.extend_from_slice(&file.bytes);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    // Two empty blocks end it.
    tar.resize(tar.len() + 2 * BLOCK, 0);
    Ok(compress_to_vec(tar.as_slice(), CompressionLevel::Fastest))
}

/// Makes the block before a file.
fn header(name: &str, file: &File) -> Option<[u8; BLOCK]> {
    let (prefix, name) = if name.len() <= 100 {
        ("", name)
    } else {
        let at = name
            .match_indices('/')
            .map(|(at, _)| at)
            .find(|at| name.len() - at - 1 <= 100 && *at <= 155)?;
        (&name[..at], &name[at + 1..])
    };
    let mut block = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(
        100,
        if file.executable {
            "0000755"
        } else {
            "0000644"
        },
    );
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", file.bytes.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    put(345, prefix);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

/// Reads the files of an archive, by their path in its folder.
///
/// # Errors
/// Why it is none that this program packed, in words.
pub fn unpack(bytes: &[u8]) -> Result<BTreeMap<BundlePath, File>, String> {
    let decoder =
        StreamingDecoder::new(bytes).map_err(|error| format!("it is not Zstandard: {error}"))?;
    let mut tar = Vec::new();
    decoder
        .take(LARGEST + 1)
        .read_to_end(&mut tar)
        .map_err(|error| format!("it is damaged: {error}"))?;
    if tar.len() as u64 > LARGEST {
        return Err(format!("it holds more than {} MiB", LARGEST >> 20));
    }
    let mut files = BTreeMap::new();
    let mut folder: Option<String> = None;
    let mut rest = tar.as_slice();
    loop {
        let Some((block, after)) = rest.split_at_checked(BLOCK) else {
            return Err("it ends in the middle of a file".to_owned());
        };
        if block.iter().all(|byte| *byte == 0) {
            return Ok(files);
        }
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(*byte)
                }
            })
            .sum();
        if octal(&block[148..156]) != Some(u64::from(sum)) {
            return Err("it is damaged: a checksum does not hold".to_owned());
        }
        let mut name = text(&block[..100])?;
        let prefix = text(&block[345..500])?;
        if !prefix.is_empty() {
            name = format!("{prefix}/{name}");
        }
        let shown = name.escape_debug();
        match block[156] {
            b'0' | 0 => {}
            b'1' | b'2' => return Err(format!("`{shown}` is a link, and a bundle has none")),
            _ => {
                return Err(format!(
                    "`{shown}` is no plain file, and a bundle has nothing else"
                ));
            }
        }
        let size = octal(&block[124..136])
            .and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| format!("`{shown}` has no size"))?;
        let content = after.get(..size).ok_or("it ends in the middle of a file")?;
        let (top, path) = name
            .split_once('/')
            .ok_or_else(|| format!("`{shown}` lies in no folder"))?;
        if *folder.get_or_insert_with(|| top.to_owned()) != top || BundlePath::parse(top).is_err() {
            return Err(format!("`{shown}` lies outside the bundle's folder"));
        }
        let path = BundlePath::parse(path).map_err(|error| format!("`{shown}`: {error}"))?;
        let executable = octal(&block[100..108]).is_some_and(|mode| mode & 0o100 != 0);
        let file = File {
            bytes: content.to_vec(),
            executable,
        };
        if files.insert(path, file).is_some() {
            return Err(format!("`{shown}` is in it twice"));
        }
        rest = after
            .get(size.next_multiple_of(BLOCK)..)
            .ok_or("it ends in the middle of a file")?;
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

fn text(field: &[u8]) -> Result<String, String> {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    String::from_utf8(field[..end].to_vec()).map_err(|_| "a name in it is no text".to_owned())
}

/// Compares the files of an archive with their own inventory.
pub fn verify(files: &BTreeMap<BundlePath, File>) -> Vec<Difference> {
    let own = files.get(INVENTORY);
    let inventory = own
        .ok_or_else(|| "there is no such file".to_owned())
        .and_then(|file| Inventory::parse(&file.bytes).map_err(|error| error.to_string()));
    let (inventory, own) = match (inventory, own) {
        (Ok(inventory), Some(own)) => (inventory, own),
        (Err(reason), _) => {
            let path = INVENTORY.to_owned();
            return vec![Difference::Inventory { path, reason }];
        }
        (Ok(_), None) => return Vec::new(),
    };
    let mut differences = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::from([INVENTORY, CHECKSUMS]);
    for listed in &inventory.files {
        let path = listed.path.to_string();
        known.insert(listed.path.as_str());
        match files.get(listed.path.as_str()) {
            None => differences.push(Difference::Missing { path }),
            Some(file) if Digest::of(&file.bytes) != listed.sha256 => {
                differences.push(Difference::Edited { path, diff: None });
            }
            Some(file) if file.executable != listed.executable => {
                differences.push(Difference::Mode {
                    path,
                    executable: listed.executable,
                })
            }
            Some(_) => {}
        }
    }
    let sums = checksums(&inventory, Digest::of(&own.bytes));
    match files.get(CHECKSUMS) {
        None => differences.push(Difference::Missing {
            path: CHECKSUMS.to_owned(),
        }),
        Some(file) if file.bytes != sums.as_bytes() => differences.push(Difference::Checksums {
            path: CHECKSUMS.to_owned(),
        }),
        Some(_) => {}
    }
    let extra = files.keys().filter(|path| !known.contains(path.as_str()));
    differences.extend(extra.map(|path| Difference::Extra {
        path: path.to_string(),
    }));
    differences.sort_by(|one, other| one.path().cmp(other.path()));
    differences
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::super::{Bundle, Meta};
    use super::*;

    fn sealed(files: &[(&str, &str)]) -> Sealed {
        let mut bundle = Bundle::new();
        for (path, text) in files {
            let file = if path.ends_with(".sh") {
                File::program(*text)
            } else {
                File::plain(*text)
            };
            bundle
                .insert(BundlePath::parse(path).unwrap(), file)
                .unwrap();
        }
        bundle.seal(Meta::default())
    }

    /// An archive with one entry, changed at will.
    fn forged(name: &str, change: impl Fn(&mut [u8; BLOCK])) -> Vec<u8> {
        let mut block = header(name, &File::plain("")).unwrap();
        change(&mut block);
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut tar = block.to_vec();
        tar.resize(tar.len() + 2 * BLOCK, 0);
        compress_to_vec(tar.as_slice(), CompressionLevel::Fastest)
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let deep = format!("{}/{}.txt", "d".repeat(90), "f".repeat(60));
        let sealed = sealed(&[
            ("a", "1\n"),
            ("b/c.sh", "#!/bin/sh\n"),
            (&deep, "x"),
            ("e", ""),
        ]);
        let packed = pack(&sealed, "lake-dev").unwrap();
        assert_eq!(packed, pack(&sealed, "lake-dev").unwrap());
        let files = unpack(&packed).unwrap();
        let all: BTreeMap<BundlePath, File> = sealed
            .files()
            .map(|(path, file)| (path.clone(), file.clone()))
            .collect();
        assert_eq!(files, all);
        assert_eq!(verify(&files), []);
    }

    #[test]
    fn every_change_is_seen() {
        let mut files =
            unpack(&pack(&sealed(&[("a", "1"), ("b", "2"), ("c", "3")]), "x").unwrap()).unwrap();
        files.get_mut("a").unwrap().bytes = b"other".to_vec();
        files.get_mut("b").unwrap().executable = true;
        files.remove("c");
        files.insert(BundlePath::parse("d").unwrap(), File::plain(""));
        let said: Vec<String> = verify(&files).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "`a` was edited by hand",
                "`b` should not be executable",
                "`c` is missing",
                "`d` is not part of the bundle"
            ]
        );
        files.remove(INVENTORY);
        assert!(verify(&files)[0].to_string().contains("no such file"));
    }

    #[test]
    fn what_leads_outside_is_refused() {
        let check = |bytes: &[u8], expected: &str| {
            let said = unpack(bytes).unwrap_err();
            assert!(said.contains(expected), "{said}");
        };
        check(&forged("x/../../etc/passwd", |_| {}), "..");
        check(&forged("/etc/passwd", |_| {}), "outside");
        check(&forged("../x", |_| {}), "outside");
        check(&forged("x", |_| {}), "in no folder");
        check(&forged("x/a", |block| block[156] = b'2'), "is a link");
        check(&forged("x/a", |block| block[156] = b'1'), "is a link");
        check(&forged("x/a", |block| block[156] = b'3'), "no plain file");
        check(&forged("x/a", |block| block[130] = b'7'), "middle");
        check(b"nothing", "not Zstandard");
        let mut packed = pack(&sealed(&[("a", "1")]), "x").unwrap();
        packed.truncate(packed.len() / 2);
        assert!(unpack(&packed).is_err());
    }
}
