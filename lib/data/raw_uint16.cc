// nanoGPT's token files: uint16 from the first byte to the last, no header.
#include "base/error.h"
#include "base/text.h"
#include "data/formats.h"

namespace stagedtrain::data {

bool recognises_raw_uint16(std::span<const std::byte>) { return true; }

TokenFileInfo read_raw_uint16(const Path& path, std::span<const std::byte> bytes) {
  if (bytes.size() % 2 != 0)
    throw input_error(
        "{}: {} bytes, an odd length; expected 2 bytes a token (no stagedtrain or llm.c header was "
        "found)",
        path.string(), grouped(static_cast<std::int64_t>(bytes.size())))
        .with_hint(
            "the file is cut short or is not a token file; make one with: stagedtrain data TEXT "
            "--out DIR");
  return {
      .count = static_cast<std::int64_t>(bytes.size() / 2), .bytes_per_token = 2, .first_byte = 0};
}

}  // namespace stagedtrain::data
