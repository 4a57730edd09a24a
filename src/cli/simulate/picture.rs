//! A simulation as a picture: calls and answers hour by hour, and how busy agents were.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::sim::made::{Hour, Report};

/// Width of an hour.
const STEP: usize = 6;

/// Height of the bars, and of the row of the agents below.
const HEIGHT: u64 = 160;

/// Room around.
const MARGIN: usize = 40;

/// The picture, as SVG that needs nothing else.
pub(super) fn svg(report: &Report, zone: &TimeZone) -> String {
    let width = report.timeline.len() * STEP + 2 * MARGIN;
    let most = report.timeline.iter().map(|hour| hour.attempts).max().unwrap_or(0).max(1);
    let names: Vec<String> = report.campaigns.iter().map(|campaign| escaped(&campaign.name)).collect();
    let mut svg = String::new();
    let style = "text{font:11px sans-serif;fill:#444}.c{fill:#9bb7d4}.a{fill:#2b6cb0}.b{fill:none;stroke:#c05621}";
    // Writing to a String can't fail.
    let _written = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} 260\" role=\"img\">\n<title>{}</title>\n\
         <style>{style}</style>\n<text x=\"{MARGIN}\" y=\"16\">{}: calls (light) and answers (dark) by hour, most {most}; \
         line: share of the agents' time that is busy</text>\n",
        width.max(600),
        names.join(", "),
        names.join(", "),
    );
    let mut line = String::new();
    for (index, hour) in report.timeline.iter().enumerate() {
        let x = MARGIN + index * STEP;
        bar(&mut svg, "c", x, hour.attempts * HEIGHT / most);
        bar(&mut svg, "a", x, hour.answers * HEIGHT / most);
        let _written = write!(line, "{},{} ", x + STEP / 2, 30 + HEIGHT - busy(hour) * HEIGHT / 1000);
        let local = hour.at.to_zoned_datetime(zone.clone());
        if local.hour() == 0 || index == 0 {
            let (day, y) = (local.strftime("%d %b"), 30 + HEIGHT + 18);
            let _written = writeln!(svg, "<text x=\"{x}\" y=\"{y}\">{day}</text>");
        }
    }
    let _written = write!(svg, "<polyline class=\"b\" points=\"{}\"/>\n</svg>", line.trim_end());
    svg
}

fn bar(svg: &mut String, class: &str, x: usize, height: u64) {
    if height > 0 {
        let (y, width) = (30 + HEIGHT - height, STEP - 1);
        let _written =
            writeln!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>");
    }
}

/// Thousandths of the hour's time that agents were busy.
fn busy(hour: &Hour) -> u64 {
    u64::from(crate::sim::made::part(hour.busy, hour.there).0).min(1000)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
