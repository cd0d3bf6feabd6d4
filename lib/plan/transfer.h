// What grown models are taken to remember, as people write it.
#pragma once

#include <string>
#include <vector>

#include "law/assumption.h"

namespace stagedtrain::plan {

struct Transfer {
  law::Assumption assumption = law::Assumption::loss_state;
  double rho = 1;            // of measured
  double mixing_tokens = 0;  // that a growth takes to mix; 0: not known
  std::vector<double> rhos = {};  // rho of the growth into each stage, if they differ; else empty
  double rho_of(std::size_t stage) const { return rhos.empty() ? rho : rhos.at(stage); }
};

// rho has been measured between 1 and 2. Far outside of that it is a slip of the pen: 1e-9 would say
// that a grown model has learnt a billion times more than the small one has seen.
inline constexpr double kLeastRho = 0.1, kMostRho = 100;

// As read_transfer reads it.
std::string word_of(const Transfer& transfer);

// loss-state, mixing or rho=X; mixing_tokens stays 0. where begins the message of Error(usage).
Transfer read_transfer(const std::string& where, const std::string& word,
                       const char* expected = "loss-state, mixing or rho=X");

}  // namespace stagedtrain::plan
