// Reads Megatron's indexed data sets: NAME.bin holds raw token ids, and NAME.idx beside it
// describes them.
//
// The layout of the index, as megatron/core/datasets/indexed_dataset.py writes it (little endian):
//   9 bytes    "MMIDIDX\0\0"
//   uint64     version, 1
//   uint8      token type, a code of kTypes
//   uint64     S, the number of sequences
//   uint64     D, the number of documents plus one
//   int32[S]   length of each sequence, in tokens
//   int64[S]   offset of each sequence in NAME.bin, in bytes
//   int64[D]   the first sequence of each document, then S
//   int8[S]    modality of each sequence; only in multimodal data sets
#include <array>
#include <cstring>

#include "base/error.h"
#include "base/signals.h"
#include "data/formats.h"
#include "data/little_endian.h"
#include "text/text.h"

namespace stagedtrain::data {
namespace {

constexpr char kIndexMagic[] = "MMIDIDX\0";  // nine bytes, counting the literal's own terminator
constexpr std::size_t kIndexMagicBytes = 9, kHeaderBytes = 34;
constexpr std::uint64_t kVersion = 1;

struct TokenType {
  std::uint8_t code;
  const char* name;
  int width;  // bytes per token; 0: a type that is not supported
};
constexpr std::array kTypes = {TokenType{1, "uint8", 1},   TokenType{2, "int8", 0},
                               TokenType{3, "int16", 0},   TokenType{4, "int32", 4},
                               TokenType{5, "int64", 0},   TokenType{6, "float64", 0},
                               TokenType{7, "float32", 0}, TokenType{8, "uint16", 2}};

class Index {
 public:
  explicit Index(const Path& path) : path_(path), file_(path) {
    if (bytes().size() < kHeaderBytes)
      throw damaged(fmt::format("{} bytes, expected a header of {}", bytes().size(), kHeaderBytes));
    if (const auto version = load<std::uint64_t>(bytes(), kIndexMagicBytes); version != kVersion)
      throw input_error("{}: Megatron index of version {}, expected version {}", path.string(),
                        version, kVersion);
    sequences_ = load<std::uint64_t>(bytes(), 18);
    places_ = load<std::uint64_t>(bytes(), 26);
    check_size();
    check_documents();
  }

  // Returns the number of bytes per token.
  int width() const {
    const auto code = load<std::uint8_t>(bytes(), 17);
    for (const TokenType& type : kTypes) {
      if (type.code != code) continue;
      if (type.width > 0) return type.width;
      throw input_error("{}: its tokens are {}, expected uint8, uint16 or int32", path_.string(),
                        type.name)
          .with_hint("write the data set again with token ids of 2 or 4 bytes");
    }
    throw damaged(fmt::format("its type of tokens is {}, expected 1 to 8", code));
  }
  std::uint64_t documents() const { return places_ - 1; }
  std::uint64_t sequences() const { return sequences_; }

  // Returns the number of tokens. Requires the sequences to be contiguous in NAME.bin, starting at
  // byte 0; throws Error(input) if they are not.
  std::uint64_t tokens(std::uint64_t bytes_per_token) const {
    std::uint64_t tokens = 0;
    for (std::uint64_t i = 0; i < sequences_; ++i) {
      if (i % 65536 == 0) stop_point("reading an index");
      const auto length = load<std::int32_t>(bytes(), kHeaderBytes + 4 * i);
      const auto place = load<std::uint64_t>(bytes(), kHeaderBytes + 4 * sequences_ + 8 * i);
      if (length < 0 || place != tokens * bytes_per_token)
        throw damaged(fmt::format("its sequence {} has {} tokens at byte {}, expected byte {}", i,
                                  length, place, tokens * bytes_per_token));
      tokens += static_cast<std::uint64_t>(length);
    }
    return tokens;
  }

  Error damaged(const std::string& what) const {
    return input_error("{}: damaged Megatron index: {}", path_.string(), what)
        .with_hint("copy both files of the data set again, or make them again");
  }

 private:
  std::span<const std::byte> bytes() const { return file_.bytes(); }

  void check_size() const {
    const std::uint64_t size = bytes().size();
    const bool sane = sequences_ <= size / 12 && places_ <= size / 8 && places_ >= 1;
    const std::uint64_t expected = sane ? kHeaderBytes + 12 * sequences_ + 8 * places_ : 0;
    if (!sane || (size != expected && size != expected + sequences_))
      throw damaged(fmt::format("{} sequences and {} document positions do not make up {} bytes",
                                sequences_, places_, size));
  }

  void check_documents() const {
    std::uint64_t before = 0;
    for (std::uint64_t i = 0; i < places_; ++i) {
      const auto first = load<std::uint64_t>(bytes(), kHeaderBytes + 12 * sequences_ + 8 * i);
      const bool ends = i + 1 == places_;
      if (first < before || first > sequences_ || (i == 0 && first != 0) ||
          (ends && first != sequences_))
        throw damaged(
            fmt::format("its document {} begins at sequence {} of {}", i, first, sequences_));
      before = first;
    }
  }

  Path path_;
  MappedFile file_;
  std::uint64_t sequences_ = 0, places_ = 0;
};

bool is_index(const Path& path) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return false;
  const MappedFile file(path);
  return file.bytes().size() >= kIndexMagicBytes &&
         std::memcmp(file.bytes().data(), kIndexMagic, kIndexMagicBytes) == 0;
}

Path index_beside(const Path& path) { return Path(path).replace_extension(".idx"); }

}  // namespace

bool recognises_megatron(const Path& path, std::span<const std::byte>) {
  return path.extension() == ".bin" && is_index(index_beside(path));
}

TokenFileInfo read_megatron(const Path& path, std::span<const std::byte> bytes) {
  const std::uint64_t file_bytes = bytes.size();
  const Path index_path = index_beside(path);
  const Index index(index_path);
  TokenFileInfo info;
  info.bytes_per_token = index.width();
  const auto width = static_cast<std::uint64_t>(info.bytes_per_token);
  const std::uint64_t tokens = index.tokens(width);
  if (tokens == 0 || tokens > file_bytes / width)
    throw input_error("{}: its index {} promises {} tokens ({} bytes), found {} bytes",
                      path.string(), index_path.string(), tokens, tokens * width, file_bytes)
        .with_hint("copy both files of the data set again, or make them again");
  info.count = static_cast<std::int64_t>(tokens);
  info.documents = static_cast<std::int64_t>(index.documents());
  info.note = fmt::format("read with Megatron's index {}: {} documents in {} sequences",
                          index_path.string(), grouped(info.documents),
                          grouped(static_cast<std::int64_t>(index.sequences())));
  return info;
}

}  // namespace stagedtrain::data
