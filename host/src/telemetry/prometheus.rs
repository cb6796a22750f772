//! `--prometheus ADDR`: serves `/metrics` while a pipeline runs. Scrapes have threads of their own and only read counters,
//! so no scrape, however slow, holds a packet up.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use remotemedia_engine::MetricsReader;

use super::exposition::{Format, expose};
use super::http::{Answer, Request, serve};

/// So many scrapes are answered at a time; others are turned away.
const MOST_AT_A_TIME: usize = 8;

/// An address that is taken, and answers nobody yet.
#[derive(Debug)]
pub struct PrometheusListener(TcpListener);

impl PrometheusListener {
    /// Listens on `address`; port 0 is any free one.
    ///
    /// # Errors
    /// When nobody can listen there: the port is taken, the address is not this machine's.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).map(Self)
    }

    /// Answers with what `reader` reads, those too who have connected already.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn serve(self, reader: MetricsReader) -> io::Result<PrometheusServer> {
        let Self(listener) = self;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("prometheus".into())
            .spawn(move || accept(&listener, &reader, &stopped))?;
        Ok(PrometheusServer { address, stop, thread: Some(thread) })
    }
}

/// Answers scrapes of one pipeline until it is dropped.
#[derive(Debug)]
pub struct PrometheusServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl PrometheusServer {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for PrometheusServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The thread waits for a connection, so it gets one. Bound to every address, it is at the local one too.
        let mut own = self.address;
        if own.ip().is_unspecified() {
            own.set_ip(if own.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        if TcpStream::connect_timeout(&own, Duration::from_secs(1)).is_ok()
            && let Some(thread) = self.thread.take()
        {
            // It does not panic; and if it did, nothing here depends on it.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, reader: &MetricsReader, stop: &AtomicBool) {
    let busy = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let mut stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                // Out of file descriptors, for example: that passes, and should not be asked about in a circle.
                tracing::debug!("a scrape could not connect: {error}");
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        if busy.fetch_add(1, Ordering::AcqRel) >= MOST_AT_A_TIME {
            busy.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (reader, leaves) = (reader.clone(), Arc::clone(&busy));
        let scrape = move || {
            if let Err(error) = serve(&mut stream, |request| answer(request, &reader)) {
                tracing::debug!("a scrape was not answered: {error}");
            }
            leaves.fetch_sub(1, Ordering::AcqRel);
        };
        if let Err(error) = std::thread::Builder::new().name("scrape".into()).spawn(scrape) {
            busy.fetch_sub(1, Ordering::AcqRel);
            tracing::debug!("no thread for a scrape: {error}");
        }
    }
}

fn answer(request: &Request, reader: &MetricsReader) -> Answer {
    if request.path != "/metrics" {
        return Answer::plain("404 Not Found", "the metrics are at /metrics");
    }
    let (format, content_type) = if request.accept.contains("application/openmetrics-text") {
        (Format::OpenMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    } else {
        (Format::Prometheus, "text/plain; version=0.0.4; charset=utf-8")
    };
    match expose(reader, format) {
        Ok(body) => Answer { status: "200 OK", content_type, body },
        Err(error) => Answer::plain("500 Internal Server Error", &error.to_string()),
    }
}
