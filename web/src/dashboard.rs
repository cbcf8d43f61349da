//! The dashboard, embedded in the binary.
//!
//! Files under `assets/` carry a hash in their name and are kept by browsers for good; everything else is asked for
//! again and answered with 304 while it is the same. A path that is no file gets the page, because the page has its own
//! paths. Without a built dashboard the server says how to build one. A debug build reads the files from disk, so that
//! a new build of the page shows without a new build of the server.

use axum::body::Body;
use axum::extract::Request;
use axum::handler::Handler as _;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::RustEmbed;
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;

use crate::problem::Fault;

#[derive(RustEmbed)]
#[folder = "ui/dist/"]
#[allow_missing = true]
struct Files;

const UNBUILT: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Jarvis</title>\n<h1>Jarvis is \
                       running, without its dashboard</h1>\n<p>This build holds no dashboard. Run <code>cargo xtask \
                       run</code>, which builds both (it needs Node), or use the command line: <code>jarvis \
                       say</code>, <code>jarvis tools</code>.</p>\n</html>\n";

/// Everything that no route answers.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") || path == "/mcp" || path.starts_with("/mcp/") {
        return Fault::not_found("there is no such path; GET /api/openapi.json lists all of them").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return wrong_method().await;
    }
    let answered = page.layer(CompressionLayer::new()).with_state(()).oneshot(request).await;
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// A path that exists, asked with a method that it does not have.
pub(crate) async fn wrong_method() -> Response {
    Fault::door(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path does not take this method; GET /api/openapi.json lists what each path takes",
    )
    .into_response()
}

async fn page(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    if let Some(file) = Files::get(path) {
        return answer(path, file, &headers);
    }
    // Clients look there for what we are not, and would take the page for an answer.
    if path.starts_with(".well-known/") {
        return Fault::not_found("there is nothing under this address").into_response();
    }
    if path.starts_with("assets/") {
        return Fault::not_found("there is no such file; reload the page").into_response();
    }
    match Files::get("index.html") {
        Some(file) => answer("index.html", file, &headers),
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], UNBUILT)
            .into_response(),
    }
}

fn answer(path: &str, file: rust_embed::EmbeddedFile, asked: &HeaderMap) -> Response {
    let tag = etag(&file.metadata.sha256_hash());
    let hashed = path.starts_with("assets/");
    let cache = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(file.data).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Weak, because the same file may leave compressed.
fn etag(hash: &[u8]) -> String {
    let hex: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("W/\"{hex}\"")
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn file() -> rust_embed::EmbeddedFile {
        rust_embed::EmbeddedFile {
            data: Cow::Borrowed(b"x"),
            metadata: rust_embed::Metadata::__rust_embed_new([7; 32], None, None),
        }
    }

    #[test]
    fn hashed_files_are_kept_for_good_and_the_page_is_asked_for_again() {
        let page = answer("index.html", file(), &HeaderMap::new());
        assert_eq!(page.headers()[header::CACHE_CONTROL], "no-cache");
        let asset = answer("assets/app-1a2b.js", file(), &HeaderMap::new());
        assert!(asset.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        assert_eq!(asset.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    }

    #[test]
    fn a_file_that_the_browser_has_is_not_sent_again() {
        let tag = answer("index.html", file(), &HeaderMap::new()).headers()[header::ETAG].clone();
        let mut asked = HeaderMap::new();
        asked.insert(header::IF_NONE_MATCH, tag);
        assert_eq!(answer("index.html", file(), &asked).status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn an_unknown_api_path_is_a_problem_and_not_the_page() {
        let request = Request::builder().uri("/api/nothing").body(Body::empty()).unwrap();
        let response = serve(request).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(response.extensions().get::<Fault>().is_some());
    }
}
