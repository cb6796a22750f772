//! The log on standard error: one line per event, for people or as JSON, with the session and the node that it is about.
//!
//! Everything joins it: the host, guests (`remotemedia::guest`), Python's `logging` (`remotemedia::python`).

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use serde_json::{Map, Value};
use tracing::dispatcher::WeakDispatch;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::trace_ids::TraceIds;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Writes events to `out`, which takes a line at a time.
pub(super) struct Log<W> {
    format: LogFormat,
    colored: bool,
    out: W,
    dispatch: std::sync::OnceLock<WeakDispatch>,
}

impl Log<fn(&str)> {
    /// The log on standard error.
    pub(super) fn on_stderr(format: LogFormat) -> Self {
        let write: fn(&str) = |line| {
            // Nobody is left to tell that it cannot be written.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        };
        Self::new(format, io::stderr().is_terminal(), write)
    }
}

impl<W: Fn(&str)> Log<W> {
    fn new(format: LogFormat, colored: bool, out: W) -> Self {
        Self { format, colored, out, dispatch: Default::default() }
    }
}

/// What lines for people tell of where an event was; JSON tells everything.
const CONTEXT: [&str; 2] = ["node", "session"];

impl<S, W> Layer<S> for Log<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&str) + 'static,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let message = own.take_message();
        let mut around = Map::new();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(Fields(fields)) = span.extensions().get() {
                // What is nearest to the event counts.
                for (name, value) in fields {
                    around.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        let metadata = event.metadata();
        let line = match self.format {
            LogFormat::Text => text(*metadata.level(), &message, &own.0, &around, self.colored),
            LogFormat::Json => {
                let current = context.event_span(event).map(|span| span.id());
                let ids = current.and_then(|id| TraceIds::of(&id, self.dispatch.get()?));
                json(*metadata.level(), metadata.target(), &message, own.0, around, ids)
            }
        };
        (self.out)(&line);
    }
}

fn text(
    level: Level,
    message: &str,
    own: &Map<String, Value>,
    around: &Map<String, Value>,
    colored: bool,
) -> String {
    let color = match level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        Level::DEBUG => "34",
        Level::TRACE => "35",
    };
    let level = format!("{level:>5}");
    let level = if colored { format!("\u{1b}[{color}m{level}\u{1b}[0m") } else { level };
    let mut line = format!("{level} {}", visible(message));
    let context = CONTEXT.iter().filter(|name| !own.contains_key(**name));
    let context = context.filter_map(|name| around.get_key_value(*name));
    for (name, value) in own.iter().chain(context) {
        // Writing to a String cannot fail. A text without spaces needs no quotes.
        let _ = match value {
            Value::String(text) if is_bare(text) => write!(line, " {name}={text}"),
            _ => write!(line, " {name}={}", visible(&value.to_string())),
        };
    }
    line.push('\n');
    line
}

/// The level and a space take six columns.
const NEXT_LINE: &str = "\n      ";

fn is_bare(text: &str) -> bool {
    !text.is_empty() && !text.contains(|letter: char| matches!(letter, ' ' | '"') || letter.is_control())
}

/// What a terminal would obey is written out: what is logged may be a stranger's. Tabs stay, and so do lines; where one
/// after the first is not indented, all of them begin where messages do: none can pass for a line of the log of its own.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let is_obeyed = |letter: char| letter.is_control() && letter != '\t';
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let is_indented = text.split('\n').skip(1).all(|line| line.starts_with("  "));
    let next_line = if is_indented { "\n" } else { NEXT_LINE };
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if letter == '\n' {
            shown.push_str(next_line);
        } else if is_obeyed(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// A line of the JSON log that no event caused.
pub(crate) fn json_line(level: Level, target: &str, message: &str, fields: Map<String, Value>) -> String {
    json(level, target, message, fields, Map::new(), None)
}

/// The names that every line has come first, then the event's own fields, then what is known of its surroundings.
fn json(
    level: Level,
    target: &str,
    message: &str,
    own: Map<String, Value>,
    around: Map<String, Value>,
    ids: Option<TraceIds>,
) -> String {
    let mut time = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    let mut line = Map::new();
    line.insert("timestamp".into(), time.into());
    line.insert("level".into(), level.as_str().to_ascii_lowercase().into());
    line.insert("target".into(), target.into());
    line.insert("message".into(), message.into());
    let ids = ids.into_iter().flat_map(TraceIds::into_fields);
    for (name, value) in own.into_iter().chain(around).chain(ids) {
        line.entry(name).or_insert(value);
    }
    format!("{}\n", Value::Object(line))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What `body` logs, line by line.
    fn logged(format: LogFormat, body: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&lines);
        let out = move |line: &str| written.lock().unwrap().push_str(line);
        let subscriber = tracing_subscriber::registry().with(Log::new(format, false, out));
        tracing::subscriber::with_default(subscriber, body);
        let text = lines.lock().unwrap().clone();
        text.lines().map(str::to_owned).collect()
    }

    fn in_a_session() {
        let session =
            tracing::info_span!("pipeline", session = "vad-0", otel.name = "x", late = tracing::field::Empty);
        session.record("late", 5);
        let _session = session.enter();
        let _node = tracing::info_span!("node", node = "outer").entered();
        tracing::warn!(target: "remotemedia::policy", node = "inner", tries = 3_u64, ok = false, "tried \"again\"\nand again");
        tracing::error!("no node of its own");
    }

    #[test]
    fn a_json_line_holds_message_and_fields_and_where_it_was() {
        let lines: Vec<Value> = logged(LogFormat::Json, in_a_session)
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let [first, second] = &*lines else { panic!("{lines:?}") };
        let time = first["timestamp"].as_str().unwrap();
        assert!(time.len() >= 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
        let mut without_time = first.clone();
        without_time.as_object_mut().unwrap().remove("timestamp");
        let expected = json!({"level": "warn", "target": "remotemedia::policy", "message": "tried \"again\"\nand again",
            "node": "inner", "tries": 3, "ok": false, "session": "vad-0", "late": 5});
        assert_eq!(without_time, expected);
        assert_eq!((&second["node"], &second["level"]), (&json!("outer"), &json!("error")));
    }

    #[test]
    fn a_line_for_people_begins_with_level_and_message_and_tells_node_and_session() {
        let lines = logged(LogFormat::Text, in_a_session);
        assert_eq!(lines[0], " WARN tried \"again\"");
        assert_eq!(lines[1], "      and again node=inner tries=3 ok=false session=vad-0");
        assert_eq!(lines[2], "ERROR no node of its own node=outer session=vad-0");
    }
    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        let lines = logged(LogFormat::Text, || {
            tracing::warn!(
                short = "\u{1b}[2J",
                long = "a \r\u{9b}1m\u{7f}\n",
                "red \u{1b}[31m\rover\tit\nand \u{8}on"
            );
        });
        assert_eq!(lines[0], " WARN red \\u{1b}[31m\\rover\tit");
        assert_eq!(lines[1], r#"      and \u{8}on short="\u001b[2J" long="a \r\u{9b}1m\u{7f}\n""#);
    }
    #[test]
    fn lines_that_are_all_indented_stay_where_they_are_and_others_move_together() {
        let lines = logged(LogFormat::Text, || tracing::warn!("two\n  below\n    it"));
        assert_eq!(lines, [" WARN two", "  below", "    it"]);
        let lines = logged(LogFormat::Text, || tracing::warn!("two\n  below\n WARN forged\n\nend"));
        assert_eq!(lines, [" WARN two", "        below", "       WARN forged", "      ", "      end"]);
    }
}
