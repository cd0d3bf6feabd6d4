// Making models: which kernels run, what is refused, and names of devices.
#include "model/models.h"

#include "arch/architectures.h"
#include "model/running_model.h"
#include "support/errors.h"
#include "support/tiny_state.h"

namespace stagedtrain::test {
namespace {

using model::Kernels;
using model::ModelOptions;
using model::Precision;

std::string kernels_of(const ModelOptions& options) {
  return model::make_model(tiny_model(), options)->kernels_name();
}

}  // namespace

TEST_CASE("automatic kernels are the fused ones wherever they can be") {
  CHECK(kernels_of({}) == "fused");
  CHECK(kernels_of({.z_loss = 1e-4}) == "fused");
  CHECK(kernels_of({.precision = Precision::fp64}) == "reference");
  CHECK(kernels_of({.precision = Precision::bf16}) == "reference");
  CHECK(kernels_of({.dropout = 0.1}) == "fused");
  CHECK(kernels_of({.kernels = Kernels::reference}) == "reference");
}

TEST_CASE("fused kernels are refused where they cannot be, with what to do") {
  for (const ModelOptions& options :
       {ModelOptions{.precision = Precision::fp64, .kernels = Kernels::fused},
        ModelOptions{.precision = Precision::bf16, .kernels = Kernels::fused}}) {
    const std::string text =
        refusal(ErrorKind::usage, [&] { model::make_model(tiny_model(), options); });
    CHECK(text.find("no fused kernels for this model: on a CPU they compute in fp32 only") !=
          std::string::npos);
    CHECK(text.find("--kernels reference") != std::string::npos);
  }
}

TEST_CASE("models that fused kernels do not compute run by the reference, and say why if asked") {
  const auto refused = [](const arch::ModelConfig& config, ModelOptions options,
                          const std::string& why) {
    CHECK(model::make_model(config, options)->kernels_name() == std::string("reference"));
    options.kernels = Kernels::fused;
    const std::string text = refusal(ErrorKind::usage, [&] { model::make_model(config, options); });
    CHECK(text.find(why) != std::string::npos);
  };
  arch::ModelConfig config = tiny_model();
  config.value_dim = config.head_dim + 1;
  refused(config, {}, "value_dim differs from head_dim");
  config = tiny_model();
  config.architecture = "olmo2";
  refused(config, {.recompute = model::Recompute::blocks}, "batch.recompute is blocks");
  CHECK(model::make_model(config, {.recompute = model::Recompute::norms})->kernels_name() ==
        std::string("fused"));
}

TEST_CASE("an architecture without a running model is refused by its name") {
  arch::ModelConfig config = tiny_model();
  config.architecture = "gpt3";
  CHECK(refusal(ErrorKind::usage, [&] { model::make_model(config, {}); }).find("gpt3") !=
        std::string::npos);
}

TEST_CASE("every architecture of the table has a running model, and fused kernels") {
  for (const arch::Architecture& architecture : arch::architectures()) {
    arch::ModelConfig config = tiny_model();
    config.architecture = architecture.name;
    const auto model = model::make_model(arch::resolved(config), {});
    CHECK(model->config().architecture == architecture.name);
    CHECK(model->kernels_name() == std::string("fused"));
    config.experts = 3;
    CHECK(model::make_model(arch::resolved(config), {})->kernels_name() == std::string("fused"));
  }
}

TEST_CASE("devices have names") {
  CHECK(model::parse_device("cpu").is_cpu());
  CHECK(refusal(ErrorKind::usage, [] { model::parse_device("cud"); }).find("cuda") !=
        std::string::npos);
  CHECK(refusal(ErrorKind::usage, [] { model::parse_device("cuda:x"); }).find("cuda:x") !=
        std::string::npos);
  CHECK(refusal(ErrorKind::usage, [] { model::parse_device("cuda:99"); }).find("cuda:99") !=
        std::string::npos);
  if (at::hasCUDA()) return;
  CHECK(model::parse_device("auto").is_cpu());
  CHECK(refusal(ErrorKind::usage, [] { model::parse_device("cuda"); }).find("--device cpu") !=
        std::string::npos);
}

TEST_CASE("a batch becomes a matrix of int64 ids") {
  const data::Batch batch{2, 2, {1, 2, 3, 4, 5, 6}};
  const at::Tensor tokens_BS = model::to_device(batch, at::kCPU);
  CHECK(at::equal(tokens_BS, at::tensor({1, 2, 3, 4, 5, 6}, at::kLong).view({2, 3})));
}

}  // namespace stagedtrain::test
