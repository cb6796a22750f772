//! Where the sockets of running pipelines are, and how one comes to be: only its owner can ever open it.
//!
//! A socket is made in a folder that nobody else can enter, gets its mode there, and is moved to its name, so there is no
//! moment at which others could connect. Everything happens relative to the opened folder: a symbolic link is never followed.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::fs::{chmodat, fstat, mkdir, mkdirat, open, openat, renameat_with, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Why a socket cannot be made or found.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The system refused something.
    #[error("cannot make the socket `{path}`: {source}")]
    System {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something is in the way.
    #[error("cannot make the socket `{path}`: {why}")]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What, and what to do.
        why: String,
    },
}

/// The folder for sockets: `remotemedia` in `runtime_dir` (`XDG_RUNTIME_DIR`), else one of the user's own in `/tmp`.
#[must_use]
pub fn socket_dir(runtime_dir: Option<&Path>) -> PathBuf {
    match runtime_dir {
        Some(folder) => folder.join("remotemedia"),
        None => PathBuf::from(format!("/tmp/remotemedia-{}", geteuid().as_raw())),
    }
}

/// A socket that listens. Dropping it removes it.
pub struct BoundSocket {
    pub(super) listener: UnixListener,
    pub(super) path: PathBuf,
    folder: OwnedFd,
    name: String,
    /// Device and inode: what has its name later need not be it.
    identity: (u64, u64),
}

impl BoundSocket {
    /// Makes the socket `path`, else `<process id>.sock` in `folder`. Who connects waits until somebody answers.
    ///
    /// # Errors
    /// When it cannot be made safely.
    pub fn new(path: Option<&Path>, folder: &Path) -> Result<Self, SocketError> {
        match path {
            Some(path) => Self::bind(path.to_owned(), false),
            None => Self::in_own_dir(folder),
        }
    }

    /// Makes the socket `<process id>.sock` in `folder`, which becomes a folder of mode 0700 when it is not there.
    fn in_own_dir(folder: &Path) -> Result<Self, SocketError> {
        let path = folder.join(format!("{}.sock", std::process::id()));
        match mkdir(folder, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(SocketError::System { path, source: error.into() }),
        }
        Self::bind(path, true)
    }

    fn bind(path: PathBuf, private: bool) -> Result<Self, SocketError> {
        let refused = |why: String| SocketError::Refused { path: path.clone(), why };
        let system = |source: io::Error| SocketError::System { path: path.clone(), source };
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| refused("it has no name".into()))?;
        let name = name.to_owned();
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let folder = open(parent, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOTDIR | Errno::LOOP => {
                refused(format!("`{}` is no folder, or a symbolic link", parent.display()))
            }
            error => system(error.into()),
        })?;
        if private {
            let stat = fstat(&folder).map_err(|error| system(error.into()))?;
            if stat.st_uid != geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
                return Err(refused(format!(
                    "the folder `{}` must be yours and nobody else's; remove it, or `chmod 700` it",
                    parent.display()
                )));
            }
        }
        remove_stale(&folder, &name).map_err(|error| match error {
            Stale::InTheWay(why) => refused(why),
            Stale::System(source) => system(source),
        })?;
        let listener = make(&folder, &name).map_err(system)?;
        let stat =
            statat(&folder, &*name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| system(error.into()))?;
        Ok(Self { listener, folder, name, identity: identity(&stat), path: path.clone() })
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        let stat = statat(&self.folder, &*self.name, AtFlags::SYMLINK_NOFOLLOW);
        if stat.is_ok_and(|stat| identity(&stat) == self.identity) {
            // Already gone is what was wanted.
            let _ = unlinkat(&self.folder, &*self.name, AtFlags::empty());
        }
    }
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// A short path of something in an opened folder: that of a socket may have 107 bytes only.
fn path_in(folder: &OwnedFd, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_fd().as_raw_fd()))
}

enum Stale {
    InTheWay(String),
    System(io::Error),
}

/// Removes a socket of that name on which nobody listens any more; nothing else.
fn remove_stale(folder: &OwnedFd, name: &str) -> Result<(), Stale> {
    let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(Stale::System(error.into())),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(Stale::InTheWay("something else has this name; choose another one".into()));
    }
    if stat.st_uid != geteuid().as_raw() {
        return Err(Stale::InTheWay("it is somebody else's; choose another name".into()));
    }
    match UnixStream::connect(path_in(folder, name)) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        _ => return Err(Stale::InTheWay("another run listens there; choose another name".into())),
    }
    unlinkat(folder, name, AtFlags::empty()).map_err(|error| Stale::System(error.into()))
}

/// A listening socket of mode 0600, which never had another mode where others could see it.
fn make(folder: &OwnedFd, name: &str) -> io::Result<UnixListener> {
    let nest = format!(".inspect-{}", std::process::id());
    // One that a killed process of the same number left.
    let _ = unlinkat(folder, format!("{nest}/s"), AtFlags::empty());
    let _ = unlinkat(folder, &*nest, AtFlags::REMOVEDIR);
    mkdirat(folder, &*nest, Mode::RWXU)?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let made = openat(folder, &*nest, flags, Mode::empty()).map_err(io::Error::from).and_then(|inside| {
        let listener = UnixListener::bind(path_in(&inside, "s"))?;
        chmodat(&inside, "s", Mode::RUSR | Mode::WUSR, AtFlags::empty())?;
        let moved = renameat_with(&inside, "s", folder, name, RenameFlags::NOREPLACE);
        if moved.is_err() {
            let _ = unlinkat(&inside, "s", AtFlags::empty());
        }
        moved?;
        Ok(listener)
    });
    unlinkat(folder, &*nest, AtFlags::REMOVEDIR)?;
    made
}
