// Which sizes should be trained one after the other? The longest path over all candidate sizes.
#pragma once

#include <functional>
#include <vector>

#include "scaling/pair.h"

namespace stagedtrain::scaling {

// A growth path: a run through sizes of a family under loss-state, which ends at the family's last
// size. growths[i] leads from sizes[i] to sizes[i + 1]; its tokens_saved are tokens of sizes[i +
// 1], before the deductions of GrowthPathRules. `tokens_saved` and `saving` are after them.
struct GrowthPath {
  std::vector<std::size_t> sizes;
  std::vector<GrowthPoint> growths;
  double tokens_saved = 0;  // tokens saved, in tokens of the last size
  double saving = 0;        // the same as a share of the run from scratch to end_loss
};

// The growths that are possible between sizes of a family, and the tokens of each size at many
// losses. These do not depend on the end of the run nor on prices, so they are computed once for
// all paths.
struct FamilyPairs {
  struct Pair {
    std::size_t from, to;
    std::vector<double> large_tokens;  // tokens of `to` at the losses of from's grid
  };
  std::vector<LossGrid> grids;  // one for each size
  std::vector<Pair> pairs;      // ordered by from, then by to
};
// `connected` says whether one size can be grown into another; null means that all can.
FamilyPairs pairs_of(const Family& family,
                     const std::function<bool(std::size_t, std::size_t)>& connected = {});

// Constraints on a growth path.
struct GrowthPathRules {
  double lost_tokens = 0;     // tokens of the larger size that each growth loses by its re-warm-up
  double shortest_stage = 0;  // tokens; growths whose best time makes a stage shorter are left out
  std::vector<double> prices = {};  // added to Size::cost of each size; empty: nothing is added
};

// All growths between sizes of a family that save something, from which paths of any length are
// found fast.
class GrowthPaths {
 public:
  // The family's last size is the final one. `pairs` are those of the family; they are not kept.
  // Throws Error(usage) if end_loss is not above the floor of the final size.
  GrowthPaths(Family family, const FamilyPairs& pairs, double end_loss, GrowthPathRules rules = {});
  // The same with every growth between two sizes.
  GrowthPaths(Family family, double end_loss, GrowthPathRules rules = {});
  // Returns the path of at most most_stages stages that saves most. 1 means the final size alone.
  GrowthPath best(std::size_t most_stages) const;
  // Returns the path through these sizes (rising indices, the last one that of the final size),
  // with each growth at its own best time. Throws Error(usage) for a growth that saves nothing, and
  // for one whose best loss is not below that of the growth before: the size between them is then
  // the cheapest one at no loss.
  GrowthPath through(const std::vector<std::size_t>& sizes) const;

 private:
  struct Edge {
    std::size_t from, to;
    GrowthPoint growth;  // without its plateau
    double worth;   // the cost saved, after GrowthPathRules::lost_tokens
  };
  bool follows(const Edge& before, const Edge& edge) const;
  // Allows paths one more growth. Returns false if no path is worth more with it.
  bool extend(std::vector<double>& worth, std::vector<std::vector<std::size_t>>& before) const;
  GrowthPath finished(const std::vector<const Edge*>& path) const;

  Family family_;
  double end_loss_;
  GrowthPathRules rules_;
  std::vector<Edge> edges_;                     // ordered by from, then by to
  std::vector<std::vector<std::size_t>> into_;  // for each size, the edges that lead to it
};

}  // namespace stagedtrain::scaling
