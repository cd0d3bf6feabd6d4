// Reads this project's own token files.
#include "data/formats.h"
#include "data/token_header.h"
#include "text/json.h"

namespace stagedtrain::data {

bool recognises_stagedtrain(const Path&, std::span<const std::byte> bytes) {
  return looks_like_header(bytes);
}

TokenFileInfo read_stagedtrain(const Path& path, std::span<const std::byte> bytes) {
  TokenHeader header = unpack_header(path, bytes);
  const Json metadata = parse_json(header.metadata, path.string() + ": metadata");
  TokenFileInfo info;
  info.count = static_cast<std::int64_t>(header.count);
  info.bytes_per_token = static_cast<int>(header.bytes_per_token);
  info.first_byte = header.header_bytes;
  info.vocab = header.vocab;
  info.tokens_crc = header.tokens_crc;
  try {
    info.text_bytes_per_token =
        metadata.at("text_bytes").get<double>() / static_cast<double>(header.count);
    if (metadata.contains("lossless")) info.lossless = metadata.at("lossless").get<bool>();
    const bool bytes_tokenizer = metadata.at("tokenizer").get<std::string>() == "bytes";
    info.tokenizer = bytes_tokenizer ? "bytes" : std::move(header.tokenizer);
  } catch (const nlohmann::json::exception& error) {
    throw input_error("{}: metadata: {}", path.string(), error.what());
  }
  return info;
}

}  // namespace stagedtrain::data
