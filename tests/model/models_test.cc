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
  CHECK(kernels_of({.dropout = 0.1}) == "reference");
  CHECK(kernels_of({.kernels = Kernels::reference}) == "reference");
}

TEST_CASE("fused kernels are refused where they cannot be, with what to do") {
  for (const ModelOptions& options :
       {ModelOptions{.precision = Precision::fp64, .kernels = Kernels::fused},
        ModelOptions{.precision = Precision::bf16, .kernels = Kernels::fused},
        ModelOptions{.kernels = Kernels::fused, .dropout = 0.1}}) {
    const std::string text =
        refusal(ErrorKind::usage, [&] { model::make_model(tiny_model(), options); });
    CHECK(text.find("fused kernels run gpt2 on the CPU in fp32") != std::string::npos);
    CHECK(text.find("--kernels reference") != std::string::npos);
  }
}

TEST_CASE("llama is fused too; experts run by the reference, and fused kernels are refused") {
  arch::ModelConfig config = tiny_model();
  config.experts = 3;
  CHECK(model::make_model(config, {})->kernels_name() == std::string("reference"));
  const ModelOptions fused{.kernels = Kernels::fused};
  CHECK(refusal(ErrorKind::usage, [&] { model::make_model(config, fused); }).find("experts") !=
        std::string::npos);
  config = tiny_model();
  config.architecture = "llama";
  CHECK(model::make_model(config, {})->kernels_name() == std::string("fused"));
}

TEST_CASE("an architecture without a running model is refused by its name") {
  arch::ModelConfig config = tiny_model();
  config.architecture = "gpt3";
  CHECK(refusal(ErrorKind::usage, [&] { model::make_model(config, {}); }).find("gpt3") !=
        std::string::npos);
}

TEST_CASE("every architecture of the table has a running model") {
  for (const arch::Architecture& architecture : arch::architectures()) {
    arch::ModelConfig config = tiny_model();
    config.architecture = architecture.name;
    CHECK(model::make_model(arch::resolved(config), {})->config().architecture ==
          architecture.name);
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
