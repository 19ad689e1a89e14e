// SPDX-License-Identifier: Apache-2.0
#include "core/search/knapsack.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

namespace equant {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kMostStates = 20'000;  ///< kept per class
constexpr std::size_t kBudgets = 2;

/// The steps of one class along its lower convex hull in (weight, value), from the least value down in weight.
std::vector<KnapsackStep> hullSteps(const KnapsackClass& options, std::size_t group, std::size_t budget,
                                    std::size_t& start) {
    std::vector<std::size_t> order(options.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
        const auto key = [&](std::size_t i) { return std::pair(options[i].value, options[i].weight[budget]); };
        return key(a) < key(b);
    });
    start = order.front();
    std::vector<std::size_t> hull{start};
    const auto rate = [&](std::size_t from, std::size_t to) {
        return (options[to].value - options[from].value) / (options[from].weight[budget] - options[to].weight[budget]);
    };
    for (const std::size_t option : order) {
        if (options[option].weight[budget] >= options[hull.back()].weight[budget]) continue;
        while (hull.size() > 1 && rate(hull[hull.size() - 2], hull.back()) >= rate(hull.back(), option))
            hull.pop_back();
        hull.push_back(option);
    }
    std::vector<KnapsackStep> steps;
    for (std::size_t i = 1; i < hull.size(); ++i) {
        const KnapsackOption& from = options[hull[i - 1]];
        const KnapsackOption& to = options[hull[i]];
        steps.push_back({group, hull[i], to.value - from.value, from.weight[budget] - to.weight[budget]});
    }
    return steps;
}

bool isCheaper(const KnapsackStep& a, const KnapsackStep& b) {
    return a.valueAdded * b.weightSaved < b.valueAdded * a.weightSaved;
}

/// Least value of the continuous relaxation over the classes from `first` on, as a function of the weight left.
class SuffixBound {
public:
    SuffixBound(const std::vector<KnapsackClass>& classes, std::size_t first, std::size_t budget) {
        std::vector<KnapsackStep> steps;
        for (std::size_t group = first; group < classes.size(); ++group) {
            std::size_t start = 0;
            const auto own = hullSteps(classes[group], group, budget, start);
            steps.insert(steps.end(), own.begin(), own.end());
            m_value += classes[group][start].value;
            m_weight += classes[group][start].weight[budget];
        }
        std::ranges::stable_sort(steps, isCheaper);
        m_saved.push_back(0);
        m_added.push_back(0);
        for (const KnapsackStep& step : steps) {
            m_saved.push_back(m_saved.back() + step.weightSaved);
            m_added.push_back(m_added.back() + step.valueAdded);
        }
    }

    [[nodiscard]] double at(double weightLeft) const {
        const double needed = m_weight - weightLeft;
        if (needed <= 0) return m_value;
        const auto above = std::ranges::lower_bound(m_saved, needed);
        if (above == m_saved.end())
            return needed <= m_saved.back() * (1 + 1e-12) ? m_value + m_added.back() : kInfinity;
        const auto i = static_cast<std::size_t>(above - m_saved.begin());
        const double share = (needed - m_saved[i - 1]) / (m_saved[i] - m_saved[i - 1]);
        return m_value + m_added[i - 1] + share * (m_added[i] - m_added[i - 1]);
    }

private:
    double m_value = 0;
    double m_weight = 0;
    std::vector<double> m_saved, m_added;
};

struct State {
    double value = 0;
    std::array<double, kBudgets> weight{};
    double bound = 0;
    std::uint32_t parent = 0;
    std::uint32_t option = 0;
};

KnapsackResult resultOf(const std::vector<KnapsackClass>& classes, std::vector<std::size_t> chosen,
                        const std::array<double, kBudgets>& limits) {
    KnapsackResult result;
    for (std::size_t i = 0; i < classes.size(); ++i) {
        result.value += classes[i][chosen[i]].value;
        for (std::size_t k = 0; k < kBudgets; ++k) result.weight[k] += classes[i][chosen[i]].weight[k];
    }
    for (std::size_t k = 0; k < kBudgets; ++k)
        result.isFeasible = result.isFeasible && result.weight[k] <= limits[k] + 1e-9 * std::abs(limits[k]);
    result.chosen = std::move(chosen);
    return result;
}

/// Follows the relaxation of a mixture of both budgets until the limits hold: a first solution to beat.
KnapsackResult greedyFor(const std::vector<KnapsackClass>& classes, const std::array<double, kBudgets>& limits,
                         double mixture) {
    std::array<double, kBudgets> range{};
    for (std::size_t k = 0; k < kBudgets; ++k) {
        for (const KnapsackClass& options : classes) {
            const auto [low, high] = std::ranges::minmax(options, {}, [&](const auto& o) { return o.weight[k]; });
            range[k] += high.weight[k] - low.weight[k];
        }
    }
    std::vector<KnapsackClass> mixed = classes;
    for (KnapsackClass& options : mixed) {
        for (KnapsackOption& option : options) {
            double weight = 0;
            for (std::size_t k = 0; k < kBudgets; ++k)
                weight += range[k] > 0 ? (k == 0 ? mixture : 1 - mixture) * option.weight[k] / range[k] : 0;
            option.weight[0] = weight;
        }
    }
    const KnapsackDescent descent = descend(mixed);
    std::vector<std::size_t> chosen = descent.start;
    KnapsackResult result = resultOf(classes, chosen, limits);
    for (const KnapsackStep& step : descent.steps) {
        if (result.isFeasible) break;
        chosen[step.group] = step.option;
        result = resultOf(classes, chosen, limits);
    }
    return result;
}

/// How far beyond the limits, relative to what the classes could change.
double excess(const KnapsackResult& result, const std::array<double, kBudgets>& limits) {
    double sum = 0;
    for (std::size_t k = 0; k < kBudgets; ++k)
        if (std::isfinite(limits[k])) sum += std::max(0.0, result.weight[k] - limits[k]) / (1 + std::abs(limits[k]));
    return sum;
}

/// Drops states that another one beats in value and in every weight.
void removeDominated(std::vector<State>& states) {
    std::ranges::sort(states, [](const State& a, const State& b) {
        return std::tie(a.weight[0], a.value, a.weight[1]) < std::tie(b.weight[0], b.value, b.weight[1]);
    });
    std::map<double, double> best;  // second weight -> least value so far; both strictly monotone
    std::erase_if(states, [&](const State& state) {
        auto next = best.upper_bound(state.weight[1]);
        if (next != best.begin() && std::prev(next)->second <= state.value) return true;
        while (next != best.end() && next->second >= state.value) next = best.erase(next);
        best.insert_or_assign(state.weight[1], state.value);
        return false;
    });
}

}  // namespace

KnapsackDescent descend(const std::vector<KnapsackClass>& classes) {
    KnapsackDescent descent;
    descent.start.resize(classes.size());
    for (std::size_t group = 0; group < classes.size(); ++group) {
        const auto steps = hullSteps(classes[group], group, 0, descent.start[group]);
        descent.steps.insert(descent.steps.end(), steps.begin(), steps.end());
    }
    std::ranges::stable_sort(descent.steps, isCheaper);
    return descent;
}

KnapsackResult solveKnapsack(const std::vector<KnapsackClass>& classes, const std::array<double, 2>& limits) {
    KnapsackResult best;
    best.isFeasible = false;
    double leastExcess = kInfinity;
    for (const double mixture : {1.0, 0.0, 0.5, 0.25, 0.75}) {
        KnapsackResult candidate = greedyFor(classes, limits, mixture);
        const double beyond = candidate.isFeasible ? -1 : excess(candidate, limits);
        if (best.isFeasible ? candidate.isFeasible && candidate.value < best.value : beyond < leastExcess) {
            best = std::move(candidate);
            leastExcess = beyond;
        }
    }
    std::vector<std::array<SuffixBound, kBudgets>> bounds;
    for (std::size_t i = 0; i <= classes.size(); ++i)
        bounds.push_back({SuffixBound(classes, i, 0), SuffixBound(classes, i, 1)});
    double incumbent = best.isFeasible ? best.value : kInfinity;
    double leastDropped = kInfinity;
    std::vector<std::vector<State>> layers{{State{}}};
    for (std::size_t i = 0; i < classes.size(); ++i) {
        std::vector<State> next;
        for (std::size_t s = 0; s < layers.back().size(); ++s) {
            for (std::size_t o = 0; o < classes[i].size(); ++o) {
                const KnapsackOption& option = classes[i][o];
                State state = layers.back()[s];
                state.value += option.value;
                state.bound = state.value;
                for (std::size_t k = 0; k < kBudgets; ++k) {
                    state.weight[k] += option.weight[k];
                    const double left = limits[k] + 1e-9 * std::abs(limits[k]) - state.weight[k];
                    state.bound = std::max(state.bound, state.value + bounds[i + 1][k].at(left));
                }
                if (!(state.bound <= incumbent) || !std::isfinite(state.bound)) continue;
                state.parent = static_cast<std::uint32_t>(s);
                state.option = static_cast<std::uint32_t>(o);
                next.push_back(state);
            }
        }
        removeDominated(next);
        if (next.size() > kMostStates) {
            std::ranges::nth_element(next, next.begin() + kMostStates, {}, &State::bound);
            leastDropped = std::min(leastDropped, next[kMostStates].bound);
            next.resize(kMostStates);
        }
        layers.push_back(std::move(next));
    }
    if (!layers.back().empty()) {
        const auto last = std::ranges::min_element(layers.back(), {}, &State::value);
        std::vector<std::size_t> chosen(classes.size());
        const State* state = &*last;
        for (std::size_t i = classes.size(); i > 0; --i) {
            chosen[i - 1] = state->option;
            state = &layers[i - 1][state->parent];
        }
        KnapsackResult found = resultOf(classes, std::move(chosen), limits);
        if (!best.isFeasible || found.value <= best.value) best = std::move(found);
    }
    best.gap = best.isFeasible ? std::max(0.0, best.value - leastDropped) : 0;
    return best;
}

}  // namespace equant
