//! Three validators that no one here wrote (check-jsonschema, Taplo and Tombi, all from PyPI) over the
//! examples and over a sample that uses every option. `tests/run` installs them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::config_fixtures::{FIXTURES, Files, files, write};

/// A program that holds files to a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validator {
    CheckJsonschema,
    Taplo,
    Tombi,
}

impl Validator {
    pub(crate) const ALL: [Self; 3] = [Self::CheckJsonschema, Self::Taplo, Self::Tombi];

    /// The command, from where `tests/run` installs it.
    fn command(self) -> Command {
        let name = match self {
            Self::CheckJsonschema => "check-jsonschema",
            Self::Taplo => "taplo",
            Self::Tombi => "tombi",
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin").join(name);
        assert!(path.exists(), "{} is not there; `tests/run` installs it", path.display());
        Command::new(path)
    }

    /// Holds files to the schemas of a draft; what it says if it refuses any.
    pub(crate) fn refuses(self, draft: Draft, files: &BySchema) -> Option<String> {
        // Copies, one folder for each schema, and no line that names one: the draft asked for shall judge.
        let root = tempfile::tempdir().unwrap();
        for (stem, files) in files {
            for (number, file) in files.iter().enumerate() {
                let text = fs::read_to_string(file).unwrap().replacen("#:schema ", "# schema: ", 1);
                let name = file.file_name().unwrap().to_str().unwrap();
                write(root.path(), &Files::from([(format!("{stem}/{number}-{name}"), text.into_bytes())]));
            }
        }
        let schema = |stem: &str| draft.folder().join(format!("{stem}.schema.json"));
        let mut command = self.command();
        command.current_dir(root.path());
        match self {
            Self::CheckJsonschema => {
                let each = files.keys().filter_map(|stem| {
                    let mut command = self.command();
                    let files = fs::read_dir(root.path().join(stem)).unwrap().map(|entry| entry.unwrap().path());
                    refused(command.arg("--schemafile").arg(schema(stem)).args(files))
                });
                each.reduce(|all, said| all + &said)
            }
            Self::Taplo => {
                let rule = |stem: &String| {
                    let schema = schema(stem);
                    format!("[[rule]]\ninclude = [\"{stem}/*\"]\nschema = {{ path = {schema:?}, enabled = true }}\n")
                };
                let rules: String = files.keys().map(rule).collect();
                fs::write(root.path().join(".taplo.toml"), format!("include = [\"**/*.toml\"]\n{rules}")).unwrap();
                refused(command.arg("lint"))
            }
            Self::Tombi => {
                let tie =
                    |stem: &String| format!("[[schemas]]\npath = {:?}\ninclude = [\"{stem}/*.toml\"]\n", schema(stem));
                let ties: String = files.keys().map(tie).collect();
                fs::write(root.path().join("tombi.toml"), format!("[schema]\ncatalog = {{ paths = [] }}\n{ties}"))
                    .unwrap();
                refused(command.args(["lint", "--offline"]))
            }
        }
    }
}

/// A folder of schemas.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Draft {
    From2020,
    Seven,
}

impl Draft {
    pub(crate) const ALL: [Self; 2] = [Self::From2020, Self::Seven];

    fn folder(self) -> PathBuf {
        let folder = match self {
            Self::From2020 => "schemas",
            Self::Seven => "schemas/draft-07",
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
    }
}

/// Files by the stem of their schema.
pub(crate) type BySchema = BTreeMap<String, Vec<PathBuf>>;

/// What a validator said if it did not end well.
fn refused(command: &mut Command) -> Option<String> {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    (!done.status.success()).then_some(said)
}

/// The stem of the schema of a file in a repository (`campaign`), as `.taplo.toml` ties the two.
pub(crate) fn schema_of(path: &str) -> String {
    let (_, schema) = ties().into_iter().rfind(|(glob, _)| matches(glob, path)).unwrap_or_else(|| {
        panic!(".taplo.toml ties {path} to no schema");
    });
    schema
}

/// Each glob of `.taplo.toml` with the stem of its schema.
fn ties() -> Vec<(String, String)> {
    let file: toml::Value = toml::from_str(&fs::read_to_string(".taplo.toml").unwrap()).unwrap();
    let mut ties = Vec::new();
    for rule in file["rule"].as_array().unwrap() {
        let schema = rule["schema"]["path"].as_str().unwrap();
        let stem = schema.strip_prefix("schemas/draft-07/").unwrap().strip_suffix(".schema.json").unwrap();
        let globs = rule["include"].as_array().unwrap().iter().map(|glob| glob.as_str().unwrap().to_owned());
        ties.extend(globs.map(|glob| (glob, stem.to_owned())));
    }
    ties
}

/// Whether a glob with at most one `*`, which stands for a name, matches a path.
fn matches(glob: &str, path: &str) -> bool {
    let Some((before, after)) = glob.split_once('*') else { return glob == path };
    let name = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// The stems of all schemas.
fn stems() -> BTreeSet<String> {
    let stem = |path: &str| path.strip_suffix(".schema.json").map(str::to_owned);
    dialops::config::schema::documents().iter().filter_map(|d| stem(&d.file)).filter(|s| !s.contains('/')).collect()
}

/// The examples that this repository ships, by path.
fn examples() -> Files {
    let mut found: Files =
        files(Path::new("campaigns")).into_iter().map(|(p, b)| (format!("campaigns/{p}"), b)).collect();
    found.insert("dialops.example.toml".to_owned(), fs::read("dialops.example.toml").unwrap());
    found.retain(|path, _| path.ends_with(".toml"));
    found
}

#[test]
fn every_example_names_its_schema() {
    for (path, bytes) in examples() {
        let text = String::from_utf8(bytes).unwrap();
        let named = text.lines().next().unwrap().strip_prefix("#:schema ").unwrap_or_default();
        let up = "../".repeat(path.matches('/').count());
        assert_eq!(named, format!("{up}schemas/draft-07/{}.schema.json", schema_of(&path)), "the first line of {path}");
    }
}

#[test]
fn the_examples_and_the_exhaustive_sample_hold_to_the_schemas() {
    let sample = Path::new(FIXTURES).join("exhaustive");
    let mut by_schema = BySchema::new();
    for path in examples().into_keys() {
        by_schema.entry(schema_of(&path)).or_default().push(PathBuf::from(path));
    }
    for path in files(&sample).into_keys() {
        by_schema.entry(schema_of(&path)).or_default().push(sample.join(path));
    }
    assert_eq!(by_schema.keys().cloned().collect::<BTreeSet<_>>(), stems(), "the kinds of files");
    for (validator, draft) in Validator::ALL.into_iter().flat_map(|v| Draft::ALL.map(|draft| (v, draft))) {
        assert_eq!(validator.refuses(draft, &by_schema), None, "{validator:?} {draft:?}");
    }
}

/// The committed ties alone, in a copy of the repository without a `#:schema` line: good files pass, and
/// each with a key that its kind does not have is refused, by both programs.
#[test]
fn the_ties_bring_each_kind_of_file_to_its_schema() {
    let sample = files(&Path::new(FIXTURES).join("exhaustive"));
    let root = tempfile::tempdir().unwrap();
    for file in [".taplo.toml", "tombi.toml"] {
        fs::copy(file, root.path().join(file)).unwrap();
    }
    let schemas = files(Path::new("schemas")).into_iter().map(|(path, bytes)| (format!("schemas/{path}"), bytes));
    write(root.path(), &schemas.collect());
    let lint = |validator: Validator| {
        let mut command = validator.command();
        command.current_dir(root.path()).arg("lint");
        refused(if validator == Validator::Tombi { command.arg("--offline") } else { &mut command })
    };
    write(root.path(), &sample);
    for validator in [Validator::Taplo, Validator::Tombi] {
        assert_eq!(lint(validator), None, "{validator:?} on good files");
    }
    let spoilt = sample.iter().map(|(path, bytes)| (path.clone(), [b"not-a-key = 1\n", bytes.as_slice()].concat()));
    write(root.path(), &spoilt.collect());
    for validator in [Validator::Taplo, Validator::Tombi] {
        let said = lint(validator).unwrap_or_default();
        for path in sample.keys() {
            assert!(said.contains(path), "{validator:?} takes a strange key in {path}: {said}");
        }
    }
    let tied: BTreeSet<String> = sample.keys().map(|path| schema_of(path)).collect();
    assert_eq!(tied, stems());
}
