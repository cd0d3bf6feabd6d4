// The joint law's formula: its derivatives, and that its parts agree with the whole.
#include "scaling/joint_law.h"

#include <cmath>
#include <vector>

#include "scaling/chinchilla.h"
#include "support/catch.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;

namespace {

const JointLaw kUnits{.size = 2e6, .tokens = 3e7};
const std::vector<double> kParameters = {.7, -.5, -1, -.9, -.8, .03, -9, .1, .02};

}  // namespace

TEST_CASE("each derivative of the joint law is the limit of differences") {
  const double size = 7e6, x = 1.1e8, area = 400, h = 1e-6;
  const JointParameters slope = joint_gradient(joint_law(kParameters, kUnits), size, x, area);
  for (std::size_t j = 0; j < kJointParameters; ++j) {
    std::vector<double> up = kParameters, down = kParameters;
    up[j] += h;
    down[j] -= h;
    const double difference = (joint_law(up, kUnits).loss(size, x, area) -
                               joint_law(down, kUnits).loss(size, x, area)) /
                              (2 * h);
    INFO("parameter " << j);
    CHECK(std::fabs(slope[j]) > 1e-4);  // or the check says nothing
    CHECK(slope[j] == Approx(difference).epsilon(1e-6));
  }
}

TEST_CASE("a size's curve and the gain of its decay add up to its loss") {
  const JointLaw law = joint_law(kParameters, kUnits);
  for (const double size : {3e5, 2e6, 9e8})
    for (const double x : {1e6, 4e9}) {
      CHECK(law.curve(size).loss(x) == Approx(law.loss(size, x, 0)).epsilon(1e-13));
      CHECK(law.loss(size, x, 0) - law.loss(size, x, 300) ==
            Approx(300 * law.annealing(size)).epsilon(1e-9));
    }
}

TEST_CASE("without beta and decay the joint law is Chinchilla's, worked out by hand") {
  const JointLaw law{.E = 1.8, .A = .5, .a = .34, .B = .6, .b = .37, .size = 1e6, .tokens = 1e8};
  // n = 16: .5 * 16^-.34 = .5 * .389582 ; x = 32 units: .6 * 32^-.37 = .6 * .277392.
  CHECK(law.loss(16e6, 32e8, 0) == Approx(1.8 + .194791 + .166435).epsilon(1e-6));
  const Chinchilla same{1.8, .5 * std::pow(1e6, .34), .6 * std::pow(1e8, .37), .34, .37};
  CHECK(law.loss(16e6, 32e8, 0) == Approx(same.loss(16e6, 32e8)).epsilon(1e-13));
}
