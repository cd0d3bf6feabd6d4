// Preparing token files: one pass over mapped texts, unit by unit, into two writers.
#include "data/prepare.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/signals.h"
#include "base/text.h"
#include "data/escapes.h"
#include "data/sources.h"
#include "data/token_writer.h"
#include "data/tokenizer.h"
#include "data/utf8.h"

namespace stagedtrain::data {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 16;  // of text, encoded at once

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
  const std::size_t more = data.skipped.size() - 1;
  if (!data.skipped.empty())
    data.warnings.push_back(fmt::format(
        "{}: empty, and left out{}", data.skipped.front(),
        data.skipped.size() == 1 ? ""
                                 : fmt::format("; so {} {} other input{}", more == 1 ? "is" : "are",
                                               more, more == 1 ? "" : "s")));
  if (!options.separator.empty() && data.separators == 0)
    data.warnings.push_back(
        fmt::format("--separator '{}' occurs 0 times in the text, so each file is one document",
                    escaped(options.separator)));
  if (!data.lossless)
    data.warnings.push_back(
        "the tokenizer does not keep all of the text (most SentencePiece models fold spaces and "
        "line ends), so bits per byte will come out too low");
}

// By document where asked, or where one group of the chooser has that many.
bool splits_by_document(const PrepareOptions& options, std::int64_t documents) {
  const bool enough = static_cast<double>(documents) * options.validation >= 1;
  if (options.split == SplitRule::automatic) return enough;
  if (options.split == SplitRule::document && !enough)
    throw input_error("{} document{} cannot be split {} to 1: expected at least {}", documents,
                      documents == 1 ? "" : "s", format_number(1 / options.validation - 1),
                      format_number(std::ceil(1 / options.validation)))
        .with_hint(
            "give --split fraction, a larger --validation, or --separator if a file holds several "
            "documents");
  return options.split == SplitRule::document;
}

void require_utf8(const Source& source, std::size_t first, std::string_view piece) {
  const auto bad = first_bad_utf8(piece);
  if (!bad) return;
  const std::size_t offset = first + *bad;
  const auto line = std::count(source.text().begin(),
                               source.text().begin() + static_cast<std::ptrdiff_t>(offset), '\n');
  throw input_error("{}:{}: byte {} (0x{:02x}) is not UTF-8, which this tokenizer expects",
                    source.name, line + 1, offset,
                    static_cast<unsigned char>(source.text()[offset]))
      .with_hint(
          "convert the text (as iconv -f LATIN1 -t UTF-8 does), or give --tokenizer bytes, which "
          "takes any");
}

// Encodes one unit into a writer, piece by piece.
void add_unit(const Unit& unit, const Tokenizer& tokenizer, TokenWriter& writer,
              PreparedData& data) {
  for (std::size_t done = 0; done < unit.size;) {
    stop_point("preparing data");
    const std::string_view rest = unit.text().substr(done);
    const std::string_view piece = rest.substr(0, cut_near(rest, kPieceBytes));
    if (tokenizer.needs_utf8()) require_utf8(*unit.source, unit.first + done, piece);
    const std::vector<std::int32_t> ids = tokenizer.encode(piece);
    writer.append(ids);
    // Up to the first piece that does not come back: of a lossy tokenizer, soon.
    data.lossless = data.lossless && tokenizer.decode(ids) == piece;
    done += piece.size();
  }
}

void write_split(const Sources& sources, const PrepareOptions& options, const Tokenizer& tokenizer,
                 TokenWriter& train_writer, TokenWriter& validation_writer, PreparedData& data) {
  UnitWalk walk(sources, data.by_document ? options.separator : "", data.block_bytes);
  SplitChooser chooser(options.validation, options.seed);
  while (const std::optional<Unit> unit = walk.next()) {
    const bool validates = chooser.next_is_validation();
    add_unit(*unit, tokenizer, validates ? validation_writer : train_writer, data);
    PreparedFile& file = validates ? data.validation : data.train;
    ++file.units;
    file.text_bytes += unit->size;
  }
}

void finish(TokenWriter& writer, const PreparedData& data, const char* split, PreparedFile& file) {
  if (writer.count() == 0)
    throw input_error("{}: would be empty: {} of text, in {} unit{}, are too few to split",
                      writer.target().string(), short_bytes(static_cast<double>(data.text_bytes)),
                      data.train.units + data.validation.units,
                      data.train.units + data.validation.units == 1 ? "" : "s")
        .with_hint("give more text or a larger share, as --validation 10%");
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

// A folder that was made for nothing goes again: one that holds anything stays.
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

PreparedData prepare(const PrepareOptions& options) {
  const Path train_path = options.folder / "train.bin",
             validation_path = options.folder / "validation.bin";
  refuse_overwrite(train_path, options.force);
  refuse_overwrite(validation_path, options.force);
  const std::string spec = read_tokenizer_spec(options.tokenizer);
  const auto tokenizer = Tokenizer::from_spec(spec, options.tokenizer);
  const FolderUnlessEmpty folder(options.folder);
  const Sources sources(options.inputs, options.folder);
  make_folders(options.folder);

  PreparedData data;
  data.tokenizer = tokenizer->name();
  data.vocab = tokenizer->vocab();
  data.files = static_cast<std::int64_t>(sources.all().size());
  data.text_bytes = sources.bytes();
  count_documents(sources, options.separator, data);
  data.by_document = splits_by_document(options, data.documents);
  if (!data.by_document) data.block_bytes = block_bytes(data.text_bytes, options.validation);

  const Replace replace = options.force ? Replace::yes : Replace::no;
  TokenWriter train(train_path, *tokenizer, replace);
  TokenWriter validation(validation_path, *tokenizer, replace);
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
  std::string text = fmt::format("{} file{}, {} document{}, {} bytes of text\n",
                                 grouped(data.files), data.files == 1 ? "" : "s",
                                 grouped(data.documents), data.documents == 1 ? "" : "s",
                                 grouped(static_cast<std::int64_t>(data.text_bytes)));
  text +=
      fmt::format("tokenizer {}, {} ids, {} byte{} a token in the files\n", data.tokenizer,
                  grouped(data.vocab), data.bytes_per_token, data.bytes_per_token == 1 ? "" : "s");
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
