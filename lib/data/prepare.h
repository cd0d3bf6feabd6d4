// From text to a pair of token files: what `stagedtrain data` does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "data/sources.h"
#include "data/split.h"
#include "data/token_writer.h"

namespace stagedtrain::data {

struct PrepareOptions {
  // Files, folders and patterns of text, JSON lines, or either compressed; "-" is standard input.
  std::vector<std::string> inputs;
  Path folder;  // gets train.bin and validation.bin (val.bin in the layouts of others)
  std::optional<std::string> field;  // of JSON lines, default "text"; if set, "-" is JSON lines too
  TokenLayout format = TokenLayout::stagedtrain;
  int threads = 0;        // 0: all cores
  TellProgress progress;  // may be empty
  std::string tokenizer = "bytes";  // or the path of a tokenizer.json or .model
  double validation = 0.01;  // share of the text, in bytes or documents; above 0, at most 0.5
  SplitRule split = SplitRule::automatic;
  // Ends a document and stays part of it; put behind each document of JSON lines. Empty: a file or
  // a line is a document.
  std::string separator;
  std::uint64_t seed = 1;  // which parts are chosen for validation
  bool force = false;      // replace existing files
};

// One of the two files.
struct PreparedFile {
  Path path;
  std::int64_t units = 0;  // documents or blocks
  std::uint64_t text_bytes = 0;
  std::int64_t tokens = 0;
  std::uint64_t file_bytes = 0;
};

struct PreparedData {
  std::string tokenizer;  // its name
  std::int64_t vocab = 0;
  int bytes_per_token = 1;                // in the files
  std::int64_t files = 0, documents = 0;  // files that are not empty
  std::int64_t separators = 0;            // how often the separator occurs, if one was given
  std::uint64_t text_bytes = 0;
  bool by_document = false;     // else by blocks
  std::size_t block_bytes = 0;  // of a block, where not by document
  PreparedFile train, validation;
  bool lossless = true;               // decoding the tokens gives back the text, byte for byte
  std::vector<std::string> skipped;   // inputs that are empty
  std::vector<std::string> warnings;  // what a user should look at, in whole sentences
};

// Reads, tokenizes, splits and writes, in memory that does not grow with the text. Both files
// appear at the end, after all work that can fail for their content. Throws Error: usage (outputs
// exist, options out of range), input (a text or model that is bad, a split that comes out empty),
// resource (disk full), interrupted (a signal; nothing is left behind).
PreparedData prepare(const PrepareOptions& options);

// As a table for people, and as JSON.
std::string to_text(const PreparedData& data);
Json to_json(const PreparedData& data);

}  // namespace stagedtrain::data
