//! Where the directories of the host are that nodes were granted, and how they are opened.
//!
//! A guest that may write a directory can put symbolic links there, and swap any directory below for one, before or
//! after somebody looks. So no link that lies in such a directory may lead out of it, and what lies in it is opened from
//! there downwards, one name after the other, without following any link. Above it only the operator changes things.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use remotemedia_core::policy::Grants;
use rustix::fs::{Mode, OFlags};

/// As many as Linux follows.
const MOST_LINKS: usize = 40;

#[cfg(target_os = "linux")]
const AS_PLACE: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const AS_PLACE: OFlags = OFlags::RDONLY;

/// The operator's directories, without symbolic links. One that is not there grants nothing.
pub(crate) struct Roots {
    writable: Vec<PathBuf>,
    readable: Vec<PathBuf>,
}

/// A directory of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// What no guest can move.
    anchor: PathBuf,
    /// From there on, without symbolic links when it was looked at.
    beneath: PathBuf,
}

impl Roots {
    pub fn new(grants: &Grants) -> Self {
        let absolute = |dirs: &[PathBuf]| dirs.iter().filter(|dir| dir.is_absolute()).cloned().collect();
        let (writable, readable): (Vec<PathBuf>, Vec<PathBuf>) =
            (absolute(&grants.fs_write), absolute(&grants.fs_read));
        // A granted directory may lie in another one that guests may write.
        let guarded: Vec<PathBuf> = writable.iter().filter_map(|dir| dir.canonicalize().ok()).collect();
        let real = |dirs: Vec<PathBuf>| dirs.iter().filter_map(|dir| follow(dir, &guarded).ok()).collect();
        Self { writable: real(writable), readable: real(readable) }
    }

    /// The directory that `path` means; `None` when it lies in none that is granted.
    ///
    /// # Errors
    /// Why it means none, in words that follow what was asked for.
    pub fn locate(&self, path: &Path, to_write: bool) -> Result<Option<Location>, String> {
        let real = follow(path, &self.writable)?;
        if !real.is_dir() {
            return Err("which is not a directory: name the one that it lies in".into());
        }
        // Who may write a directory may read it too.
        let readable = if to_write { &[][..] } else { &self.readable };
        let holds = |root: &&PathBuf| real.starts_with(root);
        let Some(root) = self.writable.iter().chain(readable).find(holds) else { return Ok(None) };
        // All that hold it lie in each other; the shortest is the outermost.
        let outermost = self.writable.iter().filter(holds).min_by_key(|root| root.as_os_str().len());
        let anchor = outermost.unwrap_or(root);
        let beneath = real.strip_prefix(anchor).unwrap_or(&real).to_owned();
        Ok(Some(Location { anchor: anchor.clone(), beneath }))
    }
}

impl Location {
    /// A directory of the host's own, which no guest can write.
    pub fn of_the_host(dir: &Path) -> Self {
        Self { anchor: dir.to_owned(), beneath: PathBuf::new() }
    }

    /// Whether one of the two holds the other. `dir` is without symbolic links.
    pub fn overlaps(&self, dir: &Path) -> bool {
        let here = self.anchor.join(&self.beneath);
        here.starts_with(dir) || dir.starts_with(here)
    }

    /// Opens what is there now.
    ///
    /// # Errors
    /// When that is no directory, or not where it was.
    pub fn open(&self) -> io::Result<File> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | AS_PLACE;
        let mut dir = rustix::fs::open(&self.anchor, flags, Mode::empty())?;
        for part in self.beneath.components() {
            let Component::Normal(name) = part else { return Err(io::ErrorKind::InvalidInput.into()) };
            dir =
                rustix::fs::openat(&dir, name, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(|error| {
                    let name = name.display();
                    io::Error::other(format!("{error} at `{name}`, where no symbolic link is followed"))
                })?;
        }
        Ok(dir.into())
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.anchor.join(&self.beneath).display().fmt(f)
    }
}

/// `path` with every symbolic link followed. No link that lies in one of the directories `guarded` may lead out of it.
fn follow(path: &Path, guarded: &[PathBuf]) -> Result<PathBuf, String> {
    let cannot = |error: io::Error| format!("which this host cannot open: {error}");
    let mut real = PathBuf::new();
    // The next one last.
    let mut ahead = parts(&std::path::absolute(path).map_err(cannot)?);
    let mut confined = Vec::new();
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            real.pop();
            continue;
        }
        let next = real.join(part);
        if !fs::symlink_metadata(&next).map_err(cannot)?.is_symlink() {
            real = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err("which this host cannot open: too many symbolic links".into());
        }
        confined.extend(guarded.iter().filter(|dir| next.starts_with(dir)));
        ahead.extend(parts(&fs::read_link(&next).map_err(cannot)?));
    }
    match confined.into_iter().find(|dir| !real.starts_with(dir)) {
        Some(dir) => Err(format!(
            "where a symbolic link leads out of `{}`, which nodes may write: name the directory that it means",
            dir.display()
        )),
        None => Ok(real),
    }
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_owned()).rev().collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with `data/in`, `secret` and a file in each.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            for dir in ["data/in", "data/other", "secret"] {
                fs::create_dir_all(place.at(dir)).unwrap();
                fs::write(place.at(dir).join("name"), dir).unwrap();
            }
            place
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(name)
        }

        fn roots(&self, read: &[&str], write: &[&str]) -> Roots {
            let dirs = |names: &[&str]| names.iter().map(|name| self.at(name)).collect();
            Roots::new(&Grants { fs_read: dirs(read), fs_write: dirs(write), ..Grants::default() })
        }

        /// Swaps a directory for a link, as a guest can.
        fn swap(&self, name: &str, target: &str) {
            fs::rename(self.at(name), self.at(name).with_extension("aside")).unwrap();
            symlink(target, self.at(name)).unwrap();
        }
    }

    fn found(roots: &Roots, path: &Path) -> Location {
        roots.locate(path, false).unwrap().unwrap()
    }

    /// The name in the file of an open directory.
    fn name_in(dir: &File) -> String {
        let file = rustix::fs::openat(dir, "name", OFlags::RDONLY, Mode::empty()).unwrap();
        io::read_to_string(File::from(file)).unwrap()
    }

    #[test]
    fn a_directory_is_opened_from_the_granted_one_downwards() {
        let place = Place::new();
        let location = found(&place.roots(&["data"], &[]), &place.at("data/in"));
        assert_eq!(location, Location { anchor: place.at("data"), beneath: "in".into() });
        assert_eq!(name_in(&location.open().unwrap()), "data/in");
        let itself = found(&place.roots(&["secret"], &[]), &place.at("secret"));
        assert_eq!(name_in(&itself.open().unwrap()), "secret");
        assert_eq!(name_in(&Location::of_the_host(&place.at("secret")).open().unwrap()), "secret");
    }

    #[test]
    fn a_directory_that_was_swapped_for_a_link_after_the_check_is_not_opened() {
        for target in ["../secret", "other"] {
            let place = Place::new();
            let location = found(&place.roots(&[], &["data"]), &place.at("data/in"));
            place.swap("data/in", target);
            let error = location.open().unwrap_err().to_string();
            assert!(error.contains("at `in`, where no symbolic link is followed"), "{error}");
        }
    }

    #[test]
    fn so_is_one_on_the_way_to_it() {
        let place = Place::new();
        fs::create_dir_all(place.at("data/in/deep/deeper")).unwrap();
        fs::create_dir_all(place.at("secret/deeper")).unwrap();
        let location = found(&place.roots(&[], &["data"]), &place.at("data/in/deep/deeper"));
        place.swap("data/in/deep", "../../secret");
        assert!(location.open().is_err());
    }

    #[test]
    fn a_granted_directory_that_lies_in_one_that_guests_may_write_cannot_be_swapped_either() {
        let place = Place::new();
        let location = found(&place.roots(&["data/in"], &["data"]), &place.at("data/in"));
        assert_eq!(location.anchor, place.at("data"));
        place.swap("data/in", "../secret");
        assert!(location.open().is_err());
        // Nor does it lead there when everything is looked at anew.
        let roots = place.roots(&["data/in"], &["data"]);
        assert!(roots.readable.is_empty());
        let refused = roots.locate(&place.at("data/in"), false).unwrap_err();
        assert!(refused.contains("leads out of") && refused.contains("which nodes may write"), "{refused}");
        // Neither by a way that the operator made.
        symlink(place.at("data/in"), place.at("alias")).unwrap();
        assert!(place.roots(&["alias"], &["data"]).readable.is_empty());
    }

    #[test]
    fn a_link_in_a_directory_that_guests_may_write_leads_to_no_other_granted_one() {
        let place = Place::new();
        symlink("../secret", place.at("data/link")).unwrap();
        symlink("in", place.at("data/within")).unwrap();
        let readable = place.roots(&["data", "secret"], &[]);
        assert_eq!(
            found(&readable, &place.at("data/link")).anchor,
            place.at("secret"),
            "the operator's link"
        );
        let writable = place.roots(&["secret"], &["data"]);
        assert!(writable.locate(&place.at("data/link"), false).is_err());
        assert_eq!(found(&writable, &place.at("data/within")).beneath, Path::new("in"));
    }

    #[test]
    fn links_in_a_circle_and_files_are_no_directories() {
        let place = Place::new();
        symlink("circle", place.at("data/circle")).unwrap();
        let roots = place.roots(&["data"], &[]);
        assert!(
            roots.locate(&place.at("data/circle"), false).unwrap_err().contains("too many symbolic links")
        );
        assert!(roots.locate(&place.at("data/in/name"), false).unwrap_err().contains("not a directory"));
        assert!(roots.locate(&place.at("data/absent"), false).unwrap_err().contains("cannot open"));
        assert_eq!(roots.locate(&place.at("secret"), false), Ok(None));
        assert_eq!(roots.locate(&place.at("data"), true), Ok(None), "reading is not writing");
    }
}
