// The path of most credit over the growths that pay, each coming at a lower loss than the one
// before.
#include "law/ladder.h"

#include <algorithm>

#include "base/error.h"

namespace stagedtrain::law {

Ladders::Ladders(Family family, double end_loss, LadderRules rules)
    : family_(std::move(family)), end_loss_(end_loss), rules_(std::move(rules)) {
  ST_CHECK(!family_.empty(), "a family without sizes");
  const Size& last = family_.back();
  if (!(end_loss > last.curve->floor()))
    throw usage_error("the end is a loss of {}, expected more than {}, which {} never falls below",
                      end_loss, last.curve->floor(), last.name);
  for (Size& size : family_) size.cost += rules_.token_price;
  const double end_tokens = last.curve->tokens(end_loss);
  for (std::size_t from = 0; from < family_.size(); ++from) {
    for (std::size_t to = from + 1; to < family_.size(); ++to) {
      if (rules_.connected && !rules_.connected(from, to)) continue;
      const Growth growth = best_growth(family_[from], family_[to], end_loss);
      const double worth = (growth.credit - rules_.lost_tokens) * family_[to].cost;
      const bool is_last = to + 1 == family_.size();
      if (!(worth > 0) || growth.small_tokens < rules_.shortest_stage) continue;
      if (is_last && end_tokens - growth.resume_tokens < rules_.shortest_stage) continue;
      edges_.push_back({from, to, growth, worth});
    }
  }
}

// At a lower loss, and after a stage that is long enough.
bool Ladders::follows(const Edge& before, const Edge& edge) const {
  return before.to == edge.from && before.growth.loss > edge.growth.loss &&
         edge.growth.small_tokens - before.growth.resume_tokens >= rules_.shortest_stage;
}

// In round k, worth[i] is the most that a path of k + 1 growths with growth i as its last can save,
// 0 without such a path, and before[k][i] its growth but one.
Ladder Ladders::best(std::size_t most_stages) const {
  std::vector<double> worth;
  std::vector<std::vector<std::size_t>> before;
  double most = 0;
  std::size_t last = 0, rounds = 0;  // of the best path
  for (std::size_t k = 0; k + 1 < std::min(most_stages, family_.size()); ++k) {
    before.emplace_back(edges_.size());
    std::vector<double> next;
    for (std::size_t i = 0; i < edges_.size(); ++i) {
      next.push_back(k == 0 ? edges_[i].worth : extended(worth, i, before[k][i]));
      if (edges_[i].to + 1 != family_.size() || next[i] <= most) continue;
      most = next[i];
      last = i;
      rounds = k + 1;
    }
    worth = next;
  }
  std::vector<const Edge*> path;
  for (std::size_t k = rounds; k-- > 0; last = before[k][last])
    path.insert(path.begin(), &edges_[last]);
  return finished(path);
}

// The best path that edge i makes longer: its worth with i, or 0.
double Ladders::extended(const std::vector<double>& worth, std::size_t i,
                         std::size_t& before) const {
  double most = 0;
  for (std::size_t j = 0; j < edges_.size(); ++j) {
    if (!follows(edges_[j], edges_[i])) continue;
    if (worth[j] == 0 || worth[j] + edges_[i].worth <= most) continue;
    most = worth[j] + edges_[i].worth;
    before = j;
  }
  return most;
}

Ladder Ladders::through(const std::vector<std::size_t>& sizes) const {
  ST_CHECK(!sizes.empty() && sizes.back() + 1 == family_.size(), "a ladder to another size");
  std::vector<const Edge*> path;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const auto edge = std::find_if(edges_.begin(), edges_.end(), [&](const Edge& e) {
      return e.from == sizes[i] && e.to == sizes[i + 1];
    });
    const std::string &a = family_[sizes[i]].name, &b = family_[sizes[i + 1]].name;
    if (edge == edges_.end()) throw usage_error("growing {} into {} saves nothing", a, b);
    if (!path.empty() && path.back()->growth.loss <= edge->growth.loss)
      throw usage_error(
          "growing {} into {} is best at a loss of {:.4f}, before {} is reached at "
          "{:.4f}",
          a, b, edge->growth.loss, a, path.back()->growth.loss)
          .with_hint("leave out " + a);
    path.push_back(&*edge);
  }
  return finished(path);
}

Ladder Ladders::finished(const std::vector<const Edge*>& path) const {
  Ladder ladder;
  for (const Edge* edge : path) {
    ladder.sizes.push_back(edge->from);
    ladder.growths.push_back(edge->growth);
    ladder.credit += edge->worth / family_.back().cost;
  }
  ladder.sizes.push_back(family_.size() - 1);
  ladder.saving = ladder.credit / family_.back().curve->tokens(end_loss_);
  return ladder;
}

double stage_tokens(const Family& family, const Ladder& ladder, std::size_t stage,
                    double end_loss) {
  ST_CHECK(stage < ladder.sizes.size(), "stage {} of {}", stage, ladder.sizes.size());
  const bool is_last = stage == ladder.growths.size();
  const double until = is_last ? family[ladder.sizes[stage]].curve->tokens(end_loss)
                               : ladder.growths[stage].small_tokens;
  return until - (stage == 0 ? 0.0 : ladder.growths[stage - 1].resume_tokens);
}

}  // namespace stagedtrain::law
