//! `dialops exports`: those that there are, to be downloaded again or taken away.

use std::{
    convert::Infallible,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Subcommand;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::{
    client::Client,
    output::{self, Exit, Failure, Format, Out, note},
    target::Target,
    text::{Table, Zone, clean, or_dash, path_line},
};
use crate::http::wire::exports::{ExportList, ExportView};

/// Exports asked for at once.
const PAGE_LENGTH: &str = "1000";

/// What the name of a file ends with that is not whole.
const PART: &str = ".part";

/// Arguments of `dialops exports`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List exports, newest first: your own, or as an admin everybody's
    List {
        /// How to write it; JSON is one export a line
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Download one again
    Download {
        /// Its number
        id: u32,
        /// Where it goes, `-` for stdout; nothing that is there is overwritten [default: the name that the daemon gives it]
        #[arg(long, value_name = "FILE")]
        output: Option<Place>,
    },
    /// Take the file of one away, or cancel one that is not done
    Delete {
        /// Its number
        id: u32,
    },
}

/// Lists, downloads or deletes.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match args.command {
        Command::List { format } => list(&client, format).await?,
        Command::Download { id, output } => {
            output.as_ref().map(Place::check).transpose()?;
            let view: ExportView = client.get(&["exports", &id.to_string()], &[]).await?;
            note(format_args!("warning: {}", view.warning));
            let place = output.unwrap_or_else(|| Place::named(&view.file_name));
            download(&client, &view, &place).await?;
        }
        Command::Delete { id } => {
            client.delete(&["exports", &id.to_string()]).await?;
            note(format_args!("export {id} is taken away"));
        }
    }
    Ok(Exit::Ok)
}

async fn list(client: &Client, format: Format) -> Result<(), Failure> {
    let (mut out, mut all, mut cursor) = (Out::stdout(), Vec::new(), None::<String>);
    loop {
        let mut query = vec![("limit", PAGE_LENGTH)];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page: ExportList = client.get(&["exports"], &query).await?;
        match format {
            Format::Json => page.exports.iter().try_for_each(|export| out.json_line(export))?,
            Format::Text => all.extend(page.exports),
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if format == Format::Text {
        table(&all).into_iter().try_for_each(|line| out.line(line))?;
    }
    out.finish()
}

fn table(exports: &[ExportView]) -> Vec<String> {
    if exports.is_empty() {
        return vec!["no exports".to_owned()];
    }
    let zone = Zone::named("UTC");
    let mut table =
        Table::new(&["ID", "STATE", "ROWS", "WHAT", "FORMAT", "SHOWN", "OWNER", "EXPIRES AT", "REASON", "WHY"]);
    for export in exports {
        let rows =
            export.rows.map_or_else(|| format!("{}/{}", export.rows_done, export.rows_of), |rows| rows.to_string());
        let shown = if export.unmasked { "in full" } else { "masked" };
        let sealed = if export.recipient.is_some() { ", encrypted" } else { "" };
        table.row([
            export.id.to_string(),
            export.state.clone(),
            rows,
            format!("{} of {}", export.what, export.campaign),
            export.format.clone(),
            format!("{shown}{sealed}"),
            clean(&export.owner),
            zone.show(&export.expires_at),
            clean(&export.reason),
            or_dash(export.why.as_deref()),
        ]);
    }
    table.lines("")
}

/// Where a file goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Stdout,
    File(PathBuf),
}

impl FromStr for Place {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "-" { Self::Stdout } else { Self::File(text.into()) })
    }
}

impl Place {
    /// The file of a name that the daemon gives, in the folder that this runs in.
    pub(super) fn named(name: &str) -> Self {
        let name = Path::new(name).file_name().map_or_else(|| "export".into(), PathBuf::from);
        Self::File(name)
    }

    /// Whether something is there already.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self {
            Self::File(path) if path.symlink_metadata().is_ok() => {
                let hint = "nothing is overwritten: give another --output, or move that away";
                Err(Failure::bad_input(format!("{} is there already", path_line(path)), hint))
            }
            Self::File(_) | Self::Stdout => Ok(()),
        }
    }
}

/// Downloads the file of an export, and compares it with what the daemon says of it.
pub(super) async fn download(client: &Client, view: &ExportView, place: &Place) -> Result<(), Failure> {
    place.check()?;
    let id = view.id.to_string();
    let response = client.stream(&["exports", &id, "file"]).await?;
    let mut pieces = response.bytes_stream();
    let mut part = Part::begin(place)?;
    let mut hash = Sha256::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| client.unreachable(&error))?;
        hash.update(&piece);
        part.write(&piece)?;
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if view.sha256.as_deref().is_some_and(|wanted| wanted != digest) {
        let hint = format!("`dialops exports download {id}` gets it again");
        return Err(Failure::failed("what came is not what the daemon has written", hint));
    }
    part.keep()?;
    if let Place::File(path) = place {
        note(format_args!("export {id}: {} rows in {}", view.rows.unwrap_or_default(), path_line(path)));
    }
    Ok(())
}

/// A file that is not whole; dropped before it is, nothing is left of it.
enum Part {
    Stdout(io::Stdout),
    File { file: File, part: PathBuf, path: PathBuf, kept: bool },
}

impl Part {
    fn begin(place: &Place) -> Result<Self, Failure> {
        let Place::File(path) = place else { return Ok(Self::Stdout(io::stdout())) };
        let mut part = path.clone().into_os_string();
        part.push(PART);
        let part = PathBuf::from(part);
        // It holds personal data: nobody else may read it.
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let file = opened.map_err(|error| unwritten(&part, &error))?;
        Ok(Self::File { file, part, path: path.clone(), kept: false })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Stdout(out) => out.write_all(bytes).map_err(output::unwritten),
            Self::File { file, part, .. } => file.write_all(bytes).map_err(|error| unwritten(part, &error)),
        }
    }

    fn keep(mut self) -> Result<(), Failure> {
        match &mut self {
            Self::Stdout(out) => out.flush().map_err(output::unwritten),
            Self::File { file, part, path, kept } => {
                file.sync_all().map_err(|error| unwritten(part, &error))?;
                rename(part, path).map_err(|error| unwritten(path, &error))?;
                *kept = true;
                Ok(())
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Self::File { part, kept: false, .. } = self {
            // It may be gone.
            let _removed = std::fs::remove_file(part);
        }
    }
}

/// Gives a file its name, which must not be another's that has come to be there meanwhile.
fn rename(part: &Path, path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, part, CWD, path, RenameFlags::NOREPLACE) {
        // Some file systems don't know of it.
        Err(rustix::io::Errno::INVAL) if path.symlink_metadata().is_err() => std::fs::rename(part, path),
        renamed => Ok(renamed?),
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let hint = "give another --output; `dialops exports list` shows what can be downloaded";
    Failure::failed(format!("{} can't be written: {error}", path_line(path)), hint)
}
