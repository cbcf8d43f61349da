//! What Jarvis is as a resource of OAuth 2.1 (RFC 9728): where a client that was turned away at `/mcp` finds out how to
//! come in.
//!
//! Only what is true is said. Jarvis takes its own tokens, in a header; it has no authorization server and takes no tokens
//! of one, so none is named.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, Uri};
use jarvis_client::wire::ResourceMetadata;

use crate::web::Web;

/// Describes this server as a resource. Nobody has to sign in for this.
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource", tag = "status",
    responses((status = 200, body = ResourceMetadata)))]
pub(super) async fn resource_metadata(State(web): State<Web>, uri: Uri, headers: HeaderMap) -> Json<ResourceMetadata> {
    Json(metadata(web.names.base(&uri, &headers)))
}

/// Describes `/mcp` as a resource. Nobody has to sign in for this.
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource/mcp", tag = "status",
    responses((status = 200, body = ResourceMetadata)))]
pub(super) async fn resource_metadata_mcp(
    State(web): State<Web>,
    uri: Uri,
    headers: HeaderMap,
) -> Json<ResourceMetadata> {
    Json(metadata(format!("{}/mcp", web.names.base(&uri, &headers))))
}

/// Describes `/mcp/compact` as a resource. Nobody has to sign in for this.
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource/mcp/compact", tag = "status",
    responses((status = 200, body = ResourceMetadata)))]
pub(super) async fn resource_metadata_compact(
    State(web): State<Web>,
    uri: Uri,
    headers: HeaderMap,
) -> Json<ResourceMetadata> {
    Json(metadata(format!("{}/mcp/compact", web.names.base(&uri, &headers))))
}

fn metadata(resource: String) -> ResourceMetadata {
    ResourceMetadata {
        resource,
        resource_name: "Jarvis".to_owned(),
        bearer_methods_supported: vec!["header".to_owned()],
    }
}
