// What tests of writing share: bytes of a text, and operations on files that fail or are counted.
#pragma once

#include <span>
#include <string_view>
#include <utility>

#include "io/file.h"

namespace stagedtrain::test {

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The hook that is called before each operation, for as long as it lives.
class Fault {
 public:
  explicit Fault(FileFault fault) : before_(set_file_fault(std::move(fault))) {}
  // Makes one operation fail.
  Fault(FileOperation operation, int code)
      : Fault([=](FileOperation o, const Path&) { return o == operation ? code : 0; }) {}
  ~Fault() { set_file_fault(before_); }
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;

 private:
  FileFault before_;
};

}  // namespace stagedtrain::test
