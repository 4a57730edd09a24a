//! `check --explain CODE`.

use std::io::{self, Write};

use crate::config::{code::Code, explain::Example};

/// Tells what a code means, with an example of the fault and of how it is mended.
pub(super) fn write(code: Code, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{code}: {}", code.about())?;
    let Some(explanation) = code.explanation() else { return Ok(()) };
    match explanation.example {
        Example::Edit { file, wrong, right } => {
            writeln!(out, "\nFor example, in {file}:\n\n{}\n\nRight:\n\n{}", indented(wrong), indented(right))?;
        }
        Example::Told(example) => writeln!(out, "\nFor example: {example}.")?,
    }
    writeln!(out, "\n{}", explanation.more)
}

fn indented(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| if line.is_empty() { String::new() } else { format!("    {line}") });
    lines.collect::<Vec<_>>().join("\n")
}
