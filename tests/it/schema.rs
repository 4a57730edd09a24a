//! The JSON Schemas: up to date.

use clap::Parser;
use dialops::cli::schema;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: schema::Args,
}

fn run(args: &[&str]) -> (u8, String) {
    let args = Command::parse_from([&["schema"], args].concat()).args;
    let mut err = Vec::new();
    let exit = schema::run(args, &mut Vec::new(), &mut err).unwrap();
    (exit, String::from_utf8(err).unwrap())
}

#[test]
fn the_committed_schemas_are_up_to_date() {
    assert_eq!(run(&["--check", "schemas"]), (0, "5 schemas in schemas are up to date\n".to_owned()));
}

#[test]
fn a_stale_schema_is_named_with_its_first_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(run(&["--write", path]).0, 0);
    assert_eq!(run(&["--check", path]).0, 0);
    let file = folder.path().join("tenant.schema.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("dialops tenant", "a tenant")).unwrap();
    let (exit, err) = run(&["--check", path]);
    assert_eq!(exit, 2);
    assert!(err.contains("tenant.schema.json:3 is stale: it has `\"title\": \"a tenant\",`"), "{err}");
    std::fs::remove_file(&file).unwrap();
    assert!(run(&["--check", path]).1.contains("tenant.schema.json cannot be read"));
}
