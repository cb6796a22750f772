//! The HTTP client that a collector is reached by. It remembers why the last request failed: the library that sends tells
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
    last_failure: Arc<Mutex<Option<String>>>,
}

impl Client {
    /// Whoever does not answer within `limit` has failed.
    ///
    /// # Errors
    /// When the system gives no thread or no source of randomness.
    pub fn new(limit: Duration) -> reqwest::Result<Self> {
        let inner = reqwest::blocking::Client::builder().timeout(limit).build()?;
        Ok(Self { inner, last_failure: Arc::default() })
    }

    /// One that remembers for itself, and shares the connections.
    pub fn another(&self) -> Self {
        Self { inner: self.inner.clone(), last_failure: Arc::default() }
    }

    /// Why the last request failed; `None` when it did not.
    pub fn last_failure(&self) -> Option<String> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
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
