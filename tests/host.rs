//! What the host says when a file cannot be read, and what it does with its own.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at the disk themselves, and fail by panicking"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use lakewright::host::{Host, Kind, Plain, READ_LIMIT};
use tempfile::TempDir;

/// Checks what reading a file of these bytes says.
fn check(bytes: &[u8], expected: &str) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    let found = match Host::new().read_text(&path) {
        Ok(text) => text,
        Err(error) => error
            .to_string()
            .replace(folder.path().to_str().unwrap(), ""),
    };
    assert_eq!(found, expected);
}

#[test]
fn texts_are_read_and_other_files_named() {
    check("grüße".as_bytes(), "grüße");
    check(
        b"ab\xff",
        "cannot read `/file`: it is not UTF-8 text: byte 2 (counted from 0) belongs to no character",
    );
    let limit = usize::try_from(READ_LIMIT).unwrap();
    assert!(
        Host::new()
            .read_text(Path::new("/proc/self/status"))
            .is_ok()
    );
    check(
        &vec![b'a'; limit + 1],
        "cannot read `/file`: it is larger than 16 MiB",
    );
    for (path, reason) in [
        ("/", "it is a folder"),
        ("/dev/zero", "it is larger than 16 MiB"),
        ("/no\nsuch", "No such file or directory"),
    ] {
        let error = Host::new()
            .read_text(Path::new(path))
            .unwrap_err()
            .to_string();
        let path = path.escape_debug();
        assert_eq!(error, format!("cannot read `{path}`: {reason}"));
    }
}

#[test]
fn only_plain_files_are_read_where_nothing_else_is_expected() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "text").unwrap();
    symlink("file", at("link")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(at("pipe"))
            .status()
            .unwrap()
            .success()
    );
    let host = Host::new();
    let read = |name: &str| host.read_plain(&at(name), |_| true).unwrap();
    for name in ["link", "folder", "pipe"] {
        assert_eq!(read(name), Plain::Other, "{name}");
    }
    assert_eq!(read("nothing"), Plain::Missing);
    assert_eq!(read("file/below"), Plain::Missing);
    assert!(matches!(read("file"), Plain::File { bytes: Some(bytes), .. } if bytes == b"text"));
    let kinds: Vec<(String, Kind)> = host
        .list(folder.path())
        .unwrap()
        .into_iter()
        .map(|entry| (entry.name.into_string().unwrap(), entry.kind))
        .collect();
    let expected = [
        ("file", Kind::File),
        ("folder", Kind::Folder),
        ("link", Kind::Symlink),
        ("pipe", Kind::Special),
    ];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
}

#[test]
fn a_file_is_replaced_as_a_whole() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("lakewright.lock");
    let host = Host::new();
    for text in ["one", "two"] {
        host.replace(&path, text.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let error = host
        .replace(&folder.path().join("no/file"), b"")
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("no/file`: No such file or directory"),
        "{error}"
    );
}

/// Not a test of its own: what a copy of this program prints.
#[test]
fn child() {
    let host = Host::new();
    if host.variable("LAKEWRIGHT_TEST_PRINT").is_none() {
        return;
    }
    for _ in 0..1000 {
        if let Err(error) = host.print(&"text\n".repeat(100)) {
            host.warn(&error.to_string());
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let output = Command::new("/bin/sh")
        .args(["-c", "\"$0\" child --exact --nocapture | head -n 5"])
        .arg(std::env::current_exe().unwrap())
        .env("LAKEWRIGHT_TEST_PRINT", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("standard output"), "{text}");
}
