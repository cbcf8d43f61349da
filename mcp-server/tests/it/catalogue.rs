//! The catalogue: every change of a tool's tier, effects, wording or schema is one visible line in review.

use std::fmt::Write as _;

use jarvis_client::wire::ToolList;
use jarvis_safety::Digest;

use crate::app::TestApp;

/// One line a tool: name, revision, tier, effects, trust, digest of the schemas, text.
async fn catalogue(app: &TestApp) -> String {
    let list: ToolList = app.local().get("/api/tools").await.unwrap();
    let mut text = String::new();
    for tool in list.tools {
        let schemas = Digest::of(format!("{}{}", tool.input, tool.output).as_bytes());
        let effects = tool.effects.join("+");
        let _ = writeln!(
            text,
            "{:<20} r{} {:<6} {:<24} {:<9} {} {}",
            tool.name,
            tool.revision,
            tool.tier,
            effects,
            tool.trust,
            &schemas.as_str()[..12],
            tool.description
        );
    }
    text
}

#[tokio::test]
async fn the_catalogue_is_reviewed() {
    let app = TestApp::start();
    let text = catalogue(&app).await;
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../..", omit_expression => true }, {
        insta::assert_snapshot!("catalogue", text);
    });
}

#[tokio::test]
async fn every_tool_has_words_that_a_small_model_and_a_person_can_read() {
    let app = TestApp::start();
    let list: ToolList = app.local().get("/api/tools").await.unwrap();
    assert!(list.tools.len() >= 28, "{}", list.tools.len());
    for tool in list.tools {
        assert!(tool.name.contains('_'), "{} is not family_verb", tool.name);
        let length = tool.description.chars().count();
        assert!((20..=400).contains(&length), "{}: {length} characters of description", tool.name);
        assert!(tool.examples.len() >= 3, "{} needs example sentences", tool.name);
        let fields = tool.input["properties"].as_object().cloned().unwrap_or_default();
        for (field, schema) in fields {
            assert!(schema.to_string().contains("description"), "{}.{field} says nothing", tool.name);
        }
    }
}
