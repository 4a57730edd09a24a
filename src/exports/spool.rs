//! The folder that exports lie in: for the daemon's user alone.
//!
//! A file's name says of which store and which export it is, and as the how manieth start it was written. Other files
//! are left alone, whoever has put them there.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    domain::export::{ExportFormat, ExportId},
    store::ExportRecord,
};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// What a name ends with while the file is not whole.
const PART: &str = ".part";

/// What the name of an encrypted file ends with.
const SEALED: &str = ".age";

/// The folder.
#[derive(Debug, Clone)]
pub struct Spool {
    folder: PathBuf,
    mark: String,
}

impl Spool {
    /// A folder, which need not be there, for exports of the store that has this key.
    #[must_use]
    pub fn new(folder: PathBuf, key: &[u8]) -> Self {
        let digest = Sha256::digest([b"exports of ", key].concat());
        let mark = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self { folder, mark }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder if it is not there, and keeps others out of it.
    pub(super) fn prepare(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.folder)?;
        let mode = fs::metadata(&self.folder)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            fs::set_permissions(&self.folder, Permissions::from_mode(FOLDER_MODE))?;
        }
        Ok(())
    }

    /// The name of the file of an export.
    pub(super) fn name(&self, record: &ExportRecord) -> String {
        let sealed = if record.asked.recipient.is_some() { SEALED } else { "" };
        self.name_of(record.id, record.starts, record.asked.format, sealed)
    }

    fn name_of(&self, id: ExportId, starts: u32, format: ExportFormat, sealed: &str) -> String {
        format!("{}-{id}-{starts}.{format}{sealed}", self.mark)
    }

    /// Where that file is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A new file that is yet to be whole.
    pub(super) fn begin(&self, name: &str) -> io::Result<File> {
        let path = self.path(&format!("{name}{PART}"));
        OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
    }

    /// It is whole: it gets its name, and that is on the disk when this returns.
    pub(super) fn keep(&self, name: &str) -> io::Result<()> {
        fs::rename(self.path(&format!("{name}{PART}")), self.path(name))?;
        File::open(&self.folder)?.sync_all()
    }

    /// Takes a file away, whole or not.
    pub(super) fn forget(&self, name: &str) -> io::Result<()> {
        for path in [self.path(&format!("{name}{PART}")), self.path(name)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// The files of this store's exports that are there, whole or not, by the names that they have when whole.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if self.is_own(&name) {
                names.push(name.strip_suffix(PART).unwrap_or(&name).to_owned());
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn is_own(&self, name: &str) -> bool {
        let rest = name.strip_prefix(&self.mark).and_then(|rest| rest.strip_prefix('-'));
        let Some((numbers, endings)) = rest.and_then(|rest| rest.split_once('.')) else { return false };
        let ending = endings.split('.').next().unwrap_or_default();
        let is_number = |text: &str| text.parse::<u32>().is_ok();
        numbers.split_once('-').is_some_and(|(id, starts)| is_number(id) && is_number(starts))
            && ExportFormat::parse(ending).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_has_its_name_once_it_is_whole_and_others_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path().join("exports"), &[7; 32]);
        let other = Spool::new(dir.path().join("exports"), &[8; 32]);
        assert_eq!(spool.names().unwrap(), Vec::<String>::new());
        spool.prepare().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(spool.folder()), 0o700);
        fs::set_permissions(spool.folder(), Permissions::from_mode(0o755)).unwrap();
        spool.prepare().unwrap();
        assert_eq!(mode(spool.folder()), 0o700, "others are kept out of a folder that was there");

        let name = spool.name_of(ExportId(7), 1, ExportFormat::Csv, SEALED);
        spool.begin(&name).unwrap().write_all(b"x").unwrap();
        assert!(spool.begin(&name).is_err());
        assert!(!spool.path(&name).exists());
        assert_eq!(spool.names().unwrap(), [name.as_str()]);
        spool.keep(&name).unwrap();
        assert_eq!(mode(&spool.path(&name)), 0o600);
        assert_eq!(spool.names().unwrap(), [name.as_str()]);
        let stranger = format!("{}-seven.csv", spool.mark);
        for stranger in ["notes.txt", &stranger] {
            fs::write(spool.path(stranger), "x").unwrap();
        }
        assert_eq!((spool.names().unwrap().len(), other.names().unwrap().len()), (1, 0));
        spool.forget(&name).unwrap();
        spool.forget(&name).unwrap();
        assert_eq!(spool.names().unwrap(), Vec::<String>::new());
        assert!(spool.path("notes.txt").exists());
    }
}
