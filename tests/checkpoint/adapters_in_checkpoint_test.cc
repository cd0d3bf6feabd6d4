// Adapters in checkpoints: stored beside the tensors, and refused where they do not fit the model.
#include <algorithm>

#include "arch/architectures.h"
#include "checkpoint/metadata.h"
#include "checkpoint/metadata_checks.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_state.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

const arch::AdapterSet kSet{
    .rank = 2,
    .alpha = 5,
    .lr = 3,
    .start = 4,
    .matrices = {"layers.0.mlp.up.weight", "layers.1.attention.query.weight"}};

state::StateHeader header_with(const arch::AdapterSet& set) {
  state::StateHeader header = state::header_of(test::tiny_state());
  header.progress.step = std::max<std::int64_t>(header.progress.step, 10);
  header.adapters = set;
  return header;
}

// Writes a state with these adapters, whose tensor i is all i + 1.
void write(const Path& file, const arch::AdapterSet& set, double last = 1) {
  const state::TrainingState state = test::tiny_state();
  const state::StateHeader header = header_with(set);
  state::CheckpointWriter writer(file, header);
  for (const state::TensorKind kind : header.kinds())
    for (std::size_t i = 0; i < state.of(kind).size(); ++i)
      writer.write(kind, i, state.of(kind)[i].bytes());
  const arch::ParamTable stored = arch::stored_adapters(set, arch::param_table(header.model));
  for (std::size_t i = 0; i < stored.size(); ++i) {
    state::HostTensor tensor(header.dtype, stored[i].shape());
    for (std::int64_t at = 0; at < tensor.count(); ++at)
      tensor.set(at, i + 1 == stored.size() ? last : static_cast<double>(i + 1));
    writer.write_adapter(i, tensor.bytes());
  }
  writer.commit();
}

std::string refused(const arch::AdapterSet& set) {
  const state::StateHeader header = header_with(set);
  const arch::ParamTable table = arch::param_table(header.model);
  return test::refusal(ErrorKind::input, [&] { state::check_adapters(header, table); });
}

}  // namespace

TEST_CASE("adapters come back to the last bit, and everything else as without them") {
  const test::TempDir dir;
  write(dir / "with.h5", kSet);
  write(dir / "without.h5", {});
  const state::CheckpointReader with(dir / "with.h5"), without(dir / "without.h5");
  CHECK(with.header().adapters == kSet);
  CHECK(without.header().adapters.none());
  CHECK(!contains(state::metadata_json(without.header()).dump(), "adapters"));
  CHECK(test::difference(state::load(dir / "with.h5"), state::load(dir / "without.h5")) == "");
  for (std::size_t i = 0; i + 1 < 14; ++i) {
    const auto bytes = with.view_adapter(i);
    const auto* values = reinterpret_cast<const float*>(bytes.data());
    CHECK(std::all_of(values, values + bytes.size() / 4,
                      [&](float value) { return value == static_cast<float>(i + 1); }));
  }
  CHECK(with.view_adapter(0).size() == 4 * 32 * 8);  // the base
  CHECK(with.view_adapter(1).size() == 4 * 2 * 8);   // A
  CHECK(with.view_adapter(2).size() == 4 * 32 * 2);  // B
  CHECK(with.tensors_identity() != without.tensors_identity());
}

TEST_CASE("numbers of adapters that no run saves are refused") {
  const test::TempDir dir;
  write(dir / "negative.h5", kSet, -1);  // a mean of squares
  const state::CheckpointReader reader(dir / "negative.h5");
  CHECK(contains(test::refusal(ErrorKind::input, [&] { reader.view_adapter(13); }),
                 "a number below zero"));
  CHECK_NOTHROW(reader.view_adapter(12));
  test::refusal(ErrorKind::diverged,
                [&] { write(dir / "nan.h5", kSet, std::numeric_limits<double>::quiet_NaN()); });
}

TEST_CASE("adapters that do not fit the model are refused") {
  const auto with = [](auto change) {
    arch::AdapterSet set = kSet;
    change(set);
    return set;
  };
  CHECK_NOTHROW(state::check_adapters(header_with(kSet), arch::param_table(test::tiny_model())));
  CHECK(contains(refused(with([](auto& s) { s.matrices[1] = "layers.7.mlp.up.weight"; })),
                 "adapters.matrices.1: found layers.7.mlp.up.weight, expected a tensor of"));
  CHECK(contains(refused(with([](auto& s) { s.matrices[0] = "embed.token"; })),
                 "expected a matrix of a layer"));
  CHECK(contains(refused(with([](auto& s) { s.matrices[0] = "layers.0.norm_1.weight"; })),
                 "expected a matrix of a layer"));
  CHECK(contains(refused(with([](auto& s) { s.matrices[0] = s.matrices[1]; })), "twice"));
  CHECK(contains(refused(with([](auto& s) { s.rank = 9; })), "expected 1 to 8"));
  CHECK(contains(refused(with([](auto& s) { s.rank = 0; })), "expected 1 to 8"));
  CHECK(contains(refused(with([](auto& s) { s.start = 1'000'000; })), "adapters.start"));
  CHECK(contains(refused(with([](auto& s) { s.matrices.clear(); })), "at least one"));
}
