// Pages with a bit for every byte that was written.
#include "state/sparse_image.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace stagedtrain::state {

void SparseImage::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  size_ = std::max(size_, offset + bytes.size());
  while (!bytes.empty()) {
    const std::uint64_t start = offset % kPage;
    const std::size_t size = std::min<std::size_t>(bytes.size(), kPage - start);
    Page& page = pages_[offset / kPage];
    std::memcpy(page.bytes.data() + start, bytes.data(), size);
    for (std::size_t i = 0; i < size; ++i) page.written.set(start + i);
    bytes = bytes.subspan(size);
    offset += size;
  }
}

void SparseImage::read(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const std::uint64_t start = offset % kPage;
    const std::size_t size = std::min<std::size_t>(out.size(), kPage - start);
    const auto page = pages_.find(offset / kPage);
    if (page == pages_.end()) {
      std::memset(out.data(), 0, size);
    } else {
      std::memcpy(out.data(), page->second.bytes.data() + start, size);
    }
    out = out.subspan(size);
    offset += size;
  }
}

void SparseImage::for_each_run(
    const std::function<void(std::uint64_t, std::span<const std::byte>)>& use) const {
  std::vector<std::byte> run;
  std::uint64_t run_end = 0;
  const auto flush = [&] {
    if (!run.empty()) use(run_end - run.size(), run);
    run.clear();
  };
  for (const auto& [index, page] : pages_)
    for (std::uint64_t i = 0; i < kPage; ++i) {
      if (!page.written[i]) continue;
      const std::uint64_t place = index * kPage + i;
      if (place != run_end) flush();
      run.push_back(page.bytes[i]);
      run_end = place + 1;
    }
  flush();
}

}  // namespace stagedtrain::state
