// Lays tensors out in flat buffers, groups them into segments for the optimizer, and copies them
// between host and device.
#include "model/param_buffer.h"

#include <ATen/core/grad_mode.h>

#include "arch/muon_matrices.h"
#include "base/error.h"
#include "io/memory_advice.h"

namespace stagedtrain::model {
namespace {

at::ScalarType scalar_type(state::DType dtype) {
  return dtype == state::DType::f32 ? at::kFloat : at::kDouble;
}

at::Tensor host_view(const state::HostTensor& tensor) {
  void* data = const_cast<std::byte*>(tensor.bytes().data());
  return at::from_blob(data, tensor.shape(), at::TensorOptions(scalar_type(tensor.dtype())));
}

bool joins(const Segment& before, const Segment& next) {
  return before.offset + before.count == next.offset && before.decays == next.decays &&
         before.frozen == next.frozen && before.idle == next.idle && before.age == next.age &&
         before.lr_scale == next.lr_scale && before.decay_scale == next.decay_scale &&
         before.eps_scale == next.eps_scale;
}

// Adds a tensor, to the segment before it if the optimizer treats both the same.
void append(const Segment& tensor, std::vector<Segment>& segments) {
  if (!segments.empty() && joins(segments.back(), tensor)) {
    segments.back().count += tensor.count;
  } else {
    segments.push_back(tensor);
  }
}

at::Tensor flat_of(std::int64_t size, const at::TensorOptions& options, bool sparse) {
  if (sparse) {
    const std::size_t bytes = static_cast<std::size_t>(size) * options.dtype().itemsize();
    return at::from_blob(
        map_sparse(bytes), {size},
        [bytes](void* memory) { unmap_large(static_cast<std::byte*>(memory), bytes); }, options);
  }
  at::Tensor flat = at::empty({size}, options);
  if (flat.is_cpu()) prefer_huge_pages(flat.data_ptr(), flat.nbytes());
  return flat.zero_();
}

// Calls body(part) for the parts of a range that this rank holds.
template <class Body>
void for_held(const Shards& shards, const Range& range, bool always_complete, const Body& body) {
  const std::int64_t complete = always_complete ? shards.complete_from() : range.end;
  for (const Range& own : shards.own()) {
    const Range part{std::max(own.begin, range.begin), std::min({own.end, range.end, complete})};
    if (part.size() > 0) body(part);
  }
  const Range rest{std::max(complete, range.begin), range.end};
  if (rest.size() > 0) body(rest);
}

}  // namespace

ParamBuffer::ParamBuffer(const arch::ParamTable& table, at::ScalarType master, at::Device device,
                         bool sparse)
    : table_(table), sparse_(sparse) {
  offsets_.resize(table_.size());
  std::int64_t total = 0;
  for (bool decays : {true, false}) {
    for (std::size_t i = 0; i < table_.size(); ++i) {
      if (table_[i].decays != decays) continue;
      order_.push_back(i);
      offsets_[i] = total;
      total += table_[i].count();
    }
  }
  weights_ = flat_of(total, at::TensorOptions(master).device(device), sparse);
  grads_ = flat_zeros(master);
  exp_avg_ = flat_zeros(master);
  exp_avg_sq_ = flat_zeros(master);
  set_histories(std::vector<state::TensorHistory>(table_.size()));
}

void ParamBuffer::set_histories(const std::vector<state::TensorHistory>& histories,
                                std::int64_t train_from_generation, const arch::IdleParts& idle) {
  segments_.clear();
  other_segments_.clear();
  matrices_.clear();
  frozen_.assign(table_.size(), false);
  for (const std::size_t i : order_) {
    const state::TensorHistory& h = histories[i];
    frozen_[i] = h.generation < train_from_generation || idle.is_frozen(i);
    const Segment tensor{.offset = offsets_[i],
                         .count = table_[i].count(),
                         .decays = table_[i].decays,
                         .frozen = frozen_[i],
                         .idle = idle.is_idle_layer(table_[i].layer),
                         .age = h.age,
                         .lr_scale = h.lr_scale,
                         .decay_scale = h.decay_scale,
                         .eps_scale = h.eps_scale};
    append(tensor, segments_);
    if (arch::is_muon_matrix(table_[i])) {
      const std::vector<std::int64_t> shape = table_[i].shape();
      matrices_.push_back({tensor, shape[0], shape[1]});
    } else {
      append(tensor, other_segments_);
    }
  }
}

at::Tensor ParamBuffer::view(const at::Tensor& flat, std::size_t index) const {
  return flat.narrow(0, offsets_[index], table_[index].count()).view(table_[index].shape());
}

at::Tensor ParamBuffer::view(const at::Tensor& flat, const std::string& name) const {
  const std::int64_t index = table_.index(name);
  ST_CHECK(index >= 0, "no tensor {}", name);
  return view(flat, static_cast<std::size_t>(index));
}

at::Tensor ParamBuffer::packed_view(const at::Tensor& flat,
                                    const std::vector<std::string>& names) const {
  std::int64_t begin = -1, end = -1, rows = 0;
  std::vector<std::int64_t> shape;
  for (const std::string& name : names) {
    const std::int64_t index = table_.index(name);
    ST_CHECK(index >= 0, "no tensor {}", name);
    const arch::ParamSpec& spec = table_[static_cast<std::size_t>(index)];
    if (begin < 0) begin = end = offset(static_cast<std::size_t>(index));
    ST_CHECK(offset(static_cast<std::size_t>(index)) == end, "{} is not adjacent", name);
    end += spec.count();
    shape = spec.shape();
    rows += shape[0];
  }
  shape[0] = rows;
  return flat.narrow(0, begin, end - begin).view(shape);
}

void ParamBuffer::keep_ema() {
  const at::NoGradGuard no_grad;
  if (!shards_) {
    ema_ = weights_.clone();
    return;
  }
  ema_ = flat_zeros(weights_.scalar_type());
  for (const Range& own : shards_->own())
    ema_.narrow(0, own.begin, own.size()).copy_(weights_.narrow(0, own.begin, own.size()));
}

at::Tensor ParamBuffer::flat_zeros(at::ScalarType type) const {
  return flat_of(weights_.numel(), weights_.options().dtype(type), sparse_);
}

void ParamBuffer::keep_copy() {
  copy_ = flat_zeros(at::kBFloat16);
  update_copy();
}

void ParamBuffer::update_copy() {
  const at::NoGradGuard no_grad;
  if (!copy_.defined()) return;
  if (!shards_) {
    copy_.copy_(weights_);
    return;
  }
  for_held(*shards_, {0, copy_.numel()}, true, [&](const Range& part) {
    copy_.narrow(0, part.begin, part.size()).copy_(weights_.narrow(0, part.begin, part.size()));
  });
}

at::Tensor& ParamBuffer::of(state::TensorKind kind) {
  at::Tensor* const buffers[] = {&weights_, &exp_avg_, &exp_avg_sq_, &ema_};
  return *buffers[static_cast<int>(kind)];
}

void ParamBuffer::set(state::TensorKind kind, std::size_t index, std::span<const std::byte> bytes) {
  ST_CHECK(std::ssize(bytes) == table_[index].count() * weights_.element_size(), "{}: {} bytes",
           table_[index].name, bytes.size());
  set_part(kind, index, 0, bytes);
}

void ParamBuffer::set_part(state::TensorKind kind, std::size_t index, std::int64_t begin,
                           std::span<const std::byte> bytes) {
  const at::NoGradGuard no_grad;
  const at::Tensor flat = of(kind);
  const std::int64_t count = std::ssize(bytes) / flat.element_size();
  ST_CHECK(begin >= 0 && begin + count <= table_[index].count(), "{}: {} elements from {} on",
           table_[index].name, count, begin);
  void* data = const_cast<std::byte*>(bytes.data());
  const at::Tensor from = at::from_blob(data, {count}, at::TensorOptions(flat.scalar_type()));
  const Range range{offsets_[index] + begin, offsets_[index] + begin + count};
  if (!shards_) {
    flat.narrow(0, range.begin, count).copy_(from);
    return;
  }
  for_held(*shards_, range, kind == state::TensorKind::weights, [&](const Range& part) {
    flat.narrow(0, part.begin, part.size())
        .copy_(from.narrow(0, part.begin - range.begin, part.size()));
  });
}

bool ParamBuffer::holds(state::TensorKind kind, std::size_t index, std::int64_t begin,
                        std::int64_t end) const {
  if (!shards_) return true;
  bool any = false;
  for_held(*shards_, {offsets_[index] + begin, offsets_[index] + end},
           kind == state::TensorKind::weights, [&](const Range&) { any = true; });
  return any;
}

std::span<const std::byte> ParamBuffer::get(state::TensorKind kind, std::size_t index,
                                            at::Tensor& copy, std::optional<int> receiver) {
  if (shards_) {
    const Range range{offsets_[index], offsets_[index] + table_[index].count()};
    copy = at::empty({range.size()}, weights_.options());
    shards_->collect(of(kind), range, copy, receiver);
  } else {
    copy = view(of(kind), index).to(at::kCPU);
  }
  return {static_cast<const std::byte*>(copy.const_data_ptr()), copy.nbytes()};
}

void ParamBuffer::clear_moments() {
  for (const at::Tensor& flat : {exp_avg_, exp_avg_sq_}) {
    if (!shards_) {
      flat.zero_();
      continue;
    }
    for (const Range& own : shards_->own()) flat.narrow(0, own.begin, own.size()).zero_();
  }
}

void ParamBuffer::load(const state::TrainingState& from) {
  at::NoGradGuard no_grad;
  if (from.has_ema()) keep_ema();
  for (state::TensorKind kind : state::tensor_kinds(from.has_ema()))
    for (std::size_t i = 0; i < table_.size(); ++i) set(kind, i, from.of(kind)[i].bytes());
  grads_.zero_();
  set_histories(from.histories);
}

void ParamBuffer::store(state::TrainingState& to) const {
  at::NoGradGuard no_grad;
  const at::Tensor* sources[] = {&weights_, &exp_avg_, &exp_avg_sq_, &ema_};
  for (state::TensorKind kind : state::tensor_kinds(to.has_ema()))
    for (std::size_t i = 0; i < table_.size(); ++i)
      host_view(to.of(kind)[i]).copy_(view(*sources[static_cast<int>(kind)], i));
}

}  // namespace stagedtrain::model
