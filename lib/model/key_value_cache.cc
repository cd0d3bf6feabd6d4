// Stores the keys and values of all tokens read so far. A full buffer is replaced by one of twice
// the size.
#include "model/key_value_cache.h"

#include <algorithm>

#include "base/error.h"

namespace stagedtrain::model {
namespace {

constexpr std::int64_t kFirstCapacity = 256;  // tokens

void reserve(at::Tensor& all_GSD, const at::Tensor& like_GTD, std::int64_t used,
             std::int64_t needed, std::int64_t most) {
  const std::int64_t capacity = all_GSD.defined() ? all_GSD.size(1) : 0;
  if (needed <= capacity) return;
  const std::int64_t wanted = std::min(most, std::max({2 * capacity, needed, kFirstCapacity}));
  const at::Tensor larger =
      at::empty({like_GTD.size(0), wanted, like_GTD.size(2)}, like_GTD.options());
  if (used > 0) larger.narrow(1, 0, used).copy_(all_GSD.narrow(1, 0, used));
  all_GSD = larger;
}

}  // namespace

KeyValueCache::Seen KeyValueCache::append(std::size_t layer, const at::Tensor& keys_GTD,
                                          const at::Tensor& values_GTD) {
  const std::int64_t added = keys_GTD.size(1), needed = length_ + added;
  ST_CHECK(needed <= config_.context, "{} tokens in a context of {}", needed, config_.context);
  Seen& all = layers_[layer];
  reserve(all.keys_GSD, keys_GTD, length_, needed, config_.context);
  reserve(all.values_GSD, values_GTD, length_, needed, config_.context);
  all.keys_GSD.narrow(1, length_, added).copy_(keys_GTD);
  all.values_GSD.narrow(1, length_, added).copy_(values_GTD);
  return {all.keys_GSD.narrow(1, 0, needed), all.values_GSD.narrow(1, 0, needed)};
}

}  // namespace stagedtrain::model
