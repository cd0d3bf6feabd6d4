// Texts that are no plain files (standard input, compressed files, JSON lines), written out beside
// the results so that they can be mapped and read twice.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace stagedtrain::data {

// A part of the spool: its bytes, and which of its documents' ends are its own (none: the text has
// not been cut into documents yet).
struct SpooledText {
  std::uint64_t first = 0, size = 0;
  std::size_t first_end = 0, ends = 0;
};

// Two temporary files, text and ends of documents; neither is ever committed, so both go with this
// object.
class TextSpool {
 public:
  explicit TextSpool(const Path& folder);
  void append(std::string_view text);
  void end_document();
  // What was written since the last call.
  SpooledText take();
  // No more is written from here on; the views live as long as this object.
  void map();
  std::string_view text(const SpooledText& part) const;
  // Each counts from the start of the part.
  std::span<const std::uint64_t> ends(const SpooledText& part) const;

 private:
  class Writer {
   public:
    explicit Writer(const Path& target)
        : file_(target), out_(file_.path(), OutputFile::Mode::existing) {}
    void write(std::span<const std::byte> bytes);
    MappedFile map();
    std::uint64_t size() const { return written_ + buffer_.size(); }

   private:
    void flush();
    AtomicFile file_;
    OutputFile out_;
    std::vector<std::byte> buffer_;
    std::uint64_t written_ = 0;
  };
  Writer text_, ends_;
  SpooledText next_;
  std::optional<MappedFile> mapped_text_, mapped_ends_;
};

}  // namespace stagedtrain::data
