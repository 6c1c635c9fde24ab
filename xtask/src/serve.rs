//! A small server of static files, for this machine only: `cargo xtask serve` and the browser test.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::{Outcome, web};

/// The port when none is named.
pub const DEFAULT_PORT: u16 = 8080;

/// The longest request that is read, in bytes.
const MAX_REQUEST: u64 = 16 << 10;

/// Builds the page and serves it until it is stopped.
pub fn serve(build: web::Build, port: u16) -> Outcome {
    let dist = web::build(build)?;
    let (listener, address) = listen(port)?;
    println!("http://{address}/  (stop with Ctrl C)");
    accept(&listener, &dist);
    Ok(())
}

/// Serves a folder on a free port in the background, for as long as this program runs.
pub fn in_background(folder: PathBuf) -> Outcome<SocketAddr> {
    let (listener, address) = listen(0)?;
    std::thread::spawn(move || accept(&listener, &folder));
    Ok(address)
}

fn listen(port: u16) -> Outcome<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map_err(|e| format!("port {port} cannot be used: {e}; name another with --port"))?;
    let address = listener.local_addr().map_err(|e| format!("the server has no address: {e}"))?;
    Ok((listener, address))
}

fn accept(listener: &TcpListener, folder: &Path) {
    for stream in listener.incoming().flatten() {
        let folder = folder.to_owned();
        std::thread::spawn(move || {
            // A browser that went away is no error of the server's.
            answer(&stream, &folder).ok();
        });
    }
}

/// What a request asks for.
struct Request {
    method: String,
    target: String,
    takes_gzip: bool,
}

fn read_request(stream: &TcpStream) -> io::Result<Request> {
    let mut lines = BufReader::new(stream.take(MAX_REQUEST)).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut words = first.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut takes_gzip = false;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        takes_gzip |= line.strip_prefix("accept-encoding:").is_some_and(|value| value.contains("gzip"));
    }
    Ok(Request { method, target, takes_gzip })
}

/// Answers one request and closes the connection.
fn answer(mut stream: &TcpStream, folder: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = read_request(stream)?;
    let Some(path) = file_of(folder, &request.target) else {
        return reply(
            &mut stream,
            &request,
            "404 Not Found",
            "text/plain; charset=utf-8",
            "",
            b"There is no such file.\n",
        );
    };
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return reply(
            &mut stream,
            &request,
            "405 Method Not Allowed",
            "text/plain; charset=utf-8",
            "Allow: GET, HEAD\r\n",
            b"",
        );
    }
    let packed = PathBuf::from(format!("{}.gz", path.display()));
    let mime = mime_type(&path);
    if request.takes_gzip && packed.is_file() {
        let headers = "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n";
        return reply(&mut stream, &request, "200 OK", mime, headers, &fs::read(packed)?);
    }
    reply(&mut stream, &request, "200 OK", mime, "", &fs::read(path)?)
}

fn reply(
    stream: &mut &TcpStream,
    request: &Request,
    status: &str,
    mime: &str,
    headers: &str,
    body: &[u8],
) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {mime}\r\nContent-Length: {length}\r\nCache-Control: no-cache\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n{headers}\r\n"
    )?;
    if request.method != "HEAD" {
        stream.write_all(body)?;
    }
    stream.flush()
}

/// The file that a request's target names; none outside the folder.
fn file_of(folder: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let relative = Path::new(if path.is_empty() { "index.html" } else { path });
    let stays_inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let file = folder.join(relative);
    (stays_inside && file.is_file()).then_some(file)
}

fn mime_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("wasm") => "application/wasm",
        Some("gz") => "application/gzip",
        Some("ts" | "txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_folder_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(file_of(folder, "/Cargo.toml?x=1"), Some(folder.join("Cargo.toml")));
        for target in ["/../Cargo.toml", "//etc/passwd", "/src/../../Cargo.toml", "/src", "Cargo.toml", "/", ""] {
            assert_eq!(file_of(folder, target), None, "{target}");
        }
    }
}
