//! One request of HTTP/1.1 over a connection that is then closed: what a scraper needs, and no more. Nothing that comes in
//! is trusted: heads are limited in size and time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longest head of a request, in bytes.
const MOST_HEAD_BYTES: usize = 8 * 1024;
/// Most header lines.
const MOST_HEADERS: usize = 64;
/// The whole exchange takes no longer.
const LIMIT: Duration = Duration::from_secs(5);

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// `HEAD`: the answer has no body.
    pub head_only: bool,
    /// The path, without a query.
    pub path: String,
    /// The value of `Accept`, or nothing.
    pub accept: String,
}

/// What is answered.
#[derive(Debug)]
pub struct Answer {
    /// Such as `200 OK`.
    pub status: &'static str,
    /// Such as `text/plain`.
    pub content_type: &'static str,
    /// The text.
    pub body: String,
}

impl Answer {
    /// An answer of plain text.
    pub fn plain(status: &'static str, body: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: format!("{body}\n") }
    }
}

/// Reads one request from `stream`, answers it and closes the connection.
///
/// # Errors
/// When the other side left or took too long.
pub fn serve(stream: &mut TcpStream, answer: impl FnOnce(&Request) -> Answer) -> io::Result<()> {
    let until = Instant::now() + LIMIT;
    stream.set_write_timeout(Some(LIMIT))?;
    let (head_only, answer) = match read_request(stream, until)? {
        Ok(request) => (request.head_only, answer(&request)),
        Err(refusal) => (false, refusal),
    };
    let Answer { status, content_type, body } = answer;
    let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    if !head_only {
        stream.write_all(body.as_bytes())?;
    }
    stream.flush()
}

/// The request, or why it is refused.
fn read_request(stream: &mut TcpStream, until: Instant) -> io::Result<Result<Request, Answer>> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        if let Some(request) = parse(&head) {
            return Ok(request);
        }
        if head.len() >= MOST_HEAD_BYTES {
            return Ok(Err(Answer::plain(
                "431 Request Header Fields Too Large",
                "the head is longer than 8 KiB",
            )));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let room = chunk.len().min(MOST_HEAD_BYTES - head.len());
        match stream.read(&mut chunk[..room])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
}

/// `None` as long as the head is not whole.
fn parse(head: &[u8]) -> Option<Result<Request, Answer>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return None,
        Err(httparse::Error::TooManyHeaders) => {
            return Some(Err(Answer::plain(
                "431 Request Header Fields Too Large",
                "there are more than 64 headers",
            )));
        }
        Err(error) => return Some(Err(Answer::plain("400 Bad Request", &format!("not HTTP/1.1: {error}")))),
    }
    let head_only = match parsed.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Some(Err(Answer::plain("405 Method Not Allowed", "ask with GET or HEAD"))),
    };
    let target = parsed.path.unwrap_or_default();
    let path = target.split(['?', '#']).next().unwrap_or_default().to_owned();
    let accepts = parsed.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("accept"));
    let accept: Vec<_> = accepts.map(|header| String::from_utf8_lossy(header.value)).collect();
    Some(Ok(Request { head_only, path, accept: accept.join(",") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> &'static str {
        match parse(head.as_bytes()) {
            None => "unfinished",
            Some(Ok(_)) => "ok",
            Some(Err(answer)) => &answer.status[..3],
        }
    }

    #[test]
    fn a_request_has_a_path_without_its_query_and_what_is_accepted() {
        let head = "GET /metrics?x=1 HTTP/1.1\r\nhost: a\r\nACCEPT: text/plain\r\naccept: */*\r\n\r\n";
        let right = Request { head_only: false, path: "/metrics".into(), accept: "text/plain,*/*".into() };
        assert_eq!(parse(head.as_bytes()).unwrap().unwrap(), right);
        assert!(parse(b"HEAD / HTTP/1.0\r\n\r\n").unwrap().unwrap().head_only);
    }

    #[test]
    fn what_is_no_request_is_refused_and_what_is_not_whole_is_waited_for() {
        assert_eq!(status("GET /metrics HTTP/1.1\r\nhost: a\r\n"), "unfinished");
        assert_eq!(status(""), "unfinished");
        assert_eq!(status("POST / HTTP/1.1\r\n\r\n"), "405");
        assert_eq!(status("\x16\x03\x01\x02\x00"), "400");
        assert_eq!(status("GET / HTTP/9.9\r\n\r\n"), "400");
        let many = "a: b\r\n".repeat(MOST_HEADERS + 1);
        assert_eq!(status(&format!("GET / HTTP/1.1\r\n{many}\r\n")), "431");
    }
}
