// Prepares token files from text: one pass counts documents, a second encodes them into two files.
#include "prepare/prepare.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/signals.h"
#include "prepare/escapes.h"
#include "prepare/parallel_encoder.h"
#include "prepare/sources.h"
#include "prepare/token_writer.h"
#include "text/counted.h"
#include "text/json.h"
#include "text/text.h"
#include "text/utf8.h"
#include "tokenizers/tokenizer.h"

namespace stagedtrain::data {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 16;  // bytes of text encoded in one call
constexpr std::size_t kRowBytes = std::size_t{1} << 20;    // bytes of text per thread in one batch

int threads_of(const PrepareOptions& options) {
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  return options.threads > 0 ? options.threads : std::max(1, cores);
}

void count_documents(const Sources& sources, const std::string& separator, PreparedData& data) {
  data.documents = 0;
  UnitWalk walk(sources, separator, 0);
  while (const std::optional<Unit> unit = walk.next()) {
    stop_point("counting documents");
    ++data.documents;
    if (!separator.empty() && unit->text().ends_with(separator)) ++data.separators;
  }
}

void add_warnings(const Sources& sources, const PrepareOptions& options, PreparedData& data) {
  data.skipped = sources.empty();
  const std::int64_t more = std::ssize(data.skipped) - 1;
  if (!data.skipped.empty())
    data.warnings.push_back(fmt::format(
        "{}: empty, so it is skipped{}", data.skipped.front(),
        data.skipped.size() == 1
            ? ""
            : fmt::format("; so {} {}", more == 1 ? "is" : "are", counted(more, "other input"))));
  if (!options.separator.empty() && data.separators == 0)
    data.warnings.push_back(
        fmt::format("--separator '{}' occurs 0 times in the text, so each file is one document",
                    escaped(options.separator)));
  if (sources.without_text() > 0)
    data.warnings.push_back(fmt::format("skipped {} without text in '{}'",
                                        counted(sources.without_text(), "line"),
                                        options.field.value_or("text")));
  if (sources.have_lines() && options.separator.empty())
    data.warnings.push_back(
        "nothing marks where one document of JSON lines ends and the next begins: give "
        "--separator, such as '<|endoftext|>' where the tokenizer has that token or '\\n' for "
        "bytes");
  if (!data.lossless)
    data.warnings.push_back(
        "the tokenizer does not keep all of the text (most SentencePiece models fold spaces and "
        "line ends), so bits per byte will come out too low");
}

// Decides whether to split by document: if asked to, or, for SplitRule::automatic, if there are
// enough documents for at least one to be chosen for validation.
bool splits_by_document(const PrepareOptions& options, std::int64_t documents) {
  const bool enough = static_cast<double>(documents) * options.validation >= 1;
  if (options.split == SplitRule::automatic) return enough;
  if (options.split == SplitRule::document && !enough)
    throw input_error("{} cannot be split {} to 1: expected at least {}",
                      counted(documents, "document"), format_number(1 / options.validation - 1),
                      format_number(std::ceil(1 / options.validation)))
        .with_hint(
            "give --split fraction, a larger --validation, or --separator if a file holds several "
            "documents");
  return options.split == SplitRule::document;
}

// Walks over the pieces of all units in order and assigns each to the training or validation file.
class PieceWalk {
 public:
  PieceWalk(const Sources& sources, const PrepareOptions& options, PreparedData& data)
      : walk_(sources, data.by_document ? options.separator : "", data.block_bytes),
        chooser_(options.validation, options.seed),
        data_(data) {}
  // Returns the next pieces, at least `bytes` bytes of text in all unless the text ends; empty at
  // the end.
  std::vector<Piece> next(std::size_t bytes) {
    std::vector<Piece> pieces;
    for (std::size_t size = 0; size < bytes; size += pieces.back().text.size()) {
      if (done_ == unit_.size && !next_unit()) break;
      const std::string_view rest = unit_.text().substr(done_);
      const std::string_view text = rest.substr(0, cut_near(rest, kPieceBytes));
      pieces.push_back({unit_.source, unit_.first + done_, text, validates_, {}});
      done_ += text.size();
    }
    return pieces;
  }

 private:
  bool next_unit() {
    std::optional<Unit> unit = walk_.next();
    if (!unit) return false;
    unit_ = std::move(*unit);
    done_ = 0;
    validates_ = chooser_.next_is_validation();
    PreparedFile& file = validates_ ? data_.validation : data_.train;
    ++file.units;
    file.text_bytes += unit_.size;
    return true;
  }
  UnitWalk walk_;
  SplitChooser chooser_;
  PreparedData& data_;
  Unit unit_;
  std::size_t done_ = 0;
  bool validates_ = false;
};

// While one batch of pieces is encoded, writes the previous batch and reads the next one.
void write_split(const Sources& sources, const PrepareOptions& options, const Tokenizer& tokenizer,
                 TokenWriter& train_writer, TokenWriter& validation_writer, PreparedData& data) {
  std::vector<Piece> before, now, next;
  ParallelEncoder encoder(tokenizer, threads_of(options));
  PieceWalk walk(sources, options, data);
  const std::size_t row = kRowBytes * static_cast<std::size_t>(encoder.threads());
  std::uint64_t encoded = 0;
  now = walk.next(row);
  while (!now.empty() || !before.empty()) {
    stop_point("preparing data");
    encoder.start(now);
    for (const Piece& piece : before) {
      (piece.validates ? validation_writer : train_writer).append(piece.ids);
      data.lossless = data.lossless && piece.lossless;
      encoded += piece.text.size();
    }
    if (options.progress) options.progress("encoded", encoded, data.text_bytes);
    next = walk.next(row);
    encoder.wait();
    before = std::exchange(now, std::exchange(next, {}));
  }
}

void finish(TokenWriter& writer, const PreparedData& data, const char* split, PreparedFile& file) {
  if (writer.count() == 0)
    throw input_error("{}: would be empty: {} of text in {} is too little to split",
                      writer.target().string(), short_bytes(static_cast<double>(data.text_bytes)),
                      counted(data.train.units + data.validation.units, "unit"))
        .with_hint("give more text or a larger share, such as --validation 10%");
  Json metadata;
  metadata["split"] = split;
  metadata["split_by"] = data.by_document ? "document" : "fraction";
  metadata["units"] = file.units;
  metadata["text_bytes"] = file.text_bytes;
  metadata["lossless"] = data.lossless;
  writer.finish(std::move(metadata));
  file.path = writer.target();
  file.tokens = writer.count();
  file.file_bytes = writer.file_bytes();
}

// On destruction, removes a folder that did not exist before, unless something is in it.
class FolderUnlessEmpty {
 public:
  explicit FolderUnlessEmpty(Path folder)
      : folder_(std::move(folder)), was_there_(std::filesystem::exists(folder_)) {}
  FolderUnlessEmpty(const FolderUnlessEmpty&) = delete;
  ~FolderUnlessEmpty() {
    std::error_code ignored;
    if (!was_there_) std::filesystem::remove(folder_, ignored);
  }

 private:
  Path folder_;
  bool was_there_;
};

}  // namespace

SourceOptions source_options(const PrepareOptions& options) {
  return {.field = options.field.value_or("text"),
          .stdin_has_lines = options.field.has_value(),
          .separator = options.separator,
          .progress = options.progress};
}

PreparedData prepare(const PrepareOptions& options) {
  const bool own = options.format == TokenLayout::stagedtrain;
  const Path train_path = options.folder / "train.bin",
             validation_path = options.folder / (own ? "validation.bin" : "val.bin");
  refuse_overwrite(train_path, options.force);
  refuse_overwrite(validation_path, options.force);
  const std::string spec = read_tokenizer_spec(options.tokenizer);
  const auto tokenizer = Tokenizer::from_spec(spec, options.tokenizer);
  const FolderUnlessEmpty folder(options.folder);
  const Sources sources(options.inputs, options.folder, source_options(options));
  make_folders(options.folder);

  PreparedData data;
  data.tokenizer = tokenizer->name();
  data.vocab = tokenizer->vocab();
  data.files = static_cast<std::int64_t>(sources.count());
  data.text_bytes = sources.bytes();
  count_documents(sources, options.separator, data);
  data.by_document = splits_by_document(options, data.documents);
  if (!data.by_document) data.block_bytes = block_bytes(data.text_bytes, options.validation);

  const Replace replace = options.force ? Replace::yes : Replace::no;
  TokenWriter train(train_path, *tokenizer, replace, options.format);
  TokenWriter validation(validation_path, *tokenizer, replace, options.format);
  data.bytes_per_token = train.bytes_per_token();
  write_split(sources, options, *tokenizer, train, validation, data);
  add_warnings(sources, options, data);
  finish(train, data, "train", data.train);
  finish(validation, data, "validation", data.validation);
  train.commit();
  validation.commit();
  return data;
}

std::string to_text(const PreparedData& data) {
  const std::int64_t tokens = data.train.tokens + data.validation.tokens;
  std::string text = fmt::format("{}, {}, {} of text\n", counted(data.files, "file"),
                                 counted(data.documents, "document"),
                                 counted(static_cast<std::int64_t>(data.text_bytes), "byte"));
  text += fmt::format("tokenizer {}, {} ids, {} a token in the files\n", data.tokenizer,
                      grouped(data.vocab), counted(data.bytes_per_token, "byte"));
  text += data.by_document
              ? "split by document\n"
              : fmt::format("split by fraction, in blocks of {} and on to the next line end\n",
                            short_bytes(static_cast<double>(data.block_bytes)));
  const char* unit = data.by_document ? "documents" : "blocks";
  text += fmt::format("\n{:<11}{:>16}{:>11}{:>12}{:>16}  {}\n", "", "tokens", "share", unit,
                      "bytes/token", "file");
  const auto row = [&](const char* name, const PreparedFile& file) {
    text += fmt::format("{:<11}{:>16}{:>10.2f}%{:>12}{:>16.3f}  {}\n", name, grouped(file.tokens),
                        100.0 * static_cast<double>(file.tokens) / static_cast<double>(tokens),
                        grouped(file.units),
                        static_cast<double>(file.text_bytes) / static_cast<double>(file.tokens),
                        file.path.string());
  };
  row("train", data.train);
  row("validation", data.validation);
  return text;
}

Json to_json(const PreparedData& data) {
  const auto file = [](const PreparedFile& f) {
    return Json{
        {"path", f.path.string()},
        {"tokens", f.tokens},
        {"units", f.units},
        {"text_bytes", f.text_bytes},
        {"text_bytes_per_token", static_cast<double>(f.text_bytes) / static_cast<double>(f.tokens)},
        {"file_bytes", f.file_bytes}};
  };
  return Json{{"tokenizer", data.tokenizer},
              {"vocab", data.vocab},
              {"bytes_per_token", data.bytes_per_token},
              {"files", data.files},
              {"documents", data.documents},
              {"text_bytes", data.text_bytes},
              {"tokens", data.train.tokens + data.validation.tokens},
              {"split_by", data.by_document ? "document" : "fraction"},
              {"lossless", data.lossless},
              {"separators", data.separators},
              {"skipped", data.skipped},
              {"warnings", data.warnings},
              {"train", file(data.train)},
              {"validation", file(data.validation)}};
}

}  // namespace stagedtrain::data
