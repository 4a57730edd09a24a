//! `dialops export`: asks for an export, follows it with a bar, and downloads it.

use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    client::Client,
    exports::{Place, download},
    output::{Exit, Failure, note},
    target::Target,
    text::clean,
};
use crate::http::wire::exports::{AskExport, ExportView};

/// How often it is asked how far it has come.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Arguments of `dialops export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Contacts, each with how far it has come
    Contacts(Wanted),
    /// Attempts, each with its result
    Attempts(Wanted),
}

#[derive(Debug, clap::Args)]
struct Wanted {
    /// The campaign's id
    campaign: String,
    /// How the file is written
    #[arg(long, value_enum, default_value_t)]
    format: FileFormat,
    /// Why it is wanted, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Where it goes, `-` for stdout; nothing that is there is overwritten [default: the name that the daemon gives it]
    #[arg(long, value_name = "FILE")]
    output: Option<Place>,
    /// Encrypt it to this recipient of age; only who has the key reads it then
    #[arg(long, value_name = "age1…")]
    recipient: Option<String>,
    /// Numbers and attributes in full, encrypted ones too; takes an admin
    #[arg(long)]
    unmasked: bool,
    /// How long the daemon keeps the file, such as 12h [default: as long as its settings allow]
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<String>,
    /// Only of this batch
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    /// Only attempts placed at this time or later; of contacts the newest attempt counts
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only attempts placed before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only attempts that ended so
    #[arg(long)]
    result: Option<String>,
    /// Only with this business result, such as callback or callback/soon
    #[arg(long, value_name = "RESULT")]
    business_result: Option<String>,
    /// With this attribute; may be repeated [default: all that are defined]
    #[arg(long = "attribute", value_name = "ID")]
    attributes: Vec<String>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum FileFormat {
    /// A header and rows
    #[default]
    Csv,
    /// A JSON object a line
    Jsonl,
    /// A workbook of a spreadsheet
    Xlsx,
}

impl FileFormat {
    fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Xlsx => "xlsx",
        }
    }
}

/// Makes an export and downloads it.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    let (what, wanted) = match args.command {
        Command::Contacts(wanted) => ("contacts", wanted),
        Command::Attempts(wanted) => ("attempts", wanted),
    };
    let output = wanted.output.clone();
    // Not only after a million rows.
    output.as_ref().map(Place::check).transpose()?;
    let made: ExportView = client.post_json(&["exports"], &asked(what, wanted)).await?;
    note(format_args!("warning: {}", made.warning));
    let done = follow(&client, made).await?;
    let place = output.unwrap_or_else(|| Place::named(&done.file_name));
    download(&client, &done, &place).await?;
    Ok(Exit::Ok)
}

fn asked(what: &str, wanted: Wanted) -> AskExport {
    AskExport {
        what: what.to_owned(),
        campaign: wanted.campaign,
        format: wanted.format.as_str().to_owned(),
        reason: wanted.reason,
        expires_in: wanted.expires_in,
        unmasked: wanted.unmasked,
        recipient: wanted.recipient,
        batch: wanted.batch,
        from: wanted.from,
        until: wanted.until,
        result: wanted.result,
        business_result: wanted.business_result,
        attributes: (!wanted.attributes.is_empty()).then_some(wanted.attributes),
    }
}

/// Follows a job to its end.
async fn follow(client: &Client, made: ExportView) -> Result<ExportView, Failure> {
    let id = made.id.to_string();
    note(format_args!("export {id}: if this is broken off, `dialops exports download {id}` goes on"));
    let mut bar = Bar::new(&id);
    let mut view = made;
    loop {
        match view.state.as_str() {
            "waiting" | "running" => bar.show(&view),
            "done" => {
                bar.end();
                return Ok(view);
            }
            state => {
                bar.end();
                let why = view.why.as_deref().map(|why| format!(": {}", clean(why))).unwrap_or_default();
                let message = format!("export {id} is {}{why}", clean(state));
                return Err(Failure::failed(message, "see to that, and ask for it anew"));
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
        view = client.get(&["exports", &id], &[]).await?;
    }
}

/// A bar on a terminal, a line for each tenth elsewhere.
struct Bar {
    bar: ProgressBar,
    id: String,
    tenths_told: u64,
}

impl Bar {
    fn new(id: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} rows {msg} ({eta} left)");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, id: id.to_owned(), tenths_told: 0 }
    }

    fn show(&mut self, view: &ExportView) {
        self.bar.set_length(view.rows_of);
        self.bar.set_position(view.rows_done);
        self.bar.set_message(view.state.clone());
        let tenths = (view.rows_done * 10).checked_div(view.rows_of).unwrap_or(0);
        if self.bar.is_hidden() && tenths > self.tenths_told {
            self.tenths_told = tenths;
            note(format_args!("export {}: {}%, {} of {} rows", self.id, tenths * 10, view.rows_done, view.rows_of));
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
