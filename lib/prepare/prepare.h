// How does text become a training and a validation token file? The work of `stagedtrain data`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/file.h"
#include "prepare/sources.h"
#include "prepare/split.h"
#include "prepare/token_writer.h"
#include "text/json_fwd.h"

namespace stagedtrain::data {

struct PrepareOptions {
  // Files, folders or patterns. Each file holds text or JSON lines and may be compressed; "-" is
  // standard input.
  std::vector<std::string> inputs;
  Path folder;  // output folder: train.bin and validation.bin (val.bin in the other layouts)
  // The field of JSON lines that holds the text; "text" if not set. If set, "-" is JSON lines too.
  std::optional<std::string> field;
  TokenLayout format = TokenLayout::stagedtrain;
  int threads = 0;        // 0: all cores
  TellProgress progress;  // may be empty
  // "bytes", or the path of a tokenizer.json, a tiktoken rank file or a .model file.
  std::string tokenizer = "bytes";
  double validation = 0.01;  // share of the bytes or documents; above 0, at most 0.5
  SplitRule split = SplitRule::automatic;
  // The text that ends a document. It stays part of the document, and is appended to each document
  // of JSON lines that does not end with it. If empty, a document is a whole file or one JSON line.
  std::string separator;
  std::uint64_t seed = 1;  // decides which parts are chosen for validation
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
  std::string tokenizer;  // Tokenizer::name()
  std::int64_t vocab = 0;
  int bytes_per_token = 1;                // in the token files
  std::int64_t files = 0, documents = 0;  // files counts non-empty inputs only
  std::int64_t separators = 0;            // documents that end with the separator, if one was given
  std::uint64_t text_bytes = 0;
  bool by_document = false;     // else by blocks of block_bytes
  std::size_t block_bytes = 0;  // 0 if split by document
  PreparedFile train, validation;
  bool lossless = true;  // whether decoding the tokens gives back the text, byte for byte
  std::vector<std::string> skipped;   // names of empty inputs
  std::vector<std::string> warnings;  // what the user should check, in whole sentences
};

// Reads, tokenizes, splits and writes, in memory that does not grow with the text. Both files
// appear only at the end, after everything that depends on the input has succeeded. Throws Error:
// usage (the outputs exist, or an option is out of range), input (bad text or tokenizer, or a split
// with an empty side), resource (disk full), interrupted (a signal; nothing is left behind).
PreparedData prepare(const PrepareOptions& options);

// Formats the result as a text table and as JSON.
std::string to_text(const PreparedData& data);
Json to_json(const PreparedData& data);

}  // namespace stagedtrain::data
