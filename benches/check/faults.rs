//! One file with eight faults: what each program says of it.

use std::fs;

use super::{Program, generate};

const FILE: &str = r#"id = "Spring Offer"
name = "Spring offer"
state = "runing"
mode = "preoccupied"
prioritty = 2
caller_numbers = ["+86 21 6000 1000"]
starts_at = 2031-03-01T09:00:00+08:00
ends_at = 2031-05-31T18:00:00+08:00

[calling_hours]
timezone = "Asia/Shanghai"
windows = ["9:00-18:00"]

[[calling_hours.special]]
weekdays = ["tues"]
windows = ["10:00-12:00"]

[results.global]
max_attempts_per_day = 0
"#;

/// Each fault: words of which a message about it has one, and where it stands.
const FAULTS: [(&[&str], &str); 8] = [
    (&["Spring Offer", "`id`"], "1:6"),
    (&["runing"], "3:9"),
    (&["prioritty"], "5:1"),
    (&["+86 21 6000 1000", "caller_numbers"], "6:19"),
    (&["9:00-18:00", "`windows`"], "12:12"),
    (&["tues"], "15:13"),
    (&["minimum", "≥ 1", "max_attempts_per_day"], "19:24"),
    (&["skill_queue"], "1:1"),
];

/// A message: its text, its place if it has one, and whether it suggests an edit.
struct Message {
    text: String,
    place: Option<String>,
    suggests: bool,
}

/// Prints the table.
pub(crate) fn table(programs: [Program; 4]) {
    println!("One file with {} faults:", FAULTS.len());
    println!("| program | reported | at the right place | messages too many | suggestions |\n|---|---|---|---|---|");
    for program in programs {
        let messages = said(program);
        let about = |message: &Message, words: &[&str]| words.iter().any(|word| message.text.contains(word));
        let reported = FAULTS.iter().filter(|(words, _)| messages.iter().any(|message| about(message, words))).count();
        let placed = FAULTS
            .iter()
            .filter(|(words, place)| {
                messages.iter().any(|message| about(message, words) && message.place.as_deref() == Some(*place))
            })
            .count();
        let suggestions = messages.iter().filter(|message| message.suggests).count();
        let many = messages.len().saturating_sub(reported);
        println!("| {} | {reported} | {placed} | {many} | {suggestions} |", program.name());
    }
}

fn said(program: Program) -> Vec<Message> {
    let root = tempfile::tempdir().unwrap();
    generate(root.path(), 0);
    fs::write(root.path().join("campaigns/spring.toml"), FILE).unwrap();
    let mut command = program.command(root.path());
    if program == Program::Dialops {
        command.args(["--format", "json"]);
    }
    let done = command.env("NO_COLOR", "1").output().unwrap();
    let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    match program {
        Program::Dialops => ours(&text),
        Program::CheckJsonschema => text
            .lines()
            .filter(|line| line.contains("spring.toml::$"))
            .map(|line| Message { text: line.to_owned(), place: None, suggests: false })
            .collect(),
        Program::Taplo => placed(&text, "error: "),
        Program::Tombi => placed(&text, "Error: "),
    }
}

fn ours(text: &str) -> Vec<Message> {
    // What goes to stderr stands behind the object.
    let report: serde_json::Value = serde_json::Deserializer::from_str(text).into_iter().next().unwrap().unwrap();
    let problems = report["problems"].as_array().unwrap();
    let message = |problem: &serde_json::Value| Message {
        text: problem["message"].as_str().unwrap().to_owned(),
        place: Some(format!("{}:{}", problem["line"], problem["column"])),
        suggests: problem["suggestion"].is_object(),
    };
    problems.iter().map(message).collect()
}

/// Messages whose place is in the next line, behind the name of the file.
fn placed(text: &str, start: &str) -> Vec<Message> {
    let lines: Vec<&str> = text.lines().collect();
    let mut messages = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(text) = line.trim_start().strip_prefix(start) else { continue };
        let place = lines[index + 1..].iter().take(2).find_map(|line| Some(line.split_once("spring.toml:")?.1.trim()));
        messages.push(Message { text: text.to_owned(), place: place.map(str::to_owned), suggests: false });
    }
    messages
}
