//! `dialops schema`: the JSON Schemas of all files, written or compared.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::config::schema::{Document, documents};

/// Write the JSON Schemas of all kinds of files, or check that they are up to date
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Args {
    /// Write the schemas into this folder
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,

    /// Compare the schemas in this folder with what would be written
    #[arg(long, value_name = "DIR")]
    check: Option<PathBuf>,
}

/// Writes or compares; exit code 0 if all is well, 2 if a schema is stale.
pub fn run(args: Args, _out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let documents = documents();
    if let Some(folder) = args.write {
        fs::create_dir_all(&folder)?;
        for document in &documents {
            fs::write(folder.join(document.file), &document.text)?;
        }
        writeln!(err, "wrote {} schemas into {}", documents.len(), folder.display())?;
    }
    let Some(folder) = args.check else { return Ok(0) };
    let stale: Vec<String> = documents.iter().filter_map(|document| stale(&folder, document)).collect();
    for difference in &stale {
        writeln!(err, "error: {difference}")?;
    }
    if stale.is_empty() {
        writeln!(err, "{} schemas in {} are up to date", documents.len(), folder.display())?;
        return Ok(0);
    }
    writeln!(err, "help: run `dialops schema --write {}`", folder.display())?;
    Ok(2)
}

/// Where a committed schema first differs from what the program would write.
fn stale(folder: &Path, document: &Document) -> Option<String> {
    let path = folder.join(document.file);
    let shown = path.display();
    let committed = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Some(format!("{shown} cannot be read: {error}")),
    };
    if committed == document.text {
        return None;
    }
    let mut lines = committed.lines().zip(document.text.lines()).enumerate();
    let first = lines.find(|(_, (old, new))| old != new);
    Some(match first {
        Some((index, (old, new))) => {
            format!("{shown}:{} is stale: it has `{}`, and should have `{}`", index + 1, old.trim(), new.trim())
        }
        None => format!("{shown} is stale: it has another length"),
    })
}
