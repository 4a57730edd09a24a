//! `dialops questionnaire`: what agents have answered, counted, and completed by a supervisor.

use std::collections::BTreeMap;

use clap::{Subcommand, ValueEnum};
use futures_util::StreamExt;

use super::{
    client::Client,
    import::Lines,
    output::{Exit, Failure, Format, Out, note},
    target::Target,
    text::{Table, or_dash, short_revision},
};
use crate::http::wire::{
    cursor,
    questionnaire::{
        AnswerView, AnswersEvent, CountsView, FilledView, GivenView, QuestionCountsView, QuestionView,
        QuestionnaireView, SaveQuestionnaire, VersionCountsView,
    },
};

/// The columns of CSV before the answers.
const HEADER: [&str; 11] = [
    "attempt",
    "customer_id",
    "agent",
    "survey",
    "version",
    "state",
    "connected_at",
    "changed_at",
    "changed_by",
    "completed_at",
    "completed_by",
];

/// Arguments of `dialops questionnaire`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print what was answered in a campaign, attempt by attempt
    List {
        /// The campaign's id
        campaign: String,
        /// Only attempts after this one, for instance `a3-17`
        #[arg(long, value_name = "ATTEMPT")]
        after: Option<String>,
        /// How to write it; JSON is one attempt a line, CSV has a column for each question
        #[arg(long, value_enum, default_value_t)]
        format: ListFormat,
    },
    /// Count what was answered in a campaign, by version, question and answer
    Counts {
        /// The campaign's id
        campaign: String,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show what was asked and answered in an attempt
    Show {
        /// The attempt, as `dialops results` shows it
        attempt: String,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Complete the questionnaire of an attempt, or correct it
    Complete {
        /// The attempt, as `dialops results` shows it
        attempt: String,
        /// An answer, as QUESTION=ANSWER; several for a question that has several, none behind `=` takes it back. What
        /// is not named stays
        #[arg(long = "answer", value_name = "QUESTION=ANSWER", value_parser = parse_answer)]
        answers: Vec<(String, String)>,
    },
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum ListFormat {
    /// For people
    #[default]
    Text,
    /// One object a line
    Json,
    /// A header and rows
    Csv,
}

fn parse_answer(text: &str) -> Result<(String, String), String> {
    let (question, answer) = text.split_once('=').ok_or("write QUESTION=ANSWER")?;
    Ok((question.to_owned(), answer.to_owned()))
}

/// Lists, counts, shows or completes.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match args.command {
        Command::List { campaign, after, format } => list(&client, &campaign, after.as_deref(), format).await?,
        Command::Counts { campaign, format } => counts(&client, &campaign, format).await?,
        Command::Show { attempt, format } => show(&client, &attempt, format).await?,
        Command::Complete { attempt, answers } => complete(&client, &attempt, answers).await?,
    }
    Ok(Exit::Ok)
}

async fn list(client: &Client, campaign: &str, after: Option<&str>, format: ListFormat) -> Result<(), Failure> {
    let mut out = Out::stdout();
    let questions = if format == ListFormat::Csv { header(client, campaign, &mut out).await? } else { Vec::new() };
    let cursor = after.map(|after| cursor::behind(cursor::ANSWERS, after));
    let query: Vec<(&str, &str)> = cursor.as_deref().map(|cursor| ("cursor", cursor)).into_iter().collect();
    let response = client.stream_with(&["campaigns", campaign, "questionnaire", "answers"], &query).await?;
    let pieces = response.bytes_stream().map(|piece| piece.map_err(|error| client.unreachable(&error)));
    let mut lines = Lines::new(pieces);
    let mut none = true;
    while let Some(event) = lines.next().await? {
        match event {
            AnswersEvent::Answers(filled) => {
                none = false;
                match format {
                    ListFormat::Json => out.json_line(&filled)?,
                    ListFormat::Csv => out.csv_row(csv_fields(&filled, &questions))?,
                    ListFormat::Text => text(&filled).into_iter().try_for_each(|line| out.line(line))?,
                }
            }
            AnswersEvent::Done { .. } => {
                if none && format == ListFormat::Text {
                    out.line("nothing was answered")?;
                }
                return out.finish();
            }
            AnswersEvent::Failed(body) => return Err(Failure::failed(body.detail, body.hint)),
        }
    }
    Err(Failure::failed("the daemon broke off before the end of the list", "run the same command again"))
}

/// Writes the header of CSV: the questions of all versions, each once.
async fn header(client: &Client, campaign: &str, out: &mut Out) -> Result<Vec<String>, Failure> {
    let found: CountsView = client.get(&["campaigns", campaign, "questionnaire", "counts"], &[]).await?;
    let mut questions: Vec<String> = Vec::new();
    for question in found.versions.iter().flat_map(|version| &version.questions) {
        if !questions.contains(&question.question.id) {
            questions.push(question.question.id.clone());
        }
    }
    let columns = questions.iter().map(|question| format!("answer.{question}"));
    out.csv_row(HEADER.map(str::to_owned).into_iter().chain(columns))?;
    Ok(questions)
}

fn csv_fields(filled: &FilledView, questions: &[String]) -> Vec<String> {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let fixed = [
        filled.attempt.clone(),
        optional(&filled.customer),
        filled.agent.clone(),
        filled.survey.clone(),
        filled.version.to_string(),
        filled.state.clone(),
        optional(&filled.connected_at),
        optional(&filled.changed_at),
        optional(&filled.changed_by),
        optional(&filled.completed_at),
        optional(&filled.completed_by),
    ];
    let answer = |question: &String| match filled.answers.get(question) {
        // A spreadsheet would take it for a formula.
        Some(AnswerView::Text(text)) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Some(answer) => answer.to_string(),
        None => String::new(),
    };
    fixed.into_iter().chain(questions.iter().map(answer)).collect()
}

/// An attempt and its answers for people.
fn text(filled: &FilledView) -> Vec<String> {
    let FilledView { attempt, agent, survey, version, state, .. } = filled;
    let customer = or_dash(filled.customer.as_deref());
    let mut table = Table::new(&[&format!("{attempt}  {customer}  agent {agent}  {survey} {version}  {state}")]);
    for (question, answer) in &filled.answers {
        table.row([format!("  {question}: {answer}")]);
    }
    table.lines("")
}

async fn counts(client: &Client, campaign: &str, format: Format) -> Result<(), Failure> {
    let found: CountsView = client.get(&["campaigns", campaign, "questionnaire", "counts"], &[]).await?;
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(&found)?,
        Format::Text if found.versions.is_empty() => out.line("no call of this campaign has asked anything")?,
        Format::Text => {
            for version in &found.versions {
                counted(version).into_iter().try_for_each(|line| out.line(line))?;
            }
        }
    }
    out.finish()
}

fn counted(version: &VersionCountsView) -> Vec<String> {
    let VersionCountsView { survey, name, version: number, completed, partial, none, questions } = version;
    let title =
        format!("{survey} version {number} ({name}): {completed} complete, {partial} partial, {none} without answers");
    let mut table = Table::new(&[&title]);
    for QuestionCountsView { question, answered, answers, least, most, mean } in questions {
        let completed = |count: &crate::http::wire::questionnaire::CountView| {
            if count.partial == 0 {
                count.completed.to_string()
            } else {
                format!("{} + {} partial", count.completed, count.partial)
            }
        };
        table.row([format!("  {}: {}", question.id, question.text)]);
        table.row([format!("    answered: {}", completed(answered))]);
        for answer in answers {
            table.row([format!("    {}: {}", answer.answer, completed(&answer.count))]);
        }
        if let (Some(least), Some(most), Some(mean)) = (least, most, mean) {
            table.row([format!("    from {least} to {most}, mean {mean:.2}")]);
        }
    }
    table.lines("")
}

async fn show(client: &Client, attempt: &str, format: Format) -> Result<(), Failure> {
    let found: QuestionnaireView = client.get(&["attempts", attempt, "questionnaire"], &[]).await?;
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(&found)?,
        Format::Text => asked(&found).into_iter().try_for_each(|line| out.line(line))?,
    }
    out.finish()
}

fn asked(found: &QuestionnaireView) -> Vec<String> {
    let filled = &found.filled;
    let mut lines = Table::new(&[&format!(
        "attempt {} of campaign {}, agent {}, customer {}",
        filled.attempt,
        filled.campaign,
        filled.agent,
        or_dash(filled.customer.as_deref())
    )]);
    let saved = match (&filled.changed_by, &filled.changed_at) {
        (Some(by), Some(at)) => format!(", last saved by {by} at {at}"),
        _ => String::new(),
    };
    lines.row([format!(
        "{} version {} ({}) of commit {}: {}{saved}",
        filled.survey,
        filled.version,
        found.name,
        short_revision(&filled.revision),
        filled.state
    )]);
    for question in &found.questions {
        let answer = filled.answers.get(&question.id).map(ToString::to_string);
        let on_path = found.path.contains(&question.id);
        let answer = match answer {
            Some(answer) if on_path => answer,
            Some(answer) => format!("{answer} (beside the way)"),
            None if found.missing.contains(&question.id) => "(missing)".to_owned(),
            None if on_path => "-".to_owned(),
            None => continue,
        };
        lines.row([format!("  {} ({}): {answer}", question.text, question.id)]);
    }
    lines.lines("")
}

async fn complete(client: &Client, attempt: &str, given: Vec<(String, String)>) -> Result<(), Failure> {
    let path = ["attempts", attempt, "questionnaire"];
    let found: QuestionnaireView = client.get(&path, &[]).await?;
    let answers = merged(&found, given)?;
    let wanted = SaveQuestionnaire { attempt: None, base: found.filled.sequence, answers: Some(answers) };
    let [attempts, attempt, questionnaire] = path;
    let done: QuestionnaireView = client.post_json(&[attempts, attempt, questionnaire, "complete"], &wanted).await?;
    note(format_args!("the questionnaire of attempt {attempt} is complete: {} answers", done.filled.answers.len()));
    Ok(())
}

/// What is stored with what is given in its place.
fn merged(
    found: &QuestionnaireView,
    given: Vec<(String, String)>,
) -> Result<BTreeMap<String, Option<GivenView>>, Failure> {
    let mut answers: BTreeMap<String, Option<GivenView>> = BTreeMap::new();
    for (id, answer) in &found.filled.answers {
        let stored = match answer {
            AnswerView::Text(text) => Some(GivenView::Text(text.clone())),
            AnswerView::Number(number) => Some(GivenView::Number(*number)),
            AnswerView::List(options) => Some(GivenView::List(options.clone())),
            AnswerView::Erased { .. } => None,
        };
        answers.insert(id.clone(), stored);
    }
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, text) in given {
        texts.entry(id).or_default().push(text);
    }
    for (id, texts) in texts {
        let question = found.questions.iter().find(|question| question.id == id);
        let unknown = || {
            let known: Vec<&str> = found.questions.iter().map(|question| question.id.as_str()).collect();
            Failure::bad_input(format!("no question {id:?} in it"), format!("it has {}", known.join(", ")))
        };
        answers.insert(id.clone(), answer(question.ok_or_else(unknown)?, texts)?);
    }
    Ok(answers)
}

fn answer(question: &QuestionView, texts: Vec<String>) -> Result<Option<GivenView>, Failure> {
    let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    if texts.is_empty() {
        return Ok(None);
    }
    if question.kind == "multiple" {
        return Ok(Some(GivenView::List(texts)));
    }
    let [text] = texts.as_slice() else {
        return Err(Failure::bad_input(format!("question {:?} has one answer", question.id), "give it once"));
    };
    if question.kind == "number" || question.kind == "scale" {
        let number = text.parse().map_err(|_| {
            Failure::bad_input(
                format!("{text:?} is no whole number"),
                format!("question {:?} asks for one", question.id),
            )
        })?;
        return Ok(Some(GivenView::Number(number)));
    }
    Ok(Some(GivenView::Text(text.clone())))
}
