//! The index over the tools.

use jarvis_memory::ToolIndex;
use jarvis_safety::port::{Document, Index as _};

fn document(name: &str, examples: &str, text: &str) -> Document {
    Document { key: name.to_owned(), name: name.to_owned(), examples: examples.to_owned(), text: text.to_owned() }
}

fn index() -> ToolIndex {
    ToolIndex::new(vec![
        document("docker_list", "which containers run?", "Lists containers and their state."),
        document("docker_restart", "restart nginx", "Stops a container and starts it again."),
        document("system_disks", "what is filling the disk?", "Usage of each file system."),
        document("file_read", "show me notes.txt", "Reads a file. Never restarts anything on a disk."),
    ])
    .unwrap()
}

fn keys(index: &ToolIndex, text: &str, limit: usize) -> Vec<String> {
    index.search(text, limit).into_iter().map(|(key, _)| key).collect()
}

#[test]
fn names_count_more_than_examples_and_examples_more_than_text() {
    let index = index();
    assert_eq!(keys(&index, "disk", 9), ["system_disks", "file_read"]);
    assert_eq!(keys(&index, "restart", 9), ["docker_restart", "file_read"]);
}

#[test]
fn english_endings_case_and_accents_do_not_matter() {
    let index = index();
    assert_eq!(keys(&index, "RESTARTING", 1), ["docker_restart"]);
    assert_eq!(keys(&index, "dísks", 1), ["system_disks"]);
    assert_eq!(keys(&index, "container", 1), keys(&index, "containers", 1));
}

#[test]
fn any_text_can_be_searched_for_and_the_answer_is_bounded() {
    let index = index();
    let long = "restart ".repeat(10_000);
    for text in ["", "   ", "AND OR NOT", "name:[* TO *]", "\"", "(((", "*", "a\0b", &long] {
        assert!(index.search(text, 2).len() <= 2, "{text}");
    }
    assert!(index.search("restart", 0).is_empty());
    assert!(index.search("zebra", 5).is_empty());
    assert_eq!(ToolIndex::new(Vec::new()).unwrap().search("restart", 5), []);
}

#[test]
fn scores_fall() {
    let scores: Vec<f32> = index().search("restart a container disk", 9).into_iter().map(|(_, score)| score).collect();
    assert!(scores.len() > 2 && scores.is_sorted_by(|a, b| a >= b));
}
