// How texts that are not plain files (standard input, compressed files, JSON lines) are kept in
// temporary files beside the outputs, so that they can be mapped and read twice.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "io/file.h"

namespace stagedtrain::data {

// One input in the spool: its bytes, and its range of document ends. If `ends` is 0, the text is
// not split into documents yet.
struct SpooledText {
  std::uint64_t first = 0, size = 0;
  std::size_t first_end = 0, ends = 0;
};

// Two temporary files, one for texts and one for document ends. Neither is ever committed, so both
// disappear with this object.
class TextSpool {
 public:
  explicit TextSpool(const Path& folder);
  // Appends to the current input.
  void append(std::string_view text);
  // Marks the end of a document of the current input.
  void end_document();
  // Ends the current input and returns what was written since the last call.
  SpooledText take();
  // Maps both files. Nothing may be written afterwards; the views below are valid as long as this
  // object.
  void map();
  std::string_view text(const SpooledText& part) const;
  // Returns the ends of the part's documents, as offsets from its start.
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
