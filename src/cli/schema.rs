//! `dialops schema`: the JSON Schemas and the reference of all files, and the API's description, written or compared.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    config::{
        reference,
        schema::{self, Document},
    },
    http::openapi,
};

/// Write the JSON Schemas or the reference of all kinds of files, or check that they are up to date
///
/// Beside the schemas stands the API's description, openapi.json; `--openapi` prints it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    action: Action,

    /// The reference in Markdown instead of the schemas
    #[arg(long, conflicts_with = "openapi")]
    reference: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Action {
    /// Write them into this folder
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,

    /// Compare what is in this folder with what would be written
    #[arg(long, value_name = "DIR")]
    check: Option<PathBuf>,

    /// Print the API's description, OpenAPI 3.1, as a daemon of this version serves it at /api/openapi.json
    #[arg(long)]
    openapi: bool,
}

/// Writes or compares; exit code 0 if all is well, 2 if a file is stale.
pub fn run(args: Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    if args.action.openapi {
        out.write_all(openapi::text().as_bytes())?;
        return Ok(0);
    }
    let (documents, noun, flag) = if args.reference {
        (reference::pages(), "pages", "--reference ")
    } else {
        let openapi = Document { file: "openapi.json".to_owned(), text: openapi::text() };
        (schema::documents().into_iter().chain([openapi]).collect(), "schemas", "")
    };
    if let Some(folder) = args.action.write {
        write(&folder, &documents)?;
        writeln!(err, "wrote {} {noun} into {}", documents.len(), folder.display())?;
    }
    let Some(folder) = args.action.check else { return Ok(0) };
    let mut stale: Vec<String> = documents.iter().filter_map(|document| stale(&folder, document)).collect();
    stale.extend(strays(&folder, &documents));
    for difference in &stale {
        writeln!(err, "error: {difference}")?;
    }
    if stale.is_empty() {
        writeln!(err, "{} {noun} in {} are up to date", documents.len(), folder.display())?;
        return Ok(0);
    }
    writeln!(err, "help: run `dialops schema {flag}--write {}`", folder.display())?;
    Ok(2)
}

fn write(folder: &Path, documents: &[Document]) -> io::Result<()> {
    for document in documents {
        let path = folder.join(&document.file);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, &document.text)?;
    }
    Ok(())
}

/// Where a committed file first differs from what the program would write.
fn stale(folder: &Path, document: &Document) -> Option<String> {
    let path = folder.join(&document.file);
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

/// Files beside the documents that look like one and that nothing writes any more.
fn strays(folder: &Path, documents: &[Document]) -> Vec<String> {
    let mut strays = Vec::new();
    let mut folders: Vec<PathBuf> =
        documents.iter().filter_map(|d| folder.join(&d.file).parent().map(Into::into)).collect();
    folders.sort();
    folders.dedup();
    for path in folders.iter().flat_map(fs::read_dir).flatten().flatten().map(|entry| entry.path()) {
        let known = documents.iter().any(|document| folder.join(&document.file) == path);
        if path.is_file() && !known {
            strays.push(format!("{} belongs to no kind of file: remove it", path.display()));
        }
    }
    strays.sort();
    strays
}
