//! What spans and events say, as JSON values.

use std::fmt::Debug;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

/// The fields of a span or an event, in their order.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Map<String, Value>);

/// Begins the names of fields that are for OpenTelemetry alone.
const ONLY_OTEL: &str = "otel.";

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        if !field.name().starts_with(ONLY_OTEL) {
            self.0.insert(field.name().to_owned(), value.into());
        }
    }

    /// Takes the text of the event itself out.
    pub(super) fn take_message(&mut self) -> String {
        match self.0.shift_remove("message") {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}
