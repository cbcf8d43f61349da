//! The bare reference: rmcp with one tool, no token, no policy, no audit. It answers as an event stream, which is how it
//! comes, or in one piece, which is how we answer and costs it less.

use axum::serve::ListenerExt as _;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;

/// With it the benchmark is the reference server instead.
pub(crate) const FLAG: &str = "--reference";
/// With it too, it answers in one piece.
pub(crate) const WHOLE: &str = "--whole";

/// So many tools it lists to whoever mounts it, all of which do the same. No call looks at them.
pub(crate) const LISTED: usize = 100;

#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items((0..LISTED).map(tool).collect()))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = params.arguments.as_ref().and_then(|arguments| arguments.get("text")).and_then(|text| text.as_str());
        Ok(CallToolResult::success(vec![ContentBlock::text(text.unwrap_or_default().to_owned())]).into())
    }
}

fn tool(index: usize) -> Tool {
    let schema = json!({
        "type": "object",
        "properties": {
            "text": { "type": "string", "description": "Text to give back.", "maxLength": 4_096 },
            "times": { "type": "integer", "description": "How often, once unless given.", "minimum": 1, "maximum": 9 },
        },
        "required": ["text"],
    });
    let words = format!("Gives back a text as it came, in the way of number {index}. The text is not looked at.");
    Tool::new(format!("echo_{index}"), words, schema.as_object().unwrap().clone())
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub(crate) fn serve(whole: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = StreamableHttpServerConfig::default().with_json_response(whole);
        let service = StreamableHttpService::new(|| Ok(Echo), LocalSessionManager::default().into(), config);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listens on http://{}", listener.local_addr().unwrap());
        // Answers in pieces would otherwise wait for the client's system to acknowledge the first one.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        axum::serve(listener, axum::Router::new().route_service("/mcp", service)).await.unwrap();
    });
}
