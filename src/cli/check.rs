//! `dialops check`: the configuration in a folder, read as the daemon would read it from a commit.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::ValueEnum;

use crate::config::{
    self, Diagnostic, Settings, SourceFile,
    code::Code,
    diagnostic::{Location, Severity},
    is_configuration, render,
    settings::outer_ceilings,
};

/// Largest file that is read; the daemon refuses larger ones too.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 16;

/// Check campaigns and everything they refer to
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Root of the configuration repository, or its folder of campaigns itself
    dir: PathBuf,

    /// How problems are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Settings whose ceilings hold; without them only what holds everywhere is checked
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,

    /// Whether text is coloured
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    color: Colour,
}

impl Args {
    /// Takes the global `--config` for `--settings`, which it is.
    #[must_use]
    pub fn or_settings(self, config: Option<PathBuf>) -> Self {
        Self { settings: self.settings.or(config), ..self }
    }
}

/// How problems are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Yes
    Always,
    /// No
    Never,
}

impl Colour {
    fn is_on(self) -> bool {
        match self {
            Self::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Checks; exit code 0 if nothing is wrong, 2 if something is.
pub fn run(args: Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let mut checked = Checked::default();
    let settings = args.settings.as_deref().and_then(|path| checked.settings(path));
    let name = settings.as_ref().map_or("campaigns", |settings| &settings.source.path);
    let Some(folder) = campaigns_folder(&args.dir, name) else {
        let dir = args.dir.display();
        writeln!(err, "error: {dir} has no folder {name}; name the root of a configuration repository")?;
        return Ok(2);
    };
    let shown = shown_path(&folder);
    checked.read_folder(&folder, &shown, "", 0);
    let ceilings = settings.map_or_else(outer_ceilings, |settings| settings.ceilings);
    let files: Vec<_> = checked.files.iter().map(|(path, bytes)| SourceFile { path, bytes }).collect();
    let found = match config::load(&shown, &files, &ceilings) {
        Ok((_, warnings)) => warnings,
        Err(found) => found,
    };
    checked.diagnostics.extend(found);
    match args.format {
        Format::Text => checked.write_text(&shown, args.color.is_on(), out, err)?,
        Format::Json => writeln!(out, "{}", render::json(&checked.diagnostics, checked.files.len())?)?,
    }
    Ok(if checked.diagnostics.iter().any(|d| d.severity == Severity::Error) { 2 } else { 0 })
}

/// The folder of campaigns: `name` in the repository's root, or the folder itself, known by its
/// `shared`.
fn campaigns_folder(dir: &Path, name: &str) -> Option<PathBuf> {
    let inside = dir.join(name);
    if inside.is_dir() {
        return Some(inside);
    }
    dir.join("shared").is_dir().then(|| dir.to_owned())
}

/// A path as people would type it: without `./`, with `/`.
fn shown_path(path: &Path) -> String {
    let parts = path.components().filter(|part| !matches!(part, std::path::Component::CurDir));
    parts.collect::<PathBuf>().to_string_lossy().into_owned()
}

/// What was read and what is wrong with it.
#[derive(Default)]
struct Checked {
    /// Configuration by its path inside the folder of campaigns.
    files: BTreeMap<String, Vec<u8>>,
    /// Settings by their shown path.
    settings: Option<(String, String)>,
    diagnostics: Vec<Diagnostic>,
}

impl Checked {
    fn settings(&mut self, path: &Path) -> Option<Settings> {
        let shown = path.to_string_lossy().into_owned();
        match fs::read_to_string(path) {
            Ok(text) => {
                let parsed = Settings::parse(path, &text);
                self.settings = Some((shown, text));
                parsed.map_err(|found| self.diagnostics.extend(found)).ok()
            }
            Err(error) => {
                self.refuse(&shown, format!("cannot be read: {error}"));
                None
            }
        }
    }

    fn refuse(&mut self, path: &str, message: String) {
        let path: Arc<str> = path.into();
        self.diagnostics.push(Diagnostic::error(Code::Unreadable, Location::file(&path), message));
    }

    /// Reads what is configuration in a folder, in the order of names; hidden entries are left alone.
    fn read_folder(&mut self, folder: &Path, shown: &str, inside: &str, depth: usize) {
        let listed = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let entries = match listed {
            Ok(entries) => entries,
            Err(error) => return self.refuse(shown, format!("cannot be listed: {error}")),
        };
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                self.refuse(&format!("{shown}/{}", name.to_string_lossy()), "has a name that is not UTF-8".to_owned());
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let (path, inside) = (entry.path(), format!("{inside}{name}"));
            let shown = format!("{shown}/{name}");
            match entry.file_type() {
                Ok(kind) if kind.is_symlink() => {
                    self.refuse(&shown, "is a symlink, and those are not followed; commit the file itself".to_owned());
                }
                Ok(kind) if kind.is_dir() && depth < DEPTH_MAX => {
                    self.read_folder(&path, &shown, &format!("{inside}/"), depth + 1);
                }
                Ok(kind) if kind.is_dir() => self.refuse(&shown, format!("is more than {DEPTH_MAX} folders deep")),
                Ok(kind) if is_configuration(&inside) && !kind.is_file() => {
                    self.refuse(&shown, "is neither a file nor a folder".to_owned());
                }
                Ok(_) if is_configuration(&inside) => match read_file(&path) {
                    Ok(bytes) => drop(self.files.insert(inside, bytes)),
                    Err(error) => self.refuse(&shown, error.to_string()),
                },
                Ok(_) => {}
                Err(error) => self.refuse(&shown, format!("cannot be read: {error}")),
            }
        }
    }

    fn write_text(&self, folder: &str, colour: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<()> {
        let source = |path: &str| {
            if let Some((known, text)) = &self.settings
                && known == path
            {
                return Some(text.as_str());
            }
            let inside = path.strip_prefix(folder)?.trim_start_matches('/');
            std::str::from_utf8(self.files.get(inside)?).ok()
        };
        for diagnostic in &self.diagnostics {
            writeln!(out, "{}\n", render::text(diagnostic, source, colour))?;
        }
        out.flush()?;
        let files = counted(self.files.len(), "file");
        writeln!(err, "checked {files} in {folder}: {}", summary(&self.diagnostics))
    }
}

/// How many there are of each severity: `2 errors, 1 note`.
fn summary(diagnostics: &[Diagnostic]) -> String {
    let counts =
        Severity::ALL.map(|severity| (severity, diagnostics.iter().filter(|d| d.severity == severity).count()));
    let found: Vec<String> = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| counted(count, severity.as_str()))
        .collect();
    if found.is_empty() { "nothing wrong".to_owned() } else { found.join(", ") }
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Reads a file that is small enough.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    if length > FILE_BYTES_MAX {
        let message =
            format!("has {length} bytes, and {FILE_BYTES_MAX} are allowed; contacts are imported, not committed");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    // It may have grown since; what is over the limit is cut, and the TOML says so.
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
