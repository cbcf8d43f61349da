//! The gate cannot be skipped: these programs do not compile.

/// K-25.
#[test]
fn skipping_the_gate_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/permit/*.rs");
}
