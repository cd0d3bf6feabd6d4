// The texts of one data set, mapped, and the units that they are cut into.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace stagedtrain::data {

// One input. text lives as long as the source.
struct Source {
  std::string name;  // the path as given, or "stdin"
  MappedFile file;
  std::string_view text() const {
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
  }
};

// All inputs that are not empty, opened. "-" is standard input, kept in a temporary file beside
// the outputs.
class Sources {
 public:
  // Throws Error(input) for one that is missing, a folder, or a token file already, and if all are
  // empty; Error(usage) if "-" is given twice.
  Sources(const std::vector<std::string>& names, const Path& folder);
  const std::vector<Source>& all() const { return all_; }
  // The names of those that are empty: of many files, a few often are.
  const std::vector<std::string>& empty() const { return empty_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::optional<AtomicFile> spool_;  // never committed: it goes with this object
  std::vector<Source> all_;
  std::vector<std::string> empty_;
  std::uint64_t bytes_ = 0;
};

// A stretch of one source: a whole document or a block of lines. Never empty.
struct Unit {
  const Source* source = nullptr;
  std::size_t first = 0, size = 0;
  std::string_view text() const { return source->text().substr(first, size); }
};

// Walks over all sources in order. With a separator a unit ends behind each occurrence of it (and
// at the end of each source); with block bytes it ends as cut_near says; with neither it is a whole
// source.
class UnitWalk {
 public:
  UnitWalk(const Sources& sources, std::string separator, std::size_t block);
  std::optional<Unit> next();

 private:
  const Sources& sources_;
  std::string separator_;
  std::size_t block_;
  std::size_t source_ = 0, place_ = 0;
};

}  // namespace stagedtrain::data
