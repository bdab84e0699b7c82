//! What the browser loads beside the pages: style sheet, icon, the islands' code. All of it is inside the binary, as
//! built by `make site`, and is named by the hash of its content: it never changes under its name.

use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../target/site"]
struct Site;

/// `assets/0123456789abcdef`: changes when any file does.
pub(super) fn base() -> &'static str {
    static BASE: LazyLock<String> = LazyLock::new(|| {
        let mut names: Vec<_> = Site::iter().collect();
        names.sort();
        let mut hasher = DefaultHasher::new();
        for name in names {
            hasher.write(name.as_bytes());
            hasher.write(&Site::get(&name).map(|file| file.metadata.sha256_hash()).unwrap_or_default());
        }
        format!("assets/{:016x}", hasher.finish())
    });
    &BASE
}

/// `GET /assets/<hash>/<file>`. Another hash is a page from before an upgrade: it gets the file of today, uncached.
pub(super) async fn serve(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Some((hash, name)) = path.split_once('/') else { return StatusCode::NOT_FOUND.into_response() };
    // The compressed twins are reached by what the browser accepts, not by name.
    let is_twin = name.ends_with(".br") || name.ends_with(".gz");
    let Some(plain) = Site::get(name).filter(|_| !is_twin) else { return StatusCode::NOT_FOUND.into_response() };
    let (file, encoding) = encoded(name, &headers).unwrap_or((plain, None));
    let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let fresh = base().strip_prefix("assets/") == Some(hash);
    let cache = if fresh { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == etag.as_str()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.data.into_owned().into_response()
    };
    let set = response.headers_mut();
    set.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(name)));
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    set.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        set.insert(header::ETAG, etag);
    }
    if let Some(encoding) = encoding {
        set.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// The compressed twin that the browser takes.
fn encoded(name: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    let accepted = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let accepts = |wanted: &str| {
        accepted.split(',').any(|part| {
            let mut words = part.split(';').map(str::trim);
            words.next() == Some(wanted) && !words.any(|word| word == "q=0")
        })
    };
    [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(word, _)| accepts(word))
        .find_map(|(word, ending)| Some((Site::get(&format!("{name}.{ending}"))?, Some(word))))
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
