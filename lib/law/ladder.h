// Which sizes to train one after the other: the longest path over all candidates.
#pragma once

#include <functional>
#include <vector>

#include "law/pair.h"

namespace stagedtrain::law {

// A run through sizes of a family, under loss-state; the last is the family's last. Credits add up
// along it, each in its own size's tokens: growths[i] leads from sizes[i] to sizes[i + 1]. A
// growth's credit is before what LadderRules takes from it.
struct Ladder {
  std::vector<std::size_t> sizes;
  std::vector<Growth> growths;
  double credit = 0;  // in tokens of the last size
  // What part of the run from scratch to end_loss is saved.
  double saving = 0;
};

// The tokens that stage i of a ladder trains, up to end_loss for the last.
double stage_tokens(const Family& family, const Ladder& ladder, std::size_t stage, double end_loss);

// Growths between sizes of a family that can be made, with the tokens of each size at many losses:
// looked up once for ladders of any end and price.
struct FamilyPairs {
  struct Pair {
    std::size_t from, to;
    std::vector<double> large_tokens;  // at the losses of from's grid
  };
  std::vector<LossGrid> grids;  // of each size
  std::vector<Pair> pairs;      // by from, then to
};
// connected: whether one size can be grown into another; without it every one can.
FamilyPairs pairs_of(const Family& family,
                     const std::function<bool(std::size_t, std::size_t)>& connected = {});

// What a ladder must keep to besides coming to its end.
struct LadderRules {
  double lost_tokens = 0;     // of the larger size, by every growth: its re-warm-up
  double shortest_stage = 0;  // tokens; growths whose best time makes a stage shorter are left out
  std::vector<double> prices = {};  // of a token of each size, besides Size::cost; none: nothing
};

// All growths worth making between sizes of a family, so that ladders of any length are found fast.
class Ladders {
 public:
  // The family's last size is the final one. Throws Error(usage) if end_loss is not above the floor
  // of the final size. pairs: of the family.
  Ladders(Family family, const FamilyPairs& pairs, double end_loss, LadderRules rules = {});
  // With every growth between them.
  Ladders(Family family, double end_loss, LadderRules rules = {});
  // The best ladder of at most this many stages, 1 being the final size alone.
  Ladder best(std::size_t most_stages) const;
  // The ladder through these sizes (indices, rising, the last the family's last), each growth at
  // its own best time. Throws Error(usage) for a growth that does not pay, and for one that would
  // come at a higher loss than the one before: the size between them is then cheapest at no loss.
  Ladder through(const std::vector<std::size_t>& sizes) const;

 private:
  struct Edge {
    std::size_t from, to;
    Growth growth;  // without its plateau
    double worth;   // credit in cost, less what is lost
  };
  bool follows(const Edge& before, const Edge& edge) const;
  // One growth more on paths of at most so many; false where that makes none worth more.
  bool extend(std::vector<double>& worth, std::vector<std::vector<std::size_t>>& before) const;
  Ladder finished(const std::vector<const Edge*>& path) const;

  Family family_;
  double end_loss_;
  LadderRules rules_;
  std::vector<Edge> edges_;                     // by from, then to
  std::vector<std::vector<std::size_t>> into_;  // of each size, the edges that lead to it
};

}  // namespace stagedtrain::law
