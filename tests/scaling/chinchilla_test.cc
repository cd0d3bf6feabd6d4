// Chinchilla's law: growths, growth paths and their limit, worked out elsewhere in double
// precision.
#include "scaling/chinchilla.h"

#include <cmath>

#include "scaling/family.h"
#include "scaling/growth_path.h"
#include "scaling/limit.h"
#include "support/catch.h"
#include "support/digits.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;
using test::chinchilla_size;
using test::written;
using test::operator""_digits;

namespace {

Chinchilla constants(const std::string& name) {
  return chinchilla_constants().at(name == "besiroglu" ? 0 : 1).law;
}

struct Row {
  const char* law;
  double factor, parameters, per_parameter;
  const char *end, *at, *small_tokens, *resume, *large_tokens, *saving, *rho;
};

void check(const Row& row) {
  INFO(row.law << " x" << row.factor << " of " << row.parameters);
  const Chinchilla law = constants(row.law);
  const double tokens = row.per_parameter * row.parameters;
  const double end = law.loss(row.parameters, tokens);
  const GrowthPoint growth = best_growth(chinchilla_size(law, row.parameters / row.factor),
                                         chinchilla_size(law, row.parameters), end);
  CHECK(end == written(row.end));
  CHECK(growth.loss == written(row.at));
  CHECK(growth.small_tokens == written(row.small_tokens));
  CHECK(growth.resume_tokens == written(row.resume));
  CHECK(tokens - growth.resume_tokens == written(row.large_tokens));
  CHECK(growth.tokens_saved / tokens == written(row.saving));
  CHECK(growth.rho() == written(row.rho));
}

double growth_path_saving(const char* name, const std::vector<double>& divisors) {
  const Chinchilla law = constants(name);
  Family family;
  for (double divisor : divisors) family.push_back(chinchilla_size(law, 4e8 / divisor));
  return GrowthPaths(family, law.loss(4e8, 8e9)).best(divisors.size()).saving;
}

}  // namespace

TEST_CASE("eight growths of Chinchilla's law come and save as worked out", "[T3]") {
  const char *b = "besiroglu", *h = "hoffmann";
  check({b, 2, 4e8, 20, "2.8057321", "3.0987552", "3.7457011e9", "2.2549011e9", "5.7450989e9",
         "0.047756319", "1.6611376"});
  check({b, 4, 4e8, 20, "2.8057321", "3.2896116", "3.4445337e9", "1.2483007e9", "6.7516993e9",
         "0.048395904", "2.7593783"});
  check({b, 8, 4e8, 20, "2.8057321", "3.5289141", "3.1508812e9", "6.8740893e8", "7.3125911e9",
         "0.036693597", "4.5837071"});
  check({b, 2, 4e8, 100, "2.5844351", "3.0987552", "3.7457011e9", "2.2549011e9", "3.7745099e10",
         "0.0095512638", "1.6611376"});
  check({h, 2, 4e8, 20, "2.8040932", "3.0980864", "3.5112890e9", "2.0473107e9", "5.9526893e9",
         "0.036458275", "1.7150738"});
  check({h, 4, 4e8, 20, "2.8040932", "3.2985234", "3.0018791e9", "1.0205342e9", "6.9794658e9",
         "0.033758052", "2.9414782"});
  check({b, 2, 1.24e8, 20, "3.3187004", "3.7431355", "1.2300521e9", "7.4048774e8", "1.7395123e9",
         "0.050589399", "1.6611376"});
  check({b, 2, 7e9, 20, "2.1732816", "2.2907967", "5.6938330e10", "3.4276708e10", "1.0572329e11",
         "0.041482450", "1.6611376"});
}

TEST_CASE("growth paths of Chinchilla's law and their limit", "[T3]") {
  CHECK(growth_path_saving("besiroglu", {4, 2, 1}) == ".060109639"_digits);
  CHECK(growth_path_saving("besiroglu", {8, 4, 2, 1}) == ".063305123"_digits);
  CHECK(growth_path_saving("besiroglu", {16, 4, 1}) == ".051634183"_digits);
  CHECK(growth_path_saving("hoffmann", {4, 2, 1}) == ".044444874"_digits);
  CHECK(growth_path_saving("hoffmann", {8, 4, 2, 1}) == ".046194429"_digits);
  CHECK(growth_path_saving("hoffmann", {16, 4, 1}) == ".035378029"_digits);
  const Limit besiroglu = endless_stages(constants("besiroglu"), 4e8);
  CHECK(besiroglu.share == ".43504879"_digits);
  CHECK(besiroglu.loss == "2.9462720"_digits);
  CHECK(besiroglu.tokens_saved / 8e9 == ".069528615"_digits);
  const Limit hoffmann = endless_stages(constants("hoffmann"), 4e8);
  CHECK(hoffmann.share == ".39528923"_digits);
  CHECK(hoffmann.loss == "2.9356814"_digits);
  CHECK(hoffmann.tokens_saved / 8e9 == ".051488256"_digits);
}

TEST_CASE("a growth path of many small steps comes near the limit and stays below it") {
  const Chinchilla law = constants("besiroglu");
  Family family;
  for (int i = 40; i >= 0; --i) family.push_back(chinchilla_size(law, 4e8 * std::pow(0.85, i)));
  const GrowthPaths growth_paths(family, law.loss(4e8, 8e9));
  const double limit = endless_stages(law, 4e8).tokens_saved / 8e9;
  double before = 0;
  for (std::size_t stages : {1, 2, 3, 4, 6, 41}) {
    const GrowthPath growth_path = growth_paths.best(stages);
    CHECK(growth_path.saving >= before);
    CHECK(growth_path.saving < limit);
    CHECK(growth_path.sizes.size() <= stages);
    before = growth_path.saving;
  }
  CHECK(before == Approx(limit).epsilon(1.5e-2));
}
