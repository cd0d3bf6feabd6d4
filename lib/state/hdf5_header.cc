// Object headers of version 2 (HDF5 file format specification 3.0, section IV.A.1.b).
#include "state/hdf5_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <vector>

#include "state/blocks.h"

namespace stagedtrain::state {
namespace {

constexpr std::size_t kSum = 4, kMark = 4;  // bytes of a chunk's checksum and of its signature
constexpr std::size_t kLongest = 1 << 20;   // of a chunk; an attribute has 64 KiB at most
constexpr std::size_t kMostChunks = 8;
constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

enum Message : std::uint8_t {
  kNil = 0x00,
  kDataspace = 0x01,
  kDatatype = 0x03,
  kFillValue = 0x05,
  kLayout = 0x08,
  kAttribute = 0x0c,
  kContinuation = 0x10,
  kAttributeInfo = 0x15
};

// Takes values off the front of bytes. Past the end all are zero, and it is not whole any more.
class Front {
 public:
  explicit Front(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> take(std::size_t size) {
    if (size > bytes_.size()) {
      whole_ = false;
      return {};
    }
    const auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    const auto taken = take(size);
    std::copy(taken.begin(), taken.end(), reinterpret_cast<std::byte*>(&value));
    return value;
  }
  std::size_t left() const { return bytes_.size(); }
  bool whole() const { return whole_; }

 private:
  std::span<const std::byte> bytes_;
  bool whole_ = true;
};

bool equal(std::span<const std::byte> bytes, std::string_view text) {
  return std::ranges::equal(bytes, std::as_bytes(std::span(text)));
}

// A stretch of the header in the file, from its signature to its checksum.
struct Chunk {
  std::uint64_t place = 0;
  std::vector<std::byte> bytes;
  std::size_t first_message = 0;

  std::span<const std::byte> summed() const { return std::span(bytes).first(bytes.size() - kSum); }
};
struct Body {
  std::size_t chunk = 0;
  std::span<const std::byte> bytes;
};

// The chunks of a header and the four messages that make a dataset; plain if there is one of each
// and nothing that could change what they mean.
class PlainHeader {
 public:
  PlainHeader(const Store& store, std::uint64_t address) : store_(store) {
    plain_ = add_first(address);
    for (std::size_t i = 0; plain_ && i < chunks_.size(); ++i) plain_ = walk(i);
    plain_ = plain_ && type_.chunk != kNone && space_.chunk != kNone && layout_.chunk != kNone &&
             attribute_.chunk != kNone;
  }
  bool plain() const { return plain_; }
  std::span<const std::byte> type() const { return type_.bytes; }
  std::span<const std::byte> space() const { return space_.bytes; }
  std::span<const std::byte> layout() const { return layout_.bytes; }
  std::span<const std::byte> attribute() const { return attribute_.bytes; }
  const Chunk& attribute_chunk() const { return chunks_[attribute_.chunk]; }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  bool add_first(std::uint64_t address) {
    std::array<std::byte, 14> start{};
    if (!store_.read(address, start)) return false;
    Front front(start);
    const bool marked = equal(front.take(kMark), "OHDR") && front.number(1) == 2;
    const std::uint64_t flags = front.number(1);  // beyond 3: times and orders, not written here
    if (!marked || flags > 3) return false;
    const std::size_t width = std::size_t{1} << flags;
    const std::uint64_t size = front.number(width);
    return size <= kLongest && add(address, kMark + 2 + width, size + kSum);
  }

  // A chunk of `before` bytes that are no messages and `after` that are, with the checksum.
  bool add(std::uint64_t place, std::size_t before, std::uint64_t after) {
    if (after < kSum || after > kLongest + kSum || chunks_.size() == kMostChunks) return false;
    Chunk chunk{place, std::vector<std::byte>(before + after), before};
    if (!store_.read(place, chunk.bytes)) return false;
    Front sum(std::span(chunk.bytes).last(kSum));
    if (sum.number(kSum) != lookup3(chunk.summed())) return false;
    chunks_.push_back(std::move(chunk));
    return true;
  }

  bool walk(std::size_t index) {
    if (index > 0 && !equal(std::span(chunks_[index].bytes).first(kMark), "OCHK")) return false;
    constexpr std::size_t kHead = 4;  // type, size, flags; what is shorter is a gap
    Front rest(chunks_[index].summed().subspan(chunks_[index].first_message));
    while (rest.left() >= kHead) {
      const auto kind = static_cast<Message>(rest.number(1));
      const std::uint64_t size = rest.number(2), flags = rest.number(1);
      const bool shared = (flags & 2) != 0;
      const std::span<const std::byte> bytes = rest.take(size);
      if (shared || !rest.whole() || !keep(kind, {index, bytes})) return false;
    }
    return true;
  }

  bool keep(Message kind, Body body) {
    switch (kind) {
      case kNil:
      case kFillValue:
        return true;
      case kDataspace:
        return only(space_, body);
      case kDatatype:
        return only(type_, body);
      case kLayout:
        return only(layout_, body);
      case kAttribute:
        return only(attribute_, body);
      case kAttributeInfo:
        return attributes_are_here(Front(body.bytes));
      case kContinuation:
        return continued(Front(body.bytes));
    }
    return false;
  }

  static bool only(Body& place, Body body) { return std::exchange(place, body).chunk == kNone; }
  // Not in a heap of their own, which is said by heap and index being nowhere.
  static bool attributes_are_here(Front body) {
    return body.number(2) == 0 && body.number(8) == kNowhere && body.number(8) == kNowhere;
  }
  bool continued(Front body) {
    const std::uint64_t place = body.number(8), size = body.number(8);
    return body.whole() && size >= kMark + kSum && add(place, kMark, size - kMark);
  }

  const Store& store_;
  std::vector<Chunk> chunks_;
  Body type_{kNone}, space_{kNone}, layout_{kNone}, attribute_{kNone};
  bool plain_ = false;
};

// The encodings (section IV.A.2.d) of little-endian types, after the byte of version and class.
constexpr std::array<unsigned char, 11> kU8 = {0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0};
constexpr std::array<unsigned char, 11> kU32 = {0, 0, 0, 4, 0, 0, 0, 0, 0, 32, 0};
constexpr std::array<unsigned char, 19> kF32 = {0x20, 31, 0, 4, 0,  0,   0, 0, 0, 32,
                                                0,    23, 8, 0, 23, 127, 0, 0, 0};
constexpr std::array<unsigned char, 19> kF64 = {0x20, 63, 0,  8, 0,  0,    0, 0, 0, 64,
                                                0,    52, 11, 0, 52, 0xff, 3, 0, 0};

template <std::size_t n>
bool is_type(std::span<const std::byte> body, int type_class,
             const std::array<unsigned char, n>& encoding) {
  if (body.size() < 1 + n) return false;
  const int first = static_cast<int>(body[0]), version = first >> 4;
  return version >= 1 && version <= 3 && (first & 15) == type_class &&
         std::ranges::equal(body.subspan(1, n), std::as_bytes(std::span(encoding)));
}

std::optional<ElementType> element_type(std::span<const std::byte> body) {
  if (is_type(body, 1, kF32)) return ElementType::f32;
  if (is_type(body, 1, kF64)) return ElementType::f64;
  if (is_type(body, 0, kU8)) return ElementType::u8;
  return std::nullopt;
}

// A simple dataspace; empty if it is another, or more than `most` elements.
std::vector<std::int64_t> sizes_of(std::span<const std::byte> body, std::uint64_t most) {
  Front front(body);
  const std::uint64_t version = front.number(1), rank = front.number(1), flags = front.number(1),
                      kind = front.number(1);
  if (version != 2 || flags > 1 || kind != 1) return {};
  std::vector<std::int64_t> sizes;
  for (std::uint64_t i = 0, count = 1; i < rank; ++i) {
    const std::uint64_t size = front.number(8);
    if (size == 0 || size > most / count) return {};
    count *= size;
    sizes.push_back(static_cast<std::int64_t>(size));
  }
  return sizes;
}

// The values of an attribute crc32c of `count` of them, where they lie; empty if it is another.
std::span<const std::byte> checksum_bytes(std::span<const std::byte> body, std::uint64_t count) {
  Front front(body);
  if (front.number(1) != 3 || front.number(1) != 0) return {};  // version, shared types
  const std::uint64_t name = front.number(2), type = front.number(2), space = front.number(2);
  front.number(1);  // character set of the name
  const bool known = equal(front.take(name), std::string_view("crc32c", 7)) &&
                     is_type(front.take(type), 0, kU32) &&
                     sizes_of(front.take(space), count) ==
                         std::vector<std::int64_t>{static_cast<std::int64_t>(count)};
  return known && front.left() == count * sizeof(std::uint32_t) ? front.take(front.left())
                                                                : std::span<const std::byte>();
}

std::uint32_t word_at(std::span<const std::byte> bytes, std::size_t place) {
  std::uint32_t word = 0;
  if (place < bytes.size())
    std::memcpy(&word, bytes.data() + place, std::min(sizeof word, bytes.size() - place));
  return word;
}

}  // namespace

std::uint32_t lookup3(std::span<const std::byte> bytes) {
  std::uint32_t a = 0xdeadbeef + static_cast<std::uint32_t>(bytes.size()), b = a, c = a;
  const auto turn = [](std::uint32_t& x, std::uint32_t& y, std::uint32_t& z, int bits) {
    x = (x - z) ^ std::rotl(z, bits);
    z += y;
  };
  const auto end = [](std::uint32_t& x, std::uint32_t y, int bits) {
    x = (x ^ y) - std::rotl(y, bits);
  };
  for (; bytes.size() > 12; bytes = bytes.subspan(12)) {
    a += word_at(bytes, 0), b += word_at(bytes, 4), c += word_at(bytes, 8);
    turn(a, b, c, 4), turn(b, c, a, 6), turn(c, a, b, 8);
    turn(a, b, c, 16), turn(b, c, a, 19), turn(c, a, b, 4);
  }
  if (bytes.empty()) return c;
  a += word_at(bytes, 0), b += word_at(bytes, 4), c += word_at(bytes, 8);
  end(c, b, 14), end(a, c, 11), end(b, a, 25), end(c, b, 16);
  end(a, c, 4), end(b, a, 14), end(c, b, 24);
  return c;
}

std::optional<Dataset> read_plain_header(const Store& store, std::uint64_t address,
                                         std::uint64_t file_bytes) {
  const PlainHeader header(store, address);
  if (!header.plain()) return std::nullopt;
  const std::optional<ElementType> type = element_type(header.type());
  if (!type) return std::nullopt;
  Dataset dataset{"", "", *type, sizes_of(header.space(), file_bytes / element_size(*type))};
  dataset.bytes = element_size(*type);
  for (const std::int64_t size : dataset.shape) dataset.bytes *= static_cast<std::uint64_t>(size);
  Front layout(header.layout());
  const bool contiguous = layout.number(1) == 3 && layout.number(1) == 1;
  dataset.offset = layout.number(8);
  const bool sized = layout.number(8) == dataset.bytes && layout.whole();
  const auto sums = checksum_bytes(header.attribute(), num_blocks(dataset.bytes));
  if (dataset.shape.empty() || !contiguous || !sized || sums.empty()) return std::nullopt;
  dataset.checksums.resize(num_blocks(dataset.bytes));
  std::memcpy(dataset.checksums.data(), sums.data(), sums.size());
  return dataset;
}

bool replace_checksums(SparseImage& image, std::uint64_t address,
                       std::span<const std::uint32_t> checksums) {
  const PlainHeader header({&image, {}}, address);
  if (!header.plain()) return false;
  const auto old = checksum_bytes(header.attribute(), checksums.size());
  if (old.empty()) return false;
  Chunk chunk = header.attribute_chunk();
  std::memcpy(chunk.bytes.data() + (old.data() - header.attribute_chunk().bytes.data()),
              checksums.data(), checksums.size_bytes());
  const std::uint32_t sum = lookup3(chunk.summed());
  std::memcpy(chunk.bytes.data() + chunk.summed().size(), &sum, sizeof sum);
  image.write(chunk.place, chunk.bytes);
  return true;
}

}  // namespace stagedtrain::state
