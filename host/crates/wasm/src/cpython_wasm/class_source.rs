//! The Python files beside a manifest, copied into a folder that a sandboxed class may see. What else lies there, a
//! `.env` or somebody's home, stays out of the sandbox.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use remotemedia_core::{ErrorKind, NodeError};
use tempfile::TempDir;

const MOST_FILES: usize = 4_096;
const MOST_BYTES: u64 = 64 << 20;
const MOST_NESTED: usize = 16;

/// A copy of a folder's modules (`*.py`) and packages (folders with an `__init__.py`, whole). Gone when dropped.
#[derive(Debug)]
pub(crate) struct ClassSource {
    copy: TempDir,
    origin: PathBuf,
}

impl ClassSource {
    /// Copies the modules and packages of `folder`. Links that lead out of it are left out.
    ///
    /// # Errors
    /// `Unavailable` when a file cannot be read or copied, `LimitExceeded` when there are too many.
    pub fn copy(folder: &Path) -> Result<Self, NodeError> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let failed = |error: io::Error| {
            let message = format!(
                "the Python files of {} cannot be copied for the sandbox: {error}. Check that they can be read, and \
                 that there is room in the folder for temporary files",
                folder.display()
            );
            NodeError::new(ErrorKind::Unavailable, message)
        };
        let origin = folder.canonicalize().map_err(failed)?;
        let copy = tempfile::Builder::new().prefix("remotemedia-class-").tempdir().map_err(failed)?;
        let mut budget = Budget { files: MOST_FILES, bytes: MOST_BYTES };
        match copy_modules(&origin, copy.path(), &origin, &mut budget).map_err(failed)? {
            Room::Enough => Ok(Self { copy, origin }),
            Room::None => Err(NodeError::new(
                ErrorKind::LimitExceeded,
                format!(
                    "{} holds more than {MOST_FILES} Python files or {} MiB of them: give the class a folder of its own",
                    folder.display(),
                    MOST_BYTES >> 20
                ),
            )),
        }
    }

    /// Where the copies are.
    pub fn path(&self) -> &Path {
        self.copy.path()
    }

    /// Where they come from.
    pub fn origin(&self) -> &Path {
        &self.origin
    }
}

struct Budget {
    files: usize,
    bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Enough,
    None,
}

/// The modules and packages of a folder that is no package itself.
fn copy_modules(from: &Path, to: &Path, origin: &Path, budget: &mut Budget) -> io::Result<Room> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let room = if path.extension() == Some(OsStr::new("py")) && is_inside(&path, origin) && path.is_file()
        {
            copy_file(&path, to, budget)?
        } else if path.join("__init__.py").is_file() && is_inside(&path, origin) && !is_hidden(&path) {
            copy_package(&path, to, origin, budget, MOST_NESTED)?
        } else {
            Room::Enough
        };
        if room == Room::None {
            return Ok(room);
        }
    }
    Ok(Room::Enough)
}

/// A package with everything in it but hidden files and compiled code.
fn copy_package(
    from: &Path,
    to: &Path,
    origin: &Path,
    budget: &mut Budget,
    nested: usize,
) -> io::Result<Room> {
    let (Some(name), Some(nested)) = (from.file_name(), nested.checked_sub(1)) else { return Ok(Room::None) };
    let to = to.join(name);
    fs::create_dir(&to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if is_hidden(&path) || !is_inside(&path, origin) {
            continue;
        }
        let room = if path.is_dir() {
            copy_package(&path, &to, origin, budget, nested)?
        } else {
            copy_file(&path, &to, budget)?
        };
        if room == Room::None {
            return Ok(room);
        }
    }
    Ok(Room::Enough)
}

fn copy_file(from: &Path, to: &Path, budget: &mut Budget) -> io::Result<Room> {
    let metadata = fs::metadata(from)?;
    let Some(name) = from.file_name().filter(|_| metadata.is_file()) else { return Ok(Room::Enough) };
    let (Some(files), Some(bytes)) = (budget.files.checked_sub(1), budget.bytes.checked_sub(metadata.len()))
    else {
        return Ok(Room::None);
    };
    *budget = Budget { files, bytes };
    fs::copy(from, to.join(name))?;
    Ok(Room::Enough)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b".") || name == OsStr::new("__pycache__"))
}

/// False for links that lead out of the folder, and for what cannot be looked at.
fn is_inside(path: &Path, origin: &Path) -> bool {
    path.canonicalize().is_ok_and(|real| real.starts_with(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files_below(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn modules_and_packages_are_copied_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("nodes");
        for file in [
            "nodes.py",
            "pkg/__init__.py",
            "pkg/data/table.json",
            "pkg/.cache/x.py",
            "pkg/__pycache__/a.pyc",
            ".env",
            "secret.txt",
            "plain/not_a_package.py",
            ".git/__init__.py",
        ] {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        fs::write(root.path().join("outside.py"), "secret").unwrap();
        std::os::unix::fs::symlink(root.path().join("outside.py"), folder.join("link.py")).unwrap();
        std::os::unix::fs::symlink(folder.join("nodes.py"), folder.join("alias.py")).unwrap();
        let source = ClassSource::copy(&folder).unwrap();
        assert_eq!(
            files_below(source.path()),
            ["alias.py", "nodes.py", "pkg/__init__.py", "pkg/data/table.json"]
        );
        assert_eq!(source.origin(), folder.canonicalize().unwrap());
    }

    #[test]
    fn a_folder_with_too_many_files_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..=MOST_FILES {
            fs::write(folder.path().join(format!("m{number}.py")), "").unwrap();
        }
        let error = ClassSource::copy(folder.path()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::LimitExceeded);
        assert!(error.message.contains(folder.path().to_str().unwrap()), "{error}");
    }
}
