//! What `deploy/ci` and `.pre-commit-hooks.yaml` hold: read by a YAML parser that is not ours, and their
//! commands run in a sample repository.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value as Json;

use crate::config_fixtures::{FIXTURES, files, write};

/// A YAML file as JSON, as PyYAML and GitHub read it.
pub(crate) fn yaml(path: &str) -> Json {
    // check-jsonschema brings ruamel.yaml, which reads YAML 1.2: `on` is a word there.
    let script =
        "import json, sys; from ruamel.yaml import YAML; print(json.dumps(YAML(typ='safe').load(open(sys.argv[1]))))";
    let done = Command::new("target/venv/bin/python").args(["-c", script, path]).output();
    let done = done.unwrap_or_else(|error| panic!("{error}; `tests/run` installs it"));
    assert!(done.status.success(), "{path}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// A repository with a good commit; its id.
fn repository(root: &Path) -> String {
    write(root, &files(&Path::new(FIXTURES).join("exhaustive")));
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=Ops", "-c", "user.email=ops@example.net", "-c", "init.defaultBranch=main"];
        let done = Command::new("git").arg("-C").arg(root).args(identity).args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "good"]);
    git(&["rev-parse", "HEAD"])
}

/// Runs a command of a snippet there, as CI would: with a shell and the program on the path.
fn run(root: &Path, command: &str, environment: &[(&str, &str)]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_dialops")).parent().unwrap().to_owned();
    #[expect(clippy::disallowed_methods, reason = "the steps find the program in their path")]
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-e", "-c", command]).current_dir(root).env("PATH", path);
    for variable in ["GITHUB_ACTIONS", "GITLAB_CI", "BASE", "CI_MERGE_REQUEST_DIFF_BASE_SHA"] {
        shell.env_remove(variable);
    }
    shell.envs(environment.iter().copied()).output().unwrap()
}

fn spoil(root: &Path) {
    let path = root.join("campaigns/spring.toml");
    let text = fs::read_to_string(&path).unwrap().replacen("state = \"running\"", "state = \"runing\"", 1);
    fs::write(path, text).unwrap();
}

#[test]
fn the_github_workflow_checks_and_annotates() {
    let workflow = yaml("deploy/ci/check.github.yml");
    assert!(workflow["on"].get("pull_request").is_some());
    let steps = workflow["jobs"]["check"]["steps"].as_array().unwrap();
    let command = steps.iter().find(|step| step["name"] == "check").unwrap()["run"].as_str().unwrap();
    let root = tempfile::tempdir().unwrap();
    let base = repository(root.path());
    for environment in
        [&[("GITHUB_ACTIONS", "true"), ("BASE", base.as_str())][..], &[("GITHUB_ACTIONS", "true"), ("BASE", "")]]
    {
        let done = run(root.path(), command, environment);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    }
    spoil(root.path());
    let done = run(root.path(), command, &[("GITHUB_ACTIONS", "true"), ("BASE", &base)]);
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.code() == Some(2) && out.contains("::error file=campaigns/spring.toml,line="), "{out}");
}

#[test]
fn the_gitlab_job_checks_and_reports() {
    let job = &yaml("deploy/ci/check.gitlab.yml")["dialops-check"];
    let report = job["artifacts"]["reports"]["codequality"].as_str().unwrap();
    let script: Vec<&str> = job["script"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let root = tempfile::tempdir().unwrap();
    let base = repository(root.path());
    let in_ci = [("GITLAB_CI", "true"), ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.as_str())];
    for environment in [&in_ci[..], &in_ci[..1]] {
        let done = run(root.path(), &script.join("\n"), environment);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    }
    spoil(root.path());
    assert_eq!(run(root.path(), &script.join("\n"), &in_ci).status.code(), Some(2));
    let found: Json = serde_json::from_slice(&fs::read(root.path().join(report)).unwrap()).unwrap();
    let found = found.as_array().unwrap();
    assert!(
        found.iter().any(|problem| {
            problem["location"]["path"] == "campaigns/spring.toml" && problem["check_name"] == "E0104"
        })
    );
}

#[test]
fn the_hook_checks_all_files_at_once() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hook = &hooks[0];
    assert_eq!(hook["pass_filenames"], false);
    let root = tempfile::tempdir().unwrap();
    repository(root.path());
    let entry = hook["entry"].as_str().unwrap();
    assert_eq!(run(root.path(), entry, &[]).status.code(), Some(0));
    spoil(root.path());
    assert_eq!(run(root.path(), entry, &[]).status.code(), Some(2));
}
