//! The one door to files, the environment and the terminal.
//!
//! No other module calls `std::fs` or `std::env` or writes to the terminal; `clippy.toml` holds them to it. That makes
//! three things true in one place: an error always names the act and the file, nothing depends on directory order, and
//! every change to the disk can be made to fail by a test ([`Trouble`]). This module knows nothing of bundles.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the door that the lints send everyone else to"
)]

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest file that is read as a whole, in bytes.
pub const READ_LIMIT: u64 = 16 * 1024 * 1024;

/// The mode of a file that anyone may read.
pub const PLAIN_FILE: u32 = 0o644;

/// The mode of a script or a folder that anyone may use.
pub const OPEN_TO_ALL: u32 = 0o755;

/// Something the operating system refused.
#[derive(Debug)]
pub struct HostError {
    /// What was tried, to be read after "cannot".
    pub act: &'static str,
    /// The file or folder it was tried on.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl HostError {
    fn new(act: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            act,
            path: path.to_owned(),
            source,
        }
    }

    /// Returns the same error about another path: the one that the user knows.
    #[must_use]
    pub fn about(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = path.into();
        self
    }

    /// Returns what kind of failure it was.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reason = self.source.to_string();
        if let Some(code) = self.source.raw_os_error()
            && let Some(words) = reason.strip_suffix(&format!(" (os error {code})"))
        {
            reason.truncate(words.len());
        }
        write!(
            out,
            "cannot {} `{}`: {reason}",
            self.act,
            shown(self.path.as_os_str())
        )
    }
}

// The reason is part of the message, so that there is no source to print after it.
impl std::error::Error for HostError {}

/// Returns a name as it can be printed: a file name may hold line breaks and escape sequences.
pub fn shown(name: &OsStr) -> String {
    let text = name.to_string_lossy();
    if text.chars().any(char::is_control) {
        text.chars()
            .flat_map(|letter| {
                let escaped: Vec<char> = if letter.is_control() {
                    letter.escape_default().collect()
                } else {
                    vec![letter]
                };
                escaped
            })
            .collect()
    } else {
        text.into_owned()
    }
}

/// What stands under a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, wherever it leads.
    Symlink,
    /// A socket, a pipe or a device.
    Special,
}

impl Kind {
    fn of(kind: fs::FileType) -> Self {
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Folder
        } else if kind.is_symlink() {
            Self::Symlink
        } else {
            Self::Special
        }
    }
}

/// A name in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The name alone.
    pub name: OsString,
    /// What stands under it.
    pub kind: Kind,
}

/// What is known of a file or folder without opening it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    /// What it is.
    pub kind: Kind,
    /// Size in bytes.
    pub bytes: u64,
    /// Permission bits, with set-group-id and its kin.
    pub mode: u32,
    /// The user and the group it belongs to.
    pub owner: (u32, u32),
    /// Device and file number: the same for two names of one file.
    pub identity: (u64, u64),
    /// When its contents were last written, in seconds and nanoseconds.
    pub modified: (i64, i64),
    /// When anything about it last changed, in seconds and nanoseconds.
    pub changed: (i64, i64),
}

impl Look {
    fn of(meta: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            kind: Kind::of(meta.file_type()),
            bytes: meta.len(),
            mode: meta.mode() & 0o7777,
            owner: (meta.uid(), meta.gid()),
            identity: (meta.dev(), meta.ino()),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// What [`Host::read_plain`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Plain {
    /// No such name.
    Missing,
    /// A folder, a symbolic link, or something special: nothing to read.
    Other,
    /// A regular file.
    File {
        /// Size in bytes.
        size: u64,
        /// Permission bits.
        mode: u32,
        /// The contents, if they were asked for at that size.
        bytes: Option<Vec<u8>>,
    },
}

/// What another program printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// Its standard output.
    pub out: Vec<u8>,
    /// Its standard error.
    pub err: String,
}

/// A lock on a file, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The file that is locked: another one may have its name by now.
    pub look: Look,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough while a process is being started: it has the file too for a moment.
        let _ = self.file.unlock();
    }
}

/// How a change to the disk fails in a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The change fails, later ones work: the disk was full for a moment.
    Once,
    /// The change and all later ones fail: what a killed process leaves behind, without a process to kill.
    Onwards,
    /// The process ends there.
    Abort,
}

/// What goes wrong on this host, for tests of what happens then.
#[derive(Clone, Default, Debug)]
pub struct Trouble {
    /// The change that fails, counted from zero, and how.
    pub fault: Option<(u64, Fault)>,
    /// Two names cannot be exchanged in one step.
    pub no_exchange: bool,
    /// A file cannot have two names.
    pub no_links: bool,
}

/// The machine that the compiler runs on.
#[derive(Default, Debug)]
pub struct Host {
    trouble: Trouble,
    changes: AtomicU64,
}

impl Host {
    /// Returns the machine as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a machine where things go wrong.
    pub fn with(trouble: Trouble) -> Self {
        Self {
            trouble,
            changes: AtomicU64::new(0),
        }
    }

    /// Returns the number of changes to the disk so far.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Counts a change to the disk, and lets it fail if a test wants that.
    fn change(&self, act: &'static str, path: &Path) -> Result<(), HostError> {
        let now = self.changes.fetch_add(1, Ordering::Relaxed);
        let Some((at, fault)) = self.trouble.fault else {
            return Ok(());
        };
        if now < at || (now > at && fault == Fault::Once) {
            return Ok(());
        }
        if fault == Fault::Abort {
            std::process::abort();
        }
        let reason = rustix::io::Errno::NOSPC;
        Err(HostError::new(act, path, reason.into()))
    }

    // Reading.

    /// Reads a text file that the user named.
    ///
    /// Symbolic links are followed. A folder, a file over [`READ_LIMIT`] and bytes that are not UTF-8 are errors.
    pub fn read_text(&self, path: &Path) -> Result<String, HostError> {
        String::from_utf8(self.read_bytes(path)?).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            HostError::new(
                "read",
                path,
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "it is not UTF-8 text: byte {at} (counted from 0) belongs to no character"
                    ),
                ),
            )
        })
    }

    /// Reads a file that the user named, whatever is in it.
    ///
    /// Symbolic links are followed. A folder and a file over [`READ_LIMIT`] are errors.
    pub fn read_bytes(&self, path: &Path) -> Result<Vec<u8>, HostError> {
        let fail = |source| HostError::new("read", path, source);
        let file = File::open(path).map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        if meta.is_dir() {
            return Err(fail(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder",
            )));
        }
        let too_large = || {
            let words = format!("it is larger than {} MiB", READ_LIMIT / 1024 / 1024);
            fail(io::Error::new(io::ErrorKind::FileTooLarge, words))
        };
        if meta.len() > READ_LIMIT {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1);
        // A pipe or a device says that it is empty: only reading tells how much there is.
        (&file)
            .take(READ_LIMIT + 1)
            .read_to_end(&mut bytes)
            .map_err(fail)?;
        if bytes.len() as u64 > READ_LIMIT {
            return Err(too_large());
        }
        Ok(bytes)
    }

    /// Reads a regular file if its size is wanted, without following a symbolic link in the last place.
    pub fn read_plain(
        &self,
        path: &Path,
        wanted: impl FnOnce(u64) -> bool,
    ) -> Result<Plain, HostError> {
        let mut options = OpenOptions::new();
        options.read(true);
        do_not_follow(&mut options);
        let file = match options.open(path) {
            Ok(file) => file,
            Err(error) => {
                return match self.look(path)? {
                    None => Ok(Plain::Missing),
                    Some(look) if look.kind != Kind::File => Ok(Plain::Other),
                    Some(_) => Err(HostError::new("read", path, error)),
                };
            }
        };
        let fail = |source| HostError::new("read", path, source);
        let look = Look::of(&file.metadata().map_err(fail)?);
        if look.kind != Kind::File {
            return Ok(Plain::Other);
        }
        let bytes = if wanted(look.bytes) {
            let mut bytes = Vec::with_capacity(usize::try_from(look.bytes).unwrap_or(0) + 1);
            // Bounded, the file is read in one go; unbounded, its size would be asked for again.
            (&file)
                .take(look.bytes)
                .read_to_end(&mut bytes)
                .map_err(fail)?;
            Some(bytes)
        } else {
            None
        };
        Ok(Plain::File {
            size: look.bytes,
            mode: look.mode,
            bytes,
        })
    }

    /// Returns the names in a folder, sorted.
    pub fn list(&self, folder: &Path) -> Result<Vec<Entry>, HostError> {
        let fail = |source| HostError::new("list", folder, source);
        let mut entries = Vec::new();
        for entry in fs::read_dir(or_here(folder)).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            entries.push(Entry {
                kind: Kind::of(entry.file_type().map_err(fail)?),
                name: entry.file_name(),
            });
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    /// Returns what stands under a name, or nothing. A symbolic link is not followed.
    pub fn look(&self, path: &Path) -> Result<Option<Look>, HostError> {
        match fs::symlink_metadata(or_here(path)) {
            Ok(meta) => Ok(Some(Look::of(&meta))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(HostError::new("look at", path, error)),
        }
    }

    /// Returns where a symbolic link leads.
    pub fn read_link(&self, path: &Path) -> Result<PathBuf, HostError> {
        fs::read_link(path).map_err(|error| HostError::new("read the link", path, error))
    }

    /// Returns the absolute path without symbolic links, `.` and `..`.
    pub fn canonical(&self, path: &Path) -> Result<PathBuf, HostError> {
        fs::canonicalize(or_here(path)).map_err(|error| HostError::new("find", path, error))
    }

    // Changing. Each of these counts its steps.

    /// Makes one folder with exactly this mode, whatever the umask.
    pub fn create_folder(&self, path: &Path, mode: u32) -> Result<Look, HostError> {
        self.change("create", path)?;
        let fail = |source| HostError::new("create", path, source);
        make_folder(path, mode).map_err(fail)?;
        let mut made = Look::of(&fs::symlink_metadata(path).map_err(fail)?);
        if made.mode & 0o777 != mode & 0o777 {
            // A folder inherits the set-group-id bit, which is not ours to take away.
            made.mode = made.mode & 0o7000 | mode & 0o777;
            self.set_mode(path, made.mode)?;
        }
        Ok(made)
    }

    /// Makes a folder and the folders it lies in, as far as they are missing.
    pub fn create_folders(&self, path: &Path) -> Result<(), HostError> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        self.change("create", path)?;
        fs::create_dir_all(path).map_err(|error| HostError::new("create", path, error))
    }

    /// Writes a file that does not exist yet, with exactly this mode, whatever the umask.
    pub fn write_new(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), HostError> {
        self.write_file(path, bytes, mode).map(drop)
    }

    /// Writes a new file like [`Host::write_new`], and waits until it is on the disk itself.
    pub fn write_new_safely(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), HostError> {
        let file = self.write_file(path, bytes, mode)?;
        file.sync_all()
            .map_err(|error| HostError::new("write", path, error))
    }

    fn write_file(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<File, HostError> {
        let fail = |source| HostError::new("write", path, source);
        self.change("write", path)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        create_with(&mut options, mode);
        let mut file = options.open(path).map_err(fail)?;
        self.change("write", path)?;
        file.write_all(bytes).map_err(fail)?;
        if Look::of(&file.metadata().map_err(fail)?).mode != mode {
            self.change("set the permissions of", path)?;
            file.set_permissions(permissions(mode))
                .map_err(|error| HostError::new("set the permissions of", path, error))?;
        }
        Ok(file)
    }

    /// Puts a file in the place of the one under this name, if any: readers see the old one or the new one.
    ///
    /// The folder must exist.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), HostError> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".lakewright-new");
        let beside = path.with_file_name(name);
        if self.look(&beside)?.is_some() {
            self.remove_file(&beside)?;
        }
        let done = self
            .write_new(&beside, bytes, PLAIN_FILE)
            .and_then(|()| self.rename(&beside, path));
        if done.is_err() {
            let _ = self.remove_file(&beside);
        }
        done.map_err(|error| error.about(path))
    }

    /// Gives a file a second name that must be free. A symbolic link is not followed.
    pub fn link(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        self.change("link", to)?;
        let done = if self.trouble.no_links {
            Err(io::ErrorKind::Unsupported.into())
        } else {
            fs::hard_link(from, to)
        };
        done.map_err(|error| HostError::new("link", to, error))
    }

    /// Makes a symbolic link under a name that must be free.
    pub fn symlink(&self, leads_to: &Path, path: &Path) -> Result<(), HostError> {
        self.change("link", path)?;
        make_symlink(leads_to, path).map_err(|error| HostError::new("link", path, error))
    }

    /// Renames a file or folder. A file under the new name is replaced.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        self.change("move", from)?;
        fs::rename(from, to).map_err(|error| HostError::new("move", from, error))
    }

    /// Renames a file to a name that must be free; two processes that try it do not overwrite each other.
    pub fn rename_new(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        self.change("create", to)?;
        let fail = |source| HostError::new("create", to, source);
        match rename_if_free(from, to) {
            Err(error) if is_unsupported(&error) => {
                fs::hard_link(from, to).map_err(fail)?;
                self.change("remove", from)?;
                fs::remove_file(from).map_err(|error| HostError::new("remove", from, error))
            }
            done => done.map_err(fail),
        }
    }

    /// Exchanges two folders in one step. Returns `false` where the system cannot do that.
    pub fn exchange(&self, one: &Path, other: &Path) -> Result<bool, HostError> {
        self.change("replace", other)?;
        if self.trouble.no_exchange {
            return Ok(false);
        }
        match exchange_names(one, other) {
            Ok(()) => Ok(true),
            Err(error) if is_unsupported(&error) => Ok(false),
            Err(error) => Err(HostError::new("replace", other, error)),
        }
    }

    /// Removes a file or a symbolic link.
    pub fn remove_file(&self, path: &Path) -> Result<(), HostError> {
        self.change("remove", path)?;
        fs::remove_file(path).map_err(|error| HostError::new("remove", path, error))
    }

    /// Removes an empty folder.
    pub fn remove_folder(&self, path: &Path) -> Result<(), HostError> {
        self.change("remove", path)?;
        fs::remove_dir(path).map_err(|error| HostError::new("remove", path, error))
    }

    /// Sets the permission bits of a file or folder.
    pub fn set_mode(&self, path: &Path, mode: u32) -> Result<(), HostError> {
        self.change("set the permissions of", path)?;
        fs::set_permissions(path, permissions(mode))
            .map_err(|error| HostError::new("set the permissions of", path, error))
    }

    /// Sets the user and the group that a file or folder belongs to.
    pub fn set_owner(&self, path: &Path, owner: (u32, u32)) -> Result<(), HostError> {
        self.change("set the owner of", path)?;
        change_owner(path, owner).map_err(|error| HostError::new("set the owner of", path, error))
    }

    /// Locks a file, which is made if it is missing. Returns nothing if another process holds it.
    ///
    /// Where the file system knows no locks, nobody is kept out.
    pub fn lock(&self, path: &Path) -> Result<Option<Lock>, HostError> {
        self.change("lock", path)?;
        let fail = |source| HostError::new("lock", path, source);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        do_not_follow(&mut options);
        let file = options.open(path).map_err(fail)?;
        let look = Look::of(&file.metadata().map_err(fail)?);
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) if is_unsupported(&error) => {}
            Err(fs::TryLockError::Error(error)) => return Err(fail(error)),
        }
        Ok(Some(Lock { file, look }))
    }

    // Everything else.

    /// Runs a program in a folder to its end, hands it a text, and returns what came of it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn attempt(
        &self,
        program: &str,
        arguments: &[&OsStr],
        folder: &Path,
        input: &[u8],
    ) -> Result<Ran, HostError> {
        let fail = |source| HostError::new("run", Path::new(program), source);
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(or_here(folder))
            // What it says is read by the compiler too.
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(fail)?;
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            // Both ends would wait for each other if one thread did all of it.
            scope.spawn(move || {
                if let Some(mut stdin) = stdin {
                    // One that ends without reading all of it says so by its status.
                    let _ = stdin.write_all(input);
                }
            });
            child.wait_with_output()
        })
        .map_err(fail)?;
        Ok(Ran {
            status: output.status.code(),
            out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Runs a program in a folder to its end, hands it a text, and returns what it printed.
    ///
    /// # Errors
    /// It cannot be started, or ends with another status than 0: then the reason is what it said on standard error.
    pub fn run(
        &self,
        program: &str,
        arguments: &[&OsStr],
        folder: &Path,
        input: &[u8],
    ) -> Result<Vec<u8>, HostError> {
        let ran = self.attempt(program, arguments, folder, input)?;
        if ran.status == Some(0) {
            return Ok(ran.out);
        }
        let said = if ran.err.is_empty() {
            ran.status.map_or_else(
                || "it was stopped".to_owned(),
                |status| format!("exit status {status}"),
            )
        } else {
            ran.err
        };
        let source = io::Error::other(said);
        Err(HostError::new("run", Path::new(program), source))
    }

    /// Fills the buffer with bytes that nobody can guess.
    pub fn random(&self, buffer: &mut [u8]) -> Result<(), HostError> {
        getrandom::fill(buffer).map_err(|error| {
            let source = error
                .raw_os_error()
                .map_or_else(|| io::Error::other(error), io::Error::from_raw_os_error);
            HostError::new("get random bytes from", Path::new("the system"), source)
        })
    }

    /// Returns the time in seconds since 1970. Only for what is asked of secrets: nothing that is built depends on it.
    pub fn now(&self) -> i64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.ok()
            .and_then(|since| i64::try_from(since.as_secs()).ok())
            .unwrap_or(i64::MAX)
    }

    /// Returns an environment variable, if it is set and is UTF-8.
    pub fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    /// Returns the command line, the program's own name first.
    pub fn arguments(&self) -> Vec<OsString> {
        std::env::args_os().collect()
    }

    /// Returns the folder that relative paths start from.
    pub fn current_folder(&self) -> Result<PathBuf, HostError> {
        std::env::current_dir()
            .map_err(|error| HostError::new("find", Path::new("the current folder"), error))
    }

    /// Says whether a person sees the output.
    pub fn prints_to_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Says whether a person sees the messages.
    pub fn warns_on_terminal(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Says whether a person could answer a question.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a person, and returns the answer without spaces around it: an empty one if there is none.
    pub fn ask(&self, question: &str) -> Result<String, HostError> {
        self.warn(question);
        let mut answer = String::new();
        io::stdin()
            .read_line(&mut answer)
            .map_err(|error| HostError::new("read from", Path::new("standard input"), error))?;
        Ok(answer.trim().to_owned())
    }

    /// Writes to standard output. A reader that has gone away (`| head`) is not an error.
    pub fn print(&self, text: &str) -> Result<(), HostError> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(HostError::new(
                "write to",
                Path::new("standard output"),
                error,
            )),
            _ => Ok(()),
        }
    }

    /// Writes to standard error. If that fails there is nobody left to tell.
    pub fn warn(&self, text: &str) {
        let mut out = io::stderr().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// An empty path means the current folder, as in `Path::new("dev").parent()`.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

/// A file in the place of a folder hides everything below: nothing is there either.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// File systems say "invalid argument" to flags they do not know, and kernels that they lack the call.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

fn do_not_follow(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    // A named pipe that nobody writes to would hold the compiler up for ever.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
}

fn create_with(options: &mut OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(mode);
}

fn permissions(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(mode).create(path)
}

fn make_symlink(leads_to: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(leads_to, path)
}

fn change_owner(path: &Path, (user, group): (u32, u32)) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(user), Some(group))
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange_names(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_if_free(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange_names(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_if_free(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
