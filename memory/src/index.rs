//! Full-text search over a small fixed set of documents, in memory. The one place that names tantivy.

use jarvis_safety::port::{Document, Index};
use tantivy::collector::TopDocs;
use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value as _};
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, TextAnalyzer,
    TokenStream as _, TokenizerManager,
};
use tantivy::{IndexBuilder, IndexReader, TantivyDocument, Term};

/// Memory of the writer, which lives only while the index is built. Its tables are made for a part of it at once, and
/// an idle server would keep what it has touched.
const ARENA: usize = 1_000_000;

/// Words of a question that are looked for; a longer one is cut.
const WORDS: usize = 64;

const ANALYZER: &str = "words";

/// The index cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("the search index cannot be built: {0}")]
pub struct IndexError(#[from] tantivy::TantivyError);

/// An index over tools, or anything else with a name, examples and a text.
pub struct ToolIndex {
    reader: IndexReader,
    analyzer: TextAnalyzer,
    key: Field,
    /// Fields with how much they count.
    weighed: [(Field, f32); 3],
}

/// Words as they are compared: without case, accents and English endings; names fall apart at `_`.
fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(60))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .filter(Stemmer::new(Language::English))
        .build()
}

impl ToolIndex {
    /// Builds the index.
    ///
    /// # Errors
    /// If memory for it cannot be had.
    pub fn new(documents: Vec<Document>) -> Result<Self, IndexError> {
        let indexing =
            TextFieldIndexing::default().set_tokenizer(ANALYZER).set_index_option(IndexRecordOption::WithFreqs);
        let words = TextOptions::default().set_indexing_options(indexing);
        let mut schema = Schema::builder();
        let key = schema.add_text_field("key", STRING | STORED);
        let name = schema.add_text_field("name", words.clone());
        let examples = schema.add_text_field("examples", words.clone());
        let text = schema.add_text_field("text", words);
        let tokenizers = TokenizerManager::default();
        tokenizers.register(ANALYZER, analyzer());
        let index = IndexBuilder::new().schema(schema.build()).tokenizers(tokenizers);
        // A few dozen documents need no threads and no merging.
        let mut writer = index.single_segment_index_writer(RamDirectory::create(), ARENA)?;
        for document in documents {
            let mut fields = TantivyDocument::default();
            fields.add_text(key, document.key);
            fields.add_text(name, document.name);
            fields.add_text(examples, document.examples);
            fields.add_text(text, document.text);
            writer.add_document(fields)?;
        }
        let index = writer.finalize()?;
        let reader = index.reader_builder().reload_policy(tantivy::ReloadPolicy::Manual).try_into()?;
        Ok(Self { reader, analyzer: analyzer(), key, weighed: [(name, 3.0), (examples, 2.0), (text, 1.0)] })
    }

    fn query(&self, text: &str) -> BooleanQuery {
        let mut words = Vec::new();
        let mut analyzer = self.analyzer.clone();
        let mut stream = analyzer.token_stream(text);
        while words.len() < WORDS && stream.advance() {
            let word = &stream.token().text;
            if !words.contains(word) {
                words.push(word.clone());
            }
        }
        let clauses = words.iter().flat_map(|word| {
            self.weighed.map(|(field, weight)| {
                let term = TermQuery::new(Term::from_field_text(field, word), IndexRecordOption::WithFreqs);
                let weighed: Box<dyn Query> = Box::new(BoostQuery::new(Box::new(term), weight));
                (Occur::Should, weighed)
            })
        });
        BooleanQuery::new(clauses.collect())
    }
}

impl Index for ToolIndex {
    fn search(&self, text: &str, limit: usize) -> Vec<(String, f32)> {
        if limit == 0 {
            return Vec::new();
        }
        let searcher = self.reader.searcher();
        let query = self.query(text);
        let found = match searcher.search(&query, &TopDocs::with_limit(limit).order_by_score()) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the index in memory could not be searched");
                return Vec::new();
            }
        };
        found
            .into_iter()
            .filter_map(|(score, address)| {
                let document: TantivyDocument = searcher.doc(address).ok()?;
                Some((document.get_first(self.key)?.as_str()?.to_owned(), score))
            })
            .collect()
    }
}
