//! The HTTP client that a collector is reached by. It remembers why a request failed: the library that sends tells
//! only that it did.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

/// Sends one request after the other, from whatever thread.
#[derive(Clone, Debug)]
pub(super) struct Client {
    inner: reqwest::blocking::Client,
    /// Whether a later success makes up for a failure: counts are sent whole again and again, spans once.
    makes_up: bool,
    failure: Arc<Mutex<Option<String>>>,
}

impl Client {
    /// For what is lost when it is not taken. Whoever does not answer within `limit` has failed.
    ///
    /// # Errors
    /// When the system gives no thread or no source of randomness.
    pub fn new(limit: Duration) -> reqwest::Result<Self> {
        let inner = reqwest::blocking::Client::builder().timeout(limit).build()?;
        Ok(Self { inner, makes_up: false, failure: Arc::default() })
    }

    /// One with the same connections, for what is sent again.
    pub fn for_sums(&self) -> Self {
        Self { inner: self.inner.clone(), makes_up: true, failure: Arc::default() }
    }

    /// Why something is lost; `None` when nothing is.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.inner.send_bytes(request).await;
        let failure = match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
            Err(error) => Some(cause(&**error)),
        };
        let mut last = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_some() || self.makes_up {
            *last = failure;
        }
        drop(last);
        answer
    }
}

/// What an error comes from in the end: the system's own words.
fn cause(mut error: &dyn Error) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
