// Reads and prints the assumption about grown models.
#include "scaling/transfer.h"

#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::plan {

std::string word_of(const Transfer& transfer) {
  if (transfer.assumption == scaling::Assumption::loss_state) return "loss-state";
  if (transfer.assumption == scaling::Assumption::mixing) return "mixing";
  return "rho=" + format_number(transfer.rho);
}

Transfer read_transfer(const std::string& where, const std::string& word, const char* expected) {
  Transfer transfer;
  if (word == "loss-state") return transfer;
  if (word == "mixing") {
    transfer.assumption = scaling::Assumption::mixing;
    return transfer;
  }
  if (!word.starts_with("rho="))
    throw usage_error("{}: found '{}', expected {}", where, word, expected);
  const auto rho = parse_number(word.substr(4));
  if (!rho || !(*rho >= kLeastRho && *rho <= kMostRho))
    throw usage_error("{}: found '{}', expected a number from {} to {}, such as rho=1.4", where,
                      word, kLeastRho, kMostRho)
        .with_hint(
            "a grown model continues as if after 1/rho of its tokens; measured values are 1 to 2");
  transfer.assumption = scaling::Assumption::measured;
  transfer.rho = *rho;
  return transfer;
}

}  // namespace stagedtrain::plan
