// Passes by a recorded graph: when one is made, what must make it fall back. In upper_tests the
// graph is the test's own, in gpu_tests a card's; without one those skip themselves.
#include "model/recorded_passes.h"

#include "cuda_kernels/launch.h"
#include "golden/golden_model.h"
#include "model/running_model.h"
#include "support/tiny_state.h"

namespace stagedtrain::test {
namespace {

using model::DeviceGraph;
using model::MakeGraph;

// What a test's graph did, and how it is to fail.
struct Watch {
  int made = 0, replayed = 0;
  bool refuses = false;    // to be recorded
  bool forgetful = false;  // replays what it saw when it was recorded, not what is there now
};

// Records by keeping the work.
class TestGraph final : public DeviceGraph {
 public:
  explicit TestGraph(Watch& watch) : watch_(watch) { ++watch_.made; }
  void record(const std::function<void()>& work) override {
    work();
    TORCH_CHECK(!watch_.refuses, "operation not permitted when stream is capturing");
    work_ = work;
  }
  void replay() override {
    if (!watch_.forgetful) work_();
    ++watch_.replayed;
  }

 private:
  Watch& watch_;
  std::function<void()> work_;
};

// A card's graph, counted.
class CountedGraph final : public DeviceGraph {
 public:
  CountedGraph(Watch& watch, std::unique_ptr<DeviceGraph> graph)
      : watch_(watch), graph_(std::move(graph)) {
    ++watch_.made;
  }
  void record(const std::function<void()>& work) override { graph_->record(work); }
  void replay() override {
    graph_->replay();
    ++watch_.replayed;
  }

 private:
  Watch& watch_;
  std::unique_ptr<DeviceGraph> graph_;
};

bool on_card() { return kernels::cuda::built() == kernels::cuda::Built::for_gpu; }
bool can_run() { return !on_card() || (has_cuda() && model::cuda_graphs()); }
at::Device device() { return on_card() ? at::kCUDA : at::kCPU; }

MakeGraph test_graphs(Watch& watch) {
  return [&watch](at::Device) { return std::make_unique<TestGraph>(watch); };
}
MakeGraph graphs(Watch& watch) {
  if (!on_card()) return test_graphs(watch);
  return [&watch](at::Device device) {
    return std::make_unique<CountedGraph>(watch, model::cuda_graphs()(device));
  };
}

std::unique_ptr<model::Model> make(model::ModelOptions options, MakeGraph make_graph,
                                   arch::ModelConfig config = tiny_model()) {
  options.device = device();
  options.kernels = model::Kernels::reference;
  options.make_graph = std::move(make_graph);
  return make_filled(arch::resolved(config), options);
}

at::Tensor batch(std::int64_t rows, std::uint64_t seed) {
  const arch::ModelConfig config = tiny_model();
  return random_tokens(config.vocab, rows, config.context + 1, seed).to(device());
}

// Both see these batches, one after another, and must end with the same losses and gradients.
void check_alike(model::Model& found, model::Model& expected,
                 const std::vector<std::int64_t>& rows_of_passes) {
  const double allowed = on_card() ? 1e-5 : 0;
  std::uint64_t seed = 0;
  for (const std::int64_t rows : rows_of_passes) {
    const at::Tensor tokens_BS = batch(rows, ++seed);
    const double scale = static_cast<double>(rows) / 8;
    const at::Tensor loss = found.loss_and_backward(tokens_BS, scale, seed);
    CHECK(
        loss.item<double>() ==
        Approx(expected.loss_and_backward(tokens_BS, scale, seed).item<double>()).epsilon(allowed));
    CHECK(error_of(found.params().grads(), expected.params().grads()) <= allowed);
  }
}

void check_fallback(const Watch& watch_as_asked) {
  Watch watch = watch_as_asked;
  const auto model = make({}, test_graphs(watch)), plain = make({}, {});
  check_alike(*model, *plain, {4, 4, 4, 4, 4, 4});
  CHECK(watch.made == 1);
}

}  // namespace

TEST_CASE("a shape that comes often is recorded, and gives what plain passes give", "[gpu]") {
  if (!can_run()) return;
  for (const auto precision : {model::Precision::fp32, model::Precision::bf16}) {
    Watch watch;
    const auto recorded = make({.precision = precision}, graphs(watch)),
               plain = make({.precision = precision}, {});
    check_alike(*recorded, *plain, {4, 4, 4, 4, 4, 4});
    CHECK(watch.made == 1);
    CHECK(watch.replayed == 4);  // the check's, and three
  }
}

TEST_CASE("the rest of a batch has a graph of its own, and a ramp has none", "[gpu]") {
  if (!can_run()) return;
  Watch watch;
  const auto recorded = make({}, graphs(watch)), plain = make({}, {});
  check_alike(*recorded, *plain, {4, 4, 2, 4, 4, 2, 4, 4, 2, 4, 4, 2});
  CHECK(watch.made == 2);
  check_alike(*recorded, *plain, {1, 2, 3, 4, 5, 6, 7});
  CHECK(watch.made == 2);
}

TEST_CASE("a loss is its own, whatever is replayed after", "[gpu]") {
  if (!can_run()) return;
  Watch watch;
  const auto recorded = make({}, graphs(watch));
  for (int i = 0; i < 4; ++i) recorded->loss_and_backward(batch(4, 1), 1, 0);
  const at::Tensor loss = recorded->loss_and_backward(batch(4, 1), 1, 0);
  const double before = loss.item<double>();
  recorded->loss_and_backward(batch(4, 2), 1, 0);
  CHECK(loss.item<double>() == before);
}

TEST_CASE("a graph that fails or differs is given up, and passes stay right", "[gpu]") {
  if (!can_run()) return;
  check_fallback({.refuses = true});
  check_fallback({.forgetful = true});
}

TEST_CASE("dropout, experts and masks are never recorded", "[gpu]") {
  if (!can_run()) return;
  Watch watch;
  arch::ModelConfig experts = tiny_model();
  experts.experts = 4;
  const auto masked = make({}, test_graphs(watch));
  arch::ModelConfig old = masked->config();
  old.layers -= 1;
  masked->set_mask({old, 0.5});
  const std::unique_ptr<model::Model> models[] = {make({.dropout = 0.1}, test_graphs(watch)),
                                                  make({}, test_graphs(watch), experts)};
  for (int i = 0; i < 6; ++i) {
    masked->loss_and_backward(batch(4, 1), 1, 0);
    for (const auto& model : models) model->loss_and_backward(batch(4, 1), 1, 0);
  }
  CHECK(watch.made == 0);
}

}  // namespace stagedtrain::test
