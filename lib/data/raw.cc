// Reads token files without a header: nanoGPT's uint16, and uint32 for larger vocabularies.
#include "base/error.h"
#include "data/formats.h"
#include "data/raw_sample.h"
#include "text/text.h"

namespace stagedtrain::data {
namespace {

constexpr const char* kMakeOne = "make a token file with: stagedtrain data TEXT --out DIR";

TokenFileInfo raw_info(std::size_t file_bytes, int width, const RawSample& sample,
                       const char* why) {
  TokenFileInfo info;
  info.count = static_cast<std::int64_t>(file_bytes) / width;
  info.bytes_per_token = width;
  info.note = fmt::format("no header was found; read as ids of {} bytes each{}: {}", width, why,
                          sample.describe());
  return info;
}

}  // namespace

bool recognises_raw_uint32(const Path&, std::span<const std::byte> bytes) {
  return sample_raw(bytes).width == RawWidth::uint32;
}

TokenFileInfo read_raw_uint32(const Path&, std::span<const std::byte> bytes) {
  return raw_info(bytes.size(), 4, sample_raw(bytes), " because their upper halves are empty");
}

bool recognises_raw_uint16(const Path&, std::span<const std::byte>) { return true; }

TokenFileInfo read_raw_uint16(const Path& path, std::span<const std::byte> bytes) {
  const RawSample sample = sample_raw(bytes);
  if (sample.text)
    throw input_error("{}: is text, expected a token file", path.string()).with_hint(kMakeOne);
  if (bytes.size() % 2 != 0)
    throw input_error(
        "{}: {} bytes, an odd length; expected 2 bytes a token (no stagedtrain or llm.c header was "
        "found)",
        path.string(), grouped(static_cast<std::int64_t>(bytes.size())))
        .with_hint(
            "the file is cut short or is not a token file; make one with: stagedtrain data TEXT "
            "--out DIR");
  if (sample.width == RawWidth::int64)
    throw input_error(
        "{}: holds 64-bit numbers without a header ({}), expected ids of 2 or 4 bytes",
        path.string(), sample.describe())
        .with_hint(
            "numpy writes 64-bit numbers unless told otherwise; in Python: "
            "ids.astype(np.uint16).tofile(path), or np.uint32 for more than 65,536 ids");
  TokenFileInfo info = raw_info(bytes.size(), 2, sample, "");
  if (sample.noise)
    info.warning =
        "its ids are spread as evenly as random numbers, so it may be a compressed or other binary "
        "file instead of tokens";
  return info;
}

}  // namespace stagedtrain::data
