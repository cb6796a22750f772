//! The compile cache: machine code on disk, keyed by what it was compiled from and by what, and authenticated.
//!
//! Loading machine code trusts it wholly, so only what this host wrote is loaded: every entry begins with a keyed
//! hash over its name and content. A cache that cannot be used is no error: components are compiled again.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::cache_eviction;
use crate::cache_key::{self, KEY_BYTES};
use crate::known_files::Stamp;
use crate::machine_code::{MachineCode, authentic_component};
use crate::sealed_code::{SealedCode, UnsealedCode};

const TAG_BYTES: usize = blake3::OUT_LEN;
/// What is read at once: it stays in the processor's cache.
const CHUNK_BYTES: usize = 128 << 10;

/// What identifies a component: the hash of its bytes.
pub(crate) type Digest = blake3::Hash;

/// Compiled code of one engine's components, in one folder.
#[derive(Debug)]
pub(crate) struct CompileCache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
    most_bytes: u64,
}

/// What a look-up found.
pub(crate) enum Found {
    /// Code that this host wrote.
    Code(Component),
    /// Nothing.
    Nothing,
    /// Something that this host did not write, or not like that.
    Refused,
}

impl CompileCache {
    /// Opens the cache in `dir`, which is made when it is not there. Its entries together are kept below
    /// `most_bytes`.
    ///
    /// # Errors
    /// When the folder or its key cannot be made or read.
    pub fn open(dir: &Path, most_bytes: u64) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)?;
        Ok(Self { dir: dir.to_owned(), key: cache_key::load_or_make(dir)?, most_bytes })
    }

    /// The code of the component with that digest.
    pub fn load(&self, engine: &Engine, digest: &Digest) -> Found {
        let name = entry_name(engine, digest);
        let path = self.dir.join(&name);
        let Ok(mut entry) = File::open(&path) else { return Found::Nothing };
        let Ok(Some(code)) = self.authentic(&name, &mut entry) else { return Found::Refused };
        // The tag proves that a process that knew this user's key wrote exactly these bytes under exactly this name;
        // only `store` does, with machine code of this host.
        let component = authentic_component(engine, code);
        cache_eviction::mark_used(&path);
        component.map_or(Found::Refused, Found::Code)
    }

    /// Keeps the code of a component, and removes what was not used for longest when there is too much.
    ///
    /// # Errors
    /// When it cannot be written; what was there before stays.
    pub fn store(&self, engine: &Engine, digest: &Digest, code: &MachineCode<'_>) -> io::Result<()> {
        let name = entry_name(engine, digest);
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(self.tag(&name, code.bytes()).as_bytes())?;
        file.write_all(code.bytes())?;
        file.persist(self.dir.join(&name))?;
        cache_eviction::shrink(&self.dir, self.most_bytes, &name)
    }

    /// What `file` held when a process of this user read it while it had that stamp.
    pub fn known(&self, file: &Path, stamp: &Stamp) -> Option<Digest> {
        let name = self.note_name(file, stamp);
        let note = fs::read(self.dir.join(&name)).ok()?;
        let (tag, digest) = note.split_first_chunk::<TAG_BYTES>()?;
        let is_ours = blake3::Hash::from_bytes(*tag) == self.tag(&name, digest);
        is_ours.then(|| digest.try_into().ok().map(Digest::from_bytes)).flatten()
    }

    /// Notes that `file` holds `digest` as long as it has this stamp, which is settled.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn note(&self, file: &Path, stamp: &Stamp, digest: &Digest) -> io::Result<()> {
        let name = self.note_name(file, stamp);
        let mut note = tempfile::NamedTempFile::new_in(&self.dir)?;
        note.write_all(self.tag(&name, digest.as_bytes()).as_bytes())?;
        note.write_all(digest.as_bytes())?;
        note.persist(self.dir.join(name))?;
        Ok(())
    }

    fn note_name(&self, file: &Path, stamp: &Stamp) -> String {
        let mut hasher = self.hasher("note");
        hasher.update(file.as_os_str().as_encoded_bytes()).update(&[0]);
        stamp.hash(&mut hasher);
        format!("{}.{}", hasher.finalize().to_hex(), cache_eviction::NOTE)
    }

    /// The code of an entry; `None` when its tag is wrong. What is hashed is what is kept: the entry's file is read once.
    fn authentic(&self, name: &str, entry: &mut File) -> io::Result<Option<SealedCode>> {
        let mut tag = [0; TAG_BYTES];
        entry.read_exact(&mut tag)?;
        let (mut hasher, mut code) = (self.hasher(name), UnsealedCode::new());
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = match entry.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => chunk.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(read);
            code.write_all(read)?;
        }
        let code = code.seal()?;
        // `blake3::Hash` compares in constant time.
        Ok((blake3::Hash::from_bytes(tag) == hasher.finalize()).then_some(code))
    }

    fn tag(&self, name: &str, code: &[u8]) -> blake3::Hash {
        self.hasher(name).update(code).finalize()
    }

    fn hasher(&self, name: &str) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hasher
    }
}

/// `<hash of component and engine>.cwasm`: another wasmtime, other settings or another processor is another entry.
fn entry_name(engine: &Engine, digest: &Digest) -> String {
    let mut hasher = EngineHasher(blake3::Hasher::new());
    hasher.0.update(digest.as_bytes());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}.cwasm", hasher.0.finalize().to_hex())
}

/// Lets what implements `Hash` feed a cryptographic hash.
struct EngineHasher(blake3::Hasher);

impl Hasher for EngineHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.finalize().as_bytes().first_chunk::<8>().map_or(0, |head| u64::from_le_bytes(*head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "(component)";

    const MOST_BYTES: u64 = 1 << 20;

    fn compiled(engine: &Engine) -> (Digest, MachineCode<'static>) {
        let bytes = wat::parse_str(EMPTY).unwrap();
        (blake3::hash(&bytes), MachineCode::by_this_host(engine.precompile_component(&bytes).unwrap()))
    }

    fn only_entry(dir: &Path) -> PathBuf {
        let is_code = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "cwasm");
        let mut entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(is_code);
        let entry = entries.next().unwrap();
        assert_eq!(entries.next(), None);
        entry
    }

    #[test]
    fn what_was_stored_is_found_by_another_process_of_the_same_user() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let (digest, code) = compiled(&engine);
        let cache = CompileCache::open(dir.path(), MOST_BYTES).unwrap();
        assert!(matches!(cache.load(&engine, &digest), Found::Nothing));
        cache.store(&engine, &digest, &code).unwrap();
        let reopened = CompileCache::open(dir.path(), MOST_BYTES).unwrap();
        assert!(matches!(reopened.load(&engine, &digest), Found::Code(_)));
        assert!(matches!(reopened.load(&engine, &blake3::hash(b"another")), Found::Nothing));
    }

    #[test]
    fn what_a_file_held_is_known_as_long_as_it_does_not_change_and_to_its_user_only() {
        let (dir, other_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let cache = CompileCache::open(dir.path(), MOST_BYTES).unwrap();
        let (file, elsewhere) = (dir.path().join("node.wasm"), dir.path().join("other.wasm"));
        fs::write(&file, "one").unwrap();
        let (stamp, digest) = (Stamp::of(&file).unwrap(), blake3::hash(b"one"));
        assert_eq!(cache.known(&file, &stamp), None);
        cache.note(&file, &stamp, &digest).unwrap();
        assert_eq!(cache.known(&file, &stamp), Some(digest));
        assert_eq!(cache.known(&elsewhere, &stamp), None);
        // The same size, by another file that takes its place.
        fs::write(&elsewhere, "two").unwrap();
        fs::rename(&elsewhere, &file).unwrap();
        assert_eq!(cache.known(&file, &Stamp::of(&file).unwrap()), None);
        // Another user's note, and one with a flipped bit.
        let note = dir.path().join(cache.note_name(&file, &stamp));
        let other = CompileCache::open(other_dir.path(), MOST_BYTES).unwrap();
        fs::copy(&note, other_dir.path().join(other.note_name(&file, &stamp))).unwrap();
        assert_eq!(other.known(&file, &stamp), None);
        let good = fs::read(&note).unwrap();
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 1;
            fs::write(&note, &bad).unwrap();
            assert_eq!(cache.known(&file, &stamp), None, "byte {position} was not noticed");
        }
        fs::write(&note, &good[..40]).unwrap();
        assert_eq!(cache.known(&file, &stamp), None);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let (digest, code) = compiled(&engine);
        let cache = CompileCache::open(dir.path(), MOST_BYTES).unwrap();
        cache.store(&engine, &digest, &code).unwrap();
        let entry = only_entry(dir.path());
        let good = fs::read(&entry).unwrap();
        for position in (0..good.len()).step_by(97).chain([0, 31, 32, good.len() - 1]) {
            let mut bad = good.clone();
            bad[position] ^= 1;
            fs::write(&entry, &bad).unwrap();
            assert!(
                matches!(cache.load(&engine, &digest), Found::Refused),
                "byte {position} was not noticed"
            );
        }
        for length in [0, 31, 32, good.len() - 1] {
            fs::write(&entry, &good[..length]).unwrap();
            assert!(
                matches!(cache.load(&engine, &digest), Found::Refused),
                "a cut to {length} was not noticed"
            );
        }
        fs::write(&entry, &good).unwrap();
        assert!(matches!(cache.load(&engine, &digest), Found::Code(_)));
    }

    #[test]
    fn an_entry_of_another_name_or_another_user_is_refused() {
        let (dir, other_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let engine = Engine::default();
        let (digest, code) = compiled(&engine);
        let cache = CompileCache::open(dir.path(), MOST_BYTES).unwrap();
        cache.store(&engine, &digest, &code).unwrap();
        let entry = only_entry(dir.path());
        let renamed = blake3::hash(b"what an attacker wants to run");
        fs::copy(&entry, dir.path().join(entry_name(&engine, &renamed))).unwrap();
        assert!(matches!(cache.load(&engine, &renamed), Found::Refused));
        let other = CompileCache::open(other_dir.path(), MOST_BYTES).unwrap();
        fs::copy(&entry, other_dir.path().join(entry.file_name().unwrap())).unwrap();
        assert!(matches!(other.load(&engine, &digest), Found::Refused));
    }

    #[test]
    fn another_engine_setting_is_another_entry() {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        let (engine, other) = (Engine::default(), Engine::new(&config).unwrap());
        let digest = blake3::hash(b"");
        assert_ne!(entry_name(&engine, &digest), entry_name(&other, &digest));
        assert_eq!(entry_name(&engine, &digest), entry_name(&Engine::default(), &digest));
    }
}
