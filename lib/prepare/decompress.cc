// Decompresses gzip and zstd. This is the only file that includes zlib and libzstd.
#include "prepare/decompress.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/signals.h"

namespace stagedtrain::data {
namespace {

constexpr std::size_t kPartBytes = std::size_t{1} << 18;
// The largest window that is allocated: that of `zstd --long=31`, 2 GiB, but 128 MiB (what every
// reader allows) for a small file, since the size of the window is all that its header has to
// claim.
constexpr std::size_t kSmallFile = std::size_t{1} << 20;
int largest_window_log(std::size_t file_size) { return file_size < kSmallFile ? 27 : 31; }

using Use = std::function<void(std::string_view)>;
using Done = std::function<void(std::size_t)>;

[[noreturn]] void refuse(const std::string& where, const char* kind, const std::string& fault) {
  throw input_error("{}: its {} data cannot be read: {}", where, kind, fault)
      .with_hint("the file is damaged or incomplete; copy or make it again");
}

struct EndInflate {
  void operator()(z_stream* stream) const {
    inflateEnd(stream);
    delete stream;
  }
};

void read_gzip(std::span<const std::byte> file, const std::string& where, const Use& use,
               const Done& done) {
  const auto fresh = new z_stream{};
  const std::unique_ptr<z_stream, EndInflate> stream(fresh);
  if (inflateInit2(fresh, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();
  std::vector<char> part(kPartBytes);
  std::size_t given = 0;
  bool in_member = true, full = false;  // full: the same input may produce more output
  while (in_member || given < file.size() || stream->avail_in > 0) {
    stop_point("reading compressed text");
    if (stream->avail_in == 0 && !full) {
      const std::size_t size = std::min(kPartBytes, file.size() - given);
      if (size == 0) refuse(where, "gzip", "it ends inside its last member");
      // zlib's interface is not const-correct; inflate does not write through next_in.
      stream->next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(file.data() + given));
      stream->avail_in = static_cast<uInt>(size);
      done(given += size);
    }
    if (!in_member) {
      full = false;
      if (*stream->next_in == 0) {  // trailing zero padding, as on tapes
        ++stream->next_in;
        --stream->avail_in;
        continue;
      }
      inflateReset(fresh);
      in_member = true;
    }
    stream->next_out = reinterpret_cast<Bytef*>(part.data());
    stream->avail_out = static_cast<uInt>(part.size());
    const int code = inflate(fresh, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
      refuse(where, "gzip", stream->msg ? stream->msg : zError(code));
    use({part.data(), part.size() - stream->avail_out});
    in_member = code != Z_STREAM_END;
    full = in_member && stream->avail_out == 0;
  }
}

struct FreeZstd {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

void read_zstd(std::span<const std::byte> file, const std::string& where, const Use& use,
               const Done& done) {
  const std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, largest_window_log(file.size()));
  std::vector<char> part(kPartBytes);
  ZSTD_inBuffer in{file.data(), 0, 0};
  std::size_t left = 1;  // 0: a frame has just ended
  bool full = false;     // the same input may produce more output
  while (full || in.pos < file.size()) {
    stop_point("reading compressed text");
    in.size = std::min(file.size(), in.pos + kPartBytes);
    ZSTD_outBuffer out{part.data(), part.size(), 0};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left)) refuse(where, "zstd", ZSTD_getErrorName(left));
    use({part.data(), out.pos});
    full = out.pos == out.size && left != 0;
    done(in.pos);
  }
  if (left != 0) refuse(where, "zstd", "it ends inside its last frame");
}

bool starts_with(std::span<const std::byte> file, std::string_view magic) {
  return std::string_view(reinterpret_cast<const char*>(file.data()), file.size())
      .starts_with(magic);
}

}  // namespace

Compression compression_of(std::span<const std::byte> file) {
  if (starts_with(file, "\x1f\x8b\x08")) return Compression::gzip;
  if (starts_with(file, "\x28\xb5\x2f\xfd")) return Compression::zstd;
  return Compression::none;
}

void decompress(std::span<const std::byte> file, const std::string& where, const Use& use,
                const Done& done) {
  const Compression kind = compression_of(file);
  ST_CHECK(kind != Compression::none, "{}: not compressed", where);
  if (kind == Compression::gzip) return read_gzip(file, where, use, done);
  read_zstd(file, where, use, done);
}

}  // namespace stagedtrain::data
