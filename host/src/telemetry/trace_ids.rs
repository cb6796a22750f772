//! W3C trace context: in from whoever started this process, out to Python nodes and into the log.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use serde_json::Value;
use tracing::dispatcher::WeakDispatch;
use tracing::span::Id;

/// The value of the header `traceparent`, and that of `tracestate`, which only travels with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// `00-<trace id>-<span id>-<flags>`.
    pub traceparent: String,
    /// What other systems add; empty when they add nothing.
    pub tracestate: String,
}

impl TraceContext {
    /// As OpenTelemetry knows it.
    ///
    /// # Errors
    /// When `traceparent` is none.
    pub(super) fn to_otel(&self) -> Result<opentelemetry::Context, String> {
        let carrier = HashMap::from([
            ("traceparent".to_owned(), self.traceparent.clone()),
            ("tracestate".to_owned(), self.tracestate.clone()),
        ]);
        let context = TraceContextPropagator::new().extract(&carrier);
        if context.span().span_context().is_valid() {
            return Ok(context);
        }
        Err(format!(
            "TRACEPARENT is `{}`, which is no W3C trace context such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            self.traceparent
        ))
    }

    /// As environment variables, for programs and libraries that go on with the trace.
    #[must_use]
    pub fn to_env(&self) -> Vec<(String, String)> {
        let state = (!self.tracestate.is_empty()).then(|| ("TRACESTATE".to_owned(), self.tracestate.clone()));
        [("TRACEPARENT".to_owned(), self.traceparent.clone())].into_iter().chain(state).collect()
    }

    /// That of a span.
    pub(super) fn of(context: &opentelemetry::Context) -> Option<Self> {
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(context, &mut carrier);
        let traceparent = carrier.remove("traceparent")?;
        Some(Self { traceparent, tracestate: carrier.remove("tracestate").unwrap_or_default() })
    }
}

/// Which span of which trace a log line belongs to.
pub(super) struct TraceIds {
    trace_id: String,
    span_id: String,
}

impl TraceIds {
    /// Those of a span, when traces are sent anywhere.
    pub(super) fn of(id: &Id, dispatch: &WeakDispatch) -> Option<Self> {
        let context = tracing_opentelemetry::get_otel_context(id, &dispatch.upgrade()?)?;
        let span = context.span();
        let span = span.span_context();
        span.is_valid()
            .then(|| Self { trace_id: span.trace_id().to_string(), span_id: span.span_id().to_string() })
    }

    pub(super) fn into_fields(self) -> [(String, Value); 2] {
        [("trace_id".into(), self.trace_id.into()), ("span_id".into(), self.span_id.into())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the W3C recommendation.
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_comes_in_and_goes_out_as_it_was() {
        let context = TraceContext { traceparent: PARENT.into(), tracestate: "congo=t61rcWkgMzE".into() };
        let otel = context.to_otel().unwrap();
        assert_eq!(otel.span().span_context().trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(otel.span().span_context().span_id().to_string(), "00f067aa0ba902b7");
        assert_eq!(TraceContext::of(&otel), Some(context));
    }

    #[test]
    fn what_is_no_context_is_refused_with_its_words() {
        for wrong in ["", "00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "ff-x-y-01"] {
            let error =
                TraceContext { traceparent: wrong.into(), ..TraceContext::default() }.to_otel().unwrap_err();
            assert!(error.contains(&format!("`{wrong}`")), "{error}");
        }
    }
}
