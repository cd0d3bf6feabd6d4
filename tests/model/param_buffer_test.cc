// The flat buffers: layout, views, segments of equal treatment, and the way from and to a state.
#include "model/param_buffer.h"

#include "arch/architectures.h"
#include "support/catch.h"
#include "support/tiny_state.h"

namespace stagedtrain::test {
namespace {

model::ParamBuffer tiny_buffer(at::ScalarType type = at::kFloat) {
  return model::ParamBuffer(arch::param_table(tiny_model()), type, at::kCPU);
}

}  // namespace

TEST_CASE("every tensor has a place of its own, those that decay before the others") {
  const model::ParamBuffer buffer = tiny_buffer();
  const arch::ParamTable& table = buffer.table();
  std::vector<int> owners(static_cast<std::size_t>(table.total_count()), 0);
  std::int64_t last_decaying = 0, first_other = table.total_count();
  for (std::size_t i = 0; i < table.size(); ++i) {
    for (std::int64_t at = 0; at < table[i].count(); ++at)
      ++owners.at(static_cast<std::size_t>(buffer.offset(i) + at));
    if (table[i].decays)
      last_decaying = std::max(last_decaying, buffer.offset(i) + table[i].count());
    else
      first_other = std::min(first_other, buffer.offset(i));
  }
  CHECK(owners == std::vector<int>(owners.size(), 1));
  CHECK(last_decaying == first_other);
}

TEST_CASE("a view shares the buffer's memory and has its tensor's shape") {
  model::ParamBuffer buffer = tiny_buffer();
  const at::Tensor up = buffer.view(buffer.weights(), "layers.1.mlp.up.weight");
  CHECK(up.sizes() == at::IntArrayRef({32, 8}));
  up.fill_(3);
  CHECK(buffer.weights().sum().item<double>() == 3 * 32 * 8);
}

TEST_CASE("query, key and value of a layer are one packed matrix and one packed bias") {
  model::ParamBuffer buffer = tiny_buffer();
  for (const std::string kind : {"weight", "bias"}) {
    const std::vector<std::string> names = {"layers.1.attention.query." + kind,
                                            "layers.1.attention.key." + kind,
                                            "layers.1.attention.value." + kind};
    for (std::size_t i = 0; i < names.size(); ++i)
      buffer.view(buffer.weights(), names[i]).fill_(static_cast<double>(i));
    const at::Tensor packed = buffer.packed_view(buffer.weights(), names);
    REQUIRE(packed.size(0) == 24);
    for (std::int64_t row = 0; row < 24; ++row)
      CHECK(packed[row].mean().item<double>() == static_cast<double>(row / 8));
  }
}

TEST_CASE("tensors of one age and decay form one segment") {
  model::ParamBuffer buffer = tiny_buffer();
  REQUIRE(buffer.segments().size() == 2);
  CHECK(buffer.segments()[0].decays);
  CHECK_FALSE(buffer.segments()[1].decays);
  CHECK(buffer.segments()[0].count + buffer.segments()[1].count == buffer.weights().numel());

  state::TrainingState state = tiny_state();
  const arch::ParamTable& table = buffer.table();
  for (std::size_t i = 0; i < table.size(); ++i)
    state.histories[i].age.start = table[i].layer == 1 ? 40 : 5;
  buffer.load(state);
  std::int64_t at = 0;
  for (const model::Segment& segment : buffer.segments()) {
    CHECK(segment.offset == at);
    at += segment.count;
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (buffer.offset(i) < segment.offset || buffer.offset(i) >= at) continue;
      CHECK(table[i].decays == segment.decays);
      CHECK(state.histories[i].age == segment.age);
    }
  }
  CHECK(at == buffer.weights().numel());
}

TEST_CASE("a state comes back from the buffers with the same bits, and gradients start at zero") {
  for (const auto& [dtype, type] :
       {std::pair{state::DType::f32, at::kFloat}, std::pair{state::DType::f64, at::kDouble}}) {
    const state::TrainingState from = tiny_state(3, dtype);
    model::ParamBuffer buffer = tiny_buffer(type);
    buffer.grads().fill_(1);
    buffer.load(from);
    CHECK(buffer.grads().abs().max().item<double>() == 0);
    state::TrainingState to = clone(from);
    for (state::TensorKind kind : state::kTensorKinds)
      for (state::HostTensor& tensor : to.of(kind))
        std::fill(tensor.bytes().begin(), tensor.bytes().end(), std::byte{0});
    CHECK(difference(from, to) != "");
    buffer.store(to);
    CHECK(difference(from, to) == "");
  }
}

}  // namespace stagedtrain::test
