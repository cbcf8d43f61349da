//! The OpenAPI 3.1 document, made from the handlers and the wire types.

use jarvis_client::wire::Problem;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, InfoBuilder, License, OpenApi, OpenApiBuilder, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::cookie;
use crate::problem::PROBLEM_JSON;

/// Operations that nobody has to sign in for.
const OPEN: [&str; 8] = [
    "health",
    "openapi_json",
    "resource_metadata",
    "resource_metadata_compact",
    "resource_metadata_mcp",
    "session_info",
    "sign_in",
    "set_up",
];

/// Operations whose body may be left out, because no field of it must be there.
const BODY_OPTIONAL: [&str; 5] = ["keep_mount", "keep_secret", "stop", "approve", "deny"];

/// The document of the whole API.
#[must_use]
pub fn document() -> OpenApi {
    crate::api::described().into_openapi()
}

/// What the document starts from, before the routes are added.
pub(crate) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Jarvis")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Every call passes one gate. Times are milliseconds since 1970 (UTC). Errors are `application/problem+json` \
             with a stable `code`. `Prefer: wait=N` (0 to 50 seconds) holds an answer back until a person has decided.",
        ))
        .license(Some(License::new("MIT OR Apache-2.0")))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// What every operation has in common: the problem that it may answer, and who may ask.
pub(crate) fn complete(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        operations(item).for_each(complete_operation);
    }
    let components = document.components.get_or_insert_default();
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components
        .security_schemes
        .insert("session".to_owned(), SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(cookie::NAME))).into());
    components
        .security_schemes
        .insert("bearer".to_owned(), SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)).into());
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn complete_operation(operation: &mut Operation) {
    let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
    let refused =
        ResponseBuilder::new().description("Not carried out; `code` says why").content(PROBLEM_JSON, problem).build();
    operation.responses.responses.insert("default".to_owned(), refused.into());
    let open = operation.operation_id.as_deref().is_some_and(|id| OPEN.contains(&id));
    let optional = operation.operation_id.as_deref().is_some_and(|id| BODY_OPTIONAL.contains(&id));
    if let Some(RefOr::T(body)) = operation.request_body.as_mut().filter(|_| optional) {
        body.required = Some(Required::False);
    }
    let nothing: [&str; 0] = [];
    operation.security = (!open)
        .then(|| vec![SecurityRequirement::new("session", nothing), SecurityRequirement::new("bearer", nothing)]);
}
