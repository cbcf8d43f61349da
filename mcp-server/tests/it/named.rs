//! The table of failures with a name in ARCHITECTURE.md says which test holds each of them; here it is held to that.

use std::path::Path;

/// Where such tests stand.
const PLACES: [&str; 5] = ["mcp-server/tests/it", "memory/tests/gate", "web/tests", "safety/tests", "tools/tests"];

#[test]
fn every_failure_with_a_name_has_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("Failures with a name")).unwrap();
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(rows.len(), 9, "{rows:?}");
    let files = PLACES.iter().flat_map(|place| std::fs::read_dir(root.join(place)).unwrap());
    let sources: Vec<_> = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok()).collect();
    for row in rows {
        let tests: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            let exists = sources.iter().any(|source| source.contains(&format!("fn {test}()")));
            assert!(exists, "there is no test `{test}`: {row}");
        }
    }
}
