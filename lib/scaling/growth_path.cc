// Which sizes should be trained one after the other to reach a loss at the least cost?
//
// Under loss-state, growing a into b at the loss L saves
//   saved(a, b) = D_b(L) - (c_a / c_b) D_a(L)
// tokens of b (pair.cc). Along a path of sizes these savings add up:
//   tokens of c saved by a -> b -> c  =  saved(b, c) + (c_b / c_c) saved(a, b),
// provided that each growth comes at a lower loss than the one before (docs/planning.md, "What
// follows"). So the best time of a growth does not depend on the other growths, and the best stages
// are a longest path. Its edges are the growths that save something, each worth the tokens it saves
// times the cost of a token of b, after the tokens that the re-warm-up loses.
//
// The search runs over edges, not over sizes: whether a growth may follow another one depends on
// the losses of both. After k rounds each edge knows the most valuable path of at most k + 1
// growths that ends with it, so the result is exact for any limit on the number of stages.
//
// Invariant: along the result losses fall, and no stage is shorter than
// GrowthPathRules::shortest_stage.
//
// Rejected: optimizing all growth times together by a numerical method. It is slower, depends on
// its start, and cannot find more, since the times are independent.
#include "scaling/growth_path.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "base/signals.h"

namespace stagedtrain::scaling {

constexpr std::size_t kNone = SIZE_MAX;

FamilyPairs pairs_of(const Family& family,
                     const std::function<bool(std::size_t, std::size_t)>& connected) {
  FamilyPairs all;
  for (std::size_t from = 0; from < family.size(); ++from) {
    stop_point("planning");
    all.grids.push_back(loss_grid(*family[from].curve));
    for (std::size_t to = from + 1; to < family.size(); ++to) {
      if (connected && !connected(from, to)) continue;
      FamilyPairs::Pair pair{from, to, {}};
      for (double loss : all.grids[from].losses)
        pair.large_tokens.push_back(family[to].curve->tokens(loss));
      all.pairs.push_back(std::move(pair));
    }
  }
  return all;
}

GrowthPaths::GrowthPaths(Family family, double end_loss, GrowthPathRules rules)
    : GrowthPaths(family, pairs_of(family), end_loss, std::move(rules)) {}

GrowthPaths::GrowthPaths(Family family, const FamilyPairs& pairs, double end_loss,
                         GrowthPathRules rules)
    : family_(std::move(family)),
      end_loss_(end_loss),
      rules_(std::move(rules)),
      into_(family_.size()) {
  ST_CHECK(!family_.empty(), "the family has no sizes");
  const Size& last = family_.back();
  if (!(end_loss > last.curve->floor()))
    throw usage_error(
        "the run cannot end at a loss of {}, expected more than {}, the asymptote of {}", end_loss,
        last.curve->floor(), last.name);
  for (std::size_t i = 0; i < rules_.prices.size(); ++i) family_[i].cost += rules_.prices[i];
  const double end_tokens = last.curve->tokens(end_loss);
  for (const auto& [from, to, large_tokens] : pairs.pairs) {
    stop_point("planning");
    const GrowthPoint growth =
        best_growth(family_[from], family_[to], end_loss, pairs.grids[from], large_tokens);
    const double worth = (growth.tokens_saved - rules_.lost_tokens) * family_[to].cost;
    const bool is_last = to + 1 == family_.size();
    if (!(worth > 0) || growth.small_tokens < rules_.shortest_stage) continue;
    if (is_last && end_tokens - growth.resume_tokens < rules_.shortest_stage) continue;
    into_[to].push_back(edges_.size());
    edges_.push_back({from, to, growth, worth});
  }
}

// Whether a growth may follow another one: at a lower loss, and after a stage that is long enough.
bool GrowthPaths::follows(const Edge& before, const Edge& edge) const {
  return before.to == edge.from && before.growth.loss > edge.growth.loss &&
         edge.growth.small_tokens - before.growth.resume_tokens >= rules_.shortest_stage;
}

// After k rounds worth[i] is the most that a path of at most k + 1 growths can save if edge i is
// its last, and before[k][i] is the edge before it.
GrowthPath GrowthPaths::best(std::size_t most_stages) const {
  std::vector<double> worth;
  for (const Edge& edge : edges_) worth.push_back(edge.worth);
  std::vector<std::vector<std::size_t>> before = {std::vector(edges_.size(), kNone)};
  while (before.size() + 1 < most_stages && extend(worth, before)) continue;
  std::size_t last = kNone;
  for (std::size_t i : into_.back())
    if (most_stages > 1 && (last == kNone || worth[i] > worth[last])) last = i;
  std::vector<const Edge*> path;
  for (std::size_t k = before.size(); last != kNone; last = before[--k][last])
    path.insert(path.begin(), &edges_[last]);
  return finished(path);
}

bool GrowthPaths::extend(std::vector<double>& worth,
                         std::vector<std::vector<std::size_t>>& before) const {
  std::vector<double> longer;
  before.emplace_back(edges_.size(), kNone);
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    double most = 0;
    for (std::size_t j : into_[edges_[i].from]) {
      if (worth[j] <= most || !follows(edges_[j], edges_[i])) continue;
      most = worth[j];
      before.back()[i] = j;
    }
    longer.push_back(edges_[i].worth + most);
  }
  return std::exchange(worth, longer) != longer;
}

GrowthPath GrowthPaths::through(const std::vector<std::size_t>& sizes) const {
  ST_CHECK(!sizes.empty() && sizes.back() + 1 == family_.size(),
           "the path does not end at the final size");
  std::vector<const Edge*> path;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const auto edge = std::find_if(edges_.begin(), edges_.end(), [&](const Edge& e) {
      return e.from == sizes[i] && e.to == sizes[i + 1];
    });
    const std::string &a = family_[sizes[i]].name, &b = family_[sizes[i + 1]].name;
    if (edge == edges_.end()) throw usage_error("growing {} into {} saves nothing", a, b);
    if (!path.empty() && path.back()->growth.loss <= edge->growth.loss)
      throw usage_error(
          "growing {} into {} is best at a loss of {:.4f}, but {} is reached only at a loss of "
          "{:.4f}",
          a, b, edge->growth.loss, a, path.back()->growth.loss)
          .with_hint("leave out " + a);
    path.push_back(&*edge);
  }
  return finished(path);
}

GrowthPath GrowthPaths::finished(const std::vector<const Edge*>& path) const {
  GrowthPath growth_path;
  for (const Edge* edge : path) {
    growth_path.sizes.push_back(edge->from);
    growth_path.growths.push_back(
        with_plateau(family_[edge->from], family_[edge->to], end_loss_, edge->growth));
    growth_path.tokens_saved += edge->worth / family_.back().cost;
  }
  growth_path.sizes.push_back(family_.size() - 1);
  growth_path.saving = growth_path.tokens_saved / family_.back().curve->tokens(end_loss_);
  return growth_path;
}

}  // namespace stagedtrain::scaling
