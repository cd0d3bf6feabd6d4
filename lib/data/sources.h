// The texts of one data set, and the units that they are cut into.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "data/text_spool.h"

namespace stagedtrain::data {

// One input that can be read now.
struct OpenText {
  std::string name;                      // the path, or "stdin"
  std::optional<MappedFile> file;        // none: the text is in the spool
  std::string_view text;                 // lives as long as this object
  std::span<const std::uint64_t> ends;   // of its documents; none: not known yet
};

// Told what is being done, and how many bytes of how many.
using TellProgress =
    std::function<void(const char* what, std::uint64_t done, std::uint64_t total)>;

struct SourceOptions {
  std::string field = "text";    // of JSON lines
  bool stdin_has_lines = false;  // standard input is JSON lines; else plain text
  std::string separator;         // put behind each document of JSON lines that does not end with it
  TellProgress progress;         // may be empty
};

// All inputs that are not empty. Plain files are mapped when they are used. Standard input ("-"),
// compressed files and JSON lines (.jsonl, .ndjson) are written out first, into temporary files
// beside the outputs.
class Sources {
 public:
  // names: files, folders and patterns. Throws Error(input) for one that is missing, is of a kind
  // that is no text, or is damaged, and if all are empty; Error(usage) if "-" is given twice.
  Sources(const std::vector<std::string>& names, const Path& folder, const SourceOptions& options);
  std::size_t count() const { return all_.size(); }
  std::shared_ptr<const OpenText> open(std::size_t i) const;
  // The names of those that are empty: of many files, a few often are.
  const std::vector<std::string>& empty() const { return empty_; }
  std::uint64_t bytes() const { return bytes_; }
  // Documents of JSON lines that were left out because they have no text.
  std::int64_t without_text() const { return without_text_; }
  // Whether any input is JSON lines.
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

// A stretch of one source: a whole document or a block of lines. Never empty.
struct Unit {
  std::shared_ptr<const OpenText> source;
  std::size_t first = 0, size = 0;
  std::string_view text() const { return source->text.substr(first, size); }
};

// Walks over all sources in order. With block bytes a unit ends as cut_near says. Else it ends where
// its source knows the ends of documents; else behind each occurrence of the separator (and at the
// end of each source); without a separator it is a whole source.
class UnitWalk {
 public:
  UnitWalk(const Sources& sources, std::string separator, std::size_t block)
      : sources_(sources), separator_(std::move(separator)), block_(block) {}
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
