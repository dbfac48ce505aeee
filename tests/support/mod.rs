//! What the tests share: the way to the compiler, the program, and files to work on.

#![allow(dead_code, reason = "each test uses some of it")]
#![allow(unreachable_pub, reason = "a module of several tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lakewright::blueprint::{Folder, Library};
use lakewright::bundle::Sealed;
use lakewright::compile::Compiler;
use lakewright::diagnostic::{self, Tally};
use lakewright::platform::Platform;
use lakewright::source::Sources;

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of what lies in a folder, sorted.
pub fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let folder = root().join(folder);
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let name = entry.expect("an entry of the folder").file_name();
            name.to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    names
}

/// The names of the examples: the folders of `examples/` with a topology.
pub fn examples() -> Vec<String> {
    let mut examples = names("examples");
    examples.retain(|name| {
        root()
            .join(format!("examples/{name}/platform.toml"))
            .exists()
    });
    examples
}

/// The topologies that there are: of the examples, then of the tests.
pub fn topologies() -> Vec<String> {
    let examples = examples().into_iter();
    let examples = examples.map(|name| format!("examples/{name}/platform.toml"));
    let tests = names("tests/topologies").into_iter();
    let tests = tests.map(|name| format!("tests/topologies/{name}"));
    examples.chain(tests).collect()
}

/// All files below a folder by their path in it.
pub fn files(folder: impl AsRef<Path>) -> BTreeMap<String, Vec<u8>> {
    let folder = root().join(folder);
    walkdir::WalkDir::new(&folder)
        .into_iter()
        .map(|entry| entry.expect("an entry of the folder"))
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| {
            let path = entry.path();
            let name = path.strip_prefix(&folder).expect("a path in the folder");
            let bytes = fs::read(path).expect("a file that can be read");
            (name.to_string_lossy().into_owned(), bytes)
        })
        .collect()
}

/// The text files of one blueprint's folder.
pub fn blueprint_folder(folder: impl AsRef<Path>) -> Folder {
    files(folder)
        .into_iter()
        .map(|(name, bytes)| (name, String::from_utf8(bytes).expect("text")))
        .collect()
}

/// A compilation that went all the way it could go.
pub struct Compiled {
    /// Sources and findings.
    pub compiler: Compiler,
    /// What was resolved.
    pub platforms: Vec<Platform>,
    /// Bundles, by the environment's name.
    pub bundles: BTreeMap<String, Sealed>,
}

impl Compiled {
    /// Findings as people see them.
    pub fn text(&mut self) -> String {
        diagnostic::arrange(&mut self.compiler.findings, &self.compiler.sources);
        diagnostic::text::render(&self.compiler.findings, &self.compiler.sources, false, 120)
    }

    /// The number of errors.
    pub fn errors(&self) -> usize {
        Tally::of(&self.compiler.findings).errors
    }
}

/// Compiles every environment of a topology.
pub fn compile(name: &str, text: &str, library: Library) -> Compiled {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let mut compiler = Compiler::new(sources, library);
    let mut platforms = Vec::new();
    let mut bundles = BTreeMap::new();
    if let Some(topology) = compiler.read(file) {
        for compiled in compiler.environments(&topology, &topology.environments(), false) {
            if let Some(sealed) = compiler.bundle(&topology, &compiled) {
                bundles.insert(compiled.platform.environment.name.clone(), sealed);
            }
            platforms.push(compiled.platform);
        }
    }
    Compiled {
        compiler,
        platforms,
        bundles,
    }
}

/// The files of a sealed bundle by their path.
pub fn contents(sealed: &Sealed) -> BTreeMap<String, (Vec<u8>, bool)> {
    sealed
        .files()
        .map(|(path, file)| {
            (
                path.as_str().to_owned(),
                (file.bytes.clone(), file.executable),
            )
        })
        .collect()
}

/// The program, with nothing of this machine's environment but the way to other programs.
pub fn lakewright() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakewright"));
    scrub(&mut command);
    command
}

/// Another program, likewise.
pub fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    scrub(&mut command);
    command
}

fn scrub(command: &mut Command) {
    command.env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command.current_dir(root());
}

/// What a run printed and how it ended.
pub struct Run {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a command to its end. It must not have panicked.
pub fn run(command: &mut Command) -> Run {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("a program that starts");
    let run = Run {
        status: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    };
    assert!(
        !run.err.contains("panicked") && run.status != -1,
        "{command:?} ended with {status}\n{}",
        run.err
    );
    run
}

/// A folder of its own for a test, with a topology of one small component in it.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

/// Writes a file of a test, with the folders it lies in.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> PathBuf {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("a folder");
    }
    fs::write(path, bytes).expect("a file that can be written");
    path.to_owned()
}

/// A topology without faults, quick to build.
pub const SMALL: &str = "[platform]\nname = \"small\"\n\n[components.valkey]\n\n[environments.dev]\ntarget = \"compose\"\n";
