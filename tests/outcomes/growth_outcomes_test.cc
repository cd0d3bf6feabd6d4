// Tests of outcomes/growth_outcomes.h: what growths have taught is found for growths that are
// alike.
#include "outcomes/growth_outcomes.h"

#include <cmath>

#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using plan::GrowthOutcome;

namespace {

const double kUnknown = std::nan("");

grow::GrowthRecipe growth(const std::vector<std::string>& edits = {}) {
  return *plan::resolve(test::two_stages(edits)).stages[1].growth;
}

GrowthOutcome outcomes(double rho) {
  const grow::GrowthRecipe recipe = growth();
  return {"runs/a",   "full",     "now", recipe.operators(), recipe.from, recipe.to, rho,
          rho - 0.25, rho + 0.25, 1e6,   kUnknown,           0.05};
}

}  // namespace

TEST_CASE("operators are known by name, however they are written") {
  CHECK(plan::operator_names(growth().operators()) == std::vector<std::string>{"depth"});
  CHECK(plan::operator_names("width factor=2, depth layers=12").size() == 2);
  CHECK(plan::operator_names("nothing").empty());
}

TEST_CASE("rho is found again for a growth that is alike") {
  const test::TempDir dir;
  const Path file = dir / "cache/growths.json";
  CHECK(plan::read_outcomes(file).all().empty());
  plan::add_outcomes(file, {outcomes(1.5)});
  const plan::GrowthOutcomes known = plan::read_outcomes(file);
  const grow::GrowthRecipe same = growth(), other = growth({"stages.shallow.model.layers=1"});
  REQUIRE(known.rho_of(same.operators(), same.from, same.to));
  CHECK(known.rho_of(same.operators(), same.from, same.to)->rho == 1.5);
  CHECK(known.rho_of(other.operators(), other.from, other.to) == nullptr);
  CHECK(known.rho_of("width factor=2", same.from, same.to) == nullptr);
  CHECK(known.mixing_of(same.operators(), same.from, same.to) == nullptr);
}

TEST_CASE("what a run teaches later is added to what it taught before") {
  plan::GrowthOutcomes known;
  known.put(outcomes(1.5));
  GrowthOutcome more = outcomes(kUnknown);
  more.mixing_tokens = 1000;
  more.decay_drop = kUnknown;
  known.put(more);
  REQUIRE(known.all().size() == 1);
  CHECK(known.all()[0].rho == 1.5);
  CHECK(known.all()[0].mixing_tokens == 1000);
  CHECK(known.all()[0].decay_drop == 0.05);
}

TEST_CASE("a bad file of outcomes is refused") {
  const test::TempDir dir;
  test::write_text(dir / "l.json", R"({"format": "stagedtrain growths", "version": 2})");
  CHECK(test::contains(
      test::refusal(ErrorKind::input, [&] { plan::read_outcomes(dir / "l.json"); }), "version 2"));
}

TEST_CASE("an outcome that cannot be is neither kept nor read back") {
  plan::GrowthOutcomes known;
  GrowthOutcome wrong = outcomes(1.5);
  wrong.rho = 31.4;
  wrong.decay_drop = -0.2;
  wrong.mixing_tokens = -5;
  known.put(wrong);
  const grow::GrowthRecipe same = growth();
  CHECK(known.rho_of(same.operators(), same.from, same.to) == nullptr);
  CHECK(std::isnan(known.all()[0].decay_drop));
  CHECK(std::isnan(known.all()[0].mixing_tokens));
  known.put(outcomes(1.5));
  known.put(wrong);  // and does not displace what is known
  CHECK(known.all()[0].rho == 1.5);
}
