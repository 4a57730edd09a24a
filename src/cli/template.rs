//! `dialops template`: a campaign's file as a template for others.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{
    check::folder::{Checked, campaigns_folder},
    output::{Exit, Failure, Out},
};
use crate::{
    config::{self, diagnostic::Severity, settings::outer_ceilings, suggest::nearest, template},
    domain::ids::TemplateId,
};

/// Arguments of `dialops template`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a campaign as a template, campaigns/templates/ID.toml
    ///
    /// Comments and formatting stay; identity and dates (id, name, description, starts_at, ends_at) go, and a comment
    /// right above one of them goes with it. If the campaign extends a template itself, what it has from there is
    /// written out behind its own keys, since templates do not extend each other. The campaign's file stays as it is.
    Save(Save),
}

#[derive(Debug, clap::Args)]
struct Save {
    /// Id of the campaign
    campaign: String,

    /// Id of the template: 1 to 64 of a-z, 0-9 and '-'
    id: String,

    /// Root of the configuration repository, or its folder of campaigns itself
    #[arg(long, default_value = ".")]
    dir: PathBuf,

    /// Write over a template that is there
    #[arg(long)]
    force: bool,
}

/// Exits with 2 when the campaign or the id is not good, and when the template is there already.
pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let Command::Save(args) = args.command;
    let id = TemplateId::parse(&args.id).map_err(|error| {
        Failure::bad_input(format!("{:?} is not an id: it {error}", args.id), "for instance `evening-survey`")
    })?;
    let folder = campaigns_folder(&args.dir, "campaigns").ok_or_else(|| {
        Failure::bad_input(
            format!("{} has no folder campaigns", args.dir.display()),
            "name the root of a configuration repository with --dir",
        )
    })?;
    let mut files = Checked::default();
    files.read_folder(&folder);
    let text = saved(&files, &args.campaign, &id)?;
    let inside = place(&files, &id, args.force)?;
    checks(&mut files, &inside, &text)?;
    let path = folder.join(&inside);
    write(&path, &text).map_err(|error| Failure::failed(format!("{}: {error}", path.display()), ""))?;
    let mut out = Out::stdout();
    out.line(format!("wrote {} from campaign {:?}", files.shown(&inside), args.campaign))?;
    out.line(format!("a campaign takes it up with `extends = \"{id}\"`"))?;
    out.finish()?;
    Ok(Exit::Ok)
}

/// The template's text.
fn saved(files: &Checked, campaign: &str, id: &TemplateId) -> Result<String, Failure> {
    let campaigns: Vec<(String, &str)> = with_ids(files, |path| !path.contains('/')).collect();
    let Some((_, text)) = campaigns.iter().find(|(id, _)| id == campaign) else {
        let hint = match nearest(campaign, campaigns.iter().map(|(id, _)| id.as_str())) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => "name it by the `id` in its file, not by the file".to_owned(),
        };
        return Err(Failure::bad_input(format!("no campaign in {} has the id {campaign:?}", files.folder), hint));
    };
    let extends = table(text).and_then(|table| Some(table.get("extends")?.as_str()?.to_owned()));
    let template = extends.and_then(|extends| {
        with_ids(files, |path| path.starts_with("templates/")).find(|(id, _)| *id == extends).map(|(_, text)| text)
    });
    template::save(text, template, id)
        .map_err(|error| Failure::bad_input(format!("the campaign's file is not TOML: {error}"), "run `dialops check`"))
}

/// The files that `kind` asks for and that have an id, with it.
fn with_ids(files: &Checked, kind: impl Fn(&str) -> bool) -> impl Iterator<Item = (String, &str)> {
    let files = files.files.iter().filter(move |(path, _)| kind(path));
    files.filter_map(|(_, bytes)| {
        let text = std::str::from_utf8(bytes).ok()?;
        Some((table(text)?.get("id")?.as_str()?.to_owned(), text))
    })
}

fn table(text: &str) -> Option<toml::Table> {
    text.parse().ok()
}

/// Where the template goes, inside the folder of campaigns.
fn place(files: &Checked, id: &TemplateId, force: bool) -> Result<String, Failure> {
    let inside = format!("templates/{id}.toml");
    if files.files.contains_key(&inside) && !force {
        let shown = files.shown(&inside);
        return Err(Failure::bad_input(format!("{shown} is there already"), "choose another id, or add --force"));
    }
    Ok(inside)
}

/// Sees to it that the template is good where it will stand.
fn checks(files: &mut Checked, inside: &str, text: &str) -> Result<(), Failure> {
    files.files.insert(inside.to_owned(), text.as_bytes().to_vec());
    let shown = files.shown(inside);
    let Err(found) = config::load(&files.folder, &files.sources(), &outer_ceilings()) else { return Ok(()) };
    let mut faults = found.iter().filter(|d| d.severity == Severity::Error && *d.location.file == *shown);
    match faults.next() {
        None => Ok(()),
        Some(fault) => {
            let message = format!("the template would not be good: {} (line {})", fault.message, fault.location.line);
            Err(Failure::bad_input(message, "run `dialops check`, mend the campaign, and save it again"))
        }
    }
}

/// Writes the file as a whole: what was there stays until the new text is complete.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".template-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path)?;
    Ok(())
}
