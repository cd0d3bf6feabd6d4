// Which optimizer has which options, and what is said of those that it does not have.
#include "schedule/optimizer_spec.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"

using namespace stagedtrain;
using schedule::OptimizerName;
using schedule::OptimizerSpec;
using test::contains;

namespace {

OptimizerSpec optimizer(const std::string& map) {
  return test::two_stages({"optimizer=" + map}).optimizer;
}

std::string refusal(const std::string& map) {
  return test::refusal(ErrorKind::usage, [&] { optimizer(map); });
}

}  // namespace

TEST_CASE("a schedule that names no optimizer trains with AdamW as it always did") {
  const OptimizerSpec spec = test::two_stages().optimizer;
  CHECK(spec.name == OptimizerName::adamw);
  CHECK(spec.betas == std::vector<double>{0.9, 0.95});
  CHECK(spec.eps == 1e-8);
  CHECK(optimizer("{}").weight_decay == 0.1);
  CHECK(!spec.momentum);
  CHECK(!spec.adamw_lr);
}

TEST_CASE("each optimizer has its own defaults") {
  const OptimizerSpec muon = optimizer("{name: muon}");
  CHECK(muon.momentum == 0.95);
  CHECK(muon.nesterov == true);
  CHECK(muon.update_scale == schedule::UpdateScale::spectral);
  CHECK(muon.adamw_lr == 3e-3);
  CHECK(muon.betas == std::vector<double>{0.9, 0.95});
  const OptimizerSpec lion = optimizer("{name: lion}");
  CHECK(lion.betas == std::vector<double>{0.9, 0.99});
  CHECK(!lion.eps);
  CHECK(optimizer("{name: lion, betas: [0.8, 0.9]}").betas == std::vector<double>{0.8, 0.9});
  const OptimizerSpec sgd = optimizer("{name: sgd}");
  CHECK(sgd.betas.empty());
  CHECK(sgd.momentum == 0.9);
  CHECK(sgd.nesterov == false);
}

TEST_CASE("a dump shows the options that the optimizer has, and loads as the same") {
  for (const char* name : {"adamw", "muon", "lion", "sgd"}) {
    const schedule::Schedule s = test::two_stages({fmt::format("optimizer={{name: {}}}", name)});
    const std::string dump = schedule::dump(s);
    INFO(dump);
    CHECK(schedule::dump(schedule::parse(dump, "again.yaml")) == dump);
    CHECK(contains(dump, "momentum:") ==
          (name == std::string("muon") || name == std::string("sgd")));
    CHECK(contains(dump, "betas:") == (name != std::string("sgd")));
    CHECK(contains(dump, "adamw_lr:") == (name == std::string("muon")));
  }
}

TEST_CASE("options of another optimizer are refused with whose they are") {
  CHECK(contains(refusal("{name: sgd, betas: [0.9, 0.95]}"),
                 "optimizer.betas: found an option that sgd does not have, expected it "
                 "only if optimizer.name is adamw, muon, lion"));
  CHECK(contains(refusal("{momentum: 0.9}"), "optimizer.momentum: found an option that adamw"));
  CHECK(contains(refusal("{name: lion, eps: 1e-8}"), "only if optimizer.name is adamw, muon;"));
  CHECK(contains(refusal("{name: sgd, adamw_lr: 1e-3}"), "only if optimizer.name is muon"));
  CHECK(contains(refusal("{name: lion, nesterov: true}"), "only if optimizer.name is muon, sgd;"));
  CHECK(contains(refusal("{update_scale: spectral}"), "only if optimizer.name is muon"));
}

TEST_CASE("misspelt names and values of optimizers are refused with the nearest") {
  CHECK(contains(refusal("{name: moun}"), "found 'moun'; did you mean 'muon'?"));
  CHECK(contains(refusal("{name: muon, update_scale: spectrum}"), "did you mean 'spectral'?"));
  CHECK(contains(refusal("{name: muon, momentun: 0.9}"), "did you mean 'momentum'?"));
  CHECK(contains(refusal("{name: muon, momentum: 1}"), "expected from 0 to 0.999999"));
  CHECK(contains(refusal("{name: lion, betas: [0.9]}"), "found a list of 1, expected 2 numbers"));
}
