//! A running gilscope's HTTP, asked as a program asks it: by the run file that it leaves in its folder.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// How to ask a running gilscope.
pub(crate) struct Daemon {
    listen: String,
    token: String,
}

impl Daemon {
    /// From the one run file in `folder`.
    pub(crate) fn of(folder: &Path) -> Self {
        let file = std::fs::read_dir(folder.join("gilscope")).expect("a run folder").next();
        let text =
            std::fs::read(file.expect("a run file").expect("readable").path()).expect("read");
        let info: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let field = |name: &str| info[name].as_str().expect("text").to_owned();
        Self { listen: field("listen"), token: field("token") }
    }

    /// Address and port.
    pub(crate) fn listen(&self) -> &str {
        &self.listen
    }

    /// Status and body of a GET.
    pub(crate) fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.listen).expect("gilscope listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
        let head = format!("Host: {}\r\nAuthorization: Bearer {}", self.listen, self.token);
        write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n")
            .expect("gilscope reads");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer within 20 s");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("head and body");
        let body = bytes.split_off(end + 4);
        let head = String::from_utf8(bytes).expect("a head is text");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.expect("a status"), body)
    }

    /// Status and body of a GET whose answer is text.
    pub(crate) fn text(&self, path: &str) -> (u16, String) {
        let (status, body) = self.get(path);
        (status, String::from_utf8(body).expect("an answer is text"))
    }
}
