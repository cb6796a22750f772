//! `wasi:filesystem` within limits: wasmtime's own, in front of which everything is counted that takes
//! space on the disk, memory of the host or its descriptors, with directories that this host has opened itself.

mod listings;
mod open_files;
mod quota;
mod reader;
mod writer;

use std::fs::File;
use std::sync::Arc;

use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir, OpenMode, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags,
    PathFlags,
};
use wasmtime_wasi::p2::bindings::sync::io::streams::{Error, InputStream, OutputStream};
use wasmtime_wasi::p2::{FsError, FsResult};

pub(crate) use listings::Listings;
pub(crate) use open_files::OpenFiles;
pub(crate) use quota::{Disk, Quota};
use reader::FileReader;
use writer::{FileWriter, Place, count};

/// The files of a guest.
pub(crate) struct LimitedFiles<'a> {
    pub wasi: WasiFilesystemCtxView<'a>,
    pub disk: &'a Arc<Disk>,
    pub listings: &'a mut Listings,
    /// What was granted, open, and what the guest calls it.
    pub dirs: &'a [(Dir, String)],
}

impl HasData for LimitedFiles<'static> {
    type Data<'a> = LimitedFiles<'a>;
}

impl LimitedFiles<'_> {
    fn open(
        &mut self,
        directory: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let opening = self.disk.opening().map_err(FsError::trap)?;
        let opened = self.wasi.open_at(directory, path_flags, path, how, flags)?;
        opening.done(match self.wasi.table.get(&opened)? {
            Descriptor::File(file) => &file.file,
            Descriptor::Dir(directory) => &directory.dir,
        });
        Ok(opened)
    }

    /// The file that writing to `descriptor` changes; `None` when wasmtime will not let it be written.
    fn writable(&self, descriptor: &Resource<Descriptor>) -> FsResult<Option<Arc<File>>> {
        Ok(match self.wasi.table.get(descriptor)? {
            Descriptor::File(file)
                if !file.perms.write_not_permitted() && file.open_mode.contains(OpenMode::WRITE) =>
            {
                Some(Arc::clone(&file.file))
            }
            _ => None,
        })
    }

    /// Counts what `make` makes in `directory`, unless it fails.
    fn creating<T>(
        &mut self,
        directory: &Resource<Descriptor>,
        make: impl FnOnce(&mut Self) -> FsResult<T>,
    ) -> FsResult<T> {
        let may_write = match self.wasi.table.get(directory)? {
            Descriptor::Dir(directory) => !directory.perms.write_not_permitted(),
            Descriptor::File(_) => false,
        };
        if !may_write {
            return make(self);
        }
        self.disk.create().map_err(FsError::trap)?;
        make(self).inspect_err(|_| self.disk.not_created())
    }

    /// A stream that counts in the place of wasmtime's own, which has checked that there may be one.
    fn counting(
        &mut self,
        stream: Resource<OutputStream>,
        descriptor: &Resource<Descriptor>,
        place: Place,
    ) -> FsResult<Resource<OutputStream>> {
        if let Descriptor::File(file) = self.wasi.table.get(descriptor)? {
            let writer = FileWriter::new(Arc::clone(&file.file), place, Arc::clone(self.disk));
            *self.wasi.table.get_mut(&stream)? = Box::new(writer);
        }
        Ok(stream)
    }
}

fn is(error: &FsError, code: ErrorCode) -> bool {
    error.downcast_ref() == Some(&code)
}

/// The same resource once more, for another call.
fn again(descriptor: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(descriptor.rep())
}

impl preopens::Host for LimitedFiles<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let table = &mut self.wasi.table;
        let each =
            self.dirs.iter().map(|(dir, name)| Ok((table.push(Descriptor::Dir(dir.clone()))?, name.clone())));
        each.collect()
    }
}

impl Host for LimitedFiles<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<types::ErrorCode> {
        Host::convert_error_code(&mut self.wasi, error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<Error>,
    ) -> wasmtime::Result<Option<types::ErrorCode>> {
        Host::filesystem_error_code(&mut self.wasi, error)
    }
}

impl HostDescriptor for LimitedFiles<'_> {
    fn write(&mut self, file: Resource<Descriptor>, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        if let Some(written) = self.writable(&file)? {
            count(self.disk, &written, offset, bytes.len() as u64).map_err(FsError::trap)?;
        }
        self.wasi.write(file, bytes, offset)
    }

    fn write_via_stream(
        &mut self,
        file: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<OutputStream>> {
        let stream = self.wasi.write_via_stream(again(&file), offset)?;
        self.counting(stream, &file, Place::At(offset))
    }

    fn read_via_stream(
        &mut self,
        file: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<InputStream>> {
        let stream = self.wasi.read_via_stream(again(&file), offset)?;
        if let Descriptor::File(file) = self.wasi.table.get(&file)? {
            let reader = FileReader::new(Arc::clone(&file.file), offset);
            *self.wasi.table.get_mut(&stream)? = Box::new(reader);
        }
        Ok(stream)
    }

    fn append_via_stream(&mut self, file: Resource<Descriptor>) -> FsResult<Resource<OutputStream>> {
        let stream = self.wasi.append_via_stream(again(&file))?;
        self.counting(stream, &file, Place::End)
    }

    fn set_size(&mut self, file: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        if let Some(resized) = self.writable(&file)? {
            count(self.disk, &resized, size, 0).map_err(FsError::trap)?;
        }
        self.wasi.set_size(file, size)
    }

    fn open_at(
        &mut self,
        directory: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let open =
            |files: &mut Self, how| files.open(again(&directory), path_flags, path.clone(), how, flags);
        if !how.contains(OpenFlags::CREATE) {
            return open(self, how);
        }
        if !how.contains(OpenFlags::EXCLUSIVE) {
            match open(self, how & !OpenFlags::CREATE) {
                Err(error) if is(&error, ErrorCode::NoEntry) => {}
                there => return there,
            }
        }
        // Only this tells a file that was made from one that somebody else made meanwhile.
        match self.creating(&directory, |files| open(files, how | OpenFlags::EXCLUSIVE)) {
            Err(error) if is(&error, ErrorCode::Exist) && !how.contains(OpenFlags::EXCLUSIVE) => {}
            made_or_not => return made_or_not,
        }
        // A symbolic link to nothing, or somebody else was quicker: what may come to be now counts in any case.
        self.disk.create().map_err(FsError::trap)?;
        open(self, how)
    }

    fn create_directory_at(&mut self, directory: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.creating(&again(&directory), |files| files.wasi.create_directory_at(directory, path))
    }

    fn symlink_at(&mut self, directory: Resource<Descriptor>, to: String, path: String) -> FsResult<()> {
        self.creating(&again(&directory), |files| files.wasi.symlink_at(directory, to, path))
    }

    fn link_at(
        &mut self,
        from: Resource<Descriptor>,
        path_flags: PathFlags,
        old_path: String,
        directory: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.creating(&again(&directory), |files| {
            files.wasi.link_at(from, path_flags, old_path, directory, path)
        })
    }

    fn read_directory(
        &mut self,
        directory: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let measured = match self.wasi.table.get(&directory)? {
            Descriptor::Dir(directory) => self.listings.measure(&directory.dir)?.map_err(FsError::trap)?,
            Descriptor::File(_) => 0,
        };
        let entries = self.wasi.read_directory(directory)?;
        self.listings.keep(entries.rep(), measured);
        Ok(entries)
    }

    // From here on nothing has a limit: all is wasmtime's.

    fn advise(
        &mut self,
        file: Resource<Descriptor>,
        offset: Filesize,
        length: Filesize,
        advice: Advice,
    ) -> FsResult<()> {
        self.wasi.advise(file, offset, length, advice)
    }

    fn sync_data(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        self.wasi.sync_data(descriptor)
    }

    fn get_flags(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        self.wasi.get_flags(descriptor)
    }

    fn get_type(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorType> {
        self.wasi.get_type(descriptor)
    }

    fn set_times(
        &mut self,
        descriptor: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.wasi.set_times(descriptor, accessed, modified)
    }

    fn read(
        &mut self,
        file: Resource<Descriptor>,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        self.wasi.read(file, length, offset)
    }

    fn sync(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        self.wasi.sync(descriptor)
    }

    fn stat(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        self.wasi.stat(descriptor)
    }

    fn stat_at(
        &mut self,
        directory: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        self.wasi.stat_at(directory, path_flags, path)
    }

    fn set_times_at(
        &mut self,
        directory: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.wasi.set_times_at(directory, path_flags, path, accessed, modified)
    }

    fn drop(&mut self, descriptor: Resource<Descriptor>) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.wasi, descriptor)
    }

    fn readlink_at(&mut self, directory: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.wasi.readlink_at(directory, path)
    }

    fn remove_directory_at(&mut self, directory: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.wasi.remove_directory_at(directory, path)
    }

    fn rename_at(
        &mut self,
        directory: Resource<Descriptor>,
        path: String,
        new_directory: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.wasi.rename_at(directory, path, new_directory, new_path)
    }

    fn unlink_file_at(&mut self, directory: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.wasi.unlink_file_at(directory, path)
    }

    fn is_same_object(
        &mut self,
        one: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        self.wasi.is_same_object(one, other)
    }

    fn metadata_hash(&mut self, descriptor: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        self.wasi.metadata_hash(descriptor)
    }

    fn metadata_hash_at(
        &mut self,
        directory: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.wasi.metadata_hash_at(directory, path_flags, path)
    }
}

impl HostDirectoryEntryStream for LimitedFiles<'_> {
    fn read_directory_entry(
        &mut self,
        entries: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.wasi.read_directory_entry(entries)
    }

    fn drop(&mut self, entries: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.listings.let_go(entries.rep());
        HostDirectoryEntryStream::drop(&mut self.wasi, entries)
    }
}
