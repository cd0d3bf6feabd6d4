// Which texts make up a data set, and how are they split into units?
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "prepare/text_spool.h"

namespace stagedtrain::data {

// An input text that is open for reading.
struct OpenText {
  std::string name;                // the path, or "stdin"
  std::optional<MappedFile> file;  // empty if the text is in the spool
  std::string_view text;           // valid as long as this object
  // Ends of its documents, as offsets into text; empty if the text is not split into documents yet.
  std::span<const std::uint64_t> ends;
};

// Called with the current activity and its progress in bytes.
using TellProgress =
    std::function<void(const char* what, std::uint64_t done, std::uint64_t total)>;

struct SourceOptions {
  std::string field = "text";    // the field of JSON lines that holds the text
  bool stdin_has_lines = false;  // whether standard input is JSON lines instead of plain text
  // Appended to each document of JSON lines that does not end with it.
  std::string separator;
  TellProgress progress;         // may be empty
};

// All inputs that are not empty. Plain files are mapped when they are opened. Standard input ("-"),
// compressed files and JSON lines (.jsonl, .ndjson) are first written to temporary files in
// `folder`.
class Sources {
 public:
  // names are files, folders and patterns. Throws Error(input) if one is missing, damaged or not
  // text, or if all are empty; Error(usage) if "-" is given twice.
  Sources(const std::vector<std::string>& names, const Path& folder, const SourceOptions& options);
  std::size_t count() const { return all_.size(); }
  std::shared_ptr<const OpenText> open(std::size_t i) const;
  // Returns the names of the empty inputs. They are left out, not refused: a large data set often
  // has a few.
  const std::vector<std::string>& empty() const { return empty_; }
  std::uint64_t bytes() const { return bytes_; }
  // Returns the number of JSON lines that were left out because their text is empty.
  std::int64_t without_text() const { return without_text_; }
  // Returns whether any input is JSON lines.
  bool have_lines() const { return have_lines_; }

 private:
  struct Source {
    std::string name;
    std::uint64_t size = 0;
    std::optional<SpooledText> spooled;
  };
  void add(const std::string& name, const Path& folder, const SourceOptions& options);
  void spool_stdin(const SourceOptions& options);
  void spool_file(const std::string& name, const MappedFile& file, const SourceOptions& options);
  void keep(Source source);

  std::optional<TextSpool> spool_;
  std::vector<Source> all_;
  std::vector<std::string> empty_;
  std::uint64_t bytes_ = 0;
  std::int64_t without_text_ = 0;
  bool have_lines_ = false;
};

// A contiguous range of one source: a whole document or a block of lines. Never empty.
struct Unit {
  std::shared_ptr<const OpenText> source;
  std::size_t first = 0, size = 0;
  std::string_view text() const { return source->text.substr(first, size); }
};

// Walks over the units of all sources in order. If `block` is not 0, units are blocks of about that
// many bytes, cut by cut_near. Otherwise a unit is a document: it ends where the source records the
// end of a document, or else after each occurrence of the separator and at the end of the source.
// With an empty separator it is the whole source.
class UnitWalk {
 public:
  UnitWalk(const Sources& sources, std::string separator, std::size_t block)
      : sources_(sources), separator_(std::move(separator)), block_(block) {}
  // Returns the next unit, or nothing at the end.
  std::optional<Unit> next();

 private:
  std::size_t next_size();
  const Sources& sources_;
  std::string separator_;
  std::size_t block_;
  std::shared_ptr<const OpenText> open_;
  std::size_t source_ = 0, place_ = 0, document_ = 0;
};

}  // namespace stagedtrain::data
